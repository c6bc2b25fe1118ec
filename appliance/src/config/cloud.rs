//! The cloud's engines and when they are used.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use units::Language;

use super::{Environment, Secret};

/// OpenAI. Without a key its engines are disabled.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpenAi {
    /// A file with the key. Default: the systemd credential `openai_api_key`, else the variable `OPENAI_API_KEY`.
    pub api_key_file: Option<PathBuf>,
    /// Where the interface is. Default `https://api.openai.com/v1`.
    pub base_url: String,
    /// The model that hears. Default `gpt-4o-mini-transcribe`; `gpt-4o-transcribe` hears better, `whisper-1` costs less.
    pub transcribe_model: String,
    /// The model that replies. Default `gpt-4.1-mini`.
    pub chat_model: String,
    /// The model that speaks. Default `gpt-4o-mini-tts`; used only where `weather.synthesize.engines` names `openai`.
    pub speech_model: String,
    /// Its voice. Default `alloy`.
    pub speech_voice: String,
    /// The key, filled in when the configuration is loaded; never read from the file.
    #[serde(skip)]
    pub api_key: Credential,
}

impl Default for OpenAi {
    fn default() -> Self {
        Self {
            api_key_file: None,
            base_url: "https://api.openai.com/v1".to_owned(),
            transcribe_model: "gpt-4o-mini-transcribe".to_owned(),
            chat_model: "gpt-4.1-mini".to_owned(),
            speech_model: "gpt-4o-mini-tts".to_owned(),
            speech_voice: "alloy".to_owned(),
            api_key: Credential::default(),
        }
    }
}

/// Google. Without a service account its engines are disabled.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Google {
    /// The service account's JSON file. Default: the systemd credential `google_credentials`, else the file that
    /// `GOOGLE_APPLICATION_CREDENTIALS` names, else the JSON itself in `GCP_CREDENTIALS_JSON` or `GOOGLE_TTS_SA_JSON`.
    pub credentials_file: Option<PathBuf>,
    /// Where Text-to-Speech is. Default `https://texttospeech.googleapis.com`.
    pub speak_url: String,
    /// Where Speech-to-Text is. Default `https://speech.googleapis.com`.
    pub hear_url: String,
    /// The model that hears, where `weather.recognize.engines` names `google`. Default `long`.
    pub hear_model: String,
    /// The Hebrew voice. Default `he-IL-Wavenet-A`.
    pub voice_he: String,
    /// The English voice. Default `en-US-Wavenet-F`.
    pub voice_en: String,
    /// The service account's JSON, filled in when the configuration is loaded; never read from the file.
    #[serde(skip)]
    pub account: Credential,
}

impl Default for Google {
    fn default() -> Self {
        Self {
            credentials_file: None,
            speak_url: "https://texttospeech.googleapis.com".to_owned(),
            hear_url: "https://speech.googleapis.com".to_owned(),
            hear_model: "long".to_owned(),
            voice_he: "he-IL-Wavenet-A".to_owned(),
            voice_en: "en-US-Wavenet-F".to_owned(),
            account: Credential::default(),
        }
    }
}

impl Google {
    /// Returns the name of the voice for a language.
    pub fn voice(&self, language: Language) -> &str {
        match language {
            Language::Hebrew => &self.voice_he,
            Language::English => &self.voice_en,
        }
    }
}

/// A language model on the office's own network that speaks OpenAI's chat interface, such as a llama.cpp server on a
/// Jetson: the engine `brain`. It costs nothing and is not bound by the budget.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Brain {
    /// Where it is, for example `http://127.0.0.1:8081/v1`. Default none: there is no such server.
    pub base_url: Option<String>,
    /// The model's name, as the server knows it. Default `default`, which llama.cpp takes for the one it has loaded.
    pub model: Option<String>,
}

/// A credential, where one was found.
#[derive(Clone, Debug, Default)]
pub enum Credential {
    /// Nobody gave one.
    #[default]
    Missing,
    /// One was named and cannot be read; why.
    Unreadable(String),
    /// Here it is.
    Given(Secret),
}

impl OpenAi {
    pub(super) fn apply(&mut self, environment: &Environment) {
        let default = environment.openai_api_key.clone();
        self.api_key = find(self.api_key_file.as_deref(), environment, "openai_api_key", None, default);
    }
}

impl Google {
    pub(super) fn apply(&mut self, environment: &Environment) {
        let named = environment.google_application_credentials.as_deref();
        let default = environment.google_credentials_json.clone();
        self.account = find(self.credentials_file.as_deref(), environment, "google_credentials", named, default);
    }
}

/// Looks for a credential: in the file the configuration names, among systemd's credentials, in the file the environment
/// names, in the environment itself. A box with a broken one answers calls without it, so nothing here is an error.
pub(super) fn find(
    file: Option<&Path>,
    environment: &Environment,
    name: &str,
    named: Option<&Path>,
    default: Option<Secret>,
) -> Credential {
    let from_systemd =
        environment.credentials_directory.as_ref().map(|folder| folder.join(name)).filter(|file| file.exists());
    let file = file.map(Path::to_owned).or(from_systemd).or_else(|| named.map(Path::to_owned));
    let found = match file {
        Some(file) => match fs::read_to_string(&file) {
            Ok(text) => Some(Secret::new(&text)),
            Err(error) => return Credential::Unreadable(format!("{} cannot be read: {error}", file.display())),
        },
        None => default,
    };
    found.filter(|secret| !secret.is_empty()).map_or(Credential::Missing, Credential::Given)
}

/// Who serves a turn: the cloud or this device.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Weather {
    /// What OpenAI and Google may cost a day (UTC), in US dollars. Default 5. With 0 nothing is ever asked of them.
    pub budget_per_day: Dollars,
    /// Hearing.
    pub recognize: Recognize,
    /// Replying.
    pub reply: Reply,
    /// Speaking.
    pub synthesize: Synthesize,
    /// What engines cost.
    pub prices: Prices,
}

/// An amount of money in US dollars, zero or more.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Dollars(f64);

impl Default for Dollars {
    fn default() -> Self {
        Self(5.0)
    }
}

impl TryFrom<f64> for Dollars {
    type Error = String;

    fn try_from(dollars: f64) -> Result<Self, Self::Error> {
        if (0.0..=1e6).contains(&dollars) {
            Ok(Self(dollars))
        } else {
            Err(format!("{dollars}: expected dollars, from 0 to 1000000"))
        }
    }
}

impl Dollars {
    /// Returns the amount in micro-dollars.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 1e12, and not negative")]
    pub const fn micros(self) -> u64 {
        (self.0 * 1e6) as u64
    }
}

/// An engine's name in the configuration, `/readyz`, logs and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineName {
    /// OpenAI.
    #[serde(rename = "openai")]
    OpenAi,
    /// Google.
    Google,
    /// The language model on the office's own network.
    Brain,
    /// This device.
    Local,
}

impl EngineName {
    /// Returns the name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Google => "google",
            Self::Brain => "brain",
            Self::Local => "local",
        }
    }
}

macro_rules! stage {
    ($(#[$doc:meta])* $name:ident, $engines:expr, $deadline:literal, $total:literal, $hedge:expr, $in_flight:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            /// The engines in the order in which they are asked. Those without credentials are left out by themselves.
            pub engines: Vec<EngineName>,
            /// From the request to the first useful output: a transcript, a whole sentence, its audio. What comes later is
            /// not waited for, and this device serves.
            #[serde(with = "humantime_serde")]
            pub deadline: Duration,
            /// From the request to its end.
            #[serde(with = "humantime_serde")]
            pub total: Duration,
            /// When this device begins beside the cloud, so that its output is there at the deadline. Longer than `deadline`
            /// means never.
            #[serde(with = "humantime_serde")]
            pub hedge_after: Duration,
            /// Requests at once to each cloud engine. Default 16.
            pub in_flight: u32,
            /// Requests a minute to each cloud engine, on average. Default 300.
            pub per_minute: u32,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    engines: $engines,
                    deadline: Duration::from_millis($deadline),
                    total: Duration::from_millis($total),
                    hedge_after: $hedge,
                    in_flight: $in_flight,
                    per_minute: 300,
                }
            }
        }
    };
}

stage!(
    /// Hearing. Default engines `openai`, `local`; deadline 1.2 s, total 5 s; this device hears along from the beginning.
    Recognize, vec![EngineName::OpenAi, EngineName::Local], 1_200, 5_000, Duration::ZERO, 16
);
stage!(
    /// Replying. Default engines `openai`, `brain`, `local`; deadline 1.8 s to the first whole sentence, total 10 s. The
    /// offline receptionist needs no head start.
    Reply, vec![EngineName::OpenAi, EngineName::Brain, EngineName::Local], 1_800, 10_000, Duration::MAX, 16
);
stage!(
    /// Speaking. Default engines `google`, `local`; deadline 900 ms for a sentence, total 4 s; this device renders it too
    /// after 400 ms, more than a sentence usually takes the cloud.
    Synthesize, vec![EngineName::Google, EngineName::Local], 900, 4_000, Duration::from_millis(400), 16
);

/// What engines cost, in US dollars. The defaults are list prices of 2026; look yours up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// OpenAI, a minute of audio heard. Default 0.003.
    pub openai_audio_minute: f64,
    /// OpenAI, a million tokens of prompt. Default 0.40.
    pub openai_input_tokens: f64,
    /// OpenAI, a million tokens of reply. Default 1.60.
    pub openai_output_tokens: f64,
    /// OpenAI, a million characters spoken. Default 15.
    pub openai_characters: f64,
    /// Google, a minute of audio heard. Default 0.016.
    pub google_audio_minute: f64,
    /// Google, a million characters spoken by a Wavenet voice. Default 16.
    pub google_characters: f64,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            openai_audio_minute: 0.003,
            openai_input_tokens: 0.40,
            openai_output_tokens: 1.60,
            openai_characters: 15.0,
            google_audio_minute: 0.016,
            google_characters: 16.0,
        }
    }
}

impl Weather {
    /// Returns the field that is wrong and what was expected: a deadline behind the one after which a call gives up would
    /// never come.
    pub(super) fn check(&self, patience: &conversation::config::Patience) -> Result<(), (&'static str, String)> {
        let times = [
            ("weather.recognize.deadline", self.recognize.deadline, self.recognize.total, patience.transcript),
            ("weather.reply.deadline", self.reply.deadline, self.reply.total, patience.filler),
            ("weather.synthesize.deadline", self.synthesize.deadline, self.synthesize.total, patience.synthesis),
        ];
        let lists = [
            ("weather.recognize.engines", &self.recognize.engines),
            ("weather.reply.engines", &self.reply.engines),
            ("weather.synthesize.engines", &self.synthesize.engines),
        ];
        if let Some((field, _)) = lists.iter().find(|(_, engines)| engines.last() != Some(&EngineName::Local)) {
            return Err((field, "expected \"local\" at the end, who serves when nobody else does".to_owned()));
        }
        for (field, deadline, total, limit) in times {
            if deadline.is_zero() || deadline >= limit {
                return Err((field, format!("expected more than 0s and less than {limit:?}, the call's own patience")));
            }
            if total < deadline {
                return Err((field, "expected at most the stage's total".to_owned()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Credential, find};
    use crate::config::{Config, Environment, Secret};

    fn found(credential: &Credential) -> &str {
        match credential {
            Credential::Missing => "missing",
            Credential::Unreadable(_) => "unreadable",
            Credential::Given(secret) => secret.expose(),
        }
    }

    #[test]
    fn the_file_of_the_configuration_comes_first_then_systemd_then_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = folder.path().join("credentials");
        fs::create_dir(&credentials).unwrap();
        let (own, named) = (folder.path().join("own"), folder.path().join("named"));
        fs::write(&own, "own\n").unwrap();
        fs::write(&named, "named").unwrap();
        fs::write(credentials.join("key"), "systemd").unwrap();
        let with = Environment { credentials_directory: Some(credentials), ..Environment::default() };
        let without = Environment::default();
        let text = || Some(Secret::new("text"));
        let look = |file: Option<&Path>, environment, named: Option<&Path>, text| {
            found(&find(file, environment, "key", named, text)).to_owned()
        };
        assert_eq!(look(Some(&own), &with, Some(&named), text()), "own");
        assert_eq!(look(None, &with, Some(&named), text()), "systemd");
        assert_eq!(look(None, &without, Some(&named), text()), "named");
        assert_eq!(look(None, &without, None, text()), "text");
        assert_eq!(look(None, &without, None, None), "missing");
        assert_eq!(look(None, &without, None, Some(Secret::new(" \n"))), "missing");
        assert_eq!(
            look(Some(Path::new("/nowhere/key")), &with, None, text()),
            "unreadable",
            "it is told, not replaced"
        );
    }

    #[test]
    fn a_box_with_a_credential_that_cannot_be_read_is_a_box_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kolbox.toml");
        fs::write(
            &file,
            "[http]\npublic_url = 'https://office.example.org'\n[carrier]\n[openai]\napi_key_file = '/nowhere/key'\n",
        )
        .unwrap();
        let environment = Environment { twilio_auth_token: Some(Secret::new("t")), ..Environment::default() };
        let config = Config::load(&file, &environment).unwrap();
        assert_eq!(found(&config.openai.api_key), "unreadable");
        assert_eq!(found(&config.google.account), "missing");
    }

    #[test]
    fn a_deadline_behind_the_calls_own_patience_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kolbox.toml");
        let environment = Environment { twilio_auth_token: Some(Secret::new("t")), ..Environment::default() };
        for (table, field) in [
            ("[weather.reply]\ndeadline = '3s'\n", "weather.reply.deadline"),
            ("[weather.recognize]\ndeadline = '0s'\n", "weather.recognize.deadline"),
            ("[weather.synthesize]\ndeadline = '800ms'\ntotal = '700ms'\n", "weather.synthesize.deadline"),
            ("[weather]\nbudget_per_day = -1.0\n", "weather.budget_per_day"),
            ("[weather.reply]\nengines = ['openai']\n", "weather.reply.engines"),
            ("[weather.reply]\nengines = ['clippy']\n", "weather.reply.engines[0]"),
            ("[office]\ntimezone = 'Asia/Atlantis'\n", "office.timezone"),
            ("[office.hours]\nsunday = ['9-17']\n", "office.hours"),
            ("[office.hours]\nsunday = ['9-17']\n", "sunday: expected times such as \"09:00-17:30\""),
        ] {
            let text = format!("[http]\npublic_url = 'https://office.example.org'\n[carrier]\n{table}");
            fs::write(&file, text).unwrap();
            let error = Config::load(&file, &environment).unwrap_err().to_string();
            assert!(error.contains(field) && error.contains("expected"), "{table}: {error}");
        }
    }
}

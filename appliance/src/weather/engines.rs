//! The engines of the cloud as the configuration names them, and what they cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloud::google::{Hearer, ServiceAccount, Speaker};
use cloud::openai::{Chat, Settings, Speech, Transcriber};
use cloud::{ApiKey, CloudError, Http, Usage};
use units::Language;
use weather::{Micros, Stage};

use crate::config::{Config, Credential, EngineName, Prices};
use crate::health::{Health, Part, PartState};

/// The provider that is behind the engine `brain`.
pub(super) const BRAIN: &str = "brain";

/// Hears.
#[derive(Debug)]
pub(crate) enum Hears {
    OpenAi(Transcriber),
    Google(Hearer),
}

/// Speaks.
#[derive(Debug)]
pub(crate) enum Speaks {
    OpenAi { speech: Speech, name: String },
    Google { speaker: Speaker, voice_he: String, voice_en: String },
}

impl Speaks {
    /// Returns the voice's name, for the cache and the records.
    pub(crate) fn voice(&self, language: Language) -> String {
        match self {
            Self::OpenAi { name, .. } => format!("openai/{name}"),
            Self::Google { voice_he, voice_en, .. } => match language {
                Language::Hebrew => format!("google/{voice_he}"),
                Language::English => format!("google/{voice_en}"),
            },
        }
    }

    /// Speaks a sentence.
    pub(crate) async fn synthesize(&self, text: &str, language: Language) -> Result<cloud::Audio, CloudError> {
        match self {
            Self::OpenAi { speech, .. } => speech.synthesize(text, language).await,
            Self::Google { speaker, voice_he, voice_en } => {
                let voice = match language {
                    Language::Hebrew => voice_he,
                    Language::English => voice_en,
                };
                speaker.synthesize(text, language, voice).await
            }
        }
    }
}

/// The cheap request that shows whether a provider is there.
#[derive(Debug)]
pub(crate) enum Probe {
    OpenAi(Http, Settings),
    Google(Arc<Speaks>),
}

impl Probe {
    pub(crate) async fn send(&self) -> Result<(), CloudError> {
        match self {
            Self::OpenAi(http, settings) => cloud::openai::probe(http, settings).await,
            Self::Google(speaks) => match &**speaks {
                Speaks::Google { speaker, .. } => cloud::google::probe(speaker).await,
                Speaks::OpenAi { .. } => Ok(()),
            },
        }
    }
}

/// What stands behind an engine's name: whose it is, where it is.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) probe: Probe,
    /// The host and port to be found, for the free checks.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether asking it costs money.
    pub(crate) metered: bool,
}

/// Everything of the cloud that can be asked.
#[derive(Debug, Default)]
pub(crate) struct Engines {
    pub(crate) hears: BTreeMap<&'static str, Arc<Hears>>,
    pub(crate) thinks: BTreeMap<&'static str, Arc<Chat>>,
    pub(crate) speaks: BTreeMap<&'static str, Arc<Speaks>>,
    pub(crate) providers: BTreeMap<&'static str, Provider>,
}

impl Engines {
    /// Makes the engines for which there are credentials, and notes in `health` what is disabled and why.
    pub(crate) fn of_config(config: &Config, health: &Health) -> Self {
        let mut engines = Self::default();
        match cloud::http() {
            Ok(http) => {
                engines.add_openai(config, &http, health);
                engines.add_google(config, &http, health);
                engines.add_brain(config, &http);
            }
            Err(error) => {
                for part in Part::CLOUD {
                    health.set(part, PartState::degraded(format!("no HTTP client: {error}")));
                }
            }
        }
        engines.leave_out_unnamed(config, health);
        engines
    }

    /// Returns whether the engine serves the stage.
    pub(crate) fn has(&self, stage: Stage, name: &str) -> bool {
        match stage {
            Stage::Recognize => self.hears.contains_key(name),
            Stage::Reply => self.thinks.contains_key(name),
            Stage::Synthesize => self.speaks.contains_key(name),
        }
    }

    fn add_openai(&mut self, config: &Config, http: &Http, health: &Health) {
        let parts = [Part::OpenaiRecognizer, Part::OpenaiReply, Part::OpenaiSynthesizer];
        let why = "no key; put it into the systemd credential 'openai_api_key' or set OPENAI_API_KEY";
        let Some(key) = given(&config.openai.api_key, why, &parts, health) else { return };
        let key = match ApiKey::new(key) {
            Ok(key) => Some(key),
            Err(error) => {
                for part in parts {
                    health.set(part, PartState::degraded(format!("OpenAI's {error}")));
                }
                return;
            }
        };
        let settings = Settings { base_url: config.openai.base_url.clone(), key };
        let openai = &config.openai;
        let name = EngineName::OpenAi.as_str();
        let transcriber = Transcriber::new(http.clone(), settings.clone(), openai.transcribe_model.clone());
        self.hears.insert(name, Arc::new(Hears::OpenAi(transcriber)));
        self.thinks.insert(name, Arc::new(Chat::new(http.clone(), settings.clone(), openai.chat_model.clone())));
        let (model, voice) = (openai.speech_model.clone(), openai.speech_voice.clone());
        let spoken = format!("{model}/{voice}");
        let speech = Speech::new(http.clone(), settings.clone(), model, voice);
        self.speaks.insert(name, Arc::new(Speaks::OpenAi { speech, name: spoken }));
        let (host, port) = place(&openai.base_url);
        let probe = Probe::OpenAi(http.clone(), settings);
        self.providers.insert(name, Provider { probe, host, port, metered: true });
    }

    fn add_google(&mut self, config: &Config, http: &Http, health: &Health) {
        let parts = [Part::GoogleRecognizer, Part::GoogleSynthesizer];
        let why = "no service account; put its JSON into the systemd credential 'google_credentials' or name its file in \
                   GOOGLE_APPLICATION_CREDENTIALS";
        let Some(json) = given(&config.google.account, why, &parts, health) else { return };
        let account = match ServiceAccount::from_json(json) {
            Ok(account) => Arc::new(account),
            Err(error) => {
                for part in parts {
                    health.set(part, PartState::degraded(format!("the service account cannot be used: {error}")));
                }
                return;
            }
        };
        let google = &config.google;
        let name = EngineName::Google.as_str();
        let model = google.hear_model.clone();
        let hearer = Hearer::new(http.clone(), &google.hear_url, Arc::clone(&account), model);
        self.hears.insert(name, Arc::new(Hears::Google(hearer)));
        let speaker = Speaker::new(http.clone(), &google.speak_url, account);
        let (voice_he, voice_en) = (google.voice_he.clone(), google.voice_en.clone());
        let speaks = Arc::new(Speaks::Google { speaker, voice_he, voice_en });
        self.speaks.insert(name, Arc::clone(&speaks));
        let (host, port) = place(&google.speak_url);
        self.providers.insert(name, Provider { probe: Probe::Google(speaks), host, port, metered: true });
    }

    fn add_brain(&mut self, config: &Config, http: &Http) {
        let Some(base_url) = config.brain.base_url.clone() else { return };
        let (host, port) = place(&base_url);
        let settings = Settings { base_url, key: None };
        let model = config.brain.model.clone().unwrap_or_else(|| "default".to_owned());
        self.thinks.insert(BRAIN, Arc::new(Chat::new(http.clone(), settings.clone(), model)));
        let probe = Probe::OpenAi(http.clone(), settings);
        self.providers.insert(BRAIN, Provider { probe, host, port, metered: false });
    }

    /// Leaves out the engines that no stage of the configuration names.
    fn leave_out_unnamed(&mut self, config: &Config, health: &Health) {
        let weather = &config.weather;
        let named = |engines: &[EngineName], name: &str| engines.iter().any(|engine| engine.as_str() == name);
        self.hears.retain(|name, _| named(&weather.recognize.engines, name));
        self.thinks.retain(|name, _| named(&weather.reply.engines, name));
        self.speaks.retain(|name, _| named(&weather.synthesize.engines, name));
        for part in Part::CLOUD {
            let (stage, name) = part.engine();
            if self.has(stage, name) {
                health.set(part, PartState::Ok);
            } else if self.providers.contains_key(name) {
                let why = format!("weather.{stage}.engines does not name {name}");
                health.set(part, PartState::disabled(why));
            }
        }
        let Self { hears, thinks, speaks, providers } = self;
        providers.retain(|name, _| hears.contains_key(name) || thinks.contains_key(name) || speaks.contains_key(name));
    }
}

/// Returns a credential, or notes why there is none.
fn given<'a>(credential: &'a Credential, missing: &str, parts: &[Part], health: &Health) -> Option<&'a str> {
    let state = match credential {
        Credential::Given(secret) => return Some(secret.expose()),
        Credential::Missing => PartState::disabled(missing),
        Credential::Unreadable(why) => PartState::degraded(why.clone()),
    };
    for part in parts {
        health.set(*part, state.clone());
    }
    None
}

/// Returns the host and port of an address; what cannot be read is not found later either.
fn place(url: &str) -> (String, u16) {
    let Ok(uri) = url.parse::<http::Uri>() else { return (String::new(), 443) };
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
    (uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned(), port)
}

/// Returns what a request cost.
pub(crate) fn price(prices: &Prices, engine: &str, usage: &Usage) -> Micros {
    let millions = |count: u64, price: f64| as_float(count) * price / 1e6;
    let minutes = |price: f64| as_float(usage.audio_ms) / 60_000.0 * price;
    // Each kind of work has one measure: what is spoken is paid by the character, what is heard by the minute, though
    // providers tell more about both.
    let is_spoken = usage.characters > 0;
    let is_heard = usage.audio_ms > 0;
    let dollars = match engine {
        "openai" if is_spoken => millions(usage.characters, prices.openai_characters),
        "openai" if is_heard => minutes(prices.openai_audio_minute),
        "openai" => {
            millions(usage.input_tokens, prices.openai_input_tokens)
                + millions(usage.output_tokens, prices.openai_output_tokens)
        }
        "google" if is_spoken => millions(usage.characters, prices.google_characters),
        "google" => minutes(prices.google_audio_minute),
        _ => 0.0,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a request costs cents, never less than 0"
    )]
    // Less than a thousandth of a millionth is an error of the arithmetic.
    Micros((dollars.max(0.0) * 1e6 - 1e-3).ceil() as u64)
}

#[expect(clippy::cast_precision_loss, reason = "counts of one request are far below 2^53")]
fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use cloud::Usage;
    use weather::Micros;

    use super::{place, price};
    use crate::config::Prices;

    #[test]
    fn a_request_costs_what_the_price_list_says_rounded_up() {
        let prices = Prices::default();
        // What is spoken has a length too, and what is heard tokens.
        let sentence = Usage { characters: 50, audio_ms: 3_250, ..Usage::default() };
        assert_eq!(price(&prices, "google", &sentence), Micros(800));
        let turn = Usage { audio_ms: 4_000, input_tokens: 40, output_tokens: 10, ..Usage::default() };
        assert_eq!(price(&prices, "openai", &turn), Micros(200));
        let reply = Usage { input_tokens: 1_000, output_tokens: 100, ..Usage::default() };
        assert_eq!(price(&prices, "openai", &reply), Micros(560));
        assert_eq!(price(&prices, "brain", &reply), Micros(0));
    }

    #[test]
    fn the_place_of_a_provider_is_its_host_and_port() {
        assert_eq!(place("https://api.openai.com/v1"), ("api.openai.com".to_owned(), 443));
        assert_eq!(place("http://127.0.0.1:8081/v1"), ("127.0.0.1".to_owned(), 8081));
        assert_eq!(place("http://[::1]/v1"), ("::1".to_owned(), 80));
    }
}

//! A cloud on this machine for the demo and the benchmarks: it hears what the callers of these say, and replies by a script.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use fakes::{Behaviour, ChatRule, Clips, Cloud, CloudConfig, Service};
use serde_json::json;
use testcall::{CallerVoice, VoiceError};
use tokio::time::sleep;
use units::Language;

use super::callers;
use super::voices::LocalVoice;
use crate::config::Synthesizer;
use crate::development::quoted;

/// Time between two looks at what was asked of the cloud.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Until a reply is thought of and spoken, after it was asked for.
const UNTIL_SPOKEN: Duration = Duration::from_millis(1_500);
/// The services a call needs.
pub(super) const OF_A_CALL: [Service; 3] = [Service::Transcribe, Service::Chat, Service::GoogleSpeak];

/// A running cloud.
pub(super) struct Clouds {
    pub(super) cloud: Cloud,
    clips: Clips,
}

/// A caller whom the cloud hears too.
pub(super) struct HeardVoice<V> {
    voice: V,
    clips: Clips,
}

impl<V: CallerVoice> CallerVoice for HeardVoice<V> {
    fn speak(&self, text: &str, language: Language) -> Result<Vec<i16>, VoiceError> {
        let samples = self.voice.speak(text, language)?;
        self.clips.add(text, &samples);
        Ok(samples)
    }
}

impl Clouds {
    /// Starts a cloud that answers at once.
    pub(super) async fn start() -> anyhow::Result<Self> {
        Self::saying(rules()).await
    }

    /// Starts a cloud whose language model says this. What it says is rendered now, so that its voice takes no time later
    /// but the delay that is set.
    pub(super) async fn saying(rules: Vec<ChatRule>) -> anyhow::Result<Self> {
        let voice = LocalVoice::of_cloud(&Synthesizer::default())?;
        let rendered: Mutex<BTreeMap<String, Vec<i16>>> = Mutex::default();
        let speak = move |text: &str, code: &str| {
            let mut rendered = rendered.lock().unwrap_or_else(PoisonError::into_inner);
            let language = if code.starts_with("he") { Language::Hebrew } else { Language::English };
            let new = || voice.speak(text, language).unwrap_or_default();
            rendered.entry(text.to_owned()).or_insert_with(new).clone()
        };
        for sentence in rules.iter().flat_map(|rule| &rule.say) {
            speak(sentence, "he-IL");
        }
        let clips = Clips::default();
        let config = CloudConfig { speak: Some(Arc::new(speak)), chat: rules, clips: clips.clone() };
        let cloud = Cloud::start(config).await.context("no cloud on this machine")?;
        Ok(Self { cloud, clips })
    }

    /// Lets the cloud hear what `voice` says.
    pub(super) fn hears<V>(&self, voice: V) -> HeardVoice<V> {
        HeardVoice { voice, clips: self.clips.clone() }
    }

    /// Sets how long each service of a call takes.
    pub(super) fn delay(&self, delays: [Duration; 3]) {
        for (service, delay) in OF_A_CALL.into_iter().zip(delays) {
            self.cloud.set(service, Behaviour::slow(delay));
        }
    }

    /// Writes the credentials into `folder` and returns the tables of a box's configuration that name them.
    pub(super) fn tables(&self, folder: &Path) -> anyhow::Result<String> {
        let (openai_url, google_url) = (self.cloud.openai_url(), self.cloud.google_speak_url());
        tables(folder, &self.cloud.credentials(), &openai_url, &google_url)
    }

    /// Breaks every connection and refuses new ones, as a provider that is gone does.
    pub(super) fn die(&self) {
        self.cloud.kill();
    }

    /// Waits until the cloud has been asked for a reply once more than `before`, and has given it: what it says may be in the
    /// box's cache, so that the voice is not asked.
    pub(super) async fn until_replied(&self, before: u64) {
        while self.cloud.requests(Service::Chat) <= before {
            sleep(LOOK_EVERY).await;
        }
        sleep(UNTIL_SPOKEN).await;
    }
}

/// Writes credentials, readable by their owner only, and returns the tables of a box's configuration that name them.
pub(super) fn tables(
    folder: &Path,
    credentials: &fakes::Credentials,
    openai_url: &str,
    google_url: &str,
) -> anyhow::Result<String> {
    fs::create_dir_all(folder)?;
    // The box reads them from where it is started.
    let folder = std::env::current_dir()?.join(folder);
    let (key, account) = (folder.join("openai_api_key"), folder.join("google_credentials.json"));
    for (file, text) in [(&key, &credentials.openai_key), (&account, &credentials.google_service_account)] {
        let mut open = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
        open.write_all(text.as_bytes())?;
    }
    let path = |path: &Path| quoted(&path.display().to_string());
    let (key, account) = (path(&key), path(&account));
    let (openai_url, google_url) = (quoted(openai_url), quoted(google_url));
    Ok(format!(
        "[openai]\napi_key_file = {key}\nbase_url = {openai_url}\nchat_model = \"gpt-4o-mini\"\n\n\
         [google]\ncredentials_file = {account}\nspeak_url = {google_url}\n"
    ))
}

/// What the language model of the demo says: it takes what the Hebrew caller gives it and asks for what is missing.
fn rules() -> Vec<ChatRule> {
    let fill = |fields: serde_json::Value| ("fill_form".to_owned(), fields);
    let rule = |when: &str, say: &str, calls: Vec<(String, serde_json::Value)>| ChatRule {
        when: when.to_owned(),
        say: vec![say.to_owned()],
        calls,
        once: false,
    };
    vec![
        rule("דני כהן", "נעים מאוד, דני. לאיזה מספר טלפון לחזור אליך?", vec![fill(json!({"name": "דני כהן"}))]),
        rule(
            callers::HEBREW_NUMBER,
            "תודה, רשמתי את המספר. במה אפשר לעזור?",
            vec![fill(json!({"phone": callers::HEBREW_NUMBER, "confirmed": ["phone"]}))],
        ),
        rule(
            "תור",
            "בשמחה. נחזור אליך היום כדי לקבוע תור. להתראות!",
            vec![fill(json!({"reason": "לקבוע תור"})), ("end_call".to_owned(), json!({}))],
        ),
        rule("", "אפשר לחזור על זה, בבקשה?", Vec::new()),
    ]
}

//! A cloud, its clients, and one request of each.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cloud::google::{Hearer, ServiceAccount, Speaker};
use cloud::openai::{Chat, ChatEvent, ChatRequest, Message, Settings, Speech, Transcriber};
use cloud::{ApiKey, CloudError, Http, http};
use fakes::{Clips, Cloud, CloudConfig, Service};
use speech::RecognizeRequest;
use units::{Language, SampleRate};

/// What the callers in these tests say.
pub(crate) const SAID: &str = "אני רוצה להשאיר הודעה לדנה";
/// Long enough for this machine to answer, short for a test that expects silence.
pub(crate) const SILENCE: Duration = Duration::from_millis(400);

/// Samples of a sentence at 8 kHz: a letter is 50 ms of a square wave as loud as its place in the alphabet.
pub(crate) fn voice(text: &str) -> Vec<i16> {
    let letter = |c: char| {
        let loudness = if c == ' ' { 0 } else { i16::try_from(u32::from(c) % 29).unwrap() * 300 + 500 };
        (0..400).map(move |at| if at % 40 < 20 { loudness } else { -loudness })
    };
    text.chars().flat_map(letter).collect()
}

pub(crate) fn config() -> CloudConfig {
    let clips = Clips::default();
    clips.add(SAID, &voice(SAID));
    CloudConfig { clips, ..CloudConfig::default() }
}

pub(crate) async fn start() -> Cloud {
    Cloud::start(config()).await.unwrap()
}

pub(crate) fn client() -> Http {
    http().unwrap()
}

pub(crate) fn settings(cloud: &Cloud) -> Settings {
    let key = ApiKey::new(&cloud.credentials().openai_key).unwrap();
    Settings { base_url: cloud.openai_url(), key: Some(key) }
}

pub(crate) fn account(cloud: &Cloud) -> ServiceAccount {
    ServiceAccount::from_json(&cloud.credentials().google_service_account).unwrap()
}

/// Returns an account on a device whose clock is so many seconds ahead.
pub(crate) fn account_ahead(cloud: &Cloud, ahead_s: u64) -> Arc<ServiceAccount> {
    let clock = move || SystemTime::now() + Duration::from_secs(ahead_s);
    Arc::new(account(cloud).with_clock(Box::new(clock)))
}

pub(crate) fn transcriber(cloud: &Cloud, model: &str) -> Transcriber {
    Transcriber::new(client(), settings(cloud), model.to_owned())
}

pub(crate) fn chat(cloud: &Cloud) -> Chat {
    Chat::new(client(), settings(cloud), "gpt-4o-mini".to_owned())
}

pub(crate) fn speech(cloud: &Cloud) -> Speech {
    Speech::new(client(), settings(cloud), "gpt-4o-mini-tts".to_owned(), "alloy".to_owned())
}

pub(crate) fn speaker(cloud: &Cloud) -> Speaker {
    Speaker::new(client(), &cloud.google_speak_url(), Arc::new(account(cloud)))
}

pub(crate) fn hearer(cloud: &Cloud) -> Hearer {
    Hearer::new(client(), &cloud.google_hear_url(), Arc::new(account(cloud)), "long".to_owned())
}

/// Returns what somebody said, as the recognizers of the box get it.
pub(crate) fn turn(text: &str, language: Option<Language>) -> RecognizeRequest {
    let samples = media::resample::convert_i16(&voice(text), SampleRate::HZ_8000, SampleRate::HZ_16000).unwrap();
    let mut audio = Vec::new();
    media::pcm::to_f32(&samples, &mut audio);
    RecognizeRequest { audio, language, among: Language::ALL.to_vec(), prompt: "דנה, יוסי".to_owned() }
}

pub(crate) fn question(text: &str) -> ChatRequest {
    let messages = vec![Message::System("You answer the phone.".to_owned()), Message::User(text.to_owned())];
    ChatRequest { messages, tools: Vec::new(), max_tokens: 200, temperature: 0.3 }
}

/// The services that a client uses. Access tokens are not fetched.
pub(crate) const USED: [Service; 7] = [
    Service::Transcribe,
    Service::Chat,
    Service::Speech,
    Service::Models,
    Service::GoogleSpeak,
    Service::GoogleVoices,
    Service::GoogleHear,
];

/// Uses one service; returns whatever text came of it, and how it ended.
pub(crate) async fn ask(cloud: &Cloud, service: Service) -> (String, Result<(), CloudError>) {
    let mut so_far = String::new();
    let result = match service {
        Service::Transcribe => {
            let mut interim = |text: &str| text.clone_into(&mut so_far);
            transcriber(cloud, "gpt-4o-mini-transcribe").transcribe(&turn(SAID, None), &mut interim).await.map(drop)
        }
        Service::Chat => {
            let mut on = |event| {
                if let ChatEvent::Text(text) = event {
                    so_far.push_str(&text);
                }
            };
            chat(cloud).reply(&question("hello"), &mut on).await.map(drop)
        }
        Service::Speech => speech(cloud).synthesize("Hello.", Language::English).await.map(drop),
        Service::Models => cloud::openai::probe(&client(), &settings(cloud)).await,
        Service::GoogleSpeak => speaker(cloud).synthesize("שלום", Language::Hebrew, "he-IL-Wavenet-A").await.map(drop),
        Service::GoogleVoices => cloud::google::probe(&speaker(cloud)).await,
        Service::GoogleHear => {
            let mut interim = |text: &str| text.clone_into(&mut so_far);
            hearer(cloud).transcribe(&turn(SAID, None), &mut interim).await.map(drop)
        }
        Service::GoogleToken => Ok(()),
    };
    (so_far, result)
}

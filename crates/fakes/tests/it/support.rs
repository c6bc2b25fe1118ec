//! A plain client, and one right request of each service.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use fakes::{Clips, Cloud, CloudConfig, Service};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, Response};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

/// What the callers in these tests say.
pub(crate) const SAID: &str = "please call me back";

pub(crate) fn client() -> Client {
    client_with(|builder| builder)
}

pub(crate) fn client_with(change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    change(builder).build().unwrap()
}

/// Samples of a sentence: a letter is 50 ms of a square wave as loud as its place in the alphabet.
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

/// Asks one service rightly.
pub(crate) async fn ask(cloud: &Cloud, service: Service) -> Result<Response, reqwest::Error> {
    request(cloud, service).send().await
}

pub(crate) fn request(cloud: &Cloud, service: Service) -> RequestBuilder {
    let (client, openai) = (client(), cloud.openai_url());
    let key = cloud.credentials().openai_key;
    let (speak, hear) = (cloud.google_speak_url(), cloud.google_hear_url());
    match service {
        Service::Transcribe => client
            .post(format!("{openai}/audio/transcriptions"))
            .bearer_auth(key)
            .multipart(upload("gpt-4o-mini-transcribe").text("stream", "true")),
        Service::Chat => post_json(client.post(format!("{openai}/chat/completions")).bearer_auth(key), &chat("hello")),
        Service::Speech => {
            let body =
                json!({"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Hello.", "response_format": "pcm"});
            post_json(client.post(format!("{openai}/audio/speech")).bearer_auth(key), &body)
        }
        Service::Models => client.get(format!("{openai}/models")).bearer_auth(key),
        Service::GoogleSpeak => {
            let request = client.post(format!("{speak}/v1/text:synthesize"));
            post_json(request.bearer_auth(token(cloud, &format!("{speak}/"), 0)), &synthesis("שלום"))
        }
        Service::GoogleVoices => client.get(format!("{speak}/v1/voices?languageCode=he-IL")).bearer_auth(token(
            cloud,
            &format!("{speak}/"),
            0,
        )),
        Service::GoogleHear => {
            let audio: Vec<u8> = voice(SAID).iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let decoding = json!({"encoding": "LINEAR16", "sampleRateHertz": 8_000, "audioChannelCount": 1});
            let config = json!({"model": "long", "languageCodes": ["iw-IL"], "explicitDecodingConfig": decoding});
            let body = json!({"config": config, "content": BASE64_STANDARD.encode(audio)});
            let url = format!("{hear}/v2/projects/fake-project/locations/global/recognizers/_:recognize");
            post_json(client.post(url).bearer_auth(token(cloud, &format!("{hear}/"), 0)), &body)
        }
        Service::GoogleToken => {
            let assertion = token(cloud, &cloud.google_token_url(), 0);
            let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
            client.post(cloud.google_token_url()).form(&[("grant_type", grant), ("assertion", &assertion)])
        }
    }
}

pub(crate) fn post_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request.header("content-type", "application/json").body(body.to_string())
}

pub(crate) fn chat(text: &str) -> Value {
    json!({
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": text}],
        "stream": true,
        "stream_options": {"include_usage": true},
    })
}

pub(crate) fn synthesis(text: &str) -> Value {
    json!({
        "input": {"text": text},
        "voice": {"languageCode": "he-IL", "name": "he-IL-Wavenet-A"},
        "audioConfig": {"audioEncoding": "MULAW", "sampleRateHertz": 8_000},
    })
}

pub(crate) fn upload(model: &str) -> Form {
    let file = media::wav::encode_pcm16(&voice(SAID), 1, units::SampleRate::HZ_8000).unwrap();
    Form::new().text("model", model.to_owned()).part("file", Part::bytes(file).file_name("turn.wav"))
}

/// Returns a token of the service account, made `skew_s` seconds ahead of now.
pub(crate) fn token(cloud: &Cloud, audience: &str, skew_s: i64) -> String {
    let account: Value = serde_json::from_str(&cloud.credentials().google_service_account).unwrap();
    let text = |name: &str| account.get(name).unwrap().as_str().unwrap().to_owned();
    let base64: String = text("private_key").lines().filter(|line| !line.starts_with('-')).collect();
    let key = RsaKeyPair::from_pkcs8(&BASE64_STANDARD.decode(base64).unwrap()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().saturating_add_signed(skew_s);
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": text("private_key_id")});
    let email = text("client_email");
    let claims = json!({"iss": email, "sub": email, "aud": audience, "iat": now, "exp": now + 3_600});
    let encoded = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encoded(&header), encoded(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

pub(crate) async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// Returns the data of each event.
pub(crate) fn events(body: &str) -> Vec<&str> {
    body.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect()
}

/// Long enough for this machine to answer, short for a test that expects silence.
pub(crate) const SILENCE: Duration = Duration::from_millis(400);

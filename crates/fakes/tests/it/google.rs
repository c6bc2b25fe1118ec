//! Google, when all is well, and when the client is wrong.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fakes::{Cloud, Service};
use media::wav::{Encoding, Wav};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{SAID, ask, client, config, json_of, post_json, synthesis, token};

async fn synthesize(cloud: &Cloud, body: &Value, token: String) -> reqwest::Response {
    let url = format!("{}/v1/text:synthesize", cloud.google_speak_url());
    post_json(client().post(url).bearer_auth(token), body).send().await.unwrap()
}

fn good_token(cloud: &Cloud) -> String {
    token(cloud, &format!("{}/", cloud.google_speak_url()), 0)
}

#[tokio::test]
async fn it_speaks_a_file_with_a_long_header() {
    let cloud = Cloud::start(config()).await.unwrap();
    let answer = json_of(ask(&cloud, Service::GoogleSpeak).await.unwrap()).await;
    let file = BASE64_STANDARD.decode(answer["audioContent"].as_str().unwrap()).unwrap();
    let wav = Wav::parse(&file).unwrap();
    assert_eq!(wav.spec().encoding, Encoding::MuLaw);
    assert_eq!(wav.data().len(), 4 * 520, "four letters");
    assert!(!file.len().abs_diff(wav.data().len()).eq(&44));
}

#[tokio::test]
async fn it_hears_what_was_said() {
    let cloud = Cloud::start(config()).await.unwrap();
    let answer = json_of(ask(&cloud, Service::GoogleHear).await.unwrap()).await;
    assert_eq!(answer.pointer("/results/0/alternatives/0/transcript").unwrap(), SAID);
    assert_eq!(answer.pointer("/results/0/languageCode").unwrap(), "en-us");
}

#[tokio::test]
async fn it_lists_voices_of_a_language() {
    let cloud = Cloud::start(config()).await.unwrap();
    let answer = json_of(ask(&cloud, Service::GoogleVoices).await.unwrap()).await;
    let voices = answer["voices"].as_array().unwrap();
    assert_eq!(voices.len(), 8);
    assert!(voices.iter().all(|voice| voice["name"].as_str().unwrap().starts_with("he-IL-")));
}

#[tokio::test]
async fn an_access_token_opens_too() {
    let cloud = Cloud::start(config()).await.unwrap();
    let answer = json_of(ask(&cloud, Service::GoogleToken).await.unwrap()).await;
    let access = answer["access_token"].as_str().unwrap().to_owned();
    assert_eq!(synthesize(&cloud, &synthesis("שלום"), access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn tokens_of_another_time_audience_or_key_are_refused() {
    let cloud = Cloud::start(config()).await.unwrap();
    let audience = format!("{}/", cloud.google_speak_url());
    let mut forged = good_token(&cloud);
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    let wrong = [
        ("no token", String::new()),
        ("forged", forged),
        ("for somebody else", token(&cloud, "https://texttospeech.googleapis.com/", 0)),
        ("expired", token(&cloud, &audience, -3_700)),
        ("of the future", token(&cloud, &audience, 900)),
    ];
    for (what, token) in wrong {
        assert_eq!(synthesize(&cloud, &synthesis("שלום"), token).await.status(), StatusCode::UNAUTHORIZED, "{what}");
    }
}

#[tokio::test]
async fn its_clock_can_be_another() {
    let cloud = Cloud::start(config()).await.unwrap();
    cloud.set_clock_skew(-7_200);
    let response = ask(&cloud, Service::GoogleSpeak).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let date = httpdate::parse_http_date(response.headers()["date"].to_str().unwrap()).unwrap();
    let behind = std::time::SystemTime::now().duration_since(date).unwrap().as_secs();
    assert!((7_195..7_260).contains(&behind), "{behind}");
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let cloud = Cloud::start(config()).await.unwrap();
    let change = |pointer: &str, value: Value| {
        let mut body = synthesis("שלום");
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let mut unknown = synthesis("שלום");
    unknown.as_object_mut().unwrap().insert("audio_config".to_owned(), json!({}));
    let wrong = [
        unknown,
        change("/input/text", json!("ש".repeat(2_501))),
        change("/input/text", json!("")),
        change("/voice/name", json!("en-US-Wavenet-A")),
        change("/audioConfig/audioEncoding", json!("MP3")),
    ];
    for body in wrong {
        let response = synthesize(&cloud, &body, good_token(&cloud)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(json_of(response).await.pointer("/error/status").unwrap(), "INVALID_ARGUMENT");
    }
    let longest = synthesize(&cloud, &synthesis(&"ש".repeat(2_500)), good_token(&cloud)).await;
    assert_eq!(longest.status(), StatusCode::OK);
}

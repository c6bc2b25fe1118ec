//! Google, when all is well, and when the clock is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use cloud::CloudError;
use cloud::google::{CredentialError, ServiceAccount, Speaker, probe};
use fakes::Service;
use serde_json::Value;
use units::Language;
use weather::FailureKind;

use crate::support::{SAID, account, account_ahead, client, hearer, speaker, start, turn};

#[tokio::test]
async fn it_speaks_what_is_in_the_file_and_not_its_header() {
    let cloud = start().await;
    let audio = speaker(&cloud).synthesize("שלום", Language::Hebrew, "he-IL-Wavenet-A").await.unwrap();
    assert_eq!(audio.mulaw.len(), 4 * 520, "four letters of 65 ms");
    assert_eq!((audio.usage.characters, audio.usage.audio_ms), (4, 260));
}

#[tokio::test]
async fn a_text_over_the_limit_is_spoken_in_pieces() {
    let cloud = start().await;
    let text = "המשרד פתוח מתשע עד חמש. ".repeat(150);
    assert!(text.len() > 5_000);
    let audio = speaker(&cloud).synthesize(&text, Language::Hebrew, "he-IL-Standard-B").await.unwrap();
    assert_eq!(cloud.requests(Service::GoogleSpeak), 2);
    assert!(audio.mulaw.len().abs_diff(text.chars().count() * 520) < 520 * 4);
}

#[tokio::test]
async fn it_hears_what_was_said() {
    let cloud = start().await;
    let mut interims = Vec::new();
    let heard = hearer(&cloud).transcribe(&turn(SAID, None), &mut |text| interims.push(text.to_owned())).await.unwrap();
    assert_eq!(heard.recognition.text.reveal(), SAID);
    assert_eq!(heard.recognition.language, Language::Hebrew);
    assert!((heard.recognition.mean_log_probability - 0.94_f32.ln()).abs() < 0.001);
    assert_eq!(interims, [SAID]);
    let mut silence = turn(SAID, None);
    silence.audio.fill(0.0);
    let heard = hearer(&cloud).transcribe(&silence, &mut |_| {}).await.unwrap();
    assert_eq!(heard.recognition.text.reveal(), "");
    assert!(heard.recognition.no_speech_probability > 0.9);
}

#[tokio::test]
async fn a_wrong_clock_is_recognized_and_gets_well() {
    let cloud = start().await;
    let ahead_s = Arc::new(AtomicU64::new(7_200));
    let shared = Arc::clone(&ahead_s);
    let clock = move || SystemTime::now() + Duration::from_secs(shared.load(Ordering::Relaxed));
    let account = Arc::new(account(&cloud).with_clock(Box::new(clock)));
    let speaker = Speaker::new(client(), &cloud.google_speak_url(), account);
    let error = probe(&speaker).await.unwrap_err();
    assert_eq!(error.failure().kind, FailureKind::Clock);
    let CloudError::Clock { ahead_s: told } = error else { panic!("{error}") };
    assert!(told.abs_diff(7_200) < 5, "{told}");
    ahead_s.store(0, Ordering::Relaxed);
    probe(&speaker).await.unwrap();
}

#[tokio::test]
async fn a_clock_behind_the_providers_is_recognized() {
    let cloud = start().await;
    cloud.set_clock_skew(5_000);
    let error = probe(&speaker(&cloud)).await.unwrap_err();
    let CloudError::Clock { ahead_s } = error else { panic!("{error}") };
    assert!(ahead_s.abs_diff(-5_000) < 5, "{ahead_s}");
}

#[tokio::test]
async fn a_small_difference_is_nobodys_fault() {
    let cloud = start().await;
    for skew_s in [-200, 200] {
        cloud.set_clock_skew(skew_s);
        probe(&speaker(&cloud)).await.unwrap();
    }
    let other = start().await;
    let foreign = Speaker::new(client(), &format!("{}/", other.google_speak_url()), account_ahead(&cloud, 60));
    probe(&foreign).await.unwrap();
}

#[tokio::test]
async fn a_token_is_kept_and_renewed_before_it_ends() {
    let cloud = start().await;
    let asked = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&asked);
    // An hour in steps of four minutes, on both clocks: every token that is sent is good.
    let account = account(&cloud)
        .with_clock(Box::new(move || SystemTime::now() + Duration::from_secs(240 * clock.load(Ordering::Relaxed))));
    let speaker = Speaker::new(client(), &cloud.google_speak_url(), Arc::new(account));
    for step in 0..20 {
        asked.store(step, Ordering::Relaxed);
        cloud.set_clock_skew(i64::try_from(240 * step).unwrap());
        probe(&speaker).await.unwrap();
    }
}

#[test]
fn a_key_file_says_what_is_missing() {
    let good = r#"{"type": "service_account", "project_id": "p", "private_key_id": "k", "client_email": "e",
        "private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}"#;
    let without = |field: &str| {
        let mut file: Value = serde_json::from_str(good).unwrap();
        file.as_object_mut().unwrap().remove(field);
        ServiceAccount::from_json(&file.to_string()).unwrap_err()
    };
    assert_eq!(ServiceAccount::from_json(good).unwrap_err(), CredentialError::Key);
    assert_eq!(ServiceAccount::from_json("[]").unwrap_err(), CredentialError::NotJson);
    assert_eq!(
        without("private_key").to_string(),
        "field 'private_key' is missing, expected a private key as PEM text"
    );
    for field in ["type", "client_email", "private_key_id", "project_id"] {
        assert!(matches!(without(field), CredentialError::Missing { field: found, .. } if found == field));
    }
    let other = good.replace("service_account", "authorized_user");
    assert_eq!(ServiceAccount::from_json(&other).unwrap_err(), CredentialError::OtherType);
}

#[tokio::test]
async fn nothing_of_an_account_is_shown() {
    let cloud = start().await;
    assert_eq!(format!("{:?}", account(&cloud)), "ServiceAccount");
    assert!(!format!("{:?}", speaker(&cloud)).contains("fake-project"));
}

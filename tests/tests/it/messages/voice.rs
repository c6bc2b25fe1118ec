//! Files: voice notes heard by the box's own recognizer, and what is too large.

use appliance::messages::{self, KeptFiles};
use appliance::voice::Engines;
use e2e::{BoxOptions, PhraseBook, engines, wait_until};
use serde_json::json;
use store::FileState;
use units::Language;

use super::office::{MessageOffice, Provider};

const TONE: &[u8] = include_bytes!("../../../data/voice-notes/tone-300.ogg");
const HEBREW: &[u8] = include_bytes!("../../../data/voice-notes/hebrew.ogg");

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_note_is_heard_and_answered_like_words() {
    for provider in Provider::BOTH {
        let options = BoxOptions::understanding(&PhraseBook::new(&["my name is dana levy"]));
        let office = MessageOffice::start_with(provider, options).await;
        office.sends("id-1", "audio", "audio/ogg", TONE.to_vec()).await;
        let answer = office.sent_text(0).await;
        assert!(answer.contains("What is it about?"), "{provider:?}: {answer}");
        let (_, row) = office.messages().remove(0);
        assert_eq!(row.transcript.unwrap().text.reveal(), "my name is dana levy");
        assert_eq!((row.files[0].state, row.files[0].bytes), (FileState::Here, u64::try_from(TONE.len()).unwrap()));
        let name = row.files[0].name.clone().unwrap();
        let kept = std::fs::read(office.running.parts.config.store.path.join("media").join(name)).unwrap();
        assert_eq!(kept, TONE);
        let api = office.api();
        let listed = api.get("/api/whatsapp/conversations").await.unwrap().json();
        let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
        let page = api.get(&format!("/api/whatsapp/conversations/{id}/messages")).await.unwrap().json();
        let note = &page["items"][1];
        assert_eq!((&note["kind"], &note["text"]), (&json!("voice_note"), &json!("my name is dana levy")));
        let file = api.get(&format!("/api/whatsapp/messages/{}/files/0", note["id"].as_str().unwrap())).await.unwrap();
        assert_eq!((file.status, file.body.as_slice()), (200, TONE));
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hebrew_voice_note_is_written_down_by_whisper_on_the_device() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for provider in Provider::BOTH {
        let mut device = {
            let text = "[http]\npublic_url = 'http://127.0.0.1:1'\n[carrier]\n";
            let mut config = appliance::config::Config::parse(std::path::Path::new("x"), text).unwrap();
            config.recognizer.model = root.join("models/receptionist-mini");
            config.recognizer.onnxruntime = root.join(".setup/onnxruntime/libonnxruntime.so");
            Engines::of_device(&config)
        };
        let options = BoxOptions::with_engines(engines(move || (device.recognizer)())).configured(|config| {
            config.office.form = None;
            config.conversation.language = Language::Hebrew;
        });
        let office = MessageOffice::start_with(provider, options).await;
        office.sends("id-1", "audio", "audio/ogg", HEBREW.to_vec()).await;
        let answer = office.sent_text(0).await;
        assert!(answer.contains("שרה פרידמן") && answer.contains("שלום, כאן המשרד."), "{provider:?}: {answer}");
        let transcript = office.messages().remove(0).1.transcript.unwrap();
        assert_eq!(transcript.text.reveal(), "שלום קוראים לי שרה פרידמן");
        assert_eq!(transcript.language, Language::Hebrew);
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_too_large_is_noted_and_the_sender_told_in_their_language() {
    for provider in Provider::BOTH {
        let office = MessageOffice::start(provider).await;
        office.sends("id-1", "image", "image/jpeg", vec![0; 5_000_001]).await;
        let answer = office.sent_text(0).await;
        assert!(answer.contains("too large") && answer.contains("5 MB"), "{provider:?}: {answer}");
        let (_, row) = office.messages().remove(0);
        assert_eq!((row.files[0].state, row.files[0].name.as_ref()), (FileState::TooLarge, None));
        office.sends("id-2", "document", "application/pdf", vec![1; 5_000_001]).await;
        assert!(office.sent_text(1).await.contains("in a few words"));
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_note_that_is_none_is_kept_and_the_sender_asked_to_write() {
    for provider in Provider::BOTH {
        let office = MessageOffice::start(provider).await;
        office.sends("id-1", "audio", "audio/ogg", b"OggS but not really".to_vec()).await;
        let answer = office.sent_text(0).await;
        assert!(answer.contains("could not make out"), "{provider:?}: {answer}");
        let (_, row) = office.messages().remove(0);
        assert_eq!(row.files[0].state, FileState::Here);
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_let_go_of_is_on_record_as_gone() {
    let office = MessageOffice::start(Provider::Twilio).await;
    for (number, content_type) in ["image/png", "image/jpeg"].into_iter().enumerate() {
        office.sends(&format!("id-{number}"), "image", content_type, vec![7; 100]).await;
        office.sent_text(number).await;
    }
    let api = office.api();
    let (key, _) = office.messages().remove(0);
    let (file, message) = (format!("/api/whatsapp/messages/{key}/files/0"), format!("/api/whatsapp/messages/{key}"));
    assert_eq!(api.get(&file).await.unwrap().status, 200);
    let parts = &office.running.parts;
    let states = || -> Vec<_> {
        let rows = office.messages().into_iter();
        rows.filter_map(|(_, row)| Some((row.files.first()?.state, row.files.first()?.name.is_some()))).collect()
    };
    messages::trim(parts, KeptFiles::default()).await;
    assert_eq!(states(), [(FileState::Here, true); 2], "what is young and small stays");
    messages::trim(parts, KeptFiles { bytes: 150, ..KeptFiles::default() }).await;
    assert_eq!(states(), [(FileState::Dropped, false), (FileState::Here, true)], "the oldest went");
    let gone = api.get(&file).await.unwrap();
    assert_eq!((gone.status, gone.json()["type"].as_str().unwrap()), (410, "urn:kolbox:problem:gone"));
    assert_eq!(api.get(&message).await.unwrap().json()["files"][0]["state"], "dropped");
    assert_eq!(api.get(&format!("/api/whatsapp/messages/{key}/files/1")).await.unwrap().status, 404);

    // A file that somebody else removed is gone too.
    let (key, row) = office
        .messages()
        .into_iter()
        .find(|(_, row)| row.files.first().is_some_and(|file| file.name.is_some()))
        .unwrap();
    std::fs::remove_file(parts.config.store.path.join("media").join(row.files[0].name.as_ref().unwrap())).unwrap();
    assert_eq!(api.get(&format!("/api/whatsapp/messages/{key}/files/0")).await.unwrap().status, 410);
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_yet_is_asked_for_again() {
    let office = MessageOffice::start(Provider::Twilio).await;
    let carrier = &office.running.carrier;
    carrier.fail_next(testcall::RestCall::FetchMedia, testcall::RestFault::Fails { status: 503, done: false }, 2);
    office.sends("id-1", "image", "image/png", vec![7; 100]).await;
    office.sent_text(0).await;
    let state = wait_until("the file", async || {
        office.messages().first().map(|(_, row)| row.files[0].state).filter(|state| *state == FileState::Here)
    });
    state.await.unwrap();
    office.stop().await;
}

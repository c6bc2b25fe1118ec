//! The Cloud API: bodies, challenges, answers.

use messaging::meta::{
    Batch, MAX_BROKEN, Secret, SignatureError, Signer, VerifiedBody, Verifier, challenge, read, read_answer,
};
use messaging::{Content, Inbound, Provider, State, StatusUpdate, twilio};
use serde_json::Value;
use telephony::Params;

use crate::{MARK, assert_nothing_personal};

/// Most entries of an address book in one message, and most numbers in one entry.
const MAX_CONTACTS: usize = 64;

/// The number's name in most bodies of the corpus.
const NUMBER: &str = "106540352242922";

/// Keys whose texts are about persons.
const PERSONAL: [&str; 14] = [
    "address",
    "body",
    "caption",
    "description",
    "details",
    "emoji",
    "filename",
    "formatted_name",
    "message",
    "name",
    "payload",
    "phone",
    "text",
    "title",
];

/// Reads bytes as a body, as the query of a challenge, and as an answer to a request to send.
pub fn meta_json(bytes: &[u8]) {
    let body = verified(bytes);
    assert_eq!(body.bytes(), bytes);
    if let Ok(batch) = read(&body, None) {
        check_batch(&batch);
        of_one_number(&body, &batch);
    }
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        rewritten(&value, &body);
        hidden(value);
    }
    answer_challenge(bytes);
    for status in [200, 400, 401, 404, 408, 429, 500] {
        drop((read_answer(status, bytes), twilio::read_answer(status, bytes)));
    }
}

/// Whoever takes what is of one number only reads nothing else, and misses nothing else.
fn of_one_number(body: &VerifiedBody, all: &Batch) {
    let batch = read(body, Some(NUMBER)).expect("it was read before");
    check_batch(&batch);
    assert!(batch.inbound.iter().all(|one| all.inbound.contains(one)));
    assert!(batch.statuses.iter().all(|one| all.statuses.contains(one)));
    assert!(batch.of_others > 0 || batch == *all);
}

/// A body written anew from the same JSON says the same.
fn rewritten(value: &Value, body: &VerifiedBody) {
    let anew = read(&verified(value.to_string().as_bytes()), None);
    let has_places = |batch: &Batch| batch.inbound.iter().any(|one| matches!(one.content, Content::Location(_)));
    // Degrees are fractions, and those may change in their last digit.
    if anew.as_ref().is_ok_and(has_places) {
        assert_eq!(anew.is_ok(), read(body, None).is_ok());
    } else {
        assert_eq!(anew, read(body, None));
    }
}

/// Nothing personal in a body shows, whether it is read or refused.
fn hidden(mut value: Value) {
    if value.to_string().contains(MARK) {
        return;
    }
    mark(&mut value);
    let batch = read(&verified(value.to_string().as_bytes()), None);
    assert_nothing_personal(&format!("{batch:?}"));
    for broken in batch.iter().flat_map(|batch| &batch.broken) {
        assert_nothing_personal(&format!("{broken} {}", broken.error));
    }
}

/// Checks what was read against what is documented of it.
fn check_batch(batch: &Batch) {
    assert!(batch.broken.len() <= MAX_BROKEN);
    for Inbound { provider, content, .. } in &batch.inbound {
        assert_eq!(*provider, Provider::Meta);
        match content {
            Content::Unknown { kind } => assert!(kind.len() <= 32 && kind.is_ascii()),
            Content::Media { items, .. } => assert_eq!(items.len(), 1),
            Content::Contacts(contacts) => {
                assert!(contacts.reveal().len() <= MAX_CONTACTS);
                assert!(contacts.reveal().iter().all(|contact| contact.phones.len() <= MAX_CONTACTS));
            }
            Content::Location(place) => {
                assert!(place.reveal().latitude_micros.abs() <= 90_000_000);
                assert!(place.reveal().longitude_micros.abs() <= 180_000_000);
            }
            Content::Text(_) | Content::VoiceNote(_) | Content::Button { .. } | Content::Reaction { .. } => {}
        }
    }
    for StatusUpdate { provider, state, .. } in &batch.statuses {
        assert_eq!(*provider, Provider::Meta);
        if let State::Failed { text: Some(text), .. } = state {
            assert!(text.reveal().chars().count() <= 300 && !text.reveal().chars().any(char::is_control));
        }
    }
}

/// Puts the mark into every text that is about a person.
fn mark(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mark),
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                if let Value::String(text) = value {
                    text.push_str(if PERSONAL.contains(&key.as_str()) { MARK } else { "" });
                } else {
                    mark(value);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Reads the bytes as the query of a challenge. What is answered is in the query, and cannot be taken for a page.
fn answer_challenge(bytes: &[u8]) {
    let Ok(query) = Params::parse(bytes) else { return };
    match challenge(&query, &secret("verify-me")) {
        Ok(answer) => {
            assert_eq!(query.first("hub.verify_token"), Some("verify-me"));
            assert_eq!(query.first("hub.challenge"), Some(answer.as_str()));
            assert!(answer.len() <= 256 && !answer.contains(['<', '>', '&', '"']));
        }
        Err(error) => {
            assert!(matches!(error.http_status(), 400 | 403));
            assert!(!format!("{error} {error:?}").contains("verify-me"));
        }
    }
}

/// Returns the bytes as a body that went through the only door, which is shut to any other.
fn verified(bytes: &[u8]) -> VerifiedBody {
    let signature = Signer::new(secret("app-secret")).sign(bytes);
    let verifier = Verifier::new(secret("another secret"));
    assert_eq!(verifier.verify(bytes, Some(&signature)).err(), Some(SignatureError::Wrong));
    let verifier = verifier.with_secondary(secret("app-secret"));
    assert_eq!(verifier.verify(bytes, None).err(), Some(SignatureError::Missing));
    verifier.verify(bytes, Some(&signature)).expect("a signature of ours is right")
}

fn secret(text: &str) -> Secret {
    text.parse().expect("it is not empty")
}

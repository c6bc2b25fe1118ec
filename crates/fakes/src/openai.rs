//! `OpenAI`'s interface, as far as a box uses it.
//!
//! Shapes: <https://github.com/openai/openai-openapi>.

mod chat;
mod speech;
mod transcribe;

use http::header::AUTHORIZATION;
use http::request::Parts;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::behaviour::Service;
use crate::cloud::Shared;

pub use self::chat::ChatRule;
pub(crate) use self::chat::chat;
pub(crate) use self::speech::speech;
pub(crate) use self::transcribe::transcribe;

/// Lists the models.
pub(crate) fn models(shared: &Shared, parts: &Parts) -> Result<Answer, Answer> {
    authorize(shared, parts, Service::Models)?;
    let models: Vec<Value> = ["gpt-4o-mini", "gpt-4o-mini-transcribe", "gpt-4o-mini-tts", "whisper-1"]
        .iter()
        .map(|id| json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "openai"}))
        .collect();
    Ok(Answer::json(&json!({"object": "list", "data": models})))
}

/// Checks the key.
fn authorize(shared: &Shared, parts: &Parts, service: Service) -> Result<(), Answer> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = header.and_then(|header| header.strip_prefix("Bearer "));
    if key == Some(shared.keys.openai_key()) { Ok(()) } else { Err(Answer::unauthorized(service)) }
}

/// Reads a JSON object that has no other fields than these.
fn object(service: Service, body: &[u8], fields: &[&str]) -> Result<Map<String, Value>, Answer> {
    let message = "We could not parse the JSON body of your request.";
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
        return Err(Answer::bad_request(service, message));
    };
    match object.keys().find(|name| !fields.contains(&name.as_str())) {
        Some(unknown) => {
            Err(Answer::bad_request(service, &format!("Unrecognized request argument supplied: {unknown}")))
        }
        None => Ok(object),
    }
}

/// Returns a text field.
fn text<'a>(service: Service, object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Answer> {
    let missing = || Answer::bad_request(service, &format!("Missing required parameter: '{name}'."));
    object.get(name).and_then(Value::as_str).ok_or_else(missing)
}

/// Returns the refusal of a model that is not there.
fn no_model(service: Service) -> Answer {
    let message = "The model does not exist or you do not have access to it.";
    Answer::error(service, http::StatusCode::BAD_REQUEST, "model_not_found", message)
}

/// Guesses how many tokens a text has: a token of Hebrew is about two letters, of English about four.
fn tokens(text: &str) -> u64 {
    u64::try_from(text.len().div_ceil(4)).unwrap_or(u64::MAX)
}

/// Returns whether most letters are Hebrew.
fn is_hebrew(text: &str) -> bool {
    let hebrew = text.chars().filter(|c| ('\u{5d0}'..='\u{5ea}').contains(c)).count();
    let latin = text.chars().filter(char::is_ascii_alphabetic).count();
    hebrew > latin
}

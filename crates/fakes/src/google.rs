//! Google's interfaces, as far as a box uses them.
//!
//! Shapes: <https://cloud.google.com/text-to-speech/docs/reference/rest>,
//! <https://cloud.google.com/speech-to-text/v2/docs/reference/rest>.

mod auth;
mod hear;
mod speak;

use serde_json::Value;

use crate::answer::Answer;
use crate::behaviour::Service;

pub(crate) use self::auth::token;
pub(crate) use self::hear::hear;
pub(crate) use self::speak::{speak, voices};

/// Reads JSON.
fn read(service: Service, body: &[u8]) -> Result<Value, Answer> {
    serde_json::from_slice(body).map_err(|_error| Answer::bad_request(service, "Invalid JSON payload received."))
}

/// Checks that the object at `pointer`, where there is one, has no other fields than these.
fn only(service: Service, value: &Value, pointer: &str, fields: &[&str]) -> Result<(), Answer> {
    let Some(object) = value.pointer(pointer) else { return Ok(()) };
    let Some(object) = object.as_object() else {
        return Err(Answer::bad_request(service, &format!("Invalid value at '{pointer}'.")));
    };
    match object.keys().find(|name| !fields.contains(&name.as_str())) {
        Some(name) => {
            let message =
                format!("Invalid JSON payload received. Unknown name \"{name}\" at '{pointer}': Cannot find field.");
            Err(Answer::bad_request(service, &message))
        }
        None => Ok(()),
    }
}

/// Returns a text at `pointer`.
fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

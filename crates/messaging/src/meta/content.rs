//! What one message of a body says, by its `type`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use telephony::FieldError;
use units::Pii;

use crate::message::{Contact, Content, Location, Media, MediaKind, MediaSource, media_type, micros_of_degrees};
use crate::meta::payload::{id, list, required, text, unexpected};
use crate::text::{unhex, word};

/// Most entries of an address book in one message, and most numbers in one entry; more are dropped.
const MAX_CONTACTS: usize = 64;

/// Reads what a message says.
pub(super) fn content(message: &Value) -> Result<Content, FieldError> {
    let kind = required(message, "type", "messages.type")?;
    let part = message.get(kind);
    match kind {
        "text" => {
            let body = required(part.unwrap_or(&Value::Null), "body", "messages.text.body")?;
            Ok(Content::Text(pii(body)))
        }
        "image" => media(part, "messages.image", MediaKind::Image),
        "sticker" => media(part, "messages.sticker", MediaKind::Sticker),
        "video" => media(part, "messages.video", MediaKind::Video),
        "document" => media(part, "messages.document", MediaKind::Document),
        "audio" | "voice" => media(part, "messages.audio", MediaKind::Audio),
        "button" => button(part, "payload", "text", "messages.button"),
        "interactive" => interactive(part),
        "location" => location(part),
        "contacts" => Ok(Content::Contacts(contacts(message).into())),
        "reaction" => reaction(part),
        _ => Ok(Content::Unknown { kind: word(kind) }),
    }
}

/// Reads a file. A sound is a voice note where Meta says so, or says nothing and it is Opus in Ogg.
fn media(part: Option<&Value>, field: &'static str, kind: MediaKind) -> Result<Content, FieldError> {
    let part = part.ok_or(FieldError::Missing { field })?;
    let name = required(part, "id", field)?;
    let clean = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if name.len() > 128 || !clean {
        return Err(unexpected(field, "an id of up to 128 letters, digits, '-' or '_'"));
    }
    let stated = text(part, "mime_type").unwrap_or("application/octet-stream");
    let content_type = media_type(stated).ok_or(unexpected(field, "a media type"))?;
    let is_ogg = content_type == "audio/ogg";
    let media = Media {
        source: MediaSource::Meta { media: name.to_owned() },
        kind,
        content_type,
        sha256: text(part, "sha256").and_then(digest),
        file_name: text(part, "filename").map(pii),
    };
    let is_spoken = part.get("voice").and_then(Value::as_bool).unwrap_or(is_ogg);
    if kind == MediaKind::Audio && is_spoken {
        return Ok(Content::VoiceNote(media));
    }
    Ok(Content::Media { items: vec![media], caption: text(part, "caption").map(pii) })
}

/// Reads a SHA-256 in base64 or hexadecimal; one that is neither is none, because the file can be had without.
fn digest(text: &str) -> Option<[u8; 32]> {
    let bytes = if text.len() == 64 { unhex(text) } else { STANDARD.decode(text).ok() };
    bytes?.try_into().ok()
}

/// Reads a button or a line of a list.
fn button(part: Option<&Value>, payload: &str, label: &str, field: &'static str) -> Result<Content, FieldError> {
    let part = part.ok_or(FieldError::Missing { field })?;
    let shown = required(part, label, field)?;
    Ok(Content::Button { payload: pii(text(part, payload).unwrap_or(shown)), text: pii(shown) })
}

/// Reads an answer to a message with buttons or a list; answers of other kinds are unknown.
fn interactive(part: Option<&Value>) -> Result<Content, FieldError> {
    let part = part.ok_or(FieldError::Missing { field: "messages.interactive" })?;
    match required(part, "type", "messages.interactive.type")? {
        kind @ "button_reply" => button(part.get(kind), "id", "title", "messages.interactive.button_reply"),
        kind @ "list_reply" => button(part.get(kind), "id", "title", "messages.interactive.list_reply"),
        kind => Ok(Content::Unknown { kind: word(kind) }),
    }
}

/// Reads a place.
fn location(part: Option<&Value>) -> Result<Content, FieldError> {
    let part = part.ok_or(FieldError::Missing { field: "messages.location" })?;
    let degrees = |key, field, limit| {
        let stated = part.get(key).ok_or(FieldError::Missing { field })?;
        let degrees = stated.as_f64().or_else(|| stated.as_str().and_then(|text| text.parse().ok()));
        degrees.and_then(|degrees| micros_of_degrees(degrees, limit)).ok_or(unexpected(field, "degrees in range"))
    };
    let location = Location {
        latitude_micros: degrees("latitude", "messages.location.latitude", 90.0)?,
        longitude_micros: degrees("longitude", "messages.location.longitude", 180.0)?,
        name: text(part, "name").map(str::to_owned),
        address: text(part, "address").map(str::to_owned),
    };
    Ok(Content::Location(location.into()))
}

/// Reads entries of an address book.
fn contacts(message: &Value) -> Vec<Contact> {
    let entry = |contact: &Value| Contact {
        name: contact.pointer("/name/formatted_name").and_then(Value::as_str).map(str::to_owned),
        phones: list(contact, "phones")
            .iter()
            .filter_map(|phone| text(phone, "phone").or_else(|| text(phone, "wa_id")))
            .take(MAX_CONTACTS)
            .map(str::to_owned)
            .collect(),
    };
    list(message, "contacts").iter().take(MAX_CONTACTS).map(entry).collect()
}

/// Reads a sign under an earlier message; without a sign it was taken back.
fn reaction(part: Option<&Value>) -> Result<Content, FieldError> {
    let part = part.ok_or(FieldError::Missing { field: "messages.reaction" })?;
    let to = required(part, "message_id", "messages.reaction.message_id")?;
    Ok(Content::Reaction { to: id(to, "messages.reaction.message_id")?, emoji: text(part, "emoji").map(pii) })
}

/// Wraps a text about a person.
fn pii(text: &str) -> Pii<String> {
    Pii::new(text.to_owned())
}

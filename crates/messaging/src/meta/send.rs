//! `POST /{phone_number_id}/messages`: its JSON, and what the answer means.

use serde_json::{Value, json};
use telephony::wire::Address;

use crate::answer::Answer;
use crate::message::{MediaKind, Provider};
use crate::outbound::{Outbound, OutboundContent, OutboundMedia, Template};
use crate::refusal::{Refusal, Refused};

/// Longest text, in characters. Longer: 100.
pub const MAX_TEXT_CHARS: usize = 4_096;

/// Longest caption, in characters. Longer: 100.
pub const MAX_CAPTION_CHARS: usize = 1_024;

/// Writes the JSON that sends a message.
///
/// # Errors
///
/// What Meta would refuse is refused here, by field and with its code.
pub fn write(message: &Outbound) -> Result<Vec<u8>, Refused> {
    let max = match &message.content {
        OutboundContent::Text(_) | OutboundContent::Template(_) => MAX_TEXT_CHARS,
        OutboundContent::Media(_) => MAX_CAPTION_CHARS,
    };
    message.check(max)?;
    let Address::WhatsApp(number) = message.to.reveal() else {
        return Err(Refused::at("to", Refusal::RecipientInvalid));
    };
    let (kind, part) = match &message.content {
        OutboundContent::Text(text) => ("text", json!({ "body": text.reveal(), "preview_url": false })),
        OutboundContent::Media(media) => media_part(media),
        OutboundContent::Template(template) => ("template", template_part(template)),
    };
    let body = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": number.trim_start_matches('+'),
        "type": kind,
        kind: part,
    });
    Ok(body.to_string().into_bytes())
}

/// Reads the answer to the JSON above.
pub fn read_answer(http_status: u16, body: &[u8]) -> Answer {
    let value = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let code = value.pointer("/error/code").and_then(Value::as_u64).and_then(|code| u32::try_from(code).ok());
    let id = value.pointer("/messages/0/id").and_then(Value::as_str);
    Answer::of(Provider::Meta, http_status, id, code)
}

/// Returns the kind and the object of a file.
fn media_part(media: &OutboundMedia) -> (&'static str, Value) {
    let kind = match media.kind() {
        MediaKind::Image | MediaKind::Sticker => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Document => "document",
    };
    match &media.caption {
        Some(caption) => (kind, json!({ "link": media.url.reveal(), "caption": caption.reveal() })),
        None => (kind, json!({ "link": media.url.reveal() })),
    }
}

/// Returns the object of a template.
fn template_part(template: &Template) -> Value {
    let mut part = json!({ "name": template.name, "language": { "code": template.language } });
    if !template.variables.is_empty() {
        let values: Vec<Value> =
            template.variables.iter().map(|value| json!({ "type": "text", "text": value.reveal() })).collect();
        if let Some(object) = part.as_object_mut() {
            object.insert("components".to_owned(), json!([{ "type": "body", "parameters": values }]));
        }
    }
    part
}

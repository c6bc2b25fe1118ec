//! Webhooks about messages.

use telephony::wire::Address;
use telephony::{FieldError, Params, VerifiedWebhook};
use units::Pii;

use crate::id::MessageId;
use crate::message::{
    Content, Inbound, Location, Media, MediaKind, MediaSource, Provider, media_type, micros_of_degrees,
};
use crate::status::{State, StatusUpdate};
use crate::text::{explanation, word};
use crate::time::UnixTime;

/// Names of the URL and the media type of each file of a message; a message has at most ten.
const MEDIA_FIELDS: [(&str, &str); 10] = [
    ("MediaUrl0", "MediaContentType0"),
    ("MediaUrl1", "MediaContentType1"),
    ("MediaUrl2", "MediaContentType2"),
    ("MediaUrl3", "MediaContentType3"),
    ("MediaUrl4", "MediaContentType4"),
    ("MediaUrl5", "MediaContentType5"),
    ("MediaUrl6", "MediaContentType6"),
    ("MediaUrl7", "MediaContentType7"),
    ("MediaUrl8", "MediaContentType8"),
    ("MediaUrl9", "MediaContentType9"),
];

/// What is expected of a message's name.
const EXPECTED_ID: &str = "1 to 256 visible ASCII characters";

/// Reads a message that came in. The form has no time in it, so `at` is when it came.
///
/// # Errors
///
/// When a field that is needed is missing, there twice, or not what the carrier documents.
pub fn read_inbound(webhook: &VerifiedWebhook, at: UnixTime) -> Result<Inbound, FieldError> {
    let params = webhook.params();
    let name = params.optional("ProfileName")?;
    let replied = params.optional("OriginalRepliedMessageSid")?;
    Ok(Inbound {
        id: id(params.required("MessageSid")?, "MessageSid")?,
        provider: Provider::Twilio,
        from: Address::of(params.required("From")?).into(),
        to: Address::of(params.required("To")?).into(),
        profile_name: name.map(|name| Pii::new(name.to_owned())),
        at,
        content: content(params)?,
        reply_to: replied.map(|text| id(text, "OriginalRepliedMessageSid")).transpose()?,
    })
}

/// Reads what became of a message of ours; `None` when the word says nothing about that, such as one added after
/// this was written. The form has no time in it, so `at` is when it came.
///
/// # Errors
///
/// When a field that is needed is missing, there twice, or not what the carrier documents.
pub fn read_status(webhook: &VerifiedWebhook, at: UnixTime) -> Result<Option<StatusUpdate>, FieldError> {
    let params = webhook.params();
    let id = id(params.required("MessageSid")?, "MessageSid")?;
    let stated = state(params, params.required("MessageStatus")?)?;
    // The event may be further than the status beside it, because the two are written at different moments.
    let event = match params.optional("EventType")? {
        Some("READ") => Some(State::Read),
        Some("DELIVERED") => Some(State::Delivered),
        Some(_) | None => None,
    };
    let furthest = [stated, event].into_iter().flatten().max_by_key(State::rank);
    Ok(furthest.map(|state| StatusUpdate { id, provider: Provider::Twilio, state, at }))
}

/// Returns the state a word stands for.
fn state(params: &Params, word: &str) -> Result<Option<State>, FieldError> {
    Ok(Some(match word {
        "accepted" | "scheduled" => State::Accepted,
        "queued" | "sending" => State::Queued,
        "sent" | "partially_delivered" => State::Sent,
        "delivered" => State::Delivered,
        "read" => State::Read,
        "failed" | "undelivered" | "canceled" => {
            let code = number(params, "ErrorCode")?.filter(|code| *code != 0);
            let text = params.optional("ChannelStatusMessage")?.or(params.optional("ErrorMessage")?);
            State::Failed { code, text: text.map(|text| explanation(text).into()) }
        }
        _ => return Ok(None),
    }))
}

/// Reads what a message says: the most telling of its fields.
fn content(params: &Params) -> Result<Content, FieldError> {
    let body = params.optional("Body")?;
    if let Some(text) = params.optional("ButtonText")? {
        let payload = params.optional("ButtonPayload")?.unwrap_or(text);
        return Ok(Content::Button { payload: Pii::new(payload.to_owned()), text: Pii::new(text.to_owned()) });
    }
    if let Some(location) = location(params)? {
        return Ok(Content::Location(location.into()));
    }
    let count = number::<usize>(params, "NumMedia")?.unwrap_or(0);
    if count > MEDIA_FIELDS.len() {
        return Err(FieldError::Unexpected { field: "NumMedia", expected: "a number up to 10" });
    }
    let items = MEDIA_FIELDS.iter().take(count).map(|field| media(params, *field)).collect::<Result<Vec<_>, _>>()?;
    let caption = body.map(|text| Pii::new(text.to_owned()));
    let kind = params.optional("MessageType")?;
    match (items.as_slice(), caption) {
        ([], Some(text)) => Ok(Content::Text(text)),
        ([], None) => match kind {
            // Somebody who sends nothing but blanks still wrote.
            None | Some("text") => Ok(Content::Text(String::new().into())),
            Some(kind) => Ok(Content::Unknown { kind: word(kind) }),
        },
        // The carrier does not tell a voice note from a sound file; a telephone records Opus in Ogg.
        ([only], None) if only.content_type == "audio/ogg" => Ok(Content::VoiceNote(only.clone())),
        (_, caption) => {
            let items = items.into_iter().map(|item| as_sticker(item, kind)).collect();
            Ok(Content::Media { items, caption })
        }
    }
}

/// Calls a picture a sticker where the form says so.
fn as_sticker(mut media: Media, kind: Option<&str>) -> Media {
    if kind == Some("sticker") {
        media.kind = MediaKind::Sticker;
    }
    media
}

/// Reads one file.
fn media(params: &Params, (url_field, type_field): (&'static str, &'static str)) -> Result<Media, FieldError> {
    let url = params.required(url_field)?;
    let source = source(url)
        .ok_or(FieldError::Unexpected { field: url_field, expected: "…/Accounts/{AC}/Messages/{MM}/Media/{ME}" })?;
    let stated = params.optional(type_field)?.unwrap_or("application/octet-stream");
    let content_type =
        media_type(stated).ok_or(FieldError::Unexpected { field: type_field, expected: "a media type" })?;
    let kind = MediaKind::of(&content_type);
    Ok(Media { source, kind, content_type, sha256: None, file_name: None })
}

/// Takes the names out of a file's URL; the host is not looked at, because it is not asked.
fn source(url: &str) -> Option<MediaSource> {
    let path = url.split(['?', '#']).next()?;
    let mut parts = path.rsplit('/');
    let media = sid(parts.next()?)?;
    let (_, message) = (parts.next().filter(|part| *part == "Media")?, sid(parts.next()?)?);
    let (_, account) = (parts.next().filter(|part| *part == "Messages")?, parts.next()?);
    parts.next().filter(|part| *part == "Accounts")?;
    Some(MediaSource::Twilio { account: account.parse().ok()?, message, media })
}

/// Returns a name that is safe in a path.
fn sid(text: &str) -> Option<String> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    fits.then(|| text.to_owned())
}

/// Reads the place, if there is one.
fn location(params: &Params) -> Result<Option<Location>, FieldError> {
    let (Some(latitude), Some(longitude)) = (params.optional("Latitude")?, params.optional("Longitude")?) else {
        return Ok(None);
    };
    let degrees = |field, text: &str, limit| {
        let micros = text.parse().ok().and_then(|degrees| micros_of_degrees(degrees, limit));
        micros.ok_or(FieldError::Unexpected { field, expected: "degrees in range" })
    };
    Ok(Some(Location {
        latitude_micros: degrees("Latitude", latitude, 90.0)?,
        longitude_micros: degrees("Longitude", longitude, 180.0)?,
        name: params.optional("Label")?.map(str::to_owned),
        address: params.optional("Address")?.map(str::to_owned),
    }))
}

/// Reads the name of a message.
fn id(text: &str, field: &'static str) -> Result<MessageId, FieldError> {
    text.parse().map_err(|_error| FieldError::Unexpected { field, expected: EXPECTED_ID })
}

/// Reads a number, if it is there.
fn number<N: std::str::FromStr>(params: &Params, field: &'static str) -> Result<Option<N>, FieldError> {
    let text = params.optional(field)?;
    text.map(str::parse)
        .transpose()
        .map_err(|_error| FieldError::Unexpected { field, expected: "a decimal number in range" })
}

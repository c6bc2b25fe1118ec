//! What a verified body says: messages and statuses, as many as it likes.

use serde_json::Value;
use telephony::FieldError;
use telephony::wire::Address;
use units::Pii;

use crate::id::MessageId;
use crate::message::{Inbound, Provider};
use crate::meta::content::content;
use crate::meta::signature::VerifiedBody;
use crate::status::{State, StatusUpdate};
use crate::text::explanation;
use crate::time::UnixTime;

/// Largest body, in bytes: 3 MB, the largest that Meta sends.
pub const MAX_PAYLOAD_BYTES: usize = 3_145_728;

/// Most broken items told of one body; more are counted as ignored.
pub const MAX_BROKEN: usize = 1_000;

/// What one body brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Messages from people, in the order of the body.
    pub inbound: Vec<Inbound>,
    /// What became of messages of ours.
    pub statuses: Vec<StatusUpdate>,
    /// Messages and statuses that could not be read; the others are not lost by them.
    pub broken: Vec<Broken>,
    /// Changes and statuses of kinds that say nothing about messages, and broken items beyond [`MAX_BROKEN`].
    pub ignored: usize,
    /// Messages and statuses of other numbers, not read.
    pub of_others: usize,
}

/// A message or status that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {entry}, change {change}, item {item}")]
pub struct Broken {
    /// Which entry of the body, from 0.
    pub entry: usize,
    /// Which change of the entry, from 0.
    pub change: usize,
    /// Which message or status of the change, from 0.
    pub item: usize,
    /// What is wrong with it.
    #[source]
    pub error: FieldError,
}

/// Reads a body. Unknown fields are ignored, unknown kinds of message are kept as
/// [`Content::Unknown`](crate::Content::Unknown), and one broken message does not lose the others.
///
/// `number` is our number's name at Meta. An app is told of every number of its accounts; what comes of another one is
/// counted only, because an answer would go out from ours. What says of no number it is of, is taken for ours.
pub fn read(body: &VerifiedBody, number: Option<&str>) -> Result<Batch, PayloadError> {
    let bytes = body.bytes();
    if bytes.len() > MAX_PAYLOAD_BYTES {
        return Err(PayloadError::TooLarge { bytes: bytes.len(), max: MAX_PAYLOAD_BYTES });
    }
    let body: Value = serde_json::from_slice(bytes)
        .map_err(|error| PayloadError::NotJson { line: error.line(), column: error.column() })?;
    if text(&body, "object") != Some("whatsapp_business_account") {
        return Err(PayloadError::OtherObject);
    }
    let mut batch = Batch::default();
    for (entry, value) in list(&body, "entry").iter().enumerate() {
        for (change, value) in list(value, "changes").iter().enumerate() {
            batch.read_change(number, entry, change, value);
        }
    }
    Ok(batch)
}

impl Batch {
    /// Reads one change. Its lists are read whatever its `field` says; a change without either is ignored.
    fn read_change(&mut self, number: Option<&str>, entry: usize, change: usize, value: &Value) {
        let value = value.get("value").unwrap_or(&Value::Null);
        let (messages, statuses) = (list(value, "messages"), list(value, "statuses"));
        let told = value.get("metadata").and_then(|metadata| text(metadata, "phone_number_id"));
        if told.zip(number).is_some_and(|(told, ours)| told != ours) {
            self.of_others = self.of_others.saturating_add(messages.len()).saturating_add(statuses.len());
            return;
        }
        if messages.is_empty() && statuses.is_empty() {
            self.note_ignored();
        }
        for (item, message) in messages.iter().enumerate() {
            match inbound(value, message) {
                Ok(inbound) => self.inbound.push(inbound),
                Err(error) => self.note_broken(Broken { entry, change, item, error }),
            }
        }
        for (item, update) in statuses.iter().enumerate() {
            match status(update) {
                Ok(Some(update)) => self.statuses.push(update),
                Ok(None) => self.note_ignored(),
                Err(error) => self.note_broken(Broken { entry, change, item, error }),
            }
        }
    }

    fn note_broken(&mut self, broken: Broken) {
        if self.broken.len() < MAX_BROKEN {
            self.broken.push(broken);
        } else {
            self.note_ignored();
        }
    }

    fn note_ignored(&mut self) {
        self.ignored = self.ignored.saturating_add(1);
    }
}

/// Why a body cannot be read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// It is longer than the limit.
    #[error("body of {bytes} bytes, expected at most {max}")]
    TooLarge {
        /// Length of the body, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// It is not JSON.
    #[error("body is not JSON at line {line}, column {column}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1; 0 at the start of a line.
        column: usize,
    },
    /// It is about something else than a `WhatsApp` account.
    #[error("object is not 'whatsapp_business_account'")]
    OtherObject,
}

/// Reads one message of a change.
fn inbound(value: &Value, message: &Value) -> Result<Inbound, FieldError> {
    let from = required(message, "from", "messages.from")?;
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let to = value.pointer("/metadata/display_phone_number").and_then(Value::as_str).unwrap_or_default();
    let replied = message.pointer("/context/id").and_then(Value::as_str);
    Ok(Inbound {
        id: id(required(message, "id", "messages.id")?, "messages.id")?,
        provider: Provider::Meta,
        from: address(from).ok_or(unexpected("messages.from", "3 to 15 digits"))?.into(),
        to: address(&digits(to)).unwrap_or(Address::Withheld).into(),
        profile_name: profile_name(value, from),
        at: time(message, "messages.timestamp")?,
        content: content(message)?,
        reply_to: replied.map(|text| id(text, "messages.context.id")).transpose()?,
    })
}

/// Reads one status of a change; `None` for a word that says nothing about where a message stands.
fn status(update: &Value) -> Result<Option<StatusUpdate>, FieldError> {
    let id = id(required(update, "id", "statuses.id")?, "statuses.id")?;
    let state = match required(update, "status", "statuses.status")? {
        "accepted" => State::Accepted,
        "pending" => State::Queued,
        "sent" => State::Sent,
        "delivered" => State::Delivered,
        "read" | "played" => State::Read,
        "failed" => {
            let error = list(update, "errors").first().unwrap_or(&Value::Null);
            let code = error.get("code").and_then(Value::as_u64).and_then(|code| u32::try_from(code).ok());
            let details = error.pointer("/error_data/details").and_then(Value::as_str);
            let words = details.or_else(|| text(error, "message")).or_else(|| text(error, "title"));
            State::Failed { code, text: words.map(|words| explanation(words).into()) }
        }
        _ => return Ok(None),
    };
    let at = time(update, "statuses.timestamp")?;
    Ok(Some(StatusUpdate { id, provider: Provider::Meta, state, at }))
}

/// Returns what the sender calls themselves.
fn profile_name(value: &Value, from: &str) -> Option<Pii<String>> {
    let contact = list(value, "contacts").iter().find(|contact| text(contact, "wa_id") == Some(from))?;
    contact.pointer("/profile/name").and_then(Value::as_str).map(|name| Pii::new(name.to_owned()))
}

/// Returns the address with these digits.
fn address(digits: &str) -> Option<Address> {
    let address = Address::of(&format!("whatsapp:+{}", digits.strip_prefix('+').unwrap_or(digits)));
    matches!(address, Address::WhatsApp(_)).then_some(address)
}

/// Reads a moment: seconds since 1970, mostly as text.
fn time(value: &Value, field: &'static str) -> Result<UnixTime, FieldError> {
    let stated = value.get("timestamp").ok_or(FieldError::Missing { field })?;
    let seconds = stated.as_u64().or_else(|| stated.as_str().and_then(|text| text.parse().ok()));
    seconds.map(UnixTime::from_secs).ok_or(unexpected(field, "seconds since 1970"))
}

/// Reads the name of a message.
pub(super) fn id(text: &str, field: &'static str) -> Result<MessageId, FieldError> {
    text.parse().map_err(|_error| unexpected(field, "1 to 256 visible ASCII characters"))
}

/// Returns the text of a key, if it is there and not empty.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Returns the text of a key, which has to be there; `field` is how the error calls it.
pub(super) fn required<'a>(value: &'a Value, key: &str, field: &'static str) -> Result<&'a str, FieldError> {
    match value.get(key) {
        None | Some(Value::Null) => Err(FieldError::Missing { field }),
        Some(Value::String(text)) if text.is_empty() => Err(FieldError::Missing { field }),
        Some(Value::String(text)) => Ok(text),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Err(unexpected(field, "text")),
    }
}

/// Returns the list of a key, empty if there is none.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Returns the error for a field that is not as documented.
pub(super) const fn unexpected(field: &'static str, expected: &'static str) -> FieldError {
    FieldError::Unexpected { field, expected }
}

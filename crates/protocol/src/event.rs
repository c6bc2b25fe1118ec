//! Events: one fact each.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use units::Pii;

use crate::fault::{Fault, Found};
use crate::fields::{Extra, Fields, Read, from_value};
use crate::limits::{MAX_DATA_LEN, MAX_NUMBER};
use crate::name::{EventId, ParseNameError, WORD_EXPECTED, is_word, serde_as_text, shown_as_text};
use crate::topic::Stream;

/// What an event tells, as in `call.ended`. The list is open: a kind of a newer device is carried, stored or counted,
/// never a reason to refuse the batch it is in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind(Cow<'static, str>);

impl Kind {
    /// A call came in ([`CallStarted`](crate::CallStarted)).
    pub const CALL_STARTED: Self = Self(Cow::Borrowed("call.started"));
    /// A caller turn was answered ([`CallTurn`](crate::CallTurn)).
    pub const CALL_TURN: Self = Self(Cow::Borrowed("call.turn"));
    /// A call is over ([`CallEnded`](crate::CallEnded)).
    pub const CALL_ENDED: Self = Self(Cow::Borrowed("call.ended"));
    /// A caller left a message ([`VoicemailSaved`](crate::VoicemailSaved)).
    pub const VOICEMAIL_SAVED: Self = Self(Cow::Borrowed("voicemail.saved"));
    /// A message was recognized ([`VoicemailTranscribed`](crate::VoicemailTranscribed)).
    pub const VOICEMAIL_TRANSCRIBED: Self = Self(Cow::Borrowed("voicemail.transcribed"));
    /// A form was filled, in part or whole ([`FormRecord`](crate::FormRecord)).
    pub const FORM_RECORD: Self = Self(Cow::Borrowed("form.record"));
    /// A line of the log ([`LogLine`](crate::LogLine)).
    pub const LOG_LINE: Self = Self(Cow::Borrowed("log.line"));
    /// Measurements ([`MetricsSample`](crate::MetricsSample)).
    pub const METRICS_SAMPLE: Self = Self(Cow::Borrowed("metrics.sample"));
    /// Events were dropped before they were sent ([`OutboxLost`](crate::OutboxLost)).
    pub const OUTBOX_LOST: Self = Self(Cow::Borrowed("outbox.lost"));
    /// The database was moved aside and begun anew ([`StoreReset`](crate::StoreReset)).
    pub const STORE_RESET: Self = Self(Cow::Borrowed("store.reset"));
    /// Somebody did something ([`AuditEntry`](crate::AuditEntry)).
    pub const AUDIT_ENTRY: Self = Self(Cow::Borrowed("audit.entry"));

    /// Every kind this release knows, with the stream it belongs to.
    pub const KNOWN: [(Self, Stream); 11] = [
        (Self::CALL_STARTED, Stream::Calls),
        (Self::CALL_TURN, Stream::Calls),
        (Self::CALL_ENDED, Stream::Calls),
        (Self::VOICEMAIL_SAVED, Stream::Messages),
        (Self::VOICEMAIL_TRANSCRIBED, Stream::Messages),
        (Self::FORM_RECORD, Stream::Leads),
        (Self::LOG_LINE, Stream::Logs),
        (Self::METRICS_SAMPLE, Stream::Metrics),
        (Self::OUTBOX_LOST, Stream::Audit),
        (Self::STORE_RESET, Stream::Audit),
        (Self::AUDIT_ENTRY, Stream::Audit),
    ];

    /// Returns the name on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the stream that events of this kind go into, or nothing for a kind this release does not know.
    pub fn stream(&self) -> Option<Stream> {
        Self::KNOWN.iter().find(|(kind, _)| kind == self).map(|(_, stream)| *stream)
    }

    /// Returns whether this release knows the kind.
    pub fn is_known(&self) -> bool {
        self.stream().is_some()
    }
}

impl FromStr for Kind {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_word(text) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(ParseNameError { expected: WORD_EXPECTED })
        }
    }
}

shown_as_text!(Kind);
serde_as_text!(Kind);

/// What a kind of event tells. this crate has one for each kind of this release.
pub trait EventData: Serialize + TryFrom<Value, Error = Fault> {
    /// The kind.
    const KIND: Kind;
    /// The stream it goes into, as in [`Kind::KNOWN`].
    const STREAM: Stream;
}

/// When something happened, as far as the device knew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The run of the program, see [`Presence::boot`](crate::Presence::boot).
    pub boot: u64,
    /// Milliseconds since that run began. Never goes back within it.
    pub mono_ms: u64,
    /// Milliseconds since 1970 (UTC) as the device believed.
    pub wall_ms: u64,
    /// Whether the device's clock had been set since it got power. If not, `wall_ms` may be years off.
    pub time_synced: bool,
}

/// A fact that has no number yet: what is put into the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// The row it goes into.
    pub stream: Stream,
    /// What it tells.
    pub kind: Kind,
    /// Its identity.
    pub id: EventId,
    /// When it happened.
    pub stamp: Stamp,
    /// What it tells in full.
    pub data: Pii<Value>,
}

impl NewEvent {
    /// Makes an event of what happened. NUL characters become U+FFFD: `PostgreSQL` has no place for them, and one of them
    /// must not cost the fact.
    ///
    /// # Errors
    ///
    /// When the data is longer than [`MAX_DATA_LEN`] as JSON, a number of the stamp beyond [`MAX_NUMBER`], or the data
    /// cannot be written as JSON (a map whose keys are not text, a number that is not finite is `null`).
    pub fn new<D: EventData>(id: EventId, stamp: Stamp, data: &D) -> Result<Self, NewEventError> {
        let value = serde_json::to_value(data).map_err(NewEventError::NotJson)?;
        Self::raw(D::STREAM, D::KIND, id, stamp, value)
    }

    /// Makes an event of data that is JSON already, as [`NewEvent::new`] does.
    pub fn raw(stream: Stream, kind: Kind, id: EventId, stamp: Stamp, mut data: Value) -> Result<Self, NewEventError> {
        replace_nul(&mut data);
        let len = serde_json::to_string(&data).map_err(NewEventError::NotJson)?.len();
        if len > MAX_DATA_LEN {
            return Err(NewEventError::TooLong { kind, len });
        }
        if [stamp.boot, stamp.mono_ms, stamp.wall_ms].into_iter().any(|number| number > MAX_NUMBER) {
            return Err(NewEventError::Stamp { kind });
        }
        Ok(Self { stream, kind, id, stamp, data: Pii::new(data) })
    }

    /// Returns the event with its number. The boot of its stamp goes into the batch it is sent with.
    #[must_use]
    pub fn numbered(self, seq: u64) -> Event {
        Event {
            seq,
            id: self.id,
            kind: self.kind,
            mono_ms: self.stamp.mono_ms,
            wall_ms: self.stamp.wall_ms,
            time_synced: self.stamp.time_synced,
            data: self.data,
            extra: Extra::default(),
        }
    }
}

/// Why a fact did not become an event.
#[derive(Debug, thiserror::Error)]
pub enum NewEventError {
    /// It is not JSON.
    #[error("the data of an event cannot be written as JSON")]
    NotJson(#[source] serde_json::Error),
    /// It is too long.
    #[error("the data of a {kind} has {len} bytes, expected at most {MAX_DATA_LEN}")]
    TooLong {
        /// What it tells.
        kind: Kind,
        /// How long it is, in bytes of JSON.
        len: usize,
    },
    /// Its time is out of range.
    #[error("the stamp of a {kind} has a number above {MAX_NUMBER}")]
    Stamp {
        /// What it tells.
        kind: Kind,
    },
}

/// A fact with its number: what is sent, and stored by the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Event {
    /// Its number in (device, stream, epoch), from 1, without gaps.
    pub seq: u64,
    /// Its identity.
    pub id: EventId,
    /// What it tells.
    pub kind: Kind,
    /// When it happened, in milliseconds since the run of the program began that the batch names.
    pub mono_ms: u64,
    /// When it happened, in milliseconds since 1970 (UTC) as the device believed.
    pub wall_ms: u64,
    /// Whether the device's clock had been set. If not, `wall_ms` may be years off.
    pub time_synced: bool,
    /// What it tells in full. Always holds no NUL character.
    pub data: Pii<Value>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Event {
    /// The fields of an event on the wire.
    pub(crate) const FIELDS: [&str; 7] = ["seq", "id", "kind", "mono_ms", "wall_ms", "time_synced", "data"];

    /// Reads what it tells, if it is of the kind of `D`.
    ///
    /// # Errors
    ///
    /// When the kind is another, or a field of the data is not what it has to be.
    pub fn data_as<D: EventData>(&self) -> Result<D, Fault> {
        if self.kind != D::KIND {
            return Err(Fault::of(Found::Text { len: self.kind.as_str().len() }, "another kind").under("kind"));
        }
        D::try_from(self.data.reveal().clone()).map_err(|fault| fault.under("data"))
    }
}

impl Read for Event {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        let seq: u64 = fields.required("seq")?;
        if seq == 0 {
            return Err(Fault::of(Found::Number, "a whole number from 1").under("seq"));
        }
        let event = Self {
            seq,
            id: fields.required("id")?,
            kind: fields.required("kind")?,
            mono_ms: fields.required("mono_ms")?,
            wall_ms: fields.required("wall_ms")?,
            time_synced: fields.required("time_synced")?,
            data: Pii::new(fields.or_default("data")?),
            extra: fields.rest(),
        };
        if has_nul(event.data.reveal()) || event.extra.has_nul() {
            return Err(Fault::of(Found::Unreadable, "text without NUL characters").under("data"));
        }
        Ok(event)
    }
}

from_value!(Event);

/// Returns whether a text or a name anywhere inside has a NUL character. JSON's nesting is bounded by its reader.
pub(crate) fn has_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(has_nul),
        Value::Object(map) => map.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
    }
}

fn replace_nul(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            if text.contains('\0') {
                *text = text.replace('\0', "\u{FFFD}");
            }
        }
        Value::Array(list) => list.iter_mut().for_each(replace_nul),
        Value::Object(map) => {
            if map.keys().any(|name| name.contains('\0')) {
                let renamed = std::mem::take(map).into_iter();
                *map = renamed.map(|(name, value)| (name.replace('\0', "\u{FFFD}"), value)).collect();
            }
            map.values_mut().for_each(replace_nul);
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.kind)
    }
}

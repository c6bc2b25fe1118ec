//! What the kinds of events tell, as far as this release knows them.
//!
//! Everything about a person is [`Pii`]: it is sent and stored, and never shown in a log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use units::{CallId, Language, Pii, TurnId};

use crate::desired::LogLevel;
use crate::event::{EventData, Kind};
use crate::fault::Fault;
use crate::fields::{Extra, Fields, Read, from_value};
use crate::limits::{MAX_DETAIL_LEN, MAX_SHORT_LEN, MAX_TEXT_LEN};
use crate::name::Word;
use crate::topic::Stream;

/// A call came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct CallStarted {
    /// The carrier's name for it.
    pub call: CallId,
    /// The caller's number; empty when withheld.
    pub from: Pii<String>,
    /// The office's number that was called.
    pub to: Pii<String>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A caller turn was answered, as far as the caller heard the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct CallTurn {
    /// The call.
    pub call: CallId,
    /// The turn; zero is what the agent says before the caller said anything.
    pub turn: TurnId,
    /// What the caller said, at most [`MAX_TEXT_LEN`] bytes.
    pub caller: Pii<String>,
    /// What the agent answered, as far as the caller heard it.
    pub agent: Pii<String>,
    /// The language of the answer.
    pub language: Language,
    /// Whether the caller interrupted the answer.
    pub interrupted: bool,
    /// How long the caller waited.
    pub latencies: Latencies,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a turn cost the caller in waiting, each from the end of the caller's speech, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Latencies {
    /// To the decision that the turn has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_of_turn_ms: Option<u32>,
    /// To the transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript_ms: Option<u32>,
    /// To the reply's first sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_ms: Option<u32>,
    /// To the first audio sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_audio_ms: Option<u32>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A call is over. Told again where it turns out to have ended otherwise; the last one counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct CallEnded {
    /// The call.
    pub call: CallId,
    /// How it ended, as in `completed`, `voicemail`, `caller_hung_up`.
    pub outcome: Word,
    /// How long it lasted, in milliseconds.
    pub duration_ms: u64,
    /// How many turns the caller took.
    pub turns: u32,
    /// The language spoken last.
    pub language: Language,
    /// Who heard, thought and spoke.
    pub weather: Weather,
    /// The recording's name on the device, if it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// What the cloud asked for it, in millionths of a dollar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Who heard, thought and spoke: the names of the engines last used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Weather {
    /// The recognizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recognize: Option<String>,
    /// What replied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// The synthesizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synthesize: Option<String>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A caller left a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct VoicemailSaved {
    /// The message's name on the device: when it came in and by which call.
    pub voicemail: String,
    /// The call.
    pub call: CallId,
    /// The caller's number; empty when withheld.
    pub caller: Pii<String>,
    /// How long it is, in milliseconds.
    pub duration_ms: u64,
    /// The recording's name on the device, once it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// SHA-256 of the recording, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A message was recognized.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct VoicemailTranscribed {
    /// The message's name on the device.
    pub voicemail: String,
    /// The call.
    pub call: CallId,
    /// What was said, at most [`MAX_TEXT_LEN`] bytes.
    pub transcript: Pii<String>,
    /// The language it was recognized in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A form was filled, in part or whole. A later one of the same call and form replaces it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct FormRecord {
    /// The call.
    pub call: CallId,
    /// The form's name.
    pub form: String,
    /// Whether every required field is there.
    pub complete: bool,
    /// The record, as the receptionist writes it; it carries its own version.
    pub record: Pii<Value>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A line of the log. The program keeps personal data out of its log, so it is in none of the fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct LogLine {
    /// How bad it is.
    pub level: LogLevel,
    /// The part of the program.
    pub target: String,
    /// What is the matter, at most [`MAX_TEXT_LEN`] bytes.
    pub message: String,
    /// The call it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// The rest of it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Value>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Measurements, taken at the event's time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct MetricsSample {
    /// By name with its unit, as in `cpu_temperature_c` or `call_reply_ms_p95`. A number that is not finite cannot be
    /// sent and is left out by who takes the sample.
    pub values: BTreeMap<String, f64>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Events were dropped before they were sent. The same numbers are announced in the stream they are missing from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct OutboxLost {
    /// The stream.
    pub stream: Stream,
    /// The outbox.
    pub epoch: u64,
    /// The first number.
    pub from: u64,
    /// The last number.
    pub to: u64,
    /// Why, as in [`Skipped::CAP`](crate::Skipped::CAP).
    pub reason: Word,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The database was moved aside and begun anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct StoreReset {
    /// Why it could not be opened, for people.
    pub reason: String,
    /// Rows found in the old one and put into the new one.
    pub rows_salvaged: u64,
    /// The outbox before, if its number is known. Events of it that the gateway has not stored are lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch_before: Option<u64>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Somebody did something to the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct AuditEntry {
    /// Who: the name of an account or of a part of the program.
    pub actor: Pii<String>,
    /// What, as in `voicemail.deleted`.
    pub action: Word,
    /// To what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// More about it, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Read for CallStarted {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            call: fields.required("call")?,
            from: fields.personal("from", MAX_SHORT_LEN)?,
            to: fields.personal("to", MAX_SHORT_LEN)?,
            extra: fields.rest(),
        })
    }
}

impl Read for CallTurn {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            call: fields.required("call")?,
            turn: fields.required("turn")?,
            caller: fields.personal("caller", MAX_TEXT_LEN)?,
            agent: fields.personal("agent", MAX_TEXT_LEN)?,
            language: fields.required("language")?,
            interrupted: fields.or_default("interrupted")?,
            latencies: fields.or_default("latencies")?,
            extra: fields.rest(),
        })
    }
}

impl Read for Latencies {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            end_of_turn_ms: fields.optional("end_of_turn_ms")?,
            transcript_ms: fields.optional("transcript_ms")?,
            reply_ms: fields.optional("reply_ms")?,
            first_audio_ms: fields.optional("first_audio_ms")?,
            extra: fields.rest(),
        })
    }
}

impl Read for CallEnded {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            call: fields.required("call")?,
            outcome: fields.required("outcome")?,
            duration_ms: fields.required("duration_ms")?,
            turns: fields.or_default("turns")?,
            language: fields.required("language")?,
            weather: fields.or_default("weather")?,
            recording: fields.optional_text("recording", MAX_SHORT_LEN)?,
            cost_micros: fields.optional("cost_micros")?,
            extra: fields.rest(),
        })
    }
}

impl Read for Weather {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            recognize: fields.optional_text("recognize", MAX_SHORT_LEN)?,
            reply: fields.optional_text("reply", MAX_SHORT_LEN)?,
            synthesize: fields.optional_text("synthesize", MAX_SHORT_LEN)?,
            extra: fields.rest(),
        })
    }
}

impl Read for VoicemailSaved {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            voicemail: fields.text("voicemail", MAX_SHORT_LEN)?,
            call: fields.required("call")?,
            caller: fields.personal("caller", MAX_SHORT_LEN)?,
            duration_ms: fields.or_default("duration_ms")?,
            recording: fields.optional_text("recording", MAX_SHORT_LEN)?,
            digest: fields.optional_text("digest", MAX_SHORT_LEN)?,
            extra: fields.rest(),
        })
    }
}

impl Read for VoicemailTranscribed {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            voicemail: fields.text("voicemail", MAX_SHORT_LEN)?,
            call: fields.required("call")?,
            transcript: fields.personal("transcript", MAX_TEXT_LEN)?,
            language: fields.optional("language")?,
            extra: fields.rest(),
        })
    }
}

impl Read for FormRecord {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            call: fields.required("call")?,
            form: fields.text("form", MAX_SHORT_LEN)?,
            complete: fields.or_default("complete")?,
            record: Pii::new(fields.required("record")?),
            extra: fields.rest(),
        })
    }
}

impl Read for LogLine {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            level: fields.required("level")?,
            target: fields.text("target", MAX_SHORT_LEN)?,
            message: fields.text("message", MAX_TEXT_LEN)?,
            call: fields.optional("call")?,
            fields: fields.or_default("fields")?,
            extra: fields.rest(),
        })
    }
}

impl Read for MetricsSample {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self { values: fields.required("values")?, extra: fields.rest() })
    }
}

impl Read for OutboxLost {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            stream: fields.required("stream")?,
            epoch: fields.required("epoch")?,
            from: fields.required("from")?,
            to: fields.required("to")?,
            reason: fields.required("reason")?,
            extra: fields.rest(),
        })
    }
}

impl Read for StoreReset {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            reason: fields.text("reason", MAX_DETAIL_LEN)?,
            rows_salvaged: fields.or_default("rows_salvaged")?,
            epoch_before: fields.optional("epoch_before")?,
            extra: fields.rest(),
        })
    }
}

impl Read for AuditEntry {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            actor: fields.personal("actor", MAX_SHORT_LEN)?,
            action: fields.required("action")?,
            target: fields.optional_text("target", MAX_SHORT_LEN)?,
            detail: fields.optional_text("detail", MAX_DETAIL_LEN)?,
            extra: fields.rest(),
        })
    }
}

/// Ties what is told to its kind.
macro_rules! event_data {
    ($($data:ty: $kind:ident in $stream:ident),* $(,)?) => {$(
        impl EventData for $data {
            const KIND: Kind = Kind::$kind;
            const STREAM: Stream = Stream::$stream;
        }
        from_value!($data);
    )*};
}

event_data! {
    CallStarted: CALL_STARTED in Calls,
    CallTurn: CALL_TURN in Calls,
    CallEnded: CALL_ENDED in Calls,
    VoicemailSaved: VOICEMAIL_SAVED in Messages,
    VoicemailTranscribed: VOICEMAIL_TRANSCRIBED in Messages,
    FormRecord: FORM_RECORD in Leads,
    LogLine: LOG_LINE in Logs,
    MetricsSample: METRICS_SAMPLE in Metrics,
    OutboxLost: OUTBOX_LOST in Audit,
    StoreReset: STORE_RESET in Audit,
    AuditEntry: AUDIT_ENTRY in Audit,
}

from_value!(Latencies, Weather);

//! The rows.
//!
//! Wall times are milliseconds since 1970 (UTC) as the box believed at the time; boxes without a clock battery are
//! wrong after a power cut, so a call also carries the boot it belongs to and the time since that boot.

mod voicemail;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use units::{CallId, CallTime, Language, Pii, TurnId};

pub use self::voicemail::{CarrierCopy, VoicemailKey, VoicemailPath, VoicemailRecord, VoicemailState};
use crate::recordings::RecordingName;

/// What the store knows about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetaRow {
    /// The format the database was written in. Newer ones are not opened.
    pub format: u32,
    /// How often it was opened.
    pub boots: u64,
    /// The number of the last run, see [`OpenReport::run`](crate::OpenReport::run).
    pub run: u64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// It has not ended.
    #[default]
    InProgress,
    /// The form was filled and goodbye said.
    Completed,
    /// The caller was asked to leave a message.
    Voicemail,
    /// The caller was put through to a person.
    Transferred,
    /// The caller hung up before the end.
    CallerHungUp,
    /// Nobody said anything.
    Silent,
    /// It was not answered on purpose: rate limit, blocked number.
    Refused,
    /// Something of ours failed.
    Failed,
    /// The box stopped while the call went on, or nobody ever told how it ended.
    Interrupted,
    /// A word of a newer release.
    #[serde(other)]
    Unknown,
}

/// Who heard, thought and spoke: the names of the engines last used, for what the design calls weather.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Weather {
    /// The recognizer.
    pub recognize: Option<String>,
    /// What replied.
    pub reply: Option<String>,
    /// The synthesizer.
    pub synthesize: Option<String>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The carrier's name for it.
    pub call: CallId,
    /// The caller's number as the carrier gave it; empty when withheld.
    #[serde(default)]
    pub from: Pii<String>,
    /// The office's number that was called.
    #[serde(default)]
    pub to: Pii<String>,
    /// When it came in, in milliseconds since 1970.
    pub started_wall_ms: u64,
    /// The boot it belongs to, see [`MetaRow::boots`].
    #[serde(default)]
    pub boot: u64,
    /// When it came in, in milliseconds since that boot.
    #[serde(default)]
    pub started_monotonic_ms: u64,
    /// How long it lasted, in milliseconds, once it ended.
    #[serde(default)]
    pub duration_ms: Option<u64>,
    /// How it ended.
    #[serde(default)]
    pub outcome: CallOutcome,
    /// The language spoken last.
    #[serde(default)]
    pub language: Language,
    /// How many turns the caller took.
    #[serde(default)]
    pub turns: u32,
    /// Who heard, thought and spoke.
    #[serde(default)]
    pub weather: Weather,
    /// The recording, if it was made and is still kept.
    #[serde(default)]
    pub recording: Option<RecordingName>,
    /// What the cloud asked for it, in millionths of a dollar.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub cost_micros: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
const fn is_nothing(micros: &u64) -> bool {
    *micros == 0
}

impl CallRecord {
    /// Makes the record of a call that came in just now.
    pub fn started(call: CallId, from: Pii<String>, to: Pii<String>, started_wall_ms: u64) -> Self {
        Self {
            call,
            from,
            to,
            started_wall_ms,
            boot: 0,
            started_monotonic_ms: 0,
            duration_ms: None,
            outcome: CallOutcome::InProgress,
            language: Language::Hebrew,
            turns: 0,
            weather: Weather::default(),
            recording: None,
            cost_micros: 0,
        }
    }
}

/// What the cloud cost on one day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpendingRow {
    /// Millionths of a dollar, by engine.
    pub micros: BTreeMap<String, u64>,
}

/// What a turn cost the caller in waiting, each from the end of the caller's speech, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TurnLatencies {
    /// To the decision that the turn has ended.
    pub end_of_turn_ms: Option<u32>,
    /// To the transcript.
    pub transcript_ms: Option<u32>,
    /// To the reply's first sentence.
    pub reply_ms: Option<u32>,
    /// To the first audio sent.
    pub first_audio_ms: Option<u32>,
}

/// One turn: what the caller said and what the agent answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnRow {
    /// The call.
    pub call: CallId,
    /// The turn; zero is what the agent says before the caller said anything.
    pub turn: TurnId,
    /// When the caller's turn ended.
    #[serde(default)]
    pub at: CallTime,
    /// What the caller said.
    #[serde(default)]
    pub caller: Pii<String>,
    /// What the agent answered, as far as the caller heard it.
    #[serde(default)]
    pub agent: Pii<String>,
    /// The language of the answer.
    #[serde(default)]
    pub language: Language,
    /// Whether the caller interrupted the answer.
    #[serde(default)]
    pub interrupted: bool,
    /// How long the caller waited.
    #[serde(default)]
    pub latencies: TurnLatencies,
    /// Who heard, thought and spoke.
    #[serde(default)]
    pub weather: Weather,
}

/// What the office wanted to know, as far as the caller said it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormRow {
    /// The call.
    pub call: CallId,
    /// The form's name, as in its file.
    pub form: String,
    /// When this was written, in milliseconds since 1970.
    pub saved_wall_ms: u64,
    /// Whether every required field is there.
    #[serde(default)]
    pub complete: bool,
    /// The record itself, as the receptionist's own JSON; it carries its own version.
    pub record: Pii<serde_json::Value>,
}

/// A webhook request that was acted on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WebhookRow {
    /// When it came in first, in milliseconds since 1970.
    pub first_seen_wall_ms: u64,
    /// The route, such as `incoming_call`.
    pub route: String,
}

/// What the API answered to a request with an idempotency key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiAnswerRow {
    /// When, in milliseconds since 1970.
    pub at_wall_ms: u64,
    /// SHA-256 of the request's body, in hexadecimal.
    pub digest: String,
    /// The HTTP status.
    pub status: u16,
    /// The header `Location`.
    pub location: Option<String>,
    /// The header `ETag`.
    pub etag: Option<String>,
    /// The body, as JSON.
    pub body: Pii<String>,
}

/// A number that is not wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockedRow {
    /// Since when, in milliseconds since 1970.
    pub since_wall_ms: u64,
    /// Why, in the owner's words.
    pub note: Pii<String>,
}

/// A customer to be called back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallBackRow {
    /// The number to call, in E.164.
    pub number: Pii<String>,
    /// The language to speak.
    #[serde(default)]
    pub language: Language,
    /// Why, in the words of whoever asked.
    #[serde(default)]
    pub reason: Pii<String>,
    /// When it was asked for, in milliseconds since 1970.
    pub asked_wall_ms: u64,
    /// Where it stands, as its own JSON.
    pub progress: serde_json::Value,
    /// The carrier's name of the last try, once it is known.
    #[serde(default)]
    pub call: Option<CallId>,
}

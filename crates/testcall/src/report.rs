//! What a call came to.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use units::Pii;

use crate::line::{LineTime, Speech};
use crate::script::DialStatus;

/// What a call came to, as the carrier and the caller saw it. The box's own store has what was understood.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallReport {
    /// The carrier's name for the call.
    pub call_sid: String,
    /// How it ended.
    pub ended: Ended,
    /// How long the line was open, in line time.
    #[serde(with = "millis")]
    pub lasted: Duration,
    /// How long it took on the clock.
    #[serde(with = "millis")]
    pub took: Duration,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Every request to the box, in order.
    pub requests: Vec<RequestReport>,
    /// The markup the box answered with, in order.
    pub markup: Vec<Pii<String>>,
    /// The media stream, if one was dialled; the last, if there were several.
    pub stream: Option<StreamReport>,
    /// The media streams before the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_streams: Vec<StreamReport>,
    /// The numbers that the box dialled, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dialled: Vec<DialReport>,
    /// What the carrier said who answered (`AnsweredBy`), where the box placed the call and wanted to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// The caller's turns and what they waited for.
    pub turns: Vec<TurnReport>,
    /// When the caller was heard.
    pub caller_speech: Vec<Speech>,
    /// When the agent was heard, prompts played by the carrier included.
    pub agent_speech: Vec<Speech>,
    /// Messages left by `<Record>`.
    pub recordings: Vec<RecordingReport>,
    /// Where the stereo recording lies (left the caller, right the agent), if one was wanted.
    pub audio: Option<PathBuf>,
    /// The carrier's warnings and errors, by the carrier's own codes.
    pub warnings: Vec<Warning>,
}

impl CallReport {
    /// Returns how often something happened.
    pub fn count(&self, what: impl Fn(&Happened) -> bool) -> usize {
        self.events.iter().filter(|event| what(&event.what)).count()
    }

    /// Returns when something happened first.
    pub fn first(&self, what: impl Fn(&Happened) -> bool) -> Option<&Event> {
        self.events.iter().find(|event| what(&event.what))
    }

    /// Returns the requests to paths that end with `path_end`.
    pub fn requests_to<'a>(&'a self, path_end: &'a str) -> impl Iterator<Item = &'a RequestReport> {
        self.requests.iter().filter(move |request| request.path.ends_with(path_end))
    }

    /// Returns whether the carrier gave a warning or error with this code.
    pub fn has_warning(&self, code: u32) -> bool {
        self.warnings.iter().any(|warning| warning.code == code)
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The caller hung up.
    ByCaller,
    /// The box said `<Hangup/>`, `<Reject/>`, or nothing more.
    ByMarkup,
    /// The box ended it over the REST interface.
    ByRest,
    /// The box placed it, and nobody answered, or the line was busy or out of order.
    Unanswered,
    /// The box could not be reached or understood, and there was nothing to fall back to.
    #[default]
    ByError,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, on the line.
    pub at: LineTime,
    /// When, on the clock, since the call began.
    #[serde(with = "millis")]
    pub clock: Duration,
    /// What.
    pub what: Happened,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// The carrier began a verb of the markup.
    Verb(String),
    /// The stream's socket is open.
    StreamOpened,
    /// The stream could not be opened; the HTTP status, if there was one.
    StreamRefused(Option<u16>),
    /// The stream's socket is closed.
    StreamClosed(StreamEnd),
    /// The caller began a step, by its number from 0.
    Step(usize),
    /// A step waited as long as it may.
    StepTimedOut(usize),
    /// The caller began to speak.
    CallerStarted,
    /// The caller stopped speaking.
    CallerStopped,
    /// The agent was heard after a silence.
    AgentStarted,
    /// The box cleared the playout buffer; how much was still in it, in milliseconds.
    Clear(u64),
    /// The box sent a mark.
    Mark(String),
    /// A mark went back.
    MarkEchoed(String),
    /// A key was pressed (not said which).
    Key,
    /// The beep of `<Record>` sounded, or would have.
    RecordStarted,
    /// `<Record>` ended.
    RecordEnded(RecordEnd),
    /// The box changed the call over the REST interface.
    RestUpdate,
    /// A number that the box dialled rings.
    DialRinging,
    /// It was answered.
    DialAnswered,
    /// A whisper document was fetched for whom the box dialled.
    WhisperFetched,
    /// Whom the box dialled heard this much of the whisper document's sound, in milliseconds.
    WhisperHeard(u64),
    /// Whom the box dialled pressed a key (not said which).
    DialKey,
    /// The caller and whom the box dialled were connected.
    Bridged,
    /// The dialled leg ended without being connected.
    NotBridged,
    /// The carrier judged who answered a call of the box; its word.
    AnsweredBy(String),
    /// The caller hung up.
    CallerHungUp,
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamEnd {
    /// The caller hung up.
    CallerHungUp,
    /// The box closed it; the code, if it gave one.
    ClosedByBox(Option<u16>),
    /// The box dropped the socket, or it broke.
    Broken,
    /// The carrier dropped it because the script said so.
    DroppedByScript,
    /// The box changed the call over the REST interface.
    RestUpdate,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordEnd {
    /// The caller pressed a key of `finishOnKey`.
    Key,
    /// The caller was silent for `timeout`.
    Silence,
    /// `maxLength` was reached.
    MaxLength,
    /// The caller hung up.
    HangUp,
}

/// One request to the box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestReport {
    /// When it was sent, on the line.
    pub at: LineTime,
    /// Path without the query.
    pub path: String,
    /// The HTTP status, or `None` when there was no answer.
    pub status: Option<u16>,
    /// How long the answer took on the clock, in microseconds.
    pub micros: u64,
    /// Whether it was a retry.
    pub retry: bool,
}

/// A media stream in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// The carrier's name for the stream.
    pub stream_sid: String,
    /// When it started, on the line; `None` if it never did.
    pub started: Option<LineTime>,
    /// Frames sent to the box.
    pub frames_sent: u64,
    /// Media messages from the box.
    pub media_received: u64,
    /// Samples from the box.
    pub samples_received: u64,
    /// Samples the caller did not hear because of a clear.
    pub samples_cleared: u64,
    /// How often the box cleared the buffer.
    pub clears: u64,
    /// Marks from the box.
    pub marks: u64,
    /// Messages from the box that the carrier would not understand.
    pub malformed: u64,
    /// What became of a second socket for the same call: `true` when the box kept it open for a second.
    pub second_socket_kept: Option<bool>,
}

/// One number that the box dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialReport {
    /// The carrier's name for the leg.
    pub call_sid: String,
    /// Who was dialled.
    pub number: Pii<String>,
    /// What the action was told.
    pub status: DialStatus,
    /// Whether the two were connected.
    pub bridged: bool,
    /// How long it rang.
    #[serde(with = "millis")]
    pub rang: Duration,
    /// How much of the whisper document was heard.
    #[serde(with = "millis")]
    pub heard: Duration,
    /// How long the two were connected.
    #[serde(with = "millis")]
    pub talked: Duration,
}

/// One turn of the caller and what followed, in line time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnReport {
    /// When the caller was heard.
    pub speech: Speech,
    /// From the last audible sample of the caller to the first of the agent after it; `None` when the agent was not
    /// heard before the caller spoke again, or was still speaking.
    #[serde(with = "optional_millis")]
    pub to_agent: Option<Duration>,
    /// The caller spoke while the agent was heard: from the caller's first audible sample to the `clear`.
    #[serde(with = "optional_millis")]
    pub to_clear: Option<Duration>,
    /// Whether the agent was being heard when the caller began.
    pub over_agent: bool,
}

/// One message left by `<Record>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingReport {
    /// The carrier's name for it.
    pub recording_sid: String,
    /// How long it is.
    #[serde(with = "millis")]
    pub lasted: Duration,
    /// Why it ended.
    pub ended: RecordEnd,
    /// How often the box has fetched it.
    pub fetched: u32,
}

/// A warning or error of the carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The carrier's own code.
    pub code: u32,
    /// What is wrong, without personal data.
    pub text: String,
}

/// A duration as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// An optional duration as whole milliseconds.
mod optional_millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands the field over like this")]
    pub(super) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}

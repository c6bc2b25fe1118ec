//! Commands: things to do once, as retained documents.
//!
//! The request is the gateway's and the status the device's; neither ever writes the other's. Both are retained, so that
//! either side may be away. The gateway publishes a request with its time to live as the message's expiry, and clears it
//! with an empty payload when the command has come to its end; the device then clears the status.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use units::Pii;

use crate::fault::{Fault, Found};
use crate::fields::{Extra, Field as _, Fields, Read, V1, from_value};
use crate::limits::MAX_DETAIL_LEN;
use crate::name::{CommandId, ParseNameError, Word, serde_as_text};
use crate::topic::Party;
use crate::wire::{Address, Document};

/// A thing to do once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct CommandRequest {
    /// The version of the envelope.
    pub v: V1,
    /// The command's name, the same as in the topic.
    pub id: CommandId,
    /// What to do, as in [`CommandRequest::RESTART`]. A device rejects what it does not know.
    pub kind: Word,
    /// With what: an object, empty for most. A number to call is personal.
    pub args: Pii<Value>,
    /// When it was given, in milliseconds since 1970 (UTC) by the gateway's clock.
    pub issued_at_ms: u64,
    /// From when on it is not to be begun any more, by the same clock.
    pub expires_at_ms: u64,
    /// How long it may be begun, in milliseconds, for a device without a clock.
    pub ttl_ms: u64,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

impl CommandRequest {
    /// Start the program again, after the calls that go on.
    pub const RESTART: Word = Word::known("restart");
    /// Check everything that `kolbox doctor` checks and send the result.
    pub const DOCTOR: Word = Word::known("doctor");
    /// Send recent lines of the log.
    pub const FETCH_LOGS: Word = Word::known("fetch_logs");
    /// Make a new key and ask for a certificate for it.
    pub const ROTATE_KEY: Word = Word::known("rotate_key");
    /// Place a call at oneself and see what comes of it.
    pub const PLACE_TEST_CALL: Word = Word::known("place_test_call");

    /// Every kind of command this release knows.
    pub const KINDS: [Word; 5] =
        [Self::RESTART, Self::DOCTOR, Self::FETCH_LOGS, Self::ROTATE_KEY, Self::PLACE_TEST_CALL];

    /// Makes a request that may be begun for `ttl_ms` milliseconds.
    pub fn new(id: CommandId, kind: Word, args: Value, issued_at_ms: u64, ttl_ms: u64) -> Self {
        let expires_at_ms = issued_at_ms.saturating_add(ttl_ms);
        Self { v: V1, id, kind, args: Pii::new(args), issued_at_ms, expires_at_ms, ttl_ms, extra: Extra::default() }
    }

    /// Returns how long it may still be begun, in milliseconds; 0 when it has expired.
    ///
    /// The least of what the clocks say that the device has. Without any it counts from when the request was first seen,
    /// which is why that moment is kept over a restart.
    pub fn remaining_ms(&self, seen: &Seen) -> u64 {
        let by_arrival = self.ttl_ms.saturating_sub(seen.since_first_seen_ms);
        let by_wall = seen.wall_ms.map(|wall_ms| self.expires_at_ms.saturating_sub(wall_ms));
        let by_broker = seen.broker_left_ms.map(|left| left.saturating_sub(seen.since_first_seen_ms));
        [by_wall, by_broker].into_iter().flatten().fold(by_arrival, u64::min)
    }
}

/// What a device knows of the time since a request was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The time in milliseconds since 1970 (UTC), if the device's clock is set.
    pub wall_ms: Option<u64>,
    /// Milliseconds since the request was first seen, by a clock that does not jump.
    pub since_first_seen_ms: u64,
    /// What was left of the message's expiry when the broker handed it over (MQTT 5, section 3.3.2.3.3), in milliseconds.
    pub broker_left_ms: Option<u64>,
}

/// How far a command is. The one who enters a state owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CommandState {
    /// The gateway has asked. The gateway's; not on the wire, the request itself says it.
    Requested,
    /// The device will do it.
    Accepted,
    /// The device is at it.
    Running,
    /// Done.
    Succeeded,
    /// Begun, and not done.
    Failed,
    /// The device will not do it: it does not know it, or may not.
    Rejected,
    /// It was too late when the device could have begun.
    Expired,
    /// It was too late, and the device has not said a word. The gateway's; not on the wire. What the device did may still
    /// become known.
    Unanswered,
}

/// What a state looks like in a status.
pub(crate) const COMMAND_STATE_EXPECTED: &str = "accepted, running, succeeded, failed, rejected or expired";

/// Who may move a command from which state to which. What is not here may not be.
pub const TRANSITIONS: [(CommandState, CommandState, Party); 12] = {
    use CommandState::{Accepted, Expired, Failed, Rejected, Requested, Running, Succeeded, Unanswered};
    use Party::{Device, Gateway};
    [
        (Requested, Accepted, Device),
        (Requested, Rejected, Device),
        (Requested, Expired, Device),
        (Requested, Unanswered, Gateway),
        // It waited for a call to end, for too long.
        (Accepted, Expired, Device),
        (Accepted, Running, Device),
        (Accepted, Failed, Device),
        (Running, Succeeded, Device),
        (Running, Failed, Device),
        // Late word of a device that was away: what it did is what counts.
        (Unanswered, Accepted, Device),
        (Unanswered, Rejected, Device),
        (Unanswered, Expired, Device),
    ]
};

/// What a status does to what the gateway knows of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusVerdict {
    /// The command has moved on.
    News,
    /// The same as is known: a message that came twice.
    Repeat,
    /// It is behind what is known, or contradicts it, and is ignored.
    Stale,
}

impl CommandState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Requested,
        Self::Accepted,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Rejected,
        Self::Expired,
        Self::Unanswered,
    ];

    /// Returns the name of the state.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Unanswered => "unanswered",
        }
    }

    /// Returns who enters it.
    pub const fn owner(self) -> Party {
        match self {
            Self::Requested | Self::Unanswered => Party::Gateway,
            Self::Accepted | Self::Running | Self::Succeeded | Self::Failed | Self::Rejected | Self::Expired => {
                Party::Device
            }
        }
    }

    /// Returns whether nothing follows it.
    pub fn is_final(self) -> bool {
        TRANSITIONS.iter().all(|(from, _, _)| *from != self)
    }

    /// Moves a command on.
    ///
    /// # Errors
    ///
    /// When the table of [`TRANSITIONS`] has no such step for `by`.
    pub fn step(self, to: Self, by: Party) -> Result<Self, TransitionError> {
        if TRANSITIONS.contains(&(self, to, by)) { Ok(to) } else { Err(TransitionError { from: self, to, by }) }
    }

    /// Returns what a status of the device does to this state, as the gateway knows it. A retained status hides those
    /// before it, so any state that can be reached from this one is news.
    pub fn judge(self, reported: Self) -> StatusVerdict {
        if self == reported {
            StatusVerdict::Repeat
        } else if reported.owner() == Party::Device && self.leads_to(reported) {
            StatusVerdict::News
        } else {
            StatusVerdict::Stale
        }
    }

    /// The table has no circles: each step leads nearer to an end.
    fn leads_to(self, goal: Self) -> bool {
        let mut steps = TRANSITIONS.iter().filter(|(from, _, _)| *from == self);
        steps.any(|(_, to, _)| *to == goal || to.leads_to(goal))
    }
}

/// A step that nobody may take, or that is the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a command cannot go from {from} to {to} by the {}", match .by { Party::Device => "device", Party::Gateway => "gateway" })]
pub struct TransitionError {
    /// The state it is in.
    pub from: CommandState,
    /// The state it would have gone to.
    pub to: CommandState,
    /// Who wanted it.
    pub by: Party,
}

impl FromStr for CommandState {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or(ParseNameError { expected: COMMAND_STATE_EXPECTED })
    }
}

impl fmt::Display for CommandState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

serde_as_text!(CommandState);

/// How far a command is, as its device says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct CommandStatus {
    /// The version of the envelope.
    pub v: V1,
    /// The command's name, the same as in the topic.
    pub id: CommandId,
    /// How far it is: one of the states that are the device's.
    pub state: CommandState,
    /// Why, or with what result, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Since when, in milliseconds since 1970 (UTC); nothing without a set clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

impl CommandStatus {
    /// Makes a status.
    pub fn new(id: CommandId, state: CommandState) -> Self {
        Self { v: V1, id, state, detail: None, at_ms: None, extra: Extra::default() }
    }
}

impl Read for CommandRequest {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        let args: Value = fields.or_default("args")?;
        if !args.is_object() && !args.is_null() {
            return Err(Fault::of(&args, "an object").under("args"));
        }
        Ok(Self {
            v: fields.version()?,
            id: fields.required("id")?,
            kind: fields.required("kind")?,
            args: Pii::new(if args.is_null() { Value::Object(Map::new()) } else { args }),
            issued_at_ms: fields.required("issued_at_ms")?,
            expires_at_ms: fields.required("expires_at_ms")?,
            ttl_ms: fields.required("ttl_ms")?,
            extra: fields.rest(),
        })
    }
}

impl Read for CommandStatus {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        let v = fields.version()?;
        let id = fields.required("id")?;
        let state = fields.required::<CommandState>("state")?;
        if state.owner() != Party::Device {
            return Err(Fault::of(Found::Text { len: state.as_str().len() }, CommandState::EXPECTED).under("state"));
        }
        Ok(Self {
            v,
            id,
            state,
            detail: fields.optional_text("detail", MAX_DETAIL_LEN)?,
            at_ms: fields.optional("at_ms")?,
            extra: fields.rest(),
        })
    }
}

impl Document for CommandRequest {
    fn address(&self) -> Address<'_> {
        Address { device: None, stream: None, command: Some(&self.id) }
    }
}

impl Document for CommandStatus {
    fn address(&self) -> Address<'_> {
        Address { device: None, stream: None, command: Some(&self.id) }
    }
}

from_value!(CommandRequest, CommandStatus);

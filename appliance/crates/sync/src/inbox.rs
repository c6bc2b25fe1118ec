//! What comes down: watermarks, wishes and commands, each acted on once.
//!
//! All of it is retained, so it comes again after every connect, and may come twice. A wish is applied when its version
//! is higher than the one in force. A command is begun once: before it is begun that is written to the disk, so that one
//! that stops the program is not begun again by the next run.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use protocol::{
    CommandId, CommandRequest, CommandState, CommandStatus, DecodeError, Desired, DeviceId, ParseTopicError, Party,
    Seen, Topic, Watermark, Word, decode,
};
use serde::{Deserialize, Serialize};

use crate::link::Mono;

/// Commands known at once. Each is a retained document that the gateway clears; more of them are a mistake, and refused.
pub const MAX_COMMANDS: usize = 64;

/// What the gateway said.
#[derive(Clone, Debug, PartialEq)]
pub enum Downlink {
    /// It has a stream up to here.
    Watermark(Watermark),
    /// How the device is to be.
    Desired(Box<Desired>),
    /// Something to do once.
    Command(Box<CommandRequest>),
    /// A command has come to its end, for the gateway too.
    CommandCleared(CommandId),
    /// A document was cleared that is only ever replaced. Nothing is to be done.
    Cleared,
}

/// A message that is not acted on.
#[derive(Debug, thiserror::Error)]
pub enum ReadDownlinkError {
    /// It came on a topic that is none of ours to listen to.
    #[error("a message on a topic this device does not listen to")]
    Topic(#[source] Option<ParseTopicError>),
    /// It holds something else than it should.
    #[error("a message that cannot be read")]
    Payload(#[source] DecodeError),
}

/// Reads a message from the broker.
pub fn read_downlink(device: &DeviceId, topic: &str, payload: &[u8]) -> Result<Downlink, ReadDownlinkError> {
    let topic: Topic = topic.parse().map_err(|error| ReadDownlinkError::Topic(Some(error)))?;
    if topic.device() != device {
        return Err(ReadDownlinkError::Topic(None));
    }
    match &topic {
        Topic::CommandRequest { command, .. } if payload.is_empty() => Ok(Downlink::CommandCleared(command.clone())),
        Topic::Ack { .. } | Topic::Desired { .. } if payload.is_empty() => Ok(Downlink::Cleared),
        Topic::Ack { .. } => decode(&topic, payload).map(Downlink::Watermark).map_err(ReadDownlinkError::Payload),
        Topic::Desired { .. } => decode(&topic, payload)
            .map(|desired| Downlink::Desired(Box::new(desired)))
            .map_err(ReadDownlinkError::Payload),
        Topic::CommandRequest { .. } => decode(&topic, payload)
            .map(|request| Downlink::Command(Box::new(request)))
            .map_err(ReadDownlinkError::Payload),
        Topic::Up { .. } | Topic::Presence { .. } | Topic::Reported { .. } | Topic::CommandStatus { .. } => {
            Err(ReadDownlinkError::Topic(None))
        }
    }
}

/// What is kept of a command over a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRow {
    /// The command.
    pub id: CommandId,
    /// What was to be done.
    pub kind: Word,
    /// How far it is.
    pub state: CommandState,
    /// Why, or with what result.
    #[serde(default)]
    pub detail: Option<String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum InboxInput {
    /// A wish came.
    Desired(Box<Desired>),
    /// A wish was applied, or could not be, and why.
    Applied {
        /// Its version.
        version: u64,
        /// Whether.
        result: Result<(), String>,
    },
    /// A command came.
    Command {
        /// The command.
        request: Box<CommandRequest>,
        /// The time in milliseconds since 1970, if the clock is set.
        wall_ms: Option<u64>,
        /// What was left of the message's expiry.
        broker_left: Option<Duration>,
        /// Why the device will not do it, if it will not.
        refused: Option<String>,
    },
    /// The gateway cleared a command.
    CommandCleared(CommandId),
    /// What was to be remembered is on the disk, or could not be.
    Remembered {
        /// The command.
        id: CommandId,
        /// Whether.
        done: bool,
    },
    /// A command was carried out, or failed, with what there is to say of it.
    Finished {
        /// The command.
        id: CommandId,
        /// How.
        result: Result<String, String>,
    },
    /// There is a connection (again).
    LinkUp,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum InboxOutput {
    /// Apply a wish; answered by [`InboxInput::Applied`].
    Apply(Box<Desired>),
    /// Publish the reported state: a wish is in force, or was refused.
    Report,
    /// Write this to the disk; answered by [`InboxInput::Remembered`].
    Remember(CommandRow),
    /// Forget this on the disk.
    Forget(CommandId),
    /// Carry out a command; answered by [`InboxInput::Finished`].
    Execute(Box<CommandRequest>),
    /// Publish a status, retained.
    Status(CommandStatus),
    /// Clear the status.
    ClearStatus(CommandId),
}

#[derive(Debug)]
struct Known {
    row: CommandRow,
    /// The request, until it is begun.
    waiting: Option<Box<CommandRequest>>,
}

/// The core; see the module's documentation.
#[derive(Debug)]
pub struct Inbox {
    applied: Option<u64>,
    rejected: Option<(u64, String)>,
    /// The version being applied.
    applying: Option<u64>,
    next_wish: Option<Box<Desired>>,
    commands: BTreeMap<CommandId, Known>,
    outputs: VecDeque<InboxOutput>,
}

impl Inbox {
    /// Makes an inbox that knows what the runs before left: the wish in force, and the commands begun.
    ///
    /// A restart that was begun has come to its end by now; anything else was interrupted.
    pub fn new(applied: Option<u64>, rows: Vec<CommandRow>) -> Self {
        let mut inbox = Self {
            applied,
            rejected: None,
            applying: None,
            next_wish: None,
            commands: BTreeMap::new(),
            outputs: VecDeque::new(),
        };
        for mut row in rows {
            if !row.state.is_final() {
                let restarted = row.kind == CommandRequest::RESTART;
                row.state = if restarted { CommandState::Succeeded } else { CommandState::Failed };
                row.detail = Some(if restarted { "started again" } else { "the program stopped meanwhile" }.to_owned());
                inbox.outputs.push_back(InboxOutput::Remember(row.clone()));
            }
            inbox.commands.insert(row.id.clone(), Known { row, waiting: None });
        }
        inbox
    }

    /// Takes in what happened. `_now` is when.
    pub fn handle_input(&mut self, _now: Mono, input: InboxInput) {
        match input {
            InboxInput::Desired(desired) => self.wish(desired),
            InboxInput::Applied { version, result } => self.applied(version, result),
            InboxInput::Command { request, wall_ms, broker_left, refused } => {
                let broker_left_ms = broker_left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
                self.command(request, &Seen { wall_ms, since_first_seen_ms: 0, broker_left_ms }, refused);
            }
            InboxInput::CommandCleared(id) => {
                if self.commands.get(&id).is_none_or(|known| known.row.state.is_final()) {
                    self.commands.remove(&id);
                    self.outputs.extend([InboxOutput::Forget(id.clone()), InboxOutput::ClearStatus(id)]);
                }
            }
            InboxInput::Remembered { id, done } => self.remembered(&id, done),
            InboxInput::Finished { id, result } => {
                let Some(known) = self.commands.get_mut(&id) else { return };
                let (state, detail) = match result {
                    Ok(detail) => (CommandState::Succeeded, detail),
                    Err(detail) => (CommandState::Failed, detail),
                };
                if let Ok(state) = known.row.state.step(state, Party::Device) {
                    known.row.state = state;
                    known.row.detail = Some(detail).filter(|detail| !detail.is_empty()).map(clipped);
                    let row = known.row.clone();
                    self.outputs.push_back(InboxOutput::Remember(row));
                }
            }
            InboxInput::LinkUp => {
                let rows = self.commands.values().filter(|known| known.waiting.is_none()).map(|known| &known.row);
                self.outputs.extend(rows.map(|row| InboxOutput::Status(status(row))));
            }
        }
    }

    /// Returns the next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<InboxOutput> {
        self.outputs.pop_front()
    }

    /// Returns the version of the wish in force.
    pub fn desired_applied(&self) -> Option<u64> {
        self.applied
    }

    /// Returns the version of the wish that could not be applied, and why.
    pub fn desired_rejected(&self) -> Option<(u64, &str)> {
        self.rejected.as_ref().map(|(version, reason)| (*version, reason.as_str()))
    }

    fn wish(&mut self, desired: Box<Desired>) {
        let refused = self.rejected.as_ref().map(|(version, _)| *version);
        if !desired.is_news(self.applied.max(refused).max(self.applying)) {
            return;
        }
        if self.applying.is_some() {
            // Only the last wish counts.
            self.next_wish = Some(desired);
            return;
        }
        self.applying = Some(desired.version);
        self.outputs.push_back(InboxOutput::Apply(desired));
    }

    fn applied(&mut self, version: u64, result: Result<(), String>) {
        if self.applying != Some(version) {
            return;
        }
        self.applying = None;
        match result {
            Ok(()) => {
                self.applied = Some(version);
                self.rejected = None;
            }
            Err(reason) => self.rejected = Some((version, clipped(reason))),
        }
        self.outputs.push_back(InboxOutput::Report);
        if let Some(next) = self.next_wish.take() {
            self.wish(next);
        }
    }

    fn command(&mut self, request: Box<CommandRequest>, seen: &Seen, refused: Option<String>) {
        if self.commands.contains_key(&request.id) {
            return;
        }
        let left = request.remaining_ms(seen);
        let (state, detail) = if self.commands.len() >= MAX_COMMANDS {
            // Not remembered: there would be no end to it.
            let row = CommandRow {
                id: request.id,
                kind: request.kind,
                state: CommandState::Rejected,
                detail: Some("too many commands at once".to_owned()),
            };
            self.outputs.push_back(InboxOutput::Status(status(&row)));
            return;
        } else if left == 0 {
            (CommandState::Expired, None)
        } else if !CommandRequest::KINDS.contains(&request.kind) {
            (CommandState::Rejected, Some("this release does not know it".to_owned()))
        } else if let Some(reason) = refused {
            (CommandState::Rejected, Some(clipped(reason)))
        } else {
            (CommandState::Accepted, None)
        };
        let row = CommandRow { id: request.id.clone(), kind: request.kind.clone(), state, detail };
        let waiting = (state == CommandState::Accepted).then_some(request);
        self.outputs.push_back(InboxOutput::Remember(CommandRow { state: begun(state), ..row.clone() }));
        self.commands.insert(row.id.clone(), Known { row, waiting });
    }

    fn remembered(&mut self, id: &CommandId, done: bool) {
        let Some(known) = self.commands.get_mut(id) else { return };
        if let Some(request) = known.waiting.take() {
            if done {
                known.row.state = begun(known.row.state);
                self.outputs.push_back(InboxOutput::Status(status(&known.row)));
                self.outputs.push_back(InboxOutput::Execute(request));
                return;
            }
            known.row.state = CommandState::Failed;
            known.row.detail = Some("the store could not be written".to_owned());
        }
        // What became of it is told even if it could not be written.
        self.outputs.push_back(InboxOutput::Status(status(&known.row)));
    }
}

/// Returns the state in which a command is that is about to be carried out.
fn begun(state: CommandState) -> CommandState {
    state.step(CommandState::Running, Party::Device).unwrap_or(state)
}

fn status(row: &CommandRow) -> CommandStatus {
    CommandStatus { detail: row.detail.clone(), ..CommandStatus::new(row.id.clone(), row.state) }
}

/// Cuts a text to what a status may hold.
fn clipped(mut text: String) -> String {
    let end = text.floor_char_boundary(protocol::limits::MAX_DETAIL_LEN);
    text.truncate(end);
    text
}

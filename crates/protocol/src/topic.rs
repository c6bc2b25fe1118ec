//! Topics: where a message goes, who may send it, who may listen.
//!
//! | topic | kept by the broker | sent by |
//! |---|---|---|
//! | `kolbox/v1/{device}/up/{stream}` | no | device |
//! | `kolbox/v1/{device}/ack/{stream}` | yes | gateway |
//! | `kolbox/v1/{device}/presence` | yes | device, or the broker as its last will |
//! | `kolbox/v1/{device}/state/reported` | yes | device |
//! | `kolbox/v1/{device}/state/desired` | yes | gateway |
//! | `kolbox/v1/{device}/cmd/{command}/request` | yes | gateway |
//! | `kolbox/v1/{device}/cmd/{command}/status` | yes | device |
//!
//! All of them are published with quality of service 1. The `v1` is that of the topics; each envelope carries its own version.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::MAX_TOPIC_LEN;
use crate::name::{CommandId, DeviceId, ParseNameError, serde_as_text};

/// What every topic starts with.
const PREFIX: &str = "kolbox/v1";

/// Name of the shared subscription under which gateway workers take in what devices send.
pub const INGEST_GROUP: &str = "ingest";

/// A row of events of one device, numbered on its own. The list is closed: each has a policy on both sides.
///
/// In the order of priority, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Stream {
    /// Calls and their turns. Never dropped.
    Calls,
    /// Messages that callers left. Never dropped.
    Messages,
    /// What callers wanted, as forms. Never dropped.
    Leads,
    /// Who did what, and what was lost. Never dropped.
    Audit,
    /// Measurements. The oldest are dropped when room runs out.
    Metrics,
    /// Log lines. The oldest are dropped when room runs out.
    Logs,
}

impl Stream {
    /// Every stream, the most urgent first.
    pub const ALL: [Self; 6] = [Self::Calls, Self::Messages, Self::Leads, Self::Audit, Self::Metrics, Self::Logs];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Messages => "messages",
            Self::Leads => "leads",
            Self::Audit => "audit",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// Returns whether a device may drop the oldest events of it when room runs out.
    pub const fn may_drop(self) -> bool {
        match self {
            Self::Calls | Self::Messages | Self::Leads | Self::Audit => false,
            Self::Metrics | Self::Logs => true,
        }
    }
}

/// What a stream's name looks like.
pub(crate) const STREAM_EXPECTED: &str = "calls, messages, leads, audit, metrics or logs";

impl FromStr for Stream {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|stream| stream.as_str() == text);
        known.ok_or(ParseNameError { expected: STREAM_EXPECTED })
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

serde_as_text!(Stream);

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// The box in the office.
    Device,
    /// The programs in the cloud.
    Gateway,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Batches of events ([`EventBatch`](crate::EventBatch)).
    Up {
        /// Whose.
        device: DeviceId,
        /// Which row.
        stream: Stream,
    },
    /// How far the gateway has stored them ([`Watermark`](crate::Watermark)).
    Ack {
        /// Whose.
        device: DeviceId,
        /// Which row.
        stream: Stream,
    },
    /// Whether the device is there ([`Presence`](crate::Presence)).
    Presence {
        /// Which.
        device: DeviceId,
    },
    /// How the device is ([`Reported`](crate::Reported)).
    Reported {
        /// Which.
        device: DeviceId,
    },
    /// How it should be ([`Desired`](crate::Desired)).
    Desired {
        /// Which.
        device: DeviceId,
    },
    /// A thing to do once ([`CommandRequest`](crate::CommandRequest)).
    CommandRequest {
        /// By whom.
        device: DeviceId,
        /// Which.
        command: CommandId,
    },
    /// How far it is done ([`CommandStatus`](crate::CommandStatus)).
    CommandStatus {
        /// By whom.
        device: DeviceId,
        /// Which.
        command: CommandId,
    },
}

impl Topic {
    /// Returns the device whose subtree it is in.
    pub const fn device(&self) -> &DeviceId {
        match self {
            Self::Up { device, .. }
            | Self::Ack { device, .. }
            | Self::Presence { device }
            | Self::Reported { device }
            | Self::Desired { device }
            | Self::CommandRequest { device, .. }
            | Self::CommandStatus { device, .. } => device,
        }
    }

    /// Returns the stream, where there is one.
    pub const fn stream(&self) -> Option<Stream> {
        match self {
            Self::Up { stream, .. } | Self::Ack { stream, .. } => Some(*stream),
            Self::Presence { .. }
            | Self::Reported { .. }
            | Self::Desired { .. }
            | Self::CommandRequest { .. }
            | Self::CommandStatus { .. } => None,
        }
    }

    /// Returns the command, where there is one.
    pub const fn command(&self) -> Option<&CommandId> {
        match self {
            Self::CommandRequest { command, .. } | Self::CommandStatus { command, .. } => Some(command),
            Self::Up { .. }
            | Self::Ack { .. }
            | Self::Presence { .. }
            | Self::Reported { .. }
            | Self::Desired { .. } => None,
        }
    }

    /// Returns who publishes on it. The other side listens.
    pub const fn publisher(&self) -> Party {
        match self {
            Self::Up { .. } | Self::Presence { .. } | Self::Reported { .. } | Self::CommandStatus { .. } => {
                Party::Device
            }
            Self::Ack { .. } | Self::Desired { .. } | Self::CommandRequest { .. } => Party::Gateway,
        }
    }

    /// Returns whether the broker keeps the last message for those who subscribe later.
    pub const fn is_retained(&self) -> bool {
        !matches!(self, Self::Up { .. })
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}/{}/", self.device())?;
        match self {
            Self::Up { stream, .. } => write!(f, "up/{stream}"),
            Self::Ack { stream, .. } => write!(f, "ack/{stream}"),
            Self::Presence { .. } => f.write_str("presence"),
            Self::Reported { .. } => f.write_str("state/reported"),
            Self::Desired { .. } => f.write_str("state/desired"),
            Self::CommandRequest { command, .. } => write!(f, "cmd/{command}/request"),
            Self::CommandStatus { command, .. } => write!(f, "cmd/{command}/status"),
        }
    }
}

/// A text that is not a topic of ours. The text itself is not repeated: a stranger may have written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseTopicError {
    /// It is longer than any topic of ours.
    #[error("a topic of {len} bytes, expected at most {MAX_TOPIC_LEN}")]
    TooLong {
        /// How long it is, in bytes.
        len: usize,
    },
    /// It is outside the tree, or of another version of it.
    #[error("a topic that does not start with {PREFIX}/")]
    Prefix,
    /// What should be a device's name is none.
    #[error("no device name in the topic")]
    Device(#[source] ParseNameError),
    /// What should be a stream is none.
    #[error("no stream in the topic")]
    Stream(#[source] ParseNameError),
    /// What should be a command's name is none.
    #[error("no command name in the topic")]
    Command(#[source] ParseNameError),
    /// The device has no such topic.
    #[error("no topic of a device")]
    Unknown,
}

impl FromStr for Topic {
    type Err = ParseTopicError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_TOPIC_LEN {
            return Err(ParseTopicError::TooLong { len: text.len() });
        }
        let below = text.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('/')).ok_or(ParseTopicError::Prefix)?;
        let (device, rest) = below.split_once('/').ok_or(ParseTopicError::Unknown)?;
        let device: DeviceId = device.parse().map_err(ParseTopicError::Device)?;
        let levels: Vec<&str> = rest.split('/').collect();
        Ok(match levels.as_slice() {
            ["up", stream] => Self::Up { device, stream: stream.parse().map_err(ParseTopicError::Stream)? },
            ["ack", stream] => Self::Ack { device, stream: stream.parse().map_err(ParseTopicError::Stream)? },
            ["presence"] => Self::Presence { device },
            ["state", "reported"] => Self::Reported { device },
            ["state", "desired"] => Self::Desired { device },
            ["cmd", command, "request"] => {
                Self::CommandRequest { device, command: command.parse().map_err(ParseTopicError::Command)? }
            }
            ["cmd", command, "status"] => {
                Self::CommandStatus { device, command: command.parse().map_err(ParseTopicError::Command)? }
            }
            _ => return Err(ParseTopicError::Unknown),
        })
    }
}

/// What a device may publish, below its own subtree, as filters.
pub const DEVICE_PUBLISHES: [&str; 4] = ["up/+", "presence", "state/reported", "cmd/+/status"];

/// What a device may subscribe to, below its own subtree, as filters.
pub const DEVICE_SUBSCRIBES: [&str; 3] = ["ack/+", "state/desired", "cmd/+/request"];

/// Returns the filters that a device subscribes to after every connect.
pub fn device_filters(device: &DeviceId) -> [String; 3] {
    DEVICE_SUBSCRIBES.map(|below| format!("{PREFIX}/{device}/{below}"))
}

/// Returns the filters under which the gateway's workers share what devices send. The broker gives each message to one
/// worker, and gives no retained messages: see [`snapshot_filters`].
pub fn ingest_filters() -> [String; 4] {
    DEVICE_PUBLISHES.map(|below| format!("$share/{INGEST_GROUP}/{PREFIX}/+/{below}"))
}

/// Returns the filters under which a worker asks, after a connect, for what the broker kept of devices.
pub fn snapshot_filters() -> [String; 3] {
    ["presence", "state/reported", "cmd/+/status"].map(|below| format!("{PREFIX}/+/{below}"))
}

/// Returns whether a device may publish on `topic`: on its own, and only on those it owns.
pub fn device_may_publish(device: &DeviceId, topic: &str) -> bool {
    topic.parse().is_ok_and(|topic: Topic| topic.device() == device && topic.publisher() == Party::Device)
}

/// Returns whether a device may subscribe to `filter`: one of its [`device_filters`], or one topic below them. Nothing
/// else is allowed, however it is written; shared subscriptions neither.
pub fn device_may_subscribe(device: &DeviceId, filter: &str) -> bool {
    device_filters(device).iter().any(|own| own == filter)
        || filter.parse().is_ok_and(|topic: Topic| topic.device() == device && topic.publisher() == Party::Gateway)
}

/// Returns the rules of a Mosquitto ACL file that give each device its own subtree, the common name of its certificate
/// being its user name (`use_identity_as_username true`), and the gateway's user all of them.
///
/// See [mosquitto.conf(5)](https://mosquitto.org/man/mosquitto-conf-5.html), `acl_file`.
pub fn mosquitto_acl(gateway_user: &DeviceId) -> String {
    let writes = DEVICE_PUBLISHES.iter().map(|below| format!("pattern write {PREFIX}/%u/{below}\n"));
    let reads = DEVICE_SUBSCRIBES.iter().map(|below| format!("pattern read {PREFIX}/%u/{below}\n"));
    let gateway = format!("user {gateway_user}\ntopic readwrite {PREFIX}/#\n\n");
    std::iter::once(gateway).chain(writes).chain(reads).collect()
}

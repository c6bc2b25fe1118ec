//! From a message to what it means.

use protocol::limits::{MAX_QUARANTINED_LEN, MAX_RECEIVED_LEN};
use protocol::{CommandStatus, DecodeError, DeviceId, Presence, ReceivedBatch, Reported, Topic, decode, decode_batch};

use super::plan::{Batch, Event, Gap, Poison, StreamKey};

/// A message as a broker delivered it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// What it holds; cut to [`MAX_QUARANTINED_LEN`] when it was longer than [`MAX_RECEIVED_LEN`].
    pub payload: bytes::Bytes,
    /// How long it was, in bytes.
    pub len: usize,
}

/// What a message means.
#[derive(Debug)]
pub enum Incoming {
    /// Events.
    Events(Batch),
    /// A device came or went.
    Presence(Presence),
    /// How a device is.
    Reported(DeviceId, Box<Reported>),
    /// How far a command is.
    Status(DeviceId, CommandStatus),
    /// A retained document was taken away. Nothing is known from that.
    Cleared,
    /// It cannot be used.
    Refused(Refused),
}

/// Why a message cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whose topic it came on, where that is one.
    pub device: Option<DeviceId>,
    /// The cause as a short name of a closed list, for counters.
    pub cause: &'static str,
    /// The cause in words, without any value of the message.
    pub reason: String,
}

impl Message {
    /// Wraps a message. What is longer than anything of ours is cut at once, so that it takes no room while it waits.
    pub fn new(topic: String, payload: bytes::Bytes) -> Self {
        let len = payload.len();
        // A copy, because a slice would keep the whole in memory.
        let payload = if len > MAX_RECEIVED_LEN {
            bytes::Bytes::copy_from_slice(payload.get(..MAX_QUARANTINED_LEN).unwrap_or_default())
        } else {
            payload
        };
        Self { topic, payload, len }
    }

    /// Reads it.
    pub fn read(&self) -> Incoming {
        let topic: Topic = match self.topic.parse() {
            Ok(topic) => topic,
            Err(error) => {
                return Incoming::Refused(Refused { device: None, cause: "unknown_topic", reason: chain(&error) });
            }
        };
        if self.len > MAX_RECEIVED_LEN {
            return refused(&topic, &DecodeError::TooLong { len: self.len });
        }
        let read = match &topic {
            Topic::Up { .. } => decode_batch(&topic, &self.payload).map(|received| Incoming::Events(batch(received))),
            Topic::Presence { .. } => decode(&topic, &self.payload).map(Incoming::Presence),
            Topic::Reported { device } => {
                decode(&topic, &self.payload).map(|it| Incoming::Reported(device.clone(), Box::new(it)))
            }
            Topic::CommandStatus { device, .. } => {
                decode(&topic, &self.payload).map(|it| Incoming::Status(device.clone(), it))
            }
            // What gateways write comes back to nobody who did not ask for it.
            Topic::Ack { .. } | Topic::Desired { .. } | Topic::CommandRequest { .. } => Ok(Incoming::Cleared),
        };
        match read {
            Ok(incoming) => incoming,
            Err(DecodeError::Empty) if topic.is_retained() => Incoming::Cleared,
            Err(error) => refused(&topic, &error),
        }
    }
}

fn refused(topic: &Topic, error: &DecodeError) -> Incoming {
    Incoming::Refused(Refused { device: Some(topic.device().clone()), cause: error.cause(), reason: chain(error) })
}

fn batch(received: ReceivedBatch) -> Batch {
    let ReceivedBatch { batch, bad, .. } = received;
    let event = |event: protocol::Event| Event {
        seq: event.seq,
        id: event.id,
        kind: event.kind.as_str().into(),
        mono_ms: event.mono_ms,
        wall_ms: event.wall_ms,
        time_synced: event.time_synced,
        data: event.data.reveal().to_string().into(),
    };
    Batch {
        key: StreamKey { device: batch.device, stream: batch.stream, epoch: batch.epoch },
        boot: batch.boot,
        skipped: batch
            .skipped
            .into_iter()
            .map(|gap| Gap { from: gap.from, to: gap.to, reason: gap.reason.as_str().into() })
            .collect(),
        events: batch.events.into_iter().map(event).collect(),
        poison: bad
            .into_iter()
            .map(|bad| Poison { seq: bad.seq, reason: chain(&bad.fault), bytes: bad.raw.reveal().as_bytes().to_vec() })
            .collect(),
    }
}

/// Returns an error with its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

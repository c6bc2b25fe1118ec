//! Payloads that a gateway must refuse, and go on.

use protocol::limits::MAX_RECEIVED_LEN;
use protocol::{DeviceId, EventBatch, Stream, Topic, encode};
use serde_json::json;

/// What is wrong with a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKind {
    /// It is cut off in the middle.
    Malformed,
    /// It starts like zstd and is none.
    Garbled,
    /// It is longer than anything that is looked at, and as long as a broker with our settings just carries.
    Oversized,
    /// It says that it comes from another device than the topic.
    WrongDevice,
    /// It is of a version after any that there is.
    FutureVersion,
    /// It is of no version.
    NoVersion,
    /// A field is missing.
    MissingField,
}

/// How far beyond the limit [`BadKind::Oversized`] goes, in bytes. Mosquitto with our settings carries 4 KiB more.
const BEYOND: usize = 1;

impl BadKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::Garbled,
        Self::Oversized,
        Self::WrongDevice,
        Self::FutureVersion,
        Self::NoVersion,
        Self::MissingField,
    ];

    /// Returns the cause under which the gateway counts it.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Garbled => "compressed",
            Self::Oversized => "too_long",
            Self::WrongDevice => "wrong_device",
            Self::FutureVersion => "future_version",
            Self::NoVersion => "unknown_version",
            Self::MissingField => "wrong_field",
        }
    }

    /// Makes the payload out of a good batch, and says where it is published. Nothing when the batch cannot be written.
    pub fn payload(self, batch: &EventBatch) -> Option<(String, Vec<u8>)> {
        let topic = Topic::Up { device: batch.device.clone(), stream: batch.stream }.to_string();
        let mut good = serde_json::to_value(batch).ok()?;
        let fields = good.as_object_mut()?;
        let payload = match self {
            Self::Malformed => {
                let mut text = good.to_string().into_bytes();
                text.truncate(text.len() / 2);
                text
            }
            Self::Garbled => {
                let mut payload = encode(batch).ok()?;
                // The first bytes of a frame (RFC 8878, section 3.1.1), and no frame.
                payload.splice(..0, [0x28, 0xB5, 0x2F, 0xFD, 0xFF]);
                payload
            }
            Self::Oversized => {
                let mut text = good.to_string().into_bytes();
                text.resize(MAX_RECEIVED_LEN + BEYOND, b' ');
                text
            }
            Self::WrongDevice => {
                let other: DeviceId = "somebody-else".parse().ok()?;
                encode(&EventBatch { device: other, ..batch.clone() }).ok()?
            }
            Self::FutureVersion => {
                fields.insert("v".to_owned(), json!(protocol::VERSION + 1));
                good.to_string().into_bytes()
            }
            Self::NoVersion => {
                fields.remove("v");
                good.to_string().into_bytes()
            }
            Self::MissingField => {
                fields.remove("boot");
                good.to_string().into_bytes()
            }
        };
        Some((topic, payload))
    }
}

/// Makes a batch to spoil: one event with a number that the outbox never gives.
pub fn batch_to_spoil(device: &DeviceId, stream: Stream, event: protocol::Event, boot: u64) -> EventBatch {
    EventBatch {
        v: protocol::V1,
        device: device.clone(),
        stream,
        epoch: boot,
        boot,
        sent_at_ms: None,
        sent_mono_ms: None,
        skipped: Vec::new(),
        events: vec![event],
        extra: protocol::Extra::default(),
    }
}

#[cfg(test)]
mod tests {
    use protocol::{DecodeError, decode_batch};

    use super::*;
    use crate::shelf::{Fact, Source};

    #[test]
    fn each_kind_is_refused_for_its_own_cause() {
        let device: DeviceId = "box-1".parse().unwrap();
        let source = Source { stream: Stream::Calls, boot: 7, clock: crate::behaviour::Clock::Right, wall_ms: 0 };
        let event = source.event(1, Fact { at_ms: 1, salt: 2 }).unwrap();
        let batch = batch_to_spoil(&device, Stream::Calls, event, 7);
        for kind in BadKind::ALL {
            let (topic, payload) = kind.payload(&batch).unwrap();
            let error: DecodeError = decode_batch(&topic.parse().unwrap(), &payload).unwrap_err();
            assert_eq!(error.cause(), kind.cause(), "{kind:?}");
            assert!(payload.len() <= MAX_RECEIVED_LEN + BEYOND);
        }
    }
}

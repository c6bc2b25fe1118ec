//! Watermarks: how far the gateway has stored a stream.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::Fault;
use crate::fields::{Extra, Fields, Read, V1, from_value};
use crate::name::DeviceId;
use crate::topic::Stream;
use crate::wire::{Address, Document};

/// Everything up to `through` is committed in the gateway's database, or passed over and recorded as lost there. Only
/// this removes events from a device's outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Watermark {
    /// The version of the envelope.
    pub v: V1,
    /// Whose stream.
    pub device: DeviceId,
    /// Which stream.
    pub stream: Stream,
    /// Which outbox, see [`EventBatch::epoch`](crate::EventBatch::epoch).
    pub epoch: u64,
    /// The last number of the row without gaps that is stored; 0 before the first.
    pub through: u64,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Watermark {
    /// Makes a watermark.
    pub fn new(device: DeviceId, stream: Stream, epoch: u64, through: u64) -> Self {
        Self { v: V1, device, stream, epoch, through, extra: Extra::default() }
    }

    /// Returns whether this one is further than `other` of the same stream. Watermarks may arrive twice and in any order.
    pub fn is_beyond(&self, other: &Self) -> bool {
        (self.epoch, self.through) > (other.epoch, other.through)
    }
}

impl Read for Watermark {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            v: fields.version()?,
            device: fields.required("device")?,
            stream: fields.required("stream")?,
            epoch: fields.required("epoch")?,
            through: fields.required("through")?,
            extra: fields.rest(),
        })
    }
}

impl Document for Watermark {
    fn address(&self) -> Address<'_> {
        Address { device: Some(&self.device), stream: Some(self.stream), command: None }
    }
}

from_value!(Watermark);

/// Returns the epoch of a new outbox: the wall clock in milliseconds, or one more than the last where that is known and
/// the clock is behind it. Never 0. Boots are numbered the same way.
pub const fn next_epoch(last: Option<u64>, wall_ms: u64) -> u64 {
    let least = match last {
        Some(last) => last.saturating_add(1),
        None => 1,
    };
    let next = if wall_ms > least { wall_ms } else { least };
    if next > crate::limits::MAX_NUMBER { crate::limits::MAX_NUMBER } else { next }
}

//! Presence: whether a device is there.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::Fault;
use crate::fields::{Extra, Fields, Read, V1, from_value};
use crate::limits::MAX_SHORT_LEN;
use crate::name::DeviceId;
use crate::wire::{Address, Document};

/// What a device says when it has connected (its birth), and what the broker says for it when it is gone (its last will,
/// given to the broker at the connect that the birth follows).
///
/// Both are retained on one topic, so that a listener who comes late sees the last of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Presence {
    /// The version of the envelope.
    pub v: V1,
    /// Which device.
    pub device: DeviceId,
    /// `true` in a birth, `false` in a will and in a goodbye.
    pub online: bool,
    /// The run of the program: a number that rises with each start. Made by [`next_epoch`](crate::next_epoch) of the
    /// last one, so that it rises over a lost store too where the clock is right.
    pub boot: u64,
    /// How often this run has connected, from 1.
    pub connected_seq: u64,
    /// When the connect began, in milliseconds since 1970 (UTC) as the device believed; nothing without a set clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// The program's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software: Option<String>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Presence {
    /// Makes the birth of a connection.
    pub fn birth(device: DeviceId, boot: u64, connected_seq: u64) -> Self {
        Self { v: V1, device, online: true, boot, connected_seq, at_ms: None, software: None, extra: Extra::default() }
    }

    /// Returns the will that belongs to a birth. It is also what a device says that goes on purpose.
    #[must_use]
    pub fn will(&self) -> Self {
        Self { online: false, ..self.clone() }
    }

    /// Returns whether this one is to be ignored because of what is known.
    ///
    /// A will is stale when it belongs to an older connection than the one known: the broker may notice late that a
    /// connection is dead, long after the device came back on another. A birth is stale only within one run (also when
    /// its own will overtook it, as it may between workers); a birth of an older-looking run is believed, for the device
    /// is alive, and has lost its count.
    pub fn is_stale(&self, known: Option<&Self>) -> bool {
        let Some(known) = known else { return false };
        let (this, last) = ((self.boot, self.connected_seq), (known.boot, known.connected_seq));
        if self.online && self.boot != known.boot {
            return false;
        }
        this < last || (this == last && self.online && !known.online)
    }
}

impl Read for Presence {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            v: fields.version()?,
            device: fields.required("device")?,
            online: fields.required("online")?,
            boot: fields.required("boot")?,
            connected_seq: fields.required("connected_seq")?,
            at_ms: fields.optional("at_ms")?,
            software: fields.optional_text("software", MAX_SHORT_LEN)?,
            extra: fields.rest(),
        })
    }
}

impl Document for Presence {
    fn address(&self) -> Address<'_> {
        Address { device: Some(&self.device), stream: None, command: None }
    }
}

from_value!(Presence);

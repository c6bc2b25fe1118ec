//! Reported state: how a device is, as it knows itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::Fault;
use crate::fields::{Extra, Fields, Read, V1, from_value};
use crate::limits::{MAX_DETAIL_LEN, MAX_SHORT_LEN};
use crate::topic::Stream;
use crate::wire::{Address, Document};

/// How a device is. Retained, whole. Everything the device could not find out is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Reported {
    /// The version of the envelope.
    pub v: V1,
    /// Rises with each report of one run. A report is newer when its `(boot, version)` is greater.
    pub version: u64,
    /// The run of the program, see [`Presence::boot`](crate::Presence::boot).
    pub boot: u64,
    /// When this was written, in milliseconds since 1970 (UTC); nothing without a set clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// Whether the clock has been set since the device got power.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_synced: Option<bool>,
    /// The version of the wish that is in force; nothing when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_version_applied: Option<u64>,
    /// The version of the wish that could not be applied, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_rejected: Option<DesiredRejected>,
    /// The program's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software: Option<String>,
    /// The board, as in `Raspberry Pi 5 Model B Rev 1.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// The operating system, as in `Debian GNU/Linux 13 (trixie)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// How long the device has been up, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_ms: Option<u64>,
    /// The disk with the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
    /// The memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The processor's temperature in degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f64>,
    /// Whether the processor is held back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling: Option<Throttling>,
    /// How much of the card's life is used up, in per cent; from 100 on it is beyond what the maker promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sd_wear_percent: Option<u32>,
    /// The calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<CallCounts>,
    /// What waits to be sent, by stream.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outbox: BTreeMap<String, OutboxReport>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Reported {
    /// Makes a report that says nothing yet.
    pub fn new(boot: u64, version: u64) -> Self {
        Self {
            v: V1,
            version,
            boot,
            at_ms: None,
            time_synced: None,
            desired_version_applied: None,
            desired_rejected: None,
            software: None,
            board: None,
            system: None,
            uptime_ms: None,
            disk: None,
            memory: None,
            temperature_c: None,
            throttling: None,
            sd_wear_percent: None,
            calls: None,
            outbox: BTreeMap::new(),
            extra: Extra::default(),
        }
    }

    /// Notes what waits in a stream.
    pub fn set_outbox(&mut self, stream: Stream, report: OutboxReport) {
        self.outbox.insert(stream.to_string(), report);
    }
}

/// Why a wish was not applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct DesiredRejected {
    /// The version of the wish.
    pub version: u64,
    /// Why, for people.
    pub reason: String,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Disk {
    /// How large it is, in bytes.
    pub total_bytes: u64,
    /// What is free for the program, in bytes.
    pub free_bytes: u64,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Memory {
    /// How much there is, in bytes.
    pub total_bytes: u64,
    /// What programs could still get, in bytes.
    pub available_bytes: u64,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Whether the processor is held back, as a Raspberry Pi's firmware tells it (`vcgencmd get_throttled`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Throttling {
    /// It is held back now.
    pub now: bool,
    /// It was, since the device got power.
    pub since_power_on: bool,
    /// The power supply was too weak, since the device got power.
    pub under_voltage: bool,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Calls, since the run of the program began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct CallCounts {
    /// Going on now.
    pub active: u64,
    /// Answered.
    pub answered: u64,
    /// Ended because something of ours failed.
    pub failed: u64,
    /// Messages left.
    pub voicemails: u64,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What waits in one stream of the outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct OutboxReport {
    /// Events not yet stored by the gateway.
    pub events: u64,
    /// Their length in bytes.
    pub bytes: u64,
    /// Events dropped since the outbox was created.
    pub lost: u64,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Read for Reported {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            v: fields.version()?,
            version: fields.required("version")?,
            boot: fields.required("boot")?,
            at_ms: fields.optional("at_ms")?,
            time_synced: fields.optional("time_synced")?,
            desired_version_applied: fields.optional("desired_version_applied")?,
            desired_rejected: fields.optional("desired_rejected")?,
            software: fields.optional_text("software", MAX_SHORT_LEN)?,
            board: fields.optional_text("board", MAX_SHORT_LEN)?,
            system: fields.optional_text("system", MAX_SHORT_LEN)?,
            uptime_ms: fields.optional("uptime_ms")?,
            disk: fields.optional("disk")?,
            memory: fields.optional("memory")?,
            temperature_c: fields.optional("temperature_c")?,
            throttling: fields.optional("throttling")?,
            sd_wear_percent: fields.optional("sd_wear_percent")?,
            calls: fields.optional("calls")?,
            outbox: fields.or_default("outbox")?,
            extra: fields.rest(),
        })
    }
}

impl Read for DesiredRejected {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            version: fields.required("version")?,
            reason: fields.text("reason", MAX_DETAIL_LEN)?,
            extra: fields.rest(),
        })
    }
}

impl Read for Disk {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            total_bytes: fields.required("total_bytes")?,
            free_bytes: fields.required("free_bytes")?,
            extra: fields.rest(),
        })
    }
}

impl Read for Memory {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            total_bytes: fields.required("total_bytes")?,
            available_bytes: fields.required("available_bytes")?,
            extra: fields.rest(),
        })
    }
}

impl Read for Throttling {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            now: fields.or_default("now")?,
            since_power_on: fields.or_default("since_power_on")?,
            under_voltage: fields.or_default("under_voltage")?,
            extra: fields.rest(),
        })
    }
}

impl Read for CallCounts {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            active: fields.or_default("active")?,
            answered: fields.or_default("answered")?,
            failed: fields.or_default("failed")?,
            voicemails: fields.or_default("voicemails")?,
            extra: fields.rest(),
        })
    }
}

impl Read for OutboxReport {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            events: fields.or_default("events")?,
            bytes: fields.or_default("bytes")?,
            lost: fields.or_default("lost")?,
            extra: fields.rest(),
        })
    }
}

impl Document for Reported {
    fn address(&self) -> Address<'_> {
        Address::default()
    }
}

from_value!(Reported, DesiredRejected, Disk, Memory, Throttling, CallCounts, OutboxReport);

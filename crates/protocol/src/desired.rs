//! Desired state: how a device should be, as the office or the fleet's owner wants it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::{Fault, Found};
use crate::fields::{Extra, Fields, Read, V1, from_value};
use crate::name::{ParseNameError, serde_as_text};
use crate::wire::{Address, Document};

/// How much is logged. In the order of how much that is, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LogLevel {
    /// Something was lost.
    Error,
    /// Unusual, still working.
    Warn,
    /// What happened.
    Info,
    /// What was decided and why.
    Debug,
    /// Everything.
    Trace,
}

/// What a log level looks like.
pub(crate) const LOG_LEVEL_EXPECTED: &str = "error, warn, info, debug or trace";

impl LogLevel {
    /// Every level, the one that logs least first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl FromStr for LogLevel {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|level| level.as_str() == text);
        known.ok_or(ParseNameError { expected: LOG_LEVEL_EXPECTED })
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

serde_as_text!(LogLevel);

/// What can be set from afar. A setting that is missing is as the device's own file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct DeviceConfig {
    /// From which level on log lines are sent in the stream of logs; `warn` where nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogLevel>,
    /// Settings of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Read for DeviceConfig {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self { log_level: fields.optional("log_level")?, extra: fields.rest() })
    }
}

/// The wish for one device. Retained, whole: a device needs none of the versions before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Desired {
    /// The version of the envelope.
    pub v: V1,
    /// The version of the wish, from 1; each change adds 1. 0 means that nobody has wished anything yet.
    pub version: u64,
    /// What is wished.
    pub config: DeviceConfig,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Desired {
    /// Makes the first wish for a device.
    pub fn first(config: DeviceConfig) -> Self {
        Self { v: V1, version: 1, config, extra: Extra::default() }
    }

    /// Returns the wish that follows `current`, if who wants it has seen `current`.
    ///
    /// # Errors
    ///
    /// When `expected_version` is another than that of `current` (0 where there is none): somebody else was faster, and
    /// overwriting would undo what they wanted.
    pub fn follow(
        current: Option<&Self>,
        expected_version: u64,
        config: DeviceConfig,
    ) -> Result<Self, VersionConflict> {
        let current_version = current.map_or(0, |current| current.version);
        if expected_version != current_version {
            return Err(VersionConflict { expected: expected_version, current: current_version });
        }
        let extra = current.map(|current| current.extra.clone()).unwrap_or_default();
        Ok(Self { v: V1, version: current_version + 1, config, extra })
    }

    /// Returns whether a device that has applied the version `applied` has something to do.
    pub fn is_news(&self, applied: Option<u64>) -> bool {
        self.version > applied.unwrap_or(0)
    }
}

/// A change of a wish that somebody else has changed meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a change of version {expected}, expected one of version {current}")]
pub struct VersionConflict {
    /// The version that was changed.
    pub expected: u64,
    /// The version that there is.
    pub current: u64,
}

impl Read for Desired {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        let v = fields.version()?;
        let version = fields.required("version")?;
        if version == 0 {
            return Err(Fault::of(Found::Number, "a whole number from 1").under("version"));
        }
        Ok(Self { v, version, config: fields.required("config")?, extra: fields.rest() })
    }
}

impl Document for Desired {
    fn address(&self) -> Address<'_> {
        Address::default()
    }
}

from_value!(Desired, DeviceConfig);

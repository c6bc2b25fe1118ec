//! Time on a call.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Time since the call's media stream started.
///
/// Unlike an `Instant` it can be written to a file and read back on another machine. Whole microseconds are
/// kept on the wire. A call ends long before the range does (584,000 years).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallTime(Duration);

impl CallTime {
    /// The moment the media stream started.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// Makes a time from the duration since the start of the stream; anything finer than a microsecond is cut,
    /// so that a time that went through the call log equals the one that did not.
    pub const fn from_duration(since_start: Duration) -> Self {
        Self::from_micros(as_micros_u64(since_start))
    }

    /// Makes a time from whole microseconds since the start of the stream.
    pub const fn from_micros(micros: u64) -> Self {
        Self(Duration::from_micros(micros))
    }

    /// Makes a time from whole milliseconds since the start of the stream.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// Returns whole microseconds since the start of the stream.
    pub const fn as_micros(self) -> u64 {
        as_micros_u64(self.0)
    }

    /// Returns whole milliseconds since the start of the stream.
    pub const fn as_millis(self) -> u64 {
        self.as_micros() / 1_000
    }

    /// Returns the duration since the start of the stream.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Returns this time moved later by `by`, or the latest time there is.
    #[must_use]
    pub const fn saturating_add(self, by: Duration) -> Self {
        Self::from_duration(self.0.saturating_add(by))
    }

    /// Returns how long ago `earlier` was, or zero if it is not earlier.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for CallTime {
    /// Writes seconds with milliseconds: `12.345`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.as_millis();
        write!(f, "{}.{:03}", millis / 1_000, millis % 1_000)
    }
}

impl Serialize for CallTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.as_micros())
    }
}

impl<'de> Deserialize<'de> for CallTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self::from_micros)
    }
}

/// Cuts a duration to whole microseconds, saturating.
#[expect(clippy::cast_possible_truncation, reason = "guarded by the comparison")]
const fn as_micros_u64(duration: Duration) -> u64 {
    let micros = duration.as_micros();
    if micros > u64::MAX as u128 { u64::MAX } else { micros as u64 }
}

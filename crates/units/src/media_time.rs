//! Time counted in samples.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Samples per second of one channel, in hertz. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(core::num::NonZeroU32);

impl SampleRate {
    /// 8 kHz: the telephone (G.711, ITU-T G.711 section 1).
    pub const HZ_8000: Self = Self::literal(8_000);
    /// 16 kHz: what Whisper and the voice activity detector hear.
    pub const HZ_16000: Self = Self::literal(16_000);
    /// 22.05 kHz: what espeak-ng and Piper medium voices speak.
    pub const HZ_22050: Self = Self::literal(22_050);

    /// Returns the rate of `hz` samples per second, or `None` for zero.
    pub const fn new(hz: u32) -> Option<Self> {
        match core::num::NonZeroU32::new(hz) {
            Some(hz) => Some(Self(hz)),
            None => None,
        }
    }

    /// Returns samples per second.
    pub const fn hz(self) -> u32 {
        self.0.get()
    }

    const fn literal(hz: u32) -> Self {
        match Self::new(hz) {
            Some(rate) => rate,
            None => Self(core::num::NonZeroU32::MIN),
        }
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.hz())
    }
}

/// A number of samples of one channel; as a position, the samples since the start of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SampleCount(pub u64);

impl SampleCount {
    /// No samples.
    pub const ZERO: Self = Self(0);

    /// Returns how many whole samples of `rate` fit into `duration`.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the range first")]
    pub const fn from_duration(duration: Duration, rate: SampleRate) -> Self {
        let samples = duration.as_nanos().saturating_mul(rate.hz() as u128) / 1_000_000_000;
        Self(if samples > u64::MAX as u128 { u64::MAX } else { samples as u64 })
    }

    /// Returns how long these samples last at `rate`.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the range first")]
    pub const fn duration(self, rate: SampleRate) -> Duration {
        let nanos = (self.0 as u128).saturating_mul(1_000_000_000) / rate.hz() as u128;
        Duration::from_nanos(if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 })
    }

    /// Returns the sum, or the largest count there is.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Returns the difference, or zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

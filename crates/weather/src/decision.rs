//! Who served a request and why, for the call log.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use units::TurnId;

use crate::{FailureKind, Stage};

/// Why an engine that comes first was not asked to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Its provider cannot be reached.
    Offline,
    /// It has failed too often and is left alone.
    BreakerOpen,
    /// It was left alone long enough, and must show in the shadow that it works.
    Probing,
    /// The day's money does not suffice.
    OverBudget,
    /// It had as many requests in the last minute as it may have.
    RateLimited,
    /// It has as many requests as it may have at once.
    InFlight,
    /// This caller has suffered a time-out.
    WaitedAlready,
    /// The call has another voice.
    VoiceKept,
    /// It may have no requests at all.
    Disabled,
}

impl SkipReason {
    /// Returns whether the reason is no obstacle when nobody else is there: it spares callers a wait, or a change of voice.
    pub(crate) const fn yields_to_need(self) -> bool {
        matches!(self, Self::BreakerOpen | Self::Probing | Self::WaitedAlready | Self::VoiceKept)
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offline => "offline",
            Self::BreakerOpen => "breaker open",
            Self::Probing => "being probed",
            Self::OverBudget => "over budget",
            Self::RateLimited => "rate limited",
            Self::InFlight => "enough in flight",
            Self::WaitedAlready => "waited already",
            Self::VoiceKept => "voice kept",
            Self::Disabled => "disabled",
        })
    }
}

/// An engine that was not asked to serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub engine: String,
    /// Why not.
    pub why: SkipReason,
}

/// An engine that was asked, or stood by, and failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedEngine {
    /// Its name.
    pub engine: String,
    /// How it failed.
    pub kind: FailureKind,
    /// How long after the request, in whole milliseconds.
    #[serde(rename = "after_ms", with = "millis")]
    pub after: Duration,
}

/// Who served a request and why. Holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// For what.
    pub stage: Stage,
    /// For which turn.
    pub turn: TurnId,
    /// The engine that served to the end; `None` when nobody did.
    pub served: Option<String>,
    /// From the request to the first output that went to the caller, in whole milliseconds.
    #[serde(rename = "took_ms", with = "optional_millis", default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Duration>,
    /// The engines that were not asked to serve, in order of preference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// The engines that failed, in the order in which they did. Those in the shadow are not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedEngine>,
    /// Whether another engine broke half way, and the one that served took over.
    #[serde(default)]
    pub took_over: bool,
}

impl fmt::Display for Decision {
    /// Writes a few plain words: `recognize: local served after 1200 ms; openai timed out after 1200 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.stage)?;
        match (&self.served, self.took) {
            (Some(engine), Some(took)) if self.took_over => {
                write!(f, "{engine} took over what began after {} ms", took.as_millis())?;
            }
            (Some(engine), Some(took)) => write!(f, "{engine} served after {} ms", took.as_millis())?,
            (Some(engine), None) => write!(f, "{engine} served")?,
            (None, _) => f.write_str("nobody served")?,
        }
        for FailedEngine { engine, kind, after } in &self.failed {
            write!(f, "; {engine} {kind} after {} ms", after.as_millis())?;
        }
        for Skipped { engine, why } in &self.skipped {
            write!(f, "; {engine} skipped ({why})")?;
        }
        Ok(())
    }
}

/// Cuts to whole milliseconds, so that a decision that went through the call log equals the one that did not.
pub(crate) fn whole_millis(duration: Duration) -> Duration {
    Duration::from_millis(millis::count(duration))
}

mod millis {
    use core::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn count(duration: Duration) -> u64 {
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(count(*duration))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

mod optional_millis {
    use core::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::millis;

    #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub(super) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.map(millis::count).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}

//! Leaving an engine alone that keeps failing.

use core::fmt;
use core::time::Duration;

use crate::{BreakerPolicy, Failure, FailureKind};

/// The longest that a provider's wish to be left alone is honoured: one day. A wrong header must not switch an engine off
/// for good.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Whether an engine may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It may.
    Closed,
    /// It has failed too often and is left alone.
    Open {
        /// When it may be probed.
        until: Duration,
    },
    /// The back-off is over: it may show in the shadow that it works.
    HalfOpen,
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half open",
        })
    }
}

/// The breaker of one engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breaker {
    /// Failures since the last success.
    failures: u32,
    /// Times opened since the last success.
    openings: u32,
    until: Option<Duration>,
    last_failure: Option<FailureKind>,
}

impl Breaker {
    /// Takes note of a success.
    pub(crate) fn worked(&mut self) {
        self.failures = 0;
        self.openings = 0;
        self.until = None;
    }

    /// Takes note of a failure. What says nothing about the engine's health changes nothing but the last failure.
    pub(crate) fn failed(&mut self, now: Duration, failure: Failure, policy: &BreakerPolicy, random: u64) {
        self.last_failure = Some(failure.kind);
        if !failure.kind.counts() {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let at_once = failure.kind.opens_at_once();
        let limited = failure.kind == FailureKind::RateLimited;
        let wished = failure.retry_after.filter(|_| limited).unwrap_or_default().min(MAX_RETRY_AFTER);
        let back_off = match self.state(now) {
            // A straggler: it was started before the breaker opened, and says nothing new unless it is worse.
            BreakerState::Open { .. } if at_once => jittered(policy.max_back_off, random),
            BreakerState::Open { .. } => Duration::ZERO,
            BreakerState::Closed if self.failures < policy.open_after && !at_once => return,
            BreakerState::Closed | BreakerState::HalfOpen => {
                self.openings = self.openings.saturating_add(1);
                let length = if at_once { policy.max_back_off } else { self.back_off(policy) };
                jittered(length, random)
            }
        };
        let until = now.saturating_add(back_off.max(wished));
        self.until = self.until.max(Some(until));
    }

    /// Returns the state at `now`.
    pub(crate) fn state(&self, now: Duration) -> BreakerState {
        match self.until {
            None => BreakerState::Closed,
            Some(until) if now < until => BreakerState::Open { until },
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// Returns the failures in a row.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns how the engine failed last, if ever.
    pub(crate) const fn last_failure(&self) -> Option<FailureKind> {
        self.last_failure
    }

    fn back_off(&self, policy: &BreakerPolicy) -> Duration {
        let doublings = self.openings.saturating_sub(1).min(31);
        policy.first_back_off.saturating_mul(1 << doublings).min(policy.max_back_off)
    }
}

/// Returns half of `length` and a random part of the other half, so that boxes that failed together do not come back
/// together.
fn jittered(length: Duration, random: u64) -> Duration {
    let half = length / 2;
    let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
    let part = (u128::from(micros) * u128::from(random)) >> 64;
    half.saturating_add(Duration::from_micros(u64::try_from(part).unwrap_or(u64::MAX)))
}

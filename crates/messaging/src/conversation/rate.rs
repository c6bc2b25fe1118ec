//! How fast one sender is answered.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::UnixTime;

/// How many messages in how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Most messages at once. Default 20; 0 counts as 1.
    pub burst: u32,
    /// How long until as many are allowed again. Default one minute.
    pub per: Duration,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { burst: 20, per: Duration::from_mins(1) }
    }
}

/// A leaky bucket in one number: when it will have run empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate {
    empty_at: UnixTime,
}

impl Rate {
    /// Takes one message at `now`; returns whether it is within the limit. One that is not is not counted.
    pub fn take(&mut self, limit: RateLimit, now: UnixTime) -> bool {
        let burst = limit.burst.max(1);
        let interval = limit.per.checked_div(burst).unwrap_or_default();
        let full = interval.saturating_mul(burst);
        let mut level = self.empty_at.saturating_since(now);
        if level > full {
            // No message fills the bucket over its brim: the clock was set back.
            level = Duration::ZERO;
        }
        let after = level.saturating_add(interval);
        if after > full {
            return false;
        }
        self.empty_at = now.saturating_add(after);
        true
    }
}

//! Requests a minute.

use core::time::Duration;

/// A leaky bucket kept as one time (the "generic cell rate algorithm" of ATM): when the bucket would be empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    empty_at: Duration,
}

impl Rate {
    /// Returns whether one more request is within `per_minute` at `now`. A sixth of the minute's requests may come at
    /// once, one at least.
    pub(crate) fn allows(self, now: Duration, per_minute: u32) -> bool {
        let burst = (per_minute / 6).max(1);
        per_minute > 0 && self.empty_at <= now.saturating_add(interval(per_minute).saturating_mul(burst - 1))
    }

    /// Counts one request, allowed or not.
    pub(crate) fn take(&mut self, now: Duration, per_minute: u32) {
        self.empty_at = self.empty_at.max(now).saturating_add(interval(per_minute));
    }

    /// Takes back one that was never sent.
    pub(crate) fn give_back(&mut self, per_minute: u32) {
        self.empty_at = self.empty_at.saturating_sub(interval(per_minute));
    }
}

fn interval(per_minute: u32) -> Duration {
    Duration::from_mins(1).checked_div(per_minute).unwrap_or_default()
}

//! The one place where the program reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time since the program started, and the wall clock as the box believes it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Starts counting.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Returns the time since the program started.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns milliseconds since 1970 (UTC) as the box believes; zero before that.
    pub fn wall_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

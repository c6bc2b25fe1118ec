//! The one place where the program reads a clock.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// There once the clock was set over the network.
const FROM_NETWORK: &str = "/run/systemd/timesync/synchronized";
/// Holds `1` if the clock was set from this one when the machine started.
const FROM_BATTERY: &str = "/sys/class/rtc/rtc0/hctosys";

/// Time since the program started, and the wall clock as the box believes it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    /// What the wall clock says at the start, where it is not the system's.
    wall_at_start_ms: Option<u64>,
}

impl Clock {
    /// Starts counting.
    pub fn start() -> Self {
        Self { started: Instant::now(), wall_at_start_ms: None }
    }

    /// Starts counting, with a wall clock that is right and says `wall_ms` (since 1970, UTC) now: to try out a box on a
    /// Sabbath.
    pub fn start_at(wall_ms: u64) -> Self {
        Self { started: Instant::now(), wall_at_start_ms: Some(wall_ms) }
    }

    /// Returns the time since the program started.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns milliseconds since 1970 (UTC) as the box believes; zero before that.
    pub fn wall_ms(&self) -> u64 {
        if let Some(wall_ms) = self.wall_at_start_ms {
            return wall_ms.saturating_add(u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX));
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns whether the wall clock can be believed: it was set over the network, or from a clock with a battery. systemd
    /// notes the first (systemd-timesyncd.service(8)), the kernel the second (`CONFIG_RTC_HCTOSYS`).
    pub fn is_set(&self) -> bool {
        let from_battery = || std::fs::read_to_string(FROM_BATTERY).is_ok_and(|text| text.trim() == "1");
        self.wall_at_start_ms.is_some() || Path::new(FROM_NETWORK).exists() || from_battery()
    }
}

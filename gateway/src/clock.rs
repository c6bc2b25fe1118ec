//! The one place where the program reads a clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns milliseconds since 1970 (UTC) as the machine believes; zero before that.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

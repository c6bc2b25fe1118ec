//! The one place of the tests that waits.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{interval, timeout};

/// Longest wait for a state, in a test on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until there is something to see, and returns it; an error that names `what` after [`PATIENCE`].
///
/// # Cancellation safety
///
/// May be dropped half way.
pub async fn wait_until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
    let looking = async {
        let mut looks = interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            if let Some(seen) = look().await {
                return seen;
            }
        }
    };
    timeout(PATIENCE, looking).await.with_context(|| format!("waited in vain: {what}"))
}

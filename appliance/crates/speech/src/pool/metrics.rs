//! Load and losses of a pool.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Figures of a pool since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolMetrics {
    /// Jobs that wait now.
    pub queued: usize,
    /// Jobs that run now.
    pub running: usize,
    /// Threads that work now.
    pub workers: usize,
    /// Jobs that ended well.
    pub done: u64,
    /// Jobs that ended with an error, panics not counted.
    pub failed: u64,
    /// Jobs refused because the queue was full.
    pub refused: u64,
    /// Jobs cancelled before they ended.
    pub cancelled: u64,
    /// Jobs that panicked.
    pub panicked: u64,
    /// Workers made anew after a panic.
    pub restarted: u64,
    /// Time that jobs waited, added up.
    pub waited: Duration,
    /// Longest that a job waited.
    pub longest_wait: Duration,
    /// Time that workers worked, added up.
    pub busy: Duration,
}

/// The figures as they are counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) done: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) cancelled: AtomicU64,
    pub(super) panicked: AtomicU64,
    pub(super) restarted: AtomicU64,
    waited_us: AtomicU64,
    longest_wait_us: AtomicU64,
    busy_us: AtomicU64,
}

impl Counters {
    pub(super) fn count_cancelled(&self, jobs: usize) {
        self.cancelled.fetch_add(u64::try_from(jobs).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn waited(&self, waited: Duration) {
        let waited = microseconds(waited);
        self.waited_us.fetch_add(waited, Ordering::Relaxed);
        self.longest_wait_us.fetch_max(waited, Ordering::Relaxed);
    }

    pub(super) fn worked(&self, worked: Duration) {
        self.busy_us.fetch_add(microseconds(worked), Ordering::Relaxed);
    }

    pub(super) fn read(&self, queued: usize, running: usize, workers: usize) -> PoolMetrics {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let time = |counter: &AtomicU64| Duration::from_micros(count(counter));
        PoolMetrics {
            queued,
            running,
            workers,
            done: count(&self.done),
            failed: count(&self.failed),
            refused: count(&self.refused),
            cancelled: count(&self.cancelled),
            panicked: count(&self.panicked),
            restarted: count(&self.restarted),
            waited: time(&self.waited_us),
            longest_wait: time(&self.longest_wait_us),
            busy: time(&self.busy_us),
        }
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

//! The handle of a job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A job that was taken. Dropping the handle changes nothing; the job goes on.
#[derive(Clone, Debug, Default)]
pub struct Job {
    cancelled: Arc<AtomicBool>,
}

impl Job {
    /// Cancels the job: if it waits it never runs, if it runs it is told. Its callback hears no more of it, apart
    /// from what is being handed over at this moment.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Returns whether the job was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Returns whether both handles mean the same job.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cancelled, &other.cancelled)
    }
}

//! The store, for async code: what is put here is on the disk when the future is done.

use std::sync::Arc;

use store::{Batch, CommitError, Recordings, Store};
use tokio::sync::oneshot;

use crate::health::{Health, Part, PartState};

/// The database and the recordings, or neither when the folder cannot be used; calls are answered all the same.
#[derive(Clone, Debug)]
pub struct Archive {
    opened: Option<Arc<Opened>>,
    health: Arc<Health>,
}

#[derive(Debug)]
struct Opened {
    store: Store,
    recordings: Recordings,
    /// How the store was after it was opened: what was set aside then is told until the next start.
    found: PartState,
}

impl Archive {
    /// Wraps an open store.
    pub fn new(store: Store, recordings: Recordings, found: PartState, health: Arc<Health>) -> Self {
        Self { opened: Some(Arc::new(Opened { store, recordings, found })), health }
    }

    /// Returns an archive that keeps nothing and says so.
    pub fn unusable(health: Arc<Health>) -> Self {
        Self { opened: None, health }
    }

    /// Returns the store, if it could be opened.
    pub fn store(&self) -> Option<&Store> {
        self.opened.as_deref().map(|opened| &opened.store)
    }

    /// Returns the recordings, if they could be opened.
    pub fn recordings(&self) -> Option<&Recordings> {
        self.opened.as_deref().map(|opened| &opened.recordings)
    }

    /// Commits `batch`; done when the disk has confirmed it. How it went is seen in `/readyz`.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, the batch is committed all the same, but nobody knows.
    pub async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        let Some(opened) = &self.opened else { return Err(CommitError::Closed) };
        let (sender, receiver) = oneshot::channel();
        let submitted = opened.store.submit(batch, move |result| {
            // Nobody waits any more; the batch is on the disk all the same.
            drop(sender.send(result));
        });
        let result = match submitted {
            Ok(()) => receiver.await.unwrap_or(Err(CommitError::Closed)),
            Err(error) => Err(error),
        };
        self.health.set(
            Part::Store,
            match &result {
                Ok(()) | Err(CommitError::Conflict) => opened.found.clone(),
                Err(error) => PartState::degraded(format!("a record could not be written: {error}")),
            },
        );
        result
    }

    /// Runs `work` with the archive on a thread that may wait for the disk.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, the work is done all the same.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T + Send + 'static) -> Option<T> {
        let archive = self.clone();
        tokio::task::spawn_blocking(move || work(&archive)).await.ok()
    }
}

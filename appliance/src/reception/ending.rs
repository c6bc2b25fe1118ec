//! How a call ended, noted by one at a time.
//!
//! The carrier tells it in several webhooks, some at the same moment and in any order: the call's status, the end of a
//! dialled leg, a recording. Each reads the record and writes it again.
//!
//! **Invariant:** who writes down how a call ended holds the guard of [`EndLock::alone`] from before the record is read until
//! the disk has confirmed it.

use std::sync::Arc;

use store::{Batch, CallOutcome, CallRecord, Calls, CommitError, EncodeError};
use tokio::sync::{Mutex, OwnedMutexGuard};
use units::CallId;

use super::ReceptionError;
use crate::app::Parts;

/// Held by who writes down how a call ended.
#[derive(Debug, Default)]
pub struct EndLock(Arc<Mutex<()>>);

impl EndLock {
    /// Waits until nobody else writes down how a call ended.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, it was not waited for.
    pub async fn alone(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.0).lock_owned().await
    }
}

/// Returns what is on record of a call.
pub(crate) async fn known(parts: &Parts, call: &CallId) -> Option<CallRecord> {
    let id = call.clone();
    parts.archive.blocking(move |archive| archive.store()?.get::<Calls>(&id).ok().flatten()).await.flatten()
}

/// Commits how a call ended that its line writes down.
///
/// # Cancellation safety
///
/// Dropped half way, the batch may be committed all the same.
pub(crate) async fn commit(parts: &Parts, batch: Batch) -> Result<(), CommitError> {
    let alone = parts.end_lock.alone().await;
    parts.archive.commit_holding(batch, alone).await
}

/// Notes that a call is over that nothing else ended: no stream, no message. A call on the line notes that itself.
pub(super) async fn close(parts: &Parts, call: &CallId, outcome: CallOutcome) -> Result<(), ReceptionError> {
    let alone = parts.end_lock.alone().await;
    let Some(mut record) = known(parts, call).await else { return Ok(()) };
    if !is_news(record.outcome, outcome) {
        return Ok(());
    }
    let mut batch = Batch::new();
    put(parts, &mut batch, &mut record, outcome)?;
    parts.archive.commit_holding(batch, alone).await.map_err(ReceptionError::NotKept)
}

/// Adds to `batch` that a call ended with a message: the last thing that a caller can do.
pub(crate) fn put_message(parts: &Parts, batch: &mut Batch, record: &mut CallRecord) -> Result<(), EncodeError> {
    put(parts, batch, record, CallOutcome::Voicemail)
}

fn put(parts: &Parts, batch: &mut Batch, record: &mut CallRecord, outcome: CallOutcome) -> Result<(), EncodeError> {
    let was = std::mem::replace(&mut record.outcome, outcome);
    record.duration_ms = Some(parts.clock.wall_ms().saturating_sub(record.started_wall_ms));
    // Told again where it turns out to be another end than the one that was told.
    if was != outcome {
        parts.events.call_ended(batch, record);
    }
    batch.put_call(record)
}

/// Returns whether it says more than what is `known` of the end of a call that it is `told` to be this one.
fn is_news(known: CallOutcome, told: CallOutcome) -> bool {
    match known {
        CallOutcome::InProgress => true,
        // That the call is over may be told before it is told what the caller did last.
        CallOutcome::CallerHungUp => told == CallOutcome::Transferred,
        CallOutcome::Completed
        | CallOutcome::Voicemail
        | CallOutcome::Transferred
        | CallOutcome::Silent
        | CallOutcome::Refused
        | CallOutcome::Failed
        | CallOutcome::Interrupted
        | CallOutcome::Unknown => false,
    }
}

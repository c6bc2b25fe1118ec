//! Rows of messages, written by one at a time.
//!
//! The worker notes what it fetched and heard in the row that the owner marks as heard, and a webhook may close: each
//! reads the whole row and writes it again.
//!
//! **Invariant:** a row is put into the store with [`Alone::put`] and nowhere else. Who changes one has read it after
//! [`Mailbox::alone`] returned, so that no change undoes another. Two need not wait: what is found at the start is put before
//! anything else runs ([`super::keep_recovered`]), and retention only deletes rows that are more than a year old; one
//! that is put again at that moment goes at its next look.

use std::sync::Arc;

use store::{Batch, CommitError, EncodeError, VoicemailRecord, Voicemails};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Mailbox;
use crate::archive::Archive;

/// Held by who changes rows.
pub(super) type Changing = Arc<Mutex<()>>;

/// Nobody else changes a row of a message while this is there.
#[derive(Debug)]
pub struct Alone(OwnedMutexGuard<()>);

impl Mailbox {
    /// Waits until nobody else changes a row of a message.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, it was not waited for.
    pub async fn alone(&self) -> Alone {
        Alone(Arc::clone(&self.changing).lock_owned().await)
    }
}

impl Alone {
    /// Adds a row to `batch`.
    ///
    /// # Errors
    ///
    /// When it is too large.
    pub fn put(&self, batch: &mut Batch, record: &VoicemailRecord) -> Result<(), EncodeError> {
        batch.put::<Voicemails>(&record.key, record)
    }

    /// Commits `batch`, and lets the next one change rows when the disk has confirmed it.
    ///
    /// # Errors
    ///
    /// When it is not written.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, the batch is committed all the same, and the next one still waits for that.
    pub async fn commit(self, archive: &Archive, batch: Batch) -> Result<(), CommitError> {
        self.commit_holding(archive, batch, ()).await
    }

    /// Does the same and holds on to something else too.
    ///
    /// # Errors
    ///
    /// When it is not written.
    ///
    /// # Cancellation safety
    ///
    /// As [`Alone::commit`].
    pub(super) async fn commit_holding<H: Send + 'static>(
        self,
        archive: &Archive,
        batch: Batch,
        held: H,
    ) -> Result<(), CommitError> {
        archive.commit_holding(batch, (self.0, held)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use store::{
        Batch, Recordings, Store, StoreConfig, VoicemailKey, VoicemailPath, VoicemailRecord, VoicemailState, Voicemails,
    };
    use units::Pii;

    use super::Mailbox;
    use crate::archive::Archive;
    use crate::health::{Health, PartState};

    #[tokio::test]
    async fn a_change_that_nobody_waits_for_any_more_is_seen_by_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig::new(folder.path())).unwrap();
        let (recordings, _) = Recordings::open(folder.path(), 0).unwrap();
        let archive = Archive::new(store, recordings, PartState::Ok, Arc::new(Health::default()));
        let (mailbox, _requests) = Mailbox::new();
        let key = VoicemailKey { received_wall_ms: 1, call: "CA1".parse().unwrap() };
        let mut record = VoicemailRecord::received(key.clone(), Pii::default(), VoicemailPath::Device);
        for number in 0..50 {
            let alone = mailbox.alone().await;
            let seen = archive.store().unwrap().get::<Voicemails>(&key).unwrap();
            assert_eq!(seen.map_or(0, |seen| seen.duration_ms), number, "the last change was not waited for");
            record.duration_ms = number + 1;
            record.state = VoicemailState::Heard;
            let mut batch = Batch::new();
            alone.put(&mut batch, &record).unwrap();
            // As when the client of the API is gone: handed over, and not waited for.
            drop(alone.commit(&archive, batch).now_or_never());
        }
    }
}

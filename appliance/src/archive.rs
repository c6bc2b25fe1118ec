//! The store, for async code: what is put here is on the disk when the future is done.

use std::sync::Arc;

use store::{
    Batch, CommitError, FinishedRecording, RecordingError, RecordingFormat, RecordingName, RecordingWriter, Recordings,
    Store,
};
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
        self.commit_holding(batch, ()).await
    }

    /// Does the same and holds on to something, such as a lock, until the disk has confirmed the batch or it failed.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, the batch is committed all the same, and `held` is held until then.
    pub async fn commit_holding<H: Send + 'static>(&self, batch: Batch, held: H) -> Result<(), CommitError> {
        let Some(opened) = &self.opened else { return Err(CommitError::Closed) };
        let (sender, receiver) = oneshot::channel();
        let submitted = opened.store.submit(batch, move |result| {
            drop(held);
            // Nobody waits any more; the batch is on the disk all the same.
            drop(sender.send(result));
        });
        let result = match submitted {
            Ok(()) => receiver.await.unwrap_or(Err(CommitError::Closed)),
            Err(error) => Err(error),
        };
        self.note(opened, &result);
        result
    }

    /// Does the same on a thread that may wait for the disk.
    pub fn commit_here(&self, batch: Batch) -> Result<(), CommitError> {
        let Some(opened) = &self.opened else { return Err(CommitError::Closed) };
        let result = opened.store.commit(batch);
        self.note(opened, &result);
        result
    }

    /// Notes in `/readyz` how a commit went.
    fn note(&self, opened: &Opened, result: &Result<(), CommitError>) {
        self.health.set(
            Part::Store,
            match result {
                Ok(()) | Err(CommitError::Conflict) => opened.found.clone(),
                Err(error) => PartState::degraded(format!("a record could not be written: {error}")),
            },
        );
    }

    /// Takes a whole WAV file as a recording; done when it would survive a power cut. How it went is seen in
    /// `/readyz` until the next one: a disk without room for a message may still have some for records. `None` when
    /// recordings cannot be kept at all.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, the recording is taken all the same.
    pub async fn import(
        &self,
        name: RecordingName,
        wav: Arc<Vec<u8>>,
    ) -> Option<Result<FinishedRecording, RecordingError>> {
        let imported = self.blocking(move |archive| {
            archive.noted(archive.recordings().map(|recordings| recordings.import(name, &wav)))
        });
        imported.await.flatten()
    }

    /// Starts a recording. How it went is seen in `/readyz`, as with [`Archive::import`]. `None` when recordings cannot be
    /// kept at all.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, an empty recording may be left, which is removed at the next start.
    pub async fn create(
        &self,
        name: RecordingName,
        format: RecordingFormat,
    ) -> Option<Result<RecordingWriter, RecordingError>> {
        let created = self.blocking(move |archive| {
            archive.noted(archive.recordings().map(|recordings| recordings.create(name, format)))
        });
        created.await.flatten()
    }

    /// Notes in `/readyz` how writing a recording went.
    fn noted<T>(&self, written: Option<Result<T, RecordingError>>) -> Option<Result<T, RecordingError>> {
        match &written {
            Some(Ok(_)) => self.health.set(Part::Recordings, PartState::Ok),
            // That it is there says nothing of the disk.
            Some(Err(RecordingError::Exists { .. })) | None => {}
            Some(Err(error)) => self.health.set(Part::Recordings, unwritten(error)),
        }
        written
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

/// Says what keeps recordings from being written. Names of calls stay out: they are nobody's business at `/readyz`.
fn unwritten(error: &RecordingError) -> PartState {
    match error {
        RecordingError::DiskFull { .. } => {
            PartState::degraded("no space left for recordings; messages wait at the carrier; free some of the disk")
        }
        RecordingError::File { source, .. } => PartState::degraded(format!(
            "a recording could not be written: {source}; messages wait at the carrier; look after the disk"
        )),
        RecordingError::Exists { .. } => PartState::Ok,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use store::{FaultyDisk, RecordingError, RecordingName, Recordings, Store, StoreConfig};

    use super::Archive;
    use crate::health::{Health, Part, PartState};

    #[tokio::test]
    async fn a_disk_without_room_for_a_recording_is_told_until_one_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::default());
        let (health, archive) = open(folder.path(), &disk);

        disk.set_free_bytes(10);
        let full = import(&archive, 1).await;
        assert!(matches!(full, Err(RecordingError::DiskFull { .. })), "{full:?}");
        check_degraded(&health, "no space left");
        archive.commit(store::Batch::new()).await.unwrap();
        check_degraded(&health, "no space left");

        disk.set_free_bytes(u64::MAX);
        import(&archive, 1).await.unwrap();
        assert_eq!(health.readiness().status, "ready");

        disk.allow_writes(0);
        assert!(matches!(import(&archive, 2).await, Err(RecordingError::File { .. })));
        check_degraded(&health, "could not be written");
        let there = import(&archive, 1).await;
        assert!(matches!(there, Err(RecordingError::Exists { .. })), "{there:?}");
        check_degraded(&health, "could not be written");

        disk.allow_writes(u64::MAX);
        import(&archive, 2).await.unwrap();
        assert_eq!(health.readiness().status, "ready");
    }

    fn open(folder: &std::path::Path, disk: &Arc<FaultyDisk>) -> (Arc<Health>, Archive) {
        let health = Arc::new(Health::default());
        let store = Store::open(&StoreConfig::new(folder)).unwrap();
        let (recordings, _) = Recordings::open_on(folder, 0, Arc::<FaultyDisk>::clone(disk)).unwrap();
        let archive = Archive::new(store, recordings, PartState::Ok, Arc::clone(&health));
        (health, archive)
    }

    async fn import(archive: &Archive, number: u32) -> Result<store::FinishedRecording, RecordingError> {
        let name = RecordingName::voicemail(format!("CA{number}").parse().unwrap());
        archive.import(name, Arc::new(vec![0; 100])).await.unwrap()
    }

    fn check_degraded(health: &Health, why: &str) {
        let readiness = health.readiness();
        assert_eq!(readiness.status, "degraded");
        let state = readiness.parts.get(&Part::Recordings);
        assert!(matches!(state, Some(PartState::Degraded { why: told }) if told.contains(why)), "{state:?}");
        assert!(!format!("{state:?}").contains("CA"), "{state:?}");
    }
}

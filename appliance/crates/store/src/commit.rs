//! The one thread that writes: it gathers what waits, applies it at once and answers after one `fsync`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::batch::{Batch, Operation};
use crate::disk::{Disk, is_full};
use crate::engine::{Engine, close};
use crate::frame::{self, Frame};
use crate::salvage::{CommitRecord, commit_key, tombstone_key};

/// Batches committed with one `fsync` at most. More would only make the first of them wait longer.
const MAX_GROUP: usize = 256;
/// Bytes committed with one `fsync` at most.
const MAX_GROUP_BYTES: u64 = 1024 * 1024;
/// What a row costs beside its own bytes in the check for free space, in bytes.
const ROW_OVERHEAD: u64 = 256;

/// What is called when a commit is decided.
pub(crate) type Done = Box<dyn FnOnce(Result<(), CommitError>) + Send>;

/// The database, or nothing while it is taken down after a failure.
pub(crate) type SharedEngine = Arc<RwLock<Option<Engine>>>;

/// A batch that waits.
pub(crate) struct Job {
    pub(crate) batch: Batch,
    pub(crate) done: Done,
}

/// Why a commit did not happen. Nothing of the batch is promised then; some of it may still be seen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// The disk is full, or nearly: a reserve is kept so that the database itself never meets a full disk.
    #[error("no space left on the disk")]
    DiskFull,
    /// A row that had to be absent exists.
    #[error("a row that had to be absent exists")]
    Conflict,
    /// Too many commits wait already.
    #[error("too many commits wait")]
    Busy,
    /// Writing failed.
    #[error("database cannot be written")]
    Write(#[source] Arc<io::Error>),
    /// Writing came to an end, but the disk did not confirm it.
    #[error("disk did not confirm a write")]
    Sync(#[source] Arc<io::Error>),
    /// An earlier commit failed and the database is not open again yet.
    #[error("database is closed after a failure")]
    Closed,
    /// A row of the batch cannot be stored.
    #[error("row cannot be stored")]
    Encode(#[source] Arc<crate::EncodeError>),
}

impl CommitError {
    /// Tells whether the same commit may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::DiskFull | Self::Busy | Self::Write(_) | Self::Sync(_) | Self::Closed => true,
            Self::Conflict | Self::Encode(_) => false,
        }
    }
}

impl From<crate::EncodeError> for CommitError {
    fn from(error: crate::EncodeError) -> Self {
        Self::Encode(Arc::new(error))
    }
}

pub(crate) struct Committer {
    pub(crate) engine: SharedEngine,
    pub(crate) disk: Arc<dyn Disk>,
    /// The database's own folder.
    pub(crate) folder: PathBuf,
    pub(crate) cache_bytes: u64,
    pub(crate) open_deadline: Duration,
    pub(crate) reopen_after: Duration,
    pub(crate) reserve_bytes: u64,
    pub(crate) next_number: u64,
    pub(crate) failed_at: Option<Instant>,
}

impl Committer {
    /// Works until the store is dropped and everything that waits is decided.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut byte_count = first.batch.byte_count;
            let mut group = vec![first];
            while group.len() < MAX_GROUP && byte_count < MAX_GROUP_BYTES {
                let Ok(job) = jobs.try_recv() else { break };
                byte_count = byte_count.saturating_add(job.batch.byte_count);
                group.push(job);
            }
            self.commit(group);
        }
    }

    fn commit(&mut self, group: Vec<Job>) {
        let result = self.prepare(&group);
        let (accepted, refused) = match result {
            Ok(refused) => {
                let (mut accepted, mut conflicts) = (Vec::new(), Vec::new());
                for (job, refused) in group.into_iter().zip(refused) {
                    if refused { conflicts.push(job) } else { accepted.push(job) }
                }
                (accepted, conflicts)
            }
            Err(error) => {
                answer(group, &Err(error));
                return;
            }
        };
        answer(refused, &Err(CommitError::Conflict));
        if accepted.is_empty() {
            return;
        }
        let result = self.write(&accepted);
        if let Err(error) = &result {
            self.note_failure(error);
        }
        answer(accepted, &result);
    }

    /// Brings the database back if need be and tells which batches meet a row that had to be absent.
    fn prepare(&mut self, group: &[Job]) -> Result<Vec<bool>, CommitError> {
        self.reopen_if_failed()?;
        let byte_count = group.iter().fold(0_u64, |sum, job| {
            let overhead = u64::try_from(job.batch.len()).unwrap_or(u64::MAX).saturating_mul(ROW_OVERHEAD);
            sum.saturating_add(job.batch.byte_count).saturating_add(overhead)
        });
        let needed = self.reserve_bytes.saturating_add(byte_count);
        // A disk that does not say how much is free is tried.
        if self.disk.free_bytes(&self.folder).is_ok_and(|free| free < needed) {
            return Err(CommitError::DiskFull);
        }
        let guard = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let engine = guard.as_ref().ok_or(CommitError::Closed)?;
        let mut present = BTreeSet::new();
        let mut refused = Vec::with_capacity(group.len());
        for job in group {
            let mut conflict = false;
            for key in &job.batch.must_be_absent {
                let there = engine.get(key).map_err(|error| CommitError::Write(Arc::new(error)))?.is_some();
                conflict |= there || present.contains(key);
            }
            if !conflict {
                present.extend(job.batch.operations.iter().filter(|op| op.payload.is_some()).map(|op| op.key.clone()));
            }
            refused.push(conflict);
        }
        Ok(refused)
    }

    fn write(&mut self, group: &[Job]) -> Result<(), CommitError> {
        let operations = group.iter().flat_map(|job| &job.batch.operations);
        let (operations, next_number) = encode_group(operations, self.next_number)?;
        self.next_number = next_number;
        let byte_count = operations.iter().fold(0_u64, |sum, (key, value)| {
            let len = key.len().saturating_add(value.as_ref().map_or(0, Vec::len));
            sum.saturating_add(u64::try_from(len).unwrap_or(u64::MAX))
        });
        let guard = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let engine = guard.as_ref().ok_or(CommitError::Closed)?;
        let write_error = |error: io::Error| {
            if is_full(&error) { CommitError::DiskFull } else { CommitError::Write(Arc::new(error)) }
        };
        self.disk.before_write(byte_count).map_err(write_error)?;
        engine.apply(operations).map_err(write_error)?;
        engine.flush().map_err(write_error)?;
        engine.sync(&*self.disk).map_err(|error| CommitError::Sync(Arc::new(error)))
    }

    /// After a failed write or sync nobody knows what is on the disk, and the kernel may report the failure only
    /// once. The database is taken down, so that what it holds in memory is never promised.
    fn note_failure(&mut self, error: &CommitError) {
        tracing::warn!(error = %error, "commit failed, database is taken down");
        self.failed_at = Some(Instant::now());
        let engine = self.engine.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(engine) = engine {
            close(engine);
        }
    }

    fn reopen_if_failed(&mut self) -> Result<(), CommitError> {
        let Some(failed_at) = self.failed_at else { return Ok(()) };
        if failed_at.elapsed() < self.reopen_after {
            return Err(CommitError::Closed);
        }
        match Engine::open_within(&self.folder, self.cache_bytes, self.open_deadline) {
            Ok((engine, _)) => {
                tracing::info!("database is open again");
                *self.engine.write().unwrap_or_else(PoisonError::into_inner) = Some(engine);
                self.failed_at = None;
                Ok(())
            }
            Err(error) => {
                tracing::warn!(error = %error, "database does not open again yet");
                self.failed_at = Some(Instant::now());
                Err(CommitError::Closed)
            }
        }
    }
}

/// What the engine is to do: values to put, and keys to delete where there is none.
pub(crate) type EncodedGroup = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Frames rows, adds a tombstone for each deletion and the commit record, all numbered from `first` on. Returns the
/// number after the last, too.
pub(crate) fn encode_group<'a>(
    operations: impl Iterator<Item = &'a Operation>,
    first: u64,
) -> Result<(EncodedGroup, u64), CommitError> {
    let mut encoded = EncodedGroup::new();
    let mut number = first;
    let mut add = |key: Vec<u8>, payload: &[u8], number: u64| {
        let table = key.first().copied().unwrap_or_default();
        let bytes = frame::encode(Frame { table, key: &key, number, payload });
        encoded.push((key, Some(bytes)));
    };
    let mut last_of: BTreeMap<&[u8], &Operation> = BTreeMap::new();
    for operation in operations {
        last_of.insert(&operation.key, operation);
    }
    let mut deleted = Vec::new();
    for (key, operation) in last_of {
        if let Some(payload) = &operation.payload {
            add(key.to_vec(), payload, number);
        } else {
            add(tombstone_key(key), b"", number);
            deleted.push(key.to_vec());
        }
        number = number.saturating_add(1);
    }
    let record = serde_json::to_vec(&CommitRecord { first, last: number })
        .map_err(|error| CommitError::Write(Arc::new(error.into())))?;
    add(commit_key(), &record, number);
    encoded.extend(deleted.into_iter().map(|key| (key, None)));
    Ok((encoded, number.saturating_add(1)))
}

/// Tells everybody. A callback that panics harms nobody else.
fn answer(group: Vec<Job>, result: &Result<(), CommitError>) {
    for job in group {
        let result = result.clone();
        if catch_unwind(AssertUnwindSafe(|| (job.done)(result))).is_err() {
            tracing::warn!("what was to be called after a commit panicked");
        }
    }
}

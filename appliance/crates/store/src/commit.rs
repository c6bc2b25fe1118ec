//! The one thread that writes: it gathers what waits, applies it at once and answers after one `fsync`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::batch::{Batch, Operation};
use crate::census;
use crate::disk::{Disk, is_full};
use crate::engine::{Engine, close};
use crate::frame::{self, Frame};
use crate::outbox::{self, Outbox, OutboxLimits, Plan, Request};
use crate::salvage::{self, CommitRecord, TOMBSTONE, commit_key, tombstone_key};

/// Batches committed with one `fsync` at most. More would only make the first of them wait longer.
const MAX_GROUP: usize = 256;
/// Bytes committed with one `fsync` at most.
const MAX_GROUP_BYTES: u64 = 1024 * 1024;
/// What a row costs beside its own bytes in the check for free space, in bytes.
const ROW_OVERHEAD: u64 = 256;

/// Events or batches at which a group that was waiting for more is committed.
const LINGER_GROUP: usize = 64;

/// Deletions after which a census is taken: 4,096 tombstones take a megabyte, and keep what was deleted around them from
/// being overwritten. Counting an office's rows takes a tenth of a second.
const CENSUS_AFTER: usize = 4_096;
/// Databases with a longer log are counted at the next opening only, as commits wait meanwhile. 64 MiB, in bytes.
const LONGEST_COUNTED: u64 = 64 * 1024 * 1024;
/// Memory that a census takes while calls are answered, in bytes: older versions of some 15,000 rows count then.
const COUNTED_KEPT: usize = 16 * 1024 * 1024;

/// What is called when a commit is decided.
pub(crate) type Done = Box<dyn FnOnce(Result<(), CommitError>) + Send>;

/// The database, or nothing while it is taken down after a failure.
pub(crate) type SharedEngine = Arc<RwLock<Option<Engine>>>;

/// The outbox as the disk has confirmed it.
pub(crate) type SharedOutbox = Arc<Mutex<Outbox>>;

/// What is called when the disk has confirmed events.
#[derive(Default)]
pub(crate) struct Listener(RwLock<Option<Box<dyn Fn() + Send + Sync>>>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

impl Listener {
    pub(crate) fn set(&self, listener: Box<dyn Fn() + Send + Sync>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }

    fn tell(&self) {
        let listener = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = &*listener
            && catch_unwind(AssertUnwindSafe(listener)).is_err()
        {
            tracing::warn!("what was to be called after new events panicked");
        }
    }
}

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
    /// Tombstones written since the last census.
    pub(crate) tombstones: usize,
    pub(crate) failed_at: Option<Instant>,
    /// The outbox as it will be when what is being written is confirmed.
    pub(crate) outbox: Outbox,
    pub(crate) confirmed: SharedOutbox,
    pub(crate) limits: OutboxLimits,
    pub(crate) listener: Arc<Listener>,
    pub(crate) linger: Duration,
    /// Names a new epoch after a failure, in milliseconds since 1970.
    pub(crate) opened_wall_ms: u64,
}

impl Committer {
    /// Works until the store is dropped and everything that waits is decided.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut byte_count = first.batch.byte_count;
            let mut group = vec![first];
            let until = Instant::now().checked_add(self.linger);
            while group.len() < MAX_GROUP && byte_count < MAX_GROUP_BYTES {
                let Some(job) = next_of_group(jobs, &group, until) else { break };
                byte_count = byte_count.saturating_add(job.batch.byte_count);
                group.push(job);
            }
            self.commit(group);
            if self.tombstones >= CENSUS_AFTER {
                self.tombstones = 0;
                // What is not forgotten now will be another time.
                if let Err(error) = self.take_census() {
                    tracing::warn!(%error, "no census of the database");
                }
            }
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
        let told = result.is_ok() && accepted.iter().any(|job| !job.batch.events.is_empty());
        answer(accepted, &result);
        if told {
            self.listener.tell();
        }
    }

    /// Brings the database back if need be and tells which batches meet a row that had to be absent.
    fn prepare(&mut self, group: &[Job]) -> Result<Vec<bool>, CommitError> {
        self.reopen_if_failed()?;
        let byte_count = group.iter().fold(0_u64, |sum, job| {
            let overhead = u64::try_from(job.batch.len()).unwrap_or(u64::MAX).saturating_mul(ROW_OVERHEAD);
            sum.saturating_add(job.batch.byte_count).saturating_add(overhead)
        });
        // What makes room may use half of the reserve.
        let only_removes = group.iter().all(|job| job.batch.only_removes());
        let reserve = if only_removes { self.reserve_bytes / 2 } else { self.reserve_bytes };
        let needed = reserve.saturating_add(byte_count);
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
        let plan = self.plan(group)?;
        let operations = group.iter().flat_map(|job| &job.batch.operations).chain(&plan.operations);
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
        let is_tombstone =
            |(key, value): &&(Vec<u8>, Option<Vec<u8>>)| key.first() == Some(&TOMBSTONE) && value.is_some();
        self.tombstones = self.tombstones.saturating_add(operations.iter().filter(is_tombstone).count());
        self.disk.before_write(byte_count).map_err(write_error)?;
        engine.apply(operations).map_err(write_error)?;
        engine.flush().map_err(write_error)?;
        engine.sync(&*self.disk).map_err(|error| CommitError::Sync(Arc::new(error)))?;
        plan.apply(&mut self.confirmed.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    /// Writes down which rows live and forgets deletions. Their tombstones would keep the log from being overwritten.
    fn take_census(&self) -> io::Result<()> {
        let guard = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let Some(engine) = guard.as_ref() else { return Ok(()) };
        if fs::metadata(self.folder.join("db"))?.len() > LONGEST_COUNTED {
            return Ok(());
        }
        let findings = salvage::look_through(&self.folder, COUNTED_KEPT);
        census::take(engine, &findings, self.next_number, &self.folder, &*self.disk)
    }

    /// Plans what the group does to the outbox.
    fn plan(&mut self, group: &[Job]) -> Result<Plan, CommitError> {
        let mut request = Request::default();
        for job in group {
            request.events.extend(&job.batch.events);
            request.acknowledged.extend(&job.batch.acknowledged);
            request.epochs.extend(&job.batch.epochs);
            request.told.extend(&job.batch.told);
        }
        if request.is_empty() {
            return Ok(Plan::default());
        }
        let free_bytes = self.disk.free_bytes(&self.folder).unwrap_or(u64::MAX);
        let planned = self.outbox.plan(&request, &self.limits, free_bytes);
        planned.map_err(|error| CommitError::Write(Arc::new(error)))
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

    /// Reads the outbox of a database that was just opened again. What was being written when it failed may be there
    /// or not, and may yet go: its numbers are not given again.
    fn reload_outbox(&mut self, engine: &Engine) -> Result<(), CommitError> {
        let write_error = |error: io::Error| CommitError::Write(Arc::new(error));
        let (outbox, operations) = Outbox::load(engine, true, self.opened_wall_ms).map_err(write_error)?;
        if !operations.is_empty() {
            let (operations, next_number) = encode_group(operations.iter(), self.next_number)?;
            self.next_number = next_number;
            engine.apply(operations).map_err(write_error)?;
            engine.flush().map_err(write_error)?;
            engine.sync(&*self.disk).map_err(|error| CommitError::Sync(Arc::new(error)))?;
        }
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = outbox.clone();
        self.outbox = outbox;
        Ok(())
    }

    fn reopen_if_failed(&mut self) -> Result<(), CommitError> {
        let Some(failed_at) = self.failed_at else { return Ok(()) };
        if failed_at.elapsed() < self.reopen_after {
            return Err(CommitError::Closed);
        }
        match Engine::open_within(&self.folder, self.cache_bytes, self.open_deadline) {
            Ok((engine, _)) => {
                if let Err(error) = self.reload_outbox(&engine) {
                    tracing::warn!(error = %error, "database is open again, but cannot be written yet");
                    close(engine);
                    self.failed_at = Some(Instant::now());
                    return Err(CommitError::Closed);
                }
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

/// Returns what is committed with `group`: what waits, or, when nobody waits for any of it, what comes in soon.
fn next_of_group(jobs: &Receiver<Job>, group: &[Job], until: Option<Instant>) -> Option<Job> {
    let events: usize = group.iter().map(|job| job.batch.events.len().max(1)).sum();
    let hurried = group.iter().any(|job| !job.batch.unhurried);
    match until {
        Some(until) if !hurried && events < LINGER_GROUP => {
            jobs.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
        }
        Some(_) | None => jobs.try_recv().ok(),
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
        if operation.payload.is_none() {
            deleted.push(key.to_vec());
        }
        match &operation.payload {
            Some(payload) => add(key.to_vec(), payload, number),
            None if outbox::is_chunk(key) => continue,
            None => add(tombstone_key(key), b"", number),
        }
        // Every number up to the commit record's own belongs to a row that is written.
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

//! The store.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use protocol::Stream;
use units::CallId;

use crate::batch::{Batch, full_key};
use crate::commit::{CommitError, Committer, Done, Job, Listener, SharedEngine, SharedOutbox};
use crate::disk::{Disk, RealDisk};
use crate::frame::{self, FrameError};
use crate::opening::{self, OpenError, OpenReport};
use crate::outbox::{OutboxDrop, OutboxHead, OutboxLimits, OutboxLoss, OutboxSlice, SliceLimits};
use crate::query::{Order, Query, ReadError, table_key};
use crate::records::{CallOutcome, CallRecord, TurnRow, VoicemailKey, VoicemailRecord, VoicemailState, WebhookRow};
use crate::tables::{CallByTimeKey, Calls, CallsByTime, Table, Turns, Voicemails, WebhookKeys};

/// How a store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The folder; made if it is not there.
    pub folder: PathBuf,
    /// Memory for the database's cache, in bytes. 16 MiB: a small board has 1 GiB for everything, and a year of
    /// calls of a small office fits.
    pub cache_bytes: u64,
    /// How long opening a small database may take before it is given up and moved aside; a large one has more, as it
    /// is read as a whole. 20 s: a tenth of that was enough for every small database seen, and the caller's carrier
    /// waits 15 s for a webhook at most, so calls go to voicemail meanwhile.
    pub open_deadline: Duration,
    /// Space on the disk that commits leave free, in bytes, so that the database never meets a full disk. 16 MiB.
    pub reserve_bytes: u64,
    /// Commits that may wait. 256: a second of the slowest SD card's work, grouped.
    pub queue_len: usize,
    /// How long the database stays down after a failed commit before it is opened again. 1 s.
    pub reopen_after: Duration,
    /// How much of the events that may be lost is kept.
    pub outbox: OutboxLimits,
    /// How long a batch that is [unhurried](Batch::unhurried) waits for others. 30 ms: so many log lines that belong
    /// together come within it.
    pub linger: Duration,
    /// The time, in milliseconds since 1970 as the box believes: it names the outbox's epochs, so that one of a new
    /// database is greater than those of one that is gone. Zero, where the gateway's answer corrects it.
    pub now_wall_ms: u64,
}

impl StoreConfig {
    /// Makes the usual configuration for a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            cache_bytes: 16 * 1024 * 1024,
            open_deadline: Duration::from_secs(20),
            reserve_bytes: 16 * 1024 * 1024,
            queue_len: 256,
            reopen_after: Duration::from_secs(1),
            outbox: OutboxLimits::default(),
            linger: Duration::from_millis(30),
            now_wall_ms: 0,
        }
    }
}

/// Rows with their keys.
pub type Rows<T> = Vec<(<T as Table>::Key, <T as Table>::Row)>;

/// The store, open. Shared by reference between threads; closing is dropping it, which first decides everything
/// that waits.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    engine: SharedEngine,
    jobs: Option<SyncSender<Job>>,
    committer: Option<JoinHandle<()>>,
    report: OpenReport,
    outbox: SharedOutbox,
    listener: Arc<Listener>,
    /// Held, not used: the folder is ours while the file is open.
    _lock: File,
}

impl Store {
    /// Opens the store in a folder.
    pub fn open(config: &StoreConfig) -> Result<Self, OpenError> {
        Self::open_on(config, Arc::new(RealDisk))
    }

    /// Opens the store on another disk than the kernel's.
    pub fn open_on(config: &StoreConfig, disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        let opened = opening::open(config, &*disk)?;
        let engine: SharedEngine = Arc::new(RwLock::new(Some(opened.engine)));
        let outbox: SharedOutbox = Arc::new(Mutex::new(opened.outbox.clone()));
        let listener = Arc::new(Listener::default());
        let committer = Committer {
            engine: Arc::clone(&engine),
            disk,
            folder: opened.folder,
            cache_bytes: config.cache_bytes,
            open_deadline: config.open_deadline,
            reopen_after: config.reopen_after,
            reserve_bytes: config.reserve_bytes,
            next_number: opened.first_number,
            tombstones: 0,
            failed_at: None,
            outbox: opened.outbox,
            confirmed: Arc::clone(&outbox),
            limits: config.outbox,
            listener: Arc::clone(&listener),
            linger: config.linger,
            opened_wall_ms: config.now_wall_ms,
        };
        let (jobs, waiting) = sync_channel(config.queue_len);
        let committer = thread::Builder::new()
            .name("store-commit".to_owned())
            .spawn(move || committer.run(&waiting))
            .map_err(|source| OpenError::Unusable { folder: config.folder.clone(), source })?;
        Ok(Self {
            folder: config.folder.clone(),
            engine,
            jobs: Some(jobs),
            committer: Some(committer),
            report: opened.report,
            outbox,
            listener,
            _lock: opened.lock,
        })
    }

    /// Commits and waits until the disk has confirmed it.
    ///
    /// Blocks the thread: from async code use [`Store::submit`].
    pub fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        let (sender, receiver) = sync_channel(1);
        let done: Done = Box::new(move |result| drop(sender.send(result)));
        let jobs = self.jobs.as_ref().ok_or(CommitError::Closed)?;
        // Waits for room: whoever blocks anyway may as well wait in line.
        jobs.send(Job { batch, done }).map_err(|_gone| CommitError::Closed)?;
        receiver.recv().unwrap_or(Err(CommitError::Closed))
    }

    /// Commits and calls `done` once the disk has confirmed it or something failed. Never blocks.
    ///
    /// `done` runs on the store's thread and must be short: hand the result on and return. When this returns an
    /// error (too many commits wait, or the store is closing), `done` was not and will not be called.
    pub fn submit(
        &self,
        batch: Batch,
        done: impl FnOnce(Result<(), CommitError>) + Send + 'static,
    ) -> Result<(), CommitError> {
        let jobs = self.jobs.as_ref().ok_or(CommitError::Closed)?;
        jobs.try_send(Job { batch, done: Box::new(done) }).map_err(|error| match error {
            TrySendError::Full(_) => CommitError::Busy,
            TrySendError::Disconnected(_) => CommitError::Closed,
        })
    }

    /// Puts a webhook request's token; `false` if it was put before and the request must not be acted on again.
    ///
    /// Blocks until the disk has confirmed it.
    pub fn claim_webhook(&self, token: &str, row: &WebhookRow) -> Result<bool, CommitError> {
        let mut batch = Batch::new();
        let key = token.to_owned();
        batch.require_absent::<WebhookKeys>(&key)?;
        batch.put::<WebhookKeys>(&key, row)?;
        match self.commit(batch) {
            Ok(()) => Ok(true),
            Err(CommitError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns how the opening went.
    pub fn report(&self) -> &OpenReport {
        &self.report
    }

    /// Returns the folder the store was opened on.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Tells whether the database is open. It is not after a failed commit, until a later one brings it back.
    pub fn is_open(&self) -> bool {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Sets what is called when the disk has confirmed new events. It runs on the store's thread and must be short.
    pub fn on_events(&self, listener: impl Fn() + Send + Sync + 'static) {
        self.listener.set(Box::new(listener));
    }

    /// Returns how each stream of events stands, in order of priority, the oldest epoch of each first.
    pub fn outbox_heads(&self) -> Vec<OutboxHead> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).heads()
    }

    /// Returns how many events of a stream were lost.
    pub fn outbox_loss(&self, stream: Stream) -> OutboxLoss {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).loss(stream)
    }

    /// Returns which events were dropped for want of room and not [marked as told](Batch::mark_told).
    pub fn outbox_drops(&self) -> Vec<OutboxDrop> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).untold_drops()
    }

    /// Reads events of a stream and epoch in order: those after `after` that the gateway does not have, at most
    /// `max_events`, and about `max_bytes` of data. All are of one boot. Empty when there are none.
    pub fn outbox_slice(
        &self,
        stream: Stream,
        epoch: u64,
        after: u64,
        max_events: usize,
        max_bytes: usize,
    ) -> Result<OutboxSlice, ReadError> {
        let guard = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let engine = guard.as_ref().ok_or(ReadError::Closed)?;
        let limits = SliceLimits { events: max_events.max(1), bytes: max_bytes };
        loop {
            let look_up =
                || self.outbox.lock().unwrap_or_else(PoisonError::into_inner).extent(stream, epoch, after, limits);
            let Some(extent) = look_up() else { return Ok(OutboxSlice::default()) };
            let slice = extent.read(engine, limits);
            // What was removed meanwhile would look like a gap; it is looked up again, further on.
            if look_up().is_some_and(|now| now.starts_like(&extent)) {
                return slice.map_err(|source| ReadError::Database { table: "outbox", source });
            }
        }
    }

    /// Reads one row.
    pub fn get<T: Table>(&self, key: &T::Key) -> Result<Option<T::Row>, ReadError> {
        // A key that cannot be stored leads nowhere.
        let Ok(full) = full_key::<T>(key) else { return Ok(None) };
        let guard = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let engine = guard.as_ref().ok_or(ReadError::Closed)?;
        let bytes = engine.get(&full).map_err(|source| ReadError::Database { table: T::NAME, source })?;
        bytes.map(|bytes| read_row::<T>(&full, &bytes)).transpose()
    }

    /// Reads rows in order. Rows that cannot be read are left out, so that one does not hide the others.
    pub fn query<T: Table>(&self, query: &Query<T>) -> Result<Rows<T>, ReadError> {
        let guard = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let engine = guard.as_ref().ok_or(ReadError::Closed)?;
        let mut rows = Vec::new();
        if query.limit == 0 {
            return Ok(rows);
        }
        let bounds = (query.from.clone(), query.to.clone());
        engine
            .visit(bounds, query.order == Order::Descending, |key, bytes| {
                match (table_key::<T>(key), read_row::<T>(key, bytes)) {
                    (Some(key), Ok(row)) => rows.push((key, row)),
                    (None, _) | (_, Err(_)) => tracing::warn!(table = T::NAME, "row left out, it cannot be read"),
                }
                if rows.len() < query.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
            .map_err(|source| ReadError::Database { table: T::NAME, source })?;
        Ok(rows)
    }

    /// Reads the latest calls, newest first, those before `before` if given.
    pub fn recent_calls(&self, before: Option<&CallByTimeKey>, limit: usize) -> Result<Vec<CallRecord>, ReadError> {
        let mut query = Query::<CallsByTime>::all().order(Order::Descending).limit(limit);
        if let Some(before) = before {
            query = query.before(before);
        }
        let mut calls = Vec::new();
        for (key, ()) in self.query(&query)? {
            calls.extend(self.get::<Calls>(&key.call)?);
        }
        Ok(calls)
    }

    /// Reads the turns of a call, first turn first.
    pub fn turns(&self, call: &CallId) -> Result<Vec<TurnRow>, ReadError> {
        let rows = self.query(&Query::<Turns>::of_call(call))?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// Reads the latest voicemails, newest first, those before `before` if given.
    pub fn recent_voicemails(
        &self,
        before: Option<&VoicemailKey>,
        limit: usize,
    ) -> Result<Vec<VoicemailRecord>, ReadError> {
        let mut query = Query::<Voicemails>::all().order(Order::Descending).limit(limit);
        if let Some(before) = before {
            query = query.before(before);
        }
        Ok(self.query(&query)?.into_iter().map(|(_, row)| row).collect())
    }

    /// Marks a voicemail as heard; `false` if there is none. Blocks until the disk has confirmed it.
    pub fn mark_heard(&self, key: &VoicemailKey) -> Result<bool, StoreError> {
        let Some(mut record) = self.get::<Voicemails>(key)? else { return Ok(false) };
        record.state = VoicemailState::Heard;
        let mut batch = Batch::new();
        batch.put::<Voicemails>(key, &record).map_err(CommitError::from)?;
        self.commit(batch)?;
        Ok(true)
    }

    /// Ends the calls in progress of which `is_interrupted` says that nobody else will end them: before the first call of a
    /// run, all of them.
    ///
    /// Looks at the latest thousand. `tell` may add to the batch in which a call is ended. Returns how many there were.
    pub fn close_interrupted_calls(
        &self,
        is_interrupted: impl Fn(&CallRecord) -> bool,
        mut tell: impl FnMut(&mut Batch, &CallRecord),
    ) -> Result<usize, StoreError> {
        let mut batch = Batch::new();
        let mut count = 0_usize;
        for mut call in self.recent_calls(None, Query::<CallsByTime>::DEFAULT_LIMIT)? {
            if call.outcome == CallOutcome::InProgress && is_interrupted(&call) {
                call.outcome = CallOutcome::Interrupted;
                batch.put_call(&call).map_err(CommitError::from)?;
                tell(&mut batch, &call);
                count = count.saturating_add(1);
            }
        }
        if count > 0 {
            self.commit(batch)?;
        }
        Ok(count)
    }

    /// Forgets webhook tokens first seen before `older_than_wall_ms`, and the oldest beyond `keep`. Returns how many.
    ///
    /// Carriers retry within minutes; a day and ten thousand are plenty.
    pub fn trim_webhook_keys(&self, older_than_wall_ms: u64, keep: usize) -> Result<usize, StoreError> {
        let mut rows = self.query(&Query::<WebhookKeys>::all().limit(usize::MAX))?;
        rows.sort_by_key(|(_, row)| row.first_seen_wall_ms);
        let excess = rows.len().saturating_sub(keep);
        let mut batch = Batch::new();
        for (index, (key, row)) in rows.iter().enumerate() {
            if index < excess || row.first_seen_wall_ms < older_than_wall_ms {
                batch.delete::<WebhookKeys>(key).map_err(CommitError::from)?;
            }
        }
        let count = batch.len();
        if count > 0 {
            self.commit(batch)?;
        }
        Ok(count)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.jobs = None;
        if self.committer.take().is_some_and(|committer| committer.join().is_err()) {
            tracing::warn!("the store's thread panicked");
        }
    }
}

/// Reading or committing failed, where an operation does both.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Reading failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Committing failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

fn read_row<T: Table>(full_key: &[u8], bytes: &[u8]) -> Result<T::Row, ReadError> {
    let frame = frame::decode(bytes).map_err(|error| match error {
        FrameError::Newer(version) => ReadError::Newer { table: T::NAME, version },
        FrameError::NotAFrame | FrameError::Truncated | FrameError::Damaged => ReadError::Damaged { table: T::NAME },
    })?;
    if frame.table != T::ID || frame.key != full_key {
        return Err(ReadError::Damaged { table: T::NAME });
    }
    serde_json::from_slice(frame.payload).map_err(|_content_is_personal| ReadError::Damaged { table: T::NAME })
}

//! What is committed at once.

use std::collections::BTreeSet;

use protocol::{NewEvent, Stream};

use crate::frame::{MAX_KEY_LEN, MAX_PAYLOAD_LEN};
use crate::key::TableKey as _;
use crate::outbox::OutboxDrop;
use crate::records::CallRecord;
use crate::tables::{CallByTimeKey, Calls, CallsByTime, Table};

/// What an event is taken to need on the disk, in bytes, where room is checked and groups are bounded.
const EVENT_ESTIMATE: u64 = 512;

/// Rows to put and delete, of any tables, all or nothing.
///
/// Later operations on a key win over earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(crate) operations: Vec<Operation>,
    pub(crate) must_be_absent: BTreeSet<Vec<u8>>,
    pub(crate) byte_count: u64,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) acknowledged: Vec<(Stream, u64, u64)>,
    pub(crate) epochs: Vec<(Stream, u64)>,
    pub(crate) told: Vec<(Stream, u64, u64)>,
    pub(crate) unhurried: bool,
}

/// One row put, or deleted when it has no payload. The key starts with the table's number.
#[derive(Clone)]
pub(crate) struct Operation {
    pub(crate) key: Vec<u8>,
    pub(crate) payload: Option<Vec<u8>>,
}

impl std::fmt::Debug for Operation {
    /// Shows the table only: keys and rows hold what callers said.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Operation(table {:?})", self.key.first())
    }
}

impl Batch {
    /// Makes an empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a row, in place of the one with the same key.
    pub fn put<T: Table>(&mut self, key: &T::Key, row: &T::Row) -> Result<(), EncodeError> {
        let key = full_key::<T>(key)?;
        let payload = serde_json::to_vec(row).map_err(|source| EncodeError::Unwritable { table: T::NAME, source })?;
        if payload.len() > MAX_PAYLOAD_LEN {
            return Err(EncodeError::TooLarge { table: T::NAME, byte_count: payload.len(), limit: MAX_PAYLOAD_LEN });
        }
        let byte_count = u64::try_from(key.len().saturating_add(payload.len())).unwrap_or(u64::MAX);
        self.byte_count = self.byte_count.saturating_add(byte_count);
        self.operations.push(Operation { key, payload: Some(payload) });
        Ok(())
    }

    /// Deletes a row; no matter if there is none.
    pub fn delete<T: Table>(&mut self, key: &T::Key) -> Result<(), EncodeError> {
        let key = full_key::<T>(key)?;
        self.operations.push(Operation { key, payload: None });
        Ok(())
    }

    /// Makes the commit fail with [`CommitError::Conflict`](crate::CommitError::Conflict) if the row exists.
    ///
    /// Checked where the batch is applied, so of two commits at the same time one wins.
    pub fn require_absent<T: Table>(&mut self, key: &T::Key) -> Result<(), EncodeError> {
        self.must_be_absent.insert(full_key::<T>(key)?);
        Ok(())
    }

    /// Puts a call into [`Calls`] and [`CallsByTime`].
    ///
    /// A call's start never changes, so the second needs no clearing up.
    pub fn put_call(&mut self, record: &CallRecord) -> Result<(), EncodeError> {
        self.put::<Calls>(&record.call, record)?;
        let key = CallByTimeKey { started_wall_ms: record.started_wall_ms, call: record.call.clone() };
        self.put::<CallsByTime>(&key, &())
    }

    /// Adds an event that tells of what is in this batch. It gets its number when the batch is committed.
    pub fn emit(&mut self, event: NewEvent) {
        self.byte_count = self.byte_count.saturating_add(EVENT_ESTIMATE);
        self.events.push(event);
    }

    /// Notes that the gateway has the events of a stream and epoch up to `through`; they are removed.
    pub fn acknowledge(&mut self, stream: Stream, epoch: u64, through: u64) {
        self.acknowledged.push((stream, epoch, through));
    }

    /// Begins a new epoch of a stream, numbered `at_least` or higher: for when the gateway knows of events that this
    /// store does not.
    pub fn begin_epoch(&mut self, stream: Stream, at_least: u64) {
        self.epochs.push((stream, at_least));
    }

    /// Notes that this batch tells of a drop, so that it is not told again.
    pub fn mark_told(&mut self, drop: &OutboxDrop) {
        self.told.push((drop.stream, drop.epoch, drop.to));
    }

    /// Lets the commit wait for others for [`StoreConfig::linger`](crate::StoreConfig::linger), so that they share an
    /// `fsync`: for logs and figures, that nobody waits for.
    pub fn unhurried(&mut self) {
        self.unhurried = true;
    }

    /// Returns how many operations and events there are.
    pub fn len(&self) -> usize {
        self.operations.len().saturating_add(self.events.len())
    }

    /// Tells whether nothing is written but what makes room.
    pub(crate) fn only_removes(&self) -> bool {
        self.events.is_empty() && self.operations.iter().all(|operation| operation.payload.is_none())
    }

    /// Tells whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
            && self.must_be_absent.is_empty()
            && self.acknowledged.is_empty()
            && self.epochs.is_empty()
            && self.told.is_empty()
    }
}

/// Returns the key in the one tree: the table's number, then the table's key.
pub(crate) fn full_key<T: Table>(key: &T::Key) -> Result<Vec<u8>, EncodeError> {
    let encoded = key.encode();
    if encoded.len() >= MAX_KEY_LEN {
        return Err(EncodeError::KeyTooLong { table: T::NAME, byte_count: encoded.len(), limit: MAX_KEY_LEN });
    }
    let mut full = Vec::with_capacity(encoded.len().saturating_add(1));
    full.push(T::ID);
    full.extend(encoded);
    Ok(full)
}

/// A row that cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It does not fit.
    #[error("row of table {table} has {byte_count} bytes, at most {limit} fit")]
    TooLarge {
        /// The table.
        table: &'static str,
        /// Its size as JSON, in bytes.
        byte_count: usize,
        /// The largest size, in bytes.
        limit: usize,
    },
    /// Its key does not fit.
    #[error("key of table {table} has {byte_count} bytes, less than {limit} fit")]
    KeyTooLong {
        /// The table.
        table: &'static str,
        /// Its size, in bytes.
        byte_count: usize,
        /// The first size that does not fit, in bytes.
        limit: usize,
    },
    /// JSON cannot hold it.
    #[error("row of table {table} cannot be written as JSON")]
    Unwritable {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

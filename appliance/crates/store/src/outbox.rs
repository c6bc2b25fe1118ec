//! Events on their way to the gateway: written with the fact they tell of, kept until the gateway has them.
//!
//! Each stream numbers its events from 1, in the order of commits, without gaps. The commit thread gives the numbers,
//! so that two commits at the same time cannot get the same ones. What a number means depends on the epoch: when the
//! store lost or may have lost rows, numbers may have been given twice, and a new epoch begins. Events of the old one
//! that are still there go out first, under their own numbers.
//!
//! On disk a stream is a head row and chunks of events ([`chunk`]). The head is written in the same batch as the chunks
//! it speaks of. Chunks that are removed leave no tombstone: the head says from where on they count.
//!
//! **Invariant:** an event is handed out only after the disk has confirmed it.
//! **Invariant:** an event is removed only when the gateway has it, or, for streams that may lose some, when there is
//! no room; then it is counted, and its number is told as skipped.

pub(crate) mod chunk;
mod drops;
mod plan;
mod read;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::{Bound, ControlFlow};

use protocol::{Stream, next_epoch};
use serde::{Deserialize, Serialize};

use self::chunk::{CHUNK_TABLE, ChunkKey};
use self::drops::Drops;
pub use self::drops::{DropCause, OutboxDrop};
pub(crate) use self::plan::{Plan, Request};
pub(crate) use self::read::SliceLimits;
pub use self::read::{OutboxSlice, SkipCause, Skipped};
use crate::batch::Operation;
use crate::engine::Engine;
use crate::frame;
use crate::tables::{Meta, Table as _};

/// Start of the keys of head rows. They stand beside the commit record: few small rows, as sled rewrites neighbours.
const HEAD_PREFIX: &[u8] = b"\x01outbox/";
const _: () = assert!(Meta::ID == 1, "head rows are kept in the meta table");
/// Epochs of one stream at once. Each stands for a database that was damaged before its events were sent.
const MAX_EPOCHS: usize = 16;
/// Numbers passed over when there are too many epochs: more than were ever given since the last one.
const EPOCH_LEAP: u64 = 1 << 32;

/// How much of the streams that may lose events is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxLimits {
    /// Bytes that each stream that may lose events takes on the disk at most. 16 MiB: a week of warnings.
    pub lossy_stream_bytes: u64,
    /// Free space below which such streams keep nothing, in bytes. 64 MiB: what is left is for calls.
    pub lossy_free_bytes: u64,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self { lossy_stream_bytes: 16 * 1024 * 1024, lossy_free_bytes: 64 * 1024 * 1024 }
    }
}

/// How a stream's events of one epoch stand. Confirmed by the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxHead {
    /// The stream.
    pub stream: Stream,
    /// The epoch; greater than those before it.
    pub epoch: u64,
    /// Whether new events get their numbers from this epoch; there is one such per stream, the last.
    pub open: bool,
    /// Everything up to here is with the gateway; zero at first.
    pub through: u64,
    /// The number that the next event gets.
    pub next: u64,
    /// Bytes its events take on the disk, as rows.
    pub bytes: u64,
}

/// How many events of a stream were lost, since the store was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxLoss {
    /// For want of room.
    pub dropped: u64,
    /// By damage to the database.
    pub damaged: u64,
}

/// All streams, as the disk has confirmed them. Small: numbers only, some 30 bytes for a chunk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    lanes: BTreeMap<Stream, Lane>,
}

/// One stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    /// Oldest first; the last one is open. Empty before the first event.
    pub(super) epochs: VecDeque<Epoch>,
    pub(super) loss: OutboxLoss,
    pub(super) drops: Drops,
}

/// The events of one epoch of a stream.
#[derive(Clone, Debug)]
pub(super) struct Epoch {
    pub(super) number: u64,
    pub(super) next: u64,
    pub(super) through: u64,
    /// Events up to here that are not there and not with the gateway were dropped for want of room.
    pub(super) dropped_through: u64,
    pub(super) chunks: VecDeque<Chunk>,
    /// The sum over the chunks.
    pub(super) bytes: u64,
}

/// A chunk there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) bytes: u64,
}

impl Epoch {
    pub(super) fn new(number: u64) -> Self {
        Self { number, next: 1, through: 0, dropped_through: 0, chunks: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn push(&mut self, chunk: Chunk) {
        self.next = self.next.max(chunk.last.saturating_add(1));
        self.bytes = self.bytes.saturating_add(chunk.bytes);
        self.chunks.push_back(chunk);
    }

    pub(super) fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.bytes = self.bytes.saturating_sub(chunk.bytes);
        Some(chunk)
    }

    /// Tells whether nothing is left to be sent.
    fn is_done(&self) -> bool {
        self.through.saturating_add(1) >= self.next
    }

    fn row(&self) -> EpochRow {
        EpochRow {
            epoch: self.number,
            first: self.chunks.front().map_or(self.next, |chunk| chunk.first),
            next: self.next,
            through: self.through,
            dropped_through: self.dropped_through,
        }
    }
}

/// A stream's row: one for each, so that a commit writes only those it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct HeadRow {
    epochs: Vec<EpochRow>,
    dropped: u64,
    damaged: u64,
    #[serde(skip_serializing_if = "Drops::is_empty")]
    drops: Drops,
}

/// How an epoch stands, on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct EpochRow {
    epoch: u64,
    /// Chunks before this number were removed.
    first: u64,
    next: u64,
    through: u64,
    dropped_through: u64,
}

pub(super) fn head_key(stream: Stream) -> Vec<u8> {
    [HEAD_PREFIX, stream.as_str().as_bytes()].concat()
}

impl Outbox {
    /// Reads what there is, deletes chunks nobody counts any more, and begins new epochs if rows may have been lost.
    ///
    /// Returns what has to be written for it. `lost` tells whether rows may be gone; `wall_ms` is used to name a new
    /// epoch, so that it is greater than those of a database that is gone altogether.
    pub(crate) fn load(engine: &Engine, lost: bool, wall_ms: u64) -> io::Result<(Self, Vec<Operation>)> {
        let mut outbox = Self::default();
        let mut operations = Vec::new();
        for stream in Stream::ALL {
            let head = engine.get(&head_key(stream))?.and_then(|bytes| read_head(&bytes));
            let had_head = head.is_some();
            let mut lane = Lane::of(&head.unwrap_or_default());
            let orphans = lane.find_chunks(engine, stream)?;
            operations.extend(orphans.into_iter().map(|key| Operation { key, payload: None }));
            if lane.epochs.is_empty() {
                // Its first epoch begins with its first event.
                continue;
            }
            if lost || !had_head {
                lane.begin_epoch(wall_ms);
                operations.push(lane.put(stream)?);
            }
            outbox.lanes.insert(stream, lane);
        }
        Ok((outbox, operations))
    }

    /// Returns how each stream stands, in order of priority, oldest epoch first.
    pub(crate) fn heads(&self) -> Vec<OutboxHead> {
        let head = |stream, epoch: &Epoch, open| OutboxHead {
            stream,
            epoch: epoch.number,
            open,
            through: epoch.through,
            next: epoch.next,
            bytes: epoch.bytes,
        };
        let mut heads = Vec::new();
        for (stream, lane) in &self.lanes {
            let last = lane.epochs.len().saturating_sub(1);
            heads.extend(lane.epochs.iter().enumerate().map(|(index, epoch)| head(*stream, epoch, index == last)));
        }
        heads
    }

    /// Returns what was lost of a stream.
    pub(crate) fn loss(&self, stream: Stream) -> OutboxLoss {
        self.lanes.get(&stream).map_or_else(OutboxLoss::default, |lane| lane.loss)
    }

    /// Returns what was dropped and is not marked as told.
    pub(crate) fn untold_drops(&self) -> Vec<OutboxDrop> {
        self.lanes.iter().flat_map(|(stream, lane)| lane.drops.untold(*stream)).collect()
    }

    fn epoch(&self, stream: Stream, epoch: u64) -> Option<&Epoch> {
        self.lanes.get(&stream)?.epochs.iter().find(|known| known.number == epoch)
    }
}

impl Lane {
    fn of(row: &HeadRow) -> Self {
        let epoch = |row: &EpochRow| Epoch {
            number: row.epoch,
            next: row.next.max(1),
            through: row.through,
            dropped_through: row.dropped_through,
            chunks: VecDeque::new(),
            bytes: 0,
        };
        let mut epochs: VecDeque<Epoch> = row.epochs.iter().map(epoch).collect();
        epochs.make_contiguous().sort_by_key(|epoch| epoch.number);
        Self { epochs, loss: OutboxLoss { dropped: row.dropped, damaged: row.damaged }, drops: row.drops.clone() }
    }

    /// Fills in the chunks that are there. Returns the keys of those that do not count: unreadable, or with the
    /// gateway already.
    fn find_chunks(&mut self, engine: &Engine, stream: Stream) -> io::Result<Vec<Vec<u8>>> {
        let mut orphans = Vec::new();
        let [table, number] = chunk::prefix(stream);
        let bounds = (Bound::Included(vec![table, number]), Bound::Excluded(vec![table, number.saturating_add(1)]));
        engine.visit(bounds, false, |key, value| {
            let counted = ChunkKey::decode(key).and_then(|found| {
                let frame = frame::decode(value).ok().filter(|frame| frame.key == key)?;
                let last = found.first.checked_add(chunk::count(frame.payload)?.checked_sub(1)?)?;
                let bytes = u64::try_from(value.len()).unwrap_or(u64::MAX);
                self.note_chunk(found.epoch, Chunk { first: found.first, last, bytes }).then_some(())
            });
            if counted.is_none() {
                orphans.push(key.to_vec());
            }
            ControlFlow::Continue(())
        })?;
        Ok(orphans)
    }

    /// Notes a chunk found on disk, in order; `false` when it does not count.
    fn note_chunk(&mut self, number: u64, chunk: Chunk) -> bool {
        if !self.epochs.iter().any(|known| known.number == number) {
            // The head is older than the chunk, or gone: what the gateway has of it is not known.
            self.epochs.push_back(Epoch::new(number));
            self.epochs.make_contiguous().sort_by_key(|epoch| epoch.number);
        }
        let Some(epoch) = self.epochs.iter_mut().find(|known| known.number == number) else { return false };
        let expected = epoch.chunks.back().map_or(1, |before| before.last.saturating_add(1));
        if chunk.last <= epoch.through || chunk.first < expected {
            return false;
        }
        epoch.push(chunk);
        true
    }

    /// Begins an epoch, unless nothing was ever numbered in the last one.
    pub(super) fn begin_epoch(&mut self, at_least: u64) {
        let full = self.epochs.len() >= MAX_EPOCHS;
        match self.epochs.back_mut() {
            Some(last) if last.next == 1 && last.number >= at_least => return,
            // As good: no number is given twice, and the gateway is told of a gap.
            Some(last) if full => {
                last.next = last.next.saturating_add(EPOCH_LEAP);
                last.dropped_through = last.next.saturating_sub(1);
                return;
            }
            Some(_) | None => {}
        }
        let number = next_epoch(self.epochs.back().map(|last| last.number), at_least);
        self.epochs.push_back(Epoch::new(number));
        self.forget_done();
    }

    /// Forgets epochs that are over and with the gateway.
    pub(super) fn forget_done(&mut self) {
        while self.epochs.len() > 1 && self.epochs.front().is_some_and(Epoch::is_done) {
            self.epochs.pop_front();
        }
        let epochs = &self.epochs;
        self.drops.forget(|number| epochs.iter().find(|epoch| epoch.number == number).map(|epoch| epoch.through));
    }

    pub(super) fn put(&self, stream: Stream) -> io::Result<Operation> {
        let row = HeadRow {
            epochs: self.epochs.iter().map(Epoch::row).collect(),
            dropped: self.loss.dropped,
            damaged: self.loss.damaged,
            drops: self.drops.clone(),
        };
        Ok(Operation { key: head_key(stream), payload: Some(serde_json::to_vec(&row)?) })
    }
}

/// What the head rows say of chunks found in the bytes of a database.
#[derive(Debug, Default)]
pub(crate) struct RemovedChunks {
    heads: BTreeMap<Stream, HeadRow>,
}

impl RemovedChunks {
    /// Notes the frame of a head row; anything else is passed over.
    pub(crate) fn note(&mut self, key: &[u8], frame: &[u8]) {
        let stream = Stream::ALL.into_iter().find(|stream| head_key(*stream) == key);
        if let (Some(stream), Some(head)) = (stream, read_head(frame)) {
            self.heads.insert(stream, head);
        }
    }

    /// Tells whether `key` is a chunk that was removed.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        let Some(chunk) = ChunkKey::decode(key) else { return false };
        let Some(head) = self.heads.get(&chunk.stream) else { return false };
        match head.epochs.iter().find(|known| known.epoch == chunk.epoch) {
            Some(epoch) => chunk.first < epoch.first,
            // Epochs are forgotten when the gateway has all of them; later ones than the last are not known yet.
            None => head.epochs.last().is_some_and(|last| chunk.epoch < last.epoch),
        }
    }
}

/// Tells whether a row is part of the outbox, where no tombstones are needed.
pub(crate) fn is_chunk(key: &[u8]) -> bool {
    key.first() == Some(&CHUNK_TABLE)
}

/// Tells whether a row is the head of a stream.
pub(crate) fn is_head(key: &[u8]) -> bool {
    key.starts_with(HEAD_PREFIX)
}

fn read_head(bytes: &[u8]) -> Option<HeadRow> {
    serde_json::from_slice(frame::decode(bytes).ok()?.payload).ok()
}

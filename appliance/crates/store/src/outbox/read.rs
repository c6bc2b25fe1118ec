//! Handing out events in order, with what is missing between them.

use std::io;

use protocol::{Event, Stream};

use super::chunk::{self, ChunkKey};
use super::drops::Run;
use super::{Chunk, DropCause, Outbox};
use crate::engine::Engine;
use crate::frame;

/// Gaps told in one slice at most.
const MAX_SKIPPED: usize = 16;

/// A part of a stream, in order.
#[derive(Debug, Default)]
pub struct OutboxSlice {
    /// The boot the events belong to; zero when there are none.
    pub boot: u64,
    /// Numbers that nobody will ever send, in order, each before, between or after the events.
    pub skipped: Vec<Skipped>,
    /// The events, in order.
    pub events: Vec<Event>,
}

impl OutboxSlice {
    /// Returns the last number the slice speaks of; zero when it is empty.
    pub fn last(&self) -> u64 {
        let event = self.events.last().map_or(0, |event| event.seq);
        self.skipped.last().map_or(0, |skipped| skipped.to).max(event)
    }
}

/// Numbers of events that are gone, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// Why.
    pub cause: SkipCause,
}

/// Why events are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipCause {
    /// The stream may lose some, and took as many bytes as it may.
    Cap,
    /// The stream may lose some, and the disk was nearly full.
    Disk,
    /// The database was damaged.
    Damaged,
}

/// How much a slice may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SliceLimits {
    /// Events.
    pub(crate) events: usize,
    /// Bytes of their JSON. Events that were kept together come together, so a slice may be larger when it begins with
    /// a larger chunk.
    pub(crate) bytes: usize,
}

/// Where a slice comes from, looked up at once.
pub(crate) struct Extent {
    stream: Stream,
    epoch: u64,
    /// The first number wanted.
    from: u64,
    next: u64,
    dropped_through: u64,
    drops: Vec<Run>,
    chunks: Vec<Chunk>,
}

impl Outbox {
    /// Looks up where the events after `after` are; `None` when there are none, nor gaps to be told.
    pub(crate) fn extent(&self, stream: Stream, epoch: u64, after: u64, limits: SliceLimits) -> Option<Extent> {
        let found = self.epoch(stream, epoch)?;
        let drops = self.lanes.get(&stream)?.drops.of_epoch(epoch);
        let from = after.max(found.through).saturating_add(1);
        if from >= found.next {
            return None;
        }
        let start = found.chunks.partition_point(|chunk| chunk.last < from);
        let chunks = found.chunks.range(start..).take(limits.events).copied().collect();
        Some(Extent { stream, epoch, from, next: found.next, dropped_through: found.dropped_through, drops, chunks })
    }
}

impl Extent {
    /// Tells whether the same events come first, so that nothing read in between was removed before it was read.
    pub(crate) fn starts_like(&self, other: &Self) -> bool {
        self.from == other.from
            && self.dropped_through == other.dropped_through
            && self.chunks.first() == other.chunks.first()
    }

    /// Reads the slice.
    pub(crate) fn read(&self, engine: &Engine, limits: SliceLimits) -> io::Result<OutboxSlice> {
        let mut slice = OutboxSlice::default();
        let mut expected = self.from;
        let mut room = limits.bytes;
        for chunk in &self.chunks {
            let Some((content, len)) = self.read_chunk(engine, *chunk)? else { continue };
            let is_full = slice.events.len().saturating_add(content.events.len()) > limits.events || len > room;
            if !slice.events.is_empty() && (is_full || content.boot != slice.boot) {
                return Ok(slice);
            }
            self.skip(&mut slice, expected, chunk.first);
            expected = expected.max(chunk.first);
            slice.boot = content.boot;
            slice.events.extend(content.events.into_iter().filter(|event| event.seq >= expected));
            expected = chunk.last.saturating_add(1);
            room = room.saturating_sub(len);
            if slice.skipped.len() >= MAX_SKIPPED {
                return Ok(slice);
            }
        }
        if self.chunks.len() < limits.events {
            // There are no chunks behind these.
            self.skip(&mut slice, expected, self.next);
        }
        Ok(slice)
    }

    /// Reads a chunk and returns how long its JSON is; `None` when it cannot be read, and its numbers become a gap.
    fn read_chunk(&self, engine: &Engine, chunk: Chunk) -> io::Result<Option<(chunk::Content, usize)>> {
        let key = ChunkKey { stream: self.stream, epoch: self.epoch, first: chunk.first }.encode();
        let Some(bytes) = engine.get(&key)? else { return Ok(None) };
        let Ok(frame) = frame::decode(&bytes) else { return Ok(None) };
        if frame.key != key {
            return Ok(None);
        }
        Ok(chunk::decode(frame.payload).ok())
    }

    /// Notes that numbers from `from` to before `to` are gone, if there are any.
    fn skip(&self, slice: &mut OutboxSlice, from: u64, to: u64) {
        let mut push = |from: u64, to: u64, cause| {
            if from < to {
                slice.skipped.push(Skipped { from, to: to.saturating_sub(1), cause });
            }
        };
        let dropped_to = to.min(self.dropped_through.saturating_add(1)).max(from);
        let mut at = from;
        for run in &self.drops {
            let (start, end) = (run.from.max(at), run.to.saturating_add(1).min(dropped_to));
            if start < end {
                let cause = match run.cause {
                    DropCause::Cap => SkipCause::Cap,
                    DropCause::Disk => SkipCause::Disk,
                };
                // Dropped by a release that did not note why: it had one reason.
                push(at, start, SkipCause::Cap);
                push(start, end, cause);
                at = end;
            }
        }
        push(at, dropped_to, SkipCause::Cap);
        push(dropped_to, to, SkipCause::Damaged);
    }
}

//! What a group of commits does to the outbox: decided before anything is written.

use std::collections::BTreeMap;
use std::io;

use protocol::{NewEvent, Stream};

use super::chunk::{self, ChunkKey};
use super::{Chunk, DropCause, Lane, Outbox, OutboxLimits};
use crate::batch::Operation;
use crate::frame;

/// Chunks removed in one commit at most; the rest goes with later ones. 256 are 16,000 events, and 20 kB to be written.
const MAX_REMOVED: usize = 256;

/// What the commits of a group ask of the outbox.
#[derive(Debug, Default)]
pub(crate) struct Request<'a> {
    /// New events, in order.
    pub(crate) events: Vec<&'a NewEvent>,
    /// What the gateway has: stream, epoch, and the last event of it.
    pub(crate) acknowledged: Vec<(Stream, u64, u64)>,
    /// Epochs to begin, at this number or higher.
    pub(crate) epochs: Vec<(Stream, u64)>,
    /// What was dropped and is told in this group: stream, epoch, and the last number.
    pub(crate) told: Vec<(Stream, u64, u64)>,
}

impl Request<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.acknowledged.is_empty() && self.epochs.is_empty() && self.told.is_empty()
    }
}

/// What is to be written, and what is true once the disk has confirmed it.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Rows to put and delete.
    pub(crate) operations: Vec<Operation>,
    changes: Vec<(Stream, Change)>,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    BeginEpoch {
        at_least: u64,
    },
    Push(Chunk),
    Acknowledge {
        epoch: u64,
        through: u64,
    },
    /// Removes the oldest chunk, which the gateway has.
    RemoveOldest,
    /// Drops the oldest chunk. What the gateway does not have of it is lost.
    DropOldest(DropCause),
    /// What was dropped up to here is told.
    MarkTold {
        epoch: u64,
        through: u64,
    },
    ForgetDone,
}

impl Plan {
    /// Makes the plan come true in a copy of the outbox it was made with.
    pub(crate) fn apply(&self, outbox: &mut Outbox) {
        for (stream, change) in &self.changes {
            outbox.lanes.entry(*stream).or_default().change(*change);
        }
    }

    fn change(&mut self, lane: &mut Lane, stream: Stream, change: Change) {
        lane.change(change);
        self.changes.push((stream, change));
    }
}

impl Outbox {
    /// Plans what `request` does, and does it to `self`. When the disk does not confirm the plan's operations, `self`
    /// has to be replaced by what was there before.
    pub(crate) fn plan(&mut self, request: &Request<'_>, limits: &OutboxLimits, free_bytes: u64) -> io::Result<Plan> {
        let mut plan = Plan::default();
        let mut touched = BTreeMap::<Stream, Vec<&NewEvent>>::new();
        for (stream, at_least) in &request.epochs {
            let lane = self.lanes.entry(*stream).or_default();
            plan.change(lane, *stream, Change::BeginEpoch { at_least: *at_least });
            touched.entry(*stream).or_default();
        }
        for (stream, epoch, through) in &request.acknowledged {
            let Some(lane) = self.lanes.get_mut(stream) else { continue };
            plan.change(lane, *stream, Change::Acknowledge { epoch: *epoch, through: *through });
            touched.entry(*stream).or_default();
        }
        for (stream, epoch, through) in &request.told {
            let Some(lane) = self.lanes.get_mut(stream) else { continue };
            plan.change(lane, *stream, Change::MarkTold { epoch: *epoch, through: *through });
            touched.entry(*stream).or_default();
        }
        for event in &request.events {
            touched.entry(event.stream).or_default().push(event);
        }
        let is_disk_full = free_bytes < limits.lossy_free_bytes;
        if is_disk_full {
            // Whoever commits makes room, not only who needs it.
            let held = self.lanes.iter().filter(|(stream, lane)| stream.may_drop() && lane.bytes() > 0);
            for (stream, _) in held {
                touched.entry(*stream).or_default();
            }
        }
        for (stream, events) in touched {
            let lane = self.lanes.entry(stream).or_default();
            plan.add(lane, stream, &events)?;
            plan.remove(lane, stream);
            if stream.may_drop() {
                let (room, cause) =
                    if is_disk_full { (0, DropCause::Disk) } else { (limits.lossy_stream_bytes, DropCause::Cap) };
                plan.drop_oldest(lane, stream, room, cause);
            }
            plan.change(lane, stream, Change::ForgetDone);
            plan.operations.push(lane.put(stream)?);
        }
        Ok(plan)
    }
}

impl Plan {
    fn add(&mut self, lane: &mut Lane, stream: Stream, events: &[&NewEvent]) -> io::Result<()> {
        if let (Some(event), true) = (events.first(), lane.epochs.is_empty()) {
            self.change(lane, stream, Change::BeginEpoch { at_least: event.stamp.wall_ms });
        }
        for of_one_boot in events.chunk_by(|one, other| one.stamp.boot == other.stamp.boot) {
            let (Some(epoch), Some(first)) = (lane.epochs.back(), of_one_boot.first()) else { return Ok(()) };
            let number = epoch.number;
            let numbered = (epoch.next..).zip(of_one_boot).map(|(seq, event)| NewEvent::clone(event).numbered(seq));
            let events = numbered.map(|event| serde_json::to_string(&event)).collect::<Result<Vec<_>, _>>()?;
            for (first, last, payload) in chunk::pack(first.stamp.boot, epoch.next, &events)? {
                let key = ChunkKey { stream, epoch: number, first }.encode();
                let bytes = frame::HEADER_LEN.saturating_add(key.len()).saturating_add(payload.len());
                let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
                self.change(lane, stream, Change::Push(Chunk { first, last, bytes }));
                self.operations.push(Operation { key, payload: Some(payload) });
            }
        }
        Ok(())
    }

    /// Removes what the gateway has.
    fn remove(&mut self, lane: &mut Lane, stream: Stream) {
        for _ in 0..MAX_REMOVED {
            let oldest = lane.oldest().filter(|(epoch, chunk)| chunk.last <= epoch.through);
            let Some(key) = oldest.map(|(epoch, chunk)| ChunkKey { stream, epoch: epoch.number, first: chunk.first })
            else {
                return;
            };
            self.operations.push(Operation { key: key.encode(), payload: None });
            self.change(lane, stream, Change::RemoveOldest);
        }
    }

    /// Drops the oldest events until the rest takes no more than `room` bytes.
    fn drop_oldest(&mut self, lane: &mut Lane, stream: Stream, room: u64, cause: DropCause) {
        while lane.bytes() > room {
            let Some((epoch, chunk)) = lane.oldest() else { return };
            let key = ChunkKey { stream, epoch: epoch.number, first: chunk.first };
            self.operations.push(Operation { key: key.encode(), payload: None });
            self.change(lane, stream, Change::DropOldest(cause));
        }
    }
}

impl Lane {
    /// Returns the bytes that its events take on the disk.
    fn bytes(&self) -> u64 {
        self.epochs.iter().fold(0_u64, |sum, epoch| sum.saturating_add(epoch.bytes))
    }

    /// Returns the oldest chunk and its epoch.
    fn oldest(&self) -> Option<(&super::Epoch, Chunk)> {
        self.epochs.iter().find_map(|epoch| Some((epoch, *epoch.chunks.front()?)))
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::BeginEpoch { at_least } => self.begin_epoch(at_least),
            Change::Push(chunk) => {
                if let Some(epoch) = self.epochs.back_mut() {
                    epoch.push(chunk);
                }
            }
            Change::Acknowledge { epoch, through } => self.acknowledge(epoch, through),
            Change::RemoveOldest => {
                self.pop_oldest();
            }
            Change::DropOldest(cause) => {
                let Some((epoch, first, last)) = self.pop_oldest() else { return };
                let count = last.saturating_sub(first).saturating_add(1);
                self.loss.dropped = self.loss.dropped.saturating_add(count);
                self.drops.note(epoch, first, last, cause);
            }
            Change::MarkTold { epoch, through } => self.drops.mark_told(epoch, through),
            Change::ForgetDone => self.forget_done(),
        }
    }

    /// Takes the oldest chunk out. Returns what the gateway does not have of it: the epoch, the first and the last number.
    fn pop_oldest(&mut self) -> Option<(u64, u64, u64)> {
        let epoch = self.epochs.iter_mut().find(|epoch| !epoch.chunks.is_empty())?;
        let chunk = epoch.pop()?;
        let first = chunk.first.max(epoch.through.saturating_add(1));
        if first > chunk.last {
            return None;
        }
        epoch.dropped_through = chunk.last;
        Some((epoch.number, first, chunk.last))
    }

    /// Notes what the gateway has. Numbers passed over that are neither there nor dropped were damaged.
    fn acknowledge(&mut self, number: u64, through: u64) {
        let Some(epoch) = self.epochs.iter_mut().find(|known| known.number == number) else { return };
        let through = through.min(epoch.next.saturating_sub(1));
        let mut expected = epoch.through.max(epoch.dropped_through).saturating_add(1);
        let mut damaged = 0_u64;
        for chunk in epoch.chunks.iter().take_while(|chunk| chunk.first <= through) {
            if chunk.last < expected {
                continue;
            }
            damaged = damaged.saturating_add(chunk.first.saturating_sub(expected));
            expected = chunk.last.saturating_add(1);
        }
        damaged = damaged.saturating_add(through.saturating_add(1).saturating_sub(expected));
        if through > epoch.through {
            epoch.through = through;
            self.loss.damaged = self.loss.damaged.saturating_add(damaged);
        }
    }
}

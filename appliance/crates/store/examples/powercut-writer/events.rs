//! Events in the outbox, whose content follows from their number and the batch that emitted them.

use protocol::{Event, EventId, Kind, NewEvent, Stamp, Stream};
use serde_json::json;
use store::{Batch, OutboxHead, Store};

use crate::rows::text;
use crate::{Outcome, say};

/// The stream they go into: one that never drops any.
const STREAM: Stream = Stream::Calls;
/// Events read at once.
const AT_ONCE: usize = 64;

/// An event that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The row's number.
    pub(crate) number: u64,
    /// The batch that emitted it.
    pub(crate) batch: u64,
    epoch: u64,
    seq: u64,
}

/// Emits the event of a number as a batch does.
pub(crate) fn emit(batch: &mut Batch, number: u64, batch_number: u64) -> Outcome<()> {
    let stamp = Stamp { boot: 1, mono_ms: number, wall_ms: batch_number, time_synced: true };
    batch.emit(NewEvent::raw(STREAM, Kind::CALL_ENDED, id(number, batch_number), stamp, data(number, batch_number))?);
    Ok(())
}

/// Takes the older half of `found` out of the outbox, as a watermark does; returns the numbers.
pub(crate) fn acknowledge(batch: &mut Batch, found: &[Found]) -> Vec<u64> {
    let Some(last) = found.get(..found.len() / 2).and_then(<[Found]>::last) else { return Vec::new() };
    batch.acknowledge(STREAM, last.epoch, last.seq);
    // Of one epoch only: the one before has to be empty first.
    found.iter().filter(|event| event.epoch == last.epoch && event.seq <= last.seq).map(|event| event.number).collect()
}

/// Reads every event, and complains of those that are not as they were emitted, or not one after the other.
pub(crate) fn read_all(store: &Store) -> Outcome<Vec<Found>> {
    let mut found = Vec::new();
    for head in store.outbox_heads().into_iter().filter(|head| head.stream == STREAM) {
        let OutboxHead { epoch, through, next, .. } = head;
        let mut last = through;
        loop {
            let slice = store.outbox_slice(STREAM, epoch, last, AT_ONCE, usize::MAX)?;
            if slice.events.is_empty() {
                break;
            }
            for event in &slice.events {
                if event.seq != last + 1 {
                    say(&format!("bad event {} after {last}", event.seq))?;
                }
                last = event.seq;
                found.push(read(event, epoch)?);
            }
        }
        if last + 1 != next {
            say(&format!("bad events end at {last}, the next is {next}"))?;
        }
    }
    Ok(found)
}

fn read(event: &Event, epoch: u64) -> Outcome<Found> {
    let number = event.mono_ms;
    let batch = event.wall_ms;
    let as_emitted = event.id == id(number, batch) && *event.data.reveal() == data(number, batch);
    if !as_emitted {
        say(&format!("bad event of row {number}"))?;
    }
    Ok(Found { number, batch, epoch, seq: event.seq })
}

fn id(number: u64, batch: u64) -> EventId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..].copy_from_slice(&batch.to_be_bytes());
    EventId::from_random_bytes(bytes)
}

fn data(number: u64, batch: u64) -> serde_json::Value {
    json!({ "text": text(number, batch) })
}

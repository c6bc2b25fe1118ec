//! Tests, by what they are about.

mod bad_input;
mod batches;
mod documents;
mod golden;
mod topics;

use serde_json::json;

use crate::{DeviceId, Event, EventBatch, EventId, Kind, NewEvent, Stamp, Stream, Topic, V1};

fn device(name: &str) -> DeviceId {
    name.parse().unwrap()
}

fn up(name: &str, stream: Stream) -> Topic {
    Topic::Up { device: device(name), stream }
}

/// An event whose data is `len` bytes of text.
fn event_of_len(seq: u64, len: usize) -> Event {
    let stamp = Stamp { boot: 5, mono_ms: seq * 10, wall_ms: 1_790_000_000_000 + seq * 10, time_synced: true };
    let id = EventId::from_random_bytes(u128::from(seq).to_be_bytes());
    NewEvent::raw(Stream::Calls, Kind::CALL_TURN, id, stamp, json!({ "text": "x".repeat(len) })).unwrap().numbered(seq)
}

fn event(seq: u64) -> Event {
    event_of_len(seq, 10)
}

fn batch(seqs: &[u64]) -> EventBatch {
    EventBatch {
        v: V1,
        device: device("office-17"),
        stream: Stream::Calls,
        epoch: 3,
        boot: 5,
        sent_at_ms: None,
        sent_mono_ms: None,
        skipped: Vec::new(),
        events: seqs.iter().copied().map(event).collect(),
        extra: crate::Extra::default(),
    }
}

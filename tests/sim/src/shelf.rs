//! The outbox of a simulated device: in memory, bounded, and small enough for thousands of them.
//!
//! Of an event that waits only what cannot be made again is kept, 16 bytes: when it happened and a random number. The
//! event itself is made of them whenever it is sent, the same each time.

use std::collections::VecDeque;

use protocol::{Event, EventId, Kind, NewEvent, NewEventError, SeqRange, Skipped, Stamp, Stream};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use sync::outbox::{Head, Slice, Wanted};

use crate::behaviour::Clock;

/// Five years, in milliseconds.
const FIVE_YEARS_MS: u64 = 5 * 365 * 24 * 60 * 60 * 1_000;
/// About how long the JSON of an event is, in bytes, for the sums in the reported state.
const EVENT_LEN: u64 = 300;

/// What is kept of an event that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// When it happened, in milliseconds since the simulation began.
    pub at_ms: u64,
    /// What its identity and its data are made of.
    pub salt: u64,
}

/// What all events of a stream have in common.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The stream.
    pub stream: Stream,
    /// The run of the program, which is also the epoch of the outbox.
    pub boot: u64,
    /// What the wall clock shows.
    pub clock: Clock,
    /// What it would show at the start if it were right, in milliseconds since 1970.
    pub wall_ms: u64,
}

impl Source {
    /// Makes the event of a fact, the same each time.
    pub fn event(&self, seq: u64, fact: Fact) -> Result<Event, NewEventError> {
        let mut rng = SmallRng::seed_from_u64(fact.salt);
        let id = EventId::from_random_bytes(rng.random());
        let stamp = Stamp {
            boot: self.boot,
            mono_ms: fact.at_ms,
            wall_ms: self.clock.shown_ms(self.wall_ms, fact.at_ms),
            time_synced: self.clock == Clock::Right,
        };
        let (kind, data) = told(self.stream, &mut rng);
        Ok(NewEvent::raw(self.stream, kind, id, stamp, data)?.numbered(seq))
    }
}

impl Clock {
    /// Returns what a clock shows `at_ms` after it would have shown `wall_ms` if it were right. Milliseconds.
    pub fn shown_ms(self, wall_ms: u64, at_ms: u64) -> u64 {
        let now = wall_ms.saturating_add(at_ms);
        match self {
            Self::Right => now,
            Self::Unset => at_ms,
            Self::Past => now.saturating_sub(FIVE_YEARS_MS),
            Self::Future => now.saturating_add(FIVE_YEARS_MS),
        }
    }
}

/// Makes data of about the size that a device sends.
fn told(stream: Stream, rng: &mut SmallRng) -> (Kind, Value) {
    let call = format!("CA{:032x}", rng.random::<u128>());
    match stream {
        Stream::Calls => {
            let (duration_ms, turns) = (rng.random_range(4_000..240_000), rng.random_range(1..12));
            let weather = json!({"recognize": "whisper-tiny", "reply": "form", "synthesize": "espeak-ng"});
            let data = json!({"call": call, "outcome": "completed", "duration_ms": duration_ms, "turns": turns,
                "language": "he", "weather": weather});
            (Kind::CALL_ENDED, data)
        }
        Stream::Messages => {
            let data = json!({"voicemail": call, "call": call, "caller": "", "duration_ms": 9_000});
            (Kind::VOICEMAIL_SAVED, data)
        }
        Stream::Leads => (Kind::FORM_RECORD, json!({"call": call, "complete": true, "fields": {"reason": "pipe"}})),
        Stream::Audit => (Kind::AUDIT_ENTRY, json!({"actor": "owner", "action": "greeting.changed"})),
        Stream::Metrics => {
            let temperature = rng.random_range(40..70);
            (Kind::METRICS_SAMPLE, json!({"values": {"temperature_c": temperature, "load": 0.3}}))
        }
        Stream::Logs => {
            let data = json!({"level": "warn", "target": "kolbox::call", "message": "the carrier closed the stream",
                "fields": {"CALL_ID": call}});
            (Kind::LOG_LINE, data)
        }
    }
}

/// One stream of an outbox; its numbers begin at 1.
#[derive(Debug)]
pub struct Shelf {
    source: Source,
    /// How many events may wait.
    room: usize,
    /// Everything up to here is with the gateway and removed.
    through: u64,
    /// Everything from `through` up to here was dropped to make room.
    dropped: u64,
    /// What waits, without a gap, up to the last number given.
    facts: VecDeque<Fact>,
}

/// What became of new events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// Events that were taken.
    pub made: u64,
    /// Events that were dropped to make room for them.
    pub dropped: u64,
    /// Events that there was no room for, and that were never made.
    pub stalled: u64,
}

impl Shelf {
    /// Makes an empty one.
    pub fn new(source: Source, room: usize) -> Self {
        Self { source, room: room.max(1), through: 0, dropped: 0, facts: VecDeque::new() }
    }

    /// Returns the stream.
    pub fn stream(&self) -> Stream {
        self.source.stream
    }

    /// Puts events in, or as many as there is room for.
    pub fn put(&mut self, facts: impl IntoIterator<Item = Fact>) -> Put {
        let mut put = Put::default();
        for fact in facts {
            if self.facts.len() >= self.room {
                if !self.source.stream.may_drop() {
                    put.stalled += 1;
                    continue;
                }
                self.facts.pop_front();
                self.dropped = self.dropped.max(self.through) + 1;
                put.dropped += 1;
            }
            self.facts.push_back(fact);
            put.made += 1;
        }
        put
    }

    /// Returns how the stream stands.
    pub fn head(&self) -> Head {
        let waiting = u64::try_from(self.facts.len()).unwrap_or(u64::MAX);
        Head {
            stream: self.source.stream,
            epoch: self.source.boot,
            open: true,
            through: self.through,
            next: self.first().saturating_add(waiting),
            bytes: waiting.saturating_mul(EVENT_LEN),
        }
    }

    /// Reads a part of it.
    pub fn slice(&self, wanted: Wanted) -> Result<Slice, NewEventError> {
        let first = self.first();
        let mut slice = Slice { boot: self.source.boot, ..Slice::default() };
        if wanted.after + 1 < first {
            let range = SeqRange { from: wanted.after + 1, to: first - 1 };
            slice.skipped.push(Skipped::new(range, Skipped::CAP));
        }
        let from = wanted.after.max(first - 1) + 1;
        let skip = usize::try_from(from - first).unwrap_or(usize::MAX);
        for (fact, seq) in self.facts.iter().skip(skip).take(wanted.max_events).zip(from..) {
            slice.events.push(self.source.event(seq, *fact)?);
        }
        Ok(slice)
    }

    /// Removes what the gateway has.
    pub fn remove(&mut self, through: u64) {
        while self.first() <= through && self.facts.pop_front().is_some() {
            self.through = self.first();
        }
        self.through = self.through.max(through.min(self.dropped));
    }

    /// Returns the first number that waits, or would.
    fn first(&self) -> u64 {
        self.through.max(self.dropped) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(stream: Stream, room: usize) -> Shelf {
        Shelf::new(Source { stream, boot: 9, clock: Clock::Past, wall_ms: 1_790_000_000_000 }, room)
    }

    fn facts(count: u64) -> impl Iterator<Item = Fact> {
        (0..count).map(|salt| Fact { at_ms: 1_000, salt })
    }

    fn wanted(stream: Stream, after: u64) -> Wanted {
        Wanted { stream, epoch: 9, after, max_events: 4, max_len: usize::MAX }
    }

    fn seqs(slice: &Slice) -> Vec<u64> {
        slice.events.iter().map(|event| event.seq).collect()
    }

    #[test]
    fn an_event_is_the_same_each_time_it_is_made() {
        for stream in Stream::ALL {
            let mut shelf = shelf(stream, 10);
            shelf.put(facts(10));
            let slice = shelf.slice(wanted(stream, 3)).unwrap();
            assert_eq!(seqs(&slice), [4, 5, 6, 7]);
            assert_eq!(slice, shelf.slice(wanted(stream, 3)).unwrap());
            assert_eq!(slice.events[0].kind.stream(), Some(stream));
            assert!(!slice.events[0].time_synced && slice.events[0].wall_ms < 1_790_000_000_000);
            assert_ne!(slice.events[0].id, slice.events[1].id);
        }
    }

    #[test]
    fn what_the_gateway_has_goes_and_the_numbers_go_on() {
        let mut shelf = shelf(Stream::Calls, 10);
        assert_eq!(shelf.put(facts(12)), Put { made: 10, dropped: 0, stalled: 2 });
        shelf.remove(6);
        assert_eq!((shelf.head().through, shelf.head().next), (6, 11));
        assert_eq!(shelf.put(facts(3)).made, 3);
        assert_eq!(seqs(&shelf.slice(wanted(Stream::Calls, 9)).unwrap()), [10, 11, 12, 13]);
        shelf.remove(13);
        assert_eq!((shelf.head().through, shelf.head().next, shelf.head().bytes), (13, 14, 0));
        assert_eq!(shelf.slice(wanted(Stream::Calls, 13)).unwrap().last(), 0);
    }

    #[test]
    fn the_oldest_logs_make_room_and_are_announced() {
        let mut shelf = shelf(Stream::Logs, 10);
        assert_eq!(shelf.put(facts(13)), Put { made: 13, dropped: 3, stalled: 0 });
        assert_eq!(shelf.head().next, 14);
        let slice = shelf.slice(wanted(Stream::Logs, 1)).unwrap();
        assert_eq!((slice.skipped[0].from, slice.skipped[0].to), (2, 3));
        assert_eq!(seqs(&slice), [4, 5, 6, 7]);
        shelf.remove(2);
        assert_eq!(shelf.head().through, 2);
        shelf.remove(5);
        assert_eq!((shelf.head().through, shelf.head().next), (5, 14));
        assert!(shelf.slice(wanted(Stream::Logs, 5)).unwrap().skipped.is_empty());
    }
}

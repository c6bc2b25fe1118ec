//! A store, a broker and a gateway in memory, moved by a script.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use protocol::{Event, EventId, Kind, NewEvent, SeqRange, Skipped, Stamp, Stream};
use serde_json::json;
use units::Pii;

use crate::link::{Mono, Session};
use crate::outbox::{
    Head, Outbox, OutboxConfig, OutboxInput, OutboxOutput, PublishOutcome, Refusal, Slice, Ticket, Wanted,
};

/// A stream as a store has it.
#[derive(Debug, Default)]
struct StoredLane {
    /// By epoch: next, through, events.
    epochs: BTreeMap<u64, (u64, u64, BTreeMap<u64, Event>)>,
}

/// The store.
#[derive(Debug, Default)]
pub(super) struct FakeStore {
    lanes: BTreeMap<Stream, StoredLane>,
    pub(super) fails: bool,
}

impl FakeStore {
    pub(super) fn emit(&mut self, stream: Stream, number: u64) {
        let lane = self.lanes.entry(stream).or_default();
        if lane.epochs.is_empty() {
            lane.epochs.insert(100, (1, 0, BTreeMap::new()));
        }
        let mut open = lane.epochs.last_entry().unwrap();
        let (next, _, events) = open.get_mut();
        events.insert(*next, event(number).numbered(*next));
        *next += 1;
    }

    /// Drops the oldest events of a stream.
    pub(super) fn drop_oldest(&mut self, stream: Stream, count: usize) {
        let Some(lane) = self.lanes.get_mut(&stream) else { return };
        for (_, _, events) in lane.epochs.values_mut() {
            for _ in 0..count {
                events.pop_first();
            }
        }
    }

    /// Makes it a store of before: its last `count` numbers were never given.
    pub(super) fn roll_back(&mut self, stream: Stream, count: u64) {
        let lane = self.lanes.get_mut(&stream).unwrap();
        let mut open = lane.epochs.last_entry().unwrap();
        let (next, through, events) = open.get_mut();
        *next = next.saturating_sub(count).max(1);
        *through = (*through).min(*next - 1);
        events.retain(|seq, _| seq < next);
    }

    pub(super) fn heads(&self) -> Vec<Head> {
        let mut heads = Vec::new();
        for (stream, lane) in &self.lanes {
            let last = lane.epochs.last_key_value().map(|(epoch, _)| *epoch);
            heads.extend(lane.epochs.iter().map(|(epoch, (next, through, events))| Head {
                stream: *stream,
                epoch: *epoch,
                open: Some(*epoch) == last,
                through: *through,
                next: *next,
                bytes: events.len() as u64,
            }));
        }
        heads
    }

    fn slice(&self, wanted: Wanted) -> Option<Slice> {
        if self.fails {
            return None;
        }
        let (next, through, events) = self.lanes.get(&wanted.stream)?.epochs.get(&wanted.epoch)?;
        let after = wanted.after.max(*through);
        let found: Vec<Event> =
            events.range(after + 1..).take(wanted.max_events).map(|(_, event)| event.clone()).collect();
        let mut slice = Slice { boot: 1, ..Slice::default() };
        let mut expected = after + 1;
        for event in found {
            if event.seq > expected {
                slice.skipped.push(skipped(expected, event.seq - 1));
            }
            expected = event.seq + 1;
            slice.events.push(event);
        }
        if slice.events.is_empty() && expected < *next {
            slice.skipped.push(skipped(expected, *next - 1));
        }
        Some(slice)
    }

    fn acknowledge(&mut self, stream: Stream, epoch: u64, through: u64) -> bool {
        if self.fails {
            return false;
        }
        let lane = self.lanes.get_mut(&stream).unwrap();
        let (next, known, events) = lane.epochs.get_mut(&epoch).unwrap();
        assert!(through < *next);
        *known = through.max(*known);
        events.retain(|seq, _| seq > known);
        let last = *lane.epochs.last_key_value().unwrap().0;
        lane.epochs.retain(|epoch, (next, through, _)| *epoch == last || *through + 1 < *next);
        true
    }

    fn begin_epoch(&mut self, stream: Stream, at_least: u64) {
        self.lanes.entry(stream).or_default().epochs.insert(at_least, (1, 0, BTreeMap::new()));
    }
}

fn skipped(from: u64, to: u64) -> Skipped {
    Skipped::new(SeqRange { from, to }, Skipped::CAP)
}

fn event(number: u64) -> NewEvent {
    let mut id = [1; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    NewEvent {
        stream: Stream::Calls,
        kind: Kind::CALL_ENDED,
        id: EventId::from_bytes(id),
        stamp: Stamp { boot: 1, mono_ms: number, wall_ms: number, time_synced: true },
        data: Pii::new(json!({ "number": number })),
    }
}

/// The gateway: stores each number once, moves the watermark over what leaves no gap.
#[derive(Debug, Default)]
pub(super) struct FakeGateway {
    /// By stream and epoch: the events, and which numbers were announced as skipped.
    pub(super) rows: BTreeMap<(Stream, u64), BTreeMap<u64, Option<EventId>>>,
    pub(super) duplicates: u64,
    /// Events under a number that was another's.
    pub(super) quarantined: u64,
    pub(super) away: bool,
}

impl FakeGateway {
    fn store(&mut self, stream: Stream, epoch: u64, slice: &Slice) -> u64 {
        let rows = self.rows.entry((stream, epoch)).or_default();
        for event in &slice.events {
            match rows.get(&event.seq) {
                None | Some(None) => {
                    rows.insert(event.seq, Some(event.id));
                }
                Some(Some(id)) if *id == event.id => self.duplicates += 1,
                Some(Some(_)) => self.quarantined += 1,
            }
        }
        for gap in &slice.skipped {
            for seq in gap.from..=gap.to {
                rows.entry(seq).or_insert(None);
            }
        }
        watermark(rows)
    }

    /// Returns the numbers of the events it has of a stream, in the order of epochs and numbers.
    pub(super) fn stored(&self, stream: Stream) -> Vec<u64> {
        let of_stream = self.rows.iter().filter(|((found, _), _)| *found == stream);
        let ids = of_stream.flat_map(|(_, rows)| rows.values().flatten());
        ids.map(|id| u64::from_be_bytes(id.as_bytes()[..8].try_into().unwrap())).collect()
    }
}

/// Returns the last number of the row from 1 without gaps.
fn watermark(rows: &BTreeMap<u64, Option<EventId>>) -> u64 {
    rows.keys().zip(1..).take_while(|(seq, expected)| *seq == expected).fold(0, |_, (seq, _)| *seq)
}

/// What the network does to a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    /// It arrives, and so does the answer.
    Fine,
    /// It arrives nowhere, and nobody says so.
    Swallowed,
    /// It is refused.
    Refused(Refusal),
    /// It is too large with more than one event.
    Small,
    /// It arrives at the broker, and no further.
    Forgotten,
}

/// Everything together, in virtual time.
pub(super) struct World {
    pub(super) now: Mono,
    pub(super) core: Outbox,
    pub(super) store: FakeStore,
    pub(super) gateway: FakeGateway,
    pub(super) weather: Weather,
    up: bool,
    in_broker: VecDeque<(Ticket, Stream, u64, Slice)>,
    /// Published and not answered, as the library has it.
    unanswered: VecDeque<(Ticket, Stream, u64, Slice)>,
    pub(super) most_unanswered: usize,
    pub(super) published: Vec<(Mono, Stream, u64, u64, usize)>,
    pub(super) stuck: u64,
    pub(super) outputs: u64,
}

pub(super) const LIMIT: u16 = 9;

impl World {
    pub(super) fn new(config: OutboxConfig) -> Self {
        Self {
            now: Mono::ZERO,
            core: Outbox::new(config),
            store: FakeStore::default(),
            gateway: FakeGateway::default(),
            weather: Weather::Fine,
            up: false,
            in_broker: VecDeque::new(),
            unanswered: VecDeque::new(),
            most_unanswered: 0,
            published: Vec::new(),
            stuck: 0,
            outputs: 0,
        }
    }

    pub(super) fn emit(&mut self, stream: Stream, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            self.store.emit(stream, number);
        }
        self.tell_heads();
    }

    pub(super) fn tell_heads(&mut self) {
        let heads = self.store.heads();
        self.input(OutboxInput::Heads(heads));
    }

    pub(super) fn link_up(&mut self, session: Session) {
        if self.up {
            return;
        }
        self.up = true;
        if session == Session::New {
            let lost: Vec<Ticket> = self.unanswered.drain(..).map(|(ticket, ..)| ticket).collect();
            for ticket in lost {
                self.input(OutboxInput::Published { ticket, outcome: PublishOutcome::Lost });
            }
        }
        self.input(OutboxInput::LinkUp { session, receive_maximum: LIMIT });
        if session == Session::Resumed {
            // The library publishes again what was not answered.
            let again: Vec<_> = self.unanswered.drain(..).collect();
            for (ticket, stream, epoch, slice) in again {
                self.publish(ticket, stream, epoch, slice);
            }
        }
        // The watermarks are retained.
        self.tell_watermarks();
        self.settle();
    }

    pub(super) fn link_down(&mut self) {
        self.up = false;
        self.input(OutboxInput::LinkDown);
    }

    /// The broker loses what it has.
    pub(super) fn break_broker(&mut self) {
        self.in_broker.clear();
    }

    /// Lets time pass, waking the core when it wants to be woken.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let mut wakeups = 0;
        while let Some(at) = self.core.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.core.handle_timeout(self.now);
            self.settle();
            wakeups += 1;
            assert!(wakeups < 10_000, "the core wants to be woken without end at {:?}", self.now);
        }
        self.now = until;
    }

    pub(super) fn input(&mut self, input: OutboxInput) {
        self.core.handle_input(self.now, input);
        self.settle();
    }

    /// Does what the core asks for, and lets the gateway take what the broker has.
    pub(super) fn settle(&mut self) {
        loop {
            while let Some(output) = self.core.poll_output() {
                self.outputs += 1;
                assert!(self.outputs < 200_000, "the core never rests");
                self.carry_out(output);
            }
            if self.gateway.away || self.in_broker.is_empty() {
                return;
            }
            while let Some((_, stream, epoch, slice)) = self.in_broker.pop_front() {
                let through = self.gateway.store(stream, epoch, &slice);
                if self.up {
                    self.core.handle_input(self.now, OutboxInput::Watermark { stream, epoch, through });
                }
            }
        }
    }

    fn carry_out(&mut self, output: OutboxOutput) {
        match output {
            OutboxOutput::Read { wanted, asked } => {
                let slice = self.store.slice(wanted);
                self.core.handle_input(self.now, OutboxInput::Read { stream: wanted.stream, asked, slice });
            }
            OutboxOutput::Publish { ticket, stream, epoch, slice } => {
                assert!(self.up, "published while the link is down");
                let after = slice.events.first().map(|event| event.seq).into_iter();
                let first = after.chain(slice.skipped.first().map(|gap| gap.from)).min().unwrap();
                self.published.push((self.now, stream, first, slice.last(), slice.events.len()));
                self.publish(ticket, stream, epoch, slice);
            }
            OutboxOutput::Acknowledge { stream, epoch, through } => {
                let known = self.gateway.rows.get(&(stream, epoch));
                assert!(
                    known.is_some_and(|rows| (1..=through).all(|seq| rows.contains_key(&seq))),
                    "removed too early"
                );
                let done = self.store.acknowledge(stream, epoch, through);
                self.core.handle_input(self.now, OutboxInput::Heads(self.store.heads()));
                self.core.handle_input(self.now, OutboxInput::Stored { stream, done });
            }
            OutboxOutput::BeginEpoch { stream, at_least } => {
                self.store.begin_epoch(stream, at_least);
                self.core.handle_input(self.now, OutboxInput::Heads(self.store.heads()));
                self.core.handle_input(self.now, OutboxInput::Stored { stream, done: true });
            }
            OutboxOutput::Stuck => {
                self.stuck += 1;
                self.link_down();
                self.link_up(Session::New);
            }
        }
    }

    fn publish(&mut self, ticket: Ticket, stream: Stream, epoch: u64, slice: Slice) {
        let outcome = match self.weather {
            Weather::Fine => {
                self.in_broker.push_back((ticket, stream, epoch, slice));
                PublishOutcome::Taken
            }
            Weather::Swallowed => {
                self.unanswered.push_back((ticket, stream, epoch, slice));
                self.most_unanswered = self.most_unanswered.max(self.unanswered.len());
                return;
            }
            Weather::Refused(refusal) => PublishOutcome::Refused(refusal),
            Weather::Small if slice.events.len() > 1 => PublishOutcome::TooLarge,
            Weather::Small => {
                self.in_broker.push_back((ticket, stream, epoch, slice));
                PublishOutcome::Taken
            }
            Weather::Forgotten => PublishOutcome::Taken,
        };
        self.core.handle_input(self.now, OutboxInput::Published { ticket, outcome });
    }

    fn tell_watermarks(&mut self) {
        let marks: Vec<(Stream, u64, u64)> =
            self.gateway.rows.iter().map(|((stream, epoch), rows)| (*stream, *epoch, watermark(rows))).collect();
        for (stream, epoch, through) in marks {
            self.input(OutboxInput::Watermark { stream, epoch, through });
        }
    }
}

//! Devices against a broker and a gateway of a few lines, in simulated time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::{EventId, Stream, Topic, Watermark, decode_batch, encode};
use sync::link::{Mono, Session};
use sync::outbox::{OutboxConfig, PublishOutcome};

use super::{Count, Device, Input, Output, Setup, Tag};
use crate::behaviour::{Behaviour, Clock, Pace};

/// What time passes at once.
const TICK: Duration = Duration::from_millis(10);
/// From a publish to its watermark.
const WAY: Duration = Duration::from_millis(70);

/// A device and what is at the other end of its wire.
struct World {
    now: Mono,
    device: Device,
    is_connected: bool,
    /// Whether anything reaches the gateway.
    is_listening: bool,
    connects: u32,
    cuts: u32,
    stored: BTreeMap<(Stream, u64), EventId>,
    lost: BTreeSet<(Stream, u64)>,
    duplicates: u64,
    refused: Vec<&'static str>,
    unsynced: u64,
    largest: usize,
    watermarks: Vec<(Mono, Watermark)>,
    counts: Vec<Count>,
}

impl World {
    fn new(behaviour: Behaviour) -> Self {
        let device = "box-1".parse().unwrap();
        let setup = Setup { device, behaviour, seed: 11, boot: 1_790_000_000_000, wall_ms: 1_790_000_000_000 };
        let outbox = OutboxConfig { remove_after: Duration::ZERO, ..OutboxConfig::default() };
        Self {
            now: Mono::ZERO,
            device: Device::new(setup, outbox, Mono::ZERO),
            is_connected: false,
            is_listening: true,
            connects: 0,
            cuts: 0,
            stored: BTreeMap::new(),
            lost: BTreeSet::new(),
            duplicates: 0,
            refused: Vec::new(),
            unsynced: 0,
            largest: 0,
            watermarks: Vec::new(),
            counts: Vec::new(),
        }
    }

    fn live(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.device.handle_timeout(self.now);
            self.answer();
            let due = self.watermarks.iter().filter(|(at, _)| *at <= self.now).count();
            for (_, watermark) in self.watermarks.drain(..due).collect::<Vec<_>>() {
                let topic = Topic::Ack { device: watermark.device.clone(), stream: watermark.stream }.to_string();
                // Without a connection it is not told; what is sent again brings it back.
                if self.is_connected {
                    let payload = encode(&watermark).unwrap();
                    self.device.handle_input(self.now, Input::Message { topic: &topic, payload: &payload });
                }
            }
            self.answer();
            self.now += TICK;
        }
    }

    /// Does what the device asks for, as a good broker does.
    fn answer(&mut self) {
        while let Some(output) = self.device.poll_output() {
            let input = match output {
                Output::Connect { .. } => {
                    self.connects += 1;
                    self.is_connected = true;
                    let session = if self.connects == 1 { Session::New } else { Session::Resumed };
                    Input::Connected { session, receive_maximum: 20 }
                }
                Output::Subscribe(_) => Input::Subscribed { granted: true },
                Output::Publish { tag, topic, payload, .. } => {
                    self.deliver(&topic, &payload);
                    Input::Published { tag, outcome: PublishOutcome::Taken }
                }
                Output::Cut => {
                    self.cuts += 1;
                    self.is_connected = false;
                    continue;
                }
                Output::Drop | Output::Goodbye => {
                    self.is_connected = false;
                    continue;
                }
                Output::Count(count) => {
                    self.counts.push(count);
                    continue;
                }
            };
            self.device.handle_input(self.now, input);
        }
    }

    fn deliver(&mut self, topic: &str, payload: &[u8]) {
        let topic: Topic = topic.parse().unwrap();
        let Topic::Up { device, stream } = topic.clone() else { return };
        if !self.is_listening {
            return;
        }
        let batch = match decode_batch(&topic, payload) {
            Ok(received) => received.batch,
            Err(error) => return self.refused.push(error.cause()),
        };
        self.largest = self.largest.max(batch.events.len());
        for event in &batch.events {
            let known = self.stored.insert((stream, event.seq), event.id);
            assert!(known.is_none_or(|id| id == event.id), "number {} was given twice", event.seq);
            self.duplicates += u64::from(known.is_some());
            self.unsynced += u64::from(!event.time_synced);
        }
        for gap in &batch.skipped {
            self.lost.extend((gap.from..=gap.to).map(|seq| (stream, seq)));
        }
        let has = |seq: &u64| self.stored.contains_key(&(stream, *seq)) || self.lost.contains(&(stream, *seq));
        let through = (1..u64::MAX).take_while(has).last().unwrap_or(0);
        self.watermarks.push((self.now + WAY, Watermark::new(device, stream, batch.epoch, through)));
    }

    fn sum(&self, pick: impl Fn(&Count) -> Option<u64>) -> u64 {
        self.counts.iter().filter_map(pick).sum()
    }

    fn made(&self) -> u64 {
        self.sum(|count| if let Count::Made(events) = count { Some(*events) } else { None })
    }

    fn stored_by_watermark(&self) -> u64 {
        self.sum(|count| if let Count::Stored { events, .. } = count { Some(*events) } else { None })
    }

    /// Lets what is under way arrive.
    fn settle(&mut self) {
        self.device.handle_input(self.now, Input::Rest);
        self.live(Duration::from_mins(30));
        assert_eq!(self.device.waiting(), 0);
    }
}

fn second(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_steady_device_is_rid_of_everything_by_watermarks_alone() {
    let mut world = World::new(Behaviour { rate: 3.0, burst: 3, ..Behaviour::default() });
    world.live(second(120));
    world.settle();
    let stored = world.stored.len() as u64;
    assert!(stored > 250, "{stored} events in two minutes");
    assert_eq!((world.made(), world.stored_by_watermark(), world.connects), (stored, stored, 1));
    let waited = world
        .counts
        .iter()
        .filter_map(|count| if let Count::Stored { waited, .. } = count { Some(*waited) } else { None });
    assert!(waited.into_iter().all(|waited| (WAY..=WAY + TICK).contains(&waited)));
    assert!(world.largest >= 3 && world.duplicates == 0 && world.unsynced == 0);
}

#[test]
fn a_flapping_device_loses_nothing() {
    let flapping = Behaviour {
        rate: 5.0,
        streams: vec![Stream::Calls, Stream::Logs],
        flap_up: Some(second(5)),
        flap_down: second(3),
        ..Behaviour::default()
    };
    let mut world = World::new(flapping);
    world.live(second(300));
    world.settle();
    assert!(world.cuts > 20 && world.connects > 15, "{} cuts, {} connects", world.cuts, world.connects);
    assert_eq!(world.stored.len() as u64, world.made());
    assert_eq!(world.stored_by_watermark(), world.made());
}

#[test]
fn a_gateway_that_is_away_gets_it_all_when_it_is_back() {
    let mut world = World::new(Behaviour { rate: 2.0, ..Behaviour::default() });
    world.is_listening = false;
    world.live(second(100));
    assert_eq!((world.stored.len(), world.stored_by_watermark()), (0, 0));
    world.is_listening = true;
    world.settle();
    assert_eq!(world.stored.len() as u64, world.made());
    assert!(world.counts.iter().any(|count| matches!(count, Count::SentAgain(_))));
}

#[test]
fn a_flood_beyond_the_outbox_drops_logs_and_holds_calls_back() {
    for (stream, drops) in [(Stream::Logs, true), (Stream::Calls, false)] {
        let flood = Behaviour {
            rate: 0.0,
            streams: vec![stream],
            flood_every: Some(second(20)),
            flood_events: 300,
            outbox: 100,
            ..Behaviour::default()
        };
        let mut world = World::new(flood);
        world.live(second(200));
        world.settle();
        assert_eq!((world.stored.len() + world.lost.len()) as u64, world.made(), "{stream}");
        assert_eq!(!world.lost.is_empty(), drops, "{stream}");
        assert_eq!(world.counts.iter().any(|count| matches!(count, Count::Stalled(_))), !drops, "{stream}");
    }
}

#[test]
fn batches_that_are_stored_come_again_with_the_same_identities() {
    let mut world = World::new(Behaviour { rate: 4.0, burst: 2, repeat: 0.5, ..Behaviour::default() });
    world.live(second(200));
    world.settle();
    let repeated = world.sum(|count| if let Count::Repeated(events) = count { Some(*events) } else { None });
    assert!(repeated > 200 && repeated == world.duplicates, "{repeated} repeated, {} came twice", world.duplicates);
    assert_eq!(world.stored.len() as u64, world.made());
}

#[test]
fn bad_payloads_are_sent_beside_good_ones_and_cost_them_nothing() {
    let mut world = World::new(Behaviour { bad_every: Some(second(1)), ..Behaviour::default() });
    world.live(second(200));
    world.settle();
    let spoilt: Vec<&str> = world
        .counts
        .iter()
        .filter_map(|count| if let Count::Spoilt(kind) = count { Some(kind.cause()) } else { None })
        .collect();
    assert_eq!(spoilt, world.refused);
    let kinds: BTreeSet<_> = spoilt.iter().collect();
    assert_eq!(kinds.len(), 7);
    assert_eq!(world.stored.len() as u64, world.made());
}

#[test]
fn a_device_without_the_time_says_so() {
    for clock in [Clock::Unset, Clock::Past, Clock::Future] {
        let mut world = World::new(Behaviour { clock, ..Behaviour::default() });
        world.live(second(60));
        world.settle();
        assert_eq!(world.unsynced, world.made());
    }
}

#[test]
fn at_saturation_one_burst_is_under_way_whatever_was_before() {
    let mut world = World::new(Behaviour { rate: 4.0, ..Behaviour::default() });
    world.live(second(10));
    let before = world.made();
    world.device.handle_input(world.now, Input::Pace(Pace::Saturate { burst: 8 }));
    world.live(second(60));
    // Once around is the linger of 30 ms, the way of 70 ms, and a tick or two.
    let made = world.made() - before;
    assert!((8 * 400..=8 * 600).contains(&made), "{made} events in a minute");
    world.device.handle_input(world.now, Input::Pace(Pace::Rest));
    world.live(second(1));
    assert_eq!((world.device.waiting(), world.largest), (0, 8));
}

#[test]
fn a_closed_device_says_goodbye_and_nothing_after_it() {
    let mut world = World::new(Behaviour::default());
    world.live(second(20));
    world.device.handle_input(world.now, Input::Close);
    let mut last_words = Vec::new();
    while let Some(output) = world.device.poll_output() {
        if !matches!(output, Output::Count(_)) {
            last_words.push(output);
        }
    }
    let [Output::Publish { tag: Tag::Document, topic, payload, retain: true }, Output::Goodbye] = last_words.as_slice()
    else {
        panic!("{last_words:?}")
    };
    assert!(topic.ends_with("/presence") && String::from_utf8_lossy(payload).contains("\"online\":false"));
    world.live(Duration::from_mins(1));
    assert_eq!((world.device.poll_timeout(), world.connects), (None, 1));
}

//! A simulated device, whole, without a socket and without a clock.
//!
//! The link and the outbox are the device's own, of the crate `sync`: what is sent when, what is sent again, how long to
//! wait before the next connect is decided by the same code as in the box. What is around them is simulated: a store in
//! memory ([`Shelf`]), a life ([`Life`]), and a birth, a will and a report.
//!
//! Longer than a core file should be: one device is one state machine, whose answers to each input are read best together.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::{
    Document, EventBatch, OutboxReport, Presence, Reported, Stream, Topic, V1, Watermark, decode, device_filters,
    encode,
};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sync::link::{Link, LinkConfig, LinkInput, LinkOutput, Mono, Session, Trouble};
use sync::outbox::{Outbox, OutboxConfig, OutboxInput, OutboxOutput, PublishOutcome, Slice, Ticket, Wanted};

use crate::bad::{BadKind, batch_to_spoil};
use crate::behaviour::{Behaviour, Clock, Pace};
use crate::life::{Deed, Life};
use crate::shelf::{Fact, Shelf, Source};

/// How often the reported state is published when nothing happens, as the device does.
const REPORT_EVERY: Duration = Duration::from_mins(5);
/// What the births say.
const SOFTWARE: &str = concat!("kolbox-sim ", env!("CARGO_PKG_VERSION"));
/// Payloads beside the outbox's that the broker has not answered at most; what would be one more is left out.
pub const MAX_ASIDE: usize = 4;

/// What makes one device differ from the next.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its name.
    pub device: protocol::DeviceId,
    /// What it does.
    pub behaviour: Behaviour,
    /// What its chances are drawn from.
    pub seed: u64,
    /// The run of its program, and the epoch of its outbox.
    pub boot: u64,
    /// The time when the simulation began, in milliseconds since 1970.
    pub wall_ms: u64,
}

/// What was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// A batch of the outbox.
    Batch(Ticket),
    /// A batch that the gateway has already.
    Repeat {
        /// How many events it holds.
        events: u64,
    },
    /// A payload that nobody can use.
    Bad(BadKind),
    /// Birth, goodbye or report.
    Document,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The broker let us in.
    Connected {
        /// Whether it remembers the session.
        session: Session,
        /// How many publishes it lets be unanswered.
        receive_maximum: u16,
    },
    /// The broker answered the subscriptions.
    Subscribed {
        /// Whether it granted all of them.
        granted: bool,
    },
    /// There is no connection (any more).
    Failed(Trouble),
    /// A message came.
    Message {
        /// On which topic.
        topic: &'a str,
        /// What it holds.
        payload: &'a [u8],
    },
    /// The broker answered a publish, or never will.
    Published {
        /// Which.
        tag: Tag,
        /// How it came out.
        outcome: PublishOutcome,
    },
    /// Events are to be made at another pace.
    Pace(Pace),
    /// Nothing more is to be made, cut or spoilt.
    Rest,
    /// The device is to say goodbye.
    Close,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Connect.
    Connect {
        /// Whether the broker is asked to forget what it knows of us.
        clean_start: bool,
        /// The last will's topic,
        will_topic: String,
        /// and payload.
        will: Vec<u8>,
    },
    /// Subscribe to these filters.
    Subscribe([String; 3]),
    /// Publish; answered by [`Input::Published`].
    Publish {
        /// To be given back.
        tag: Tag,
        /// Where.
        topic: String,
        /// What.
        payload: Vec<u8>,
        /// Whether the broker keeps it.
        retain: bool,
    },
    /// Let go of the connection without a word. Its session may be resumed.
    Cut,
    /// Let go of the connection, and of its session.
    Drop,
    /// Close the connection behind what was published.
    Goodbye,
    /// Count something.
    Count(Count),
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Events were made.
    Made(u64),
    /// Events were dropped to make room. The gateway may have got some of them before.
    Dropped(u64),
    /// Events were not made, for want of room.
    Stalled(u64),
    /// Events were published that never were before.
    Sent(u64),
    /// Events of a batch were published that were before: the outbox went back.
    SentAgain(u64),
    /// The gateway has events.
    Stored {
        /// How many.
        events: u64,
        /// How long after they were first published.
        waited: Duration,
    },
    /// Numbers were announced as dropped, and the gateway has noted it.
    Passed(u64),
    /// The broker took a batch once more that the gateway has.
    Repeated(u64),
    /// The broker took a payload that nobody can use.
    Spoilt(BadKind),
    /// The broker refused a batch.
    Refused,
    /// The connection is up.
    Up,
    /// The connection is down, or did not come about.
    Down {
        /// Why.
        trouble: Trouble,
        /// Whether it was up.
        was_up: bool,
    },
    /// A message from the broker made no sense.
    Unreadable,
}

/// Events published together, for the first time.
#[derive(Clone, Copy, Debug)]
struct Sent {
    after: u64,
    last: u64,
    /// How many of these numbers are events, and no announced gap.
    events: u64,
    at: Mono,
}

/// One stream with what is under way of it.
#[derive(Debug)]
struct Lane {
    shelf: Shelf,
    source: Source,
    /// The highest number published.
    published: u64,
    /// The highest number that a watermark covers.
    acked: u64,
    /// What the gateway does not have yet, the oldest first. Bounded by the outbox's room.
    sent: VecDeque<Sent>,
}

/// The core; see the module's documentation.
#[derive(Debug)]
pub struct Device {
    setup: Setup,
    life: Life,
    link: Link<StdRng>,
    outbox: Outbox,
    lanes: Vec<Lane>,
    birth: Presence,
    receive_maximum: u16,
    report_version: u64,
    report_at: Mono,
    /// Payloads beside the outbox's that the broker has not answered.
    aside: usize,
    /// Whether the link said that it is up.
    is_up: bool,
    is_closed: bool,
    outputs: VecDeque<Output>,
}

impl Device {
    /// Makes a device that connects as soon as it is looked at.
    pub fn new(setup: Setup, outbox: OutboxConfig, now: Mono) -> Self {
        let mut streams = setup.behaviour.streams.clone();
        streams.sort_unstable();
        streams.dedup();
        let room = usize::try_from(setup.behaviour.outbox).unwrap_or(usize::MAX);
        let lane = |stream| {
            let source = Source { stream, boot: setup.boot, clock: setup.behaviour.clock, wall_ms: setup.wall_ms };
            Lane { shelf: Shelf::new(source, room), source, published: 0, acked: 0, sent: VecDeque::new() }
        };
        // Two generators of one seed would draw the same.
        let link = Link::new(LinkConfig::new(1), StdRng::seed_from_u64(setup.seed.rotate_left(32)));
        Self {
            life: Life::new(setup.behaviour.clone(), setup.seed, now),
            link,
            outbox: Outbox::new(outbox),
            lanes: streams.into_iter().map(lane).collect(),
            birth: Presence::birth(setup.device.clone(), setup.boot, 0),
            receive_maximum: u16::MAX,
            report_version: 0,
            report_at: now,
            aside: 0,
            is_up: false,
            is_closed: false,
            outputs: VecDeque::new(),
            setup,
        }
    }

    /// Takes in what happened.
    pub fn handle_input(&mut self, now: Mono, input: Input<'_>) {
        match input {
            Input::Connected { session, receive_maximum } => {
                self.receive_maximum = receive_maximum;
                self.link.handle_input(now, LinkInput::Connected(session));
            }
            Input::Subscribed { granted } => {
                let input =
                    if granted { LinkInput::Subscribed } else { LinkInput::Failed(Trouble::SubscriptionRefused) };
                if !granted {
                    self.outputs.push_back(Output::Drop);
                }
                self.link.handle_input(now, input);
            }
            Input::Failed(trouble) => self.link.handle_input(now, LinkInput::Failed(trouble)),
            Input::Message { topic, payload } => self.take_message(now, topic, payload),
            Input::Published { tag, outcome } => self.take_outcome(now, tag, outcome),
            Input::Pace(Pace::Saturate { burst }) if self.waiting() > 0 => self.life.saturate_when_stored(burst),
            Input::Pace(pace) => self.life.set_pace(now, pace),
            Input::Rest => self.life.rest(),
            Input::Close => {
                self.is_closed = true;
                if std::mem::take(&mut self.is_up) {
                    self.count(Count::Down { trouble: Trouble::Network, was_up: true });
                }
                self.outbox.handle_input(now, OutboxInput::LinkDown);
                self.link.handle_input(now, LinkInput::Close);
            }
        }
        self.handle_timeout(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Mono) {
        if !self.is_closed {
            while let Some(deed) = self.life.poll(now) {
                self.do_deed(now, deed);
            }
            // Without a network nothing that the link does comes to anything.
            if !self.life.is_cut() {
                self.link.handle_timeout(now);
            }
            self.outbox.handle_timeout(now);
            if self.link.is_up() && self.report_at <= now {
                self.report(now);
            }
        }
        self.carry_out(now);
    }

    /// Returns the next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Device::handle_timeout`] has to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Mono> {
        if self.is_closed {
            return None;
        }
        let link = self.link.poll_timeout().filter(|_| !self.life.is_cut());
        let report = self.link.is_up().then_some(self.report_at);
        [self.life.poll_timeout(), link, self.outbox.poll_timeout(), report].into_iter().flatten().min()
    }

    /// Returns how many numbers were given that no watermark covers.
    pub fn waiting(&self) -> u64 {
        let waiting = |lane: &Lane| lane.shelf.head().next.saturating_sub(1).saturating_sub(lane.acked);
        self.lanes.iter().map(waiting).sum()
    }

    fn do_deed(&mut self, now: Mono, deed: Deed) {
        match deed {
            Deed::Make { stream, events } => self.make(now, stream, events),
            Deed::Bad(kind) => self.spoil(now, kind),
            Deed::Cut => {
                self.outputs.push_back(Output::Cut);
                self.link.handle_input(now, LinkInput::Failed(Trouble::Network));
            }
            Deed::Mend => {}
        }
    }

    fn make(&mut self, now: Mono, stream: Stream, events: u32) {
        let at_ms = millis(now);
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.shelf.stream() == stream) else { return };
        let life = &mut self.life;
        let put = lane.shelf.put((0..events).map(|_| Fact { at_ms, salt: life.salt() }));
        for (count, what) in [
            (put.made, Count::Made(put.made)),
            (put.dropped, Count::Dropped(put.dropped)),
            (put.stalled, Count::Stalled(put.stalled)),
        ] {
            if count > 0 {
                self.count(what);
            }
        }
        self.tell_heads(now);
    }

    fn spoil(&mut self, now: Mono, kind: BadKind) {
        if !self.link.is_up() || self.aside >= MAX_ASIDE {
            return;
        }
        let salt = self.life.salt();
        let Some(source) = self.lanes.first().map(|lane| lane.source) else { return };
        // A number that the outbox does not reach, should the gateway ever believe it.
        let Ok(event) = source.event(protocol::limits::MAX_NUMBER, Fact { at_ms: millis(now), salt }) else { return };
        let batch = batch_to_spoil(&self.setup.device, source.stream, event, self.setup.boot);
        if let Some((topic, payload)) = kind.payload(&batch) {
            self.aside += 1;
            self.outputs.push_back(Output::Publish { tag: Tag::Bad(kind), topic, payload, retain: false });
        }
    }

    fn take_message(&mut self, now: Mono, topic: &str, payload: &[u8]) {
        let parsed = topic.parse::<Topic>();
        match parsed {
            Ok(topic @ Topic::Ack { .. }) => match decode::<Watermark>(&topic, payload) {
                Ok(watermark) => self.take_watermark(now, &watermark),
                Err(_) => self.count(Count::Unreadable),
            },
            // Wishes and commands: a simulated device has no will of its own.
            Ok(Topic::Desired { .. } | Topic::CommandRequest { .. }) => {}
            Ok(Topic::Up { .. } | Topic::Presence { .. } | Topic::Reported { .. } | Topic::CommandStatus { .. })
            | Err(_) => self.count(Count::Unreadable),
        }
    }

    fn take_watermark(&mut self, now: Mono, watermark: &Watermark) {
        let Watermark { stream, epoch, through, .. } = *watermark;
        if epoch == self.setup.boot
            && let Some(place) = self.lanes.iter().position(|lane| lane.shelf.stream() == stream)
        {
            self.note_stored(now, place, through);
        }
        self.outbox.handle_input(now, OutboxInput::Watermark { stream, epoch, through });
    }

    /// Counts what a watermark covers.
    fn note_stored(&mut self, now: Mono, place: usize, through: u64) {
        let mut last = None;
        let Some(lane) = self.lanes.get_mut(place) else { return };
        if through <= lane.acked {
            return;
        }
        lane.acked = through;
        while let Some(sent) = lane.sent.front_mut().filter(|sent| sent.after < through) {
            let waited = now.saturating_sub(sent.at);
            let covered = through.min(sent.last).saturating_sub(sent.after);
            // Gaps stand before the events of a batch.
            let gaps = (sent.last - sent.after).saturating_sub(sent.events);
            let events = covered.saturating_sub(gaps).min(sent.events);
            if events > 0 {
                self.outputs.push_back(Output::Count(Count::Stored { events, waited }));
            }
            if covered > events {
                self.outputs.push_back(Output::Count(Count::Passed(covered - events)));
            }
            if through < sent.last {
                (sent.after, sent.events) = (through, sent.events - events);
                break;
            }
            last = lane.sent.pop_front();
        }
        if let Some(sent) = last
            && sent.events > 0
            && self.life.repeats()
        {
            self.repeat(now, place, sent);
        }
        if self.waiting() == 0 {
            self.life.all_stored(now);
        }
    }

    /// Sends a batch once more that the gateway has just stored; it lies on the shelf still.
    fn repeat(&mut self, now: Mono, place: usize, sent: Sent) {
        let Some(lane) = self.lanes.get(place).filter(|_| self.aside < MAX_ASIDE && self.link.is_up()) else { return };
        let wanted = Wanted {
            stream: lane.source.stream,
            epoch: self.setup.boot,
            after: sent.last - sent.events,
            max_events: usize::try_from(sent.events).unwrap_or(usize::MAX),
            max_len: usize::MAX,
        };
        let Ok(slice) = lane.shelf.slice(wanted) else { return };
        let events = u64::try_from(slice.events.len()).unwrap_or(u64::MAX);
        if let Some((topic, payload)) = self.batch(now, wanted.stream, wanted.epoch, slice).filter(|_| events > 0) {
            self.aside += 1;
            self.outputs.push_back(Output::Publish { tag: Tag::Repeat { events }, topic, payload, retain: false });
        }
    }

    fn take_outcome(&mut self, now: Mono, tag: Tag, outcome: PublishOutcome) {
        let is_taken = outcome == PublishOutcome::Taken;
        match tag {
            Tag::Batch(ticket) => {
                if matches!(outcome, PublishOutcome::Refused(_)) {
                    self.count(Count::Refused);
                }
                self.outbox.handle_input(now, OutboxInput::Published { ticket, outcome });
            }
            Tag::Repeat { events } => {
                self.aside = self.aside.saturating_sub(1);
                if is_taken {
                    self.count(Count::Repeated(events));
                }
            }
            Tag::Bad(kind) => {
                self.aside = self.aside.saturating_sub(1);
                if is_taken {
                    self.count(Count::Spoilt(kind));
                }
            }
            Tag::Document => {}
        }
    }

    /// Does what the cores ask for, until they ask for nothing.
    fn carry_out(&mut self, now: Mono) {
        loop {
            if let Some(output) = self.link.poll_output() {
                self.do_link(now, output);
            } else if let Some(output) = self.outbox.poll_output() {
                self.do_outbox(now, output);
            } else {
                return;
            }
        }
    }

    fn do_link(&mut self, now: Mono, output: LinkOutput) {
        match output {
            LinkOutput::Connect { connected_seq, clean_start, .. } => {
                self.birth = Presence {
                    at_ms: self.synced_ms(now),
                    software: Some(SOFTWARE.to_owned()),
                    ..Presence::birth(self.setup.device.clone(), self.setup.boot, connected_seq)
                };
                let will = encoded(&self.birth.will());
                self.outputs.push_back(Output::Connect { clean_start, will_topic: self.presence_topic(), will });
            }
            LinkOutput::Subscribe => {
                self.outputs.push_back(Output::Subscribe(device_filters(&self.setup.device)));
            }
            LinkOutput::Birth => self.tell(self.presence_topic(), encoded(&self.birth)),
            LinkOutput::Up(session) => {
                self.count(Count::Up);
                self.is_up = true;
                let receive_maximum = self.receive_maximum;
                self.outbox.handle_input(now, OutboxInput::LinkUp { session, receive_maximum });
                self.report(now);
            }
            LinkOutput::Down(trouble) => {
                self.count(Count::Down { trouble, was_up: self.is_up });
                self.is_up = false;
                self.outbox.handle_input(now, OutboxInput::LinkDown);
            }
            LinkOutput::Drop => self.outputs.push_back(Output::Drop),
            LinkOutput::Goodbye => {
                self.tell(self.presence_topic(), encoded(&self.birth.will()));
                self.outputs.push_back(Output::Goodbye);
            }
        }
    }

    fn do_outbox(&mut self, now: Mono, output: OutboxOutput) {
        match output {
            OutboxOutput::Read { wanted, asked } => {
                let slice = self.lane(wanted.stream).and_then(|lane| lane.shelf.slice(wanted).ok());
                self.outbox.handle_input(now, OutboxInput::Read { stream: wanted.stream, asked, slice });
            }
            OutboxOutput::Publish { ticket, stream, epoch, slice } => {
                self.note_sent(now, stream, &slice);
                let tag = Tag::Batch(ticket);
                match self.batch(now, stream, epoch, slice) {
                    Some((topic, payload)) => {
                        self.outputs.push_back(Output::Publish { tag, topic, payload, retain: false });
                    }
                    None => self.take_outcome(now, tag, PublishOutcome::TooLarge),
                }
            }
            OutboxOutput::Acknowledge { stream, through, .. } => {
                if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.shelf.stream() == stream) {
                    lane.shelf.remove(through);
                }
                self.tell_heads(now);
                self.outbox.handle_input(now, OutboxInput::Stored { stream, done: true });
            }
            // Numbers that were never given: another simulator of the same name is at work. Nothing can come of it.
            OutboxOutput::BeginEpoch { stream, .. } => {
                self.outbox.handle_input(now, OutboxInput::Stored { stream, done: false });
            }
            OutboxOutput::Stuck => self.link.handle_input(now, LinkInput::Stuck),
        }
    }

    /// Counts what is published, and remembers when it first was.
    fn note_sent(&mut self, now: Mono, stream: Stream, slice: &Slice) {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.shelf.stream() == stream) else { return };
        let (last, after) = (slice.last(), lane.published);
        let is_new = |event: &&protocol::Event| event.seq > after;
        let events = u64::try_from(slice.events.iter().filter(is_new).count()).unwrap_or(u64::MAX);
        let again = u64::try_from(slice.events.len()).unwrap_or(u64::MAX).saturating_sub(events);
        if last > after {
            lane.published = last;
            lane.sent.push_back(Sent { after, last, events, at: now });
        }
        for (count, what) in [(events, Count::Sent(events)), (again, Count::SentAgain(again))] {
            if count > 0 {
                self.count(what);
            }
        }
    }

    fn batch(&self, now: Mono, stream: Stream, epoch: u64, slice: Slice) -> Option<(String, Vec<u8>)> {
        let batch = EventBatch {
            v: V1,
            device: self.setup.device.clone(),
            stream,
            epoch,
            boot: self.setup.boot,
            sent_at_ms: self.synced_ms(now),
            sent_mono_ms: Some(millis(now)),
            skipped: slice.skipped,
            events: slice.events,
            extra: protocol::Extra::default(),
        };
        let topic = Topic::Up { device: self.setup.device.clone(), stream };
        Some((topic.to_string(), encode(&batch).ok()?))
    }

    fn report(&mut self, now: Mono) {
        self.report_at = now.saturating_add(REPORT_EVERY);
        self.report_version = self.report_version.saturating_add(1);
        let mut report = Reported {
            at_ms: self.synced_ms(now),
            time_synced: Some(self.setup.behaviour.clock == Clock::Right),
            software: Some(SOFTWARE.to_owned()),
            board: Some("simulated".to_owned()),
            uptime_ms: Some(millis(now)),
            ..Reported::new(self.setup.boot, self.report_version)
        };
        for row in self.outbox.status() {
            let row_of = OutboxReport { events: row.waiting, bytes: row.bytes, ..OutboxReport::default() };
            report.set_outbox(row.stream, row_of);
        }
        let topic = Topic::Reported { device: self.setup.device.clone() };
        self.tell(topic.to_string(), encoded(&report));
    }

    fn tell(&mut self, topic: String, payload: Vec<u8>) {
        self.outputs.push_back(Output::Publish { tag: Tag::Document, topic, payload, retain: true });
    }

    fn tell_heads(&mut self, now: Mono) {
        let heads = self.lanes.iter().map(|lane| lane.shelf.head()).collect();
        self.outbox.handle_input(now, OutboxInput::Heads(heads));
    }

    fn count(&mut self, count: Count) {
        self.outputs.push_back(Output::Count(count));
    }

    fn lane(&self, stream: Stream) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.shelf.stream() == stream)
    }

    fn presence_topic(&self) -> String {
        Topic::Presence { device: self.setup.device.clone() }.to_string()
    }

    /// Returns the wall clock in milliseconds since 1970, where it is set.
    fn synced_ms(&self, now: Mono) -> Option<u64> {
        let clock = self.setup.behaviour.clock;
        (clock == Clock::Right).then(|| clock.shown_ms(self.setup.wall_ms, millis(now)))
    }
}

fn millis(now: Mono) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Writes a document of a fixed, small form; it always fits.
fn encoded(document: &impl Document) -> Vec<u8> {
    encode(document).unwrap_or_default()
}

#[cfg(test)]
mod tests;

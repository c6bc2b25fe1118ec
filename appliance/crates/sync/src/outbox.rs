//! What is sent next, decided without a socket and without a disk.
//!
//! Events lie in the store, numbered by stream. The core asks for a slice, has it published, and waits for the gateway's
//! watermark, which alone lets events be removed. The broker's PUBACK says only that the broker took a batch; a refusal
//! says that it did not.
//!
//! - Streams are looked at in the order of their priority, each has a window of batches the gateway has not stored yet.
//! - A batch waits a moment for more events, and not at all when there is a backlog.
//! - After the broker has forgotten the session, and when no watermark comes, sending goes back to the watermark: twice
//!   is better than never, and the gateway passes over what it has.
//! - Epochs go one after the other: the next begins when the gateway has all of the one before.
//!
//! **Invariant:** what is published of an epoch begins at the watermark and leaves nothing out.
//! **Invariant:** nothing is removed that no watermark covers.
//! **Invariant:** however long the gateway is away, no more than a window of each stream is in memory.

mod lane;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use protocol::{Event, Skipped, Stream};

use self::lane::Lane;
use crate::link::{Mono, Session};

/// How an epoch of a stream stands in the store, confirmed by the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The stream.
    pub stream: Stream,
    /// The epoch.
    pub epoch: u64,
    /// Whether new events get their numbers from it: the last of its stream.
    pub open: bool,
    /// Everything up to here is with the gateway and removed.
    pub through: u64,
    /// The number that the next event gets.
    pub next: u64,
    /// Bytes its events take on the disk.
    pub bytes: u64,
}

/// A part of a stream, of one run of the program, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slice {
    /// The run the events belong to.
    pub boot: u64,
    /// Numbers that nobody will ever send, before, between or after the events.
    pub skipped: Vec<Skipped>,
    /// The events.
    pub events: Vec<Event>,
}

impl Slice {
    /// Returns the last number the slice accounts for; zero when it is empty.
    pub fn last(&self) -> u64 {
        let event = self.events.last().map_or(0, |event| event.seq);
        self.skipped.iter().map(|skipped| skipped.to).fold(event, u64::max)
    }
}

/// The store could not do what was asked. It is asked again.
#[derive(Debug, thiserror::Error)]
#[error("the outbox's store failed")]
pub struct OutboxStoreError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Where the events lie. All of it may wait for the disk.
pub trait OutboxStore: Send + Sync + 'static {
    /// Returns how each stream stands, the oldest epoch of each first.
    fn heads(&self) -> Vec<Head>;

    /// Reads the events after `after`, about so many.
    fn slice(&self, wanted: Wanted) -> Result<Slice, OutboxStoreError>;

    /// Removes what the gateway has.
    fn acknowledge(&self, stream: Stream, epoch: u64, through: u64) -> Result<(), OutboxStoreError>;

    /// Begins a new epoch.
    fn begin_epoch(&self, stream: Stream, at_least: u64) -> Result<(), OutboxStoreError>;
}

/// What to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Of this stream,
    pub stream: Stream,
    /// and epoch,
    pub epoch: u64,
    /// what comes after this number,
    pub after: u64,
    /// at most so many events,
    pub max_events: usize,
    /// and about so many bytes of JSON.
    pub max_len: usize,
}

/// How the outbox behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxConfig {
    /// Batches of a stream that the gateway has not stored yet. 4: enough to keep a line busy whose way there and back
    /// takes a second, and 128 kB at most.
    pub window: usize,
    /// Batches of all streams that the broker has not answered. 16: Mosquitto takes 20 unless told otherwise.
    pub max_unanswered: usize,
    /// Events in a batch. 64.
    pub batch_events: usize,
    /// Bytes of JSON in a batch. 32 KiB.
    pub batch_len: usize,
    /// How long an event waits for others. 30 ms: what belongs together is written within it.
    pub linger: Duration,
    /// How long a batch may be without a watermark before it is sent again. 30 s, and twice as long each time.
    pub resend_after: Duration,
    /// The longest such time. 10 min.
    pub max_resend_after: Duration,
    /// How long to leave a stream alone after a refusal or a failed read. 1 s, and twice as long each time.
    pub hold: Duration,
    /// The longest such time. 1 min.
    pub max_hold: Duration,
    /// How long what the gateway has may stay in the store. 5 s: removing costs a write, so it is done for many at once.
    pub remove_after: Duration,
    /// Events that are removed at once even before. 512.
    pub remove_events: u64,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self {
            window: 4,
            max_unanswered: 16,
            batch_events: protocol::limits::DEFAULT_BATCH_EVENTS,
            batch_len: protocol::limits::DEFAULT_BATCH_LEN,
            linger: Duration::from_millis(30),
            resend_after: Duration::from_secs(30),
            max_resend_after: Duration::from_mins(10),
            hold: Duration::from_secs(1),
            max_hold: Duration::from_mins(1),
            remove_after: Duration::from_secs(5),
            remove_events: 512,
        }
    }
}

/// Names one publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// How a publish came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishOutcome {
    /// The broker took it.
    Taken,
    /// The broker refused it: it was not delivered.
    Refused(Refusal),
    /// Nobody will ever know: the session is gone.
    Lost,
    /// It is larger than the broker takes, and was not sent.
    TooLarge,
}

/// Why a broker refused a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The device may not publish there (0x87).
    NotAuthorized,
    /// Too much, by the broker's measure (0x97).
    QuotaExceeded,
    /// Something else.
    Other,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum OutboxInput {
    /// How the store stands: at first, and whenever something changed.
    Heads(Vec<Head>),
    /// Everything may be sent; the broker takes so many unanswered publishes.
    LinkUp {
        /// Whether what was published before still counts.
        session: Session,
        /// The broker's receive maximum.
        receive_maximum: u16,
    },
    /// Nothing may be sent.
    LinkDown,
    /// What was asked for, or nothing when the store failed.
    Read {
        /// The stream.
        stream: Stream,
        /// As in [`OutboxOutput::Read`].
        asked: u64,
        /// The events.
        slice: Option<Slice>,
    },
    /// How a publish came out.
    Published {
        /// Which.
        ticket: Ticket,
        /// How.
        outcome: PublishOutcome,
    },
    /// The gateway has a stream up to here.
    Watermark {
        /// The stream.
        stream: Stream,
        /// The epoch.
        epoch: u64,
        /// The last number.
        through: u64,
    },
    /// The store did what was asked with [`OutboxOutput::Acknowledge`] or [`OutboxOutput::BeginEpoch`], or failed.
    Stored {
        /// The stream.
        stream: Stream,
        /// Whether it did.
        done: bool,
    },
    /// What the gateway has is to be removed at once: the program stops.
    Flush,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum OutboxOutput {
    /// Read a slice; answered by [`OutboxInput::Read`].
    Read {
        /// What.
        wanted: Wanted,
        /// To be given back.
        asked: u64,
    },
    /// Publish a batch; answered by [`OutboxInput::Published`].
    Publish {
        /// To be given back.
        ticket: Ticket,
        /// The stream.
        stream: Stream,
        /// The epoch.
        epoch: u64,
        /// What.
        slice: Slice,
    },
    /// Remove what the gateway has; answered by [`OutboxInput::Stored`].
    Acknowledge {
        /// The stream.
        stream: Stream,
        /// The epoch.
        epoch: u64,
        /// The last number.
        through: u64,
    },
    /// Begin a new epoch: the gateway knows numbers that the store does not. Answered by [`OutboxInput::Stored`].
    BeginEpoch {
        /// The stream.
        stream: Stream,
        /// The least number of the epoch.
        at_least: u64,
    },
    /// The broker does not answer although the connection stands.
    Stuck,
}

/// How a stream stands, for `/readyz`, the metrics and the report to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamStatus {
    /// The stream.
    pub stream: Stream,
    /// Events the gateway does not have.
    pub waiting: u64,
    /// Bytes they take on the disk.
    pub bytes: u64,
    /// Batches in flight.
    pub in_flight: usize,
    /// Why the broker refused the last batch, until it takes one.
    pub refused: Option<Refusal>,
}

/// The core; see the module's documentation.
#[derive(Debug)]
pub struct Outbox {
    config: OutboxConfig,
    lanes: Vec<Lane>,
    up: bool,
    max_unanswered: usize,
    next_ticket: u64,
    /// Publishes that the broker has not answered, since when. They take their place until it does, whatever became of
    /// the stream meanwhile.
    unanswered: BTreeMap<Ticket, Mono>,
    flushing: bool,
    outputs: VecDeque<OutboxOutput>,
}

impl Outbox {
    /// Makes an outbox that knows nothing of the store yet.
    pub fn new(config: OutboxConfig) -> Self {
        let lanes = Stream::ALL.into_iter().map(|stream| Lane::new(stream, &config)).collect();
        let max_unanswered = config.max_unanswered.max(1);
        Self {
            config,
            lanes,
            up: false,
            max_unanswered,
            next_ticket: 1,
            unanswered: BTreeMap::new(),
            flushing: false,
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened.
    pub fn handle_input(&mut self, now: Mono, input: OutboxInput) {
        match input {
            OutboxInput::Heads(heads) => {
                for lane in &mut self.lanes {
                    lane.set_heads(now, heads.iter().filter(|head| head.stream == lane.stream()).copied().collect());
                }
            }
            OutboxInput::LinkUp { session, receive_maximum } => {
                self.up = true;
                // One place is left for what is not of the outbox.
                let taken = usize::from(receive_maximum).saturating_sub(1).max(1);
                self.max_unanswered = self.config.max_unanswered.clamp(1, taken);
                match session {
                    Session::New => self.unanswered.clear(),
                    Session::Resumed => self.unanswered.values_mut().for_each(|since| *since = now),
                }
                self.lanes.iter_mut().for_each(|lane| lane.link_up(now, session));
            }
            OutboxInput::LinkDown => {
                self.up = false;
                self.lanes.iter_mut().for_each(Lane::link_down);
            }
            OutboxInput::Read { stream, asked, slice } => self.take_slice(now, stream, asked, slice),
            OutboxInput::Published { ticket, outcome } => {
                self.unanswered.remove(&ticket);
                for lane in &mut self.lanes {
                    lane.published(now, &self.config, ticket, outcome);
                }
            }
            OutboxInput::Watermark { stream, epoch, through } => {
                if let Some(lane) = self.lane(stream) {
                    lane.watermark(now, epoch, through);
                }
            }
            OutboxInput::Stored { stream, done } => {
                if let Some(lane) = self.lane(stream) {
                    lane.stored(now, done);
                }
            }
            OutboxInput::Flush => self.flushing = true,
        }
        self.advance(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Mono) {
        self.advance(now);
    }

    /// Returns the next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<OutboxOutput> {
        self.outputs.pop_front()
    }

    /// Returns when [`Outbox::handle_timeout`] has to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let may_read = self.places_taken() < self.max_unanswered;
        let lanes = self.lanes.iter().filter_map(|lane| lane.poll_timeout(&self.config, self.up, may_read));
        lanes.chain(self.stuck_at().filter(|_| self.up)).min()
    }

    /// Returns how the streams stand that have ever had an event.
    pub fn status(&self) -> impl Iterator<Item = StreamStatus> {
        self.lanes.iter().filter_map(Lane::status)
    }

    /// Tells whether all that the gateway has is removed, so that the program may stop.
    pub fn is_flushed(&self) -> bool {
        self.lanes.iter().all(Lane::is_flushed)
    }

    /// Returns how many publishes the broker has not answered, or will have to answer.
    fn places_taken(&self) -> usize {
        self.unanswered.len().saturating_add(self.lanes.iter().filter(|lane| lane.is_reading()).count())
    }

    /// Returns when the broker has had time enough to answer.
    fn stuck_at(&self) -> Option<Mono> {
        self.unanswered.values().min().map(|since| since.saturating_add(self.config.resend_after))
    }

    fn lane(&mut self, stream: Stream) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.stream() == stream)
    }

    fn take_slice(&mut self, now: Mono, stream: Stream, asked: u64, slice: Option<Slice>) {
        let ticket = Ticket(self.next_ticket);
        let (up, config) = (self.up, self.config.clone());
        let Some(lane) = self.lane(stream) else { return };
        if let Some((epoch, slice)) = lane.take_slice(now, &config, asked, slice, up.then_some(ticket)) {
            self.next_ticket = self.next_ticket.saturating_add(1);
            self.unanswered.insert(ticket, now);
            self.outputs.push_back(OutboxOutput::Publish { ticket, stream, epoch, slice });
        }
    }

    /// Asks for whatever may be done now.
    fn advance(&mut self, now: Mono) {
        for lane in &mut self.lanes {
            self.outputs.extend(lane.next_store_work(now, &self.config, self.flushing));
        }
        if !self.up {
            return;
        }
        if self.stuck_at().is_some_and(|at| at <= now) {
            // The connection goes, and the session with it.
            self.unanswered.clear();
            self.outputs.push_back(OutboxOutput::Stuck);
            return;
        }
        for lane in &mut self.lanes {
            lane.resend_if_due(now, &self.config);
        }
        // In the order of priority: what is urgent takes the places there are.
        let mut unanswered = self.places_taken();
        for lane in &mut self.lanes {
            if unanswered >= self.max_unanswered {
                return;
            }
            if let Some((wanted, asked)) = lane.next_read(now, &self.config) {
                unanswered = unanswered.saturating_add(1);
                self.outputs.push_back(OutboxOutput::Read { wanted, asked });
            }
        }
    }
}

//! Batches: events on their way to the gateway.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use units::Pii;

use crate::event::Event;
use crate::fault::{Fault, Found};
use crate::fields::{Extra, Fields, Read, V1, from_value, list};
use crate::limits::{
    DEFAULT_BATCH_EVENTS, DEFAULT_BATCH_LEN, MAX_BATCH_EVENTS, MAX_BATCH_SKIPPED, MAX_EVENT_LEN, MAX_SENT_LEN,
};
use crate::name::{DeviceId, Word};
use crate::topic::Stream;
use crate::wire::{Address, Document};

/// A row of numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqRange {
    /// The first.
    pub from: u64,
    /// The last, not below the first.
    pub to: u64,
}

/// Numbers that will never come: the device gave them and had to drop the events before they were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Skipped {
    /// The first number.
    pub from: u64,
    /// The last number, not below the first.
    pub to: u64,
    /// Why, as in `cap`.
    pub reason: Word,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Reasons for which a device drops events.
impl Skipped {
    /// The stream had reached its cap in bytes.
    pub const CAP: Word = Word::known("cap");
    /// The disk was nearly full.
    pub const DISK: Word = Word::known("disk");
    /// The store lost them and knows their numbers.
    pub const STORE: Word = Word::known("store");

    /// Announces a gap.
    pub fn new(range: SeqRange, reason: Word) -> Self {
        Self { from: range.from, to: range.to, reason, extra: Extra::default() }
    }

    /// Returns the numbers.
    pub const fn range(&self) -> SeqRange {
        SeqRange { from: self.from, to: self.to }
    }
}

impl Read for Skipped {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        let from: u64 = fields.required("from")?;
        let to: u64 = fields.required("to")?;
        if from == 0 {
            return Err(Fault::of(Found::Number, "a whole number from 1").under("from"));
        }
        if to < from {
            return Err(Fault::of(Found::Number, "a number not below 'from'").under("to"));
        }
        Ok(Self { from, to, reason: fields.required("reason")?, extra: fields.rest() })
    }
}

from_value!(Skipped);

/// Events of one run of the program, one stream and one outbox, in the order of their numbers.
///
/// Reading a whole batch through serde is strict: one bad event, and there is none.
/// [`decode_batch`](crate::decode_batch) is how a payload is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct EventBatch {
    /// The version of the envelope.
    pub v: V1,
    /// Who sends it.
    pub device: DeviceId,
    /// Which row.
    pub stream: Stream,
    /// Which outbox: a number chosen when it was created, greater than any before ([`next_epoch`](crate::next_epoch)).
    /// A device whose store was lost starts a new one, and its numbers start at 1 again.
    pub epoch: u64,
    /// The run of the program in which the events happened, see [`Presence::boot`](crate::Presence::boot).
    pub boot: u64,
    /// When it was sent, in milliseconds since 1970 (UTC), if the device's clock was set by then. With it the gateway
    /// can date events of a run that began without a clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at_ms: Option<u64>,
    /// When it was sent, in milliseconds since the run began, if it was sent in the same one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_mono_ms: Option<u64>,
    /// Numbers that will never come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// The events.
    pub events: Vec<Event>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub extra: Extra,
}

impl EventBatch {
    /// The fields of a batch on the wire.
    pub(crate) const FIELDS: [&str; 9] =
        ["v", "device", "stream", "epoch", "boot", "sent_at_ms", "sent_mono_ms", "skipped", "events"];

    /// Returns the lowest number it accounts for, by an event or by an announced gap; nothing when it is empty.
    pub fn first(&self) -> Option<u64> {
        let events = self.events.iter().map(|event| event.seq);
        events.chain(self.skipped.iter().map(|skipped| skipped.from)).min()
    }

    /// Returns the highest number it accounts for.
    pub fn last(&self) -> Option<u64> {
        let events = self.events.iter().map(|event| event.seq);
        events.chain(self.skipped.iter().map(|skipped| skipped.to)).max()
    }

    /// Returns the numbers between [`first`](Self::first) and [`last`](Self::last) that neither an event nor an announced
    /// gap accounts for. A device that keeps the rules has none.
    pub fn gaps(&self) -> Vec<SeqRange> {
        let events = self.events.iter().map(|event| SeqRange { from: event.seq, to: event.seq });
        gaps(events.chain(self.skipped.iter().map(Skipped::range)).collect())
    }

    /// Returns how many of its events are of a kind this release does not know.
    pub fn unknown_kinds(&self) -> usize {
        self.events.iter().filter(|event| !event.kind.is_known()).count()
    }
}

/// Returns what lies between ranges.
pub(crate) fn gaps(mut ranges: Vec<SeqRange>) -> Vec<SeqRange> {
    ranges.sort_unstable();
    let mut gaps = Vec::new();
    let mut reached: Option<u64> = None;
    for range in ranges {
        if let Some(reached) = reached
            && range.from > reached.saturating_add(1)
        {
            gaps.push(SeqRange { from: reached.saturating_add(1), to: range.from - 1 });
        }
        reached = reached.max(Some(range.to));
    }
    gaps
}

/// Reads everything of a batch but its events.
pub(crate) fn read_header(fields: &mut Fields) -> Result<EventBatch, Fault> {
    let skipped = fields.or_default::<Value>("skipped")?;
    let skipped = if skipped.is_null() { Ok(Vec::new()) } else { list(skipped, MAX_BATCH_SKIPPED) };
    Ok(EventBatch {
        v: fields.version()?,
        device: fields.required("device")?,
        stream: fields.required("stream")?,
        epoch: fields.required("epoch")?,
        boot: fields.required("boot")?,
        sent_at_ms: fields.optional("sent_at_ms")?,
        sent_mono_ms: fields.optional("sent_mono_ms")?,
        skipped: skipped.map_err(|fault| fault.under("skipped"))?,
        events: Vec::new(),
        extra: Extra::default(),
    })
}

impl Read for EventBatch {
    fn read_fields(mut fields: Fields) -> Result<Self, Fault> {
        let mut batch = read_header(&mut fields)?;
        let events = list(fields.required("events")?, MAX_BATCH_EVENTS);
        batch.events = events.map_err(|fault| fault.under("events"))?;
        batch.extra = fields.rest();
        Ok(batch)
    }
}

impl Document for EventBatch {
    fn address(&self) -> Address<'_> {
        Address { device: Some(&self.device), stream: Some(self.stream), command: None }
    }
}

from_value!(EventBatch);

/// When a batch is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// At so many events; 1 to [`MAX_BATCH_EVENTS`], default [`DEFAULT_BATCH_EVENTS`].
    pub max_events: usize,
    /// Before it would be longer than so many bytes of JSON; default [`DEFAULT_BATCH_LEN`]. One event that is longer goes
    /// alone.
    pub max_len: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { max_events: DEFAULT_BATCH_EVENTS, max_len: DEFAULT_BATCH_LEN }
    }
}

/// Whose events a builder takes, and with which number they go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSource {
    /// The device.
    pub device: DeviceId,
    /// The stream.
    pub stream: Stream,
    /// The outbox.
    pub epoch: u64,
    /// The number of the next event.
    pub next_seq: u64,
}

/// Why an event does not go into a batch. Nothing of the builder has changed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// It does not follow the one before.
    #[error("event {found} of stream {stream}, expected {expected}")]
    OutOfOrder {
        /// The stream.
        stream: Stream,
        /// The number that had to come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// An announced gap ends before it begins.
    #[error("a gap of stream {stream} from {from} to {to}")]
    EmptyGap {
        /// The stream.
        stream: Stream,
        /// Its first number.
        from: u64,
        /// Its last number.
        to: u64,
    },
    /// It would be refused by the gateway.
    #[error("event {seq} of stream {stream} has {len} bytes, expected at most {MAX_EVENT_LEN}")]
    TooLong {
        /// The stream.
        stream: Stream,
        /// Its number.
        seq: u64,
        /// Its length, in bytes of JSON.
        len: usize,
    },
    /// It is not JSON.
    #[error("event {seq} of stream {stream} cannot be written as JSON")]
    NotJson {
        /// The stream.
        stream: Stream,
        /// Its number.
        seq: u64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Splits a row of events into batches within limits. Events and gaps go in by number; batches come out when they are
/// full, when the run of the program changes, or when asked for.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    source: BatchSource,
    limits: BatchLimits,
    open: Option<EventBatch>,
    open_len: usize,
}

/// What the envelope around the events may take, in bytes: names, numbers, and as many gaps as there may be.
const ENVELOPE_LEN: usize = 512;
/// What one announced gap may take, in bytes.
const SKIPPED_LEN: usize = 160;

impl BatchBuilder {
    /// Makes a builder. Limits beyond what is sent are brought down to it.
    pub fn new(source: BatchSource, limits: BatchLimits) -> Self {
        let limits = BatchLimits {
            max_events: limits.max_events.clamp(1, MAX_BATCH_EVENTS),
            max_len: limits.max_len.min(MAX_SENT_LEN),
        };
        Self { source, limits, open: None, open_len: ENVELOPE_LEN }
    }

    /// Adds the next event, of the run `boot`. Returns the batch before it when that one is full.
    pub fn push(&mut self, boot: u64, event: Event) -> Result<Option<EventBatch>, BuildError> {
        let (stream, seq) = (self.source.stream, event.seq);
        self.expect(seq)?;
        let len = match serde_json::to_vec(&event) {
            Ok(json) => json.len(),
            Err(source) => return Err(BuildError::NotJson { stream, seq, source }),
        };
        if len > MAX_EVENT_LEN {
            return Err(BuildError::TooLong { stream, seq, len });
        }
        let full = self.make_room(Some(boot), len + 1);
        let open = self.opened(boot);
        // Gaps alone have no run of their own.
        open.boot = boot;
        open.events.push(event);
        self.open_len += len + 1;
        self.source.next_seq = seq + 1;
        Ok(full)
    }

    /// Announces a gap, which starts with the next number. Returns the batch before it when that one is full.
    pub fn skip(&mut self, boot: u64, skipped: Skipped) -> Result<Option<EventBatch>, BuildError> {
        self.expect(skipped.from)?;
        if skipped.to < skipped.from {
            return Err(BuildError::EmptyGap { stream: self.source.stream, from: skipped.from, to: skipped.to });
        }
        let full = self.make_room(None, SKIPPED_LEN);
        self.source.next_seq = skipped.to.saturating_add(1);
        self.opened(boot).skipped.push(skipped);
        self.open_len += SKIPPED_LEN;
        Ok(full)
    }

    /// Returns the batch that is open, if there is one.
    pub fn finish(&mut self) -> Option<EventBatch> {
        self.open_len = ENVELOPE_LEN;
        self.open.take()
    }

    /// Returns the number that has to come next.
    pub const fn next_seq(&self) -> u64 {
        self.source.next_seq
    }

    /// Returns whether the open batch takes no more events, so that waiting for more is no use.
    pub fn is_full(&self) -> bool {
        self.open_len >= self.limits.max_len
            || self.open.as_ref().is_some_and(|open| open.events.len() >= self.limits.max_events)
    }

    fn expect(&self, found: u64) -> Result<(), BuildError> {
        let expected = self.source.next_seq;
        if found == expected {
            return Ok(());
        }
        Err(BuildError::OutOfOrder { stream: self.source.stream, expected, found })
    }

    fn make_room(&mut self, boot: Option<u64>, len: usize) -> Option<EventBatch> {
        let open = self.open.as_ref()?;
        let other_run = boot.is_some_and(|boot| !open.events.is_empty() && open.boot != boot);
        let full = self.open_len + len > self.limits.max_len
            || open.events.len() >= self.limits.max_events
            || open.skipped.len() >= MAX_BATCH_SKIPPED;
        if other_run || full { self.finish() } else { None }
    }

    fn opened(&mut self, boot: u64) -> &mut EventBatch {
        self.open.get_or_insert_with(|| EventBatch {
            v: V1,
            device: self.source.device.clone(),
            stream: self.source.stream,
            epoch: self.source.epoch,
            boot,
            sent_at_ms: None,
            sent_mono_ms: None,
            skipped: Vec::new(),
            events: Vec::new(),
            extra: Extra::default(),
        })
    }
}

/// An event that could not be read, kept for a person to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEvent {
    /// Its place in the batch, from 0.
    pub place: usize,
    /// The number it leaves empty, if that is known: to be passed over, and recorded as lost. Nothing when the number
    /// cannot be told, or is that of another event.
    pub seq: Option<u64>,
    /// What is wrong with it.
    pub fault: Fault,
    /// Its JSON, at most [`MAX_QUARANTINED_LEN`](crate::limits::MAX_QUARANTINED_LEN) bytes of it.
    pub raw: Pii<String>,
}

/// What could be read of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedBatch {
    /// The batch with its good events, in the order of their numbers.
    pub batch: EventBatch,
    /// The others.
    pub bad: Vec<BadEvent>,
    /// Numbers within the batch that nothing accounts for: no event, no bad one, no announced gap. They may still come
    /// with another batch; the watermark waits for them.
    pub gaps: Vec<SeqRange>,
}

//! One stream.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use protocol::Stream;
use protocol::limits::MAX_BATCHES_UNDER_WAY;

use super::{Head, OutboxConfig, OutboxOutput, PublishOutcome, Refusal, Slice, StreamStatus, Ticket, Wanted};
use crate::link::{Mono, Session};

/// A batch that was published and that no watermark covers.
#[derive(Clone, Copy, Debug)]
struct Flight {
    ticket: Ticket,
    /// The number before its first.
    after: u64,
    last: u64,
    since: Mono,
    /// Whether the broker took it.
    taken: bool,
}

/// What is being read: everything after `after` of `epoch`.
#[derive(Clone, Copy, Debug)]
struct Reading {
    asked: u64,
    epoch: u64,
    after: u64,
}

#[derive(Debug)]
pub(super) struct Lane {
    stream: Stream,
    /// As the store says, the oldest epoch first.
    heads: Vec<Head>,
    /// By epoch, what the gateway has, as far as it is further than what the store says.
    acked: BTreeMap<u64, u64>,
    /// By epoch, what the gateway says it has although the store never gave such numbers.
    claimed: BTreeMap<u64, u64>,
    /// The epoch being sent, and how far.
    sent: (u64, u64),
    flights: VecDeque<Flight>,
    reading: Option<Reading>,
    asked: u64,
    /// Since when there are events that were not sent.
    fresh_since: Option<Mono>,
    hold_until: Mono,
    /// The next hold.
    hold: Duration,
    resend_after: Duration,
    /// The first resend, where a watermark came.
    first_resend_after: Duration,
    max_events: usize,
    refused: Option<Refusal>,
    /// Whether the store is at work for this stream.
    storing: bool,
    store_hold_until: Mono,
    unremoved_since: Option<Mono>,
    /// A new epoch is wanted, with this number at least.
    wanted_epoch: Option<u64>,
}

impl Lane {
    pub(super) fn new(stream: Stream, config: &OutboxConfig) -> Self {
        Self {
            stream,
            heads: Vec::new(),
            acked: BTreeMap::new(),
            claimed: BTreeMap::new(),
            sent: (0, 0),
            flights: VecDeque::new(),
            reading: None,
            asked: 0,
            fresh_since: None,
            hold_until: Mono::ZERO,
            hold: config.hold,
            resend_after: config.resend_after,
            first_resend_after: config.resend_after,
            max_events: config.batch_events.max(1),
            refused: None,
            storing: false,
            store_hold_until: Mono::ZERO,
            unremoved_since: None,
            wanted_epoch: None,
        }
    }

    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    pub(super) fn set_heads(&mut self, now: Mono, heads: Vec<Head>) {
        self.heads = heads;
        let known = |epoch: &u64| self.heads.iter().any(|head| head.epoch == *epoch);
        self.acked.retain(|epoch, _| known(epoch));
        self.claimed.retain(|epoch, _| known(epoch));
        if self.wanted_epoch.is_some_and(|wanted| self.heads.last().is_some_and(|last| last.epoch >= wanted)) {
            self.wanted_epoch = None;
        }
        self.follow(now);
    }

    pub(super) fn link_up(&mut self, now: Mono, session: Session) {
        match session {
            Session::New => self.go_back(now, 0),
            // What was under way is published again by itself.
            Session::Resumed => self.flights.iter_mut().for_each(|flight| flight.since = now),
        }
        self.hold_until = Mono::ZERO;
        self.follow(now);
    }

    pub(super) fn link_down(&mut self) {
        self.reading = None;
    }

    pub(super) fn published(&mut self, now: Mono, config: &OutboxConfig, ticket: Ticket, outcome: PublishOutcome) {
        let Some(flight) = self.flights.iter_mut().find(|flight| flight.ticket == ticket) else { return };
        let after = flight.after;
        match outcome {
            PublishOutcome::Taken => {
                flight.taken = true;
                self.refused = None;
                self.hold = config.hold;
                self.settle_claims(now);
            }
            PublishOutcome::Refused(refusal) => {
                self.refused = Some(refusal);
                self.go_back(now, after);
                self.leave_alone(now, config);
            }
            PublishOutcome::Lost => self.go_back(now, after),
            PublishOutcome::TooLarge => {
                if self.max_events == 1 {
                    self.refused = Some(Refusal::Other);
                    self.leave_alone(now, config);
                }
                self.max_events = self.max_events.div_ceil(2);
                self.go_back(now, after);
            }
        }
    }

    pub(super) fn watermark(&mut self, now: Mono, epoch: u64, through: u64) {
        let newest = self.heads.last().map_or(0, |head| head.epoch);
        let Some(head) = self.heads.iter().find(|head| head.epoch == epoch) else {
            // The gateway knows an outbox that this store does not: the store was lost, and the clock with it.
            if epoch > newest && through > 0 {
                self.want_epoch(epoch.saturating_add(1));
            }
            return;
        };
        if through < head.next {
            self.acknowledged(now, epoch, through);
        } else {
            // The store is older than what was sent from it: an image was put back, or a disk has lied.
            self.want_epoch(newest.saturating_add(1));
            self.claimed.insert(epoch, through);
            self.settle_claims(now);
        }
    }

    pub(super) fn stored(&mut self, now: Mono, done: bool) {
        self.storing = false;
        if !done {
            self.store_hold_until = now.saturating_add(self.hold);
        }
    }

    /// Takes a slice that was read. Returns what is to be published under `ticket`, if anything is.
    pub(super) fn take_slice(
        &mut self,
        now: Mono,
        config: &OutboxConfig,
        asked: u64,
        slice: Option<Slice>,
        ticket: Option<Ticket>,
    ) -> Option<(u64, Slice)> {
        let reading = self.reading.take_if(|reading| reading.asked == asked)?;
        let Some(slice) = slice.filter(|slice| slice.last() > reading.after) else {
            self.leave_alone(now, config);
            return None;
        };
        let ticket = ticket.filter(|_| self.sent == (reading.epoch, reading.after))?;
        let last = slice.last();
        self.flights.push_back(Flight { ticket, after: reading.after, last, since: now, taken: false });
        self.sent.1 = last;
        self.follow(now);
        Some((reading.epoch, slice))
    }

    /// Returns what to read next.
    pub(super) fn next_read(&mut self, now: Mono, config: &OutboxConfig) -> Option<(Wanted, u64)> {
        if self.reading.is_some()
            || now < self.hold_until
            || self.flights.len() >= config.window.clamp(1, MAX_BATCHES_UNDER_WAY)
        {
            return None;
        }
        let head = *self.current()?;
        let (epoch, after) = self.sent;
        let waiting = head.next.saturating_sub(1).saturating_sub(after);
        let is_due = self.fresh_since.is_some_and(|since| now >= since.saturating_add(config.linger));
        let is_full = usize::try_from(waiting).is_ok_and(|waiting| waiting >= self.max_events);
        if waiting == 0 || !(is_due || is_full) {
            return None;
        }
        self.asked = self.asked.saturating_add(1);
        self.reading = Some(Reading { asked: self.asked, epoch, after });
        let wanted =
            Wanted { stream: self.stream, epoch, after, max_events: self.max_events, max_len: config.batch_len };
        Some((wanted, self.asked))
    }

    /// Goes back to the watermark when no new one came for too long.
    pub(super) fn resend_if_due(&mut self, now: Mono, config: &OutboxConfig) {
        let Some(oldest) = self.flights.front() else { return };
        if now >= oldest.since.saturating_add(self.resend_after) {
            self.resend_after = self.resend_after.saturating_mul(2).min(config.max_resend_after);
            self.go_back(now, 0);
        }
    }

    /// Returns what the store is to do.
    pub(super) fn next_store_work(&mut self, now: Mono, config: &OutboxConfig, flush: bool) -> Option<OutboxOutput> {
        if self.storing || now < self.store_hold_until {
            return None;
        }
        if let Some(at_least) = self.wanted_epoch {
            self.storing = true;
            return Some(OutboxOutput::BeginEpoch { stream: self.stream, at_least });
        }
        let (head, through) = self.unremoved().map(|(head, through)| (*head, through))?;
        let many = through.saturating_sub(head.through) >= config.remove_events;
        let old = self.unremoved_since.is_none_or(|since| now >= since.saturating_add(config.remove_after));
        if !(many || old || flush || !head.open) {
            return None;
        }
        self.storing = true;
        self.unremoved_since = Some(now);
        Some(OutboxOutput::Acknowledge { stream: self.stream, epoch: head.epoch, through })
    }

    /// Returns when something is due; `may_read` tells whether there is a place for another publish.
    pub(super) fn poll_timeout(&self, config: &OutboxConfig, up: bool, may_read: bool) -> Option<Mono> {
        let stores = !self.storing && (self.wanted_epoch.is_some() || self.unremoved().is_some());
        let remove = self.unremoved_since.map_or(Mono::ZERO, |since| since.saturating_add(config.remove_after));
        let store = if self.wanted_epoch.is_some() { self.store_hold_until } else { remove.max(self.store_hold_until) };
        let resend = self.flights.front().map(|flight| flight.since.saturating_add(self.resend_after));
        let has_room =
            may_read && self.reading.is_none() && self.flights.len() < config.window.clamp(1, MAX_BATCHES_UNDER_WAY);
        let read = self.fresh_since.map(|since| since.saturating_add(config.linger).max(self.hold_until));
        let send = [resend, read.filter(|_| has_room)].into_iter().flatten().min().filter(|_| up);
        [stores.then_some(store), send].into_iter().flatten().min()
    }

    pub(super) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    pub(super) fn status(&self) -> Option<StreamStatus> {
        self.heads.last()?;
        let waiting = |head: &Head| head.next.saturating_sub(1).saturating_sub(self.through(head));
        Some(StreamStatus {
            stream: self.stream,
            waiting: self.heads.iter().map(waiting).fold(0, u64::saturating_add),
            bytes: self.heads.iter().map(|head| head.bytes).fold(0, u64::saturating_add),
            in_flight: self.flights.len(),
            refused: self.refused,
        })
    }

    pub(super) fn is_flushed(&self) -> bool {
        !self.storing && self.unremoved().is_none()
    }

    /// Returns how far the gateway has an epoch.
    fn through(&self, head: &Head) -> u64 {
        self.acked.get(&head.epoch).copied().unwrap_or(0).max(head.through)
    }

    /// Returns the epoch to be sent: the oldest that the gateway does not have all of.
    fn current(&self) -> Option<&Head> {
        self.heads.iter().find(|head| head.open || self.through(head).saturating_add(1) < head.next)
    }

    /// Returns the oldest epoch of which the gateway has something that was not removed, and how far it has it.
    fn unremoved(&self) -> Option<(&Head, u64)> {
        self.heads.iter().map(|head| (head, self.through(head))).find(|(head, through)| *through > head.through)
    }

    fn acknowledged(&mut self, now: Mono, epoch: u64, through: u64) {
        let known = self.acked.entry(epoch).or_default();
        if through <= *known {
            return;
        }
        *known = through;
        if self.sent.0 == epoch {
            self.flights.retain(|flight| flight.last > through);
            self.flights.iter_mut().for_each(|flight| flight.since = flight.since.max(now));
        }
        self.resend_after = self.first_resend_after;
        if self.unremoved().is_some() {
            self.unremoved_since = self.unremoved_since.or(Some(now));
        }
        self.follow(now);
    }

    /// Believes a gateway that claims to have numbers this store never gave, as far as the broker took them from us: what
    /// it has under other names it has refused by then, and said so.
    fn settle_claims(&mut self, now: Mono) {
        let Some(claimed) = self.claimed.get(&self.sent.0).copied() else { return };
        let taken = self.flights.iter().take_while(|flight| flight.taken).map(|flight| flight.last).last();
        if let Some(taken) = taken {
            self.acknowledged(now, self.sent.0, claimed.min(taken));
        }
    }

    fn want_epoch(&mut self, at_least: u64) {
        self.wanted_epoch = self.wanted_epoch.max(Some(at_least));
    }

    /// Lets sending begin again after `after`, or the watermark if that is further.
    fn go_back(&mut self, now: Mono, after: u64) {
        self.flights.retain(|flight| flight.last <= after);
        self.sent.1 = self.sent.1.min(after);
        self.reading = None;
        self.follow(now);
        if self.fresh_since.is_some() {
            self.fresh_since = Some(Mono::ZERO);
        }
    }

    fn leave_alone(&mut self, now: Mono, config: &OutboxConfig) {
        self.hold_until = now.saturating_add(self.hold);
        self.hold = self.hold.saturating_mul(2).min(config.max_hold);
    }

    /// Brings what is sent in line with what the store and the gateway have.
    fn follow(&mut self, now: Mono) {
        if self.unremoved().is_none() {
            self.unremoved_since = None;
        }
        let Some(head) = self.current().copied() else {
            self.fresh_since = None;
            return;
        };
        let through = self.through(&head);
        if self.sent.0 != head.epoch {
            self.sent = (head.epoch, through);
            self.flights.clear();
            self.reading = None;
        }
        if self.sent.1 < through {
            self.sent.1 = through;
            self.reading = None;
        }
        if self.sent.1.saturating_add(1) < head.next {
            self.fresh_since = self.fresh_since.or(Some(now));
        } else {
            self.fresh_since = None;
        }
    }
}

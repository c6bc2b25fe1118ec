//! What to deliver next, and when.
//!
//! One line a lead, in the order of its changes; the head of a line is sent, the others wait for it. Lines do not wait for
//! each other. Times are those of the caller's clock, from any beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::id::LeadId;

/// The wait after the first failure; doubled with each.
pub const FIRST_BACK_OFF: Duration = Duration::from_secs(2);
/// The longest wait that we choose.
pub const MAX_BACK_OFF: Duration = Duration::from_hours(1);
/// The longest wait that a receiver may ask for with `Retry-After`.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Send {
    /// The lead.
    pub lead: LeadId,
    /// The number of the change.
    pub sequence: u64,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it, and it was removed from where it waits.
    Delivered,
    /// It does not wait any more: it was merged into a newer one.
    Gone,
    /// It waits for the next try.
    Failed {
        /// How long the receiver asked to be left alone.
        retry_after: Option<Duration>,
    },
}

/// All lines.
#[derive(Clone, Debug)]
pub struct Queue {
    lines: BTreeMap<LeadId, Line>,
    /// Lines whose head may be sent, by when.
    due: BTreeSet<(Duration, LeadId)>,
    in_flight: usize,
    max_in_flight: usize,
}

#[derive(Clone, Debug, Default)]
struct Line {
    waiting: BTreeSet<u64>,
    /// When the head may be sent; `None` while it is in flight.
    due: Option<Duration>,
    failures: u32,
}

impl Queue {
    /// Makes an empty one that has so many in flight at most.
    pub fn new(max_in_flight: usize) -> Self {
        Self { lines: BTreeMap::new(), due: BTreeSet::new(), in_flight: 0, max_in_flight }
    }

    /// Takes in a change that waits; `attempts` is how often it was tried before.
    pub fn add(&mut self, now: Duration, send: Send, attempts: u32) {
        let line = self.lines.entry(send.lead).or_default();
        let is_first = line.waiting.is_empty();
        line.waiting.insert(send.sequence);
        if is_first && line.due.is_none() {
            line.failures = attempts;
            line.due = Some(now);
            self.due.insert((now, send.lead));
        }
    }

    /// Forgets a change that waits no more; not the head, which is told of by [`Queue::done`].
    pub fn forget(&mut self, send: Send) {
        if let Some(line) = self.lines.get_mut(&send.lead)
            && line.waiting.first() != Some(&send.sequence)
        {
            line.waiting.remove(&send.sequence);
        }
    }

    /// Returns what to send now, if anything. It is in flight from then on.
    pub fn next(&mut self, now: Duration) -> Option<Send> {
        if self.in_flight >= self.max_in_flight {
            return None;
        }
        let (_, lead) = *self.due.first().filter(|(due, _)| *due <= now)?;
        self.due.pop_first();
        let line = self.lines.get_mut(&lead)?;
        line.due = None;
        let sequence = *line.waiting.first()?;
        self.in_flight = self.in_flight.saturating_add(1);
        Some(Send { lead, sequence })
    }

    /// Notes what became of what was in flight. `chance` spreads the tries of many.
    pub fn done(&mut self, now: Duration, send: Send, outcome: Outcome, chance: u32) {
        let Some(line) = self.lines.get_mut(&send.lead) else { return };
        if line.due.is_some() || line.waiting.first() != Some(&send.sequence) {
            return;
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        let due = match outcome {
            Outcome::Delivered | Outcome::Gone => {
                line.waiting.pop_first();
                line.failures = 0;
                now
            }
            Outcome::Failed { retry_after } => {
                line.failures = line.failures.saturating_add(1);
                let asked = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
                now.saturating_add(back_off(line.failures, chance).max(asked))
            }
        };
        if line.waiting.is_empty() {
            self.lines.remove(&send.lead);
        } else {
            line.due = Some(due);
            self.due.insert((due, send.lead));
        }
    }

    /// Lets the head of a line be sent at once; not one that is in flight.
    pub fn hurry(&mut self, now: Duration, lead: LeadId) {
        let Some(line) = self.lines.get_mut(&lead) else { return };
        if let Some(due) = line.due {
            self.due.remove(&(due, lead));
            line.due = Some(now);
            self.due.insert((now, lead));
        }
    }

    /// Returns when [`Queue::next`] has something again; `None` when that is not a matter of time.
    pub fn wake(&self) -> Option<Duration> {
        if self.in_flight >= self.max_in_flight {
            return None;
        }
        self.due.first().map(|(due, _)| *due)
    }

    /// Returns how many changes wait, those in flight included.
    pub fn waiting(&self) -> usize {
        self.lines.values().map(|line| line.waiting.len()).sum()
    }
}

/// Returns how long to wait after so many failures in a row: half of it for certain, the other half by chance.
pub fn back_off(failures: u32, chance: u32) -> Duration {
    let doubled = FIRST_BACK_OFF.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let half = doubled.min(MAX_BACK_OFF) / 2;
    half.saturating_add(half.mul_f64(f64::from(chance) / f64::from(u32::MAX)))
}

//! Counting: what all devices together did, and how long the gateway took.

use std::ops::Sub;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::bad::BadKind;
use crate::device::Count;

/// Buckets within an octave, as a power of two: a quantile is at most 1/32 above the truth.
const SUB_BITS: u32 = 5;
/// Values below this have a bucket each, in microseconds.
const EXACT: u64 = 64;
/// The longest wait that is told from longer ones: 2^32 microseconds, more than an hour.
const MAX_BITS: u32 = 32;
/// How many buckets that makes: those, and 32 in each of 26 octaves above.
const BUCKETS: usize = 64 + 26 * 32;

/// Counters that every device adds to.
#[derive(Debug)]
pub struct Tally {
    made: AtomicU64,
    dropped: AtomicU64,
    stalled: AtomicU64,
    sent: AtomicU64,
    sent_again: AtomicU64,
    stored: AtomicU64,
    passed: AtomicU64,
    repeated: AtomicU64,
    refused: AtomicU64,
    unreadable: AtomicU64,
    spoilt: [AtomicU64; BadKind::ALL.len()],
    connected: AtomicI64,
    connects: AtomicU64,
    waits: Vec<AtomicU64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            made: AtomicU64::default(),
            dropped: AtomicU64::default(),
            stalled: AtomicU64::default(),
            sent: AtomicU64::default(),
            sent_again: AtomicU64::default(),
            stored: AtomicU64::default(),
            passed: AtomicU64::default(),
            repeated: AtomicU64::default(),
            refused: AtomicU64::default(),
            unreadable: AtomicU64::default(),
            spoilt: Default::default(),
            connected: AtomicI64::default(),
            connects: AtomicU64::default(),
            waits: (0..BUCKETS).map(|_| AtomicU64::default()).collect(),
        }
    }
}

impl Tally {
    /// Counts.
    pub fn add(&self, count: Count) {
        let add = |counter: &AtomicU64, count| {
            counter.fetch_add(count, Ordering::Relaxed);
        };
        match count {
            Count::Made(events) => add(&self.made, events),
            Count::Dropped(events) => add(&self.dropped, events),
            Count::Stalled(events) => add(&self.stalled, events),
            Count::Sent(events) => add(&self.sent, events),
            Count::SentAgain(events) => add(&self.sent_again, events),
            Count::Stored { events, waited } => {
                add(&self.stored, events);
                if let Some(bucket) = self.waits.get(bucket_of(waited)) {
                    add(bucket, events);
                }
            }
            Count::Passed(numbers) => add(&self.passed, numbers),
            Count::Repeated(events) => add(&self.repeated, events),
            Count::Spoilt(kind) => {
                let place = BadKind::ALL.iter().position(|known| *known == kind);
                if let Some(counter) = place.and_then(|place| self.spoilt.get(place)) {
                    add(counter, 1);
                }
            }
            Count::Refused => add(&self.refused, 1),
            Count::Unreadable => add(&self.unreadable, 1),
            Count::Up => {
                add(&self.connects, 1);
                self.connected.fetch_add(1, Ordering::Relaxed);
            }
            // A connection that never came up is down already.
            Count::Down { was_up: true, .. } => {
                self.connected.fetch_sub(1, Ordering::Relaxed);
            }
            Count::Down { was_up: false, .. } => {}
        }
    }

    /// Returns all counters as they are now.
    pub fn figures(&self) -> Figures {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            made: get(&self.made),
            dropped: get(&self.dropped),
            stalled: get(&self.stalled),
            sent: get(&self.sent),
            sent_again: get(&self.sent_again),
            stored: get(&self.stored),
            passed: get(&self.passed),
            repeated: get(&self.repeated),
            refused: get(&self.refused),
            unreadable: get(&self.unreadable),
            spoilt: self.spoilt.iter().map(get).collect(),
            connected: u64::try_from(self.connected.load(Ordering::Relaxed)).unwrap_or(0),
            connects: get(&self.connects),
            waits: self.waits.iter().map(get).collect(),
        }
    }
}

/// What was counted, at a moment or between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Events made.
    pub made: u64,
    /// Events dropped by devices to make room.
    pub dropped: u64,
    /// Events not made for want of room.
    pub stalled: u64,
    /// Events published.
    pub sent: u64,
    /// Events published once more because no watermark came.
    pub sent_again: u64,
    /// Events that a watermark covers.
    pub stored: u64,
    /// Numbers of dropped events that a watermark covers.
    pub passed: u64,
    /// Events that were sent once more though a watermark covered them, by the script, and that the broker took.
    pub repeated: u64,
    /// Batches that the broker refused.
    pub refused: u64,
    /// Messages of the broker that made no sense.
    pub unreadable: u64,
    /// Payloads that nobody can use and that the broker took, in the order of [`BadKind::ALL`].
    pub spoilt: Vec<u64>,
    /// Devices connected now; in a difference, those at its end.
    pub connected: u64,
    /// Connections that came up.
    pub connects: u64,
    /// Events by how long they waited for their watermark.
    waits: Vec<u64>,
}

impl Figures {
    /// Returns how many events were made or announced that no watermark covers.
    pub fn waiting(&self) -> u64 {
        self.made.saturating_sub(self.stored).saturating_sub(self.passed)
    }

    /// Returns how many events were published that no watermark covers.
    pub fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.stored)
    }

    /// Returns within which time after the publish the watermark came for `share` of the events, of 1; nothing when
    /// there were none.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count: u64 = self.waits.iter().sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts of events; a quantile of more than 2^52 of them is not asked for"
        )]
        let wanted = (count as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let place = self.waits.iter().position(|events| {
            seen += events;
            seen >= wanted
        })?;
        Some(upper_end(place))
    }

    /// Returns how many payloads that nobody can use the broker took.
    pub fn all_spoilt(&self) -> u64 {
        self.spoilt.iter().sum()
    }
}

impl Sub<&Figures> for &Figures {
    type Output = Figures;

    fn sub(self, before: &Figures) -> Figures {
        let list = |now: &[u64], before: &[u64]| {
            now.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).collect()
        };
        Figures {
            made: self.made.saturating_sub(before.made),
            dropped: self.dropped.saturating_sub(before.dropped),
            stalled: self.stalled.saturating_sub(before.stalled),
            sent: self.sent.saturating_sub(before.sent),
            sent_again: self.sent_again.saturating_sub(before.sent_again),
            stored: self.stored.saturating_sub(before.stored),
            passed: self.passed.saturating_sub(before.passed),
            repeated: self.repeated.saturating_sub(before.repeated),
            refused: self.refused.saturating_sub(before.refused),
            unreadable: self.unreadable.saturating_sub(before.unreadable),
            spoilt: list(&self.spoilt, &before.spoilt),
            connected: self.connected,
            connects: self.connects.saturating_sub(before.connects),
            waits: list(&self.waits, &before.waits),
        }
    }
}

/// Returns the bucket of a wait.
fn bucket_of(waited: Duration) -> usize {
    let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX).min((1 << MAX_BITS) - 1);
    let bucket = if micros < EXACT {
        micros
    } else {
        let octave = u64::from(micros.ilog2() - SUB_BITS - 1);
        let sub = (micros >> (octave + 1)) - (1 << SUB_BITS);
        EXACT + (octave << SUB_BITS) + sub
    };
    usize::try_from(bucket).unwrap_or(BUCKETS - 1)
}

/// Returns the longest wait of a bucket.
fn upper_end(bucket: usize) -> Duration {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    let micros = match bucket.checked_sub(EXACT) {
        None => bucket,
        Some(above) => {
            let (octave, sub) = (above >> SUB_BITS, above & ((1 << SUB_BITS) - 1));
            ((sub + (1 << SUB_BITS) + 1) << (octave + 1)) - 1
        }
    };
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_at_most_a_thirtysecond_above_what_is_in_it() {
        let mut micros = 1_u64;
        while micros < 1 << MAX_BITS {
            for micros in [micros, micros + micros / 3] {
                let end = u64::try_from(upper_end(bucket_of(Duration::from_micros(micros))).as_micros()).unwrap();
                assert!(end >= micros.min((1 << MAX_BITS) - 1) && end <= micros + micros / 32 + 1, "{micros} in {end}");
            }
            micros = micros * 2 + 1;
        }
        assert!(bucket_of(Duration::MAX) < BUCKETS);
    }

    #[test]
    fn quantiles_are_those_of_the_events_between_two_moments() {
        let tally = Tally::default();
        let stored = |events, millis| tally.add(Count::Stored { events, waited: Duration::from_millis(millis) });
        stored(1_000, 9_000);
        let before = tally.figures();
        stored(98, 10);
        stored(2, 500);
        let between = &tally.figures() - &before;
        let near = |share, millis: f64| {
            let found = between.quantile(share).unwrap().as_secs_f64() * 1_000.0;
            assert!(found >= millis && found < millis * 1.04, "{found} ms for {share}, expected about {millis}");
        };
        near(0.5, 10.0);
        near(0.98, 10.0);
        near(0.99, 500.0);
        assert_eq!((between.stored, (&before - &before).quantile(0.5)), (100, None));
    }

    #[test]
    fn only_connections_that_were_up_go_down() {
        let tally = Tally::default();
        let trouble = sync::link::Trouble::Network;
        tally.add(Count::Down { trouble, was_up: false });
        tally.add(Count::Up);
        tally.add(Count::Up);
        tally.add(Count::Down { trouble, was_up: true });
        let figures = tally.figures();
        assert_eq!((figures.connected, figures.connects), (1, 2));
    }
}

//! Which sequence numbers of one stream the database has: a watermark and what came before its turn.
//!
//! Pure. This is the only source of truth for "seen before": the events themselves may live in any partition, or be
//! gone by retention, and a number below the watermark is still never stored twice.

/// Ranges kept ahead of the watermark. A device that keeps to the protocol needs half of them at most; what would need
/// one more is left to the device to send again.
pub const MAX_AHEAD: usize = 2 * protocol::limits::MAX_BATCHES_UNDER_WAY;

/// Greatest sequence number, so that it fits both databases' 64-bit signed integers.
pub const MAX_SEQ: u64 = i64::MAX as u64;

/// A set of sequence numbers, from 1, dense at its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequences {
    /// Every number from 1 up to and with this is present; 0 is none.
    watermark: u64,
    /// What is present above, sorted, disjoint, with a hole before each.
    ahead: Vec<(u64, u64)>,
}

/// A number that would make one range too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_AHEAD} holes")]
pub struct TooScattered;

/// Text that is no set of sequence numbers: the row was written by something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a list of ranges")]
pub struct ParseRangesError(String);

impl Sequences {
    /// Returns the set that a row of `streams` holds.
    pub fn from_row(watermark: u64, ahead: &str) -> Result<Self, ParseRangesError> {
        let wrong = || ParseRangesError(ahead.to_owned());
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for part in ahead.split(',').filter(|part| !part.is_empty()) {
            let (from, to) = part.split_once('-').ok_or_else(wrong)?;
            let (Ok(from), Ok(to)) = (from.parse::<u64>(), to.parse::<u64>()) else {
                return Err(wrong());
            };
            let floor = ranges.last().map_or(watermark, |last| last.1);
            if from <= floor.saturating_add(1) || to < from {
                return Err(wrong());
            }
            ranges.push((from, to));
        }
        Ok(Self { watermark, ahead: ranges })
    }

    /// Adds every number from `from` to `to`, both included, and moves the watermark over what is now dense.
    ///
    /// `from` is at least 1 and at most `to`; anything else adds nothing.
    pub fn insert(&mut self, from: u64, to: u64) -> Result<(), TooScattered> {
        if from == 0 || from > to || to <= self.watermark {
            return Ok(());
        }
        let mut from = from.max(self.watermark.saturating_add(1));
        let mut to = to;
        // What touches the new range is swallowed by it.
        let first = self.ahead.partition_point(|range| range.1.saturating_add(1) < from);
        let last = self.ahead.partition_point(|range| range.0 <= to.saturating_add(1));
        if first == last && self.ahead.len() >= MAX_AHEAD && from > self.watermark.saturating_add(1) {
            return Err(TooScattered);
        }
        for range in self.ahead.drain(first..last) {
            from = from.min(range.0);
            to = to.max(range.1);
        }
        if from == self.watermark.saturating_add(1) {
            self.watermark = to;
        } else {
            self.ahead.insert(first, (from, to));
        }
        Ok(())
    }

    /// Returns whether `seq` is present.
    pub fn contains(&self, seq: u64) -> bool {
        if seq <= self.watermark {
            return seq > 0;
        }
        let at = self.ahead.partition_point(|range| range.1 < seq);
        self.ahead.get(at).is_some_and(|range| range.0 <= seq)
    }

    /// Returns the parts of `from..=to` that are not present, in order.
    pub fn missing(&self, from: u64, to: u64) -> Vec<(u64, u64)> {
        let mut next = from.max(self.watermark.saturating_add(1));
        let mut missing = Vec::new();
        for range in &self.ahead {
            if range.1 < next {
                continue;
            }
            if range.0 > to {
                break;
            }
            if next < range.0 {
                missing.push((next, range.0 - 1));
            }
            next = range.1.saturating_add(1);
        }
        if next <= to {
            missing.push((next, to));
        }
        missing
    }

    /// Returns the number up to and with which everything is present; 0 is none.
    pub fn watermark(&self) -> u64 {
        self.watermark
    }

    /// Returns the greatest number present.
    pub fn greatest(&self) -> u64 {
        self.ahead.last().map_or(self.watermark, |range| range.1)
    }

    /// Returns what is present above the watermark, as `from-to` with commas between, for the row.
    pub fn ahead(&self) -> String {
        let ranges: Vec<String> = self.ahead.iter().map(|(from, to)| format!("{from}-{to}")).collect();
        ranges.join(",")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{MAX_AHEAD, Sequences, TooScattered};

    #[test]
    fn the_watermark_waits_for_the_hole_and_then_jumps() {
        let mut seen = Sequences::default();
        seen.insert(1, 3).unwrap();
        seen.insert(5, 6).unwrap();
        assert_eq!((seen.watermark(), seen.ahead().as_str(), seen.greatest()), (3, "5-6", 6));
        assert_eq!(seen.missing(1, 9), [(4, 4), (7, 9)]);
        seen.insert(4, 4).unwrap();
        assert_eq!((seen.watermark(), seen.ahead().as_str()), (6, ""));
        assert!(seen.contains(6) && !seen.contains(7) && !seen.contains(0));
    }

    #[test]
    fn holes_are_bounded_and_what_fills_one_is_always_taken() {
        let mut seen = Sequences::default();
        for hole in 1..=MAX_AHEAD as u64 {
            seen.insert(hole * 2, hole * 2).unwrap();
        }
        let before = seen.clone();
        assert_eq!(seen.insert(1_000, 1_000), Err(TooScattered));
        assert_eq!(seen, before);
        seen.insert(3, 3).unwrap();
        seen.insert(1, 1).unwrap();
        assert_eq!(seen.watermark(), 4);
        seen.insert(1_000, 1_000).unwrap();
    }

    #[test]
    fn a_row_that_is_no_row_of_ours_is_refused() {
        for text in ["5", "5-4", "1-2", "3-4", "9-9,9-10", "9-9,10-11", "a-b", "9-9,5-6"] {
            assert!(Sequences::from_row(2, text).is_err(), "{text}");
        }
        assert_eq!(Sequences::from_row(2, "4-4,6-9").unwrap().greatest(), 9);
    }

    proptest! {
        #[test]
        fn it_is_the_set_it_stands_for(ranges in proptest::collection::vec((1_u64..120, 0_u64..12), 0..60)) {
            let mut seen = Sequences::default();
            let mut model = BTreeSet::new();
            for (from, length) in ranges {
                if seen.insert(from, from + length).is_ok() {
                    model.extend(from..=from + length);
                }
                let dense = (1..200).take_while(|seq| model.contains(seq)).last().unwrap_or(0);
                prop_assert_eq!(seen.watermark(), dense);
                prop_assert_eq!(seen.greatest(), model.last().copied().unwrap_or(0));
                for seq in 0..140 {
                    prop_assert_eq!(seen.contains(seq), model.contains(&seq));
                }
                let missing: BTreeSet<u64> = seen.missing(1, 139).into_iter().flat_map(|(a, b)| a..=b).collect();
                prop_assert_eq!(missing, (1..=139).filter(|seq| !model.contains(seq)).collect::<BTreeSet<_>>());
                prop_assert_eq!(Sequences::from_row(seen.watermark(), &seen.ahead()).unwrap(), seen.clone());
            }
        }
    }
}

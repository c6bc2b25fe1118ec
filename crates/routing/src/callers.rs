//! Who calls too often.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

/// Numbers remembered at most. When more call within the time, the one that called longest ago is forgotten.
const MAX_NUMBERS: usize = 4_096;

/// How often one number may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRate {
    /// Calls within the time.
    pub calls: NonZeroU32,
    /// The time.
    pub within: Duration,
}

/// When each number called lately. Times are since the program started.
#[derive(Clone, Default)]
pub struct Callers {
    calls: BTreeMap<String, VecDeque<Duration>>,
    /// Every number by its last call: those that have been quiet come first, and no others are looked at.
    quiet: BTreeSet<(Duration, String)>,
}

impl std::fmt::Debug for Callers {
    /// Shows how many numbers there are, and none of them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callers").field("numbers", &self.calls.len()).finish_non_exhaustive()
    }
}

impl Callers {
    /// Notes a call of `number` at `now`, and returns whether the number calls too often. A call that is too much counts
    /// too: who redials at once stays out until it is quiet for the time. Takes time that grows with the logarithm of the
    /// numbers remembered.
    pub fn note(&mut self, rate: CallRate, now: Duration, number: &str) -> bool {
        self.note_among(MAX_NUMBERS, rate, now, number)
    }

    /// Does so and remembers `most_numbers`.
    pub(crate) fn note_among(&mut self, most_numbers: usize, rate: CallRate, now: Duration, number: &str) -> bool {
        self.forget_quiet(rate, now);
        let most = usize::try_from(rate.calls.get()).unwrap_or(usize::MAX);
        let times = self.calls.entry(number.to_owned()).or_default();
        if let Some(last) = times.back() {
            self.quiet.remove(&(*last, number.to_owned()));
        }
        while times.front().is_some_and(|at| is_old(rate, now, *at)) {
            times.pop_front();
        }
        times.push_back(now);
        // One more than allowed is enough to know that it is too many.
        while times.len() > most.saturating_add(1) {
            times.pop_front();
        }
        let is_hurried = times.len() > most;
        self.quiet.insert((now, number.to_owned()));
        while self.calls.len() > most_numbers && self.forget_first() {}
        is_hurried
    }

    fn forget_quiet(&mut self, rate: CallRate, now: Duration) {
        while self.quiet.first().is_some_and(|(last, _)| is_old(rate, now, *last)) {
            self.forget_first();
        }
    }

    /// Forgets the number that called longest ago; returns whether there was one.
    fn forget_first(&mut self) -> bool {
        let first = self.quiet.pop_first();
        first.is_some_and(|(_, number)| self.calls.remove(&number).is_some())
    }
}

/// Returns whether a call at `at` is too long ago to count.
fn is_old(rate: CallRate, now: Duration, at: Duration) -> bool {
    now.saturating_sub(at) >= rate.within
}

//! Who calls too often.

use std::collections::{BTreeMap, VecDeque};
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
}

impl std::fmt::Debug for Callers {
    /// Shows how many numbers there are, and none of them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callers").field("numbers", &self.calls.len()).finish()
    }
}

impl Callers {
    /// Notes a call of `number` at `now`, and returns whether the number calls too often. A call that is too much counts
    /// too: who redials at once stays out until it is quiet for the time.
    pub fn note(&mut self, rate: CallRate, now: Duration, number: &str) -> bool {
        self.forget(rate, now);
        let most = usize::try_from(rate.calls.get()).unwrap_or(usize::MAX);
        let times = self.calls.entry(number.to_owned()).or_default();
        times.push_back(now);
        // One more than allowed is enough to know that it is too many.
        while times.len() > most.saturating_add(1) {
            times.pop_front();
        }
        let is_hurried = times.len() > most;
        while self.calls.len() > MAX_NUMBERS {
            self.forget_oldest();
        }
        is_hurried
    }

    fn forget(&mut self, rate: CallRate, now: Duration) {
        self.calls.retain(|_, times| {
            while times.front().is_some_and(|at| now.saturating_sub(*at) >= rate.within) {
                times.pop_front();
            }
            !times.is_empty()
        });
    }

    fn forget_oldest(&mut self) {
        let oldest = self.calls.iter().min_by_key(|(_, times)| times.back().copied()).map(|(number, _)| number.clone());
        if let Some(number) = oldest {
            self.calls.remove(&number);
        }
    }
}

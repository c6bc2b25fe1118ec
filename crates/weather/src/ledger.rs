//! What was spent on which day.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;

use crate::Micros;

/// Days remembered. More than one, since a request can end after midnight, and a device whose clock was wrong at boot
/// comes back to a day before.
const DAYS: usize = 8;

/// What was spent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    by_day: BTreeMap<u32, Micros>,
    by_engine: BTreeMap<String, Micros>,
}

impl Ledger {
    /// Counts money spent on `day`.
    pub(crate) fn charge(&mut self, day: u32, engine: &str, cost: Micros) {
        let spent = self.by_day.entry(day).or_default();
        *spent = spent.saturating_add(cost);
        let spent = self.by_engine.entry(engine.to_owned()).or_default();
        *spent = spent.saturating_add(cost);
        while self.by_day.len() > DAYS {
            let farthest = self.by_day.keys().copied().max_by_key(|other| other.abs_diff(day));
            farthest.map(|other| self.by_day.remove(&other));
        }
    }

    /// Returns what was spent on `day`.
    pub(crate) fn spent(&self, day: u32) -> Micros {
        self.by_day.get(&day).copied().unwrap_or_default()
    }

    /// Returns what was spent on each engine since the start.
    pub(crate) const fn by_engine(&self) -> &BTreeMap<String, Micros> {
        &self.by_engine
    }
}

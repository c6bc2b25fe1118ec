//! The figures of a campaign.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::check::Findings;
use crate::plan::Kind;
use crate::stage::Figures;

/// All of them.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether everything promised is there once, and nothing is left out without a word.
    pub(crate) is_good: bool,
    pub(crate) seed: u64,
    pub(crate) rounds: u32,
    /// How long the rounds took, in seconds.
    pub(crate) seconds: f64,
    /// Faults begun, by kind.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// How often a gateway ended by itself and was started again.
    pub(crate) gateways_ended: u64,
    /// How often a device found its store damaged.
    pub(crate) stores_damaged: u64,
    /// How long the outboxes took to become empty when everything was healed, in seconds; nothing when they did not.
    pub(crate) settled_seconds: Option<f64>,
    /// Events that no watermark covers.
    pub(crate) waiting: u64,
    /// Events that gateways got again and passed over.
    pub(crate) duplicates_refused: u64,
    /// Messages that gateways set aside.
    pub(crate) quarantined: u64,
    /// What the database says.
    #[serde(flatten)]
    pub(crate) findings: Findings,
    /// Where everything lies, if it was kept.
    pub(crate) folder: Option<String>,
}

/// What was counted on the way.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) faults: BTreeMap<Kind, u64>,
    pub(crate) gateways_ended: u64,
    pub(crate) stores_damaged: u64,
    pub(crate) took: Duration,
    pub(crate) settled: Option<Duration>,
    pub(crate) waiting: u64,
}

impl Report {
    /// Puts the figures together.
    pub(crate) fn new(seed: u64, rounds: u32, counts: &Counts, findings: Findings) -> Self {
        Self {
            is_good: findings.is_good() && counts.settled.is_some() && counts.stores_damaged == 0,
            seed,
            rounds,
            seconds: counts.took.as_secs_f64(),
            faults: counts.faults.iter().map(|(kind, count)| (kind.as_str(), *count)).collect(),
            gateways_ended: counts.gateways_ended,
            stores_damaged: counts.stores_damaged,
            settled_seconds: counts.settled.map(|settled| settled.as_secs_f64()),
            waiting: counts.waiting,
            duplicates_refused: 0,
            quarantined: 0,
            findings,
            folder: None,
        }
    }
}

impl Figures for Report {
    fn is_good(&self) -> bool {
        self.is_good
    }

    fn kept_in(&mut self, folder: String) {
        self.folder = Some(folder);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let findings = &self.findings;
        writeln!(f, "{:<24}{:>10}", "seed", self.seed)?;
        writeln!(f, "{:<24}{:>10}   in {:.0} s", "rounds", self.rounds, self.seconds)?;
        for (kind, count) in &self.faults {
            writeln!(f, "  {kind:<22}{count:>10}")?;
        }
        let figures = [
            ("promised", findings.promised, ""),
            ("stored", findings.stored, "with logs and what was never promised"),
            ("duplicates refused", self.duplicates_refused, ""),
            ("missing", findings.missing, "must be 0"),
            ("stored twice", findings.twice, "must be 0"),
            ("misplaced", findings.misplaced, "must be 0"),
            ("gaps unreported", findings.gaps_unreported, "must be 0"),
            ("gaps reported", findings.gaps_reported, "numbers of streams that may lose some"),
            ("stores damaged", self.stores_damaged, "must be 0"),
            ("epochs begun anew", findings.epochs_begun_anew, ""),
            ("quarantined", self.quarantined, ""),
            ("gateways ended", self.gateways_ended, "by themselves, without their database; started again"),
        ];
        for (name, count, note) in figures {
            writeln!(f, "{name:<24}{count:>10}   {note}")?;
        }
        match self.settled_seconds {
            Some(seconds) => writeln!(f, "{:<24}{seconds:>10.1}   s until the outboxes were empty", "settled")?,
            None => writeln!(f, "{:<24}{:>10}   {} events have no watermark", "settled", "never", self.waiting)?,
        }
        for example in &findings.examples {
            writeln!(f, "  {example}")?;
        }
        if let Some(folder) = &self.folder {
            writeln!(f, "{:<24}{folder}", "kept in")?;
        }
        if self.is_good {
            write!(f, "chaos: everything promised is there once")
        } else {
            write!(f, "chaos: FAILED; to begin the same faults again: --rounds {} --seed {}", self.rounds, self.seed)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Counts, Report};
    use crate::check::Findings;

    fn settled() -> Counts {
        Counts { settled: Some(Duration::from_secs(2)), ..Counts::default() }
    }

    #[test]
    fn a_campaign_is_good_only_if_it_settled_and_nothing_is_missing_or_damaged() {
        assert!(Report::new(1, 2, &settled(), Findings::default()).is_good);
        let bad = [
            Report::new(1, 2, &Counts::default(), Findings::default()),
            Report::new(1, 2, &Counts { stores_damaged: 1, ..settled() }, Findings::default()),
            Report::new(1, 2, &settled(), Findings { missing: 1, ..Findings::default() }),
            Report::new(1, 2, &settled(), Findings { twice: 1, ..Findings::default() }),
            Report::new(1, 2, &settled(), Findings { misplaced: 1, ..Findings::default() }),
            Report::new(1, 2, &settled(), Findings { gaps_unreported: 1, ..Findings::default() }),
        ];
        for report in bad {
            assert!(!report.is_good, "{report}");
            assert!(report.to_string().ends_with("--rounds 2 --seed 1"), "{report}");
        }
    }
}

//! The figures of the campaign of leads.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::check::Findings;
use crate::cli::CrmOptions;

/// All of them.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether everything acknowledged arrived, in order and provably.
    pub(crate) is_good: bool,
    seed: u64,
    /// How often the box was killed.
    kills: u32,
    /// How long the box was killed and told things, in seconds.
    seconds: f64,
    /// How long it took to deliver the rest, in seconds; nothing when something is left.
    settled_seconds: Option<f64>,
    /// What was found.
    #[serde(flatten)]
    findings: Findings,
    /// Where everything lies, if it was kept.
    pub(crate) folder: Option<String>,
}

impl Report {
    /// Puts the figures together.
    pub(super) fn new(
        seed: u64,
        options: &CrmOptions,
        took: Duration,
        settled: Option<Duration>,
        findings: Findings,
    ) -> Self {
        Self {
            is_good: findings.is_good() && settled.is_some(),
            seed,
            kills: options.kills,
            seconds: took.as_secs_f64(),
            settled_seconds: settled.map(|settled| settled.as_secs_f64()),
            findings,
            folder: None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let findings = &self.findings;
        writeln!(f, "{:<24}{:>10}", "seed", self.seed)?;
        writeln!(f, "{:<24}{:>10}   in {:.0} s", "kills", self.kills, self.seconds)?;
        let figures = [
            ("leads", findings.leads, ""),
            ("changes acknowledged", findings.acknowledged, ""),
            ("deliveries arrived", findings.arrived, "taken, refused and cut"),
            ("deliveries taken", findings.taken, ""),
            ("duplicates", findings.duplicates, "same key, same bytes"),
            ("changes merged", findings.merged, "too many of their lead waited"),
            ("missing", findings.missing, "must be 0"),
            ("out of order", findings.out_of_order, "must be 0"),
            ("altered", findings.altered, "must be 0"),
            ("unproven", findings.unproven, "must be 0"),
            ("gaps", findings.gaps, "must be 0"),
            ("stale leads", findings.stale, "must be 0"),
            ("doubled leads", findings.doubled, "must be 0"),
        ];
        for (name, count, note) in figures {
            writeln!(f, "{name:<24}{count:>10}   {note}")?;
        }
        match self.settled_seconds {
            Some(seconds) => writeln!(f, "{:<24}{seconds:>10.1}   s until nothing waited", "settled")?,
            None => writeln!(f, "{:<24}{:>10}", "settled", "never")?,
        }
        for example in &findings.examples {
            writeln!(f, "  {example}")?;
        }
        if let Some(folder) = &self.folder {
            writeln!(f, "{:<24}{folder}", "kept in")?;
        }
        if self.is_good {
            write!(f, "crm: every acknowledged change arrived, in order")
        } else {
            write!(f, "crm: FAILED; to begin the same again: --kills {} --seed {}", self.kills, self.seed)
        }
    }
}

//! The figures of a campaign that kills one box.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::stage::Figures;

/// Examples shown at most.
const MAX_EXAMPLES: usize = 10;

/// What a campaign found.
pub(crate) trait Findings: Serialize {
    /// The campaign's name on the command line.
    const NAME: &'static str;
    /// What is true when all is good.
    const PROMISE: &'static str;

    /// Tells whether everything promised was kept.
    fn is_good(&self) -> bool;

    /// Returns the figures: name, count, and what there is to say of it.
    fn figures(&self) -> Vec<(&'static str, u64, &'static str)>;

    /// Returns some of what is wrong, in words.
    fn examples(&self) -> &Examples;
}

/// Some of what is wrong, in words.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Examples(Vec<String>);

impl Examples {
    /// Takes one more, unless there are enough.
    pub(crate) fn push(&mut self, text: impl FnOnce() -> String) {
        if self.0.len() < MAX_EXAMPLES {
            self.0.push(text());
        }
    }
}

/// All figures.
#[derive(Debug, Serialize)]
pub(crate) struct BoxReport<F> {
    is_good: bool,
    seed: u64,
    /// How often the box was killed.
    kills: u32,
    /// How long the box was killed and told things, in seconds.
    seconds: f64,
    /// How long it took until nothing waited, in seconds; nothing when something is left.
    settled_seconds: Option<f64>,
    #[serde(flatten)]
    findings: F,
    /// Where everything lies, if it was kept.
    folder: Option<String>,
}

impl<F: Findings> BoxReport<F> {
    /// Puts the figures together.
    pub(crate) fn new(seed: u64, kills: u32, took: Duration, settled: Option<Duration>, findings: F) -> Self {
        Self {
            is_good: findings.is_good() && settled.is_some(),
            seed,
            kills,
            seconds: took.as_secs_f64(),
            settled_seconds: settled.map(|settled| settled.as_secs_f64()),
            findings,
            folder: None,
        }
    }
}

impl<F: Findings> Figures for BoxReport<F> {
    fn is_good(&self) -> bool {
        self.is_good
    }

    fn kept_in(&mut self, folder: String) {
        self.folder = Some(folder);
    }
}

impl<F: Findings> fmt::Display for BoxReport<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<24}{:>10}", "seed", self.seed)?;
        writeln!(f, "{:<24}{:>10}   in {:.0} s", "kills", self.kills, self.seconds)?;
        for (name, count, note) in self.findings.figures() {
            writeln!(f, "{name:<24}{count:>10}   {note}")?;
        }
        match self.settled_seconds {
            Some(seconds) => writeln!(f, "{:<24}{seconds:>10.1}   s until nothing waited", "settled")?,
            None => writeln!(f, "{:<24}{:>10}", "settled", "never")?,
        }
        for example in &self.findings.examples().0 {
            writeln!(f, "  {example}")?;
        }
        if let Some(folder) = &self.folder {
            writeln!(f, "{:<24}{folder}", "kept in")?;
        }
        if self.is_good {
            write!(f, "{}: {}", F::NAME, F::PROMISE)
        } else {
            write!(f, "{}: FAILED; to begin the same again: --kills {} --seed {}", F::NAME, self.kills, self.seed)
        }
    }
}

//! `kolbox bench`: the figures of this machine beside their targets. Nothing here passes or fails; a bad figure is
//! printed like a good one.

mod calls;
mod hearing;
mod memory;
mod offline;
mod process;
mod soak;
mod speaking;
mod weather;
mod webhook;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use testcall::Pace;

use super::boxed::{self, Models, RunningBox, Start};
use super::output;
use super::voices::LocalVoice;
use crate::cli::BenchArgs;
use crate::config::Synthesizer;

/// Limits that would end a benchmark instead of measuring it are raised; everything else is as shipped.
const EXTRA: &str = "\
    [greeting]\nmode = \"stream\"\n\n\
    [limits]\ncalls = 200\nrequests_per_second = 1000000\n\n\
    [callers]\ncalls = 1000000\n";

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
struct Row {
    what: String,
    figure: f64,
    unit: &'static str,
    target: Option<f64>,
    /// Whether more is better; less is otherwise.
    more_is_better: bool,
}

impl Row {
    fn new(what: impl Into<String>, figure: f64, unit: &'static str) -> Self {
        Self { what: what.into(), figure, unit, target: None, more_is_better: false }
    }

    fn at_most(self, target: f64) -> Self {
        Self { target: Some(target), ..self }
    }

    fn at_least(self, target: f64) -> Self {
        Self { target: Some(target), more_is_better: true, ..self }
    }

    fn verdict(&self) -> &'static str {
        match self.target {
            None => "",
            Some(target) if self.more_is_better && self.figure >= target => "met",
            Some(target) if !self.more_is_better && self.figure <= target => "met",
            Some(_) => "NOT MET",
        }
    }

    fn print(&self) {
        let relation = if self.more_is_better { ">=" } else { "<=" };
        let target = self.target.map_or_else(String::new, |target| format!("{relation} {target} {}", self.unit));
        output::line(format_args!(
            "{:<58} {:>10.3} {:<8} {:<16} {}",
            self.what,
            self.figure,
            self.unit,
            target,
            self.verdict()
        ));
    }
}

/// Measures and prints.
pub fn run(arguments: &BenchArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let wanted = |name: &str| arguments.only.as_deref().is_none_or(|only| name.contains(only));
    let mut rows = Vec::new();
    let mut add = |more: Vec<Row>| {
        if !arguments.json {
            more.iter().for_each(Row::print);
        }
        rows.extend(more);
    };
    if wanted("hearing") {
        add(hearing::measure()?);
    }
    if wanted("speaking") {
        add(speaking::measure()?);
    }
    if wanted("memory") {
        add(runtime.block_on(memory::without_models(&arguments.folder))?);
    }
    if wanted("calls") {
        add(runtime.block_on(on_a_box(&arguments.folder, !arguments.json))?);
    }
    if wanted("weather") {
        if !arguments.json {
            output::line("... a cloud that fails in every way, one stage at a time; this takes some minutes");
        }
        add(runtime.block_on(weather::measure(&arguments.folder, !arguments.json))?);
    }
    // These take many minutes, so they are only done when asked for.
    if arguments.only.as_deref() == Some("soak") {
        add(runtime.block_on(soak::measure(&arguments.folder, arguments.calls, !arguments.json))?);
    }
    if arguments.only.as_deref() == Some("offline") {
        add(runtime.block_on(offline::measure(&arguments.folder, arguments.hours, !arguments.json))?);
    }
    if arguments.json {
        output::json(&rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn on_a_box(folder: &Path, with_progress: bool) -> anyhow::Result<Vec<Row>> {
    let voice = LocalVoice::of_callers(&Synthesizer::default())?;
    let start = Start {
        folder,
        extra: EXTRA,
        voice: Arc::new(voice),
        pace: Pace::RealTime,
        record: false,
        models: Models::Installed,
    };
    boxed::empty(folder)?;
    let running = RunningBox::start(start).await?;
    let progress = |what: &str| {
        if with_progress {
            output::line(format_args!("... {what}"));
        }
    };
    let mut rows = Vec::new();
    progress("webhooks");
    rows.extend(webhook::measure(&running).await?);
    progress("conversations");
    rows.extend(calls::conversations(&running).await?);
    progress("nobody calls");
    let (idle, idle_rows) = calls::idle(&running).await?;
    rows.extend(idle_rows);
    let room = calls::quiet_room(folder)?;
    for count in [1, 10, 50] {
        progress(&format!("{count} calls at once"));
        rows.extend(calls::at_once(&running, &room, idle, count).await?);
    }
    let config = running.stop().await?;
    rows.extend(calls::latencies(&config)?);
    Ok(rows)
}

/// Returns the value below which `share` of the values lie, in milliseconds; zero for none.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index below the length"
)]
fn percentile_ms(values: &mut [Duration], share: f64) -> f64 {
    values.sort_unstable();
    let index = ((values.len() as f64) * share).ceil() as usize;
    values.get(index.saturating_sub(1)).map_or(0.0, |value| value.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Row, percentile_ms};

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut values: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert!((percentile_ms(&mut values, 0.5) - 50.0).abs() < 1e-9);
        assert!((percentile_ms(&mut values, 0.99) - 99.0).abs() < 1e-9);
        assert!(percentile_ms(&mut [], 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_bad_figure_is_said_to_be_bad() {
        assert_eq!(Row::new("x", 6.0, "ms").at_most(5.0).verdict(), "NOT MET");
        assert_eq!(Row::new("x", 6.0, "%").at_least(5.0).verdict(), "met");
    }
}

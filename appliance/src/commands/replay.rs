//! `kolbox replay`: replays the decisions of a call log.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use replay::player::{WakeUps, replay};
use replay::{Reader, Record, course};

use super::output;
use crate::cli::ReplayArgs;

/// Replays the log as often as asked, and says whether every decision was the same.
pub fn run(arguments: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let file = &arguments.file;
    let log = fs::read(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    if arguments.timeline {
        print_timeline(&log)?;
    }
    if course::is_course(&log) {
        return Ok(run_course(file, &log));
    }
    let mut last = None;
    for number in 0..arguments.times.max(1) {
        let seed = arguments.seed.wrapping_add(u64::from(number));
        let wake_ups = if number == 0 { WakeUps::OnTime } else { WakeUps::Random { seed } };
        match replay(&log, wake_ups) {
            Ok(report) => last = Some(report),
            Err(error) => {
                output::line(format_args!("{}: replay {number}: {error}", file.display()));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    if let Some(report) = last {
        output::line(format_args!("{}: {} times: {report}", file.display(), arguments.times.max(1)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Plays a course once: nothing in it is random.
fn run_course(file: &Path, log: &[u8]) -> ExitCode {
    match course::replay(log) {
        Ok(report) => {
            output::line(format_args!("{}: {report}", file.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::line(format_args!("{}: {error}", file.display()));
            ExitCode::FAILURE
        }
    }
}

/// Prints what happened and what was decided, without what was said.
fn print_timeline(log: &[u8]) -> anyhow::Result<()> {
    for record in Reader::new(log) {
        match record? {
            Record::Opened(opened) => output::line(format_args!("{} format {}", opened.software, opened.format)),
            Record::Frame { .. } => {}
            Record::Perceived { at, input } => output::line(format_args!("{at:>9}  <- {input}")),
            Record::Decided { at, output } => output::line(format_args!("{at:>9}  -> {output}")),
            Record::Chosen { at, decision } => output::line(format_args!("{at:>9}  == {decision}")),
            Record::Began(began) => output::line(format_args!("{} format {}, course", began.software, began.format)),
            Record::Told { at, event } => output::line(format_args!("{at:>9}  <- {event}")),
            Record::Went { at, way } => output::line(format_args!("{at:>9}  -> {way}")),
        }
    }
    Ok(())
}

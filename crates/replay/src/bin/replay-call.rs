//! Replays the decisions of call logs: `replay-call FILE...`. Prints a line for each, and exits with 1 if one went another
//! way, with 64 if there is nothing to replay.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program that prints")]

use std::process::ExitCode;

use replay::course;
use replay::player::{WakeUps, replay};

/// The exit code for wrong usage (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        eprintln!("usage: replay-call FILE...");
        return ExitCode::from(USAGE);
    }
    let mut all_well = true;
    for file in files {
        let name = file.display();
        match replay_file(&file) {
            Ok(report) => println!("{name}: {report}"),
            Err(error) => {
                all_well = false;
                println!("{name}: {error}");
            }
        }
    }
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay_file(file: &std::ffi::OsStr) -> Result<String, Box<dyn std::error::Error>> {
    let log = std::fs::read(file)?;
    if course::is_course(&log) {
        return Ok(course::replay(&log)?.to_string());
    }
    Ok(replay(&log, WakeUps::OnTime)?.to_string())
}

//! `cargo xtask`: chores.
#![expect(clippy::print_stdout, reason = "a program that prints")]

use std::process::ExitCode;

use anyhow::Context as _;
use xtask::{ci, root, tidy};

const HELP: &str = "\
cargo xtask COMMAND

  ci        everything continuous integration checks: check, tests, doc tests
  check     format, lints, docs and house rules
  tidy      house rules, and a report of long files
  replays   replay every call log of tests/calls and compare the decisions";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let outcome = match command.as_str() {
        "ci" => ci::everything(&root()),
        "check" => ci::check(&root()).and_then(|()| run_tidy()),
        "tidy" => run_tidy(),
        "replays" => ci::replays(&root()),
        "" | "help" | "--help" | "-h" => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            println!("unknown command '{command}'\n\n{HELP}");
            return ExitCode::from(64);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_tidy() -> anyhow::Result<()> {
    let root = root();
    for (lines, path) in tidy::sizes::long_files(&root).context("cannot count lines")? {
        println!("tidy: note: {lines} lines in {path}");
    }
    let problems = tidy::all(&root)?;
    for problem in &problems {
        println!("tidy: {problem}");
    }
    anyhow::ensure!(problems.is_empty(), "{} rules of the house are broken", problems.len());
    println!("tidy: all in order");
    Ok(())
}

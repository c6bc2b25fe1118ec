//! The steps of continuous integration, each a child process that inherits the terminal.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};

/// Runs every step, in the order in which mistakes are cheapest to find.
pub fn everything(root: &Path) -> anyhow::Result<()> {
    check(root)?;
    cargo(root, "tests and house rules", &["nextest", "run", "--workspace"])?;
    cargo(root, "doc tests", &["test", "--workspace", "--doc", "--quiet"])
}

/// Runs what needs no test to run: format, lints, docs.
pub fn check(root: &Path) -> anyhow::Result<()> {
    cargo(root, "format", &["fmt", "--all", "--check"])?;
    cargo(root, "lints", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"])?;
    let docs = ["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"];
    step("docs", Command::new(env!("CARGO")).args(docs).env("RUSTDOCFLAGS", "--deny warnings").current_dir(root))
}

/// Replays the decisions of every call log in `tests/calls`. The tests do this too, many times over; here it is alone.
pub fn replays(root: &Path) -> anyhow::Result<()> {
    let logs = call_logs(&root.join("tests/calls"))?;
    if logs.is_empty() {
        return done("replays: there are no call logs in tests/calls");
    }
    for log in &logs {
        let replay = ["run", "--quiet", "--package", "replay", "--bin", "replay-call", "--"];
        let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
        step(&format!("replay {name}"), Command::new(env!("CARGO")).args(replay).arg(log).current_dir(root))?;
    }
    Ok(())
}

fn call_logs(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut logs = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<PathBuf>>>()?;
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.sort();
    Ok(logs)
}

fn cargo(root: &Path, name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    step(name, Command::new(env!("CARGO")).args(arguments).current_dir(root))
}

fn step(name: &str, command: &mut Command) -> anyhow::Result<()> {
    let started = Instant::now();
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    ensure!(status.success(), "{name} failed");
    done(&format!("{name}: {} s", started.elapsed().as_secs()))
}

#[expect(clippy::print_stdout, clippy::unnecessary_wraps, reason = "a program that prints; the last step returns it")]
fn done(text: &str) -> anyhow::Result<()> {
    println!("xtask: {text}");
    Ok(())
}

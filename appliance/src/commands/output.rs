//! The only place that prints to standard output.

use std::fmt::Display;

/// Prints a line.
#[expect(clippy::print_stdout, reason = "a command's output is what it is run for")]
pub(super) fn line(text: impl Display) {
    println!("{text}");
}

/// Prints a value as JSON, for programs.
pub(super) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

//! Where a campaign takes place: a seed, a folder that stays when something went wrong, and figures in the end.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use rand::RngExt as _;
use serde::Serialize;

use crate::cli::Common;

/// What a campaign ends with.
pub(crate) trait Figures: Serialize + Display {
    /// Tells whether everything promised was kept.
    fn is_good(&self) -> bool;

    /// Notes where everything lies that the campaign left.
    fn kept_in(&mut self, folder: String);
}

/// Runs a campaign on a seed and in a folder named after `prefix`, and prints its figures.
pub(crate) fn run<F: Figures>(
    prefix: &str,
    options: &Common,
    campaign: impl FnOnce(u64, &Path) -> anyhow::Result<F>,
) -> anyhow::Result<ExitCode> {
    let seed = options.seed.unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    let mut folder = tempfile::Builder::new().prefix(prefix).tempdir()?;
    folder.disable_cleanup(true);
    let done = campaign(seed, folder.path());
    let is_good = done.as_ref().is_ok_and(F::is_good);
    let kept = if is_good && !options.keep {
        folder.disable_cleanup(false);
        // What cannot be removed lies in the system's temporary folder.
        drop(folder.close());
        None
    } else {
        Some(folder.keep().display().to_string())
    };
    let mut figures = done.with_context(|| {
        format!("the campaign with --seed {seed} broke off; it lies in {}", kept.as_deref().unwrap_or_default())
    })?;
    if let Some(kept) = kept {
        figures.kept_in(kept);
    }
    print(&figures, options)?;
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lets an async campaign run to its end.
pub(crate) fn block_on<T>(campaign: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(campaign)
}

#[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
fn print(figures: &impl Figures, options: &Common) -> anyhow::Result<()> {
    if options.json {
        println!("{}", serde_json::to_string_pretty(figures)?);
    } else {
        println!("{figures}");
    }
    Ok(())
}

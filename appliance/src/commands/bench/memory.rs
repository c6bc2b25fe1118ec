//! What a box takes of the memory when nobody calls.

use std::path::Path;
use std::sync::Arc;

use testcall::{Pace, ToneVoice};

use super::process::{self, Usage};
use super::{EXTRA, Row};
use crate::commands::boxed::{self, Models, RunningBox, Start};

/// Starts a box that has no model at all and tells its memory once it is ready and does nothing more.
pub(super) async fn without_models(folder: &Path) -> anyhow::Result<Vec<Row>> {
    boxed::empty(folder)?;
    let running = RunningBox::start(Start {
        folder,
        extra: EXTRA,
        voice: Arc::new(ToneVoice),
        pace: Pace::RealTime,
        record: false,
        models: Models::None,
    })
    .await?;
    process::quiet(running.pid()).await?;
    let usage = Usage::of(running.pid())?;
    running.stop().await?;
    Ok(vec![
        Row::new("idle without models: memory", usage.resident_mb, "MB").at_most(40.0),
        Row::new("idle without models: of that heap and stacks", usage.anonymous_mb, "MB"),
    ])
}

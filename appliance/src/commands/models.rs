//! `kolbox models`: what speech models are on this device, and whether they are whole.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use speech_onnx::{Card, verify};

use super::output;
use crate::cli::ModelsCommand;

#[derive(Debug, Serialize)]
struct Model {
    folder: String,
    title: String,
    files: usize,
    bytes: u64,
}

/// Lists or verifies.
pub fn run(command: &ModelsCommand) -> anyhow::Result<ExitCode> {
    match command {
        ModelsCommand::List { folder, json } => list(folder, *json),
        ModelsCommand::Verify { model } => {
            let card = verify(model)?;
            output::line(format_args!("{}: {} files are as on the card", card.title(), card.files.len()));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(folder: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let mut models = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{}: cannot be read", folder.display()))? {
        let path = entry?.path();
        if let Some(card) = Card::read(&path)? {
            let bytes = card.files.iter().filter_map(|file| file.bytes).sum();
            let folder = path.display().to_string();
            models.push(Model { folder, title: card.title(), files: card.files.len(), bytes });
        }
    }
    models.sort_by(|a, b| a.folder.cmp(&b.folder));
    if json {
        output::json(&models)?;
    } else {
        for model in &models {
            let mib = model.bytes / (1 << 20);
            output::line(format_args!("{:<32} {:<28} {} files, {mib} MiB", model.folder, model.title, model.files));
        }
    }
    Ok(ExitCode::SUCCESS)
}

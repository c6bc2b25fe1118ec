//! Models in the repository: each has a card, and each file the digest its card says.

use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use toml::Table;

use super::{Problem, below};

/// Name of the card in a model's folder.
const CARD: &str = "card.toml";

/// Checks the folders of `models` that hold a model.
pub fn check(root: &Path) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let folder = root.join("models");
    if !folder.is_dir() {
        return Ok(problems);
    }
    for entry in std::fs::read_dir(&folder).context("cannot list models")? {
        let model = entry?.path();
        if model.is_dir() && has_graphs(&model)? {
            problems.extend(check_model(root, &model)?);
        }
    }
    problems.sort();
    Ok(problems)
}

/// Returns whether a folder holds a model: graphs in it or in its `onnx`. Deeper ones are a training's leftovers.
fn has_graphs(model: &Path) -> anyhow::Result<bool> {
    for folder in [model.to_owned(), model.join("onnx")] {
        if folder.is_dir() {
            for entry in std::fs::read_dir(&folder).context("cannot list a model")? {
                if entry?.path().extension().is_some_and(|extension| extension == "onnx") {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Checks one model. The card lists files as `[[file]]` with `name` and `sha256`.
pub(super) fn check_model(root: &Path, model: &Path) -> anyhow::Result<Vec<Problem>> {
    let at = below(root, &model.join(CARD));
    let Ok(card) = std::fs::read_to_string(model.join(CARD)) else {
        return Ok(vec![Problem::new(at, "is missing; a model has a card")]);
    };
    let card: Table = card.parse().with_context(|| format!("{at} is not TOML"))?;
    let mut problems = Vec::new();
    for field in ["name", "licence"] {
        if !card.contains_key(field) {
            problems.push(Problem::new(&at, format!("does not say its {field}")));
        }
    }
    let files = listed(&card);
    for (name, digest) in &files {
        match std::fs::read(model.join(name)) {
            Err(error) => problems.push(Problem::new(&at, format!("lists {name}, which cannot be read: {error}"))),
            Ok(content) if hex(&content) != *digest => {
                problems.push(Problem::new(&at, format!("{name} has not the digest it says")));
            }
            Ok(_) => {}
        }
    }
    for graph in super::files_below(model, "onnx")? {
        let name = below(model, &graph);
        if !files.iter().any(|(listed, _)| *listed == name) {
            problems.push(Problem::new(&at, format!("does not list {name}")));
        }
    }
    Ok(problems)
}

fn listed(card: &Table) -> Vec<(String, String)> {
    let text = |file: &toml::Value, field: &str| file.get(field).and_then(toml::Value::as_str).map(str::to_owned);
    card.get("file")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|file| Some((text(file, "name")?, text(file, "sha256")?)))
        .collect()
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

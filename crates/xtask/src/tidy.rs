//! The rules of the house. Each returns what breaks it; an empty list is good.

pub mod directions;
pub mod licences;
pub mod manifests;
pub mod models;
pub mod readme;
pub mod sizes;
pub mod sources;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// One thing that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where: a path below the root of the repository, with a line if there is one, or a package.
    pub at: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl Problem {
    fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self { at: at.into(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// Checks every rule.
pub fn all(root: &Path) -> anyhow::Result<Vec<Problem>> {
    let members = metadata(root, &["--no-deps"])?;
    let mut problems = directions::check(&members);
    problems.extend(manifests::check(root, &members)?);
    problems.extend(sources::check(root)?);
    problems.extend(readme::check(root, &members)?);
    problems.extend(models::check(root)?);
    problems.extend(licences::check(&metadata(root, &licences::ARGUMENTS)?));
    Ok(problems)
}

/// Returns what cargo knows of the workspace, without asking the network.
pub fn metadata(root: &Path, arguments: &[&str]) -> anyhow::Result<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--format-version", "1"])
        .args(arguments)
        .current_dir(root)
        .output()
        .context("cannot start cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    serde_json::from_slice(&output.stdout).context("cargo metadata printed something else than JSON")
}

/// Returns the packages in what cargo knows.
fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata.get("packages").and_then(Value::as_array).into_iter().flatten()
}

/// Returns a text field, or nothing.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the folder of each member, below the root.
fn member_folders(root: &Path, members: &Value) -> Vec<PathBuf> {
    let folder = |package: &Value| {
        let manifest = Path::new(text(package, "manifest_path"));
        manifest.parent().and_then(|folder| folder.strip_prefix(root).ok()).map(Path::to_owned)
    };
    packages(members).filter_map(folder).collect()
}

/// Returns every file below `folder` with this extension, sorted; hidden folders and build output are left out.
fn files_below(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let kind = entry.file_type()?;
            if kind.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(entry.path());
            } else if kind.is_file() && entry.path().extension().is_some_and(|found| found == extension) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a file of the repository.
fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Returns a path below the root as text.
fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests;

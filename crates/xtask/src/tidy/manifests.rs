//! Manifests: lints inherited, versions at the root only; pure packages with the clippy rules that keep them so.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use toml::Table;

use super::{Problem, directions, member_folders, packages, read, text};

/// Where a manifest lists what it depends on.
const DEPENDENCY_TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Checks the manifest of each member.
pub fn check(root: &Path, members: &Value) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for folder in member_folders(root, members) {
        let at = folder.join("Cargo.toml");
        let manifest = read(&root.join(&at))?;
        problems.extend(check_manifest(&at.display().to_string(), &manifest)?);
    }
    let shared = read(&root.join("clippy.toml"))?;
    for package in packages(members).filter(|package| directions::PURE.contains(&text(package, "name"))) {
        let folder = Path::new(text(package, "manifest_path")).parent().unwrap_or(root);
        let own = std::fs::read_to_string(folder.join("clippy.toml")).unwrap_or_default();
        problems.extend(check_clippy(text(package, "name"), &shared, &own)?);
    }
    Ok(problems)
}

/// Checks one manifest.
pub(super) fn check_manifest(at: &str, manifest: &str) -> anyhow::Result<Vec<Problem>> {
    let manifest: Table = manifest.parse().with_context(|| format!("{at} is not TOML"))?;
    let mut problems = Vec::new();
    let inherits = |value: Option<&toml::Value>| {
        value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
    };
    if !inherits(manifest.get("lints")) {
        problems.push(Problem::new(at, "does not inherit the lints; write [lints] and workspace = true"));
    }
    let package = manifest.get("package");
    if !inherits(package.and_then(|package| package.get("version"))) {
        problems.push(Problem::new(at, "has a version of its own; write version.workspace = true"));
    }
    for table in DEPENDENCY_TABLES {
        for (name, dependency) in manifest.get(table).and_then(toml::Value::as_table).into_iter().flatten() {
            if !inherits(Some(dependency)) {
                problems
                    .push(Problem::new(at, format!("{name} has its version here; it belongs into the root manifest")));
            }
        }
    }
    Ok(problems)
}

/// Checks that a pure package bans what makes it impure and repeats the shared lines, which its file replaces.
pub(super) fn check_clippy(name: &str, shared: &str, own: &str) -> anyhow::Result<Vec<Problem>> {
    let shared: Table = shared.parse().context("clippy.toml is not TOML")?;
    let own: Table = own.parse().with_context(|| format!("clippy.toml of {name} is not TOML"))?;
    let mut problems = Vec::new();
    for (key, value) in &shared {
        if key != "disallowed-methods" && own.get(key) != Some(value) {
            problems.push(Problem::new(name, format!("its clippy.toml does not repeat {key} of the root's")));
        }
    }
    let banned: Vec<&str> = own
        .get("disallowed-methods")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|ban| ban.get("path").and_then(toml::Value::as_str))
        .collect();
    for path in ["std::time::Instant::now", "std::time::SystemTime::now", "std::thread::sleep", "std::env::var"] {
        if !banned.contains(&path) {
            problems.push(Problem::new(name, format!("its clippy.toml does not ban {path}")));
        }
    }
    Ok(problems)
}

//! The code map of the README against the crates that exist.

use std::path::Path;

use serde_json::Value;

use super::{Problem, member_folders, read};

/// Compares the two.
pub fn check(root: &Path, members: &Value) -> anyhow::Result<Vec<Problem>> {
    let folders: Vec<String> =
        member_folders(root, members).iter().map(|folder| folder.display().to_string()).collect();
    Ok(check_map(&read(&root.join("README.md"))?, &folders))
}

/// Each member has one row, and each row a member.
pub(super) fn check_map(readme: &str, folders: &[String]) -> Vec<Problem> {
    let rows: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(folder, _)| folder.trim_end_matches('/'))
        .collect();
    let missing = folders.iter().filter(|folder| rows.iter().filter(|row| *row == folder).count() != 1);
    let unknown = rows.iter().filter(|row| !folders.iter().any(|folder| folder == *row));
    missing
        .map(|folder| Problem::new("README.md", format!("the code map should have one row for {folder}")))
        .chain(
            unknown
                .map(|row| Problem::new("README.md", format!("the code map has a row for {row}, which is no crate"))),
        )
        .collect()
}

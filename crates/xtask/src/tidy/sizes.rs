//! How long files are: a report, not a rule.

use std::path::Path;

use super::{below, files_below, read};

/// Lines beyond which a file is worth a thought (house style, section 4).
const LONG: usize = 600;

/// Returns files without their tests that are long, the longest first.
pub fn long_files(root: &Path) -> anyhow::Result<Vec<(usize, String)>> {
    let mut long = Vec::new();
    for folder in ["appliance", "crates", "gateway"] {
        for path in files_below(&root.join(folder), "rs")? {
            let at = below(root, &path);
            let lines = read(&path)?.lines().count();
            if lines > LONG && !at.ends_with("tests.rs") && !at.contains("/tests/") {
                long.push((lines, at));
            }
        }
    }
    long.sort_by(|one, other| other.cmp(one));
    Ok(long)
}

//! Licences of everything that is linked.

use serde_json::Value;

use super::{Problem, packages, text};

/// Asks cargo for everything that is linked on the platforms we build for (their dependencies are the same).
pub const ARGUMENTS: [&str; 2] = ["--filter-platform", "x86_64-unknown-linux-gnu"];

/// Licences whose terms we can keep in a program given away under MIT or Apache-2.0.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks the licence of each package.
pub fn check(metadata: &Value) -> Vec<Problem> {
    packages(metadata)
        .filter(|package| !is_allowed(text(package, "license")))
        .map(|package| {
            let licence = text(package, "license");
            Problem::new(text(package, "name"), format!("has the licence '{licence}', which is not on the list"))
        })
        .collect()
}

/// Returns whether a licence expression can be kept: one of each `OR`, all of each `AND`.
pub(super) fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    // Parentheses only ever group an OR inside an AND in the expressions in use.
    expression.split(" AND ").all(|part| {
        let part = part.trim().trim_start_matches('(').trim_end_matches(')');
        part.split(" OR ").any(|licence| ALLOWED.contains(&licence.trim()))
    })
}

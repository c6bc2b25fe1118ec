//! Sources: what no file, and what no test, may contain.

use std::path::Path;

use super::{Problem, below, files_below, read};

/// Folders with our sources.
const FOLDERS: [&str; 4] = ["appliance", "crates", "gateway", "tests"];

/// What no source contains, and what to write instead. Written in two halves, or this file would break its own rule.
const NOWHERE: [(&str, &str); 5] = [
    (concat!("#[", "ignore"), "an ignored test; delete it or let it run"),
    (concat!("should_", "panic"), "asserts that something panics; assert an error"),
    (concat!("#[", "allow("), "allows a lint; write expect, with a reason"),
    (concat!("#![", "allow("), "allows a lint; write expect, with a reason"),
    (concat!("todo", "!("), "is not finished"),
];

/// What no test contains.
const NOT_IN_TESTS: [(&str, &str); 4] = [
    (concat!("thread::", "sleep"), "sleeps; wait for a state, with a deadline"),
    (concat!("time::", "sleep"), "sleeps; wait for a state, with a deadline"),
    (concat!("sleep_", "until("), "sleeps; wait for a state, with a deadline"),
    (concat!("sleep", "(Duration"), "sleeps; wait for a state, with a deadline"),
];

/// Checks every source.
pub fn check(root: &Path) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for folder in FOLDERS {
        for path in files_below(&root.join(folder), "rs")? {
            problems.extend(check_source(&below(root, &path), &read(&path)?));
        }
    }
    Ok(problems)
}

/// Checks one source.
pub(super) fn check_source(at: &str, source: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if at.ends_with("/mod.rs") {
        problems.push(Problem::new(at, "is a mod.rs; name the file after its module"));
    }
    let mut in_tests = is_test_file(at);
    for (number, line) in source.lines().enumerate() {
        // Test modules stand last in a file.
        in_tests |= line.trim() == "#[cfg(test)]" && !source_ends_after(source, number + 1);
        let code = line.split("//").next().unwrap_or_default();
        let rules = NOWHERE.iter().chain(if in_tests { NOT_IN_TESTS.as_slice() } else { &[] });
        for (text, what) in rules {
            if code.contains(text) {
                problems.push(Problem::new(format!("{at}:{}", number + 1), *what));
            }
        }
    }
    problems
}

/// Returns whether a file holds nothing but tests.
fn is_test_file(at: &str) -> bool {
    at.ends_with("tests.rs") || at.contains("/tests/") || at.starts_with("tests/")
}

/// Returns whether the item behind line `number` is a `mod` in another file, so that this one has no tests.
fn source_ends_after(source: &str, number: usize) -> bool {
    source.lines().nth(number).is_some_and(|line| line.trim_end().ends_with(';'))
}

//! Chores of this repository: the rules of the house as checks, and the steps of continuous integration.
//!
//! `cargo xtask` is the one entry. The rules ([`tidy`]) are plain functions from the repository to a list of problems;
//! each is a test, so that `cargo test` finds what breaks them. Nothing here needs a tool beyond the Rust toolchain and
//! nextest, nor a network.
//!
//! **Invariant:** a rule names the file it complains about and says what would be right.

pub mod ci;
pub mod tidy;

use std::path::{Path, PathBuf};

/// Returns the root of the repository this program was built in.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

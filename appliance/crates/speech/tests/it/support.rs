//! What several tests need.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use speech::SynthesizeRequest;
use units::Language;

/// Writes a shell script that stands for a program.
pub(crate) fn script(folder: &Path, body: &str) -> PathBuf {
    let file = folder.join("program");
    fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// Returns whether a program is installed, and says so when it is not.
pub(crate) fn installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// Returns a file of the shared test data, if it is there.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared");
    let found = std::env::var_os("KOLBOX_SHARED").map_or(default, PathBuf::from).join("data").join(path);
    if !found.exists() {
        println!("skipped: no shared data {path}");
    }
    found.exists().then_some(found)
}

pub(crate) fn hebrew(text: &str) -> SynthesizeRequest {
    SynthesizeRequest { text: text.to_owned(), language: Language::Hebrew }
}

pub(crate) fn english(text: &str) -> SynthesizeRequest {
    SynthesizeRequest { text: text.to_owned(), language: Language::English }
}

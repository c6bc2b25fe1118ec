//! Tells the program its commit and the time it was built, for `/version`.

use std::process::Command;

fn main() {
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let build_time = output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=KOLBOX_COMMIT={commit}");
    println!("cargo::rustc-env=KOLBOX_BUILD_TIME={build_time}");
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(folder) = output("git", &["rev-parse", "--git-common-dir"]) {
        println!("cargo::rerun-if-changed={folder}/HEAD");
    }
}

/// Returns what a program prints, or `None` where it is missing or fails.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

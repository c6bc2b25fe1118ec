//! Tells the program its commit and the time it was built, for `/version`.

use std::path::Path;
use std::process::Command;

fn main() {
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let build_time = output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=KOLBOX_COMMIT={commit}");
    println!("cargo::rustc-env=KOLBOX_BUILD_TIME={build_time}");
    println!("cargo::rerun-if-changed=build.rs");
    for file in files_of_head() {
        println!("cargo::rerun-if-changed={file}");
    }
}

/// Returns the files one of which changes when another commit is checked out or made. `HEAD` names a branch and stays as
/// it is when a commit is made on it; its log does not, and where none is kept, the branch's own file does not. A file
/// that is not there is left out: cargo would run this again on each build.
fn files_of_head() -> Vec<String> {
    let branch = output("git", &["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref());
    let files = names.filter_map(|name| output("git", &["rev-parse", "--git-path", name]));
    files.filter(|file| Path::new(file).exists()).collect()
}

/// Returns what a program prints, or `None` where it is missing or fails.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

//! The program itself: what it says, and how it ends.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::servers::{Mosquitto, sqlite_url};

/// `EX_USAGE` of sysexits.h.
const EXIT_USAGE: i32 = 64;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kolbox-gateway"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn write_config(folder: &Path, port: u16) -> std::path::PathBuf {
    let file = folder.join("gateway.toml");
    let text = format!(
        "[http]\nlisten = '127.0.0.1:0'\n[database]\nurl = '{}'\n[mqtt]\nservers = ['mqtt://127.0.0.1:{port}']\n",
        sqlite_url(folder)
    );
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_wrong_configuration_ends_with_64_and_says_file_line_field_and_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    std::fs::write(&file, "[http]\nlisten = 'nowhere'\n").unwrap();
    let output = program().args(["run", "--config"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(EXIT_USAGE));
    assert!(said(&output).contains(&format!("{}:2: http.listen: ", file.display())), "{}", said(&output));
    let output = program().args(["run", "--config", "/no/such/file"]).output().unwrap();
    assert_eq!(output.status.code(), Some(EXIT_USAGE));
    assert!(said(&output).contains("--config"));
    assert_eq!(program().arg("fly").output().unwrap().status.code(), Some(EXIT_USAGE));
}

#[test]
fn tokens_and_devices_are_made_and_listed_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), 1);
    let ask = |arguments: &[&str]| {
        let output = program().args(arguments).arg("--config").arg(&config).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, made) =
        ask(&["token", "create", "--name", "ci", "--role", "operator", "--scopes", "fleet:read", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(code, Some(0));
    assert!(made["token"].as_str().unwrap().starts_with("kbx_"));
    let (_, listed) = ask(&["token", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((listed[0]["name"].as_str(), listed[0]["scopes"].as_str()), (Some("ci"), Some("fleet:read")));
    let (code, _) = ask(&["token", "create", "--name", "x", "--role", "viewer", "--scopes", "tokens:write"]);
    assert_eq!(code, Some(EXIT_USAGE));
    assert_eq!(ask(&["token", "revoke", made["id"].as_str().unwrap()]).0, Some(0));
    assert_eq!(ask(&["token", "revoke", made["id"].as_str().unwrap()]).0, Some(1));
    assert_eq!(ask(&["device", "list", "--json"]), (Some(0), "[]\n".to_owned()));
    assert_eq!(ask(&["device", "show", "box-1"]).0, Some(1));
    assert_eq!(ask(&["device", "show", "BOX"]).0, Some(EXIT_USAGE));
}

#[test]
fn it_stops_with_0_when_told() {
    let (folder, mosquitto) = (tempfile::tempdir().unwrap(), Mosquitto::start());
    let config = write_config(folder.path(), mosquitto.port);
    let mut child = program().args(["run", "--config"]).arg(&config).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.by_ref().any(|line| line.unwrap().contains("part is well part=Worker(0)")));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(lines.by_ref().any(|line| line.unwrap().contains("stopped")));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

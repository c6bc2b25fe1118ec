//! Short campaigns, so that the long one cannot rot.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs a campaign; its folder goes into one that is gone afterwards, kept or not.
fn campaign(arguments: &[&str]) -> (Output, Value) {
    let folder = tempfile::tempdir().unwrap();
    // Everybody must be able to pass: PostgreSQL does not run as root.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kolbox-chaos"));
    let output = command.args(arguments).arg("--json").env("TMPDIR", folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (output, report)
}

fn figure(report: &Value, name: &str) -> u64 {
    report[name].as_u64().unwrap_or_else(|| panic!("no {name}: {report:#}"))
}

#[test]
fn a_few_rounds_lose_nothing() {
    let (output, report) = campaign(&["--rounds", "5", "--seed", "11", "--devices", "2"]);
    assert!(output.status.success() && report["is_good"] == true, "{report:#}");
    let begun: u64 = report["faults"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert!(begun >= 5, "{report:#}");
    assert!(figure(&report, "promised") > 50, "{report:#}");
    assert!(figure(&report, "stored") >= figure(&report, "promised"), "{report:#}");
    for nothing in ["missing", "twice", "misplaced", "gaps_unreported", "stores_damaged", "waiting"] {
        assert_eq!(figure(&report, nothing), 0, "{nothing}: {report:#}");
    }
    assert!(report["folder"].is_null(), "{report:#}");
}

#[test]
fn a_device_that_promises_too_early_is_found_out() {
    let broken = ["--rounds", "6", "--seed", "3", "--devices", "1", "--gateways", "1"];
    let (output, report) = campaign(&[&broken[..], &["--only", "kill-device", "--break", "promise-early"]].concat());
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    assert!(figure(&report, "missing") > 0, "{report:#}");
    let kept = PathBuf::from(report["folder"].as_str().unwrap());
    assert!(kept.file_name().unwrap().to_str().unwrap().starts_with("kolbox-chaos-"), "{}", kept.display());
}

fn crm_campaign(arguments: &[&str]) -> (Output, Value) {
    campaign(&[&["crm", "--leads", "12", "--seed", "5"], arguments].concat())
}

#[test]
fn a_few_kills_of_a_box_lose_no_change_of_a_lead() {
    let (output, report) = crm_campaign(&["--kills", "6"]);
    assert!(output.status.success() && report["is_good"] == true, "{report:#}");
    assert_eq!(figure(&report, "leads"), 12, "{report:#}");
    assert!(figure(&report, "acknowledged") >= 36 && figure(&report, "taken") > 0, "{report:#}");
}

#[test]
fn a_box_that_forgets_too_early_is_found_out() {
    let (output, report) = crm_campaign(&["--kills", "6", "--break", "ack-early"]);
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    assert!(figure(&report, "missing") > 0, "{report:#}");
}

fn messages_campaign(arguments: &[&str]) -> (Output, Value) {
    let small = ["messages", "--messages", "60", "--kills", "12", "--seed", "5", "--settle", "30s"];
    campaign(&[&small, arguments].concat())
}

#[test]
fn a_few_kills_of_a_box_lose_no_text_and_send_none_twice() {
    let (output, report) = messages_campaign(&["--provider", "meta"]);
    assert!(output.status.success() && report["is_good"] == true, "{report:#}");
    assert!(figure(&report, "acknowledged") >= 66 && figure(&report, "sent") > 0, "{report:#}");
    assert!(figure(&report, "uncertain") > 0 && figure(&report, "statuses") > 0, "{report:#}");
}

#[test]
fn a_box_that_sends_again_what_it_may_have_sent_is_found_out() {
    let (output, report) = messages_campaign(&["--break", "send-twice"]);
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    assert!(figure(&report, "twice") > 0, "{report:#}");
}

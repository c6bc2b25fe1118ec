//! The program: what it says, and how it ends.

use std::process::Command;

use crate::gateway::Servers;

fn sim(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_kolbox-sim")).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn help_teaches_and_wrong_usage_is_refused() {
    let (code, out, _) = sim(&["run", "--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("Examples:") && out.contains("[[group]]"), "{out}");
    for wrong in [
        &["run", "--broker", "nowhere"][..],
        &["run", "--broker", "mqtt://127.0.0.1", "--rate", "2000"],
        &["run", "--broker", "mqtts://127.0.0.1"],
    ] {
        let (code, out, error) = sim(wrong);
        assert_eq!((code, out.as_str()), (Some(64), ""), "{error}");
        assert!(!error.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_when_everything_is_stored() {
    let servers = Servers::start().await;
    let broker = servers.mosquitto.url();
    let run = tokio::task::spawn_blocking(move || {
        sim(&[
            "run",
            "--broker",
            &broker,
            "--devices",
            "20",
            "--rate",
            "5",
            "--duration",
            "2s",
            "--seed",
            "3",
            "--json",
        ])
    });
    let (code, out, error) = run.await.unwrap();
    assert_eq!(code, Some(0), "{error}");
    let summary: serde_json::Value = serde_json::from_str(&out).unwrap();
    let number = |name: &str| summary[name].as_u64().unwrap();
    assert!(number("made") > 0 && number("waiting") == 0, "{summary}");
    assert_eq!((number("made"), number("connected_most"), number("seed")), (number("watermarked"), 20, 3));
    assert_eq!(servers.count("events").await, number("made"));
    assert!(error.lines().count() >= 1 && error.contains("watermarked"), "{error}");
    servers.stop().await;
}

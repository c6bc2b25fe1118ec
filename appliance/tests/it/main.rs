//! The program itself: what it says and how it ends when it cannot be used as told.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// `EX_USAGE` of sysexits.h.
const EXIT_USAGE: i32 = 64;

#[test]
fn a_wrong_configuration_ends_with_64_and_says_file_line_field_and_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    for (text, line, field, expected) in [
        ("[http]\nlisten = 'nowhere'\n", 2, "http.listen", "socket address"),
        ("[http]\npublic_url = 'ftp://x'\n[carrier]\n", 2, "http.public_url", "https://"),
        (
            "[http]\npublic_url = 'https://x.example'\n[carrier]\n[limits]\ncals = 1\n",
            5,
            "limits.cals",
            "expected one of",
        ),
        (
            "[http]\npublic_url = 'https://x.example'\n[carrier]\nstream_start = 6\n",
            4,
            "carrier.stream_start",
            "expected a duration",
        ),
        ("[http\n", 1, "file", "]"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = run(&file, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(EXIT_USAGE), "{text:?}: {said}");
        let place = format!("{}:{line}: {field}: ", file.display());
        assert!(said.contains(&place) && said.contains(expected), "{text:?}: {said}");
    }
}

#[test]
fn a_wrong_form_is_named_with_file_line_field_and_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let (file, form) = (folder.path().join("box.toml"), folder.path().join("form.toml"));
    std::fs::write(&form, "version = 1\nname = 'no spaces please'\nlanguages = []\n").unwrap();
    let text = format!(
        "[http]\nlisten = '127.0.0.1:0'\npublic_url = 'https://x.example'\n[carrier]\n[office]\nform = '{}'\n\
         [store]\npath = '{}'\n",
        form.display(),
        folder.path().join("store").display()
    );
    std::fs::write(&file, text).unwrap();
    let output = run(&file, &[("KOLBOX_TWILIO_AUTH_TOKEN", "a key for tests")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(EXIT_USAGE), "{said}");
    assert!(said.contains(&format!("{}:", form.display())) && !said.contains("a key for tests"), "{said}");
}

#[test]
fn a_missing_configuration_or_key_or_an_unknown_word_ends_with_64_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("box.toml");
    let missing = run(&file, &[]);
    assert_eq!(missing.status.code(), Some(EXIT_USAGE));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("--config"));
    std::fs::write(&file, "[http]\npublic_url = 'https://x.example'\n[carrier]\n").unwrap();
    let keyless = run(&file, &[]);
    assert_eq!(keyless.status.code(), Some(EXIT_USAGE));
    assert!(String::from_utf8_lossy(&keyless.stderr).contains("carrier.auth_token_files"));
    let unknown = Command::new(env!("CARGO_BIN_EXE_kolbox")).arg("fly").output().unwrap();
    assert_eq!(unknown.status.code(), Some(EXIT_USAGE));
}

#[test]
fn a_box_without_model_voice_or_account_starts_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let (file, store) = (folder.path().join("box.toml"), folder.path().join("store"));
    let text = format!(
        "[http]\nlisten = '127.0.0.1:0'\npublic_url = 'https://x.example'\n[carrier]\n\
         [recognizer]\nmodel = '/no/such/model'\n[synthesizer]\nprogram = '/no/such/program'\n[store]\npath = '{}'\n",
        store.display()
    );
    std::fs::write(&file, text).unwrap();
    let mut running =
        program(&file, &[("KOLBOX_TWILIO_AUTH_TOKEN", "a key for tests")]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("listening")), "it listens");
    let told = Command::new("kill").args(["-TERM", &running.id().to_string()]).status().unwrap();
    assert!(told.success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(running.wait().unwrap().code(), Some(0), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("stopped")), "{rest:?}");
    assert!(store.join("lock").exists());
}

fn run(config: &Path, variables: &[(&str, &str)]) -> Output {
    program(config, variables).output().unwrap()
}

fn program(config: &Path, variables: &[(&str, &str)]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_kolbox"));
    program
        .args(["run", "--config"])
        .arg(config)
        .env_remove("KOLBOX_TWILIO_AUTH_TOKEN")
        .env_remove("CREDENTIALS_DIRECTORY")
        .envs(variables.iter().copied());
    program
}

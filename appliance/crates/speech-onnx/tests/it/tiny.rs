//! Models of our own with random weights, in every layout: they say nonsense, but always the same.
//!
//! `tests/data/make_tiny.py` makes them, and prints what one says without any cache.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use speech::Recognizer as _;
use speech_onnx::{
    LoadError, Precision, Provider, SessionSettings, Verification, WhisperOptions, WhisperRecognizer, WindowPolicy,
    sha256, verify,
};
use tempfile::TempDir;
use units::Language;

use crate::support;

/// What the model says of two seconds of noise in the window of 30 s.
const SAID: &str = "xyhbpyhbofdudzhfbiinqfhhftbvzlmdhb";

/// What it says in a window of two seconds, and of three.
const SAID_FITTED: [&str; 2] = ["xpyepqpqxqkpr", "xyudlzpq"];

#[test]
fn every_layout_says_what_is_said_without_a_cache() {
    for (name, folder) in [("pair", copy("common", &["merged"])), ("merged", merged()), ("single", copy("single", &[]))]
    {
        let Some(mut recognizer) = load(folder.path(), full()) else { return };
        assert_eq!(hear(&mut recognizer), SAID, "{name}");
        assert_eq!(recognizer.timings().frames, 3_000, "{name}");
        assert_eq!(recognizer.timings().tokens, SAID.len(), "{name}");
    }
}

#[test]
fn a_fixed_encoder_gets_its_30_seconds_whatever_the_policy() {
    let folder = copy("common", &[]);
    let Some(mut recognizer) = load(folder.path(), fit(0)) else { return };
    assert_eq!(hear(&mut recognizer), SAID);
    assert_eq!(recognizer.timings().frames, 3_000);
}

#[test]
fn a_free_encoder_gets_what_the_audio_needs() {
    let folder = copy("single", &[]);
    let Some(mut recognizer) = load(folder.path(), fit(0)) else { return };
    assert_eq!(hear(&mut recognizer), SAID_FITTED[0]);
    assert_eq!(recognizer.timings().frames, 200);
}

#[test]
fn a_decoding_that_does_not_end_is_repeated_in_the_full_window() {
    let folder = copy("single", &[]);
    let Some(mut recognizer) = load(folder.path(), fit(20)) else { return };
    assert_eq!(hear(&mut recognizer), SAID);
    assert_eq!(recognizer.timings().frames, 2_200 + 3_000);
}

#[test]
fn files_in_the_onnx_folder_are_found() {
    let folder = copy("single", &[]);
    std::fs::create_dir(folder.path().join("onnx")).unwrap();
    for name in ["encoder.onnx", "decoder.onnx"] {
        std::fs::rename(folder.path().join(name), folder.path().join("onnx").join(name)).unwrap();
    }
    let Some(mut recognizer) = load(folder.path(), full()) else { return };
    assert_eq!(hear(&mut recognizer), SAID);
}

#[test]
fn the_preferred_precision_is_taken_and_the_other_where_there_is_no_choice() {
    let folder = copy("single", &[]);
    std::fs::write(folder.path().join("encoder_int8.onnx"), b"not a graph").unwrap();
    std::fs::write(folder.path().join("decoder_int8.onnx"), b"not a graph").unwrap();
    let Some(runtime) = support::runtime() else { return };
    let result = WhisperRecognizer::load(&runtime, folder.path(), full());
    assert!(
        matches!(&result, Err(LoadError::Malformed { path, .. }) if path.ends_with("encoder_int8.onnx")),
        "{result:?}"
    );
    let options = WhisperOptions { precision: Precision::Fp32, ..full() };
    assert!(WhisperRecognizer::load(&runtime, folder.path(), options).is_ok());
}

#[test]
fn two_threads_and_a_beam_work_too() {
    let folder = copy("single", &[]);
    let two = NonZeroUsize::new(2).unwrap();
    let session = SessionSettings { threads: two, ..SessionSettings::default() };
    let Some(mut recognizer) = load(folder.path(), WhisperOptions { session, ..full() }) else { return };
    assert_eq!(hear(&mut recognizer), SAID);
    let Some(mut recognizer) = load(folder.path(), WhisperOptions { beam: two, ..full() }) else { return };
    assert!(!hear(&mut recognizer).is_empty());
}

#[test]
fn a_prompt_changes_what_is_said_unless_the_card_forbids_it() {
    let mut request = support::request(audio(), Some(Language::Hebrew));
    request.prompt = "danny ".repeat(40);
    for (card, same) in [("", false), ("context = false\n", true)] {
        let folder = carded();
        let path = folder.path().join("card.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{card}{text}")).unwrap();
        let Some(mut recognizer) = load(folder.path(), full()) else { return };
        let heard = recognizer.recognize(&request, &mut |_| {}).unwrap();
        assert_eq!(heard.text.reveal() == SAID, same, "{card}");
    }
}

#[test]
fn a_folder_that_matches_its_card_loads_and_has_its_name() {
    let folder = carded();
    assert_eq!(verify(folder.path()).unwrap().title(), "tiny 3");
    let Some(recognizer) = load(folder.path(), WhisperOptions::default()) else { return };
    assert_eq!(recognizer.model(), "tiny 3");
}

#[test]
fn the_window_on_the_card_is_used() {
    let folder = carded();
    let Some(mut recognizer) = load(folder.path(), WhisperOptions::default()) else { return };
    // Two seconds and one of silence.
    assert_eq!(hear(&mut recognizer), SAID_FITTED[1]);
    assert_eq!(recognizer.timings().frames, 300);
}

#[test]
fn damaged_and_missing_files_are_named() {
    let folder = carded();
    let path = folder.path().join("decoder.onnx");
    let whole = std::fs::read(&path).unwrap();

    let mut flipped = whole.clone();
    flipped[1_000] ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    let error = verify(folder.path()).unwrap_err();
    assert!(matches!(&error, LoadError::Digest { path: named, .. } if *named == path), "{error}");

    std::fs::write(&path, &whole[..1_000]).unwrap();
    let error = verify(folder.path()).unwrap_err();
    assert!(matches!(&error, LoadError::Length { path: named, found: 1_000, .. } if *named == path), "{error}");

    std::fs::remove_file(&path).unwrap();
    let error = verify(folder.path()).unwrap_err();
    assert!(matches!(&error, LoadError::Missing { path: named, .. } if *named == path), "{error}");
}

#[test]
fn a_folder_without_a_card_is_refused_unless_that_is_allowed() {
    let folder = copy("single", &[]);
    let Some(runtime) = support::runtime() else { return };
    let result = WhisperRecognizer::load(&runtime, folder.path(), WhisperOptions::default());
    assert!(matches!(result, Err(LoadError::Missing { .. })), "{result:?}");
}

#[test]
fn a_card_that_names_files_elsewhere_or_is_no_card_is_refused() {
    let folder = carded();
    let card = folder.path().join("card.toml");
    for text in [
        "name = \"x\"\n[[file]]\nname = \"../secret\"\nsha256 = \"00\"\n",
        "name = \"x\"\n[[file]]\nname = \"/etc/hostname\"\nsha256 = \"00\"\n",
        "name = \"x\"\n",
        "name = 3\n",
        "\u{0}",
    ] {
        std::fs::write(&card, text).unwrap();
        let error = verify(folder.path()).unwrap_err();
        assert!(matches!(&error, LoadError::Malformed { path, .. } if *path == card), "{error}");
    }
}

#[test]
fn graphs_cut_short_are_errors_that_name_them() {
    let Some(runtime) = support::runtime() else { return };
    for name in ["encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx"] {
        let folder = copy("common", &["merged"]);
        let path = folder.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        for len in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..len]).unwrap();
            let result = WhisperRecognizer::load(&runtime, folder.path(), full());
            let named = match &result {
                Err(LoadError::Malformed { path, .. } | LoadError::Graph { path, .. }) => Some(path),
                _ => None,
            };
            assert_eq!(named, Some(&path), "{name} at {len}: {result:?}");
        }
    }
}

#[test]
fn json_files_that_are_missing_or_wrong_are_errors_that_name_them() {
    let Some(runtime) = support::runtime() else { return };
    for (name, content) in [
        ("config.json", None),
        ("config.json", Some("{}")),
        ("config.json", Some(r#"{"d_model":16,"decoder_layers":0,"decoder_attention_heads":2,"vocab_size":36}"#)),
        ("tokenizer.json", None),
        ("tokenizer.json", Some("[1,2")),
        ("generation_config.json", Some("nothing")),
    ] {
        let folder = copy("single", &[]);
        let path = folder.path().join(name);
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let error = WhisperRecognizer::load(&runtime, folder.path(), full()).unwrap_err();
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
}

#[test]
fn graphs_that_do_not_belong_together_are_refused() {
    let Some(runtime) = support::runtime() else { return };
    let refused = |folder: &TempDir, what: &str| {
        let result = WhisperRecognizer::load(&runtime, folder.path(), full());
        assert!(matches!(result, Err(LoadError::Graph { .. })), "{what}: {result:?}");
    };
    let folder = copy("single", &[]);
    std::fs::copy(folder.path().join("encoder.onnx"), folder.path().join("decoder.onnx")).unwrap();
    refused(&folder, "an encoder for a decoder");

    let folder = copy("single", &[]);
    std::fs::copy(data("common").join("encoder_model.onnx"), folder.path().join("encoder.onnx")).unwrap();
    refused(&folder, "an encoder that leaves the cross keys to the decoder");

    let folder = copy("single", &[]);
    let config = folder.path().join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("\"num_mel_bins\":80", "\"num_mel_bins\":128")).unwrap();
    refused(&folder, "another number of bands");

    let folder = copy("single", &[]);
    std::fs::copy(data("half_encoder.onnx"), folder.path().join("encoder.onnx")).unwrap();
    refused(&folder, "16-bit numbers");
}

#[test]
fn a_graph_that_fails_while_it_runs_is_an_error() {
    let folder = copy("single", &[]);
    let config = folder.path().join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    // Half the heads of double width: the names fit, the tensors do not.
    std::fs::write(&config, text.replace("\"decoder_attention_heads\":2", "\"decoder_attention_heads\":1")).unwrap();
    let Some(mut recognizer) = load(folder.path(), full()) else { return };
    let request = support::request(audio(), Some(Language::Hebrew));
    assert!(recognizer.recognize(&request, &mut |_| {}).is_err());
}

#[test]
fn a_provider_the_library_does_not_have_is_an_error() {
    let Some(runtime) = support::runtime() else { return };
    for provider in [Provider::Cuda, Provider::TensorRt] {
        if runtime.offers(provider) {
            println!("skipped: this library has {provider}");
            continue;
        }
        let session = SessionSettings { provider, ..SessionSettings::default() };
        let options = WhisperOptions { session, ..full() };
        let result = WhisperRecognizer::load(&runtime, copy("single", &[]).path(), options);
        assert!(matches!(result, Err(LoadError::Provider { .. })), "{result:?}");
    }
}

fn full() -> WhisperOptions {
    WhisperOptions {
        window: Some(WindowPolicy::Full30s),
        verification: Verification::WhereCarded,
        ..WhisperOptions::default()
    }
}

fn fit(pad_seconds: u64) -> WhisperOptions {
    WhisperOptions { window: Some(WindowPolicy::Fit { pad: Duration::from_secs(pad_seconds) }), ..full() }
}

fn load(folder: &Path, options: WhisperOptions) -> Option<WhisperRecognizer> {
    let runtime = support::runtime()?;
    Some(WhisperRecognizer::load(&runtime, folder, options).expect("the tiny model loads"))
}

fn hear(recognizer: &mut WhisperRecognizer) -> String {
    support::hear(recognizer, audio(), Some(Language::Hebrew))
}

fn audio() -> Vec<f32> {
    support::noise(32_000, 0.3)
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Copies a folder of the test data, without the files whose name contains one of `without`.
fn copy(name: &str, without: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(data(name)).unwrap() {
        let entry = entry.unwrap();
        let file = entry.file_name().into_string().unwrap();
        if !without.iter().any(|part| file.contains(part)) {
            std::fs::copy(entry.path(), folder.path().join(file)).unwrap();
        }
    }
    folder
}

fn merged() -> TempDir {
    copy("common", &["decoder_model.onnx", "with_past"])
}

/// A folder with a card that fits it.
fn carded() -> TempDir {
    let folder = copy("single", &[]);
    let mut card =
        "name = 'tiny'\nversion = '3'\nlicence = 'ours'\n\n[window]\npolicy = 'fit'\npad_ms = 1000\n".to_owned();
    for name in ["encoder.onnx", "decoder.onnx", "config.json", "generation_config.json", "tokenizer.json"] {
        let path = folder.path().join(name);
        let (bytes, digest) = (std::fs::metadata(&path).unwrap().len(), sha256(&path).unwrap());
        writeln!(card, "\n[[file]]\nname = '{name}'\nbytes = {bytes}\nsha256 = '{digest}'").unwrap();
    }
    std::fs::write(folder.path().join("card.toml"), card).unwrap();
    folder
}

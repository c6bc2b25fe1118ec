//! Replays the corpora of `tests/fuzz/corpus` through the functions that the fuzzer calls.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::TARGETS;

/// What all corpora together stay below: files, and bytes.
const MAX_FILES: usize = 300;
const MAX_BYTES: u64 = 1_048_576;

#[test]
fn every_call_log_of_the_corpus_keeps_the_promises() {
    replay("call_log");
}

#[test]
fn every_markup_of_the_corpus_keeps_the_promises() {
    replay("markup");
}

#[test]
fn every_media_stream_of_the_corpus_keeps_the_promises() {
    replay("media_frame");
}

#[test]
fn every_body_of_the_corpus_keeps_the_promises() {
    replay("meta_json");
}

#[test]
fn every_form_of_the_corpus_keeps_the_promises() {
    replay("webhook_form");
}

#[test]
fn each_target_has_a_corpus_a_dictionary_and_a_fuzzer_and_none_is_left_over() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (folder, extension) in [("corpus", ""), ("dictionaries", ".dict"), ("fuzz_targets", ".rs")] {
        let names: BTreeSet<String> = files(&fuzz().join(folder))
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().strip_suffix(extension).unwrap().to_owned())
            .collect();
        assert_eq!(names, targets, "{folder}");
    }
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not in the manifest");
    }
}

#[test]
fn the_corpora_stay_small() {
    let all: Vec<PathBuf> = TARGETS.iter().flat_map(|(name, _)| files(&fuzz().join("corpus").join(name))).collect();
    let bytes: u64 = all.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(all.len() < MAX_FILES && bytes < MAX_BYTES, "{} files of {bytes} bytes", all.len());
}

/// Calls a target with each file of its corpus.
fn replay(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("there is such a target");
    let corpus = files(&fuzz().join("corpus").join(name));
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    for path in corpus {
        // Shown when the target panics: the last one is at fault.
        println!("{}", path.display());
        target(&fs::read(path).unwrap());
    }
}

/// Returns what is in a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Returns the folder with everything about fuzzing.
fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

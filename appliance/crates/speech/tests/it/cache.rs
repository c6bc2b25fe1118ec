use std::fs;
use std::path::Path;
use std::sync::Arc;

use speech::fakes::ScriptedSynthesizer;
use speech::{CacheConfig, CachedSynthesizer, Flow, PromptCache, Synthesizer as _, render};

use crate::support::{english, hebrew};

/// What the scripted voice says of one word, in bytes of µ-law.
const WORD: u64 = 2_000;

#[test]
fn what_was_said_once_comes_from_memory_and_sounds_the_same() {
    let cache = Arc::new(PromptCache::new(CacheConfig::default()));
    let mut voice = CachedSynthesizer::new(ScriptedSynthesizer::default(), Arc::clone(&cache));
    let fresh = render(&mut voice, &english("one moment")).unwrap();
    let kept = render(&mut voice, &english("one moment")).unwrap();
    assert_eq!(fresh.len(), kept.len());
    let far = fresh.iter().zip(&kept).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(far <= 128, "µ-law is that close: {far}");
    render(&mut voice, &hebrew("one moment")).unwrap();
    let metrics = cache.metrics();
    assert_eq!((metrics.memory_hits, metrics.misses, metrics.memory_bytes), (1, 2, 4 * WORD));
}

#[test]
fn a_sentence_nobody_heard_to_its_end_is_not_kept() {
    let cache = Arc::new(PromptCache::new(CacheConfig::default()));
    let mut voice = CachedSynthesizer::new(ScriptedSynthesizer::default(), Arc::clone(&cache));
    voice.synthesize(&english("one two three"), &mut |_| Flow::Stop).unwrap();
    assert_eq!(render(&mut voice, &english("one two three")).unwrap().len(), 6_000);
    assert_eq!(cache.metrics().misses, 2);
}

#[test]
fn only_prompts_reach_the_disk_and_they_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    speak(folder.path(), 1 << 20, &["please wait"], &["please wait", "Dana Levi"]);
    assert_eq!(files(folder.path()), 1);
    let metrics = speak(folder.path(), 1 << 20, &["please wait"], &["please wait", "Dana Levi"]);
    assert_eq!((metrics.disk_hits, metrics.misses), (1, 1));
}

#[test]
fn damaged_and_half_written_files_are_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    speak(folder.path(), 1 << 20, &["please wait"], &["please wait"]);
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[1_000] ^= 1;
    for damaged in [&whole[..whole.len() - 1], &whole[..3], &[], &flipped] {
        fs::write(&file, damaged).unwrap();
        fs::write(file.with_extension("part"), b"half").unwrap();
        let metrics = speak(folder.path(), 1 << 20, &["please wait"], &["please wait"]);
        assert_eq!((metrics.disk_hits, metrics.misses), (0, 1));
        assert_eq!((files(folder.path()), fs::read(&file).unwrap()), (1, whole.clone()));
    }
}

#[test]
fn disk_and_memory_keep_to_their_caps_and_drop_what_was_used_least_lately() {
    let folder = tempfile::tempdir().unwrap();
    let room = 2 * (WORD + 8);
    speak(folder.path(), room, &["a", "b", "c"], &["a", "b", "a", "c"]);
    assert_eq!(files(folder.path()), 2);
    let cache = Arc::new(PromptCache::new(CacheConfig { memory_bytes: 2 * WORD, ..CacheConfig::default() }));
    let mut voice = CachedSynthesizer::new(ScriptedSynthesizer::default(), Arc::clone(&cache));
    for text in ["a", "b", "a", "c", "a", "b", "too long for it"] {
        render(&mut voice, &english(text)).unwrap();
    }
    let metrics = cache.metrics();
    assert_eq!((metrics.memory_hits, metrics.misses, metrics.memory_bytes), (2, 5, 2 * WORD));
}

#[test]
fn without_its_folder_the_cache_still_works() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let metrics = speak(&file, 1 << 20, &["a"], &["a", "a"]);
    assert_eq!((metrics.memory_hits, metrics.disk_bytes), (1, 0));
}

/// Opens a cache, says the texts and returns the figures.
fn speak(folder: &Path, disk_bytes: u64, prompts: &[&str], texts: &[&str]) -> speech::CacheMetrics {
    let config = CacheConfig { folder: Some(folder.to_owned()), disk_bytes, ..CacheConfig::default() };
    let cache = Arc::new(PromptCache::new(config));
    cache.add_prompts(prompts.iter().map(|prompt| english(prompt)));
    let mut voice = CachedSynthesizer::new(ScriptedSynthesizer::default(), Arc::clone(&cache));
    for text in texts {
        assert!(!render(&mut voice, &english(text)).unwrap().is_empty());
    }
    cache.metrics()
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

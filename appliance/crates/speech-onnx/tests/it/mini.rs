//! The small model in the repository, by its own held-out recordings.

use std::path::{Path, PathBuf};

use speech::Recognizer as _;
use speech_onnx::{Card, WhisperOptions, WhisperRecognizer};
use units::Language;

use crate::support;

/// Wrong words of all words. The model's card has its real figures; this bound finds a broken path, not a worse model.
const WORST: f64 = 0.4;

#[test]
fn held_out_recordings_are_understood() {
    let Some(folder) = mini() else { return };
    let Some(mut recognizer) = load(&folder) else { return };
    let (mut wrong, mut words, mut exact, mut clips) = (0, 0, 0, 0);
    for (path, language, text) in rows(&folder) {
        let heard = support::hear(&mut recognizer, support::call_audio(&path), Some(language));
        let (said, heard) = (spoken(&text), spoken(&heard));
        let edits = distance(&said, &heard);
        wrong += edits;
        words += said.len();
        exact += usize::from(edits == 0);
        clips += 1;
    }
    let rate = f64::from(u32::try_from(wrong).unwrap()) / f64::from(u32::try_from(words.max(1)).unwrap());
    println!("{clips} recordings, {words} words: word error rate {rate:.3}, without an error {exact}");
    assert!(clips > 0 && rate < WORST, "{rate}");
}

#[test]
fn the_language_of_held_out_recordings_is_told() {
    let Some(folder) = mini() else { return };
    let Some(mut recognizer) = load(&folder) else { return };
    let rows = rows(&folder);
    let told = rows
        .iter()
        .filter(|(path, language, _)| {
            let request = support::request(support::call_audio(path), None);
            recognizer.recognize(&request, &mut |_| {}).unwrap().language == *language
        })
        .count();
    println!("language told: {told} of {}", rows.len());
    assert!(told * 10 >= rows.len() * 8, "{told} of {}", rows.len());
}

#[test]
fn its_card_says_how_much_audio_it_wants() {
    let Some(folder) = mini() else { return };
    let card = Card::read(&folder).unwrap().unwrap();
    assert!(card.window.is_some(), "card.toml has no [window]; without one every turn pays for 10 s of silence");
}

#[test]
fn silence_is_no_text_for_it_either() {
    let Some(folder) = mini() else { return };
    let Some(mut recognizer) = load(&folder) else { return };
    for language in Language::ALL {
        assert_eq!(support::hear(&mut recognizer, support::telephone_noise(2, 0.002), Some(language)), "");
    }
}

fn mini() -> Option<PathBuf> {
    let folder = support::root().join("models/receptionist-mini");
    if !folder.join("card.toml").is_file() {
        println!("skipped: there is no {}", folder.display());
        return None;
    }
    Some(folder)
}

fn load(folder: &Path) -> Option<WhisperRecognizer> {
    let runtime = support::runtime()?;
    Some(WhisperRecognizer::load(&runtime, folder, WhisperOptions::default()).expect("the mini model loads"))
}

fn rows(folder: &Path) -> Vec<(PathBuf, Language, String)> {
    let held_out = folder.join("heldout");
    let table = std::fs::read_to_string(held_out.join("heldout.tsv")).expect("the held-out set is in the repository");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            Some((held_out.join(cells[0]), cells[1].parse().ok()?, cells[3].to_owned()))
        })
        .collect()
}

/// Words without points and punctuation, each digit one word, as the model's scores count them.
fn spoken(text: &str) -> Vec<String> {
    let mut spaced = String::new();
    for letter in text.to_lowercase().chars().filter(|letter| !('\u{0591}'..='\u{05C7}').contains(letter)) {
        match letter {
            '0'..='9' => spaced.extend([' ', letter, ' ']),
            letter if letter.is_alphanumeric() || letter == '\'' => spaced.push(letter),
            _ => spaced.push(' '),
        }
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// Words to replace, insert or leave out to turn one text into the other.
fn distance(said: &[String], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, want) in said.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, have) in heard.iter().enumerate() {
            let replaced = before + usize::from(want != have);
            before = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(before + 1);
        }
    }
    row[heard.len()]
}

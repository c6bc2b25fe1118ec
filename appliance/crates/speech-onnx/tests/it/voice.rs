//! The Hebrew voice: from written numbers to phonemes, nothing is lost.

use language::normalize::normalize;
use language::phonemes::{espeak_input, phonemes};
use speech::{EspeakConfig, EspeakSynthesizer, SynthesizeRequest, hebrew_input, render};
use speech_onnx::{Nakdimon, SessionSettings};
use units::Language;

use crate::support;

/// What the box says of itself, with the phonemes a Hebrew speaker reads it as in the second column.
const OFFICE: &str = include_str!("../../../../../crates/language/data/office-sentences.tsv");

/// Sentences as people write them, with what they say in the second column.
const SENTENCES: &str = include_str!("../../../../../crates/language/data/hebrew-sentences.tsv");

#[test]
fn fifty_hebrew_sentences_with_numbers_lose_no_number_on_the_way_to_the_voice() {
    let Some(mut nakdimon) = nakdimon() else { return };
    let mut sentences = 0;
    let mut words = 0;
    for written in written_with_digits() {
        let input = hebrew_input(written, &mut nakdimon).unwrap();
        let mut rest = input.as_str();
        for word in number_words(written) {
            let at = rest.find(&word).unwrap_or_else(|| panic!("{written}: {word} is missing from {rest} of {input}"));
            rest = &rest[at + word.len()..];
            words += 1;
        }
        sentences += 1;
    }
    println!("{sentences} sentences, {words} number words, none lost");
    assert!(sentences >= 50, "{sentences} sentences with digits");
}

#[test]
fn an_office_s_own_sentences_are_read_as_hebrew_reads_them() {
    let Some(mut nakdimon) = nakdimon() else { return };
    let rows = OFFICE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'));
    let mut sentences = 0;
    for (written, said) in rows {
        let input = hebrew_input(written, &mut nakdimon).unwrap();
        // Every word stands in double brackets; what is between them are pauses.
        let heard: Vec<&str> =
            input.split("[[").filter_map(|part| part.split_once("]]")).map(|(word, _)| word).collect();
        assert_eq!(heard.join(" "), said, "{written}");
        sentences += 1;
    }
    println!("{sentences} sentences read as written down");
    assert!(sentences >= 30, "{sentences} sentences");
}

#[test]
fn a_telephone_number_takes_as_long_as_its_digits() {
    let Some(nakdimon) = nakdimon() else { return };
    let mut voice = EspeakSynthesizer::new(EspeakConfig::default(), Some(Box::new(nakdimon)));
    let request = |text: &str| SynthesizeRequest { text: text.to_owned(), language: Language::Hebrew };
    let Ok(whole) = render(&mut voice, &request("054-1234567")) else {
        println!("skipped: espeak-ng is not here");
        return;
    };
    let part = render(&mut voice, &request("054")).unwrap();
    // Ten digits against three, and pauses between the groups.
    assert!(whole.len() > part.len() * 2 && whole.len() < part.len() * 6, "{} and {}", whole.len(), part.len());
}

fn written_with_digits() -> impl Iterator<Item = &'static str> {
    let rows = SENTENCES.lines().filter(|line| !line.starts_with('#'));
    let written = rows.filter_map(|line| line.split('\t').next());
    written.filter(|text| text.contains(|c: char| c.is_ascii_digit()))
}

/// Returns the phonemes of each word that the normaliser made of a number, as the voice is given them.
fn number_words(written: &str) -> Vec<String> {
    let normal = normalize(written, Language::Hebrew);
    let is_pointed = |word: &&str| word.contains(|c: char| ('\u{5b0}'..='\u{5c7}').contains(&c));
    let words = normal.split(|c: char| c.is_whitespace() || ",.?!;:".contains(c)).filter(is_pointed);
    words.map(|word| espeak_input(&phonemes(word))).collect()
}

fn nakdimon() -> Option<Nakdimon> {
    let (runtime, model) = (support::runtime()?, support::nakdimon()?);
    Some(Nakdimon::load(&runtime, &model, SessionSettings::default()).unwrap())
}

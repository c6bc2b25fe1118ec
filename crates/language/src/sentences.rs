//! Streamed text to speakable sentences.
//!
//! The reply of a language model comes in pieces; each sentence goes to the voice as soon as it is whole. The first
//! may end at a comma, so that the caller hears something soon.
//!
//! **Invariant:** all sentences put together are the text that was pushed, character by character.
//! **Invariant:** where the text is cut does not depend on the pieces it came in.

use alloc::string::String;
use alloc::vec::Vec;

use units::Language;

use crate::digits::digits_in;

/// Where a long first sentence is looked through for a comma, in characters. About two seconds of speech: with a
/// local voice at a real-time factor of 0.4 the first audio is then there within a second.
pub const FIRST_CLAUSE: usize = 40;
/// A first clause shorter than this is not cut off: it would sound torn.
const SHORTEST_CLAUSE: usize = 12;
/// A sentence longer than this is cut at a space, whatever it says.
pub const LONGEST: usize = 300;

/// How many further stops, quotes and brackets may stand behind the stop that ends a sentence.
const MOST_CLOSERS: usize = 8;

/// Whether more text may come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Open,
    Ended,
}

/// Cuts streamed text into sentences.
#[derive(Clone, Debug, Default)]
pub struct SentenceCutter {
    pending: Vec<char>,
    first_is_out: bool,
}

impl SentenceCutter {
    /// Returns a cutter at the start of a reply.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what came next.
    pub fn push(&mut self, text: &str) {
        self.pending.extend(text.chars());
    }

    /// Returns the next sentence if it is whole, with the space behind it.
    pub fn poll(&mut self) -> Option<String> {
        let end = self.end_of_sentence(Stream::Open)?;
        Some(self.take(end))
    }

    /// Returns what is left, sentence by sentence, when no more text comes; `None` when all is out.
    pub fn flush(&mut self) -> Option<String> {
        if self.pending.is_empty() {
            return None;
        }
        let end = self.end_of_sentence(Stream::Ended).unwrap_or(self.pending.len());
        Some(self.take(end))
    }

    fn take(&mut self, end: usize) -> String {
        let rest = self.pending.split_off(end.min(self.pending.len()));
        self.first_is_out = true;
        core::mem::replace(&mut self.pending, rest).into_iter().collect()
    }

    /// Returns where the next sentence ends. While the stream is open, only ends that later text cannot move count.
    fn end_of_sentence(&self, stream: Stream) -> Option<usize> {
        let text = self.pending.as_slice();
        let full_stop = (0..text.len().min(LONGEST)).find_map(|at| ends_at(text, at, stream));
        if !self.first_is_out
            && full_stop.is_none_or(|end| end > FIRST_CLAUSE)
            && text.len() > FIRST_CLAUSE + 1
            && let Some(comma) = clause_end(text)
        {
            return Some(comma);
        }
        if full_stop.is_some() {
            return full_stop;
        }
        if text.len() <= LONGEST + MOST_CLOSERS + 2 {
            return None;
        }
        let space = text.iter().take(LONGEST).rposition(|c| c.is_whitespace());
        Some(space.map_or(LONGEST, |space| space + 1))
    }
}

/// Cuts a whole text at once.
pub fn sentences(text: &str) -> Vec<String> {
    let mut cutter = SentenceCutter::new();
    cutter.push(text);
    let mut sentences = Vec::new();
    while let Some(sentence) = cutter.flush() {
        sentences.push(sentence);
    }
    sentences
}

/// The last comma with a space behind it that leaves a clause of fair length. A comma behind a number may stand in the
/// middle of one that is said in groups.
fn clause_end(text: &[char]) -> Option<usize> {
    let window = text.get(..FIRST_CLAUSE)?;
    let comma = window.iter().enumerate().rposition(|(at, c)| {
        matches!(c, ',' | ';' | ':' | '\u{2013}' | '\u{2014}')
            && at + 1 >= SHORTEST_CLAUSE
            && text.get(at + 1).is_some_and(|c| c.is_whitespace())
            && !window.get(..at).is_some_and(ends_in_number)
    })?;
    Some(with_blank(text, comma + 1))
}

/// Whether the last word is a number, in digits or said.
fn ends_in_number(text: &[char]) -> bool {
    let text: String = text.iter().collect();
    Language::ALL.into_iter().any(|language| digits_in(&text, language).ends_in_digit)
}

/// Returns the end of the sentence (behind quotes and blanks) that the character at `at` ends.
fn ends_at(text: &[char], at: usize, stream: Stream) -> Option<usize> {
    let c = *text.get(at)?;
    if c == '\n' {
        return Some(at + 1);
    }
    if !matches!(c, '.' | '?' | '!' | '\u{2026}') {
        return None;
    }
    let mut end = at + 1;
    while end <= at + MOST_CLOSERS
        && text
            .get(end)
            .is_some_and(|c| matches!(c, '.' | '?' | '!' | '\u{2026}' | '"' | '\'' | ')' | '\u{201d}' | '\u{2019}'))
    {
        end += 1;
    }
    match text.get(end) {
        None if stream == Stream::Open => return None,
        Some(next) if !next.is_whitespace() => return None,
        _ => {}
    }
    if c == '.' && end == at + 1 && is_abbreviation(text.get(..at).unwrap_or_default()) {
        return None;
    }
    Some(with_blank(text, end))
}

/// The sentence keeps one blank behind it; more come with the next, so that the cut never waits for them.
fn with_blank(text: &[char], end: usize) -> usize {
    if text.get(end).is_some_and(|c| c.is_whitespace()) { end + 1 } else { end }
}

/// Words behind which a full stop ends no sentence. Hebrew marks abbreviations otherwise (ד"ר, רח'); the few written
/// with a full stop are here as far as they are no words of their own.
const ABBREVIATIONS: [&str; 31] = [
    "dr", "mr", "mrs", "ms", "prof", "st", "ave", "rd", "no", "apt", "e.g", "i.e", "vs", "approx", "ext", "inc", "tel",
    "jr", "jan", "feb", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "פרופ", "רח",
];

/// Whether a full stop behind `before` belongs to the word: Dr., e.g., an initial, the number of a list entry.
fn is_abbreviation(before: &[char]) -> bool {
    let start = before.iter().rposition(|c| c.is_whitespace()).map_or(0, |space| space + 1);
    let word: String = before
        .get(start..)
        .unwrap_or_default()
        .iter()
        .filter(|c| !matches!(c, '(' | '"'))
        .flat_map(|c| c.to_lowercase())
        .collect();
    let mut letters = word.chars();
    let single = matches!((letters.next(), letters.next()), (Some(letter), None) if letter.is_alphabetic());
    let initials = word.contains('.')
        && word.split('.').all(|part| part.chars().count() == 1)
        && word.chars().any(char::is_alphabetic);
    let entry =
        !word.is_empty() && word.chars().all(|c| c.is_ascii_digit()) && word.len() <= 2 && starts_line(before, start);
    ABBREVIATIONS.contains(&word.as_str()) || single || initials || entry
}

/// Whether nothing stands before `start` on its line.
fn starts_line(before: &[char], start: usize) -> bool {
    before.get(..start).unwrap_or_default().iter().rev().take_while(|c| **c != '\n').all(|c| c.is_whitespace())
}

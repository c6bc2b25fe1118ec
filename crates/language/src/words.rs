//! A text as words to match against: without points and quotes, in lower case, with the pauses between them.

use alloc::string::String;
use alloc::vec::Vec;

use crate::compare::{digit_of, is_dropped};

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Lower case, without points, quotes and punctuation; digits are ASCII; `+`, `*` and `#` stay.
    pub(crate) text: String,
    /// Punctuation that is heard as a pause stands before it.
    pub(crate) after_pause: bool,
}

/// Splits a text into words.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut pause = false;
    let mut after_pause = false;
    for c in text.chars() {
        if is_dropped(c) {
            continue;
        }
        let digit = digit_of(c);
        let number = word.chars().next_back().is_some_and(|last| last.is_ascii_digit());
        let joins = c.is_alphanumeric() || matches!(c, '+' | '*' | '#');
        // A digit and a letter are never one word: "054אחת", "ב10".
        let breaks =
            !joins || (!word.is_empty() && number != digit.is_some() && word.chars().any(char::is_alphanumeric));
        if breaks && !word.is_empty() {
            words.push(Word { text: core::mem::take(&mut word), after_pause });
            pause = false;
        }
        if joins {
            if word.is_empty() {
                after_pause = pause;
            }
            match digit {
                Some(digit) => word.push(digit),
                None => word.extend(c.to_lowercase()),
            }
        } else {
            pause |= matches!(c, ',' | '.' | ';' | ':' | '?' | '!' | '\u{2026}' | '\u{2013}' | '\u{2014}');
        }
    }
    if !word.is_empty() {
        words.push(Word { text: word, after_pause });
    }
    words
}

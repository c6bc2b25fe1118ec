//! Word error rate that is fair to Hebrew.
//!
//! The usual text normaliser turns combining marks into spaces, which tears a pointed word into its letters, and
//! splits acronyms at their gershayim. Here points go first, then geresh and gershayim, then the maqaf becomes a
//! space, and only then is punctuation dropped.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// Returns the words of `text` as they are compared: lower case, without points, quotes and punctuation, each digit
/// a word of its own. Final letters are kept as they are.
pub fn comparable(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if is_dropped(c) {
            continue;
        }
        if let Some(digit) = digit_of(c) {
            flush(&mut word, &mut words);
            words.push(String::from(digit));
        } else if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else {
            flush(&mut word, &mut words);
        }
    }
    flush(&mut word, &mut words);
    words
}

/// Points, accents, geresh and gershayim in all the ways they are typed, apostrophes, and invisible direction marks.
pub(crate) const fn is_dropped(c: char) -> bool {
    let point = matches!(c, '\u{591}'..='\u{5c7}') && !matches!(c, '\u{5be}' | '\u{5c0}' | '\u{5c3}' | '\u{5c6}');
    let quote = matches!(c, '\u{5f3}' | '\u{5f4}' | '\'' | '"' | '\u{2018}'..='\u{201f}' | '`' | '\u{b4}');
    point
        || quote
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Returns the ASCII digit a decimal digit of any usual script stands for.
pub(crate) fn digit_of(c: char) -> Option<char> {
    let start = match c {
        '0'..='9' => return Some(c),
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        '\u{ff10}'..='\u{ff19}' => 0xff10,
        _ => return None,
    };
    char::from_digit(u32::from(c) - start, 10)
}

fn flush(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(core::mem::take(word));
    }
}

/// How a hypothesis differs from its reference, in words. Adds up over many texts with [`WordErrors::add`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordErrors {
    /// Words of the reference heard as another word.
    pub substitutions: usize,
    /// Words of the hypothesis that nobody said.
    pub insertions: usize,
    /// Words of the reference that were not heard.
    pub deletions: usize,
    /// Words in the reference.
    pub reference_words: usize,
}

impl WordErrors {
    /// Adds the counts of another text.
    #[must_use]
    pub const fn add(self, other: Self) -> Self {
        Self {
            substitutions: self.substitutions + other.substitutions,
            insertions: self.insertions + other.insertions,
            deletions: self.deletions + other.deletions,
            reference_words: self.reference_words + other.reference_words,
        }
    }

    /// Returns all errors together.
    pub const fn total(self) -> usize {
        self.substitutions + self.insertions + self.deletions
    }

    /// Returns errors per reference word: 0 is exact, above 1 is possible. For an empty reference it is the number of
    /// words inserted.
    #[expect(clippy::cast_precision_loss, reason = "counts of words are far below 2^52")]
    pub fn rate(self) -> f64 {
        self.total() as f64 / self.reference_words.max(1) as f64
    }
}

/// Compares two texts word by word, after [`comparable`], with the fewest edits.
pub fn word_error_rate(reference: &str, hypothesis: &str) -> WordErrors {
    let reference = comparable(reference);
    let hypothesis = comparable(hypothesis);
    let start = WordErrors { reference_words: reference.len(), ..WordErrors::default() };
    // One row of the edit table; each cell holds the errors of the best way there.
    let mut row = vec![start; hypothesis.len() + 1];
    for (inserted, cell) in row.iter_mut().enumerate() {
        cell.insertions = inserted;
    }
    for said in &reference {
        let mut next = Vec::with_capacity(row.len());
        let mut left: Option<WordErrors> = None;
        for (i, above) in row.iter().enumerate() {
            let mut best = WordErrors { deletions: above.deletions + 1, ..*above };
            if let (Some(left), Some(diagonal), Some(heard)) =
                (left, i.checked_sub(1).and_then(|at| row.get(at)), i.checked_sub(1).and_then(|at| hypothesis.get(at)))
            {
                let wrong = usize::from(heard != said);
                let through = WordErrors { substitutions: diagonal.substitutions + wrong, ..*diagonal };
                let inserted = WordErrors { insertions: left.insertions + 1, ..left };
                for other in [inserted, through] {
                    if other.total() <= best.total() {
                        best = other;
                    }
                }
            }
            left = Some(best);
            next.push(best);
        }
        row = next;
    }
    row.last().copied().unwrap_or(start)
}

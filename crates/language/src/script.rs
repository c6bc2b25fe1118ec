//! Which script, and so which language and direction, a text is written in.

use units::Language;

/// How many letters of each script a text has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LetterCounts {
    /// Hebrew letters, points not counted.
    pub hebrew: usize,
    /// Latin letters, accented ones among them.
    pub latin: usize,
    /// Letters of any other script.
    pub other: usize,
}

impl LetterCounts {
    /// Counts the letters of `text`.
    pub fn of(text: &str) -> Self {
        let mut counts = Self::default();
        for c in text.chars() {
            if matches!(c, '\u{5d0}'..='\u{5f2}' | '\u{fb1d}'..='\u{fb4f}') {
                counts.hebrew += 1;
            } else if c.is_ascii_alphabetic() || matches!(c, '\u{c0}'..='\u{24f}') {
                counts.latin += 1;
            } else if c.is_alphabetic() {
                counts.other += 1;
            }
        }
        counts
    }

    /// Returns the share of Hebrew among all letters in percent, or `None` where there are no letters.
    pub const fn hebrew_percent(self) -> Option<usize> {
        let all = self.hebrew + self.latin + self.other;
        (self.hebrew.saturating_mul(100)).checked_div(all)
    }
}

/// Returns the language most of the letters speak for, or `None` where neither has one (digits, silence).
///
/// A tie goes to Hebrew: a Hebrew sentence with a long English brand name in it is still Hebrew.
pub fn guess_language(text: &str) -> Option<Language> {
    let counts = LetterCounts::of(text);
    match (counts.hebrew, counts.latin) {
        (0, 0) => None,
        (hebrew, latin) if hebrew >= latin => Some(Language::Hebrew),
        _ => Some(Language::English),
    }
}

/// Whether the first letter of `text` is Hebrew, so that a paragraph of it is laid out from right to left
/// (the rule of the Unicode bidirectional algorithm, UAX 9, P2).
pub fn is_right_to_left(text: &str) -> bool {
    text.chars().find(|c| c.is_alphabetic()).is_some_and(|c| LetterCounts::of(c.encode_utf8(&mut [0; 4])).hebrew > 0)
}

//! Texts.

use std::fmt::Write as _;

/// Returns the beginning of a text, at most so many bytes, cut between letters; control characters become spaces, so
/// that no text needs more than two bytes for one of its own in JSON.
pub(crate) fn clip(text: &str, max_len: usize) -> String {
    let text = text.get(..text.floor_char_boundary(max_len)).unwrap_or_default();
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        // A string takes everything.
        let _always_ok: std::fmt::Result = write!(text, "{byte:02x}");
    }
    text
}

/// Reads hexadecimal digits; `None` when they are none.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Returns a text as it is compared in a search: lower case, without niqqud and cantillation, final letters as the
/// others, one space between words.
pub(crate) fn folded(text: &str) -> String {
    let letters = text.chars().filter(|c| !matches!(c, '\u{591}'..='\u{5bd}' | '\u{5bf}'..='\u{5c7}'));
    let letters: String = letters.flat_map(char::to_lowercase).map(unfinal).collect();
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the ordinary form of a Hebrew letter's final one.
const fn unfinal(letter: char) -> char {
    match letter {
        'ך' => 'כ',
        'ם' => 'מ',
        'ן' => 'נ',
        'ף' => 'פ',
        'ץ' => 'צ',
        other => other,
    }
}

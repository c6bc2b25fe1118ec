//! Words that opt out of messages, and in again.

use units::Language;

/// Longest message that may be a keyword, in characters, before it is cleaned.
pub const MAX_KEYWORD_CHARS: usize = 64;

/// What a keyword asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    /// No more messages.
    OptOut,
    /// Messages again.
    OptIn,
}

/// The keywords, in the form [`clean`] gives them.
///
/// Only what cannot answer a question of the form: carriers also take "cancel", "end", "quit" and "yes", which callers
/// say about appointments. «הסר» is the word Israeli senders offer.
pub(super) const KEYWORDS: [(Keyword, Language, &[&str]); 4] = [
    (
        Keyword::OptOut,
        Language::Hebrew,
        &[
            "הסר",
            "הסרה",
            "הסירו",
            "הסירי",
            "להסרה",
            "להסיר",
            "תסיר",
            "תסירו",
            "הסר אותי",
            "הסירו אותי",
            "תסיר אותי",
            "תסירו אותי",
            "להסיר אותי",
            "הסר מרשימת התפוצה",
            "הסירו אותי מהרשימה",
            "הפסק",
            "הפסיקו",
            "תפסיקו",
            "תפסיקו לשלוח",
            "הפסיקו לשלוח לי הודעות",
            "תפסיקו לשלוח לי הודעות",
        ],
    ),
    (
        Keyword::OptOut,
        Language::English,
        &[
            "stop",
            "stop all",
            "stopall",
            "stop messages",
            "stop messaging me",
            "stop texting me",
            "unsubscribe",
            "unsubscribe me",
            "opt out",
            "opt-out",
            "optout",
            "remove me",
            "please stop",
            "stop please",
        ],
    ),
    (Keyword::OptIn, Language::Hebrew, &["הצטרף", "הצטרפות", "הצטרפי", "להצטרף", "להצטרף שוב", "התחל"]),
    (
        Keyword::OptIn,
        Language::English,
        &["start", "unstop", "subscribe", "resubscribe", "opt in", "opt-in", "optin", "start messages"],
    ),
];

/// Returns what a message asks for, and in which language, if the whole message is a keyword.
///
/// Case, vowel points, quotation marks, final punctuation and marks of direction do not matter. A keyword inside a
/// sentence is none, because "stop by on Sunday" is no wish to be left alone.
pub fn keyword(text: &str) -> Option<(Keyword, Language)> {
    if text.chars().nth(MAX_KEYWORD_CHARS).is_some() {
        return None;
    }
    let cleaned = clean(text);
    let row = KEYWORDS.iter().find(|(_, _, words)| words.contains(&cleaned.as_str()));
    row.map(|(keyword, language, _)| (*keyword, *language))
}

/// Returns words in lower case between single spaces, with nothing but letters, digits and inner hyphens.
fn clean(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| !is_mark(*c))
        .map(|c| if c.is_alphanumeric() || c == '-' { c } else { ' ' })
        .flat_map(char::to_lowercase)
        .collect();
    let words = kept.split_whitespace().map(|word| word.trim_matches('-')).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Returns whether a character is written onto or between others without being read: Hebrew points and accents,
/// marks of direction, joiners and variation selectors.
const fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}' | '\u{5C2}' | '\u{5C4}' | '\u{5C5}' | '\u{5C7}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}')
}

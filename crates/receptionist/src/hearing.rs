//! Words as they were heard, and the few things that may be said at any time.

use std::ops::Range;

use language::intent::{self, YesNo};
use language::script;
use units::Language;

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Without niqqud and punctuation, in lower case: for comparing.
    pub(crate) plain: String,
    /// As it was heard, without punctuation around it: for keeping.
    pub(crate) shown: String,
    /// Whether punctuation follows that ends a clause.
    pub(crate) ends_clause: bool,
}

/// More words than anybody says in a turn; the rest is not looked at.
const MAX_WORDS: usize = 200;
/// Letters that stand before a Hebrew word without a gap.
const PREFIXES: [char; 7] = ['ו', 'ה', 'ב', 'ל', 'מ', 'ש', 'כ'];

const FILLERS: &[&str] = &[
    "אה",
    "אהה",
    "אההה",
    "אמ",
    "אממ",
    "אממם",
    "אז",
    "רגע",
    "שניה",
    "שנייה",
    "טוב",
    "אוקיי",
    "אוקי",
    "שלום",
    "היי",
    "הי",
    "הלו",
    "כן",
    "תודה",
    "בבקשה",
    "תרשמו",
    "תרשום",
    "uh",
    "um",
    "er",
    "erm",
    "hmm",
    "well",
    "so",
    "hello",
    "hi",
    "hey",
    "ok",
    "okay",
    "yes",
    "yeah",
    "please",
    "thanks",
    "thank",
    "you",
    "בעצם",
    "actually",
];

/// Takes a text apart.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let plain_text: String = text.chars().filter(|&letter| !is_niqqud(letter)).collect();
    plain_text
        .split(|letter: char| letter.is_whitespace() || letter == '־')
        .filter_map(|token| {
            let shown = token.trim_matches(|letter: char| !letter.is_alphanumeric() && letter != '+');
            let after = token.trim_end_matches(['"', '\'', '”', '׳', '״', ')']);
            let ends_clause = after.ends_with([',', '.', '?', '!', ';', ':', '…']);
            let plain = shown.to_lowercase().replace('’', "'");
            (!shown.is_empty()).then(|| Word { plain, shown: shown.to_owned(), ends_clause })
        })
        .take(MAX_WORDS)
        .collect()
}

/// Finds a phrase; a Hebrew one also behind up to two prefix letters.
pub(crate) fn find(words: &[Word], phrase: &str) -> Option<Range<usize>> {
    find_parts(words, &phrase.split_whitespace().collect::<Vec<_>>())
}

fn find_parts(words: &[Word], parts: &[&str]) -> Option<Range<usize>> {
    let (first, rest) = parts.split_first()?;
    let start = words.windows(parts.len()).position(|window| {
        let Some((head, tail)) = window.split_first() else { return false };
        is_word(&head.plain, first) && tail.iter().zip(rest).all(|(word, part)| word.plain == *part)
    })?;
    Some(start..start.saturating_add(parts.len()))
}

/// Tells whether a word is the one asked for, or it behind Hebrew prefixes.
pub(crate) fn is_word(word: &str, wanted: &str) -> bool {
    let Some(before) = word.strip_suffix(wanted) else { return false };
    // One letter of Hebrew and a prefix would make half the language match.
    let long = wanted.chars().count() >= 3 && wanted.chars().all(is_hebrew);
    before.is_empty()
        || (long && before.chars().count() <= 2 && before.chars().all(|letter| PREFIXES.contains(&letter)))
}

/// Tells whether it is a yes or a no.
pub(crate) fn yes_or_no(words: &[Word]) -> Option<bool> {
    intent::yes_no(&text(words)).map(|answer| answer == YesNo::Yes)
}

/// Tells whether a person is asked for.
pub(crate) fn wants_person(words: &[Word]) -> bool {
    intent::asks_for_human(&text(words))
}

/// Tells whether all that is said is that the question was not heard.
pub(crate) fn wants_repetition(words: &[Word]) -> bool {
    let excuse = |word: &Word| word.plain == "סליחה";
    intent::asks_to_repeat(&text(words)) || (!words.is_empty() && words.iter().all(excuse))
}

/// Joins words with the pauses between them.
fn text(words: &[Word]) -> String {
    words.iter().fold(String::new(), |text, word| text + &word.shown + if word.ends_clause { ", " } else { " " })
}

/// Tells whether a word says nothing by itself.
pub(crate) fn is_filler(word: &Word) -> bool {
    FILLERS.contains(&word.plain.as_str())
}

/// Drops words from the end that only say thanks and goodbye.
pub(crate) fn without_farewell(words: &[Word]) -> &[Word] {
    const FAREWELL: &[&str] = &["להתראות", "ביי", "תודה", "רבה", "שלום", "bye", "goodbye", "thanks", "thank", "you"];
    let says_more = |word: &Word| !FAREWELL.iter().any(|farewell| is_word(&word.plain, farewell));
    let end = words.iter().rposition(says_more).map_or(0, |last| last.saturating_add(1));
    words.get(..end).unwrap_or_default()
}

/// Tells whether words say more than yes, no and hesitation.
pub(crate) fn has_content(words: &[Word]) -> bool {
    const ANSWERS: &[&str] = &["כן", "לא", "נכון", "בסדר", "yes", "no", "right", "not"];
    let single = |word: &Word| is_filler(word) || ANSWERS.contains(&word.plain.as_str());
    let letters: usize = words.iter().filter(|word| !single(word)).map(|word| word.plain.chars().count()).sum();
    letters >= 2
}

/// Tells whether most letters are of a language.
pub(crate) fn is_written_in(words: &[Word], language: Language) -> bool {
    script::guess_language(&text(words)) == Some(language)
}

/// Joins words as they were heard.
pub(crate) fn shown(words: &[Word]) -> String {
    words.iter().map(|word| word.shown.as_str()).collect::<Vec<_>>().join(" ")
}

const fn is_niqqud(letter: char) -> bool {
    matches!(letter, '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}')
}

const fn is_hebrew(letter: char) -> bool {
    matches!(letter, 'א'..='ת')
}

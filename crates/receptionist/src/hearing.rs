//! Words as they were heard, and the few things that may be said at any time.

use std::ops::Range;

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

const YES: &[&str] = &[
    "כן",
    "נכון",
    "בדיוק",
    "בטח",
    "ודאי",
    "בוודאי",
    "בסדר",
    "אוקיי",
    "אוקי",
    "סבבה",
    "חיובי",
    "יופי",
    "מצוין",
    "מאה אחוז",
    "אין בעיה",
    "yes",
    "yeah",
    "yep",
    "right",
    "correct",
    "sure",
    "ok",
    "okay",
    "exactly",
    "fine",
    "no problem",
    "of course",
];
const NO: &[&str] =
    &["לא", "ממש לא", "שלילי", "טעות", "no", "nope", "nah", "wrong", "incorrect", "not right", "not correct", "not"];
const PERSON: &[&str] = &[
    "נציג",
    "נציגה",
    "נציג אנושי",
    "בן אדם",
    "אדם אמיתי",
    "מישהו אמיתי",
    "לדבר עם מישהו",
    "לדבר עם אדם",
    "לדבר עם המזכירה",
    "לדבר עם מזכירה",
    "תעבירו אותי",
    "תעביר אותי",
    "תעבירי אותי",
    "מענה אנושי",
    "a human",
    "human being",
    "real person",
    "a person",
    "representative",
    "operator",
    "speak to someone",
    "talk to someone",
    "speak with someone",
    "talk to somebody",
    "speak to somebody",
    "put me through",
    "receptionist",
];
const REPEAT: &[&str] = &[
    "מה",
    "סליחה",
    "מה אמרתם",
    "מה אמרת",
    "לא שמעתי",
    "לא הבנתי",
    "אפשר לחזור",
    "עוד פעם",
    "שוב",
    "what",
    "pardon",
    "sorry",
    "say again",
    "say that again",
    "repeat",
    "come again",
    "did not hear",
    "didn't hear",
    "excuse me",
];
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
    "good",
    "morning",
    "evening",
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
        let (head, tail) = match window.split_first() {
            Some((head, tail)) => (head, tail),
            None => return false,
        };
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

/// Returns where the first of the phrases begins.
fn first_of(words: &[Word], phrases: &[&str]) -> Option<Range<usize>> {
    let found = phrases.iter().filter_map(|phrase| {
        // These are said as they are; "הכן" is not a yes.
        let parts: Vec<&str> = phrase.split_whitespace().collect();
        let at = words
            .windows(parts.len())
            .position(|window| window.iter().zip(&parts).all(|(word, part)| word.plain == *part))?;
        Some(at..at.saturating_add(parts.len()))
    });
    // Of two that begin at the same place the longer one counts: "no problem" is no "no".
    found.min_by_key(|range| (range.start, usize::MAX.saturating_sub(range.len())))
}

/// Tells whether it is a yes or a no; the one said first counts.
pub(crate) fn yes_or_no(words: &[Word]) -> Option<bool> {
    match (first_of(words, YES), first_of(words, NO)) {
        (Some(yes), Some(no)) => Some(yes.start < no.start || (yes.start == no.start && yes.len() > no.len())),
        (Some(_), None) => Some(true),
        (None, Some(_)) => Some(false),
        (None, None) => None,
    }
}

/// Tells whether a person is asked for.
pub(crate) fn wants_person(words: &[Word]) -> bool {
    PERSON.iter().any(|phrase| find(words, phrase).is_some())
}

/// Tells whether all that is said is that the question was not heard.
pub(crate) fn wants_repetition(words: &[Word]) -> bool {
    const MAX: usize = 4;
    words.len() <= MAX && first_of(words, REPEAT).is_some_and(|range| range.start <= 1)
}

/// Tells whether a word says nothing by itself.
pub(crate) fn is_filler(word: &Word) -> bool {
    FILLERS.contains(&word.plain.as_str())
}

/// Tells whether words say more than yes, no and hesitation.
pub(crate) fn has_content(words: &[Word]) -> bool {
    let single =
        |word: &Word| is_filler(word) || YES.contains(&word.plain.as_str()) || NO.contains(&word.plain.as_str());
    let letters: usize = words.iter().filter(|word| !single(word)).map(|word| word.plain.chars().count()).sum();
    letters >= 2
}

/// Returns what fraction of the letters decides: more Hebrew than Latin, or the other way round.
pub(crate) fn is_mostly_hebrew(words: &[Word]) -> Option<bool> {
    let letters = || words.iter().flat_map(|word| word.plain.chars());
    let hebrew = letters().filter(|&letter| is_hebrew(letter)).count();
    let latin = letters().filter(char::is_ascii_alphabetic).count();
    (hebrew != latin).then_some(hebrew > latin)
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

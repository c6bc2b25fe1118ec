//! Whether the caller has finished, by what was said.
//!
//! The end of a turn is decided by silence and by the words: after "my number is", in the middle of a telephone
//! number or after a hesitation the box waits longer, after a finished sentence less.

use units::Language;

use crate::digits::digits_in;
use crate::intent::{HESITATIONS, is_goodbye, is_hesitation, yes_no};
use crate::phone::{PhoneProgress, phone_progress};
use crate::phrases::{ends_in, spoken};
use crate::words::Word;

/// How finished a turn sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// A whole answer or sentence: wait less.
    Finished,
    /// The words do not tell.
    Unclear,
    /// More must come: wait longer.
    Dangling(DanglingReason),
    /// In the middle of a number: wait longest. `missing` digits are to come, where the kind of number is known.
    HalfNumber {
        /// Digits still to come.
        missing: Option<usize>,
    },
}

/// Why more must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DanglingReason {
    /// The turn ends in a phrase that wants something behind it: my number is, קוראים לי.
    Phrase,
    /// It ends in and, but, because; ו, אבל, כי.
    Conjunction,
    /// It ends in a preposition or an article: with, to, the; עם, של, את.
    Preposition,
    /// It ends in a hesitation: uh, hold on; אה, רגע.
    Hesitation,
}

const PHRASES: &[&str] = &[
    "המספר שלי הוא",
    "המספר שלי",
    "המספר הוא",
    "המספר",
    "מספר הטלפון שלי",
    "מספר הטלפון שלי הוא",
    "הטלפון שלי",
    "הטלפון שלי הוא",
    "הנייד שלי",
    "הנייד שלי הוא",
    "הטלפון הוא",
    "קוראים לי",
    "השם שלי",
    "השם שלי הוא",
    "שמי",
    "שמי הוא",
    "השם הוא",
    "אני רוצה",
    "אני צריך",
    "אני צריכה",
    "הייתי רוצה",
    "אני מחפש",
    "אני מחפשת",
    "אני מתקשר",
    "אני מתקשרת",
    "אני מתקשר בקשר",
    "אני מעוניין",
    "אני מעוניינת",
    "רציתי",
    "אפשר לדבר",
    "אני גר",
    "אני גרה",
    "אני גר ב",
    "הכתובת שלי",
    "הכתובת שלי היא",
    "הכתובת היא",
    "התקציב שלי",
    "התקציב שלי הוא",
    "התקציב הוא",
    "האזור הוא",
    "מדבר",
    "מדברת",
    "אני יכול",
    "אני יכולה",
    "בקשר",
    "לגבי",
    "הוא",
    "היא",
    "זה בגלל",
    "my number is",
    "my number",
    "the number is",
    "my phone number is",
    "my phone number",
    "you can reach me",
    "you can call me",
    "you can reach me at",
    "my name is",
    "my name",
    "the name is",
    "this is",
    "i want",
    "i want to",
    "i need",
    "i need to",
    "i would like",
    "i would like to",
    "id like",
    "id like to",
    "im looking for",
    "i am looking for",
    "im calling",
    "i am calling",
    "im calling about",
    "i wanted to",
    "can i",
    "could you",
    "can you",
    "i live in",
    "my address is",
    "my budget is",
    "the reason is",
    "its",
    "it is",
    "i am",
    "im",
    "call me at",
];
const CONJUNCTIONS: &[&str] = &[
    "ו",
    "וגם",
    "אבל",
    "או",
    "כי",
    "אם",
    "כש",
    "ואז",
    "לכן",
    "בגלל",
    "למרות",
    "ש",
    "אלא",
    "שגם",
    "גם",
    "כדי",
    "ואני",
    "אז אני",
    "אני",
    "and",
    "but",
    "or",
    "because",
    "if",
    "when",
    "then",
    "that",
    "also",
    "which",
    "who",
    "and then",
    "since",
    "although",
    "i",
];
const PREPOSITIONS: &[&str] = &[
    "עם",
    "של",
    "את",
    "על",
    "אל",
    "מן",
    "בין",
    "לפני",
    "אחרי",
    "בלי",
    "כמו",
    "ליד",
    "אצל",
    "עבור",
    "בשביל",
    "עד",
    "מול",
    "תוך",
    "בתוך",
    "לפי",
    "ב",
    "ל",
    "מ",
    "ה",
    "בערך",
    "איזה",
    "איזו",
    "כל",
    "with",
    "of",
    "to",
    "for",
    "from",
    "at",
    "in",
    "on",
    "about",
    "the",
    "a",
    "an",
    "my",
    "your",
    "by",
    "near",
    "between",
    "before",
    "after",
    "without",
    "around",
];
const CLOSINGS: &[&str] = &[
    "תודה",
    "תודה רבה",
    "בבקשה",
    "זהו",
    "זה הכל",
    "thanks",
    "thank you",
    "please",
    "thats it",
    "thats all",
    "thank you very much",
];

/// Returns how finished `text` sounds.
pub fn completeness(text: &str, language: Language) -> Completeness {
    let words = spoken(text);
    let trimmed = text.trim_end();
    if words.is_empty() {
        return Completeness::Unclear;
    }
    if let Some(number) = number_at_end(text, &words, language) {
        return number;
    }
    if is_hesitation(text) || ends_in(TRAILING_HESITATIONS, &words) && words.len() > 1 {
        return Completeness::Dangling(DanglingReason::Hesitation);
    }
    if trimmed.ends_with('?') || is_goodbye(text) || is_answer(text, &words) {
        return Completeness::Finished;
    }
    if ends_in(PHRASES, &words) {
        return Completeness::Dangling(DanglingReason::Phrase);
    }
    if ends_in(CONJUNCTIONS, &words) {
        return Completeness::Dangling(DanglingReason::Conjunction);
    }
    if ends_in(PREPOSITIONS, &words) {
        return Completeness::Dangling(DanglingReason::Preposition);
    }
    if trimmed.ends_with("...") || trimmed.ends_with('\u{2026}') || trimmed.ends_with([',', '-']) {
        return Completeness::Dangling(DanglingReason::Hesitation);
    }
    let stopped = trimmed.ends_with(['.', '!']) && words.len() >= 2;
    if stopped || ends_in(CLOSINGS, &words) || words.len() >= FULL_SENTENCE_WORDS {
        Completeness::Finished
    } else {
        Completeness::Unclear
    }
}

/// From this many words on a turn without a sign of more is taken for a sentence.
const FULL_SENTENCE_WORDS: usize = 4;

/// Hesitations that say "more comes" also at the end of a sentence; "רגע" and "so" there are ordinary words too.
const TRAILING_HESITATIONS: &[&str] = &[
    "אה",
    "אהה",
    "אמ",
    "אממ",
    "אמממ",
    "רגע",
    "שנייה",
    "שניה",
    "אז",
    "רגע אחד",
    "שנייה אחת",
    "כאילו",
    "נו",
    "uh",
    "um",
    "er",
    "erm",
    "hmm",
    "well",
    "so",
    "like",
    "hold on",
    "wait",
    "you know",
    "let me see",
    "let me check",
    "one moment",
    "one second",
];

/// A short yes or no, with nothing behind it that wants more.
fn is_answer(text: &str, words: &[Word]) -> bool {
    let wants_more = [PHRASES, CONJUNCTIONS, PREPOSITIONS, HESITATIONS].iter().any(|list| ends_in(list, words));
    words.len() <= 4 && yes_no(text).is_some() && !wants_more
}

/// How a turn sounds that ends in digits; `None` where it ends in words, or in a number that is no telephone number.
fn number_at_end(text: &str, words: &[Word], language: Language) -> Option<Completeness> {
    let run = digits_in(text, language);
    if !run.ends_in_digit {
        return None;
    }
    let digits = run.last_run.reveal().as_str();
    let count = digits.chars().filter(char::is_ascii_digit).count();
    // "054 no wait 123": the digits before an interjection belong to the number too.
    let whole = run.digits.reveal().as_str();
    let mut progress = phone_progress(digits, language);
    if progress == PhoneProgress::NoNumber {
        progress = phone_progress(whole, language);
    }
    let asked_for = words.iter().any(|word| NUMBER_WORDS.contains(&word.text.as_str()));
    let single = count == 1 && run.other_words == 0 && !digits.starts_with(['+', '*', '0']);
    match progress {
        PhoneProgress::Complete | PhoneProgress::TooLong => Some(Completeness::Finished),
        PhoneProgress::Partial { missing } if !single => Some(Completeness::HalfNumber { missing: Some(missing) }),
        PhoneProgress::Partial { .. } => None,
        PhoneProgress::NoNumber if asked_for && count < 7 => Some(Completeness::HalfNumber { missing: None }),
        PhoneProgress::NoNumber if run.other_words == 0 && (2..7).contains(&count) => {
            Some(Completeness::HalfNumber { missing: None })
        }
        PhoneProgress::NoNumber => None,
    }
}

/// Words that say a telephone number is being given.
const NUMBER_WORDS: [&str; 10] =
    ["המספר", "מספר", "הטלפון", "הנייד", "טלפון", "נייד", "number", "phone", "cell", "mobile"];

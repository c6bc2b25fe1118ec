//! What each number word is worth.

use units::Language;

/// The part a word plays in a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// 0 to 9.
    Digit(u32),
    /// 10 to 19 in one word.
    Teen(u32),
    /// 20 to 90.
    Tens(u32),
    /// 200, 300 ... in one word.
    Hundreds(u32),
    /// 2000 in one word.
    Thousands(u32),
    /// Hebrew ten: alone it is 10, after a digit it makes 11 to 19.
    TeenEnding,
    /// Multiplies by 100, or is 100.
    Hundred,
    /// Multiplies by 1000, or is 1000.
    Thousand,
    /// The next digit comes this many times.
    Repeat(usize),
    /// The number before says how many times the next comes.
    Times,
    /// `+`, `*` or `#`.
    Sign(char),
}

/// Returns the value of a Hebrew word without points, and whether it came with "and" before it.
pub(super) fn hebrew(word: &str) -> Option<(Value, bool)> {
    if let Some(value) = hebrew_plain(word) {
        return Some((value, false));
    }
    let rest = word.strip_prefix('ו')?;
    Some((hebrew_plain(rest)?, true))
}

fn hebrew_plain(word: &str) -> Option<Value> {
    Some(match word {
        "אפס" => Value::Digit(0),
        "אחת" | "אחד" => Value::Digit(1),
        "שתיים" | "שתים" | "שניים" | "שנים" | "שתי" | "שני" => Value::Digit(2),
        "שלוש" | "שלש" | "שלושה" | "שלשה" | "שלושת" => Value::Digit(3),
        "ארבע" | "ארבעה" | "ארבעת" => Value::Digit(4),
        "חמש" | "חמישה" | "חמשה" | "חמשת" => Value::Digit(5),
        "שש" | "שישה" | "ששה" | "ששת" | "שישת" => Value::Digit(6),
        "שבע" | "שבעה" | "שבעת" => Value::Digit(7),
        "שמונה" | "שמונת" => Value::Digit(8),
        "תשע" | "תשעה" | "תשעת" => Value::Digit(9),
        "עשר" | "עשרה" | "עשרת" => Value::TeenEnding,
        "עשרים" => Value::Tens(20),
        "שלושים" | "שלשים" => Value::Tens(30),
        "ארבעים" => Value::Tens(40),
        "חמישים" | "חמשים" => Value::Tens(50),
        "שישים" | "ששים" => Value::Tens(60),
        "שבעים" => Value::Tens(70),
        "שמונים" => Value::Tens(80),
        "תשעים" => Value::Tens(90),
        "מאה" => Value::Hundreds(100),
        "מאות" => Value::Hundred,
        "מאתיים" | "מאתים" => Value::Hundreds(200),
        "אלף" | "אלפים" => Value::Thousand,
        "אלפיים" => Value::Thousands(2_000),
        "כפול" | "דאבל" | "פעמיים" => Value::Repeat(2),
        "פעמים" => Value::Times,
        "פלוס" => Value::Sign('+'),
        "כוכבית" => Value::Sign('*'),
        "סולמית" => Value::Sign('#'),
        _ => return None,
    })
}

/// Returns the value of an English word in lower case. In Hebrew speech only what cannot be another word counts.
pub(super) fn english(word: &str, language: Language) -> Option<(Value, bool)> {
    let value = match word {
        "zero" => Value::Digit(0),
        "oh" | "nought" if language == Language::English => Value::Digit(0),
        "one" => Value::Digit(1),
        "two" => Value::Digit(2),
        "three" => Value::Digit(3),
        "four" => Value::Digit(4),
        "five" => Value::Digit(5),
        "six" => Value::Digit(6),
        "seven" => Value::Digit(7),
        "eight" => Value::Digit(8),
        "nine" | "niner" => Value::Digit(9),
        "ten" => Value::Teen(10),
        "eleven" => Value::Teen(11),
        "twelve" => Value::Teen(12),
        "thirteen" => Value::Teen(13),
        "fourteen" => Value::Teen(14),
        "fifteen" => Value::Teen(15),
        "sixteen" => Value::Teen(16),
        "seventeen" => Value::Teen(17),
        "eighteen" => Value::Teen(18),
        "nineteen" => Value::Teen(19),
        "twenty" => Value::Tens(20),
        "thirty" => Value::Tens(30),
        "forty" | "fourty" => Value::Tens(40),
        "fifty" => Value::Tens(50),
        "sixty" => Value::Tens(60),
        "seventy" => Value::Tens(70),
        "eighty" => Value::Tens(80),
        "ninety" => Value::Tens(90),
        "hundred" => Value::Hundred,
        "thousand" => Value::Thousand,
        "double" => Value::Repeat(2),
        "triple" => Value::Repeat(3),
        "plus" => Value::Sign('+'),
        "star" | "asterisk" if language == Language::English => Value::Sign('*'),
        "pound" | "hash" if language == Language::English => Value::Sign('#'),
        _ => return None,
    };
    Some((value, false))
}

//! Numbers as they are said: digit after digit, and as a quantity.

use std::ops::Range;

use language::phone::phone_groups;
use units::Language;

use crate::hearing::{Word, is_filler, is_word};

/// Digits said one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DigitRun {
    pub(crate) digits: String,
    /// Whether a plus stands before them.
    pub(crate) international: bool,
    /// Which words they are.
    pub(crate) words: Range<usize>,
}

/// How much of a phone number some digits are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PhoneNumber {
    /// All of it.
    Whole(String),
    /// Its beginning.
    Partial,
    /// None at all: too long, or nothing that can be called.
    Wrong,
}

/// The longest phone number there is, in digits (ITU-T E.164).
const MAX_DIGITS: usize = 15;

/// Numbers below a hundred, in each gender and form. Tens add up with units.
const SMALL: &[(&str, u32)] = &[
    ("אפס", 0),
    ("אחת", 1),
    ("אחד", 1),
    ("שתיים", 2),
    ("שניים", 2),
    ("שתים", 2),
    ("שנים", 2),
    ("שתי", 2),
    ("שני", 2),
    ("שלוש", 3),
    ("שלושת", 3),
    ("ארבעת", 4),
    ("חמשת", 5),
    ("ששת", 6),
    ("שבעת", 7),
    ("שמונת", 8),
    ("תשעת", 9),
    ("עשרת", 10),
    ("שלושה", 3),
    ("ארבע", 4),
    ("ארבעה", 4),
    ("חמש", 5),
    ("חמישה", 5),
    ("חמשה", 5),
    ("שש", 6),
    ("שישה", 6),
    ("ששה", 6),
    ("שבע", 7),
    ("שבעה", 7),
    ("שמונה", 8),
    ("תשע", 9),
    ("תשעה", 9),
    ("עשר", 10),
    ("עשרה", 10),
    ("עשרים", 20),
    ("שלושים", 30),
    ("ארבעים", 40),
    ("חמישים", 50),
    ("שישים", 60),
    ("ששים", 60),
    ("שבעים", 70),
    ("שמונים", 80),
    ("תשעים", 90),
    ("zero", 0),
    ("oh", 0),
    ("o", 0),
    ("nought", 0),
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
];

fn small(word: &str) -> Option<u32> {
    SMALL
        .iter()
        .find(|(name, _)| word == *name || (word.starts_with(['ו', 'ל', 'ב', 'כ', 'ה']) && is_word(word, name)))
        .map(|(_, value)| *value)
}

/// Finds all runs of digits, said or written.
pub(crate) fn digit_runs(words: &[Word]) -> Vec<DigitRun> {
    let mut runs: Vec<DigitRun> = Vec::new();
    let mut current: Option<DigitRun> = None;
    let mut position = 0;
    while let Some(word) = words.get(position) {
        if let Some((digits, international, len)) = digits_at(words, position) {
            let end = position.saturating_add(len);
            let run = current.get_or_insert_with(|| DigitRun {
                digits: String::new(),
                international,
                words: position..position,
            });
            run.digits.push_str(&digits);
            run.words.end = end;
            position = end;
        } else {
            // Hesitating does not end a number, nor does saying that a dash stands there.
            let pause = is_filler(word) || matches!(word.plain.as_str(), "מקף" | "ואז" | "dash" | "then" | "and");
            if !pause {
                runs.extend(current.take());
            }
            position = position.saturating_add(1);
        }
    }
    runs.extend(current);
    runs
}

/// Reads digits at a place: the digits, whether a plus stands before them, and how many words they are.
fn digits_at(words: &[Word], at: usize) -> Option<(String, bool, usize)> {
    let word = words.get(at)?;
    let next = words.get(at.saturating_add(1)).map(|word| word.plain.as_str());
    let written: String = word.plain.chars().filter(char::is_ascii_digit).collect();
    let clean =
        word.plain.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '-' | '+' | '(' | ')' | '/' | '.'));
    if !written.is_empty() && clean {
        return Some((written, word.plain.starts_with('+'), 1));
    }
    if matches!(word.plain.as_str(), "פעמיים" | "double") {
        let digit = next.and_then(small).filter(|value| *value < 10)?;
        return Some((format!("{digit}{digit}"), false, 2));
    }
    if matches!(word.plain.as_str(), "פלוס" | "plus") {
        let (digits, _, len) = digits_at(words, at.saturating_add(1)).filter(|(digits, ..)| !digits.is_empty())?;
        return Some((digits, true, len.saturating_add(1)));
    }
    let value = small(&word.plain)?;
    let unit = next.and_then(|next| small(next).map(|unit| (next, unit)));
    match unit {
        // "חמישים וארבע", "fifty four" are two digits; "חמישים ארבע" without the and is too, as people say it.
        Some((_, unit)) if value >= 20 && (1..10).contains(&unit) => {
            Some((value.saturating_add(unit).to_string(), false, 2))
        }
        // "אחת עשרה" is eleven.
        Some((next, 10)) if (1..10).contains(&value) && matches!(next, "עשרה" | "עשר") => {
            Some((value.saturating_add(10).to_string(), false, 2))
        }
        Some(_) | None => Some((value.to_string(), false, 1)),
    }
}

/// Says how much of a phone number digits are.
///
/// Numbers of Israel's plan are brought to the form in which they are dialled inside the country: mobile and
/// internet numbers (05x, 07x) have ten digits, area codes nine, 1-700 and 1-800 ten. Others are taken from ten
/// digits on.
pub(crate) fn phone_number(digits: &str, international: bool) -> PhoneNumber {
    let digits = digits.strip_prefix("00").filter(|_| digits.len() > 10).unwrap_or(digits);
    let national = match digits.strip_prefix("972").filter(|rest| international || rest.len() >= 8) {
        Some(rest) => format!("0{}", rest.strip_prefix('0').unwrap_or(rest)),
        None => digits.to_owned(),
    };
    let len = national.len();
    let wanted = if national.starts_with("05") || national.starts_with("07") {
        10..=10
    } else if national.starts_with('0') {
        9..=9
    } else if national.starts_with("1700") || national.starts_with("1800") {
        10..=10
    } else {
        10..=MAX_DIGITS
    };
    if wanted.contains(&len) {
        let plus = if international && !national.starts_with('0') { "+" } else { "" };
        PhoneNumber::Whole(format!("{plus}{national}"))
    } else if len < *wanted.start() {
        PhoneNumber::Partial
    } else {
        PhoneNumber::Wrong
    }
}

/// Returns digits as words, one by one, with a rest where people make one.
pub(crate) fn spoken(digits: &str, language: Language) -> String {
    let names = match language {
        Language::Hebrew => ["אפס", "אחת", "שתיים", "שלוש", "ארבע", "חמש", "שש", "שבע", "שמונה", "תשע"],
        Language::English => ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    };
    let name = |digit: char| names.get(usize::try_from(digit.to_digit(10)?).ok()?).copied();
    let groups =
        phone_groups(digits).into_iter().map(|group| group.chars().filter_map(name).collect::<Vec<_>>().join(" "));
    groups.filter(|group| !group.is_empty()).collect::<Vec<_>>().join(", ")
}

/// A quantity, and which words say it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantity {
    pub(crate) value: f64,
    pub(crate) words: Range<usize>,
}

/// Finds all quantities.
pub(crate) fn quantities(words: &[Word]) -> Vec<Quantity> {
    let mut found = Vec::new();
    let mut position = 0;
    while position < words.len() {
        let mut sum = Sum::default();
        let start = position;
        let mut end = position;
        while let Some(word) = words.get(position).filter(|word| sum.take(&word.plain)) {
            position = position.saturating_add(1);
            end = position;
            if word.ends_clause {
                break;
            }
        }
        if let Some(value) = sum.value() {
            found.push(Quantity { value, words: start..end });
        }
        position = position.max(start.saturating_add(1));
    }
    found
}

/// A quantity while its words come in.
#[derive(Default)]
struct Sum {
    total: f64,
    current: f64,
    /// What "and a half" is a half of.
    scale: f64,
    any: bool,
}

impl Sum {
    /// Takes a word in; `false` if it is none of a quantity's.
    fn take(&mut self, word: &str) -> bool {
        if let Some(value) = written(word).or_else(|| small(word).map(f64::from)) {
            self.add(value);
            return true;
        }
        match word.strip_prefix(['ו', 'כ', 'ל', 'ב']).unwrap_or(word) {
            "חצי" | "half" => self.half(),
            "מאה" => self.add(100.0),
            "מאתיים" => self.add(200.0),
            "מאות" | "hundred" => self.current = self.current.max(1.0) * 100.0,
            "אלפיים" => self.add_scaled(2.0, 1e3),
            "אלף" | "אלפים" | "thousand" | "k" => self.multiply(1e3),
            "מיליון" | "מליון" | "million" => self.multiply(1e6),
            "and" | "a" => return self.any,
            _ => return false,
        }
        self.any = true;
        true
    }

    fn add(&mut self, value: f64) {
        self.current += value;
        self.scale = 1.0;
        self.any = true;
    }

    fn add_scaled(&mut self, value: f64, scale: f64) {
        self.total += value * scale;
        self.scale = scale;
    }

    fn multiply(&mut self, scale: f64) {
        // "שלוש מאות אלף" and "מיליון": the thousands so far are multiplied too, unless they are larger.
        let (whole, rest) = if self.total < scale { (self.total, 0.0) } else { (0.0, self.total) };
        let amount = whole + self.current;
        self.total = rest + if amount > 0.0 { amount } else { 1.0 } * scale;
        self.current = 0.0;
        self.scale = scale;
    }

    fn half(&mut self) {
        if self.current > 0.0 || self.scale <= 1.0 {
            self.current += 0.5;
        } else {
            self.total += self.scale / 2.0;
        }
    }

    fn value(&self) -> Option<f64> {
        let value = self.total + self.current;
        (self.any && value.is_finite()).then_some(value)
    }
}

/// Reads a number in digits, with commas between thousands and a point.
fn written(word: &str) -> Option<f64> {
    let number =
        word.strip_prefix(['ב', 'כ', 'ל', 'ו']).unwrap_or(word).trim_start_matches('-').trim_matches(['₪', '$', '€']);
    let starts = number.chars().next().is_some_and(|letter| letter.is_ascii_digit());
    if !starts || number.len() > MAX_DIGITS {
        return None;
    }
    number.replace(',', "").parse().ok()
}

//! From what was said to digits: number words and digit characters, in Hebrew and English, also mixed.
//!
//! Made for telephone numbers: `אפס חמישים וארבע`, `oh five four`, `double five`, `054 אחת שתיים`. A number word of
//! several parts gives its decimal digits (`עשרים ושלוש` is `23`).

use alloc::borrow::ToOwned as _;
use alloc::string::{String, ToString as _};

use units::{Language, Pii};

use crate::compare::digit_of;
use crate::words::{Word, words};

mod values;

use values::{Value, english, hebrew};

/// The digits heard in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitRun {
    /// All of them in the order they were said: `0` to `9`, `+` and `*` before them, `#`.
    pub digits: Pii<String>,
    /// The digits at the end of the text, after the last word that is no number; the whole where there is none.
    pub last_run: Pii<String>,
    /// How many words of the text are no numbers.
    pub other_words: usize,
    /// Whether the text ends in a digit, so that more may come.
    pub ends_in_digit: bool,
}

impl DigitRun {
    /// Returns how many digits there are.
    pub fn len(&self) -> usize {
        self.digits.reveal().chars().filter(char::is_ascii_digit).count()
    }

    /// Whether no digit was heard.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Finds the digits in a transcript. Words of the other language count too, as callers mix them.
pub fn digits_in(text: &str, language: Language) -> DigitRun {
    let words = words(text);
    let mut reader = Reader::default();
    let mut i = 0;
    while let Some(word) = words.get(i) {
        i += reader.take(&words, i, word, language);
    }
    reader.finish()
}

/// Returns the plain number a text says, where it says one and nothing that contradicts it: `שלושה חדרים` is 3.
pub fn number_in(text: &str, language: Language) -> Option<u32> {
    let run = digits_in(text, language);
    run.digits.reveal().parse().ok()
}

#[derive(Default)]
struct Reader {
    digits: String,
    run_start: usize,
    number: Option<Number>,
    repeat: usize,
    other_words: usize,
    ends_in_digit: bool,
}

/// A number being put together from its words.
#[derive(Clone, Copy)]
struct Number {
    /// Finished groups: thousands and millions.
    total: u32,
    /// What was said since.
    group: u32,
    /// Size of the last word: 1, 10, 100 or 1000. The next must be smaller, or multiply.
    last_scale: u32,
}

impl Reader {
    /// Takes the word at `i`, and returns how many words were used up.
    fn take(&mut self, words: &[Word], i: usize, word: &Word, language: Language) -> usize {
        if word.text.chars().any(|c| digit_of(c).is_some()) && !word.text.chars().any(char::is_alphabetic) {
            self.end_number();
            self.push_text(&word.text);
            return 1;
        }
        if is_not_a_number_here(words, i) {
            self.other();
            return 1;
        }
        let found = hebrew(&word.text).or_else(|| english(&word.text, language)).or_else(|| homophone(words, i));
        let Some((value, and)) = found else {
            // "and" between parts of an English number ("one hundred and five") belongs to it.
            if word.text == "and" && self.number.is_some() {
                return 1;
            }
            self.other();
            return 1;
        };
        self.add(value, and, word.after_pause);
        1
    }

    fn add(&mut self, value: Value, and: bool, after_pause: bool) {
        if after_pause && !and {
            self.end_number();
        }
        match value {
            Value::Digit(digit) => self.add_scaled(digit, 1),
            Value::Teen(number) => self.add_scaled(number, 10),
            Value::Tens(number) => self.add_scaled(number, 10),
            Value::Hundreds(number) => self.add_scaled(number, 100),
            Value::Thousands(number) => self.add_scaled(number, 1_000),
            Value::TeenEnding => self.add_ten(),
            Value::Hundred => self.multiply(100),
            Value::Thousand => self.multiply(1_000),
            Value::Repeat(times) => {
                self.end_number();
                self.repeat = times;
            }
            Value::Times => self.repeat_by_number(),
            Value::Sign(sign) => {
                self.end_number();
                self.digits.push(sign);
                self.ends_in_digit = true;
            }
        }
    }

    /// Adds a word to the number if it is smaller than the one before (twenty, three), else starts a new number.
    fn add_scaled(&mut self, value: u32, scale: u32) {
        let joins = self.number.is_some_and(|number| number.last_scale > scale && value > 0 && self.repeat == 0)
            // After ten to nineteen nothing follows: "fifteen three" are two numbers.
            && self.number.is_some_and(|number| number.last_scale != 10 || (number.group % 100) >= 20);
        if !joins {
            self.end_number();
            self.number = Some(Number { total: 0, group: 0, last_scale: u32::MAX });
        }
        if let Some(number) = self.number.as_mut() {
            if scale >= 1_000 {
                number.total = number.total.saturating_add(value);
            } else {
                number.group = number.group.saturating_add(value);
            }
            number.last_scale = scale;
        }
        self.ends_in_digit = true;
    }

    /// `עשרה` and `עשר` after a digit make it eleven to nineteen; alone they are ten.
    fn add_ten(&mut self) {
        match self.number.as_mut() {
            Some(number) if number.last_scale == 1 && (1..=9).contains(&(number.group % 100)) => {
                number.group = number.group.saturating_add(10);
                number.last_scale = 10;
            }
            _ => self.add_scaled(10, 10),
        }
        self.ends_in_digit = true;
    }

    fn multiply(&mut self, by: u32) {
        let number = self.number.get_or_insert(Number { total: 0, group: 0, last_scale: u32::MAX });
        let fits = if by == 100 { (1..=9).contains(&number.group) } else { number.group > 0 };
        if by == 100 {
            number.group = if fits { number.group.saturating_mul(100) } else { number.group.saturating_add(100) };
        } else {
            let group = if fits { number.group } else { 1 };
            number.total = number.total.saturating_add(group.saturating_mul(by));
            number.group = 0;
        }
        number.last_scale = by;
        self.ends_in_digit = true;
    }

    /// `שלוש פעמים חמש`: the number before says how often the next digit comes.
    fn repeat_by_number(&mut self) {
        match self.number.take() {
            Some(number) if number.total == 0 && (2..=4).contains(&number.group) => {
                self.repeat = usize::try_from(number.group).unwrap_or(1);
            }
            other => {
                self.number = other;
                self.other();
            }
        }
    }

    fn push_text(&mut self, text: &str) {
        let repeat = core::mem::take(&mut self.repeat).max(1);
        for _ in 0..repeat {
            for c in text.chars() {
                if let Some(digit) = digit_of(c) {
                    self.digits.push(digit);
                } else if matches!(c, '+' | '*' | '#') {
                    self.digits.push(c);
                }
            }
        }
        self.ends_in_digit = true;
    }

    fn end_number(&mut self) {
        if let Some(number) = self.number.take() {
            let value = number.total.saturating_add(number.group);
            self.push_text(&value.to_string());
        }
    }

    fn other(&mut self) {
        self.end_number();
        self.repeat = 0;
        self.other_words += 1;
        self.run_start = self.digits.len();
        self.ends_in_digit = false;
    }

    fn finish(mut self) -> DigitRun {
        self.end_number();
        let last_run = self.digits.get(self.run_start..).unwrap_or_default().to_owned();
        DigitRun {
            digits: Pii::new(self.digits),
            last_run: Pii::new(last_run),
            other_words: self.other_words,
            ends_in_digit: self.ends_in_digit,
        }
    }
}

/// "רגע אחד", "one moment", "אף אחד": number words that count nothing to write down.
fn is_not_a_number_here(words: &[Word], i: usize) -> bool {
    let at = |i: usize| words.get(i).map(|word| word.text.as_str());
    let (Some(word), before, after) = (at(i), i.checked_sub(1).and_then(at), at(i + 1)) else { return false };
    match word {
        "אחד" | "אחת" => matches!(before, Some("רגע" | "שנייה" | "שניה" | "דקה" | "אף" | "כל" | "פעם")),
        "שתי" => matches!(after, Some("דקות" | "שניות")),
        "one" => {
            matches!(after, Some("moment" | "second" | "sec" | "minute"))
                || matches!(before, Some("no" | "this" | "that"))
        }
        "שני" | "שלישי" => matches!(before, Some("יום" | "ביום" | "ליום")),
        _ => false,
    }
}

/// "to" and "for" between digits are two and four that the recogniser misheard.
fn homophone(words: &[Word], i: usize) -> Option<(Value, bool)> {
    let is_digit = |at: Option<usize>| {
        at.and_then(|at| words.get(at)).is_some_and(|word| {
            word.text.chars().all(|c| digit_of(c).is_some())
                || matches!(english(&word.text, Language::English), Some((Value::Digit(_), _)))
        })
    };
    if !is_digit(i.checked_sub(1)) || !is_digit(Some(i + 1)) {
        return None;
    }
    let value = match words.get(i)?.text.as_str() {
        "to" | "too" => 2,
        "for" => 4,
        _ => return None,
    };
    Some((Value::Digit(value), false))
}

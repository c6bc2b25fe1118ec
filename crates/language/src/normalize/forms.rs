//! What a run of digits is: a telephone number, a time, a date, an amount, a plain number.

use alloc::string::String;
use alloc::vec::Vec;

use units::Language;

use crate::phone::{PhoneProgress, phone_progress};

/// A number as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Digits to be read one by one, with `+` or `*` in front.
    Phone(String),
    /// Hour and minute.
    Time(u32, u32),
    /// Two times.
    TimeRange((u32, u32), (u32, u32)),
    /// Day, month, and the year where there is one.
    Date(u32, u32, Option<u32>),
    /// A plain number: digits before and after the decimal point.
    Plain(Decimal),
    /// From and to.
    Range(Decimal, Decimal),
    /// An amount with the sign of its money.
    Money(char, Decimal),
    /// Open day and night: 24/7.
    AroundTheClock,
    /// 1st, 2nd, 3rd.
    Ordinal(u32),
    /// A minus sign before a digit.
    Negative,
}

/// The digits of a number: before the decimal point without separators, and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) whole: String,
    pub(super) fraction: String,
    /// The number was written with separators (1,250,000), so it is an amount however long it is.
    pub(super) separated: bool,
}

/// Returns what number `text` starts with, and how many characters it takes.
pub(super) fn read(text: &[char], language: Language) -> Option<(Form, usize)> {
    let first = *text.first()?;
    if first == '-' {
        return text.get(1).filter(|c| c.is_ascii_digit()).map(|_| (Form::Negative, 1));
    }
    if is_money(first) {
        let blanks = usize::from(text.get(1) == Some(&' '));
        let (decimal, len) = decimal(text.get(1 + blanks..)?)?;
        return Some((Form::Money(first, decimal), 1 + blanks + len));
    }
    if !(first.is_ascii_digit() || matches!(first, '+' | '*' | '(')) {
        return None;
    }
    if let Some(found) = phone(text, language) {
        return Some(found);
    }
    if !first.is_ascii_digit() {
        return None;
    }
    if text.starts_with(&['2', '4', '/', '7']) && !text.get(4).is_some_and(char::is_ascii_digit) {
        return Some((Form::AroundTheClock, 4));
    }
    date(text).or_else(|| time_or_range(text)).or_else(|| ordinal(text, language)).or_else(|| plain(text))
}

/// Whether `c` is the sign of a currency.
pub(super) const fn is_money(c: char) -> bool {
    matches!(c, '₪' | '$' | '€' | '£')
}

fn digits_at(text: &[char]) -> String {
    text.iter().take_while(|c| c.is_ascii_digit()).collect()
}

fn small(text: &[char], longest: usize) -> Option<(u32, usize)> {
    let digits = digits_at(text);
    let len = digits.len();
    if len == 0 || len > longest { None } else { Some((digits.parse().ok()?, len)) }
}

/// Digits with single separators between them that make a whole telephone number.
fn phone(text: &[char], language: Language) -> Option<(Form, usize)> {
    let mut digits = String::new();
    let mut best: Option<(String, usize)> = None;
    let mut at = 0;
    let mut separators: Vec<char> = Vec::new();
    while let Some(&c) = text.get(at) {
        let number_goes_on = text.get(at + 1).is_some_and(|c| c.is_ascii_digit() || *c == '(');
        match c {
            '+' | '*' if at == 0 => digits.push(c),
            '0'..='9' => digits.push(c),
            '(' if text.get(at + 1).is_some_and(char::is_ascii_digit) => {}
            ')' => {}
            '-' | ' ' | '.' if number_goes_on || (c == ' ' && text.get(at.wrapping_sub(1)) == Some(&')')) => {
                separators.push(c);
            }
            _ => break,
        }
        at += 1;
        let ends = !text.get(at).is_some_and(char::is_ascii_digit);
        if c.is_ascii_digit() && ends && is_whole_phone(&digits, &separators, language) {
            best = Some((digits.clone(), at));
        }
        if digits.len() > 15 {
            break;
        }
    }
    let (digits, len) = best?;
    Some((Form::Phone(digits), len))
}

fn is_whole_phone(digits: &str, separators: &[char], language: Language) -> bool {
    let marked = digits.starts_with(['0', '+', '*']);
    let toll_free = digits.starts_with('1') && digits.len() == 10 && !separators.is_empty();
    let american = language == Language::English && digits.len() >= 10 && separators.len() >= 2;
    let dotted_date = separators.iter().all(|c| *c == '.') && separators.len() == 2;
    if separators.contains(&'.') && !separators.iter().all(|c| *c == '.') {
        return false;
    }
    if digits.starts_with('*') {
        return (4..=6).contains(&digits.len()) && separators.is_empty();
    }
    if digits.starts_with('+') {
        return (9..=16).contains(&digits.len());
    }
    (marked || toll_free || american)
        && (!dotted_date || digits.len() > 8)
        && phone_progress(digits, language) == PhoneProgress::Complete
}

/// 21.11.2026, 21/11/26, 2026-11-21, 21/11.
fn date(text: &[char]) -> Option<(Form, usize)> {
    let (first, first_len) = small(text, 4)?;
    let separator = *text.get(first_len).filter(|c| matches!(c, '.' | '/' | '-'))?;
    let (second, second_len) = small(text.get(first_len + 1..)?, 2)?;
    let two = first_len + 1 + second_len;
    let third = (text.get(two) == Some(&separator)).then(|| small(text.get(two + 1..)?, 4)).flatten();
    let not_a_digit = |at: usize| !text.get(at).is_some_and(char::is_ascii_digit);
    if first_len == 4 {
        let (day, len) = third?;
        return is_day(day, second).then_some((Form::Date(day, second, Some(first)), two + 1 + len));
    }
    if first_len > 2 {
        return None;
    }
    let (day, month) = if second > 12 { (second, first) } else { (first, second) };
    if !is_day(day, month) {
        return None;
    }
    match third {
        Some((year, len @ (2 | 4))) if not_a_digit(two + 1 + len) => {
            let year = match (len, year) {
                (4, year) => year,
                (_, year @ 0..70) => 2_000 + year,
                (_, year) => 1_900 + year,
            };
            Some((Form::Date(day, month, Some(year)), two + 1 + len))
        }
        None if separator == '/' && not_a_digit(two) => Some((Form::Date(day, month, None), two)),
        _ => None,
    }
}

fn is_day(day: u32, month: u32) -> bool {
    (1..=31).contains(&day) && (1..=12).contains(&month)
}

fn time(text: &[char]) -> Option<((u32, u32), usize)> {
    let (hour, len) = small(text, 2)?;
    if text.get(len) != Some(&':') || hour > 24 {
        return None;
    }
    let minutes = text.get(len + 1..)?;
    let (minute, minute_len) = small(minutes, 2)?;
    if minute_len != 2 || minute > 59 {
        return None;
    }
    let mut end = len + 1 + minute_len;
    // Seconds are not said.
    if text.get(end) == Some(&':')
        && let Some((_, 2)) = small(text.get(end + 1..)?, 2)
    {
        end += 3;
    }
    Some(((hour % 24, minute), end))
}

fn time_or_range(text: &[char]) -> Option<(Form, usize)> {
    let (from, len) = time(text)?;
    if let Some(gap) = dash(text.get(len..)?)
        && let Some((to, to_len)) = time(text.get(len + gap..)?)
    {
        return Some((Form::TimeRange(from, to), len + gap + to_len));
    }
    Some((Form::Time(from.0, from.1), len))
}

/// Returns how many characters a dash with or without blanks around it takes.
fn dash(text: &[char]) -> Option<usize> {
    let before = text.iter().take_while(|c| **c == ' ').count();
    if !matches!(text.get(before), Some('-' | '\u{2013}' | '\u{2014}')) {
        return None;
    }
    let after = text.get(before + 1..)?.iter().take_while(|c| **c == ' ').count();
    // "5 -3" is not a range.
    ((before == 0) == (after == 0)).then_some(before + 1 + after)
}

fn ordinal(text: &[char], language: Language) -> Option<(Form, usize)> {
    let (number, len) = small(text, 6)?;
    let suffix: String = text.get(len..)?.iter().take_while(|c| c.is_ascii_alphabetic()).collect();
    let fits =
        language == Language::English && ["st", "nd", "rd", "th"].contains(&suffix.to_ascii_lowercase().as_str());
    fits.then_some((Form::Ordinal(number), len + 2))
}

fn decimal(text: &[char]) -> Option<(Decimal, usize)> {
    let mut whole = digits_at(text);
    let mut len = whole.len();
    if len == 0 {
        return None;
    }
    let mut separated = false;
    // 1,250,000: groups of three behind commas.
    while len <= 12 && whole.len() + 3 <= 12 && (separated || len <= 3) && text.get(len) == Some(&',') {
        let group = digits_at(text.get(len + 1..)?);
        if group.len() != 3 {
            break;
        }
        whole.push_str(&group);
        len += 4;
        separated = true;
    }
    let mut fraction = String::new();
    if text.get(len) == Some(&'.') {
        fraction = digits_at(text.get(len + 1..)?);
        if !fraction.is_empty() {
            len += 1 + fraction.len();
        }
    }
    Some((Decimal { whole, fraction, separated }, len))
}

fn plain(text: &[char]) -> Option<(Form, usize)> {
    let (from, len) = decimal(text)?;
    if let Some(gap) = text.get(len..).and_then(dash)
        && let Some((to, to_len)) = text.get(len + gap..).and_then(decimal)
        && !matches!(text.get(len + gap + to_len), Some('-' | '/' | ':'))
    {
        return Some((Form::Range(from, to), len + gap + to_len));
    }
    Some((Form::Plain(from), len))
}

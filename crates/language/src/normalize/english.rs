//! Numbers in English words.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::forms::{Decimal, Form, is_money};
use super::{Context, spoken_value};
use crate::numbers::{english_cardinal, english_digits, english_ordinal};
use crate::phone::phone_groups;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Returns the words of a number, and how many characters behind it they stand for too.
pub(super) fn speak(form: &Form, context: &Context<'_>) -> (String, usize) {
    match form {
        Form::Phone(digits) => (phone(digits), 0),
        Form::Time(hour, minute) => {
            let (part, used) = part_of_day(context);
            (time(*hour, *minute, part), used)
        }
        Form::TimeRange(from, to) => {
            let (part, used) = part_of_day(context);
            (format!("{} to {}", time(from.0, from.1, None), time(to.0, to.1, part)), used)
        }
        Form::Date(day, month, year) => (date(*day, *month, *year), 0),
        Form::AroundTheClock => ("twenty four seven".to_owned(), 0),
        Form::Ordinal(number) => (english_ordinal(*number), 0),
        Form::Negative => ("minus".to_owned(), 0),
        Form::Money(sign, amount) => match context.next_word() {
            Some((next, len)) if matches!(next.as_str(), "thousand" | "million" | "billion") => {
                (format!("{} {next} {}", decimal(amount), currency(*sign).1), len)
            }
            _ => (money(*sign, amount), 0),
        },
        Form::Plain(number) => with_sign(number, decimal(number), context),
        Form::Range(from, to) => with_sign(to, format!("{} to {}", decimal(from), decimal(to)), context),
    }
}

fn phone(digits: &str) -> String {
    let groups: Vec<String> = phone_groups(digits)
        .iter()
        .map(|group| {
            let sign = match group.chars().next() {
                Some('+') => "plus ",
                Some('*') => "star ",
                _ => "",
            };
            format!("{sign}{}", english_digits(group))
        })
        .collect();
    groups.join(", ")
}

/// "a m" or "p m" behind a time, and the characters it takes.
fn part_of_day(context: &Context<'_>) -> (Option<&'static str>, usize) {
    let blanks = context.after.iter().take_while(|c| **c == ' ').count();
    let rest: String = context.after.iter().skip(blanks).take(4).collect();
    let rest = rest.to_ascii_lowercase();
    for (written, spoken) in
        [("a.m.", "a m"), ("p.m.", "p m"), ("a.m", "a m"), ("p.m", "p m"), ("am", "a m"), ("pm", "p m")]
    {
        let ends = !context.after.get(blanks + written.len()).is_some_and(|c| c.is_alphanumeric());
        if rest.starts_with(written) && ends {
            return (Some(spoken), blanks + written.len());
        }
    }
    (None, 0)
}

fn time(hour: u32, minute: u32, part: Option<&str>) -> String {
    let twelve = if hour.is_multiple_of(12) { 12 } else { hour % 12 };
    let part = part.or(if hour == 0 {
        Some("a m")
    } else if hour > 12 {
        Some("p m")
    } else {
        None
    });
    let minutes = match minute {
        0 if part.is_none() => " o'clock".to_owned(),
        0 => String::new(),
        1..=9 => format!(" oh {}", english_cardinal(minute)),
        _ => format!(" {}", english_cardinal(minute)),
    };
    let (space, part) = part.map_or(("", ""), |part| (" ", part));
    format!("{}{minutes}{space}{part}", english_cardinal(twelve))
}

fn date(day: u32, month: u32, year: Option<u32>) -> String {
    let name = month
        .checked_sub(1)
        .and_then(|at| usize::try_from(at).ok())
        .and_then(|at| MONTHS.get(at))
        .copied()
        .unwrap_or_default();
    let Some(year) = year else { return format!("{name} {}", english_ordinal(day)) };
    let year = match (year / 100, year % 100) {
        (_, _) if !(1_100..2_100).contains(&year) || (2_000..2_010).contains(&year) => english_cardinal(year),
        (century, 0) => format!("{} hundred", english_cardinal(century)),
        (century, rest @ 1..=9) => format!("{} oh {}", english_cardinal(century), english_cardinal(rest)),
        (century, rest) => format!("{} {}", english_cardinal(century), english_cardinal(rest)),
    };
    format!("{name} {}, {year}", english_ordinal(day))
}

fn decimal(number: &Decimal) -> String {
    let whole = match spoken_value(&number.whole) {
        Some(value) if number.separated || number.whole.len() < 7 => english_cardinal(value),
        _ => {
            let groups: Vec<String> = phone_groups(&number.whole).iter().map(|group| english_digits(group)).collect();
            groups.join(", ")
        }
    };
    if number.fraction.is_empty() { whole } else { format!("{whole} point {}", english_digits(&number.fraction)) }
}

fn with_sign(last: &Decimal, words: String, context: &Context<'_>) -> (String, usize) {
    let (part, used) = part_of_day(context);
    if let Some(part) = part {
        return (format!("{words} {part}"), used);
    }
    let blanks = context.after.iter().take_while(|c| **c == ' ').count();
    match context.after.get(blanks).copied() {
        Some('%') => (format!("{words} percent"), blanks + 1),
        Some(sign) if is_money(sign) => {
            if words == decimal(last) {
                (money(sign, last), blanks + 1)
            } else {
                (format!("{words} {}", currency(sign).1), blanks + 1)
            }
        }
        _ => (words, 0),
    }
}

const fn currency(sign: char) -> (&'static str, &'static str, &'static str) {
    match sign {
        '$' => ("dollar", "dollars", "cents"),
        '€' => ("euro", "euros", "cents"),
        '£' => ("pound", "pounds", "pence"),
        _ => ("shekel", "shekels", "agorot"),
    }
}

fn money(sign: char, amount: &Decimal) -> String {
    let (one, many, coins) = currency(sign);
    let whole = spoken_value(&amount.whole);
    let cents: Option<u32> = if amount.fraction.len() == 2 { amount.fraction.parse().ok() } else { None };
    match (whole, cents) {
        (Some(whole), Some(cents)) => {
            let name = if whole == 1 { one } else { many };
            let base = format!("{} {name}", english_cardinal(whole));
            if cents == 0 { base } else { format!("{base} and {} {coins}", english_cardinal(cents)) }
        }
        (Some(1), None) if amount.fraction.is_empty() => format!("one {one}"),
        (Some(whole), None) if amount.fraction.is_empty() => format!("{} {many}", english_cardinal(whole)),
        _ => format!("{} {many}", decimal(amount)),
    }
}

//! English number words.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

const BELOW_TWENTY: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// Returns the number in English words, without hyphens ("twenty three"). Above [`super::MAX_SPOKEN`] digit by digit.
pub fn english_cardinal(number: u32) -> String {
    if number > super::MAX_SPOKEN {
        return english_digits(&number.to_string());
    }
    if number == 0 {
        return below_twenty(0).to_owned();
    }
    let mut parts: Vec<String> = Vec::new();
    for (size, name) in [(1_000_000, "million"), (1_000, "thousand")] {
        let count = number / size % 1_000;
        if count > 0 {
            parts.push(format!("{} {name}", below_thousand(count)));
        }
    }
    if !number.is_multiple_of(1_000) {
        parts.push(below_thousand(number % 1_000));
    }
    parts.join(" ")
}

/// Returns the ordinal in English words ("twenty third").
pub fn english_ordinal(number: u32) -> String {
    let cardinal = english_cardinal(number);
    let (start, last) = cardinal.rsplit_once(' ').map_or(("", cardinal.as_str()), |(start, last)| (start, last));
    let ordinal = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        other => match other.strip_suffix('y') {
            Some(stem) => format!("{stem}ieth"),
            None => format!("{other}th"),
        },
    };
    if start.is_empty() { ordinal } else { format!("{start} {ordinal}") }
}

/// Reads digits one by one.
pub(crate) fn english_digits(digits: &str) -> String {
    let words: Vec<&str> = digits.chars().filter_map(|c| c.to_digit(10)).map(below_twenty).collect();
    words.join(" ")
}

fn below_thousand(number: u32) -> String {
    let mut parts: Vec<String> = Vec::new();
    if number >= 100 {
        parts.push(format!("{} hundred", below_twenty(number / 100)));
    }
    match number % 100 {
        0 => {}
        rest @ 1..=19 => parts.push(below_twenty(rest).to_owned()),
        rest => {
            parts.push(
                usize::try_from(rest / 10).ok().and_then(|at| TENS.get(at)).copied().unwrap_or_default().to_owned(),
            );
            if !rest.is_multiple_of(10) {
                parts.push(below_twenty(rest % 10).to_owned());
            }
        }
    }
    parts.join(" ")
}

fn below_twenty(number: u32) -> &'static str {
    usize::try_from(number).ok().and_then(|at| BELOW_TWENTY.get(at)).copied().unwrap_or_default()
}

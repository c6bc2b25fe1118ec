//! Numbers in Hebrew words.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::forms::{Decimal, Form, is_money};
use super::{Context, spoken_value};
use crate::numbers::{
    Gender, Noun, find_noun, hebrew_before_noun, hebrew_cardinal, hebrew_counted, hebrew_digits, hebrew_month,
    hebrew_ordinal,
};
use crate::phone::phone_groups;
use crate::phonemes::strip_niqqud;

/// Returns the words of a number, and how many characters behind it they stand for too (its noun, its sign).
pub(super) fn speak(form: &Form, context: &Context<'_>) -> (String, usize) {
    match form {
        Form::Phone(digits) => (phone(digits), 0),
        Form::Time(hour, minute) => (time(*hour, *minute, part_of_day(context)), 0),
        Form::TimeRange(from, to) => {
            (format!("{} עַד {}", time(from.0, from.1, PartOfDay::Omit), time(to.0, to.1, part_of_day(context))), 0)
        }
        Form::Date(day, month, year) => (date(*day, *month, *year), 0),
        Form::AroundTheClock => ("עֶשְׂרִים וְאַרְבַּע שֶׁבַע".to_owned(), 0),
        Form::Ordinal(number) => (hebrew_ordinal(*number, Gender::Masculine), 0),
        Form::Negative => ("מִינוּס".to_owned(), 0),
        Form::Money(sign, amount) => signed_money(*sign, amount, context),
        Form::Plain(number) => counted(number, context, |gender| decimal(number, gender)),
        Form::Range(from, to) => {
            counted(to, context, |gender| format!("{} עַד {}", decimal(from, gender), decimal(to, gender)))
        }
    }
}

/// Whether a word is only prefix letters: ב, ה, וב, שב ...
pub(super) fn is_prefix(word: &str) -> bool {
    let plain = strip_niqqud(word);
    let len = plain.chars().count();
    (1..=2).contains(&len) && plain.chars().all(|c| matches!(c, 'ו' | 'ה' | 'ב' | 'ל' | 'מ' | 'ש' | 'כ'))
}

/// Returns prefix letters with points.
pub(super) fn pointed_prefix(prefix: &str) -> String {
    let mut out = String::new();
    for c in prefix.chars() {
        out.push_str(match c {
            'ו' => "וְ",
            'ה' => "הַ",
            'ב' => "בְּ",
            'ל' => "לְ",
            'מ' => "מִ",
            'ש' => "שֶׁ",
            'כ' => "כְּ",
            _ => "",
        });
    }
    out
}

fn phone(digits: &str) -> String {
    let groups: Vec<String> = phone_groups(digits)
        .iter()
        .map(|group| {
            let sign = match group.chars().next() {
                Some('+') => "פְּלוּס ",
                Some('*') => "כּוֹכָבִית ",
                _ => "",
            };
            format!("{sign}{}", hebrew_digits(group))
        })
        .collect();
    groups.join(", ")
}

/// The hour is said by the clock of twelve; from noon on the part of the day tells which.
fn time(hour: u32, minute: u32, part_of_day: PartOfDay) -> String {
    if hour == 0 && minute == 0 {
        return "חֲצוֹת".to_owned();
    }
    let twelve = if hour.is_multiple_of(12) { 12 } else { hour % 12 };
    let minutes = match minute {
        0 => String::new(),
        15 => " וָרֶבַע".to_owned(),
        30 => " וָחֵצִי".to_owned(),
        1 => " וְדַקָּה".to_owned(),
        2..=10 => format!(" וְ{} דַּקּוֹת", hebrew_before_noun(minute, Gender::Feminine)),
        20 | 40 | 50 => format!(" וְ{}", hebrew_cardinal(minute, Gender::Feminine)),
        _ => format!(" {}", hebrew_cardinal(minute, Gender::Feminine)),
    };
    let part = match hour {
        _ if part_of_day == PartOfDay::Omit => "",
        0 | 22.. => " בַּלַּיְלָה",
        12 => " בַּצָּהֳרַיִים",
        13..=17 => " אַחֲרֵי הַצָּהֳרַיִים",
        18..=21 => " בָּעֶרֶב",
        _ => "",
    };
    format!("{}{minutes}{part}", hebrew_cardinal(twelve, Gender::Feminine))
}

/// Whether a time is said with its part of the day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PartOfDay {
    Add,
    Omit,
}

/// Leaves the part of the day to the text where it goes on to say morning, noon, evening or night itself.
fn part_of_day(context: &Context<'_>) -> PartOfDay {
    const PARTS: [&str; 10] = ["בבוקר", "בצהריים", "בצהרים", "בערב", "בלילה", "אחרי", "אחר", "לפנות", "לפני", "אחה\"צ"];
    if context.next_word().is_some_and(|(word, _)| PARTS.contains(&word.as_str())) {
        PartOfDay::Omit
    } else {
        PartOfDay::Add
    }
}

fn date(day: u32, month: u32, year: Option<u32>) -> String {
    let mut words = format!("{} בְּ{}", hebrew_cardinal(day, Gender::Masculine), hebrew_month(month).unwrap_or_default());
    if let Some(year) = year {
        words.push(' ');
        words.push_str(&hebrew_cardinal(year, Gender::Feminine));
    }
    words
}

/// A number with a decimal part: a half is said as such, the rest digit by digit.
fn decimal(number: &Decimal, gender: Gender) -> String {
    let whole = match spoken_value(&number.whole) {
        Some(value) if number.separated || number.whole.len() < 7 => hebrew_cardinal(value, gender),
        _ => grouped_digits(&number.whole),
    };
    match number.fraction.trim_end_matches('0') {
        "" => whole,
        "5" if number.whole != "0" => format!("{whole} וָחֵצִי"),
        "5" => "חֵצִי".to_owned(),
        _ => format!("{whole} נְקוּדָּה {}", hebrew_digits(&number.fraction)),
    }
}

/// Long numbers that are no amounts (identity numbers, codes), with a breath after every three digits.
fn grouped_digits(digits: &str) -> String {
    if digits.len() <= 4 {
        return hebrew_digits(digits);
    }
    let groups: Vec<String> = phone_groups(digits).iter().map(|group| hebrew_digits(group)).collect();
    groups.join(", ")
}

/// Puts a number before what it counts: finds the noun, its sign, or a word of size behind it.
fn counted(last: &Decimal, context: &Context<'_>, words: impl Fn(Gender) -> String) -> (String, usize) {
    let blanks = context.after.iter().take_while(|c| **c == ' ').count();
    let sign = context.after.get(blanks).copied();
    let value = spoken_value(&last.whole).filter(|_| last.fraction.trim_end_matches('0').is_empty());
    if sign == Some('%') {
        return (with_noun(value, "אָחוּז", &words), blanks + 1);
    }
    if let Some(sign) = sign.filter(|c| is_money(*c)) {
        return (money(sign, last, &words), blanks + 1);
    }
    let Some((next, len)) = context.next_word() else { return (words(default_gender(context)), 0) };
    if is_shekel(&next) {
        return (money('₪', last, &words), len);
    }
    if is_counted_by_name(&context.before) || context.after.first().is_none_or(|c| !matches!(c, ' ' | '-')) {
        return (words(Gender::Feminine), 0);
    }
    if is_size(&next) || matches!(next.as_str(), "מ\"ר" | "ק\"מ" | "ק\"ג" | "ס\"מ" | "חד'") {
        return (words(Gender::Masculine), 0);
    }
    if is_month(&next) {
        return (words(Gender::Masculine), 0);
    }
    if let Some(noun) = find_noun(&next) {
        if value == Some(1) {
            return (hebrew_counted(1, noun), len);
        }
        if value == Some(2) && words(noun.gender) == hebrew_cardinal(2, noun.gender) {
            return (hebrew_before_noun(2, noun.gender), 0);
        }
        return (words(noun.gender), 0);
    }
    let gender =
        if next.ends_with("ים") && next.chars().count() > 3 { Gender::Masculine } else { default_gender(context) };
    (words(gender), 0)
}

/// A day with an article and no noun ("ב-5 לחודש") is masculine, all other counting feminine.
fn default_gender(context: &Context<'_>) -> Gender {
    let month = context.next_word().is_some_and(|(word, _)| matches!(word.as_str(), "בחודש" | "לחודש"));
    if month || (context.prefix && context.before == "תאריך") { Gender::Masculine } else { Gender::Feminine }
}

/// Words whose number is a name, not a count: street, flat, floor, hour, line.
fn is_counted_by_name(before: &str) -> bool {
    const NAMES: [&str; 20] = [
        "רחוב",
        "דירה",
        "קומה",
        "מספר",
        "בית",
        "כניסה",
        "שעה",
        "קו",
        "סעיף",
        "חדר",
        "שלוחה",
        "אזור",
        "גוש",
        "חלקה",
        "כביש",
        "קוד",
        "ערוץ",
        "אפשרות",
        "טלפון",
        "הקש",
    ];
    NAMES
        .iter()
        .any(|name| before == *name || before.strip_prefix(['ב', 'ה', 'ל', 'מ', 'ו']).is_some_and(|rest| rest == *name))
}

fn is_size(word: &str) -> bool {
    matches!(word, "אלף" | "אלפים" | "מיליון" | "מליון" | "מיליארד")
}

fn is_month(word: &str) -> bool {
    let months = (1..=12).filter_map(hebrew_month).map(strip_niqqud);
    let name = word.strip_prefix(['ב', 'ל']).unwrap_or(word);
    months.into_iter().any(|month| month == name) || matches!(word, "בחודש" | "לחודש")
}

fn is_shekel(word: &str) -> bool {
    matches!(word, "ש\"ח" | "שח" | "שקל" | "שקלים")
}

fn signed_money(sign: char, amount: &Decimal, context: &Context<'_>) -> (String, usize) {
    match context.next_word() {
        // "₪2.5 מיליון": the money comes after the word of size.
        Some((next, len)) if is_size(&next) => (
            format!("{} {next} {}", decimal(amount, Gender::Masculine), currency(sign).map_or("", |noun| noun.plural)),
            len,
        ),
        _ => (money(sign, amount, |gender| decimal(amount, gender)), 0),
    }
}

fn currency(sign: char) -> Option<&'static Noun> {
    find_noun(match sign {
        '₪' => "שקל",
        '$' => "דולר",
        '€' => "אירו",
        _ => return None,
    })
}

fn money(sign: char, amount: &Decimal, words: impl Fn(Gender) -> String) -> String {
    let Some(noun) = currency(sign) else { return format!("{} לִירוֹת", words(Gender::Feminine)) };
    let whole = spoken_value(&amount.whole);
    let cents = match amount.fraction.len() {
        0 => Some(0),
        1 => amount.fraction.parse().ok().map(|tenths: u32| tenths * 10),
        2 => amount.fraction.parse().ok(),
        _ => None,
    };
    match (whole, cents) {
        (Some(whole), Some(0)) => {
            let spoken = words(Gender::Masculine);
            let single = spoken == decimal(amount, Gender::Masculine);
            if single { hebrew_counted(whole, noun) } else { format!("{spoken} {}", noun.plural) }
        }
        (Some(whole), Some(cents)) if sign == '₪' => {
            let coins = find_noun("אגורה").map_or_else(String::new, |agora| hebrew_counted(cents, agora));
            format!("{} וְ{coins}", hebrew_counted(whole, noun))
        }
        (Some(whole), Some(cents)) => {
            format!("{} וְ{} סֶנְט", hebrew_counted(whole, noun), hebrew_cardinal(cents, Gender::Masculine))
        }
        _ => format!("{} {}", words(Gender::Masculine), noun.plural),
    }
}

fn with_noun(value: Option<u32>, singular: &str, words: impl Fn(Gender) -> String) -> String {
    let Some(noun) = find_noun(singular) else { return words(Gender::Masculine) };
    match value {
        Some(1) if words(noun.gender) == hebrew_cardinal(1, noun.gender) => hebrew_counted(1, noun),
        Some(2) if words(noun.gender) == hebrew_cardinal(2, noun.gender) => hebrew_counted(2, noun),
        Some(2..=10) => format!("{} {}", words(noun.gender), noun.plural),
        _ => format!("{} {}", words(noun.gender), noun.singular),
    }
}

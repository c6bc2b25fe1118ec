//! Number words, in Hebrew with grammatical gender and points, and in English.
//!
//! Hebrew words come with points, because without them some cannot be told apart (שמונה is read differently for
//! women and men) and because no diacritiser can then misread a digit. [`crate::phonemes::strip_niqqud`] takes the
//! points off.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

mod english;
mod nouns;

pub(crate) use english::english_digits;
pub use english::{english_cardinal, english_ordinal};
pub use nouns::{Noun, find_noun};

/// The largest number that is spoken as one; what is longer is read digit by digit.
pub const MAX_SPOKEN: u32 = 999_999_999;

/// Grammatical gender of a Hebrew number word. Counting without a noun (numbers of flats, phones) is feminine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    /// זָכָר.
    Masculine,
    /// נְקֵבָה.
    Feminine,
}

const FEMININE: [&str; 11] = ["אֶפֶס", "אַחַת", "שְׁתַּיִים", "שָׁלוֹשׁ", "אַרְבַּע", "חָמֵשׁ", "שֵׁשׁ", "שֶׁבַע", "שְׁמוֹנֶה", "תֵּשַׁע", "עֶשֶׂר"];
const MASCULINE: [&str; 11] =
    ["אֶפֶס", "אֶחָד", "שְׁנַיִים", "שְׁלוֹשָׁה", "אַרְבָּעָה", "חֲמִישָּׁה", "שִׁישָּׁה", "שִׁבְעָה", "שְׁמוֹנָה", "תִּשְׁעָה", "עֲשָׂרָה"];
/// The first word of eleven to nineteen, feminine; the second is עֶשְׂרֵה.
const TEENS_FEMININE: [&str; 9] = ["אַחַת", "שְׁתֵּים", "שְׁלוֹשׁ", "אַרְבַּע", "חֲמֵשׁ", "שֵׁשׁ", "שְׁבַע", "שְׁמוֹנֶה", "תְּשַׁע"];
/// The same, masculine; the second is עָשָׂר.
const TEENS_MASCULINE: [&str; 9] = ["אַחַד", "שְׁנֵים", "שְׁלוֹשָׁה", "אַרְבָּעָה", "חֲמִישָּׁה", "שִׁישָּׁה", "שִׁבְעָה", "שְׁמוֹנָה", "תִּשְׁעָה"];
/// Twenty to ninety.
const TENS: [&str; 8] = ["עֶשְׂרִים", "שְׁלוֹשִׁים", "אַרְבָּעִים", "חֲמִישִּׁים", "שִׁישִּׁים", "שִׁבְעִים", "שְׁמוֹנִים", "תִּשְׁעִים"];
/// Three to ten before a noun they belong to, masculine (שְׁלוֹשֶׁת הַיָּמִים, שְׁלוֹשֶׁת אֲלָפִים).
const CONSTRUCT: [&str; 8] = ["שְׁלוֹשֶׁת", "אַרְבַּעַת", "חֲמֵשֶׁת", "שֵׁשֶׁת", "שִׁבְעַת", "שְׁמוֹנַת", "תִּשְׁעַת", "עֲשֶׂרֶת"];
const ORDINALS_MASCULINE: [&str; 10] =
    ["רִאשׁוֹן", "שֵׁנִי", "שְׁלִישִׁי", "רְבִיעִי", "חֲמִישִׁי", "שִׁישִּׁי", "שְׁבִיעִי", "שְׁמִינִי", "תְּשִׁיעִי", "עֲשִׂירִי"];
const ORDINALS_FEMININE: [&str; 10] =
    ["רִאשׁוֹנָה", "שְׁנִיָּיה", "שְׁלִישִׁית", "רְבִיעִית", "חֲמִישִׁית", "שִׁישִּׁית", "שְׁבִיעִית", "שְׁמִינִית", "תְּשִׁיעִית", "עֲשִׂירִית"];
const MONTHS: [&str; 12] =
    ["יָנוּאָר", "פֶבְּרוּאָר", "מֶרְץ", "אַפְּרִיל", "מַאי", "יוּנִי", "יוּלִי", "אוֹגוּסְט", "סֶפְּטֶמְבֶּר", "אוֹקְטוֹבֶּר", "נוֹבֶמְבֶּר", "דֶּצֶמְבֶּר"];

/// Returns the number in Hebrew words. Above [`MAX_SPOKEN`] it is read digit by digit.
pub fn hebrew_cardinal(number: u32, gender: Gender) -> String {
    if number > MAX_SPOKEN {
        return hebrew_digits(&number.to_string());
    }
    if number == 0 {
        return word(&FEMININE, 0).to_owned();
    }
    let millions = number / 1_000_000;
    let thousands = number / 1_000 % 1_000;
    let mut parts: Vec<String> = Vec::new();
    match millions {
        0 => {}
        1 => parts.push("מִילְיוֹן".to_owned()),
        2 => parts.push("שְׁנֵי מִילְיוֹן".to_owned()),
        _ => parts.push(format!("{} מִילְיוֹן", hebrew_cardinal(millions, Gender::Masculine))),
    }
    match thousands {
        0 => {}
        1 => parts.push("אֶלֶף".to_owned()),
        2 => parts.push("אַלְפַּיִים".to_owned()),
        3..=10 => parts.push(format!("{} אֲלָפִים", word(&CONSTRUCT, thousands - 3))),
        _ => parts.push(format!("{} אֶלֶף", hebrew_cardinal(thousands, Gender::Masculine))),
    }
    push_below_thousand(&mut parts, number % 1_000, gender);
    join_with_and(&parts)
}

fn push_below_thousand(parts: &mut Vec<String>, number: u32, gender: Gender) {
    match number / 100 {
        0 => {}
        1 => parts.push("מֵאָה".to_owned()),
        2 => parts.push("מָאתַיִים".to_owned()),
        hundreds => parts.push(format!("{} מֵאוֹת", hundreds_word(hundreds))),
    }
    let rest = number % 100;
    let units = match gender {
        Gender::Masculine => &MASCULINE,
        Gender::Feminine => &FEMININE,
    };
    match rest {
        0 => {}
        1..=10 => parts.push(word(units, rest).to_owned()),
        11..=19 => parts.push(match gender {
            Gender::Masculine => format!("{} עָשָׂר", word(&TEENS_MASCULINE, rest - 11)),
            Gender::Feminine => format!("{} עֶשְׂרֵה", word(&TEENS_FEMININE, rest - 11)),
        }),
        _ => {
            parts.push(word(&TENS, rest / 10 - 2).to_owned());
            if !rest.is_multiple_of(10) {
                parts.push(word(units, rest % 10).to_owned());
            }
        }
    }
}

/// Three hundred to nine hundred shorten their first word (שְׁלוֹשׁ מֵאוֹת, not שָׁלוֹשׁ).
fn hundreds_word(hundreds: u32) -> &'static str {
    match hundreds {
        3 => "שְׁלוֹשׁ",
        5 => "חֲמֵשׁ",
        7 => "שְׁבַע",
        9 => "תְּשַׁע",
        other => word(&FEMININE, other),
    }
}

/// The last part of a number takes "and", and only it.
fn join_with_and(parts: &[String]) -> String {
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push(' ');
            if i + 1 == parts.len() {
                out.push_str("וְ");
            }
        }
        out.push_str(part);
    }
    out
}

/// Returns the number before a noun it counts: 2 is שְׁנֵי or שְׁתֵּי, others as [`hebrew_cardinal`].
pub fn hebrew_before_noun(number: u32, gender: Gender) -> String {
    match (number, gender) {
        (2, Gender::Masculine) => "שְׁנֵי".to_owned(),
        (2, Gender::Feminine) => "שְׁתֵּי".to_owned(),
        _ => hebrew_cardinal(number, gender),
    }
}

/// Returns the number before a definite noun (the three days): שְׁנֵי, שְׁלוֹשֶׁת to עֲשֶׂרֶת, else as [`hebrew_before_noun`].
pub fn hebrew_construct(number: u32, gender: Gender) -> String {
    match (number, gender) {
        (3..=10, Gender::Masculine) => word(&CONSTRUCT, number - 3).to_owned(),
        (3 | 5 | 7 | 9, Gender::Feminine) => hundreds_word(number).to_owned(),
        _ => hebrew_before_noun(number, gender),
    }
}

/// Returns a noun with its number: חֶדֶר אֶחָד, שְׁנֵי חֲדָרִים, חָמֵשׁ דַּקּוֹת.
pub fn hebrew_counted(number: u32, noun: &Noun) -> String {
    if number == 1 {
        let one = word(if noun.gender == Gender::Masculine { &MASCULINE } else { &FEMININE }, 1);
        return format!("{} {one}", noun.singular);
    }
    format!("{} {}", hebrew_before_noun(number, noun.gender), noun.plural)
}

/// Returns first to tenth; above, the cardinal, as Hebrew does.
pub fn hebrew_ordinal(number: u32, gender: Gender) -> String {
    match (number, gender) {
        (1..=10, Gender::Masculine) => word(&ORDINALS_MASCULINE, number - 1).to_owned(),
        (1..=10, Gender::Feminine) => word(&ORDINALS_FEMININE, number - 1).to_owned(),
        _ => hebrew_cardinal(number, gender),
    }
}

/// Returns the name of a month, counted from 1.
pub fn hebrew_month(month: u32) -> Option<&'static str> {
    MONTHS.get(usize::try_from(month.checked_sub(1)?).ok()?).copied()
}

/// Reads digits one by one, feminine, as numbers of telephones are. What is not a digit is passed over.
pub fn hebrew_digits(digits: &str) -> String {
    let words: Vec<&str> = digits.chars().filter_map(|c| c.to_digit(10)).map(|digit| word(&FEMININE, digit)).collect();
    words.join(" ")
}

fn word<const N: usize>(table: &'static [&'static str; N], index: u32) -> &'static str {
    usize::try_from(index).ok().and_then(|index| table.get(index)).copied().unwrap_or_default()
}

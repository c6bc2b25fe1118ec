//! Words, symbols, and addresses of mail and web.

use alloc::string::String;

use units::Language;

use crate::numbers::{english_cardinal, hebrew_digits};
use crate::phonemes::{is_hebrew_letter, is_hebrew_mark};

/// Returns the word `text` starts with, points and inner quotes included; empty where it starts with none.
pub(super) fn word(text: &[char]) -> String {
    let mut word = String::new();
    let mut hebrew = false;
    for (i, &c) in text.iter().enumerate() {
        let next = text.get(i + 1).copied();
        if c.is_alphabetic() && !c.is_numeric() && !is_hebrew_mark(c) {
            let here = is_hebrew_letter(c);
            // A Hebrew prefix on a Latin word stays apart from it.
            if !word.is_empty() && here != hebrew {
                break;
            }
            hebrew = here;
        } else if word.is_empty() || !(is_hebrew_mark(c) || (matches!(c, '\'' | '"') && inner_quote(c, text, i, next)))
        {
            break;
        }
        word.push(c);
    }
    word
}

/// Whether a quote belongs to the word: between letters, or the geresh at the end of רח' and of ג'.
fn inner_quote(quote: char, text: &[char], i: usize, next: Option<char>) -> bool {
    let letter_follows = next.is_some_and(|next| next.is_alphabetic() && !next.is_numeric());
    let hebrew_before = text
        .get(..i)
        .unwrap_or_default()
        .iter()
        .rev()
        .find(|c| !is_hebrew_mark(**c))
        .is_some_and(|c| is_hebrew_letter(*c));
    let quoted = text.get(..i).unwrap_or_default().first() == Some(&quote);
    match quote {
        '"' => letter_follows && hebrew_before,
        _ => letter_follows || (hebrew_before && !quoted),
    }
}

/// Returns how a symbol is said; `None` where it is silent.
pub(super) const fn name(symbol: char, language: Language) -> Option<&'static str> {
    Some(match (symbol, language) {
        ('&', Language::Hebrew) => "אֶנְד",
        ('&', Language::English) => "and",
        ('+', Language::Hebrew) => "פְּלוּס",
        ('+', Language::English) => "plus",
        ('@', Language::Hebrew) => "שְׁטְרוּדֶל",
        ('@', Language::English) => "at",
        ('%', Language::Hebrew) => "אָחוּז",
        ('%', Language::English) => "percent",
        ('=', Language::Hebrew) => "שָׁוֶוה",
        ('=', Language::English) => "equals",
        ('#', Language::Hebrew) => "סוּלָמִית",
        ('#', Language::English) => "number",
        ('₪', Language::Hebrew) => "שְׁקָלִים",
        ('₪', Language::English) => "shekels",
        ('$', Language::Hebrew) => "דּוֹלָר",
        ('$', Language::English) => "dollars",
        ('€', Language::Hebrew) => "אֵירוֹ",
        ('€', Language::English) => "euros",
        ('°', Language::Hebrew) => "מַעֲלוֹת",
        ('°', Language::English) => "degrees",
        ('/', Language::English) => "slash",
        ('½', Language::Hebrew) => "חֵצִי",
        ('½', Language::English) => "half",
        ('¼', Language::Hebrew) => "רֶבַע",
        ('¼', Language::English) => "a quarter",
        _ => return None,
    })
}

/// Returns how an address of mail or web is said, or `None` for anything else.
pub(super) fn address(token: &str, language: Language) -> Option<String> {
    let latin = token.is_ascii() && token.chars().any(|c| c.is_ascii_alphabetic());
    let mail = token.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    let lower = token.to_ascii_lowercase();
    let stripped = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let web = stripped.is_some()
        || lower.starts_with("www.")
        || [".com", ".co.il", ".org", ".net", ".org.il", ".gov.il"]
            .iter()
            .any(|end| lower.ends_with(end) && lower.len() > end.len());
    if !latin || !(mail || web) {
        return None;
    }
    let plain = stripped.unwrap_or(&lower);
    let mut out = String::new();
    for c in plain.strip_prefix("www.").unwrap_or(plain).trim_end_matches('/').chars() {
        if c.is_ascii_alphabetic() {
            out.push(c);
            continue;
        }
        out.push(' ');
        out.push_str(&sign(c, language));
        out.push(' ');
    }
    Some(out)
}

fn sign(c: char, language: Language) -> String {
    if let Some(digit) = c.to_digit(10) {
        return match language {
            Language::Hebrew => hebrew_digits(c.encode_utf8(&mut [0; 4])),
            Language::English => english_cardinal(digit),
        };
    }
    String::from(match (c, language) {
        ('.', Language::Hebrew) => "נְקוּדָּה",
        ('.', Language::English) => "dot",
        ('@', Language::Hebrew) => "שְׁטְרוּדֶל",
        ('@', Language::English) => "at",
        ('-', Language::Hebrew) => "מַקָּף",
        ('-', Language::English) => "dash",
        ('_', Language::Hebrew) => "קַו תַּחְתִּי",
        ('_', Language::English) => "underscore",
        ('/', Language::Hebrew) => "סְלֵשׁ",
        ('/', Language::English) => "slash",
        _ => "",
    })
}

//! Abbreviations that are said in full.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;

use units::Language;

use super::hebrew::pointed_prefix;
use super::text_of;
use crate::numbers::{Gender, hebrew_ordinal};
use crate::phonemes::strip_niqqud;

/// Returns the full form of `token`, and how many characters of the text it takes (a dot behind it among them).
pub(super) fn expand(token: &str, after: &[char], language: Language) -> Option<(String, usize)> {
    let len = token.chars().count();
    match language {
        Language::Hebrew => hebrew(token).map(|spoken| (spoken, len)),
        Language::English => english(token, after).map(|(spoken, dot)| (spoken.to_owned(), len + dot)),
    }
}

fn hebrew(token: &str) -> Option<String> {
    let plain = strip_niqqud(token);
    if !plain.contains(['"', '\'']) {
        return None;
    }
    let letters: alloc::vec::Vec<char> = plain.chars().collect();
    for skip in 0..=2_usize {
        let (prefix, rest) = letters.split_at_checked(skip)?;
        if !prefix.iter().all(|c| matches!(c, 'ו' | 'ה' | 'ב' | 'ל' | 'מ' | 'ש' | 'כ')) {
            return None;
        }
        let rest = text_of(rest);
        if let Some((_, spoken)) = HEBREW.iter().find(|(written, _)| *written == rest) {
            return Some(format!("{}{spoken}", pointed_prefix(&text_of(prefix))));
        }
    }
    None
}

/// Abbreviations of offices, addresses and measures; geresh as `'`, gershayim as `"`.
const HEBREW: [(&str, &str); 60] = [
    ("ד\"ר", "דּוֹקְטוֹר"),
    ("עו\"ד", "עוֹרֵךְ דִּין"),
    ("עוה\"ד", "עוֹרֵךְ הַדִּין"),
    ("רו\"ח", "רוֹאֵה חֶשְׁבּוֹן"),
    ("בע\"מ", "בְּעֵירָבוֹן מוּגְבָּל"),
    ("ש\"ח", "שְׁקָלִים"),
    ("ת\"א", "תֵּל אָבִיב"),
    ("ב\"ש", "בְּאֵר שֶׁבַע"),
    ("פ\"ת", "פֶּתַח תִּקְוָה"),
    ("ראשל\"צ", "רִאשׁוֹן לְצִיּוֹן"),
    ("רח'", "רְחוֹב"),
    ("שד'", "שְׂדֵרוֹת"),
    ("שכ'", "שְׁכוּנַת"),
    ("מס'", "מִסְפָּר"),
    ("טל'", "טֵלֵפוֹן"),
    ("עמ'", "עַמּוּד"),
    ("דק'", "דַּקּוֹת"),
    ("שנ'", "שְׁנִיּוֹת"),
    ("חד'", "חֲדָרִים"),
    ("קומ'", "קוֹמוֹת"),
    ("גב'", "גְּבֶרֶת"),
    ("פרופ'", "פְּרוֹפֶסוֹר"),
    ("חב'", "חֶבְרַת"),
    ("וכו'", "וְכוּלֵּי"),
    ("וכד'", "וְכַדּוֹמֶה"),
    ("לדוג'", "לְדוּגְמָה"),
    ("אח'", "אֲחֵרִים"),
    ("מ\"ר", "מֶטֶר רָבוּעַ"),
    ("ק\"מ", "קִילוֹמֶטֶר"),
    ("קמ\"ש", "קִילוֹמֶטֶר לְשָׁעָה"),
    ("ק\"ג", "קִילוֹ"),
    ("ס\"מ", "סֶנְטִימֶטֶר"),
    ("מ\"מ", "מִילִימֶטֶר"),
    ("אחה\"צ", "אַחֲרֵי הַצָּהֳרַיִים"),
    ("לפנה\"צ", "לִפְנֵי הַצָּהֳרַיִים"),
    ("אחה''צ", "אַחֲרֵי הַצָּהֳרַיִים"),
    ("בד\"כ", "בְּדֶרֶךְ כְּלָל"),
    ("ע\"י", "עַל יְדֵי"),
    ("ע\"פ", "עַל פִּי"),
    ("עפ\"י", "עַל פִּי"),
    ("ע\"ש", "עַל שֵׁם"),
    ("ב\"כ", "בָּא כּוֹחַ"),
    ("יו\"ר", "יוֹשֵׁב רֹאשׁ"),
    ("מנכ\"ל", "מַנְכָּל"),
    ("מנכ\"לית", "מַנְכָּלִית"),
    ("סמנכ\"ל", "סַמַנְכָּל"),
    ("חו\"ל", "חוּל"),
    ("דו\"ח", "דּוֹחַ"),
    ("צה\"ל", "צַהַל"),
    ("בי\"ס", "בֵּית סֵפֶר"),
    ("ביה\"ס", "בֵּית הַסֵּפֶר"),
    ("בי\"ח", "בֵּית חוֹלִים"),
    ("ביה\"ח", "בֵּית הַחוֹלִים"),
    ("נדל\"ן", "נַדְלָן"),
    ("מע\"מ", "מָעָם"),
    ("ח\"פ", "חֵת פֵּא"),
    ("ת\"ז", "תְּעוּדַת זֶהוּת"),
    ("ת\"ד", "תָּא דּוֹאַר"),
    ("ארה\"ב", "אַרְצוֹת הַבְּרִית"),
    ("דוא\"ל", "דּוֹאַל"),
];

/// Returns the weekday of a letter with geresh behind "day", and of a range of them (א'-ה'); with the characters
/// behind the token that belong to it.
pub(super) fn days(token: &str, after: &[char], before: &str) -> Option<(String, usize)> {
    let day = weekday(token)?;
    if let Some('-') = after.first() {
        let second = super::symbols::word(after.get(1..)?);
        if let Some(last) = weekday(&second) {
            return Some((format!("{day} עַד {last}"), 1 + second.chars().count()));
        }
    }
    let said = before.trim_start_matches(['ב', 'ל', 'ה', 'ו', 'מ']);
    matches!(said, "יום" | "ימי" | "ימים" | "עד").then_some((day, 0))
}

fn weekday(token: &str) -> Option<String> {
    let mut letters = token.chars();
    let (letter, Some('\''), None) = (letters.next()?, letters.next(), letters.next()) else { return None };
    let number = match letter {
        'א' => 1,
        'ב' => 2,
        'ג' => 3,
        'ד' => 4,
        'ה' => 5,
        'ו' => 6,
        _ => return None,
    };
    Some(hebrew_ordinal(number, Gender::Masculine))
}

fn english(token: &str, after: &[char]) -> Option<(&'static str, usize)> {
    // At the end of the text the dot ends the sentence too.
    let dot = usize::from(after.first() == Some(&'.') && after.get(1).is_some());
    let dotted = after.first() == Some(&'.');
    let spoken = match token {
        "Dr" => "doctor",
        "Mr" => "mister",
        "Mrs" => "missus",
        "Ms" => "miz",
        "Prof" => "professor",
        "Ltd" => "limited",
        "Inc" => "incorporated",
        "St" if dotted => "street",
        "Ave" if dotted => "avenue",
        "Rd" if dotted => "road",
        "No" if dotted && after.iter().skip(1).find(|c| **c != ' ').is_some_and(char::is_ascii_digit) => "number",
        "apt" | "Apt" if dotted => "apartment",
        "approx" => "approximately",
        "etc" => "et cetera",
        "vs" => "versus",
        "min" if dotted => "minutes",
        _ => return None,
    };
    Some((spoken, dot))
}

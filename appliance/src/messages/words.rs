//! What the box writes where on the telephone it would say something else, and how what is spoken is made readable.

use receptionist::{Form, Phrases, Text};
use units::Language;

/// What the language model is told beside the rules for calls.
pub(super) const IN_WRITING: &str = "This conversation is in writing, over text messages, not on the telephone: nothing is \
spoken aloud. Write numbers in digits. Answer in at most three short sentences. To be put through means that a person of the \
office answers here.";

/// Returns the sentence in a language.
pub(super) const fn pick(language: Language, he: &'static str, en: &'static str) -> &'static str {
    match language {
        Language::Hebrew => he,
        Language::English => en,
    }
}

/// Returns a form whose phrases are for reading, where the office has not put its own.
pub(super) fn in_writing(mut form: Form) -> Form {
    let spoken = Phrases::default();
    let written = [
        (
            &mut form.phrases.caller_number,
            &spoken.caller_number,
            "לחזור אליכם למספר שממנו כתבתם, שמסתיים בספרות {value}?",
            "Shall we call back the number you are writing from, ending in {value}?",
        ),
        (&mut form.phrases.key_in, &spoken.key_in, "אפשר לכתוב רק את המספר.", "Just the number, please."),
        (
            &mut form.phrases.voicemail,
            &spoken.voicemail,
            "לא הצלחתי להבין, אבל אפשר לכתוב כאן הודעה במילים שלכם, ונחזור אליכם.",
            "I am having trouble understanding, but please write your message here in your own words and we will get back to you.",
        ),
        (
            &mut form.phrases.message,
            &spoken.message,
            "אפשר לכתוב כאן את ההודעה, ונחזור אליכם.",
            "Please write your message here and we will get back to you.",
        ),
        (
            &mut form.phrases.transfer,
            &spoken.transfer,
            "אעביר את זה לאדם מהמשרד, שיענה לכם כאן.",
            "I will pass this on, and a person of the office will answer you here.",
        ),
        (
            &mut form.phrases.goodbye,
            &spoken.goodbye,
            "תודה שפניתם אל {office}. הכול נרשם, ונחזור אליכם בהקדם.",
            "Thank you for writing to {office}. Everything is noted, and we will get back to you soon.",
        ),
        (
            &mut form.phrases.goodbye_early,
            &spoken.goodbye_early,
            "תודה שכתבתם. להתראות!",
            "Thank you for writing. Goodbye!",
        ),
    ];
    for (phrase, default, he, en) in written {
        if phrase == default {
            *phrase = Text { he: he.to_owned(), en: en.to_owned() };
        }
    }
    form
}

/// Returns the first sentence of a dialogue.
pub(super) fn hello(form: &Form, language: Language) -> String {
    let text = Text { he: "שלום, כאן {office}.".to_owned(), en: "Hello, this is {office}.".to_owned() };
    form.with_office(&text, language)
}

/// Names of digits as they are said one by one, in both languages.
const DIGITS: [[&str; 10]; 2] = [
    ["אפס", "אחת", "שתיים", "שלוש", "ארבע", "חמש", "שש", "שבע", "שמונה", "תשע"],
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
];
/// Digits said in a row that are a number: fewer may be a quantity.
const SHORTEST_NUMBER: usize = 3;

/// Returns a text for the eye: without vowel points, and with numbers in digits that were to be said digit by digit.
pub(super) fn readable(text: &str) -> String {
    let is_point = |c: char| {
        matches!(c, '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}' | '\u{5C2}' | '\u{5C4}' | '\u{5C5}' | '\u{5C7}')
    };
    let bare: String = text.chars().filter(|c| !is_point(*c)).collect();
    let mut out: Vec<String> = Vec::new();
    // The words of a number that is being read, and its digits.
    let (mut said, mut digits): (Vec<&str>, String) = (Vec::new(), String::new());
    for word in bare.split(' ') {
        let name = word.trim_end_matches([',', '.', '?']);
        let digit = DIGITS.iter().find_map(|names| names.iter().position(|known| *known == name));
        if let Some(digit) = digit {
            said.push(word);
            digits.push_str(&digit.to_string());
        }
        // What stands behind a name other than a comma ends the number.
        let ends = digit.is_none() || word.ends_with(['.', '?']);
        if ends && !said.is_empty() {
            out.push(number(&said, &digits));
            said.clear();
            digits.clear();
        }
        if digit.is_none() {
            out.push(word.to_owned());
        }
    }
    if !said.is_empty() {
        out.push(number(&said, &digits));
    }
    out.join(" ")
}

/// Returns a number in digits, with what stood behind it; in words if it is a short one.
fn number(said: &[&str], digits: &str) -> String {
    if said.len() < SHORTEST_NUMBER {
        return said.join(" ");
    }
    let behind: String =
        said.last().into_iter().flat_map(|word| word.chars()).filter(|c| [',', '.', '?'].contains(c)).collect();
    format!("{digits}{behind}")
}

/// Returns the language a text is written in: by its letters, or `otherwise` when it has none.
pub(super) fn language_of(text: &str, otherwise: Language) -> Language {
    let hebrew = text.chars().filter(|c| matches!(c, 'א'..='ת')).count();
    let latin = text.chars().filter(char::is_ascii_alphabetic).count();
    match (hebrew, latin) {
        (0, 0) => otherwise,
        (hebrew, latin) if hebrew.saturating_mul(2) >= latin => Language::Hebrew,
        _ => Language::English,
    }
}

#[cfg(test)]
mod tests {
    use units::Language;

    use super::{language_of, readable};

    #[test]
    fn digits_that_would_be_said_one_by_one_stand_together() {
        for (spoken, written) in [
            ("רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון?", "רשמתי 0541234567. נכון?"),
            ("I have zero five four, one two three so far.", "I have 054123 so far."),
            ("שמסתיים בַּסְּפָרוֹת ארבע חמש שש שבע?", "שמסתיים בספרות 4567?"),
            ("two rooms, three or four floors", "two rooms, three or four floors"),
            ("one two", "one two"),
            ("", ""),
        ] {
            assert_eq!(readable(spoken), written);
        }
    }

    #[test]
    fn a_few_hebrew_letters_among_latin_ones_are_hebrew() {
        assert_eq!(language_of("אני רוצה iPhone", Language::English), Language::Hebrew);
        assert_eq!(language_of("hello שלום to everybody here", Language::Hebrew), Language::English);
        assert_eq!(language_of("054 123", Language::English), Language::English);
    }
}

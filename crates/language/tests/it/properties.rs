//! What holds for any text.

use language::completeness::completeness;
use language::digits::digits_in;
use language::intent::{asks_for_human, asks_to_repeat, choice, is_backchannel, is_goodbye, is_hesitation, yes_no};
use language::normalize::normalize;
use language::numbers::{Gender, english_cardinal, hebrew_cardinal};
use language::phone::{phone_groups, phone_progress};
use language::phonemes::{espeak_input, mnemonics, phonemes};
use language::sentences::{SentenceCutter, sentences};
use language::{compare, script};
use proptest::prelude::*;
use units::Language;

const MNEMONIC_CHARACTERS: &str = "abdefghijklmnopstuvwzZSXQ?'_: ";

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_digit_is_left_and_nothing_panics(text in texts()) {
        for language in Language::ALL {
            let spoken = normalize(&text, language);
            prop_assert!(!spoken.chars().any(char::is_numeric), "{spoken:?}");
            prop_assert!(!spoken.contains("  ") && !spoken.starts_with(' ') && !spoken.ends_with(' '));
            let _ = (completeness(&text, language), digits_in(&text, language), phone_progress(&text, language));
        }
        let _ = (yes_no(&text), is_goodbye(&text), is_backchannel(&text), is_hesitation(&text), asks_for_human(&text));
        let _ = (asks_to_repeat(&text), choice(&text, 3), script::guess_language(&text), compare::comparable(&text));
        prop_assert_eq!(compare::word_error_rate(&text, &text).total(), 0);
    }

    #[test]
    fn phonemes_are_made_of_their_own_characters_only(text in texts()) {
        let tokens = phonemes(&text);
        let sounds = mnemonics(&tokens);
        prop_assert!(sounds.chars().all(|c| MNEMONIC_CHARACTERS.contains(c)), "{sounds:?}");
        let input = espeak_input(&tokens);
        prop_assert!(input.chars().all(|c| MNEMONIC_CHARACTERS.contains(c) || "[],.?!".contains(c)), "{input:?}");
        prop_assert_eq!(input.matches("[[").count(), input.matches("]]").count());
    }

    #[test]
    fn every_hebrew_word_is_heard(word in "[א-ת]{1,9}") {
        prop_assert!(mnemonics(&phonemes(&word)).chars().any(|c| "aeiou".contains(c)), "{word}");
    }

    #[test]
    fn sentences_joined_are_the_text_however_it_came(text in texts(), cuts in prop::collection::vec(0_usize..400, 0..8)) {
        let whole = sentences(&text);
        prop_assert_eq!(&whole.concat(), &text);
        let mut cutter = SentenceCutter::new();
        let mut streamed = Vec::new();
        let chars: Vec<char> = text.chars().collect();
        let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(chars.len())).collect();
        ends.push(chars.len());
        ends.sort_unstable();
        let mut start = 0;
        for end in ends {
            cutter.push(&chars[start..end].iter().collect::<String>());
            start = end;
            while let Some(sentence) = cutter.poll() {
                streamed.push(sentence);
            }
        }
        while let Some(sentence) = cutter.flush() {
            streamed.push(sentence);
        }
        prop_assert_eq!(streamed, whole);
    }

    #[test]
    fn telephone_numbers_survive_being_spoken(number in phone_numbers(), separator in prop::sample::select(vec!["", "-", " "])) {
        let written = phone_groups(&number).join(separator);
        let hebrew = normalize(&format!("המספר הוא {written} תודה"), Language::Hebrew);
        let heard = digits_in(&hebrew, Language::Hebrew).digits.into_revealed();
        prop_assert_eq!(&heard, &number, "{}", hebrew);
        let english = normalize(&format!("the number is {written} thanks"), Language::English);
        prop_assert_eq!(digits_in(&english, Language::English).digits.into_revealed(), number, "{}", english);
    }

    #[test]
    fn numbers_survive_being_spoken(number in 0_u32..1_000_000) {
        for gender in [Gender::Feminine, Gender::Masculine] {
            let words = hebrew_cardinal(number, gender);
            prop_assert_eq!(digits_in(&words, Language::Hebrew).digits.into_revealed(), number.to_string(), "{}", words);
        }
        let words = english_cardinal(number);
        prop_assert_eq!(digits_in(&words, Language::English).digits.into_revealed(), number.to_string(), "{}", words);
    }
}

/// Any text, and text like what an office writes: digits, signs, Hebrew with and without points.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "שלום",
        "שָׁלוֹם",
        "ב-",
        "ל",
        "ה",
        " ",
        "  ",
        "0",
        "5",
        "12",
        "054",
        "2026",
        "10:30",
        "21/11",
        "3.5",
        "1,250",
        "-",
        ".",
        ",",
        "? ",
        "! ",
        ". ",
        "\n",
        "%",
        "₪",
        "$",
        "*",
        "+",
        "(",
        ")",
        "\"",
        "'",
        "״",
        "׳",
        "ד\"ר",
        "רח'",
        "א'",
        "a@b.co",
        "www.x1.com",
        "Dr",
        "pm",
        "3rd",
        "½",
        "٣",
        "５",
        "²",
        "חדרים",
        "ש\"ח",
        "מיליון",
        "ו",
        "וּ",
        "י",
        "אחת",
        "\u{5b0}",
        "\u{200f}",
        "]]",
        "[[",
        "24/7",
        "/",
        ":",
        "־",
    ]);
    prop_oneof![any::<String>(), prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())]
}

/// Numbers of the Israeli plan.
fn phone_numbers() -> impl Strategy<Value = String> {
    prop_oneof!["05[0-9]{8}", "0[23489][2-9][0-9]{6}", "07[2-9][0-9]{7}", r"\*[2-9][0-9]{3}", r"\+9725[0-9]{8}",]
}

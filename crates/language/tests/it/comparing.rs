//! Word errors and scripts.

use language::compare::{WordErrors, comparable, word_error_rate};
use language::script::{LetterCounts, guess_language, is_right_to_left};
use units::Language;

#[test]
fn points_quotes_and_maqaf_do_not_count_as_errors() {
    for (reference, hypothesis) in [
        ("שָׁלוֹם", "שלום"),
        ("ארה״ב", "ארהב"),
        ("ארה\"ב", "ארה״ב"),
        ("תל־אביב", "תל אביב"),
        ("ג׳ירפה", "גירפה"),
        ("שלום, מה שלומך?", "שלום מה שלומך"),
        ("054-123", "0 5 4 1 2 3"),
        ("Don't stop.", "dont stop"),
    ] {
        assert_eq!(word_error_rate(reference, hypothesis).total(), 0, "{reference} / {hypothesis}");
    }
}

#[test]
fn final_letters_are_not_the_same_as_their_plain_forms() {
    assert_eq!(word_error_rate("שלום", "שלומ").substitutions, 1);
}

#[test]
fn each_kind_of_error_is_counted_as_such() {
    let errors = word_error_rate("אני רוצה לבטל את התור", "אני לבטל את הטור שלי");
    assert_eq!(errors, WordErrors { substitutions: 1, insertions: 1, deletions: 1, reference_words: 5 });
    assert!((errors.rate() - 0.6).abs() < 1e-9);
    assert_eq!(word_error_rate("", "").rate().to_bits(), 0.0_f64.to_bits());
    assert_eq!(word_error_rate("", "שתי מילים").insertions, 2);
    assert_eq!(word_error_rate("שתי מילים", "").deletions, 2);
}

#[test]
fn errors_add_up_over_texts() {
    let sum = word_error_rate("אחת שתיים", "אחת").add(word_error_rate("a b c d", "a b c d"));
    assert_eq!((sum.total(), sum.reference_words), (1, 6));
}

#[test]
fn a_digit_is_a_word() {
    assert_eq!(comparable("ב-054"), ["ב", "0", "5", "4"]);
}

#[test]
fn the_script_tells_the_language() {
    assert_eq!(guess_language("שלום Google"), Some(Language::English));
    assert_eq!(guess_language("שלום לכולם Google"), Some(Language::Hebrew));
    assert_eq!(guess_language("hello"), Some(Language::English));
    assert_eq!(guess_language("054 - 123"), None);
    assert!(is_right_to_left("054 שלום hello") && !is_right_to_left("hello שלום") && !is_right_to_left("123"));
    assert_eq!(LetterCounts::of("אב ab").hebrew_percent(), Some(50));
    assert_eq!(LetterCounts::of("12").hebrew_percent(), None);
}

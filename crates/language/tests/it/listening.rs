//! From what was heard to what was meant.

use language::completeness::{Completeness, DanglingReason, completeness};
use language::digits::digits_in;
use language::intent::{
    YesNo, asks_for_human, asks_to_repeat, choice, is_backchannel, is_goodbye, is_hesitation, yes_no,
};
use language::phone::{PhoneProgress, phone_groups, phone_progress};
use units::Language::{self, English, Hebrew};

fn heard(text: &str, language: Language) -> String {
    digits_in(text, language).digits.into_revealed()
}

#[test]
fn digits_are_found_in_words_of_both_languages() {
    for (text, language, digits) in [
        ("אפס חמש ארבע", Hebrew, "054"),
        ("אפס חמישים וארבע", Hebrew, "054"),
        ("אפס חמישים ארבע, אחת שתיים שלוש", Hebrew, "054123"),
        ("המספר שלי הוא 054 אחת שתיים", Hebrew, "05412"),
        ("עשרים ושלוש ארבעים וחמש", Hebrew, "2345"),
        ("שתים עשרה חמש עשרה", Hebrew, "1215"),
        ("אחת שמונה מאות", Hebrew, "1800"),
        ("אלף שמונה מאות", Hebrew, "1800"),
        ("אלף שבע מאות חמישים וחמש", Hebrew, "1755"),
        ("מאתיים שלושים", Hebrew, "230"),
        ("מאה עשרים ושלוש", Hebrew, "123"),
        ("פעמיים חמש שלוש", Hebrew, "553"),
        ("שלוש פעמים תשע", Hebrew, "999"),
        ("כוכבית שתיים חמש שמונה אפס", Hebrew, "*2580"),
        ("רגע אחד אפס חמש", Hebrew, "05"),
        ("054-123-4567", Hebrew, "0541234567"),
        ("054אחת שתיים", Hebrew, "05412"),
        ("zero five ארבע", Hebrew, "054"),
        ("oh five four", English, "054"),
        ("double five one triple two", English, "551222"),
        ("two one two, five fifty five", English, "212555"),
        ("twenty three forty five", English, "2345"),
        ("eight hundred", English, "800"),
        ("one hundred and five", English, "105"),
        ("two thousand twenty six", English, "2026"),
        ("nine to five for three", English, "92543"),
        ("one moment please", English, ""),
        ("plus one four one five", English, "+1415"),
        ("fifteen three", English, "153"),
    ] {
        assert_eq!(heard(text, language), digits, "{text}");
    }
}

#[test]
fn a_run_tells_what_stood_around_the_digits() {
    let run = digits_in("המספר הוא אפס חמש לא סליחה אפס שלוש", Hebrew);
    assert_eq!(run.last_run.reveal(), "03");
    assert_eq!((run.other_words, run.ends_in_digit, run.len()), (4, true, 4));
    assert!(digits_in("שלום", Hebrew).is_empty());
    assert!(!format!("{run:?}").contains("03"), "digits show in a log");
}

#[test]
fn telephone_numbers_have_the_length_of_their_kind() {
    for (digits, language, progress) in [
        ("0541234567", Hebrew, PhoneProgress::Complete),
        ("054123", Hebrew, PhoneProgress::Partial { missing: 4 }),
        ("036123456", Hebrew, PhoneProgress::Complete),
        ("03612", Hebrew, PhoneProgress::Partial { missing: 4 }),
        ("0771234567", Hebrew, PhoneProgress::Complete),
        ("1800123456", Hebrew, PhoneProgress::Complete),
        ("1700123", Hebrew, PhoneProgress::Partial { missing: 3 }),
        ("*2580", Hebrew, PhoneProgress::Complete),
        ("*25", Hebrew, PhoneProgress::Partial { missing: 2 }),
        ("+972541234567", Hebrew, PhoneProgress::Complete),
        ("05412345678", Hebrew, PhoneProgress::TooLong),
        ("2125551234", English, PhoneProgress::Complete),
        ("12125551234", English, PhoneProgress::Complete),
        ("", Hebrew, PhoneProgress::NoNumber),
        ("7", Hebrew, PhoneProgress::NoNumber),
    ] {
        assert_eq!(phone_progress(digits, language), progress, "{digits}");
    }
    assert_eq!(phone_groups("0541234567"), ["054", "123", "4567"]);
    assert_eq!(phone_groups("*2580"), ["*2580"]);
}

#[test]
fn goodbyes_are_heard_and_mentions_of_them_are_not() {
    for text in [
        "ביי",
        "להתראות",
        "תודה רבה, ביי",
        "יום טוב",
        "תודה ויום טוב",
        "לילה טוב",
        "ביי ביי!",
        "טוב תודה להתראות",
        "אני מחכה לשיחה שלכם, ביי",
        "Bye.",
        "Goodbye!",
        "Thanks, have a nice day",
        "okay thank you bye",
        "I'll wait for your call. Bye bye",
    ] {
        assert!(is_goodbye(text), "{text}");
    }
    for text in [
        "תגיד לו להתראות",
        "",
        "תודה",
        "תודה רבה",
        "יום טוב לקבוע פגישה זה יום שני",
        "ביי הוא שם החברה שלי",
        "tell him goodbye",
        "thanks",
        "bye the way I wanted to ask",
    ] {
        assert!(!is_goodbye(text), "{text}");
    }
}

#[test]
fn yes_and_no_are_told_apart() {
    for text in [
        "כן",
        "בטח",
        "נכון",
        "אוקיי",
        "בסדר גמור",
        "כן, זה נכון",
        "אה כן",
        "אני חושב שכן",
        "אין בעיה",
        "yes",
        "Yeah, that's right.",
        "correct",
        "yes please",
    ] {
        assert_eq!(yes_no(text), Some(YesNo::Yes), "{text}");
    }
    for text in [
        "לא",
        "ממש לא",
        "לא נכון",
        "לא, זה לא נכון",
        "לא תודה",
        "לא, המספר הוא אחר",
        "no",
        "Nope.",
        "no thank you",
        "That's not right",
        "of course not",
    ] {
        assert_eq!(yes_no(text), Some(YesNo::No), "{text}");
    }
    for text in ["", "לא יודע", "אולי", "כן ולא", "המספר שלי", "not sure", "כן לא", "maybe", "בוקר טוב"]
    {
        assert_eq!(yes_no(text), None, "{text}");
    }
}

#[test]
fn small_words_are_sorted_by_what_they_do() {
    for text in ["אהה", "כן", "אוקיי", "mhm", "uh-huh", "Okay."] {
        assert!(is_backchannel(text), "{text}");
    }
    assert!(!is_backchannel("כן אני רוצה") && !is_backchannel("") && !is_backchannel("לא"));
    for text in ["אה", "רגע", "אז...", "שנייה", "רגע אחד", "um", "hold on", "אממ רגע"] {
        assert!(is_hesitation(text), "{text}");
    }
    assert!(!is_hesitation("רגע אני רוצה") && !is_hesitation(""));
    for text in [
        "מה?",
        "לא שמעתי",
        "סליחה, לא הבנתי",
        "אפשר לחזור על זה בבקשה",
        "what?",
        "Can you repeat that please",
        "pardon",
    ] {
        assert!(asks_to_repeat(text), "{text}");
    }
    assert!(!asks_to_repeat("מה המחיר") && !asks_to_repeat("what is the price") && !asks_to_repeat(""));
    for text in [
        "אני רוצה לדבר עם נציג",
        "נציג בבקשה",
        "נציג",
        "אפשר לדבר עם בן אדם",
        "can I talk to a real person",
        "operator",
    ] {
        assert!(asks_for_human(text), "{text}");
    }
    assert!(!asks_for_human("אני נציג של חברת החשמל שלכם") && !asks_for_human("שלום"));
}

#[test]
fn choices_are_named_by_their_place() {
    for (text, count, place) in [
        ("האפשרות השנייה", 3, Some(2)),
        ("שתיים", 3, Some(2)),
        ("two", 3, Some(2)),
        ("the second one", 3, Some(2)),
        ("האחרונה", 4, Some(4)),
        ("הראשון בבקשה", 2, Some(1)),
        ("ארבע", 3, None),
        ("אחת או שתיים", 3, None),
        ("רגע אחד", 3, None),
        ("לא יודע", 3, None),
        ("האחרון", 0, None),
    ] {
        assert_eq!(choice(text, count), place, "{text}");
    }
}

#[test]
fn unfinished_turns_are_recognised() {
    use Completeness::{Dangling, Finished, HalfNumber, Unclear};
    use DanglingReason::{Conjunction, Hesitation, Phrase, Preposition};
    for (text, language, expected) in [
        ("המספר שלי הוא", Hebrew, Dangling(Phrase)),
        ("קוראים לי", Hebrew, Dangling(Phrase)),
        ("שלום, אני רוצה", Hebrew, Dangling(Phrase)),
        ("my number is", English, Dangling(Phrase)),
        ("אני רוצה לקבוע פגישה אבל", Hebrew, Dangling(Conjunction)),
        ("I would like to come and", English, Dangling(Conjunction)),
        ("אני רוצה לדבר עם", Hebrew, Dangling(Preposition)),
        ("I want to talk to", English, Dangling(Preposition)),
        ("אני רוצה לקבוע פגישה אה", Hebrew, Dangling(Hesitation)),
        ("רגע", Hebrew, Dangling(Hesitation)),
        ("hold on", English, Dangling(Hesitation)),
        ("המספר שלי הוא אפס חמש ארבע", Hebrew, HalfNumber { missing: Some(7) }),
        ("054 123", Hebrew, HalfNumber { missing: Some(4) }),
        ("אפס שלוש שש אחת", Hebrew, HalfNumber { missing: Some(5) }),
        ("my number is two one two", English, HalfNumber { missing: Some(7) }),
        ("המספר שלי הוא ארבע", Hebrew, HalfNumber { missing: None }),
        ("אפס חמש ארבע אחת שתיים שלוש ארבע חמש שש שבע", Hebrew, Finished),
        ("03-6123456", Hebrew, Finished),
        ("כוכבית שתיים חמש שמונה אפס", Hebrew, Finished),
        ("כן", Hebrew, Finished),
        ("לא, תודה", Hebrew, Finished),
        ("ביי", Hebrew, Finished),
        ("מה שעות הפתיחה?", Hebrew, Finished),
        ("אני רוצה לקבוע תור", Hebrew, Finished),
        ("I want to book a meeting.", English, Finished),
        ("דני כהן", Hebrew, Unclear),
        ("", Hebrew, Unclear),
        ("שלוש", Hebrew, Unclear),
    ] {
        assert_eq!(completeness(text, language), expected, "{text}");
    }
}

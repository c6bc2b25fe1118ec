//! Numbers, phone numbers, yes and no.

use units::Language;

use crate::hearing;
use crate::number::{PhoneNumber, digit_runs, phone_number, quantities, spoken};

#[test]
fn digits_are_heard_as_people_say_them() {
    for (text, expected) in [
        ("0541234567", "0541234567"),
        ("054-123-4567", "0541234567"),
        ("אפס חמש ארבע, אחת שתיים שלוש ארבע חמש שש שבע", "0541234567"),
        ("אפס חמישים וארבע שלוש שלוש שתיים", "054332"),
        ("אפס חמש ארבע אה רגע אחת שתיים", "05412"),
        ("פעמיים חמש שמונה", "558"),
        ("אחת עשרה שתים עשרה", "1112"),
        ("zero five four double two nine", "054229"),
        ("oh five fifty four", "0554"),
        ("plus nine seven two five four", "97254"),
    ] {
        let runs = digit_runs(&hearing::words(text));
        assert_eq!(runs.first().map(|run| run.digits.as_str()), Some(expected), "{text}");
    }
    assert_eq!(digit_runs(&hearing::words("שלום, מה שלומך")), []);
}

#[test]
fn phone_numbers_are_whole_partial_or_wrong() {
    let whole = |text: &str| PhoneNumber::Whole(text.to_owned());
    for (digits, international, expected) in [
        ("0541234567", false, whole("0541234567")),
        ("972541234567", true, whole("0541234567")),
        ("00972541234567", false, whole("0541234567")),
        ("031234567", false, whole("031234567")),
        ("0771234567", false, whole("0771234567")),
        ("1800123456", false, whole("1800123456")),
        ("4155552671", false, whole("4155552671")),
        ("14155552671", true, whole("+14155552671")),
        ("054123", false, PhoneNumber::Partial),
        ("03123456", false, PhoneNumber::Partial),
        ("05412345678", false, PhoneNumber::Wrong),
        ("1234567890123456", false, PhoneNumber::Wrong),
        ("", false, PhoneNumber::Partial),
    ] {
        assert_eq!(phone_number(digits, international), expected, "{digits}");
    }
}

#[test]
fn quantities_are_heard_as_people_say_them() {
    for (text, expected) in [
        ("3", 3.0),
        ("שלוש", 3.0),
        ("שלושה וחצי", 3.5),
        ("3.5", 3.5),
        ("עשרים וחמש", 25.0),
        ("מאתיים חמישים", 250.0),
        ("שלוש מאות אלף", 300_000.0),
        ("אלפיים", 2_000.0),
        ("חמשת אלפים", 5_000.0),
        ("ששת אלפים", 6_000.0),
        ("שישה אלף", 6_000.0),
        ("שני מיליון", 2_000_000.0),
        ("מיליון וחצי", 1_500_000.0),
        ("מיליון מאתיים אלף", 1_200_000.0),
        ("חצי מיליון", 500_000.0),
        ("1,250,000", 1_250_000.0),
        ("three and a half", 3.5),
        ("two hundred thousand", 200_000.0),
        ("one million two hundred thousand", 1_200_000.0),
        ("a hundred and fifty", 150.0),
    ] {
        let found = quantities(&hearing::words(text));
        assert_eq!(found.first().map(|quantity| quantity.value), Some(expected), "{text}: {found:?}");
    }
    assert_eq!(quantities(&hearing::words("לא יודע")), []);
}

#[test]
fn yes_and_no_are_told_apart() {
    for (text, expected) in [
        ("כן", Some(true)),
        ("כן, בטח", Some(true)),
        ("נָכוֹן", Some(true)),
        ("לא נכון", Some(false)),
        ("לא", Some(false)),
        ("לא, המספר הוא", Some(false)),
        ("אין בעיה", Some(true)),
        ("no problem", Some(true)),
        ("that's not right", Some(false)),
        ("yes that's right", Some(true)),
        ("אולי", None),
        ("", None),
    ] {
        assert_eq!(hearing::yes_or_no(&hearing::words(text)), expected, "{text}");
    }
}

#[test]
fn numbers_are_read_back_digit_by_digit_in_groups() {
    assert_eq!(spoken("0541234567", Language::Hebrew), "אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע");
    assert_eq!(spoken("031234567", Language::English), "zero three, one two three, four five six seven");
    assert_eq!(spoken("4567", Language::English), "four five six seven");
    assert_eq!(spoken("+1", Language::English), "one");
}

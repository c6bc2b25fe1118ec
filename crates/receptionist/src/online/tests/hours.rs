//! Opening hours.

use language::normalize::normalize;
use units::Language;

use super::HOURS;
use crate::online::{Hours, Weekday};

#[test]
fn hours_are_said_in_both_languages() {
    let hours: Hours = toml::from_str(HOURS).unwrap();
    for (day, hebrew, english) in [
        (
            Weekday::Sunday,
            "ביום ראשון פתוח מ-09:00 עד 13:00, ומ-16:00 עד 19:00.",
            "On Sunday we are open from 09:00 to 13:00 and from 16:00 to 19:00.",
        ),
        (Weekday::Friday, "ביום שישי פתוח מ-08:30 עד 12:00.", "On Friday we are open from 08:30 to 12:00."),
        (Weekday::Saturday, "בשבת סגור.", "On Saturday we are closed."),
        (Weekday::Tuesday, "ביום שלישי סגור.", "On Tuesday we are closed."),
    ] {
        assert_eq!(hours.spoken(day, Language::Hebrew), hebrew);
        assert_eq!(hours.spoken(day, Language::English), english);
        for language in Language::ALL {
            let voiced = normalize(&hours.spoken(day, language), language);
            assert!(!voiced.chars().any(|letter| letter.is_ascii_digit()), "{voiced}");
        }
    }
}

#[test]
fn a_day_may_last_until_midnight() {
    let hours: Hours = toml::from_str("monday = [\"00:00-24:00\"]\ntuesday = [\"20:00-24:00\"]").unwrap();
    assert_eq!(hours.spoken(Weekday::Monday, Language::English), "On Monday we are open around the clock.");
    assert_eq!(hours.spoken(Weekday::Monday, Language::Hebrew), "ביום שני פתוח כל היממה.");
    assert_eq!(hours.spoken(Weekday::Tuesday, Language::English), "On Tuesday we are open from 20:00 to midnight.");
    assert!(hours.is_open(Weekday::Tuesday, 24 * 60 - 1) && !hours.is_open(Weekday::Tuesday, 24 * 60));
}

#[test]
fn an_opening_begins_with_its_first_minute_and_ends_before_its_last() {
    let hours: Hours = toml::from_str(HOURS).unwrap();
    let open = |minute| hours.is_open(Weekday::Sunday, minute);
    assert_eq!(
        [539, 540, 779, 780, 959, 960, 1139, 1140].map(open),
        [false, true, true, false, false, true, true, false]
    );
    assert!(!hours.is_open(Weekday::Saturday, 600));
}

#[test]
fn no_table_says_nothing_about_hours() {
    let hours: Hours = toml::from_str("").unwrap();
    assert_eq!(hours, Hours::default());
    assert!(!hours.is_known() && !hours.is_open(Weekday::Monday, 600));
    assert_eq!(hours.spoken(Weekday::Monday, Language::English), "The opening hours are not known.");
}

#[test]
fn what_is_wrong_in_hours_is_told_with_the_day() {
    for (table, expected) in [
        ("sunday = [\"9-13\"]", "sunday: expected times such as \"09:00-17:30\""),
        ("sunday = [\"09:00-13:60\"]", "sunday: expected times such as"),
        ("sunday = [\"09:00-24:01\"]", "sunday: expected times such as"),
        ("sunday = [\"+9:00-13:00\"]", "sunday: expected times such as"),
        ("monday = [\"13:00-09:00\"]", "monday: expected an opening that begins before it ends"),
        ("monday = [\"09:00-09:00\"]", "monday: expected an opening that begins before it ends"),
        ("friday = [\"09:00-13:00\", \"12:59-14:00\"]", "friday: expected openings that do not overlap"),
        ("funday = []", "unknown field `funday`"),
    ] {
        let error = toml::from_str::<Hours>(table).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let touching: Hours = toml::from_str("friday = [\"13:00-14:00\", \"09:00-13:00\"]").unwrap();
    assert!(touching.is_open(Weekday::Friday, 13 * 60));
}

#[test]
fn the_days_follow_each_other() {
    for pair in Weekday::ALL.windows(2) {
        assert_eq!(pair[0].next(), pair[1]);
    }
    assert_eq!(Weekday::Saturday.next(), Weekday::Sunday);
}

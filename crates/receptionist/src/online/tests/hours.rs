//! Opening hours.

use language::normalize::normalize;
use units::Language;

use super::hours;
use crate::online::{Hours, Opening, Weekday};

#[test]
fn hours_are_said_in_both_languages() {
    let hours = hours();
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
    let mut days: [Vec<Opening>; 7] = Default::default();
    let until_midnight = |from| vec![Opening { from, to: 24 * 60 }];
    (days[1], days[2]) = (until_midnight(0), until_midnight(20 * 60));
    let hours = Hours::new(days);
    assert_eq!(hours.spoken(Weekday::Monday, Language::English), "On Monday we are open around the clock.");
    assert_eq!(hours.spoken(Weekday::Monday, Language::Hebrew), "ביום שני פתוח כל היממה.");
    assert_eq!(hours.spoken(Weekday::Tuesday, Language::English), "On Tuesday we are open from 20:00 to midnight.");
    assert!(hours.is_open(Weekday::Tuesday, 24 * 60 - 1) && !hours.is_open(Weekday::Tuesday, 24 * 60));
}

#[test]
fn an_opening_begins_with_its_first_minute_and_ends_before_its_last() {
    let hours = hours();
    let open = |minute| hours.is_open(Weekday::Sunday, minute);
    assert_eq!(
        [539, 540, 779, 780, 959, 960, 1139, 1140].map(open),
        [false, true, true, false, false, true, true, false]
    );
    assert!(!hours.is_open(Weekday::Saturday, 600));
}

#[test]
fn no_hours_say_nothing() {
    let hours = Hours::default();
    assert!(!hours.is_known() && !hours.is_open(Weekday::Monday, 600));
    assert_eq!(hours.spoken(Weekday::Monday, Language::English), "The opening hours are not known.");
}

#[test]
fn the_days_follow_each_other() {
    for pair in Weekday::ALL.windows(2) {
        assert_eq!(pair[0].next(), pair[1]);
    }
    assert_eq!(Weekday::Saturday.next(), Weekday::Sunday);
}

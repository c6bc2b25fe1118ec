//! What a configuration may say.

use crate::{Calendar, Config, Opening, WeeklyHours};

#[test]
fn a_value_that_cannot_be_used_is_named_with_what_was_expected() {
    for (text, expected) in [
        ("[hours]\nsunday = [\"9-17\"]", "hours.sunday: expected times such as \"09:00-17:30\""),
        ("[hours]\nmonday = [\"09:00-24:01\"]", "hours.monday: expected times such as \"09:00-17:30\""),
        (
            "[hours]\nmonday = [\"17:00-09:00\"]",
            "hours.monday: expected an opening that begins before it ends, on the same day",
        ),
        ("[hours]\nfriday = [\"09:00-12:00\", \"11:00-13:00\"]", "hours.friday: expected openings that do not overlap"),
        ("[call_back]\nfriday = [\"x\"]", "call_back.friday: expected times such as \"09:00-17:30\""),
        ("[dates]\n2026-02-30 = []", "dates.2026-02-30: expected a date such as 2026-12-31"),
        ("[dates]\n\"2026-2-3\" = []", "dates.2026-2-3: expected a date such as 2026-12-31"),
        ("[dates]\n2026-02-03 = [\"9\"]", "dates.2026-02-03: expected times such as \"09:00-17:30\""),
        ("closed = [\"2026-01-01\", \"soon\"]", "closed[1]: expected a date such as 2026-12-31"),
        (
            "closed = [\"2026-01-01\"]\n[dates]\n2026-01-01 = [\"09:00-10:00\"]",
            "closed[0]: expected a date without hours in dates",
        ),
        ("candle_minutes = 121", "candle_minutes: expected 0 to 120 minutes"),
        ("end_delay_minutes = 61", "end_delay_minutes: expected 0 to 60 minutes"),
        ("[keep]\neves_close = \"noon\"", "keep.eves_close: expected a time such as \"13:00\""),
        ("[days]\npurim = [\"08:00\"]", "days.purim: expected times such as \"09:00-17:30\""),
        (
            "[routing]\nrules = [{ then = \"human\" }, { then = \"human\", hours = [\"8\"] }]",
            "routing.rules[1].hours: expected times such as \"09:00-17:30\"",
        ),
    ] {
        let error = Calendar::new(&toml::from_str::<Config>(text).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn fields_and_words_that_nobody_knows_are_refused() {
    for (text, part) in [
        ("colour = 1", "unknown field `colour`"),
        ("city = \"eilat\"", "unknown variant `eilat`, expected one of `jerusalem`, `tel_aviv`, `haifa`, `beer_sheva`"),
        ("[hours]\nshabbat = []", "unknown field `shabbat`"),
        ("[keep]\nholidays = [\"note\"]", "unknown variant `note`"),
        ("[days]\nxmas = []", "unknown field `xmas`"),
        ("[routing]\nrules = [{ when = \"open\" }]", "missing field `then`"),
        ("[routing]\nrules = [{ then = \"robot\" }]", "expected one of `receptionist`, `human`, `voicemail`"),
        ("candle_minutes = -1", "invalid value: integer `-1`"),
    ] {
        let error = toml::from_str::<Config>(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn nothing_said_is_an_office_that_is_closed_and_keeps_every_rest() {
    let config: Config = toml::from_str("").unwrap();
    assert_eq!(config, Config::default());
    assert!(config.keep.sabbath);
    assert_eq!(config.keep.holidays.len(), 7);
    let json: Config =
        serde_json::from_str("{\"city\": \"haifa\", \"hours\": {\"sunday\": [\"9:00-17:00\"]}}").unwrap();
    assert!(Calendar::new(&json).is_ok());
}

#[test]
fn hours_of_a_week_are_read_day_by_day_and_in_order() {
    let hours: WeeklyHours =
        toml::from_str("sunday = [\"16:00-19:00\", \"9:00-13:00\"]\nfriday = [\"00:00-24:00\"]").unwrap();
    let mut expected: [Vec<Opening>; 7] = Default::default();
    expected[0] = vec![Opening { from: 540, to: 780 }, Opening { from: 960, to: 1_140 }];
    expected[5] = vec![Opening { from: 0, to: 1_440 }];
    assert_eq!(hours.openings("hours").unwrap(), expected);
    assert!(hours.is_given() && !WeeklyHours::default().is_given());
    let wrong: WeeklyHours = toml::from_str("monday = [\"+9:00-13:00\"]").unwrap();
    assert_eq!(wrong.openings("x").unwrap_err().field, "x.monday");
}

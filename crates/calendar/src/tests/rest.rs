//! When rest begins and ends.

use jiff::{SignedDuration, Timestamp};

use super::{calendar, local, shown};
use crate::sun::City;
use crate::{Holiday, Why};

/// Candle lighting and end of rest as published: city, eve, begin, end (empty where none was published).
///
/// Sources: 2019 anglo-list.com (times of Chabad), 2025 and 2026 newsru.co.il, 2014 strana.co.il (eve of Shavuot), 2024
/// the documentation of hebcal.com. Left out are times that a publisher has for the height of Jerusalem's or Haifa's
/// hills, up to five minutes later, or for another custom than 20 minutes in Be'er Sheva: these are reckoned at the
/// level of the sea.
const PUBLISHED: [(&str, &str, &str, &str); 17] = [
    ("jerusalem", "2019-12-06", "15:55", "17:15"),
    ("jerusalem", "2024-01-05", "16:08", ""),
    ("jerusalem", "2026-02-20", "16:49", "18:07"),
    ("haifa", "2014-06-03", "19:14", ""),
    ("haifa", "2019-12-06", "16:04", "17:14"),
    ("haifa", "2026-02-20", "16:59", "18:07"),
    ("beer_sheva", "2019-12-06", "16:16", "17:17"),
    ("beer_sheva", "2026-02-20", "", "18:09"),
    ("tel_aviv", "2014-06-03", "19:23", ""),
    ("tel_aviv", "2019-12-06", "16:14", "17:16"),
    ("tel_aviv", "2025-08-15", "19:03", "20:04"),
    ("tel_aviv", "2025-09-12", "18:29", "19:28"),
    ("tel_aviv", "2025-09-26", "18:11", "19:09"),
    ("tel_aviv", "2025-10-10", "17:53", "18:52"),
    ("tel_aviv", "2025-10-17", "17:45", "18:44"),
    ("tel_aviv", "2025-11-14", "16:20", "17:21"),
    ("tel_aviv", "2026-02-20", "17:13", "18:09"),
];

#[test]
fn rest_begins_and_ends_within_two_minutes_of_what_is_published() {
    for (city, eve, begins, ends) in PUBLISHED {
        let calendar = calendar(&format!("city = \"{city}\""));
        let begin = calendar.at(local(&format!("{eve}T12:00"))).until;
        let end = calendar.at(begin).until;
        let next = local(&format!("{eve}T12:00")) + SignedDuration::from_hours(24);
        for (published, found, day) in [(begins, begin, local(&format!("{eve}T12:00"))), (ends, end, next)] {
            if !published.is_empty() {
                let expected = local(&format!("{}T{published}", &shown(day)[..10]));
                assert!(off(expected, found) <= 120, "{city} {eve}: {published}, not {}", shown(found));
            }
        }
    }
}

/// Sunset and 8.5 degrees below the horizon in UTC, as the Python library astral 3.2 has them, which works from
/// the same equations.
const REFERENCE: &[(City, &str, &str, &str)] = &[
    (City::Jerusalem, "1970-01-01", "14:45:52", "15:25:54"),
    (City::TelAviv, "1985-07-05", "16:50:35", "17:33:08"),
    (City::Haifa, "2000-03-20", "15:51:28", "16:28:26"),
    (City::BeerSheva, "2024-01-05", "14:51:35", "15:31:14"),
    (City::Jerusalem, "2024-04-12", "16:06:06", "16:43:39"),
    (City::TelAviv, "2025-06-20", "16:49:52", "17:32:50"),
    (City::Haifa, "2026-11-20", "14:36:07", "15:15:32"),
    (City::BeerSheva, "2028-09-22", "15:36:52", "16:13:09"),
    (City::Jerusalem, "2030-12-27", "14:42:32", "15:22:41"),
    (City::TelAviv, "2032-05-14", "16:30:47", "17:11:27"),
    (City::Haifa, "2067-08-12", "16:28:16", "17:07:45"),
    (City::BeerSheva, "2100-12-31", "14:47:59", "15:27:47"),
];

#[test]
fn the_sun_agrees_with_another_program_within_seconds() {
    for (city, day, sunset, stars) in REFERENCE {
        let date = day.parse().unwrap();
        for (name, expected, found) in [("sunset", sunset, city.sunset(date)), ("stars", stars, city.stars(date))] {
            let expected = format!("{day}T{expected}Z").parse().unwrap();
            assert!(off(expected, found.unwrap()) <= 15, "{city:?} {day} {name}: {expected}, not {}", found.unwrap());
        }
    }
}

#[test]
fn rest_is_strict_to_the_minute_and_takes_the_custom_and_the_delay_of_the_office() {
    let own = calendar("candle_minutes = 22\nend_delay_minutes = 10");
    let custom = calendar("");
    let noon = local("2026-11-20T12:00");
    let (begin, own_begin) = (custom.at(noon).until, own.at(noon).until);
    assert_eq!((begin.as_second() % 60, own_begin.as_second() % 60), (0, 0));
    assert_eq!(own_begin.duration_since(begin), SignedDuration::from_mins(18));
    let (end, own_end) = (custom.at(begin).until, own.at(own_begin).until);
    assert_eq!(own_end.duration_since(end), SignedDuration::from_mins(10));
}

#[test]
fn a_sabbath_after_a_holiday_goes_on_without_a_gap() {
    // Shavuot of 2026 is a Friday.
    let calendar = calendar("[hours]\nfriday = [\"00:00-24:00\"]\nsaturday = [\"00:00-24:00\"]");
    let shavuot = calendar.at(local("2026-05-22T12:00"));
    assert_eq!((shavuot.open, shavuot.why), (false, Why::Holiday { which: Holiday::Shavuot }));
    let sabbath = calendar.at(shavuot.until);
    assert_eq!((sabbath.open, sabbath.why), (false, Why::Sabbath));
    let week = calendar.at(sabbath.until);
    assert!(week.open);
    assert_eq!(shown(sabbath.until), "2026-05-23T20:16");
}

#[test]
fn both_days_of_rosh_hashana_are_one_rest() {
    let calendar = calendar("");
    let eve = calendar.at(local("2025-09-22T12:00"));
    let rest = calendar.at(eve.until);
    assert_eq!(rest.why, Why::Holiday { which: Holiday::RoshHashana });
    assert_eq!(&shown(rest.until)[..10], "2025-09-24");
}

fn off(first: Timestamp, second: Timestamp) -> i64 {
    first.duration_since(second).as_secs().abs()
}

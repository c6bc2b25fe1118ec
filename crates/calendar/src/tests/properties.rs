//! What holds for every office and every moment.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use proptest::prelude::*;
use proptest::{collection, option, sample};
use units::Language;

use super::{OFFICE, calendar, local};
use crate::holiday;
use crate::{Calendar, City, Config, Days, Holiday, Keep, Route, Routing, Rule, WeeklyHours, When, horizon};

/// 1970-01-01 to 2100-12-31.
const TIMES: core::ops::Range<i64> = 0..4_133_980_800;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_changes_before_until_and_something_does_then(
        config in configs(),
        second in TIMES,
        fractions in collection::vec(0.0..1.0, 24),
    ) {
        let calendar = Calendar::new(&config).unwrap();
        let now = Timestamp::from_second(second).unwrap();
        let status = calendar.at(now);
        prop_assert!(status.until > now);
        let length = status.until.duration_since(now);
        let moment = SignedDuration::from_nanos(1);
        let inside = fractions.into_iter().map(|part| now + length.mul_f64(part)).chain([status.until - moment]);
        for at in inside.filter(|at| *at < status.until) {
            prop_assert_eq!(calendar.at(at), status, "{}", at);
        }
        let then = calendar.at(status.until);
        let same = (then.open, then.why, then.route) == (status.open, status.why, status.route);
        prop_assert!(!same || status.until == horizon(now));
    }

    #[test]
    fn the_office_never_opens_and_nobody_is_called_within_a_kept_rest(config in configs(), second in TIMES) {
        let calendar = Calendar::new(&Config { keep: Keep::default(), ..config.clone() }).unwrap();
        let zone = TimeZone::get(Calendar::ZONE).unwrap();
        let before = SignedDuration::from_mins(config.candle_minutes.unwrap_or(config.city.candle_minutes()).into());
        let now = Timestamp::from_second(second).unwrap();
        // The day of rest after a moment, in steps of an hour.
        let today = zone.to_datetime(now).date();
        let rests = |day: &Date| day.weekday() == Weekday::Saturday || holiday::rest_on(*day).is_some();
        let rest = (0..7).map(|days| today + days.days()).find(rests).unwrap();
        let (mut at, end) = (config.city.sunset(rest - 1.day()).unwrap() - before, config.city.stars(rest).unwrap());
        while at < end {
            prop_assert!(!calendar.at(at).open && !calendar.may_call(at), "{}", at);
            at += SignedDuration::from_mins(59);
        }
    }

    #[test]
    fn openings_and_calls_begin_where_they_are_said_to(config in configs(), second in TIMES) {
        let calendar = Calendar::new(&config).unwrap();
        let now = Timestamp::from_second(second).unwrap();
        let moment = SignedDuration::from_nanos(1);
        if let Some(opening) = calendar.next_opening(now) {
            prop_assert!(opening > now && calendar.at(opening).open && !calendar.at(opening - moment).open);
        }
        match calendar.next_call(now) {
            Some(call) if call > now => prop_assert!(calendar.may_call(call) && !calendar.may_call(call - moment)),
            Some(call) => prop_assert!(call == now && calendar.may_call(now)),
            None => prop_assert!(!calendar.may_call(now)),
        }
        for language in Language::ALL {
            prop_assert!(!calendar.at(now).spoken(language).is_empty());
            prop_assert!(!calendar.spoken_next_opening(now, language).is_empty());
        }
    }
}

/// Goes through the minutes around the holidays of autumn, with both changes of the clock of the year, and compares
/// with `until`, which looks at a few moments only.
#[test]
fn no_change_is_missed_between_the_moments_that_are_looked_at() {
    let office = calendar(OFFICE);
    for (from, days) in [("2026-03-24T00:00", 18), ("2026-09-08T00:00", 30), ("2026-10-22T00:00", 5)] {
        let mut now = local(from);
        let end = now + SignedDuration::from_hours(days * 24);
        let mut status = office.at(now);
        while now < end {
            now += SignedDuration::from_mins(1);
            let state = office.day_of(now).state(&office.plan, now);
            let changed = (state.open, state.why, state.route) != (status.open, status.why, status.route);
            assert_eq!(changed, now == status.until, "{now}");
            if changed {
                status = office.at(now);
            }
        }
    }
}

#[test]
fn the_ends_of_time_have_an_answer() {
    let office = calendar(OFFICE);
    for now in [Timestamp::MIN, Timestamp::MAX, Timestamp::MAX - SignedDuration::from_hours(30), Timestamp::UNIX_EPOCH]
    {
        let status = office.at(now);
        assert!(status.until >= now);
        assert!(office.next_opening(now).is_none_or(|opening| opening > now));
        assert!(office.next_call(now).is_none_or(|call| call >= now));
        assert!(!office.spoken_next_opening(now, Language::Hebrew).is_empty());
    }
}

fn openings() -> impl Strategy<Value = Vec<String>> {
    let lists: [&[&str]; 7] = [
        &[],
        &["09:00-17:00"],
        &["00:00-24:00"],
        &["09:00-13:00", "16:00-19:00"],
        &["00:00-02:30", "20:00-24:00"],
        &["01:30-02:30"],
        &["12:00-18:00"],
    ];
    sample::select(lists.to_vec()).prop_map(|list| list.iter().map(|text| (*text).to_owned()).collect())
}

fn week() -> impl Strategy<Value = WeeklyHours> {
    (openings(), openings(), openings(), openings(), openings(), openings(), openings()).prop_map(
        |(sunday, monday, tuesday, wednesday, thursday, friday, saturday)| WeeklyHours {
            sunday,
            monday,
            tuesday,
            wednesday,
            thursday,
            friday,
            saturday,
        },
    )
}

fn days() -> impl Strategy<Value = Days> {
    let day = || option::of(openings());
    (day(), day(), day(), day(), day(), day(), day(), day()).prop_map(
        |(chol_hamoed, independence_day, memorial_day, holocaust_day, purim, hanukkah, lag_baomer, tisha_beav)| Days {
            chol_hamoed,
            independence_day,
            memorial_day,
            holocaust_day,
            purim,
            hanukkah,
            lag_baomer,
            tisha_beav,
        },
    )
}

fn keep() -> impl Strategy<Value = Keep> {
    let eves = sample::select(vec!["13:00", "24:00", "00:00", "12:30"]);
    (any::<bool>(), sample::subsequence(Holiday::REST.to_vec(), 0..=7), eves)
        .prop_map(|(sabbath, holidays, eves_close)| Keep { sabbath, holidays, eves_close: eves_close.to_owned() })
}

fn routing() -> impl Strategy<Value = Routing> {
    let when = sample::select(vec![When::Always, When::Open, When::Closed, When::Sabbath, When::Holiday]);
    let route = sample::select(vec![Route::Receptionist, Route::Human, Route::Voicemail]);
    let rule = (when, openings(), route).prop_map(|(when, hours, then)| Rule { when, hours, then });
    collection::vec(rule, 0..4).prop_map(|rules| Routing { default: Route::Receptionist, rules })
}

fn configs() -> impl Strategy<Value = Config> {
    let city = sample::select(vec![City::Jerusalem, City::TelAviv, City::Haifa, City::BeerSheva]);
    let dates = collection::btree_map((1970..2100, 1..=12, 1..=28), openings(), 0..20).prop_map(|dates| {
        let text = |((year, month, day), hours)| (format!("{year}-{month:02}-{day:02}"), hours);
        dates.into_iter().map(text).collect::<BTreeMap<_, Vec<String>>>()
    });
    let rest = (option::of(0_u16..=120), 0_u16..=60, keep(), days());
    (city, week(), option::of(week()), dates, routing(), rest).prop_map(
        |(city, hours, call_back, dates, routing, (candle_minutes, end_delay_minutes, keep, days))| Config {
            city,
            candle_minutes,
            end_delay_minutes,
            hours,
            closed: Vec::new(),
            dates,
            keep,
            days,
            call_back,
            routing,
        },
    )
}

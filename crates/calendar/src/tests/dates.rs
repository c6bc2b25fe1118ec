//! Known dates of holidays.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

use crate::holiday::{self, Holiday, Note};
use crate::sun::City;

/// Years with the first day of Pesach, the seventh, Independence Day, Shavuot, Rosh Hashana, Yom Kippur, Sukkot and
/// Simchat Torah, as in printed calendars of Israel.
const YEARS: [(i16, [(i8, i8); 8]); 9] = [
    (2024, [(4, 23), (4, 29), (5, 14), (6, 12), (10, 3), (10, 12), (10, 17), (10, 24)]),
    (2025, [(4, 13), (4, 19), (5, 1), (6, 2), (9, 23), (10, 2), (10, 7), (10, 14)]),
    (2026, [(4, 2), (4, 8), (4, 22), (5, 22), (9, 12), (9, 21), (9, 26), (10, 3)]),
    (2027, [(4, 22), (4, 28), (5, 12), (6, 11), (10, 2), (10, 11), (10, 16), (10, 23)]),
    (2028, [(4, 11), (4, 17), (5, 2), (5, 31), (9, 21), (9, 30), (10, 5), (10, 12)]),
    (2029, [(3, 31), (4, 6), (4, 19), (5, 20), (9, 10), (9, 19), (9, 24), (10, 1)]),
    (2030, [(4, 18), (4, 24), (5, 8), (6, 7), (9, 28), (10, 7), (10, 12), (10, 19)]),
    (2031, [(4, 8), (4, 14), (4, 29), (5, 28), (9, 18), (9, 27), (10, 2), (10, 9)]),
    (2032, [(3, 27), (4, 2), (4, 15), (5, 16), (9, 6), (9, 15), (9, 20), (9, 27)]),
];

#[test]
fn days_of_rest_fall_on_their_known_dates_and_on_no_others() {
    for (year, [pesach, seventh, _, shavuot, new_year, kippur, sukkot, torah]) in YEARS {
        let on = |(month, day)| date(year, month, day);
        let expected = [
            (on(pesach), Holiday::Pesach),
            (on(seventh), Holiday::SeventhOfPesach),
            (on(shavuot), Holiday::Shavuot),
            (on(new_year), Holiday::RoshHashana),
            (on(new_year).tomorrow().unwrap(), Holiday::RoshHashana),
            (on(kippur), Holiday::YomKippur),
            (on(sukkot), Holiday::Sukkot),
            (on(torah), Holiday::SimchatTorah),
        ];
        let found: Vec<_> = days(year).filter_map(|day| Some((day, holiday::rest_on(day)?))).collect();
        assert_eq!(found, expected, "{year}");
    }
}

#[test]
fn independence_day_is_moved_away_from_the_sabbath_and_memorial_day_goes_before_it() {
    for (year, [_, _, (month, day), ..]) in YEARS {
        let independence = date(year, month, day);
        assert_eq!(all(Note::IndependenceDay, year), [independence], "{year}");
        assert_eq!(all(Note::MemorialDay, year), [independence.yesterday().unwrap()], "{year}");
    }
    // Before 2004 it stayed on a Monday.
    assert_eq!(all(Note::IndependenceDay, 2001), [date(2001, 4, 26)]);
    assert_eq!(all(Note::IndependenceDay, 1994), [date(1994, 4, 14)]);
    assert_eq!(all(Note::IndependenceDay, 1990), [date(1990, 4, 30)]);
    assert_eq!(all(Note::IndependenceDay, 2004), [date(2004, 4, 27)]);
}

#[test]
fn holocaust_day_is_moved_away_from_the_sabbath() {
    // A Sunday, a Friday, a Tuesday, and a Sunday from before the rule.
    assert_eq!(all(Note::HolocaustDay, 2024), [date(2024, 5, 6)]);
    assert_eq!(all(Note::HolocaustDay, 2025), [date(2025, 4, 24)]);
    assert_eq!(all(Note::HolocaustDay, 2026), [date(2026, 4, 14)]);
    assert_eq!(all(Note::HolocaustDay, 1990), [date(1990, 4, 22)]);
}

#[test]
fn purim_is_a_day_later_in_jerusalem_and_three_days_when_that_is_a_sabbath() {
    assert_eq!(all(Note::Purim, 2024), [date(2024, 3, 24)]);
    assert_eq!(all(Note::Purim, 2026), [date(2026, 3, 3)]);
    assert_eq!(within(Note::Purim, 2026, City::Jerusalem), [date(2026, 3, 4)]);
    assert_eq!(within(Note::Purim, 2025, City::Jerusalem), [date(2025, 3, 14), date(2025, 3, 15), date(2025, 3, 16)]);
}

#[test]
fn hanukkah_has_eight_days_whatever_the_length_of_kislev() {
    for (year, month, day) in [(2024, 12, 26), (2025, 12, 15), (2026, 12, 5), (2028, 12, 13), (2031, 12, 10)] {
        let first = date(year, month, day);
        let found = [all(Note::Hanukkah, year), all(Note::Hanukkah, year + 1)].concat();
        let expected: Vec<Date> = (0..8).map(|days| first + days.days()).collect();
        assert!(found.windows(8).any(|eight| eight == expected), "{year}: {found:?}");
    }
}

#[test]
fn chol_hamoed_and_the_lesser_days_fall_on_their_dates() {
    let from = |first: Date, count: i32| (0..count).map(move |days| first + days.days()).collect::<Vec<_>>();
    assert_eq!(all(Note::CholHaMoedSukkot, 2026), from(date(2026, 9, 27), 6));
    assert_eq!(all(Note::CholHaMoedPesach, 2026), from(date(2026, 4, 3), 5));
    assert_eq!(all(Note::LagBaOmer, 2026), [date(2026, 5, 5)]);
    assert_eq!(all(Note::TishaBeAv, 2026), [date(2026, 7, 23)]);
    // 9 Av is a Sabbath.
    assert_eq!(all(Note::TishaBeAv, 2029), [date(2029, 7, 22)]);
}

fn days(year: i16) -> impl Iterator<Item = Date> {
    date(year, 1, 1).series(1.day()).take_while(move |day| day.year() == year)
}

fn all(note: Note, year: i16) -> Vec<Date> {
    within(note, year, City::TelAviv)
}

fn within(note: Note, year: i16, city: City) -> Vec<Date> {
    days(year).filter(|day| holiday::note_on(*day, city) == Some(note)).collect()
}

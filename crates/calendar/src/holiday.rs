//! Which day of the Hebrew calendar a date is.

use icu_calendar::cal::Hebrew;
use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use serde::Deserialize;

use crate::sun::City;

/// Months as the Hebrew calendar of CLDR numbers them: Tishrei is the first, Adar the sixth in every year, and the
/// added Adar of a leap year is a leap month of the fifth.
mod month {
    pub(super) const TISHREI: u8 = 1;
    pub(super) const KISLEV: u8 = 3;
    pub(super) const ADAR: u8 = 6;
    pub(super) const NISAN: u8 = 7;
    pub(super) const IYAR: u8 = 8;
    pub(super) const SIVAN: u8 = 9;
    pub(super) const AV: u8 = 11;
}

/// The first Hebrew year in which Independence Day moves off a Monday, so that Memorial Day is not on a Sunday.
const MONDAY_RULE: i32 = 5764;
/// The first Hebrew year in which Holocaust Remembrance Day moves off a Sunday.
const SUNDAY_RULE: i32 = 5757;

/// A day that the office may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holiday {
    /// 1 and 2 Tishrei.
    RoshHashana,
    /// 10 Tishrei.
    YomKippur,
    /// 15 Tishrei, the first day of Sukkot.
    Sukkot,
    /// 22 Tishrei, in Israel Simchat Torah as well.
    SimchatTorah,
    /// 15 Nisan, the first day of Pesach.
    Pesach,
    /// 21 Nisan.
    SeventhOfPesach,
    /// 6 Sivan.
    Shavuot,
    /// A day of note, on which work is allowed.
    #[serde(skip)]
    Note(Note),
}

/// A day on which work is allowed and many offices open less or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// 16 to 21 Tishrei, up to Hoshana Rabba.
    CholHaMoedSukkot,
    /// 16 to 20 Nisan.
    CholHaMoedPesach,
    /// Independence Day: 5 Iyar, moved so that neither it nor the day before touches a Sabbath.
    IndependenceDay,
    /// Memorial Day, the day before Independence Day.
    MemorialDay,
    /// Holocaust Remembrance Day: 27 Nisan, moved away from the Sabbath.
    HolocaustDay,
    /// Purim: 14 Adar; in Jerusalem 15 Adar, and 14 to 16 Adar where the 15th is a Sabbath.
    Purim,
    /// Eight days from 25 Kislev.
    Hanukkah,
    /// 18 Iyar.
    LagBaOmer,
    /// 9 Av, on a Sabbath 10 Av.
    TishaBeAv,
}

impl Holiday {
    /// The days of rest in Israel.
    pub const REST: [Self; 7] = [
        Self::RoshHashana,
        Self::YomKippur,
        Self::Sukkot,
        Self::SimchatTorah,
        Self::Pesach,
        Self::SeventhOfPesach,
        Self::Shavuot,
    ];
}

/// A date of the Hebrew calendar.
#[derive(Clone, Copy)]
struct HebrewDate {
    year: i32,
    month: u8,
    day: u8,
}

impl HebrewDate {
    /// Returns the Hebrew date whose daylight falls on a date; `None` in the added Adar, which has no holidays.
    fn of(date: Date) -> Option<Self> {
        let (month, day) = (u8::try_from(date.month()).ok()?, u8::try_from(date.day()).ok()?);
        let iso = icu_calendar::Date::try_new_iso(i32::from(date.year()), month, day).ok()?;
        let hebrew = iso.to_calendar(Hebrew);
        let month = hebrew.month().to_input();
        (!month.is_leap()).then(|| Self {
            year: hebrew.year().extended_year(),
            month: month.number(),
            day: hebrew.day_of_month().0,
        })
    }
}

/// Returns the day of rest, other than the Sabbath, whose daylight falls on a date.
pub(crate) fn rest_on(date: Date) -> Option<Holiday> {
    let hebrew = HebrewDate::of(date)?;
    match (hebrew.month, hebrew.day) {
        (month::TISHREI, 1 | 2) => Some(Holiday::RoshHashana),
        (month::TISHREI, 10) => Some(Holiday::YomKippur),
        (month::TISHREI, 15) => Some(Holiday::Sukkot),
        (month::TISHREI, 22) => Some(Holiday::SimchatTorah),
        (month::NISAN, 15) => Some(Holiday::Pesach),
        (month::NISAN, 21) => Some(Holiday::SeventhOfPesach),
        (month::SIVAN, 6) => Some(Holiday::Shavuot),
        _ => None,
    }
}

/// Returns the day of note that a date is in a city.
pub(crate) fn note_on(date: Date, city: City) -> Option<Note> {
    let hebrew = HebrewDate::of(date)?;
    match (hebrew.month, hebrew.day) {
        (month::TISHREI, 16..=21) => Some(Note::CholHaMoedSukkot),
        (month::NISAN, 16..=20) => Some(Note::CholHaMoedPesach),
        (month::NISAN, 26..=28) if is_holocaust_day(hebrew, date.weekday()) => Some(Note::HolocaustDay),
        (month::IYAR, 18) => Some(Note::LagBaOmer),
        (month::IYAR, 2..=6) => independence(hebrew, date.weekday()),
        (month::ADAR, day @ 14..=16) => is_purim(day, date.weekday(), city).then_some(Note::Purim),
        (month::AV, 9) if date.weekday() != Weekday::Saturday => Some(Note::TishaBeAv),
        (month::AV, 10) if date.weekday() == Weekday::Sunday => Some(Note::TishaBeAv),
        _ => is_hanukkah(date).then_some(Note::Hanukkah),
    }
}

/// Tells whether 25 Kislev was this date or up to seven days before: Kislev has 29 or 30 days.
fn is_hanukkah(date: Date) -> bool {
    (0..8).any(|days| {
        let begun = date.checked_sub(days.days()).ok().and_then(HebrewDate::of);
        begun.is_some_and(|begun| (begun.month, begun.day) == (month::KISLEV, 25))
    })
}

/// Finds Independence Day and Memorial Day among the first days of Iyar.
///
/// The weekday of 5 Iyar decides: on a Friday the day is Thursday the 4th, on a Saturday Thursday the 3rd, and, since
/// 2004, on a Monday Tuesday the 6th. Source: Independence Day Law (5709-1949) as amended.
fn independence(hebrew: HebrewDate, today: Weekday) -> Option<Note> {
    let fifth = today.wrapping_add(5 - i64::from(hebrew.day));
    let day = match fifth {
        Weekday::Friday => 4,
        Weekday::Saturday => 3,
        Weekday::Monday if hebrew.year >= MONDAY_RULE => 6,
        Weekday::Monday | Weekday::Sunday | Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday => 5,
    };
    match day - i16::from(hebrew.day) {
        0 => Some(Note::IndependenceDay),
        1 => Some(Note::MemorialDay),
        _ => None,
    }
}

/// Tells whether a day from 26 to 28 Nisan is Holocaust Remembrance Day: the 27th; Thursday the 26th instead of a
/// Friday; since 1997, Monday the 28th instead of a Sunday.
fn is_holocaust_day(hebrew: HebrewDate, today: Weekday) -> bool {
    let day = match today.wrapping_add(27 - i64::from(hebrew.day)) {
        Weekday::Friday => 26,
        Weekday::Sunday if hebrew.year >= SUNDAY_RULE => 28,
        Weekday::Sunday
        | Weekday::Monday
        | Weekday::Tuesday
        | Weekday::Wednesday
        | Weekday::Thursday
        | Weekday::Saturday => 27,
    };
    day == hebrew.day
}

/// Tells whether a day from 14 to 16 Adar is Purim in a city.
fn is_purim(day: u8, today: Weekday, city: City) -> bool {
    if city != City::Jerusalem {
        return day == 14;
    }
    let fifteenth = today.wrapping_add(15 - i64::from(day));
    day == 15 || fifteenth == Weekday::Saturday
}

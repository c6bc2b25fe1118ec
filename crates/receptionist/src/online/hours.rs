//! When the office is open.

use core::fmt::Write as _;

use serde::{Deserialize, Serialize};
use units::Language;

/// Minutes in a day.
const DAY: u16 = 24 * 60;
/// More openings in a day than any office has.
const MAX_OPENINGS: usize = 6;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// The first day of the week.
    Sunday,
    /// The second.
    Monday,
    /// The third.
    Tuesday,
    /// The fourth.
    Wednesday,
    /// The fifth.
    Thursday,
    /// The sixth.
    Friday,
    /// The seventh.
    Saturday,
}

impl Weekday {
    /// Every day, in order.
    pub const ALL: [Self; 7] =
        [Self::Sunday, Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday];

    /// Returns the English word in lower case, as in configuration and tools.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sunday => "sunday",
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
        }
    }

    /// Returns the day after.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Sunday => Self::Monday,
            Self::Monday => Self::Tuesday,
            Self::Tuesday => Self::Wednesday,
            Self::Wednesday => Self::Thursday,
            Self::Thursday => Self::Friday,
            Self::Friday => Self::Saturday,
            Self::Saturday => Self::Sunday,
        }
    }

    /// Returns the day's name as it is said.
    pub const fn spoken(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Sunday, Language::Hebrew) => "יום ראשון",
            (Self::Monday, Language::Hebrew) => "יום שני",
            (Self::Tuesday, Language::Hebrew) => "יום שלישי",
            (Self::Wednesday, Language::Hebrew) => "יום רביעי",
            (Self::Thursday, Language::Hebrew) => "יום חמישי",
            (Self::Friday, Language::Hebrew) => "יום שישי",
            (Self::Saturday, Language::Hebrew) => "שבת",
            (Self::Sunday, Language::English) => "Sunday",
            (Self::Monday, Language::English) => "Monday",
            (Self::Tuesday, Language::English) => "Tuesday",
            (Self::Wednesday, Language::English) => "Wednesday",
            (Self::Thursday, Language::English) => "Thursday",
            (Self::Friday, Language::English) => "Friday",
            (Self::Saturday, Language::English) => "Saturday",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Sunday => 0,
            Self::Monday => 1,
            Self::Tuesday => 2,
            Self::Wednesday => 3,
            Self::Thursday => 4,
            Self::Friday => 5,
            Self::Saturday => 6,
        }
    }
}

/// When the office is open, day by day, in the office's own time.
///
/// Read from a table with a list for each day, `sunday = ["09:00-13:00", "16:00-19:00"]`; `24:00` is the end of the
/// day. A day that is not there is closed; a table without any day says nothing about hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "HoursFile")]
pub struct Hours {
    known: bool,
    days: [Vec<Opening>; 7],
}

/// A stretch of a day, in minutes from midnight; `to` is the first minute that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Opening {
    from: u16,
    to: u16,
}

/// Why opening hours cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{day}: expected {expected}")]
pub struct HoursError {
    /// The day, as in the table.
    pub day: &'static str,
    /// What was expected there.
    pub expected: &'static str,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HoursFile {
    sunday: Option<Vec<String>>,
    monday: Option<Vec<String>>,
    tuesday: Option<Vec<String>>,
    wednesday: Option<Vec<String>>,
    thursday: Option<Vec<String>>,
    friday: Option<Vec<String>>,
    saturday: Option<Vec<String>>,
}

impl TryFrom<HoursFile> for Hours {
    type Error = HoursError;

    fn try_from(file: HoursFile) -> Result<Self, HoursError> {
        let days = [file.sunday, file.monday, file.tuesday, file.wednesday, file.thursday, file.friday, file.saturday];
        let mut hours = Self { known: days.iter().any(Option::is_some), ..Self::default() };
        for ((day, texts), openings) in Weekday::ALL.into_iter().zip(days).zip(&mut hours.days) {
            *openings = read_day(day.word(), &texts.unwrap_or_default())?;
        }
        Ok(hours)
    }
}

impl Hours {
    /// Tells whether anything is known about hours.
    pub const fn is_known(&self) -> bool {
        self.known
    }

    /// Tells whether the office is open at a minute of a day, counted from midnight. Unknown hours are never open.
    pub fn is_open(&self, day: Weekday, minute: u16) -> bool {
        self.openings(day).iter().any(|opening| (opening.from..opening.to).contains(&minute))
    }

    /// Returns a sentence about a day for the voice, which reads the times as a person would.
    pub fn spoken(&self, day: Weekday, language: Language) -> String {
        let name = day.spoken(language);
        let openings = self.openings(day);
        if !self.known {
            return match language {
                Language::Hebrew => "שעות הפתיחה לא ידועות.".to_owned(),
                Language::English => "The opening hours are not known.".to_owned(),
            };
        }
        if openings.is_empty() {
            return match language {
                Language::Hebrew => format!("ב{name} סגור."),
                Language::English => format!("On {name} we are closed."),
            };
        }
        if openings == [Opening { from: 0, to: DAY }] {
            return match language {
                Language::Hebrew => format!("ב{name} פתוח כל היממה."),
                Language::English => format!("On {name} we are open around the clock."),
            };
        }
        let parts: Vec<String> = openings.iter().map(|opening| opening.spoken(language)).collect();
        match language {
            Language::Hebrew => format!("ב{name} פתוח {}.", parts.join(", ו")),
            Language::English => format!("On {name} we are open {}.", parts.join(" and ")),
        }
    }

    /// Returns the sentences of all days, one a line.
    pub(super) fn spoken_week(&self, language: Language) -> String {
        Weekday::ALL.iter().fold(String::new(), |mut week, day| {
            // Writing to a string cannot fail.
            let _written = writeln!(week, "{}", self.spoken(*day, language));
            week
        })
    }

    fn openings(&self, day: Weekday) -> &[Opening] {
        self.days.get(day.index()).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Opening {
    fn spoken(self, language: Language) -> String {
        match language {
            Language::Hebrew => format!("מ-{} עד {}", clock(self.from), clock(self.to)),
            Language::English if self.to == DAY => format!("from {} to midnight", clock(self.from)),
            Language::English => format!("from {} to {}", clock(self.from), clock(self.to)),
        }
    }
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn read_day(day: &'static str, texts: &[String]) -> Result<Vec<Opening>, HoursError> {
    let fail = |expected| HoursError { day, expected };
    if texts.len() > MAX_OPENINGS {
        return Err(fail("at most 6 openings a day"));
    }
    let read = texts.iter().map(|text| {
        let (from, to) = text.split_once('-')?;
        Some(Opening { from: minute_of(from)?, to: minute_of(to)? })
    });
    let mut openings: Vec<Opening> =
        read.collect::<Option<_>>().ok_or_else(|| fail("times such as \"09:00-17:30\""))?;
    if openings.iter().any(|opening| opening.from >= opening.to) {
        return Err(fail("an opening that begins before it ends, on the same day"));
    }
    openings.sort_unstable();
    if openings.windows(2).any(|pair| matches!(pair, [first, second] if second.from < first.to)) {
        return Err(fail("openings that do not overlap"));
    }
    Ok(openings)
}

/// Reads a time of 24 hours, `9:00` to `24:00`.
fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour, 2) || !digits(minute, 2) || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && total <= DAY).then_some(total)
}

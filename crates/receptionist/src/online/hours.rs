//! When the office is open.

use core::fmt::Write as _;

use serde::{Deserialize, Serialize};
use units::Language;

/// Minutes in a day.
const DAY: u16 = 24 * 60;

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

/// When the office is open, day by day, in the office's own time. By default nothing is known about that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours {
    known: bool,
    days: [Vec<Opening>; 7],
}

/// A stretch of a day, in minutes from midnight; `to` is the first minute that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The first minute that is open.
    pub from: u16,
    /// The first minute that is closed again, at most 1,440.
    pub to: u16,
}

impl Hours {
    /// Returns the hours of an office that opens at these times, Sunday first, each day's in order and without overlap. A
    /// day without any is closed.
    pub const fn new(days: [Vec<Opening>; 7]) -> Self {
        Self { known: true, days }
    }

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
        let (from, to) = (clock(self.from), clock(self.to));
        match language {
            Language::Hebrew => format!("מ-{from} עד {to}"),
            Language::English if self.to == DAY => format!("from {from} to midnight"),
            Language::English => format!("from {from} to {to}"),
        }
    }
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

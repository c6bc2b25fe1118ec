//! The hours of a week.

use jiff::civil::Weekday;
use serde::Deserialize;

use crate::config::ConfigError;
use crate::opening::{self, Opening};

/// Hours for each day of the week by the office's clock, `sunday = ["09:00-13:00", "16:00-19:00"]`.
///
/// `24:00` is the end of the day. A day that is not there has no hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WeeklyHours {
    /// Hours on Sunday.
    pub sunday: Vec<String>,
    /// Hours on Monday.
    pub monday: Vec<String>,
    /// Hours on Tuesday.
    pub tuesday: Vec<String>,
    /// Hours on Wednesday.
    pub wednesday: Vec<String>,
    /// Hours on Thursday.
    pub thursday: Vec<String>,
    /// Hours on Friday.
    pub friday: Vec<String>,
    /// Hours on Saturday, for an office that does not keep the Sabbath or opens after it.
    pub saturday: Vec<String>,
}

impl WeeklyHours {
    /// Returns whether any day has hours.
    pub fn is_given(&self) -> bool {
        *self != Self::default()
    }

    /// Reads the openings of each day, Sunday first, each day's in order; `field` is where the hours stand.
    ///
    /// # Errors
    ///
    /// When a day cannot be read: which, and what was expected there.
    pub fn openings(&self, field: &str) -> Result<[Vec<Opening>; 7], ConfigError> {
        let read = |day: &str, texts: &[String]| opening::read(&format!("{field}.{day}"), texts);
        Ok([
            read("sunday", &self.sunday)?,
            read("monday", &self.monday)?,
            read("tuesday", &self.tuesday)?,
            read("wednesday", &self.wednesday)?,
            read("thursday", &self.thursday)?,
            read("friday", &self.friday)?,
            read("saturday", &self.saturday)?,
        ])
    }
}

/// Weekly hours that were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Week {
    sunday: Vec<Opening>,
    monday: Vec<Opening>,
    tuesday: Vec<Opening>,
    wednesday: Vec<Opening>,
    thursday: Vec<Opening>,
    friday: Vec<Opening>,
    saturday: Vec<Opening>,
}

impl Week {
    /// Reads weekly hours; `field` is where they stand.
    pub(crate) fn new(field: &str, hours: &WeeklyHours) -> Result<Self, ConfigError> {
        let [sunday, monday, tuesday, wednesday, thursday, friday, saturday] = hours.openings(field)?;
        Ok(Self { sunday, monday, tuesday, wednesday, thursday, friday, saturday })
    }

    /// Returns the openings of a day, in order.
    pub(crate) fn on(&self, day: Weekday) -> &[Opening] {
        match day {
            Weekday::Sunday => &self.sunday,
            Weekday::Monday => &self.monday,
            Weekday::Tuesday => &self.tuesday,
            Weekday::Wednesday => &self.wednesday,
            Weekday::Thursday => &self.thursday,
            Weekday::Friday => &self.friday,
            Weekday::Saturday => &self.saturday,
        }
    }
}

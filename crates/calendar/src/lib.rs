//! When the office is open, and who answers when it is not.
//!
//! The crate decides, for any moment, whether an office in Israel is open, why, when that changes, who takes the call,
//! and whether customers may be called back. The Sabbath and the Jewish holidays are computed from the Hebrew calendar
//! and the sun over the office's city; nothing is listed by hand. Hours are read here and nowhere else, also those that
//! only are told to callers ([`WeeklyHours::openings`]).
//!
//! It does not know what time it is, what is said on a call, or how a call is transferred: time comes in as a
//! [`jiff::Timestamp`], and out come values and sentences. Daylight saving is the business of jiff's zone.
//!
//! # How a day is decided
//!
//! From the strongest to the weakest:
//!
//! 1. **Rest.** A kept Sabbath or holiday, from candle lighting on the eve to three stars at its end. Nothing opens it.
//! 2. **Special dates** of the owner replace the hours of their date, whatever day it is.
//! 3. **Days of note** (Chol ha-Moed, memorial days, Purim and the like) keep the weekly hours within their own hours.
//! 4. **Eves** of kept holidays close at an hour.
//! 5. **Weekly hours.**
//!
//! # Invariants
//!
//! - The office is never open, and nobody may be called, within a kept Sabbath or holiday.
//! - Nothing of a [`Status`] changes before its `until`.
//! - Every function answers for every timestamp; none panics.
//!
//! # Examples
//!
//! ```
//! use calendar::{Calendar, Config, Why};
//! use units::Language;
//!
//! let mut config = Config::default();
//! config.hours.sunday = vec!["09:00-17:00".to_owned()];
//! let calendar = Calendar::new(&config)?;
//!
//! // A Saturday at noon.
//! let status = calendar.at("2026-11-21T12:00:00+02:00".parse()?);
//! assert!(!status.open);
//! assert_eq!(status.why, Why::Sabbath);
//! assert_eq!(status.until, "2026-11-21T17:16:00+02:00".parse()?);
//!
//! let spoken = calendar.spoken_next_opening("2026-11-21T12:00:00+02:00".parse()?, Language::English);
//! assert_eq!(spoken, "We open tomorrow at nine in the morning.");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod day;
mod holiday;
mod opening;
mod spoken;
mod sun;
mod week;

#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

pub use self::config::{Config, ConfigError, Days, Keep, Route, Routing, Rule, When};
use self::day::{Day, Plan};
pub use self::holiday::{Holiday, Note};
pub use self::opening::Opening;
pub use self::sun::City;
pub use self::week::WeeklyHours;

/// How far ahead a change is looked for. A year and a month: every weekly and yearly change lies within.
const HORIZON: SignedDuration = SignedDuration::from_hours(400 * 24);
/// More days than [`HORIZON`] touches.
const MAX_DAYS: usize = 402;

/// The calendar of an office.
#[derive(Clone, Debug)]
pub struct Calendar {
    plan: Plan,
    zone: TimeZone,
}

/// What holds at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether the office is open.
    pub open: bool,
    /// Why it is open or closed.
    pub why: Why,
    /// The first moment at which something of this may differ. Nothing changes before; where nothing changes for 400
    /// days, it is the moment 400 days ahead.
    pub until: Timestamp,
    /// Who takes a call.
    pub route: Route,
}

/// Why the office is open or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The weekly hours say so.
    Hours,
    /// The Sabbath is kept.
    Sabbath,
    /// A holiday is kept, or the hours of a day of note leave the time out.
    Holiday {
        /// The day.
        which: Holiday,
    },
    /// The office closes early before a kept holiday.
    Eve {
        /// The holiday that begins at the end of the day.
        which: Holiday,
    },
    /// The owner said so for this date.
    SpecialDate,
}

/// A [`Status`] without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    open: bool,
    why: Why,
    route: Route,
}

impl Calendar {
    /// The zone of every office.
    pub const ZONE: &'static str = "Asia/Jerusalem";

    /// Builds the calendar.
    ///
    /// # Errors
    ///
    /// When a value of the configuration cannot be used: which field, and what was expected there.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let zone = TimeZone::get(Self::ZONE)
            .map_err(|error| ConfigError::new(format!("zone {} ({error})", Self::ZONE), "a zone that is known here"))?;
        Ok(Self { plan: Plan::new(config)?, zone })
    }

    /// Returns what holds at a moment.
    pub fn at(&self, now: Timestamp) -> Status {
        let state = self.day_of(now).state(&self.plan, now);
        let until = self
            .changes(now)
            .find(|(moment, day)| day.state(&self.plan, *moment) != state)
            .map_or_else(|| horizon(now), |(moment, _)| moment);
        Status { open: state.open, why: state.why, until, route: state.route }
    }

    /// Returns the first moment after `now` at which the office opens; while it is open, that is the opening after
    /// this one. `None` when it does not open within 400 days.
    pub fn next_opening(&self, now: Timestamp) -> Option<Timestamp> {
        let mut open = self.day_of(now).state(&self.plan, now).open;
        self.changes(now).find_map(|(moment, day)| {
            let was_open = core::mem::replace(&mut open, day.state(&self.plan, moment).open);
            (open && !was_open).then_some(moment)
        })
    }

    /// Tells whether a customer may be called back at a moment: within the call-back hours (the office's own when none
    /// are configured), and never on a kept Sabbath or holiday, on a date the owner closed, after an early closing, or
    /// outside the hours of a day of note.
    pub fn may_call(&self, now: Timestamp) -> bool {
        self.day_of(now).may_call(&self.plan, now)
    }

    /// Returns the first moment from `now` on at which a customer may be called back; `None` when there is none within
    /// 400 days.
    pub fn next_call(&self, now: Timestamp) -> Option<Timestamp> {
        if self.may_call(now) {
            return Some(now);
        }
        self.changes(now).find(|(moment, day)| day.may_call(&self.plan, *moment)).map(|(moment, _)| moment)
    }

    /// Returns the day in which a moment lies.
    fn day_of(&self, now: Timestamp) -> Day {
        Day::new(&self.plan, &self.zone, self.zone.to_datetime(now).date())
    }

    /// Returns every moment after `now` at which something may change, in order, with the day it lies in.
    fn changes(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, Day)> {
        let first = self.zone.to_datetime(now).date();
        let days = core::iter::successors(Some(first), |date| date.checked_add(1.day()).ok()).take(MAX_DAYS);
        let end = horizon(now);
        days.flat_map(move |date| {
            let day = Day::new(&self.plan, &self.zone, date);
            day.moments().into_iter().map(move |moment| (moment, day.clone()))
        })
        .skip_while(move |(moment, _)| *moment <= now)
        .take_while(move |(moment, _)| *moment <= end)
    }
}

/// Returns how far changes are looked for.
fn horizon(now: Timestamp) -> Timestamp {
    now.checked_add(HORIZON).unwrap_or(Timestamp::MAX)
}

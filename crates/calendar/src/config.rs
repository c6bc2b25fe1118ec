//! What an office says about its hours.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::holiday::Holiday;
use crate::sun::City;
use crate::week::WeeklyHours;

/// The calendar of an office, as it is written. What is left out has its default; unknown fields are refused.
///
/// ```toml
/// city = "tel_aviv"
/// closed = ["2026-08-02"]
///
/// [hours]
/// sunday = ["09:00-13:00", "16:00-19:00"]
/// friday = ["08:30-12:30"]
///
/// [dates]
/// 2026-12-31 = ["09:00-12:00"]
///
/// [keep]
/// eves_close = "12:00"
///
/// [days]
/// chol_hamoed = ["09:00-13:00"]
/// independence_day = []
///
/// [routing]
/// default = "receptionist"
/// rules = [{ when = "open", hours = ["09:00-12:00"], then = "human" }, { when = "sabbath", then = "voicemail" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The city whose sunset counts. Jerusalem unless told.
    pub city: City,
    /// Minutes of candle lighting before sunset, 0 to 120. The custom of the city unless told.
    pub candle_minutes: Option<u16>,
    /// Minutes by which rest lasts longer than until three stars are out, 0 to 60. None unless told.
    pub end_delay_minutes: u16,
    /// When the office is open, week by week. Never unless told.
    pub hours: WeeklyHours,
    /// Dates on which the office is closed.
    pub closed: Vec<String>,
    /// Dates with hours of their own, `2026-12-31 = ["09:00-12:00"]`; without hours the office is closed.
    pub dates: BTreeMap<String, Vec<String>>,
    /// What is kept as rest.
    pub keep: Keep,
    /// Days of note with hours of their own.
    pub days: Days,
    /// When customers may be called back. When the office is open unless told.
    pub call_back: Option<WeeklyHours>,
    /// Who takes a call.
    pub routing: Routing,
}

/// What is kept as rest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// Whether the Sabbath is kept. It is unless told.
    pub sabbath: bool,
    /// The holidays that are kept. All days of rest in Israel unless told.
    pub holidays: Vec<Holiday>,
    /// When the office closes on the eve of a kept holiday, `24:00` for no early closing. `13:00` unless told: the
    /// usual hour, which leaves time before the earliest candle lighting of the year, at 15:54.
    pub eves_close: String,
}

impl Default for Keep {
    fn default() -> Self {
        Self { sabbath: true, holidays: Holiday::REST.to_vec(), eves_close: "13:00".to_owned() }
    }
}

/// Days of note. Each has the hours within which the weekly hours hold on it: `[]` closes the office, a day that is
/// not there is like any other. They are counted from midnight to midnight, though some begin in the evening before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Days {
    /// The days between the first and the last of Sukkot, and of Pesach.
    pub chol_hamoed: Option<Vec<String>>,
    /// Independence Day.
    pub independence_day: Option<Vec<String>>,
    /// Memorial Day.
    pub memorial_day: Option<Vec<String>>,
    /// Holocaust Remembrance Day.
    pub holocaust_day: Option<Vec<String>>,
    /// Purim; in Jerusalem Shushan Purim.
    pub purim: Option<Vec<String>>,
    /// The eight days of Hanukkah.
    pub hanukkah: Option<Vec<String>>,
    /// Lag ba-Omer.
    pub lag_baomer: Option<Vec<String>>,
    /// Tisha be-Av.
    pub tisha_beav: Option<Vec<String>>,
}

/// Who takes a call: the first rule that fits, or else the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Routing {
    /// Who takes a call for which there is no rule. The receptionist unless told.
    pub default: Route,
    /// The rules, at most 50.
    pub rules: Vec<Rule>,
}

/// A rule of routing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// When it fits. Always unless told.
    #[serde(default)]
    pub when: When,
    /// The hours of each day in which it fits, `["22:00-24:00"]`. The whole day unless told.
    #[serde(default)]
    pub hours: Vec<String>,
    /// Who takes the call.
    pub then: Route,
}

/// When a rule fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At any time.
    #[default]
    Always,
    /// While the office is open.
    Open,
    /// While it is closed, for whatever reason.
    Closed,
    /// On a kept Sabbath, be it a holiday as well.
    Sabbath,
    /// On a kept holiday, or a day of note that has hours of its own.
    Holiday,
}

/// Who takes a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// The receptionist on the box.
    #[default]
    Receptionist,
    /// A person of the office.
    Human,
    /// The voicemail.
    Voicemail,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct ConfigError {
    /// Where, as a path, `routing.rules[2].hours`.
    pub field: String,
    /// What was expected there.
    pub expected: &'static str,
}

impl ConfigError {
    pub(crate) const fn new(field: String, expected: &'static str) -> Self {
        Self { field, expected }
    }
}

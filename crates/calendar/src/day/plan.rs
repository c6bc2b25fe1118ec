//! A configuration that was read and found right.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::Date;

use crate::config::{Config, ConfigError, Days, Route, Routing, When};
use crate::holiday::{self, Holiday, Note};
use crate::opening::{self, Opening};
use crate::sun::City;
use crate::week::Week;

/// More minutes before sunset than any custom has: the Sabbath cannot begin before the afternoon.
const MAX_CANDLE_MIN: u16 = 120;
/// More minutes after the stars than any custom has.
const MAX_DELAY_MIN: u16 = 60;
/// More rules than anybody oversees.
const MAX_RULES: usize = 50;
/// More dates than an owner enters.
const MAX_DATES: usize = 1000;

/// What the days of an office are made from.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(super) city: City,
    pub(super) before_sunset: SignedDuration,
    pub(super) after_stars: SignedDuration,
    pub(super) sabbath: bool,
    holidays: Vec<Holiday>,
    /// Minutes from midnight.
    pub(super) eves_close: u16,
    pub(super) week: Week,
    pub(super) calls: Option<Week>,
    pub(super) special: BTreeMap<Date, Vec<Opening>>,
    limits: Vec<(Note, Vec<Opening>)>,
    pub(super) default: Route,
    pub(super) rules: Vec<Rule>,
}

/// A rule of routing; without hours it fits the whole day.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) when: When,
    pub(super) hours: Vec<Opening>,
    pub(super) then: Route,
}

impl Plan {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let candle_minutes = config.candle_minutes.unwrap_or_else(|| config.city.candle_minutes());
        if candle_minutes > MAX_CANDLE_MIN {
            return Err(fail("candle_minutes", "0 to 120 minutes"));
        }
        if config.end_delay_minutes > MAX_DELAY_MIN {
            return Err(fail("end_delay_minutes", "0 to 60 minutes"));
        }
        let eves_close = opening::minute_of(&config.keep.eves_close);
        Ok(Self {
            city: config.city,
            before_sunset: SignedDuration::from_mins(candle_minutes.into()),
            after_stars: SignedDuration::from_mins(config.end_delay_minutes.into()),
            sabbath: config.keep.sabbath,
            holidays: config.keep.holidays.clone(),
            eves_close: eves_close.ok_or_else(|| fail("keep.eves_close", "a time such as \"13:00\""))?,
            week: Week::new("hours", &config.hours)?,
            calls: config.call_back.as_ref().map(|hours| Week::new("call_back", hours)).transpose()?,
            special: special_dates(config)?,
            limits: limits(&config.days)?,
            default: config.routing.default,
            rules: rules(&config.routing)?,
        })
    }

    pub(crate) const fn keeps_sabbath(&self) -> bool {
        self.sabbath
    }

    /// Returns the kept holiday whose daylight falls on a date.
    pub(super) fn holiday_on(&self, date: Date) -> Option<Holiday> {
        holiday::rest_on(date).filter(|holiday| self.holidays.contains(holiday))
    }

    /// Returns the hours of a day of note, where it has any of its own.
    pub(super) fn limit(&self, note: Note) -> Option<&[Opening]> {
        self.limits.iter().find(|(known, _)| *known == note).map(|(_, openings)| openings.as_slice())
    }
}

fn fail(field: &str, expected: &'static str) -> ConfigError {
    ConfigError::new(field.to_owned(), expected)
}

/// Reads the owner's dates, those with hours and the closed ones.
fn special_dates(config: &Config) -> Result<BTreeMap<Date, Vec<Opening>>, ConfigError> {
    if config.dates.len() > MAX_DATES {
        return Err(fail("dates", "at most 1000 dates"));
    }
    if config.closed.len() > MAX_DATES {
        return Err(fail("closed", "at most 1000 dates"));
    }
    let mut dates = BTreeMap::new();
    for (text, openings) in &config.dates {
        let field = format!("dates.{text}");
        dates.insert(date(&field, text)?, opening::read(&field, openings)?);
    }
    for (index, text) in config.closed.iter().enumerate() {
        let field = format!("closed[{index}]");
        if dates.insert(date(&field, text)?, Vec::new()).is_some_and(|openings| !openings.is_empty()) {
            return Err(ConfigError::new(field, "a date without hours in dates"));
        }
    }
    Ok(dates)
}

/// Reads a date, strictly as `2026-12-31`.
fn date(field: &str, text: &str) -> Result<Date, ConfigError> {
    let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
    date.ok_or_else(|| fail(field, "a date such as 2026-12-31"))
}

fn limits(days: &Days) -> Result<Vec<(Note, Vec<Opening>)>, ConfigError> {
    let fields = [
        (Note::CholHaMoedSukkot, "chol_hamoed", &days.chol_hamoed),
        (Note::CholHaMoedPesach, "chol_hamoed", &days.chol_hamoed),
        (Note::IndependenceDay, "independence_day", &days.independence_day),
        (Note::MemorialDay, "memorial_day", &days.memorial_day),
        (Note::HolocaustDay, "holocaust_day", &days.holocaust_day),
        (Note::Purim, "purim", &days.purim),
        (Note::Hanukkah, "hanukkah", &days.hanukkah),
        (Note::LagBaOmer, "lag_baomer", &days.lag_baomer),
        (Note::TishaBeAv, "tisha_beav", &days.tisha_beav),
    ];
    let read = fields.into_iter().filter_map(|(note, field, texts)| {
        let texts = texts.as_ref()?;
        Some(opening::read(&format!("days.{field}"), texts).map(|openings| (note, openings)))
    });
    read.collect()
}

fn rules(routing: &Routing) -> Result<Vec<Rule>, ConfigError> {
    if routing.rules.len() > MAX_RULES {
        return Err(fail("routing.rules", "at most 50 rules"));
    }
    let read = routing.rules.iter().enumerate().map(|(index, rule)| {
        let hours = opening::read(&format!("routing.rules[{index}].hours"), &rule.hours)?;
        Ok(Rule { when: rule.when, hours, then: rule.then })
    });
    read.collect()
}

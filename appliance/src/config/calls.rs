//! Which way calls go.

use std::num::NonZeroU32;
use std::time::Duration;

use calendar::WeeklyHours;
use routing::{CallRate, Otherwise, Refusal};
use serde::Deserialize;
use serde::de::Error as _;

use super::Config;

/// How callers are put through to a person, to `office.transfer_number`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transfer {
    /// Whether the person hears who calls and why, and takes the call with a key. Default yes: without, the voicemail of a
    /// mobile telephone takes calls too.
    pub announce: bool,
    /// The key that takes a call. Default `1`.
    #[serde(deserialize_with = "key")]
    pub key: char,
    /// How long the person's telephone rings. Default 20 s, at most 10 minutes.
    #[serde(with = "humantime_serde")]
    pub ring: Duration,
    /// When callers who ask for a person are put through. Default while the office is `open` by `[calendar]`; without a
    /// calendar nobody said when that is, and they are put through at any hour. The hours that a rule of the calendar gives
    /// to a person are not meant here: then callers are put through unasked.
    pub when: TransferWhen,
    /// Where a caller goes whom nobody takes: back to the `receptionist` (the default), or to `voicemail`.
    pub otherwise: Otherwise,
}

impl Default for Transfer {
    fn default() -> Self {
        Self {
            announce: true,
            key: '1',
            ring: Duration::from_secs(20),
            when: TransferWhen::default(),
            otherwise: Otherwise::default(),
        }
    }
}

/// When callers who ask for a person are put through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferWhen {
    /// While the office is open.
    #[default]
    Open,
    /// At any hour.
    Always,
}

/// Who is not wanted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Callers {
    /// What a number on the block list hears: `busy` (the default), or `voicemail`.
    pub blocked: Refusal,
    /// What a number hears that calls too often: `busy` (the default), or `voicemail`.
    pub hurried: Refusal,
    /// Calls of one number within `within`; one more is too often. Default 10.
    pub calls: NonZeroU32,
    /// The time in which calls are counted. Default 10 minutes.
    #[serde(with = "humantime_serde")]
    pub within: Duration,
}

impl Default for Callers {
    fn default() -> Self {
        Self {
            blocked: Refusal::default(),
            hurried: Refusal::default(),
            calls: NonZeroU32::MIN.saturating_add(9),
            within: Duration::from_mins(10),
        }
    }
}

impl Callers {
    /// Returns how often one number may call.
    pub fn rate(&self) -> CallRate {
        CallRate { calls: self.calls, within: self.within }
    }
}

/// How customers are called who asked for it: within `calendar.call_back`, or else the office's hours (`calendar.hours`), or
/// where neither is given from Sunday to Thursday 09:00 to 19:00 and on Friday until noon. Never on a kept Sabbath or holiday,
/// and nobody is called while the box does not know what time it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallBacks {
    /// The number that customers see, in E.164, one of the account's. Default none: nobody is called.
    pub from: Option<units::Pii<String>>,
    /// Tries in all. Default 3.
    pub tries: NonZeroU32,
    /// Wait after a try that reached nobody, doubled with each. Default 30 minutes.
    #[serde(with = "humantime_serde")]
    pub wait: Duration,
    /// How long a customer's telephone rings. Default 30 s.
    #[serde(with = "humantime_serde")]
    pub ring: Duration,
}

impl Default for CallBacks {
    fn default() -> Self {
        Self {
            from: None,
            tries: NonZeroU32::MIN.saturating_add(2),
            wait: Duration::from_mins(30),
            ring: Duration::from_secs(30),
        }
    }
}

impl Config {
    /// Returns the calendar that says when customers may be called, whether one is configured or not.
    pub fn call_back_calendar(&self) -> calendar::Config {
        let mut calendar = self.calendar.clone().unwrap_or_default();
        if !calendar.hours.is_given() {
            calendar.call_back.get_or_insert_with(usual_hours);
        }
        calendar
    }
}

/// Returns the hours at which customers may be called where nobody says otherwise.
fn usual_hours() -> WeeklyHours {
    let day = vec!["09:00-19:00".to_owned()];
    WeeklyHours {
        sunday: day.clone(),
        monday: day.clone(),
        tuesday: day.clone(),
        wednesday: day.clone(),
        thursday: day,
        friday: vec!["09:00-12:00".to_owned()],
        saturday: Vec::new(),
    }
}

fn key<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<char, D::Error> {
    let key = char::deserialize(deserializer)?;
    if key.is_ascii_digit() { Ok(key) } else { Err(D::Error::custom("expected a key from 0 to 9")) }
}

//! Which way calls go.

use std::num::NonZeroU32;
use std::time::Duration;

use routing::{CallRate, Otherwise, Refusal};
use serde::Deserialize;
use serde::de::Error as _;

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

/// How customers are called who asked for it. They are called within the calendar's call-back hours, and never on a kept
/// Sabbath or holiday.
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

fn key<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<char, D::Error> {
    let key = char::deserialize(deserializer)?;
    if key.is_ascii_digit() { Ok(key) } else { Err(D::Error::custom("expected a key from 0 to 9")) }
}

//! Names of leads.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a lead: 12 hexadecimal digits of the time when it was made, then 8 of chance. Names sort by that time,
/// and tell nothing of the person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LeadId {
    at: u64,
    chance: u32,
}

/// The bits of the time that fit: enough until the year 10889.
const TIME_BITS: u64 = (1 << 48) - 1;

impl LeadId {
    /// Makes a name of the time, in milliseconds since 1970, and chance.
    pub const fn new(at_wall_ms: u64, chance: u32) -> Self {
        Self { at: at_wall_ms & TIME_BITS, chance }
    }

    /// Returns it as twelve bytes that sort as names do.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        let (time, chance) = bytes.split_at_mut(8);
        time.copy_from_slice(&self.at.to_be_bytes());
        chance.copy_from_slice(&self.chance.to_be_bytes());
        bytes
    }

    /// Reads the bytes; `None` when they are of no name.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (time, chance) = bytes.split_at_checked(8)?;
        let at = u64::from_be_bytes(time.try_into().ok()?);
        let chance = u32::from_be_bytes(chance.try_into().ok()?);
        (at <= TIME_BITS).then_some(Self { at, chance })
    }
}

impl fmt::Display for LeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}{:08x}", self.at, self.chance)
    }
}

impl fmt::Debug for LeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeadId({self})")
    }
}

impl FromStr for LeadId {
    type Err = ParseLeadIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_one = text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let (time, chance) = text.split_at_checked(12).filter(|_| is_one).ok_or(ParseLeadIdError)?;
        let at = u64::from_str_radix(time, 16).map_err(|_not_hex| ParseLeadIdError)?;
        let chance = u32::from_str_radix(chance, 16).map_err(|_not_hex| ParseLeadIdError)?;
        Ok(Self { at, chance })
    }
}

impl TryFrom<String> for LeadId {
    type Error = ParseLeadIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LeadId> for String {
    fn from(id: LeadId) -> Self {
        id.to_string()
    }
}

/// A text that names no lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 20 hexadecimal digits")]
pub struct ParseLeadIdError;

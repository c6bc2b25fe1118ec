//! What the owner may say about messages.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// Longest message that may be allowed, in seconds: what the box fetches at most.
const MOST_SECONDS: u32 = 3_600;
/// Longest silence that may be waited for, in seconds.
const MOST_SILENCE: u32 = 60;

/// Messages callers leave.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Voicemail {
    /// Whether the box records messages itself where it can still play and record; otherwise, and whenever it cannot,
    /// the carrier records them. Default yes.
    pub on_device: bool,
    /// Longest message, in whole seconds, 1 to 3,600. Default 180.
    #[serde(deserialize_with = "message_seconds")]
    pub max_seconds: u32,
    /// Silence that ends a message, in whole seconds, 1 to 60. Default 5.
    #[serde(deserialize_with = "silence_seconds")]
    pub silence_seconds: u32,
    /// Whether a message is deleted at the carrier once it is safe on the device. Default no.
    pub delete_at_carrier: bool,
}

impl Default for Voicemail {
    fn default() -> Self {
        Self { on_device: true, max_seconds: 180, silence_seconds: 5, delete_at_carrier: false }
    }
}

impl Voicemail {
    /// Returns the longest message.
    pub fn longest(&self) -> Duration {
        Duration::from_secs(self.max_seconds.into())
    }

    /// Returns the silence that ends a message.
    pub fn silence(&self) -> Duration {
        Duration::from_secs(self.silence_seconds.into())
    }
}

fn message_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    seconds(deserializer, MOST_SECONDS)
}

fn silence_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    seconds(deserializer, MOST_SILENCE)
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D, most: u32) -> Result<u32, D::Error> {
    let given = u32::deserialize(deserializer)?;
    if (1..=most).contains(&given) {
        Ok(given)
    } else {
        Err(de::Error::custom(format!("expected whole seconds from 1 to {most}")))
    }
}

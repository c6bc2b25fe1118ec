//! Names of messages.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::text::hex;

/// A provider's name for one message: `SM…` or `MM…` at Twilio, `wamid.…` at Meta.
///
/// Between 1 and 256 visible ASCII characters. A name of Meta's encodes the number of the other side, so `Debug`
/// shows eight hexadecimal digits of its SHA-256: enough to follow a message through a log. There is no `Display`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageId(String);

impl MessageId {
    /// The longest name accepted, in bytes.
    pub const MAX_LEN: usize = 256;

    /// Returns the name as text: for the provider and the store, never for a log.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MessageId {
    type Err = ParseMessageIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        let clean = text.bytes().all(|b| b.is_ascii_graphic());
        if fits && clean { Ok(Self(text.to_owned())) } else { Err(ParseMessageIdError) }
    }
}

impl TryFrom<String> for MessageId {
    type Error = ParseMessageIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MessageId> for String {
    fn from(id: MessageId) -> Self {
        id.0
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest: String = hex(&Sha256::digest(self.0.as_bytes())).chars().take(8).collect();
        f.debug_tuple("MessageId").field(&format_args!("{digest}")).finish()
    }
}

/// A text that does not name a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 256 visible ASCII characters")]
pub struct ParseMessageIdError;

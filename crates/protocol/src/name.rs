//! Names: of devices, of commands, of events, and words of an open list.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::{MAX_ID_LEN, MAX_WORD_LEN};

/// A text that is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct ParseNameError {
    /// What would have been one.
    pub expected: &'static str,
}

/// What a device or command name looks like.
pub(crate) const ID_EXPECTED: &str = "1 to 64 of a-z, 0-9 and '-', the first no '-'";
/// What a word looks like.
pub(crate) const WORD_EXPECTED: &str = "1 to 64 of a-z, 0-9, '_', '-' and '.', the first a letter";
/// What the identity of an event looks like.
pub(crate) const EVENT_ID_EXPECTED: &str = "a UUID in five groups with hyphens";

/// Name of a device: 1 to 64 of `a-z`, `0-9` and `-`, the first one not `-`.
///
/// It is one level of a topic and the common name of the device's certificate, so it can hold neither a separator nor
/// a wildcard, and there is one way to write it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceId(String);

/// Name of a command: the same characters as a [`DeviceId`]. A UUID in lower case is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommandId(String);

/// A word of an open list (an outcome, a reason): 1 to 64 of `a-z`, `0-9`, `_`, `-` and `.`, the first one a letter.
///
/// The list is open because device and gateway are never upgraded together; a word nobody knows is carried on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Word(Cow<'static, str>);

/// Identity of an event: a UUID, given once, when the fact is stored. Two events with the same number and different
/// identities are two facts, and one of them was numbered wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId(uuid::Uuid);

impl DeviceId {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CommandId {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Word {
    /// Makes a word of this program, to be used in constants.
    ///
    /// # Panics
    ///
    /// When it is no word; in a constant that is an error of compilation.
    pub const fn known(word: &'static str) -> Self {
        assert!(is_word(word), "a word has 1 to 64 of a-z, 0-9, '_', '-' and '.', the first a letter");
        Self(Cow::Borrowed(word))
    }

    /// Returns the word as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EventId {
    /// Makes an identity (UUID version 4) of 16 random bytes.
    pub fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Returns the 16 bytes of the UUID, as they are stored.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Returns the identity with these 16 bytes, as they were stored.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Uuid::from_bytes(bytes))
    }
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID_LEN).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Written as a loop, for a constant can be checked with it.
pub(crate) const fn is_word(text: &str) -> bool {
    let mut rest = text.as_bytes();
    let [b'a'..=b'z', ..] = rest else { return false };
    if rest.len() > MAX_WORD_LEN {
        return false;
    }
    while let [byte, behind @ ..] = rest {
        if !byte.is_ascii_lowercase() && !byte.is_ascii_digit() && !matches!(byte, b'_' | b'-' | b'.') {
            return false;
        }
        rest = behind;
    }
    true
}

impl FromStr for DeviceId {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_id(text) { Ok(Self(text.to_owned())) } else { Err(ParseNameError { expected: ID_EXPECTED }) }
    }
}

impl FromStr for CommandId {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_id(text) { Ok(Self(text.to_owned())) } else { Err(ParseNameError { expected: ID_EXPECTED }) }
    }
}

impl FromStr for Word {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_word(text) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(ParseNameError { expected: WORD_EXPECTED })
        }
    }
}

impl FromStr for EventId {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const HYPHENATED_LEN: usize = 36;
        let parsed = if text.len() == HYPHENATED_LEN { uuid::Uuid::try_parse(text).ok() } else { None };
        parsed.map(Self).ok_or(ParseNameError { expected: EVENT_ID_EXPECTED })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// Text in and out for names that are text inside.
macro_rules! shown_as_text {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    )*};
}
pub(crate) use shown_as_text;

/// What serde needs of a name that is read and shown as text.
macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl TryFrom<String> for $name {
            type Error = $crate::name::ParseNameError;

            fn try_from(text: String) -> Result<Self, $crate::name::ParseNameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }
    )*};
}
pub(crate) use serde_as_text;

shown_as_text!(DeviceId, CommandId, Word);
serde_as_text!(DeviceId, CommandId, Word, EventId);

//! Names the carrier gives to things other than the call itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use units::ParseIdError;

/// Defines a carrier's name: 1 to 64 ASCII letters, digits, `-` or `_`, safe in a path, a URL and a log field.
macro_rules! carrier_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The longest name accepted, in bytes.
            pub const MAX_LEN: usize = 64;

            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let fits = (1..=Self::MAX_LEN).contains(&text.len());
                let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
                if fits && clean { Ok(Self(text.to_owned())) } else { Err(ParseIdError) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

carrier_id! {
    /// The account a request belongs to (Twilio: `AccountSid`, `AC` and 32 hexadecimal digits).
    AccountId
}
carrier_id! {
    /// One media stream (Twilio: `StreamSid`, `MZ` and 32 hexadecimal digits).
    StreamId
}
carrier_id! {
    /// One recording kept by the carrier (Twilio: `RecordingSid`, `RE` and 32 hexadecimal digits).
    RecordingId
}

/// A key of the telephone: `0` to `9`, `*`, `#`, or `A` to `D`.
///
/// Keys may spell a card number, so `Debug` does not show which one it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digit(char);

impl Digit {
    /// Returns the key with this label, or `None` if no telephone has it. Small letters are accepted.
    pub const fn new(label: char) -> Option<Self> {
        let label = label.to_ascii_uppercase();
        match label {
            '0'..='9' | '*' | '#' | 'A'..='D' => Some(Self(label)),
            _ => None,
        }
    }

    /// Returns the label on the key.
    pub const fn label(self) -> char {
        self.0
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digit")
    }
}

impl FromStr for Digit {
    type Err = ParseDigitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(label), None) => Self::new(label).ok_or(ParseDigitError),
            _ => Err(ParseDigitError),
        }
    }
}

/// A text that is not one key of a telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of 0-9, *, #, A-D")]
pub struct ParseDigitError;

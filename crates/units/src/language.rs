//! The languages the box speaks.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A language the box hears and speaks. Written as its ISO 639-1 code, `he` or `en`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Language {
    /// Hebrew, `he`. The first language of the box.
    #[default]
    #[serde(rename = "he")]
    Hebrew,
    /// English, `en`.
    #[serde(rename = "en")]
    English,
}

impl Language {
    /// Every language, in order of preference.
    pub const ALL: [Self; 2] = [Self::Hebrew, Self::English];

    /// Returns the ISO 639-1 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Hebrew => "he",
            Self::English => "en",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Language {
    type Err = ParseLanguageError;

    /// Reads a code or a tag that starts with one: `he`, `he-IL`, `en-US`. The withdrawn code `iw` is Hebrew too.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let primary = text.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("he") || primary.eq_ignore_ascii_case("iw") {
            Ok(Self::Hebrew)
        } else if primary.eq_ignore_ascii_case("en") {
            Ok(Self::English)
        } else {
            Err(ParseLanguageError)
        }
    }
}

/// A text that names no language of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseLanguageError;

impl fmt::Display for ParseLanguageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 'he' or 'en'")
    }
}

impl core::error::Error for ParseLanguageError {}

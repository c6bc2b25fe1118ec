//! Keys.

use std::fmt;
use std::str::FromStr;

/// A key that opens a provider's account. Never shown: `Debug` writes `[secret]`, and there is no `Display`.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// Returns the key made of this text, as it stands in a credential file: white space around it is dropped.
    ///
    /// # Errors
    ///
    /// When nothing is left, or something that no header can carry.
    pub fn new(text: &str) -> Result<Self, ApiKeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ApiKeyError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ApiKeyError::Characters);
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the key, for the header of a request only.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for ApiKey {
    type Err = ApiKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// There is nothing in it.
    #[error("key is empty")]
    Empty,
    /// It has white space or other characters in its middle that no key has.
    #[error("key has characters that are not visible ASCII")]
    Characters,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_trimmed_and_hidden() {
        let key: ApiKey = " sk-secret\n".parse().unwrap();
        assert_eq!((key.expose(), format!("{key:?}").as_str()), ("sk-secret", "[secret]"));
        assert_eq!(ApiKey::new("\n").unwrap_err(), ApiKeyError::Empty);
        assert_eq!(ApiKey::new("sk-a\nsk-b").unwrap_err(), ApiKeyError::Characters);
    }
}

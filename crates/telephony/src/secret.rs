//! Signing keys.

use std::fmt;
use std::str::FromStr;

/// A key the carrier signs with: the account's auth token, or a shared key made for webhooks.
///
/// Never shown: `Debug` writes `[secret]`, and there is no `Display`.
#[derive(Clone)]
pub struct AuthKey(Vec<u8>);

impl AuthKey {
    /// Returns the key made of these bytes.
    ///
    /// # Errors
    ///
    /// When there are none: an empty key would verify what anybody can sign.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, EmptyKeyError> {
        let bytes = bytes.into();
        if bytes.is_empty() { Err(EmptyKeyError) } else { Ok(Self(bytes)) }
    }

    /// Returns the bytes of the key, for the authentication code only.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for AuthKey {
    type Err = EmptyKeyError;

    /// Reads a key as it stands in a credential file: white space around it, such as a final line feed, is dropped.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text.trim())
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A signing key without a byte in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signing key is empty, expected the carrier's auth token")]
pub struct EmptyKeyError;

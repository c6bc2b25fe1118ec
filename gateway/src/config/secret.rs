//! Secrets.

use std::fmt;

/// A key. Shown as `[secret]`, whatever is asked of it; compared by the code that signs, in constant time.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a key; white space around it (the line feed of a file) does not belong to it.
    pub fn new(key: &str) -> Self {
        Self(key.trim().to_owned())
    }

    /// Returns the key.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether there is no key in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

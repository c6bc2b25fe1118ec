//! Personal data.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Something about a person: a phone number, a name, what somebody said.
///
/// It is stored and sent, never logged: `Debug` and `Display` show `[pii]`, whatever is inside. Getting at the
/// value takes [`Pii::reveal`], which is easy to search for.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pii<T>(T);

impl<T> Pii<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns what is inside, to be shown to the owner, stored, or spoken; never to be logged.
    pub const fn reveal(&self) -> &T {
        &self.0
    }

    /// Unwraps the value.
    pub fn into_revealed(self) -> T {
        self.0
    }

    /// Returns the value made by `f` from the one inside, still wrapped.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Pii<U> {
        Pii(f(self.0))
    }
}

impl<T> From<T> for Pii<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[pii]")
    }
}

impl<T> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[pii]")
    }
}

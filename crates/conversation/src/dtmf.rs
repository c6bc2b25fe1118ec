//! Collects keys into a number.

use alloc::string::String;

use crate::input::Digit;

/// The keys pressed since the last complete number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    pressed: String,
    /// How many keys the brain expects, if it asked for a number.
    expected: Option<u8>,
}

/// What a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pressed {
    /// A `#` with nothing before it, or one key more than there is room for.
    Nothing,
    /// The number goes on.
    More,
    /// The number is complete.
    Complete,
    /// `0` alone, while no number is expected.
    Zero,
}

impl Keys {
    /// Forgets what was pressed, and expects a number of at most `expected` keys if the brain asked for one.
    pub(crate) fn restart(&mut self, expected: Option<u8>) {
        self.pressed.clear();
        self.expected = expected;
    }

    /// Takes one key. `most` is the limit when the brain set none.
    pub(crate) fn press(&mut self, digit: Digit, most: u8) -> Pressed {
        let key = digit.reveal();
        if key == '#' {
            return if self.pressed.is_empty() { Pressed::Nothing } else { Pressed::Complete };
        }
        let most = self.expected.unwrap_or(most).max(1);
        if self.pressed.len() >= usize::from(most) {
            return Pressed::Nothing;
        }
        self.pressed.push(key);
        if self.pressed.len() >= usize::from(most) {
            Pressed::Complete
        } else if self.is_zero() && self.expected.is_none() {
            Pressed::Zero
        } else {
            Pressed::More
        }
    }

    /// Returns whether nothing but a single `0` was pressed.
    pub(crate) fn is_zero(&self) -> bool {
        self.pressed == "0"
    }

    /// Returns how many digits the brain expects.
    pub(crate) const fn expected(&self) -> Option<u8> {
        self.expected
    }

    /// Returns what was pressed, and forgets it.
    pub(crate) fn take(&mut self) -> String {
        core::mem::take(&mut self.pressed)
    }
}

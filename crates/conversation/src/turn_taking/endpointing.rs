//! How long a pause must be to end the caller's turn.

use core::time::Duration;

use units::Language;

use crate::config::Endpointing;
use crate::words::{Completeness, completeness};

/// Returns the silence after which somebody who said `text` is taken to be done. `digits` is how many are expected.
pub(super) fn delay(config: &Endpointing, text: &str, language: Language, digits: Option<u8>) -> Duration {
    if text.trim().is_empty() {
        return config.min_delay;
    }
    match completeness(text, language, digits) {
        Completeness::Finished => config.min_delay,
        Completeness::Unsure => config.unsure_delay,
        Completeness::Unfinished => config.max_delay,
    }
}

//! Numbers with units, identities and personal data: the words every other crate speaks in.
//!
//! A raw `u64` cannot say whether it counts milliseconds or samples, a `String` cannot say whether it may be
//! logged. The types here can. They hold no logic beyond arithmetic that saturates instead of wrapping.
//!
//! This crate deliberately knows no clock, carrier, file or language rule. It is `no_std`, so that neither a
//! clock nor a thread can be named by what is built on it.
//!
//! **Invariant:** arithmetic on these types never panics and never wraps.
//! **Invariant:** [`Pii`] never shows what it holds, neither by `Debug` nor by `Display`.
#![no_std]

extern crate alloc;

mod id;
mod language;
mod media_time;
mod pii;
mod time;

pub use crate::id::{CallId, ParseIdError, TurnId, UtteranceId};
pub use crate::language::{Language, ParseLanguageError};
pub use crate::media_time::{SampleCount, SampleRate};
pub use crate::pii::Pii;
pub use crate::time::CallTime;

#[cfg(test)]
mod tests;

//! What is fuzzed: one function per reader of bytes from outside, which panics when a promise of that reader is broken.
//!
//! The fuzzer of `tests/fuzz` calls these functions with bytes it makes up; the tests of this crate call them with the
//! corpora in `tests/fuzz/corpus`, so that whatever was found once is looked at on each `make test`.
//!
//! | target | reads | promises |
//! |---|---|---|
//! | [`webhook_form()`] | forms, signed webhooks, every value in them | limits hold; what is taken is written and read the same; only what was signed is believed; nothing personal shows |
//! | [`meta_json()`] | the Cloud API's bodies, challenges and answers | the same |
//! | [`media_frame()`] | frames of a media stream, one a line | the same, and the guard counts right and lets no flood through |
//! | [`markup()`] | call markup | what is read is written and read the same |
//! | [`call_log()`] | call logs | what is read is written and read the same; a replay does not depend on when it was woken |
//!
//! It deliberately knows nothing of fuzzers: any bytes will do.

#![expect(clippy::missing_panics_doc, reason = "to panic when a promise is broken is what these functions are for")]

mod call_log;
mod markup;
mod media_frame;
mod meta_json;
mod webhook_form;

pub use self::call_log::call_log;
pub use self::markup::markup;
pub use self::media_frame::media_frame;
pub use self::meta_json::meta_json;
pub use self::webhook_form::webhook_form;

/// A target: it panics when the bytes break a promise.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its corpus too.
pub const TARGETS: [(&str, Target); 5] = [
    ("call_log", call_log),
    ("markup", markup),
    ("media_frame", media_frame),
    ("meta_json", meta_json),
    ("webhook_form", webhook_form),
];

/// What is put into values that are personal, to see whether it shows anywhere. No text of ours has these letters, and
/// `Debug` does not escape them.
const MARK: &str = "זהסוד";

/// Checks that nothing personal is in a text that may be logged.
fn assert_nothing_personal(shown: &str) {
    assert!(!shown.contains(MARK), "personal data shows: {shown}");
}

#[cfg(test)]
mod tests;

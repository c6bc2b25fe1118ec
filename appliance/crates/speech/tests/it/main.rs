//! Speaking, keeping and detecting, with real programs and with ones that misbehave.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "helpers of tests fail like tests, and say what they measured or skipped"
)]

mod cache;
mod espeak;
mod mp3;
mod pools;
mod support;
mod vad;

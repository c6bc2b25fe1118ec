//! `OpenAI` and Google as they look from a box, with their faults, as a plain HTTP client sees them.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod faults;
mod google;
mod nowhere;
mod openai;
mod support;

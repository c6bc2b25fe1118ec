//! The clients against the clouds, with all their faults.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod faults;
mod google;
mod nowhere;
mod openai;
mod secrecy;
mod strangers;
mod support;

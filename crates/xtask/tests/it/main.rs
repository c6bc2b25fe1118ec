//! The scripts that people run, on a machine made of stand-ins.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod setup;

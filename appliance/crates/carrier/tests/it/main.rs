//! The client against the carrier of `testcall`, over real sockets on loopback, and against the official description.
#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]

mod client;
mod constraints;

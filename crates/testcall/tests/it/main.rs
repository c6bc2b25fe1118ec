//! The carrier against a tiny box: everything over real sockets on loopback, as fast as possible.
#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]

mod calls;
mod dials;
mod rest;
mod tiny_box;

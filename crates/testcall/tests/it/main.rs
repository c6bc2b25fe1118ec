//! The carrier against a tiny box: everything over real sockets on loopback, as fast as possible.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod calls;
mod tiny_box;

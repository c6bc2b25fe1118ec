//! The servers and the bad network, as tests use them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

mod proxy;
mod servers;

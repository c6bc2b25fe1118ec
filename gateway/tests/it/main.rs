//! The gateway between a real broker and real databases.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

mod api;
mod brokers;
mod chores;
mod devices;
mod ingest;
mod program;
mod servers;
mod store;

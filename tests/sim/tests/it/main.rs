//! The simulator against real servers: Mosquitto and the gateway, which stores what it gets in `SQLite`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

mod behaviours;
mod gateway;
mod program;

//! The cloud side of Kolbox: takes in what devices send, keeps it, and says how far it is kept; knows the fleet and tells
//! each device what is wished of it.
//!
//! Decided in pure code, without a clock or a socket: which numbers of a stream are there and what a batch adds
//! ([`ingest::sequences`], [`ingest::plan`]), what a message makes of a device ([`fleet`]). Everything else is a thin shell
//! around it: [`ingest::worker`] speaks MQTT, [`db`] speaks SQL, [`http`] answers operators, [`broker`] is the embedded
//! broker, and [`app`] builds them from the [`config`] and owns the order in which they start and stop.
//!
//! It knows nothing of calls, audio or models: an event's data is text that is stored as it came.
//!
//! **Invariant:** a message is acknowledged to the broker, and a watermark told to the device, after the commit.
//! **Invariant:** no message of one device can hold up another's, whatever it holds.
//! **Invariant:** every queue, buffer and wait has a limit with a name.

pub mod app;
pub mod audit;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod db;
pub mod fleet;
pub mod health;
pub mod housekeeping;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod mqtt;

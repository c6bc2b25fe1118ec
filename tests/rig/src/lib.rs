//! Real servers for tests and campaigns: each on a free port, in a folder of its own, gone when dropped.
//!
//! [`Mosquitto`], [`Postgres`], [`Gateway`] and [`Kolbox`] are processes that can be killed as a power cut would and started again
//! on the same port and folder. [`Proxy`] stands between a client and a server and cuts, holds back or delays what
//! passes. Nothing here needs an async runtime, and all of it may be used inside one: what waits is bounded by a
//! deadline and short.
//!
//! It knows no crate of ours: what is under test is found beside the program that runs, or named by whoever tests.
//!
//! **Invariant:** nothing waits for a time; it looks for a state, with a deadline.
//! **Invariant:** every process and thread ends with the value that stands for it.

mod error;
mod folder;
mod gateway;
mod kolbox;
mod memory;
mod mosquitto;
mod port;
mod postgres;
mod process;
mod proxy;

pub use self::error::RigError;
pub use self::gateway::{Answer, Gateway, beside_current_program};
pub use self::kolbox::Kolbox;
pub use self::memory::{Memory, memory};
pub use self::mosquitto::Mosquitto;
pub use self::port::free_port;
pub use self::postgres::Postgres;
pub use self::proxy::{Conditions, Flow, Proxy};

//! Carries events to the gateway and its wishes and commands to the box, over MQTT 5.
//!
//! Three cores decide, without socket, disk or clock: [`link`] which broker is connected when, [`outbox`] which events
//! are sent next and what may be removed, [`inbox`] which wishes and commands are acted on. [`run`] drives them over
//! rumqttc, with a store and a host that are handed in. This is the only crate that names rumqttc, and no type of it is
//! in a public signature.
//!
//! It deliberately does not know how events are stored, what they tell, where configuration is read, or how a wish is
//! applied.
//!
//! MQTT is only the wire. What is to be sent lies in the store until the gateway says that it has it; a broker that
//! forgets, a session that is gone, a PUBACK that means nothing but "arrived here" cost a repetition at most. Nothing
//! depends on the wall clock: time is counted from the start of the program, and certificates are checked against a
//! clock that never stands before a given moment ([`tls`]).
//!
//! **Invariant:** an event leaves the store only when a watermark covers it.
//! **Invariant:** every queue and channel has a bound; a core never waits for another.
//! **Invariant:** every task belongs to [`run`] and is joined before it returns.

mod config;
mod driver;
mod host;
pub mod inbox;
pub mod link;
mod mqtt;
pub mod outbox;
pub mod tls;

#[cfg(test)]
mod tests;

pub use crate::config::SyncConfig;
pub use crate::driver::run;
pub use crate::host::{Host, HostFuture, InboxStore, LinkStatus, SavedInbox, SyncStatus};
pub use crate::mqtt::{Broker, ParseBrokerError};

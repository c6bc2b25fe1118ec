//! Thousands of simulated devices in one process, against a real broker and a real gateway.
//!
//! What a device does is decided without a socket and without a clock: [`life`] when it makes events, is cut off, floods
//! and sends rubbish, [`device`] what goes over the wire, with the link and the outbox of the box itself (crate `sync`)
//! and a store in memory ([`shelf`]). [`fleet`] is the shell around it: one task for each device with a connection of
//! rumqttc, real MQTT 5 and, if asked for, real TLS with a certificate for each ([`tls`]). [`tally`] counts.
//!
//! It deliberately knows no database and no gateway: what is stored, it knows from watermarks.
//!
//! **Invariant:** nothing counts as stored that no watermark covers.
//! **Invariant:** the same seed gives each device the same life; what the network makes of it is another matter.
//! **Invariant:** what one device holds is bounded, whatever the script says and however long the gateway is away.

pub mod bad;
pub mod behaviour;
pub mod bench;
pub mod cli;
pub mod device;
pub mod fleet;
pub mod life;
pub mod machine;
pub mod report;
pub mod run;
pub mod shelf;
pub mod tally;
pub mod tls;
pub mod wire;

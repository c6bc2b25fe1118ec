//! The cores, with time and faults as arguments.

mod inbox;
mod link;
mod outbox;
mod world;

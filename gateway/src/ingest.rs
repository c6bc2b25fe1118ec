//! Takes in what devices send.
//!
//! [`wire`] reads a message, [`plan`] decides what becomes of it with the help of [`sequences`], [`commit`] carries that out
//! in one transaction for many messages, [`worker`] does it for what a broker delivers, and
//! [`teller`] tells devices how far they are stored.

pub mod commit;
pub mod plan;
pub mod sequences;
mod teller;
pub mod wire;
pub mod worker;

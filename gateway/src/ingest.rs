//! Takes in what devices send.
//!
//! [`wire`] reads a message, [`plan`] decides what becomes of it with the help of [`sequences`], [`commit`] carries that out
//! in one transaction for many messages, and [`worker`] does it for what a broker delivers.

pub mod commit;
pub mod plan;
pub mod sequences;
pub mod wire;
pub mod worker;

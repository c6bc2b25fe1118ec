//! The fleet: what is known of each device, and what is wished of it.

pub mod control;
pub mod device;
mod standing;
pub mod store;

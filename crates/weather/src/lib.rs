//! Who serves a turn: this device or the cloud.
#![no_std]

extern crate alloc;

mod failure;
mod money;
mod stage;

pub use crate::failure::{Failure, FailureKind, Outcome};
pub use crate::money::Micros;
pub use crate::stage::Stage;

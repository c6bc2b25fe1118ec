//! Which way a call goes: to the receptionist, to a person, to voicemail, or nowhere.
//!
//! A call of the office is more than its conversation. Before it stands who calls and what the hours say, between its
//! media streams a person may be dialled, and behind it the line has to be freed. [`Course`] decides all of that, from
//! the ring to the end: it is told what the carrier reports ([`Event`]) and says what the carrier shall do ([`Way`]).
//! [`Callers`] says who calls too often, and [`call_back`] when a customer is called who asked for it;
//! an [`Agenda`] finds the next one.
//!
//! It deliberately does not know what is said on a call, documents of the carrier, what the hours are, or what time it is:
//! all of it comes in.
//!
//! **Invariant:** to every event there is an answer, whatever came before; none panics.
//! **Invariant:** a caller who may be talked to always reaches somebody or may leave a message: no way ends a call that
//! was neither finished, put through nor refused on purpose.
//! **Invariant:** a course ends: a caller comes back from a person to the receptionist once.
//! **Invariant:** the same events give the same ways, so that a log of them can be played again.

mod agenda;
pub mod call_back;
mod callers;
mod course;
mod event;
mod policy;

#[cfg(test)]
mod tests;

pub use crate::agenda::Agenda;
pub use crate::callers::{CallRate, Callers};
pub use crate::course::Course;
pub use crate::event::{Answerer, Arrival, DialEnd, Ending, Event, Means, Route, VoicemailCause, Way};
pub use crate::policy::{Consent, Otherwise, Policy, Refusal};

//! Leads: what callers, voicemails and messages told, as one lead a person; and what is delivered of them when.
//!
//! A [`Fact`] is what one source told. The shell puts it into the store in the same commit as the thing it comes from,
//! and folds it into a [`Lead`] later ([`Lead::fold`]): of each thing what was told last counts, whatever order facts
//! come in. People are told apart by their number in E.164 ([`phone::e164`]). Each change of a lead makes a delivery for
//! the office's CRM ([`change::delivery`]), whose bytes and idempotency key never change, signed anew for each try
//! ([`signature`]). A [`Queue`] says what to send next and when.
//!
//! | module | decides |
//! |---|---|
//! | [`fact`], [`lead`] | what is known of a person, and who finds it |
//! | [`view`], [`change`], [`csv`] | what programs of the office, a CRM and a spreadsheet see of it |
//! | [`queue`] | the order and the waits of deliveries |
//! | [`signature`] | how a delivery proves where it comes from |
//!
//! It deliberately does not store, send, wait or read a clock: times and chance come in as arguments.
//!
//! **Invariant:** facts in any order make the same fields; a fact told twice is one.
//! **Invariant:** a change of a lead is sent only when the one before it was delivered.
//! **Invariant:** everything that grows has a limit, and what is too long is cut, so that a lead always fits into a row.
//! **Invariant:** errors and `Debug` never show a number, a name or a text.

pub mod change;
pub mod csv;
pub mod fact;
mod id;
pub mod lead;
pub mod phone;
pub mod queue;
pub mod signature;
mod text;
pub mod view;

pub use crate::change::{Delivery, Waiting};
pub use crate::fact::{Fact, Source, SourceKind};
pub use crate::id::{LeadId, ParseLeadIdError};
pub use crate::lead::{Edit, Lead, LeadState, Search};
pub use crate::queue::{Outcome, Queue, Send};
pub use crate::view::{Entry, EntryView, LeadView};

#[cfg(test)]
mod tests;

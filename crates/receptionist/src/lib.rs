//! The form an office wants filled, and the receptionist that fills it without a cloud.
//!
//! A [`Form`] is what the office wants to know from a caller: a name, a number to call back, a reason, and whatever
//! else it asks for. It is declarative, and read from one file per office. [`Receptionist`] is the offline brain: a
//! state machine that is handed what happened ([`Heard`]) and answers with what to say and what to do next
//! ([`Reply`]). [`online`] is the other brain's side: what a language model is told, and what becomes of its words and
//! tool calls. Both fill the same form of the same [`Receptionist`], so the result is the same [`FormRecord`], and
//! either can go on where the other stopped, in the middle of a turn.
//!
//! The receptionist asks field by field, takes several facts from one answer, reads numbers back digit by digit,
//! takes corrections at any time, changes to the caller's language, and gives up early rather than late: after two
//! answers it does not understand it asks for a free message. A request for a person and a goodbye are understood
//! at any time.
//!
//! It deliberately does not know audio, turn taking, time, storage or carriers, and it reads no file: the text of a
//! form comes in as an argument.
//!
//! **Invariant:** every call ends: after a bounded number of inputs the answer is no longer [`Next::Listen`].
//! **Invariant:** a confirmed field is not asked for again unless the caller changes it.
//! **Invariant:** the record can be taken at any moment, and holds what is known so far.
//! **Invariant:** a language model changes nothing but the form and how the call ends, both within what the form allows.
//! **Invariant:** what a caller said is in the record, in sentences and in prompts only, never in an error.

mod announcement;
mod facts;
mod form;
mod hearing;
mod machine;
mod number;
pub mod online;
mod phrases;
mod record;
#[cfg(test)]
mod tests;

pub use crate::announcement::announcement;
pub use crate::form::{Choice, Confirmation, Field, FieldKind, Form, FormError, NumberRange, Synonyms, Text};
pub use crate::machine::{FillError, Greeting, Heard, Next, Receptionist, Reply};
pub use crate::phrases::Phrases;
pub use crate::record::{FieldRecord, FormRecord, Outcome, Source, Value};

//! Text messages, over `WhatsApp` and SMS: what people send the office, what the office sends them, and who answers.
//!
//! One domain model serves both providers. [`twilio`] and [`meta`] turn their wires into [`Inbound`] and
//! [`StatusUpdate`] and an [`Outbound`] into a request, so that the provider is a matter of configuration. [`Window`]
//! says when free text may be sent, [`Progress`] where a message stands however its statuses come in, and
//! [`Conversation`] who answers a sender: the model, the receptionist, a person, or nobody.
//!
//! | module | decides |
//! |---|---|
//! | [`message`], [`outbound`] | what was said, and what shall be said |
//! | [`status`] | [`StatusUpdate`] and [`Progress`] |
//! | [`refusal`] | why a provider does not take a message, in one vocabulary |
//! | [`window`] | the 24 hours in which free text is allowed |
//! | [`conversation`] | who answers, opting out, rates, repetitions |
//! | [`twilio`] | the forms of Twilio's webhooks and of its `Messages.json` |
//! | [`meta`] | the JSON of the Cloud API, its signature and its challenge |
//!
//! It deliberately does not listen, connect, wait, read a clock or fetch media, and knows nothing of what a language
//! model or a receptionist says. The shell hands it bytes and the time, and does what it answers.
//!
//! **Invariant:** no input makes this crate panic; what is refused is refused by the name of its field.
//! **Invariant:** errors and `Debug` never show a number, a name, a text, a token or a key.
//! **Invariant:** everything that grows has a limit.
//! **Invariant:** statuses in any order, with any repetitions, end in the same [`Progress`].

mod answer;
pub mod conversation;
mod id;
pub mod message;
pub mod meta;
pub mod outbound;
pub mod refusal;
pub mod status;
mod text;
mod time;
pub mod twilio;
pub mod window;

pub use crate::answer::Answer;
pub use crate::conversation::Conversation;
pub use crate::id::{MessageId, ParseMessageIdError};
pub use crate::message::{Content, Inbound, Provider};
pub use crate::outbound::{Outbound, OutboundContent};
pub use crate::refusal::{Refusal, Refused};
pub use crate::status::{Progress, State, StatusUpdate};
pub use crate::time::UnixTime;
pub use crate::window::Window;

#[cfg(test)]
mod tests;

//! REST client of the telephone carrier: ends, redirects and places calls, sends messages, fetches what callers left.
//!
//! | module | is |
//! |---|---|
//! | [`request`], [`calls`] | pure: typed values become a method, a path and a form; what the carrier would refuse is refused |
//! | [`answer`] | pure: what an answer, or none, means |
//! | [`retry`] | pure: how long to wait before the next try |
//! | [`place`] | pure: where the carrier is, and whether an address is at the carrier |
//! | [`Client`] | the shell of reqwest around them |
//!
//! A request that changes nothing, or leaves the same behind however often it is made, is tried again on its own: at
//! most [`retry::TRIES`] times. Placing a call and sending a message are not such requests, and the carrier knows no
//! idempotency key for them: they are tried again only where it is certain that nothing was done (429, no connection),
//! and are otherwise [`CarrierError::Uncertain`], which is shown and not repeated blindly.
//!
//! What a message says and whether it may be sent is `messaging`'s; its form passes through here.
//!
//! **Invariant:** only the configured host is ever given the credential, and a recording is fetched from no other.
//! **Invariant:** numbers, texts, addresses and keys never stand in an error, in `Debug` output or in a log.
//!
//! Reference: <https://www.twilio.com/docs/voice/api>, <https://www.twilio.com/docs/messaging/api>; the constraints of the
//! requests made here are a table in `tests/data/twilio-rest`.

pub mod answer;
pub mod calls;
mod client;
mod error;
pub mod place;
pub mod request;
pub mod retry;
mod send;

pub use crate::calls::{CallEvent, CreateCall, Instructions, MachineDetection, StatusCallback, UpdateCall, WaitFor};
pub use crate::client::{Change, Client, Credential, KeyState, MediaFile, RawAnswer, Settings};
pub use crate::error::CarrierError;
pub use crate::request::{Request, RequestError};
pub use crate::send::http_client;

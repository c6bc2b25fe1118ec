//! The carrier's wire: what a telephone company that speaks Twilio's protocol sends, and what it is told.
//!
//! Webhooks come in as signed HTTP forms and go out as call markup; a call's audio comes and goes as JSON frames
//! over a WebSocket. This crate turns those bytes into domain values and back. It does not listen, connect, wait,
//! read a clock or roll dice: the shell hands it bytes, the time and random bytes, and does what it answers.
//!
//! | module | decides |
//! |---|---|
//! | [`public_url`] | under which URL the carrier knows this box |
//! | [`form`] | which bytes are a form, and what is in it |
//! | [`signature`] | whether the carrier sent a request, with two keys active at once |
//! | [`webhook`] | [`VerifiedWebhook`]: a request that cannot exist unverified |
//! | [`wire`] | forms to domain values (calls, recordings, streams) |
//! | [`markup`] | what the carrier shall do next; writer and strict reader |
//! | [`stream`] | media stream frames, both sides, and which of them to believe |
//! | [`one_time`] | tokens that let one media stream in, once |
//! | [`dedup`] | which request was already answered, and how |
//!
//! Both sides of the wire are here, because the project also has a carrier of its own for tests and for owners.
//!
//! **Invariant:** no input makes this crate panic; what is refused is refused with what, where and what was expected.
//! **Invariant:** errors and `Debug` never show a phone number, a dialled digit, a token or a key.
//! **Invariant:** everything that grows has a limit.
//!
//! Facts about the protocol come from <https://www.twilio.com/docs/voice/twiml> and
//! <https://www.twilio.com/docs/voice/media-streams/websocket-messages>; where these leave a choice, both are accepted.

pub mod dedup;
pub mod form;
mod id;
pub mod markup;
pub mod one_time;
pub mod public_url;
mod secret;
pub mod signature;
pub mod stream;
pub mod webhook;
pub mod wire;

pub use crate::form::{FieldError, FormError, Params};
pub use crate::id::{AccountId, Digit, ParseDigitError, RecordingId, StreamId};
pub use crate::public_url::{ParsePublicUrlError, PublicUrl};
pub use crate::secret::{AuthKey, EmptyKeyError};
pub use crate::signature::{SignatureError, Signer, Verifier};
pub use crate::webhook::{Method, VerifiedWebhook, WebhookError, WebhookRequest};

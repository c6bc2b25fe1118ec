//! Clients of the clouds that hear, reply and speak for a box while they can be reached: `OpenAI` and Google.
//!
//! | module | does |
//! |---|---|
//! | [`openai`] | recognizes, replies, speaks; also any server with the same interface |
//! | [`google`] | speaks and recognizes, with a service account |
//!
//! Every request is an async method. Dropping its future cancels the request and closes its connection; nothing goes on
//! behind it. The clients set no deadline but that for connecting, retry nothing and know no second provider: that is
//! decided by `weather`, which gets a [`weather::Failure`] out of every [`CloudError`].
//!
//! Whoever answers is not trusted: lengths are bounded, what is not the expected type is taken for a captive portal,
//! and redirects are not followed, so that nothing is sent to another host than the one named.
//!
//! **Invariant:** keys, texts and addresses with their queries never stand in an error, in `Debug` output or in a log.

mod audio;
mod error;
pub mod google;
mod hearing;
mod http;
mod key;
pub mod openai;
mod sse;

pub use crate::audio::{Audio, Usage};
pub use crate::error::{CloudError, ProviderCode};
pub use crate::hearing::Heard;
pub use crate::http::{Http, http, http_trusting};
pub use crate::key::{ApiKey, ApiKeyError};

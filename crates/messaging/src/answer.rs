//! What became of a request to send.

use crate::id::MessageId;
use crate::message::Provider;
use crate::refusal::Refusal;

/// What a provider's answer to a request to send means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was taken. What becomes of it comes in as [`StatusUpdate`](crate::StatusUpdate)s.
    Accepted(MessageId),
    /// It was not sent.
    Refused {
        /// Why. When it [is transient](Refusal::is_transient) it may be sent again, after a pause.
        refusal: Refusal,
        /// The provider's code, where it gave one.
        code: Option<u32>,
    },
    /// It may have been sent or not. Neither provider knows a repeated request, so the owner is shown this, and
    /// nothing is sent again blindly.
    Uncertain,
}

impl Answer {
    /// Judges by status: a name with 2xx, an error with 4xx. 429 was not worked on; after 408 and 5xx nobody knows.
    pub(crate) fn of(provider: Provider, http_status: u16, id: Option<&str>, code: Option<u32>) -> Self {
        match http_status {
            200..=299 => id.and_then(|id| id.parse().ok()).map_or(Self::Uncertain, Self::Accepted),
            429 => Self::Refused { refusal: Refusal::RateLimited, code },
            401 if code.is_none() => Self::Refused { refusal: Refusal::Unauthorized, code },
            400..=407 | 409..=499 => {
                let refusal = code.map_or(Refusal::Other(u32::from(http_status)), |code| Refusal::of(provider, code));
                Self::Refused { refusal, code }
            }
            _ => Self::Uncertain,
        }
    }
}

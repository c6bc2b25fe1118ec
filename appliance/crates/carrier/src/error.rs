//! Why the carrier did not do as asked.

use std::time::Duration;

use crate::request::RequestError;

/// Why the carrier did not do as asked. Neither numbers nor texts nor addresses are in it.
#[derive(Debug, thiserror::Error)]
pub enum CarrierError {
    /// The client cannot be made: no trusted certificates on this device, or no cryptography.
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The REST interface's address is not one.
    #[error("the carrier's REST interface has no usable address; expected https, or http on this machine")]
    Address,
    /// The request cannot be made of what was given.
    #[error("cannot make the request")]
    Request(#[from] RequestError),
    /// The carrier cannot be reached, after every try; nothing was done.
    #[error("the carrier cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The carrier has too much to do or a fault of its own, after every try; asking again later does no harm.
    #[error("the carrier answered {status}, again and again")]
    Failing {
        /// The last HTTP status.
        status: u16,
        /// How long it wants to be left alone.
        after: Option<Duration>,
    },
    /// The carrier refused.
    #[error("the carrier refused with status {status}{}", Code(*code))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The carrier's code (<https://www.twilio.com/docs/api/errors>).
        code: Option<u32>,
    },
    /// It may have been done or not. Not to be repeated blindly.
    #[error("nobody knows whether the carrier did it")]
    Uncertain,
    /// What was asked for is not there, or not yet: a recording is answered like this until it is finished.
    #[error("the carrier has no such thing, or not yet")]
    NotThere,
    /// An address is not at the carrier's REST interface, or leads where nothing may be fetched.
    #[error("the address is not at the carrier's REST interface")]
    ForeignAddress,
    /// A file is larger than any that was expected.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// The most that is read, in bytes.
        limit: usize,
    },
}

impl CarrierError {
    /// Returns whether the same request may succeed later without harm.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Failing { .. } | Self::NotThere => true,
            Self::Client(_)
            | Self::Address
            | Self::Request(_)
            | Self::Refused { .. }
            | Self::Uncertain
            | Self::ForeignAddress
            | Self::TooLarge { .. } => false,
        }
    }

    /// Returns whether the carrier does not have what was asked for.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::NotThere)
    }

    /// Returns how long the carrier wants to be left alone, where it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Failing { after, .. } = self { *after } else { None }
    }
}

/// A code in brackets, or nothing.
struct Code(Option<u32>);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(code) => write!(f, " ({code})"),
            None => Ok(()),
        }
    }
}

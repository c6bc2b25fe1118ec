//! How a request can end.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Why an engine gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Nothing useful came in time.
    TimedOut,
    /// The connection was refused.
    Refused,
    /// The provider's name could not be resolved.
    Resolve,
    /// There is no route to the provider.
    Unroutable,
    /// No trusted connection could be made.
    Tls,
    /// Somebody else answered: HTML, a redirect or another wrong content type, as a captive portal does.
    Intercepted,
    /// The credential is not valid (401).
    Unauthorized,
    /// The credential does not allow this (403).
    Forbidden,
    /// Too many requests, or the provider's quota is used up (429).
    RateLimited,
    /// The provider failed (5xx).
    Server,
    /// The answer was truncated or not what it should be.
    Malformed,
    /// The connection broke.
    Cut,
    /// The device's clock is wrong, so that certificates or signed requests are refused.
    Clock,
    /// The request was wrong (any other 4xx).
    Invalid,
    /// A content filter refused the request or its answer.
    Filtered,
    /// The queue of an engine on this device is full.
    Busy,
    /// An engine on this device failed.
    Broken,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::TimedOut,
        Self::Refused,
        Self::Resolve,
        Self::Unroutable,
        Self::Tls,
        Self::Intercepted,
        Self::Unauthorized,
        Self::Forbidden,
        Self::RateLimited,
        Self::Server,
        Self::Malformed,
        Self::Cut,
        Self::Clock,
        Self::Invalid,
        Self::Filtered,
        Self::Busy,
        Self::Broken,
    ];

    /// Returns whether this is what one sees when the provider cannot be reached at all.
    pub const fn is_offline_sign(self) -> bool {
        matches!(self, Self::Refused | Self::Resolve | Self::Unroutable | Self::Tls | Self::Intercepted)
    }

    /// Returns whether trying again soon is pointless, so that one is enough to open the breaker for long.
    pub const fn opens_at_once(self) -> bool {
        matches!(self, Self::Unauthorized | Self::Forbidden | Self::Clock)
    }

    /// Returns whether it says something about the engine's health: one request that a filter refused does not. A request that
    /// was wrong does: a model that is gone is found invalid each time.
    pub(crate) const fn counts(self) -> bool {
        !matches!(self, Self::Filtered | Self::Busy)
    }

    /// Returns whether it is worth asking another provider at once.
    pub(crate) const fn is_one_providers_trouble(self) -> bool {
        matches!(self, Self::Cut | Self::Server | Self::Refused)
    }
}

impl fmt::Display for FailureKind {
    /// Writes what happened to the engine, so that it reads well behind its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "timed out",
            Self::Refused => "refused the connection",
            Self::Resolve => "could not be resolved",
            Self::Unroutable => "could not be routed to",
            Self::Tls => "could not be trusted",
            Self::Intercepted => "was intercepted",
            Self::Unauthorized => "did not know the credential",
            Self::Forbidden => "forbade it",
            Self::RateLimited => "was rate limited",
            Self::Server => "failed",
            Self::Malformed => "answered nonsense",
            Self::Cut => "was cut off",
            Self::Clock => "disagreed with the clock",
            Self::Invalid => "found the request invalid",
            Self::Filtered => "filtered it",
            Self::Busy => "was busy",
            Self::Broken => "was broken",
        })
    }
}

/// A failure, with what the provider said about trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub kind: FailureKind,
    /// How long the provider wants to be left alone, if it said so.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// Nothing useful came in time.
    pub const TIMED_OUT: Self = Self::new(FailureKind::TimedOut);

    /// Returns a failure of which nothing but the kind is known.
    pub const fn new(kind: FailureKind) -> Self {
        Self { kind, retry_after: None }
    }
}

impl From<FailureKind> for Failure {
    fn from(kind: FailureKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

/// How an engine did in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, in time and to the end.
    Worked,
    /// It did not.
    Failed(Failure),
    /// It was stopped for reasons of ours, which says nothing about it. It may have cost something.
    Abandoned,
    /// It had a place in the plan and was never started.
    Unused,
}

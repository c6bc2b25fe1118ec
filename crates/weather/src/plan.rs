//! What is to be tried for one request, and by when.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use units::TurnId;

use crate::{SkipReason, Skipped, Stage};

/// As what an engine is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// To serve.
    Serve,
    /// As insurance beside the one that is to serve.
    Hedge,
    /// To be judged; its result is never served.
    Shadow,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Serve => "serve",
            Self::Hedge => "hedge",
            Self::Shadow => "shadow",
        })
    }
}

/// An engine that has a place in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub engine: String,
    /// As what it was planned. One planned as a hedge serves when it is needed.
    pub role: Role,
    /// Whether it runs on this device.
    pub local: bool,
}

/// What is to be tried for one request, and by when.
///
/// It holds places (in flight, rate, money) that only the reports of a [`crate::Race`] give back: hand it to one, and cancel that
/// one if the request is no longer wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a plan holds places that only a race gives back"]
pub struct Plan {
    pub(crate) stage: Stage,
    pub(crate) turn: TurnId,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) deadline: Duration,
    pub(crate) total: Duration,
    pub(crate) stall: Duration,
    pub(crate) hedge_after: Option<Duration>,
}

impl Plan {
    /// Shortens the time to the first useful output to what is `left` of it: a request that goes on with an earlier one of
    /// the same turn has no deadline of its own.
    pub fn within(self, left: Duration) -> Self {
        Self { deadline: self.deadline.min(left), ..self }
    }

    /// Allows `deadline` to the first useful output, and three times as long to the last: nobody holds a telephone. This
    /// device still takes over when the cloud fails.
    pub fn unhurried(self, deadline: Duration) -> Self {
        let total = self.total.max(deadline.saturating_mul(3));
        Self {
            deadline: self.deadline.max(deadline),
            total,
            stall: self.stall.max(deadline),
            hedge_after: None,
            ..self
        }
    }

    /// Returns the engines that may be started, in the order of preference.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Returns the engines that were not asked to serve. One in the shadow is among them.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Returns why `engine` was not asked to serve, if it was not.
    pub fn why_skipped(&self, engine: &str) -> Option<SkipReason> {
        self.skipped.iter().find(|skipped| skipped.engine == engine).map(|skipped| skipped.why)
    }

    /// Returns whether the cloud is to serve.
    pub fn cloud(&self) -> bool {
        self.candidates.iter().any(|candidate| !candidate.local && candidate.role == Role::Serve)
    }
}

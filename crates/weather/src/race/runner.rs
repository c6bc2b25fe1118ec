//! One engine in a race.

use alloc::string::String;
use core::time::Duration;

use crate::{Candidate, Role};

/// In which part of the race an engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Cloud,
    /// On this device.
    Local,
    /// To be judged, never served.
    Shadow,
}

/// How far an engine has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not started.
    Idle,
    Running,
    /// Its provider asked for a pause.
    Waiting {
        until: Duration,
    },
    /// Stopped because the cloud serves; started again if that breaks.
    Parked,
    /// It came to its end; what it gave can be served.
    Finished,
    /// It failed, or is no longer needed.
    Out,
}

impl State {
    pub(super) const fn is_idle(self) -> bool {
        matches!(self, Self::Idle)
    }

    pub(super) const fn is_running(self) -> bool {
        matches!(self, Self::Running)
    }

    pub(super) const fn is_waiting(self) -> bool {
        matches!(self, Self::Waiting { .. })
    }

    pub(super) const fn is_parked(self) -> bool {
        matches!(self, Self::Parked)
    }

    pub(super) const fn is_finished(self) -> bool {
        matches!(self, Self::Finished)
    }
}

/// One engine in a race.
#[derive(Clone, Debug)]
pub(super) struct Runner {
    pub(super) engine: String,
    pub(super) lane: Lane,
    pub(super) state: State,
    /// When its first useful output came.
    pub(super) useful_at: Option<Duration>,
    pub(super) retried: bool,
    pub(super) reported: bool,
}

impl Runner {
    pub(super) fn new(candidate: Candidate) -> Self {
        let lane = match candidate.role {
            Role::Shadow => Lane::Shadow,
            Role::Serve | Role::Hedge if candidate.local => Lane::Local,
            Role::Serve | Role::Hedge => Lane::Cloud,
        };
        Self { engine: candidate.engine, lane, state: State::Idle, useful_at: None, retried: false, reported: false }
    }
}

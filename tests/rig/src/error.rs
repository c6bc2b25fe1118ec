//! What can go wrong.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// A server that could not be had, or does not do what it is told.
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// A program is not there.
    #[error("{program} is not installed; looked at {looked_at}")]
    Missing {
        /// Its name.
        program: String,
        /// Where it was looked for.
        looked_at: String,
    },
    /// The system refused something.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A server ended by itself.
    #[error("{name} ended by itself ({status}); its log is {}", log.display())]
    Ended {
        /// Which.
        name: &'static str,
        /// How.
        status: ExitStatus,
        /// What it said.
        log: PathBuf,
    },
    /// A server did not come to the state that was waited for.
    #[error("{name} is not {state} after {patience:?}; its log is {}", log.display())]
    TooSlow {
        /// Which.
        name: &'static str,
        /// The state.
        state: &'static str,
        /// How long was waited.
        patience: Duration,
        /// What it said.
        log: PathBuf,
    },
    /// A program that was asked to do something failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Its name.
        program: String,
        /// Its complaint.
        said: String,
    },
}

impl RigError {
    /// Makes the error of a call that the system refused.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

//! What is done for a turn.

use core::fmt;

use serde::{Deserialize, Serialize};

/// One stage of a turn. Each has engines of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Words from the caller's audio.
    Recognize,
    /// What to say next.
    Reply,
    /// Audio from the words to say.
    Synthesize,
}

impl Stage {
    /// Every stage, in the order of a turn.
    pub const ALL: [Self; 3] = [Self::Recognize, Self::Reply, Self::Synthesize];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recognize => "recognize",
            Self::Reply => "reply",
            Self::Synthesize => "synthesize",
        })
    }
}

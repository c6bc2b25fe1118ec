//! Where a message of ours stands.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use units::Pii;

use crate::id::MessageId;
use crate::message::Provider;
use crate::refusal::Refusal;
use crate::time::UnixTime;

/// Something became of a message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusUpdate {
    /// The message.
    pub id: MessageId,
    /// Who says so.
    pub provider: Provider,
    /// What became of it.
    pub state: State,
    /// When; where the provider does not say (Twilio), when the news came in.
    pub at: UnixTime,
}

impl StatusUpdate {
    /// Returns why the message failed, if it did and the provider gave a code.
    pub fn refusal(&self) -> Option<Refusal> {
        match &self.state {
            State::Failed { code: Some(code), .. } => Some(Refusal::of(self.provider, *code)),
            State::Failed { code: None, .. }
            | State::Accepted
            | State::Queued
            | State::Sent
            | State::Delivered
            | State::Read => None,
        }
    }
}

/// Where a message stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The provider took it, or keeps it for later.
    Accepted,
    /// It waits to be sent.
    Queued,
    /// It went out.
    Sent,
    /// It arrived on the telephone.
    Delivered,
    /// It was read.
    Read,
    /// It did not arrive, and will not.
    Failed {
        /// The provider's code.
        code: Option<u32>,
        /// The provider's words, at most 300 characters; they may name the recipient.
        text: Option<Pii<String>>,
    },
}

impl State {
    /// Returns how far this state is. A failure is further than "sent" and nearer than "delivered": what arrived has
    /// not failed, whatever is said later.
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::Queued => 1,
            Self::Sent => 2,
            Self::Failed { .. } => 3,
            Self::Delivered => 4,
            Self::Read => 5,
        }
    }
}

/// The furthest state of one message, whatever order its updates come in and however often.
///
/// A join over a total order: commutative, associative and idempotent. Of two updates of the same rank the earlier one
/// counts, so that "delivered" keeps the moment it was first said; of two failures, one with a code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Progress(Option<Reached>);

/// A state and its moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reached {
    state: State,
    at: UnixTime,
}

/// By what one update goes before another, from the most important to the last resort.
type Key<'a> = (u8, bool, Reverse<UnixTime>, Reverse<Option<u32>>, Reverse<Option<&'a Pii<String>>>);

impl Progress {
    /// Returns the progress of a message that only this update is known of.
    pub fn of(update: &StatusUpdate) -> Self {
        Self(Some(Reached { state: update.state.clone(), at: update.at }))
    }

    /// Notes an update of the message; returns whether it changed anything.
    pub fn apply(&mut self, update: &StatusUpdate) -> bool {
        let joined = std::mem::take(self);
        let before = joined.clone();
        *self = joined.join(Self::of(update));
        *self != before
    }

    /// Returns the furthest of two.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        if other.key() > self.key() { other } else { self }
    }

    /// Returns the furthest state; `None` before the first update.
    pub fn state(&self) -> Option<&State> {
        self.0.as_ref().map(|reached| &reached.state)
    }

    /// Returns when the furthest state was first reported.
    pub fn at(&self) -> Option<UnixTime> {
        self.0.as_ref().map(|reached| reached.at)
    }

    fn key(&self) -> Option<Key<'_>> {
        let Reached { state, at } = self.0.as_ref()?;
        let (code, text) = match state {
            State::Failed { code, text } => (*code, text.as_ref()),
            State::Accepted | State::Queued | State::Sent | State::Delivered | State::Read => (None, None),
        };
        Some((state.rank(), code.is_some(), Reverse(*at), Reverse(code), Reverse(text)))
    }
}

//! Which messages came before.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::id::MessageId;

/// Most names remembered in one conversation; the oldest is forgotten first.
///
/// A webhook is mostly repeated within minutes, in which a person writes a few dozen messages. Who pushes names out on
/// purpose gets nothing but their own messages answered twice, within the rate.
pub const MAX_SEEN: usize = 256;

/// The names of the last messages, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "VecDeque<MessageId>", into = "VecDeque<MessageId>")]
pub struct Seen(VecDeque<MessageId>);

impl Seen {
    /// Notes a name; returns whether it is new.
    pub fn insert(&mut self, id: &MessageId) -> bool {
        if self.0.contains(id) {
            return false;
        }
        self.0.push_back(id.clone());
        self.trim();
        true
    }

    /// Returns how many names are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether no name is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn trim(&mut self) {
        while self.0.len() > MAX_SEEN {
            self.0.pop_front();
        }
    }
}

impl From<VecDeque<MessageId>> for Seen {
    /// Takes the names of a store; of too many, the newest.
    fn from(ids: VecDeque<MessageId>) -> Self {
        let mut seen = Self(ids);
        seen.trim();
        seen
    }
}

impl From<Seen> for VecDeque<MessageId> {
    fn from(seen: Seen) -> Self {
        seen.0
    }
}

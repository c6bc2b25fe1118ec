//! What is to be done next.

use std::collections::{BTreeMap, BTreeSet};

/// Things to be done, each with a name and a moment: the next one is found without looking at the others.
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    due: BTreeMap<String, u64>,
    order: BTreeSet<(u64, String)>,
}

impl Agenda {
    /// Notes when the thing `name` is to be done, in milliseconds since 1970; `None` when there is nothing to do any more.
    pub fn set(&mut self, name: &str, due_ms: Option<u64>) {
        if let Some(before) = self.due.remove(name) {
            self.order.remove(&(before, name.to_owned()));
        }
        if let Some(due_ms) = due_ms {
            self.due.insert(name.to_owned(), due_ms);
            self.order.insert((due_ms, name.to_owned()));
        }
    }

    /// Returns what is to be done first, and when.
    pub fn next(&self) -> Option<(&str, u64)> {
        self.order.first().map(|(due_ms, name)| (name.as_str(), *due_ms))
    }

    /// Returns how many things are to be done.
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Returns whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

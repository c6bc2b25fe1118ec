//! Reading rows in order.

use std::io;
use std::marker::PhantomData;
use std::ops::Bound;

use leads::LeadId;
use units::CallId;

use crate::batch::full_key;
use crate::key::{TableKey as _, call_prefix};
use crate::messages::{ConversationId, OutgoingKey};
use crate::tables::{Deliveries, Forms, LeadHistory, Messages, Outgoing, Table, Turns};

/// Which end to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The lowest key first.
    #[default]
    Ascending,
    /// The highest key first.
    Descending,
}

/// Which rows of a table to read, and how many.
#[derive(Clone, Debug)]
pub struct Query<T> {
    pub(crate) from: Bound<Vec<u8>>,
    pub(crate) to: Bound<Vec<u8>>,
    pub(crate) order: Order,
    pub(crate) limit: usize,
    table: PhantomData<T>,
}

impl<T: Table> Query<T> {
    /// The rows a query reads when nothing else is said.
    pub const DEFAULT_LIMIT: usize = 1_000;

    /// Asks for all rows, lowest key first, at most [`Query::DEFAULT_LIMIT`].
    pub fn all() -> Self {
        Self::with_prefix(&[])
    }

    /// Sets the order.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Sets how many rows are read at most.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Leaves out rows up to and including `key`. A key that cannot be stored is ignored.
    #[must_use]
    pub fn after(mut self, key: &T::Key) -> Self {
        if let Ok(key) = full_key::<T>(key) {
            self.from = Bound::Excluded(key);
        }
        self
    }

    /// Leaves out rows from `key` on. A key that cannot be stored is ignored.
    #[must_use]
    pub fn before(mut self, key: &T::Key) -> Self {
        if let Ok(key) = full_key::<T>(key) {
            self.to = Bound::Excluded(key);
        }
        self
    }

    fn with_prefix(prefix: &[u8]) -> Self {
        let mut from = vec![T::ID];
        from.extend_from_slice(prefix);
        let to = successor(&from).map_or(Bound::Unbounded, Bound::Excluded);
        Self {
            from: Bound::Included(from),
            to,
            order: Order::default(),
            limit: Self::DEFAULT_LIMIT,
            table: PhantomData,
        }
    }
}

impl Query<Turns> {
    /// Asks for the turns of one call, first turn first.
    pub fn of_call(call: &CallId) -> Self {
        Self::with_prefix(&call_prefix(call))
    }
}

impl Query<Forms> {
    /// Asks for the forms of one call.
    pub fn of_call(call: &CallId) -> Self {
        Self::with_prefix(&call_prefix(call))
    }
}

impl Query<LeadHistory> {
    /// Asks for the history of one lead, oldest first.
    pub fn of_lead(lead: LeadId) -> Self {
        Self::with_prefix(&lead.encode())
    }
}

impl Query<Deliveries> {
    /// Asks for the changes of one lead that wait, oldest first.
    pub fn of_lead(lead: LeadId) -> Self {
        Self::with_prefix(&lead.encode())
    }
}

impl Query<Messages> {
    /// Asks for the messages of one conversation, the oldest first.
    pub fn of_conversation(conversation: &ConversationId) -> Self {
        Self::with_prefix(&conversation.encode())
    }
}

impl Query<Outgoing> {
    /// Asks for messages to be sent.
    pub fn to_send() -> Self {
        Self::with_prefix(&[OutgoingKey::SEND])
    }

    /// Asks for messages to be worked on.
    pub fn to_answer() -> Self {
        Self::with_prefix(&[OutgoingKey::ANSWER])
    }

    /// Asks for what the owner is to be told.
    pub fn notices() -> Self {
        Self::with_prefix(&[OutgoingKey::NOTICE])
    }

    /// Asks for requests that were made.
    pub fn requests() -> Self {
        Self::with_prefix(&[OutgoingKey::REQUEST])
    }
}

/// Returns the first key that does not start with `prefix`; `None` when there is none.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte < u8::MAX)?;
    let mut bytes = prefix.get(..=last)?.to_vec();
    if let Some(byte) = bytes.last_mut() {
        *byte = byte.saturating_add(1);
    }
    Some(bytes)
}

/// Reads a key of the table from one of the tree.
pub(crate) fn table_key<T: Table>(full: &[u8]) -> Option<T::Key> {
    let (&id, rest) = full.split_first()?;
    if id == T::ID { T::Key::decode(rest) } else { None }
}

/// A row that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database failed.
    #[error("database cannot be read (table {table})")]
    Database {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The row is there, but not as it was written.
    #[error("row of table {table} is damaged")]
    Damaged {
        /// The table.
        table: &'static str,
    },
    /// The row was written by a release that knows more.
    #[error("row of table {table} has format {version}, newer than this release reads")]
    Newer {
        /// The table.
        table: &'static str,
        /// Its format.
        version: u8,
    },
    /// The database is closed: a commit failed and it could not be opened again.
    #[error("database is closed after a failure")]
    Closed,
}

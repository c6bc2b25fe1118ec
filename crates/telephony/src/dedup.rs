//! What was already answered: a bounded table that makes retries do nothing twice.
//!
//! The carrier repeats a request when it did not hear the answer. The first one is worked on, a second one that comes
//! meanwhile is told to wait or gets an empty answer, a later one gets the first one's answer again.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use units::CallId;

/// What is the same on each retry of one request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DedupKey {
    /// The carrier's idempotency token.
    Token {
        /// Path of the webhook.
        path: String,
        /// The token.
        token: String,
    },
    /// A numbered callback of one call.
    Sequence {
        /// Path of the webhook.
        path: String,
        /// The call.
        call_id: CallId,
        /// `SequenceNumber`, from 0.
        sequence: u64,
    },
}

/// Limits of a [`DedupTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DedupConfig {
    /// How long a request is remembered. Default 10 minutes; the carrier gives up within 15 s per try.
    pub lifetime: Duration,
    /// Most requests remembered; the oldest is forgotten first. Default 4,096.
    pub capacity: usize,
}

impl Default for DedupConfig {
    fn default() -> Self {
        Self { lifetime: Duration::from_mins(10), capacity: 4_096 }
    }
}

/// Requests seen lately, with their answers.
#[derive(Clone, Debug)]
pub struct DedupTable<K, A> {
    config: DedupConfig,
    entries: BTreeMap<K, Entry<A>>,
    /// Keys in the order they came, each with the time that tells an entry from an earlier one of the same key.
    order: VecDeque<(Duration, K)>,
}

/// One request.
#[derive(Clone, Debug)]
struct Entry<A> {
    since: Duration,
    answer: Option<A>,
}

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<A> {
    /// It is new: work on it, then tell [`DedupTable::finish`] the answer.
    New,
    /// It came before and is still being worked on.
    Running,
    /// It came before and was answered with this.
    Answered(A),
}

impl<K: Clone + Ord, A: Clone> DedupTable<K, A> {
    /// Returns an empty table.
    pub const fn new(config: DedupConfig) -> Self {
        Self { config, entries: BTreeMap::new(), order: VecDeque::new() }
    }

    /// Notes that a request came at `now` (time since any fixed moment) and says what is known of it.
    pub fn begin(&mut self, now: Duration, key: K) -> Seen<A> {
        self.forget_old(now);
        if let Some(entry) = self.entries.get(&key) {
            return entry.answer.clone().map_or(Seen::Running, Seen::Answered);
        }
        while self.entries.len() >= self.config.capacity.max(1) && self.forget_oldest() {}
        self.order.push_back((now, key.clone()));
        self.entries.insert(key, Entry { since: now, answer: None });
        Seen::New
    }

    /// Remembers the answer of a request that [`DedupTable::begin`] called new.
    pub fn finish(&mut self, key: &K, answer: A) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.answer = Some(answer);
        }
    }

    /// Forgets a request whose work failed, so that a retry is worked on again.
    pub fn abandon(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.retain(|(since, known)| *since != entry.since || known != key);
        }
    }

    /// Returns the number of requests remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets what is older than the lifetime.
    fn forget_old(&mut self, now: Duration) {
        let lifetime = self.config.lifetime;
        let is_old = |since: Duration| now.saturating_sub(since) >= lifetime;
        while self.order.front().is_some_and(|(since, _)| is_old(*since)) {
            self.forget_oldest();
        }
    }

    /// Forgets the oldest request; returns whether there was one.
    fn forget_oldest(&mut self) -> bool {
        let Some((_, key)) = self.order.pop_front() else { return false };
        self.entries.remove(&key);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: DedupConfig = DedupConfig { lifetime: Duration::from_secs(10), capacity: 2 };

    #[test]
    fn a_retry_gets_the_first_answer_again() {
        let mut table = DedupTable::new(CONFIG);
        assert_eq!(table.begin(Duration::ZERO, "a"), Seen::New);
        assert_eq!(table.begin(Duration::from_secs(1), "a"), Seen::Running);
        table.finish(&"a", 7);
        assert_eq!(table.begin(Duration::from_secs(2), "a"), Seen::Answered(7));
    }

    #[test]
    fn a_request_whose_work_failed_is_new_again() {
        let mut table = DedupTable::<_, ()>::new(CONFIG);
        assert_eq!(table.begin(Duration::ZERO, "a"), Seen::New);
        table.abandon(&"a");
        assert!(table.is_empty());
        assert_eq!(table.begin(Duration::ZERO, "a"), Seen::New);
        assert_eq!(table.order.len(), 1);
    }

    #[test]
    fn the_oldest_is_forgotten_first_and_time_forgets_the_rest() {
        let mut table = DedupTable::<_, ()>::new(CONFIG);
        for (second, key) in [(0, "a"), (1, "b"), (2, "c")] {
            assert_eq!(table.begin(Duration::from_secs(second), key), Seen::New);
        }
        assert_eq!(table.len(), 2);
        assert_eq!(table.begin(Duration::from_secs(3), "b"), Seen::Running);
        assert_eq!(table.begin(Duration::from_secs(11), "b"), Seen::New);
        assert_eq!(table.begin(Duration::from_secs(11), "c"), Seen::Running);
        assert_eq!(table.begin(Duration::from_secs(12), "c"), Seen::New);
    }

    proptest::proptest! {
        #[test]
        fn the_table_never_outgrows_its_capacity(keys in proptest::collection::vec((0_u8..20, 0_u8..3), 0..200)) {
            let mut table = DedupTable::new(CONFIG);
            for (second, (key, action)) in (0_u64..).zip(keys) {
                match action {
                    0 => table.finish(&key, second),
                    1 => table.abandon(&key),
                    _ => drop(table.begin(Duration::from_secs(second / 4), key)),
                }
                proptest::prop_assert!(table.len() <= 2);
                proptest::prop_assert_eq!(table.len(), table.order.len());
            }
        }
    }
}

//! In which order work on messages is done: one thing of a conversation at a time, oldest first.
//!
//! Pure: the time comes in as an argument.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use store::{ConversationId, MessageKey};

/// Most things that wait in one conversation.
pub(crate) const MAX_IN_LANE: usize = 100;
/// Most things that wait in all.
pub(crate) const MAX_WAITING: usize = 10_000;

/// First wait after something was to be tried again; doubled each time.
const FIRST_BACK_OFF: Duration = Duration::from_millis(500);
/// Longest wait between two tries.
const MAX_BACK_OFF: Duration = Duration::from_mins(5);

/// What waits, by conversation.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    waiting: BTreeMap<ConversationId, VecDeque<Item>>,
    busy: BTreeSet<ConversationId>,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    key: MessageKey,
    not_before: Duration,
    tries: u32,
}

/// How a piece of work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// For good.
    Yes,
    /// It is to be tried again; what is behind it waits.
    Again,
}

impl Lanes {
    /// Returns whether there is room for one more in a conversation.
    pub(crate) fn has_room(&self, conversation: &ConversationId) -> bool {
        let in_lane = self.waiting.get(conversation).map_or(0, VecDeque::len);
        in_lane < MAX_IN_LANE && self.len < MAX_WAITING
    }

    /// Adds work behind what waits in its conversation. It is kept beyond the limits: whoever asked whether there is room
    /// may have been overtaken, and what the store holds is done.
    pub(crate) fn push(&mut self, key: MessageKey) {
        let lane = self.waiting.entry(key.conversation).or_default();
        lane.push_back(Item { key, not_before: Duration::ZERO, tries: 0 });
        self.len = self.len.saturating_add(1);
    }

    /// Takes the next piece of work, and how often it was tried before. Its conversation is left alone until
    /// [`Lanes::done`].
    pub(crate) fn take(&mut self, now: Duration) -> Option<(MessageKey, u32)> {
        let item = self.heads().filter(|item| item.not_before <= now).min_by_key(|item| item.key.at_ms).copied()?;
        self.busy.insert(item.key.conversation);
        Some((item.key, item.tries))
    }

    /// Notes how a piece of work that was taken ended. `jitter` spreads what is tried again, `0.0..=1.0`.
    pub(crate) fn done(&mut self, now: Duration, key: &MessageKey, done: Done, jitter: f64) {
        self.busy.remove(&key.conversation);
        let Some(lane) = self.waiting.get_mut(&key.conversation) else { return };
        match (done, lane.front_mut()) {
            (Done::Again, Some(item)) if item.key == *key => {
                let wait = FIRST_BACK_OFF.saturating_mul(1 << item.tries.min(12)).min(MAX_BACK_OFF);
                item.not_before = now.saturating_add(wait.mul_f64(0.75 + 0.5 * jitter.clamp(0.0, 1.0)));
                item.tries = item.tries.saturating_add(1);
            }
            (Done::Yes, Some(item)) if item.key == *key => {
                lane.pop_front();
                self.len = self.len.saturating_sub(1);
                if lane.is_empty() {
                    self.waiting.remove(&key.conversation);
                }
            }
            (Done::Yes | Done::Again, Some(_) | None) => {}
        }
    }

    /// Returns when there is something to take; a time that has passed means now.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.heads().map(|item| item.not_before).min()
    }

    /// Returns how much waits, or is worked on.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn heads(&self) -> impl Iterator<Item = &Item> {
        self.waiting.iter().filter(|(id, _)| !self.busy.contains(*id)).filter_map(|(_, lane)| lane.front())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use store::{ConversationId, MessageKey};

    use super::{Done, Lanes, MAX_IN_LANE};

    #[test]
    fn one_of_a_conversation_at_a_time_and_the_oldest_first() {
        let mut lanes = Lanes::default();
        for key in [key("a", 1), key("a", 2), key("b", 3)] {
            lanes.push(key);
        }
        let now = Duration::ZERO;
        assert_eq!(lanes.take(now), Some((key("a", 1), 0)));
        assert_eq!(lanes.take(now), Some((key("b", 3), 0)));
        assert_eq!(lanes.take(now), None, "both conversations are busy");
        lanes.done(now, &key("a", 1), Done::Yes, 0.5);
        assert_eq!(lanes.take(now), Some((key("a", 2), 0)));
        lanes.done(now, &key("b", 3), Done::Yes, 0.5);
        lanes.done(now, &key("a", 2), Done::Yes, 0.5);
        assert_eq!((lanes.len(), lanes.next_at()), (0, None));
    }

    #[test]
    fn what_is_tried_again_keeps_its_place_and_waits_longer_each_time() {
        let mut lanes = Lanes::default();
        lanes.push(key("a", 1));
        lanes.push(key("a", 2));
        let mut now = Duration::ZERO;
        let mut waits = Vec::new();
        for tries in 0..14 {
            assert_eq!(lanes.take(now), Some((key("a", 1), tries)));
            lanes.done(now, &key("a", 1), Done::Again, 0.5);
            assert_eq!(lanes.take(now), None);
            let next = lanes.next_at().unwrap();
            waits.push(next.checked_sub(now).unwrap());
            now = next;
        }
        assert_eq!(waits[0], Duration::from_millis(500));
        assert!(waits.is_sorted() && waits[13] == Duration::from_mins(5), "{waits:?}");
    }

    #[test]
    fn a_conversation_takes_only_so_much() {
        let mut lanes = Lanes::default();
        for at in 0..MAX_IN_LANE {
            assert!(lanes.has_room(&key("a", 0).conversation));
            lanes.push(key("a", u64::try_from(at).unwrap()));
        }
        assert!(!lanes.has_room(&key("a", 0).conversation));
        assert!(lanes.has_room(&key("b", 0).conversation));
    }

    fn key(name: &str, at_ms: u64) -> MessageKey {
        MessageKey { conversation: ConversationId::of(name, "office"), at_ms }
    }
}

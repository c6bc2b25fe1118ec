//! What a transaction is to do with the batches that came: decided from them and from the locked rows of their streams.
//!
//! Pure. A number is new, or was there before, or is one too many; a number passed over on purpose or because its event
//! cannot be read is a loss. What was there before is looked up afterwards and judged by [`Plan::judge`].

use std::collections::{BTreeMap, HashMap};

use protocol::{DeviceId, EventId, Stream};

use super::sequences::Sequences;

/// Names a stream of one outbox. The order of these is the order in which their rows are locked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    /// Whose.
    pub device: DeviceId,
    /// Which.
    pub stream: Stream,
    /// Of which outbox.
    pub epoch: u64,
}

/// A batch of events as far as it can be read.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The stream it belongs to.
    pub key: StreamKey,
    /// The run of the program that its events happened in.
    pub boot: u64,
    /// Gaps on purpose.
    pub skipped: Vec<Gap>,
    /// Its events.
    pub events: Vec<Event>,
    /// What cannot be read as an event.
    pub poison: Vec<Poison>,
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number, from 1.
    pub seq: u64,
    /// Its identity.
    pub id: EventId,
    /// What it tells.
    pub kind: Box<str>,
    /// When, since the run of the program began.
    pub mono_ms: u64,
    /// When, since 1970, as the device believed.
    pub wall_ms: u64,
    /// Whether the device's clock had been set.
    pub time_synced: bool,
    /// What it tells in full: JSON, as it came.
    pub data: Box<str>,
}

/// Numbers that a device passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// Why, in a word.
    pub reason: Box<str>,
}

/// Something in the place of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// Its number, where that could be read or follows from its neighbours.
    pub seq: Option<u64>,
    /// What is wrong with it, without its values.
    pub reason: String,
    /// What stood there, cut to a length that is kept.
    pub bytes: Vec<u8>,
}

/// Something to be looked at by a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The message it came in, by its place.
    pub message: usize,
    /// What is wrong with it.
    pub reason: String,
    /// How long it was, in bytes.
    pub len: usize,
    /// What it was, cut to a length that is kept.
    pub bytes: Vec<u8>,
}

/// Numbers that will never be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Of which stream, by its place.
    pub stream: usize,
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// Why, in a word.
    pub reason: Box<str>,
}

/// An event whose number was there before.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Of which stream, by its place.
    pub stream: usize,
    /// The message it came in, by its place.
    pub message: usize,
    /// It.
    pub event: &'a Event,
}

/// A stream that the batches touch.
#[derive(Clone, Debug)]
pub struct StreamPlan {
    /// Which.
    pub key: StreamKey,
    /// What is there when the plan is carried out.
    pub sequences: Sequences,
    /// Events to store.
    pub stored: u64,
    /// Events that were there before.
    pub duplicates: u64,
}

/// What to do.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// The streams, in the order of their keys.
    pub streams: Vec<StreamPlan>,
    /// New events, with the place of their stream and the run of the program.
    pub events: Vec<(usize, u64, &'a Event)>,
    /// Events whose numbers were there before, to be compared with what is stored.
    pub seen: Vec<Seen<'a>>,
    /// Numbers that are passed over.
    pub losses: Vec<Loss>,
    /// What to set aside.
    pub quarantined: Vec<Quarantined>,
    /// Events left to the device to send again, because their streams have too many holes.
    pub deferred: u64,
}

/// Returns the keys that `batches` touch, sorted and distinct: the rows to lock.
pub fn keys<'a>(batches: impl Iterator<Item = &'a Batch>) -> Vec<StreamKey> {
    let mut keys: Vec<StreamKey> = batches.map(|batch| batch.key.clone()).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// Decides what becomes of `batches`, each with the place of its message. `known` has what is there, in the order of
/// [`keys`].
pub fn plan<'a>(batches: &[(usize, &'a Batch)], known: Vec<(StreamKey, Sequences)>) -> Plan<'a> {
    let streams =
        known.into_iter().map(|(key, sequences)| StreamPlan { key, sequences, stored: 0, duplicates: 0 }).collect();
    let mut plan = Plan { streams, ..Plan::default() };
    let places: HashMap<StreamKey, usize> =
        plan.streams.iter().enumerate().map(|(place, stream)| (stream.key.clone(), place)).collect();
    for (message, batch) in batches {
        if let Some(place) = places.get(&batch.key) {
            plan.add(*message, *place, batch);
        }
    }
    plan
}

impl<'a> Plan<'a> {
    fn add(&mut self, message: usize, place: usize, batch: &'a Batch) {
        let Some(stream) = self.streams.get_mut(place) else { return };
        for event in &batch.events {
            if stream.sequences.contains(event.seq) {
                stream.duplicates += 1;
                self.seen.push(Seen { stream: place, message, event });
            } else if stream.sequences.insert(event.seq, event.seq).is_ok() {
                stream.stored += 1;
                self.events.push((place, batch.boot, event));
            } else {
                self.deferred += 1;
            }
        }
        for gap in &batch.skipped {
            for (from, to) in stream.sequences.missing(gap.from, gap.to) {
                if stream.sequences.insert(from, to).is_ok() {
                    self.losses.push(Loss { stream: place, from, to, reason: gap.reason.clone() });
                } else {
                    self.deferred += 1;
                }
            }
        }
        for poison in &batch.poison {
            let is_known = poison.seq.is_some_and(|seq| stream.sequences.contains(seq));
            if is_known {
                // It came before, and was set aside then.
                stream.duplicates += 1;
                continue;
            }
            if let Some(seq) = poison.seq {
                if stream.sequences.insert(seq, seq).is_err() {
                    self.deferred += 1;
                    continue;
                }
                self.losses.push(Loss { stream: place, from: seq, to: seq, reason: "poison".into() });
            }
            self.quarantined.push(Quarantined {
                message,
                reason: poison.reason.clone(),
                len: poison.bytes.len(),
                bytes: poison.bytes.clone(),
            });
        }
    }

    /// Returns the keys of [`Plan::seen`] that the database has to be asked for: those not new in this very plan.
    pub fn to_look_up(&self) -> Vec<Seen<'a>> {
        let new = self.new_ids();
        self.seen.iter().filter(|seen| !new.contains_key(&(seen.stream, seen.event.seq))).copied().collect()
    }

    /// Compares what came again with what is stored, and sets aside what has a number of another event.
    ///
    /// `stored` has the identities of those of [`Plan::to_look_up`] that are in the database. A number without one was
    /// passed over, or is gone by retention: what comes for it now is ignored.
    pub fn judge(&mut self, stored: &HashMap<(usize, u64), EventId>) {
        let new = self.new_ids();
        for seen in &self.seen {
            let key = (seen.stream, seen.event.seq);
            let there = new.get(&key).or_else(|| stored.get(&key));
            if there.is_some_and(|id| *id != seen.event.id) {
                if let Some(stream) = self.streams.get_mut(seen.stream) {
                    stream.duplicates = stream.duplicates.saturating_sub(1);
                }
                self.quarantined.push(Quarantined {
                    message: seen.message,
                    reason: format!("number {} belongs to another event", seen.event.seq),
                    len: seen.event.data.len(),
                    bytes: seen.event.data.as_bytes().to_vec(),
                });
            }
        }
    }

    /// Returns the identities of new events, if there is anything to compare them with.
    fn new_ids(&self) -> BTreeMap<(usize, u64), EventId> {
        if self.seen.is_empty() {
            return BTreeMap::new();
        }
        self.events.iter().map(|(place, _, event)| ((*place, event.seq), event.id)).collect()
    }
}

#[cfg(test)]
mod tests;

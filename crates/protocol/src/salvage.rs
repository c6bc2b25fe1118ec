//! Reading a batch in which something is wrong: the good events are taken, the others listed.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use units::Pii;

use crate::batch::{BadEvent, EventBatch, ReceivedBatch, SeqRange, Skipped, gaps, read_header};
use crate::event::Event;
use crate::fault::{Fault, Found};
use crate::fields::{Field as _, Fields, Read as _};
use crate::limits::{MAX_BATCH_EVENTS, MAX_EVENT_LEN, MAX_QUARANTINED_LEN};
use crate::topic::Topic;
use crate::wire::{DecodeError, Document as _, check_address, check_nul, check_version, not_json, read_raw, unpack};

/// Reads a batch that came on `topic`, as far as it can be read.
///
/// # Errors
///
/// When nothing of it can be used: it is no JSON, of another version, without a readable envelope, or of another device
/// or stream than the topic.
pub fn decode_batch(topic: &Topic, payload: &[u8]) -> Result<ReceivedBatch, DecodeError> {
    let text = unpack(payload)?;
    let mut split: BTreeMap<String, &RawValue> = serde_json::from_str(&text).map_err(|error| not_json(&error))?;
    let version = split.get("v").map(|raw| read_raw(raw)).transpose();
    let version = version.map_err(|fault| DecodeError::UnknownVersion(fault.under("v")))?;
    check_version(version.as_ref())?;
    let events = split.remove("events").ok_or_else(|| fault_in_events(Found::Nothing))?;

    let header = read_each(&split).map_err(|(name, fault)| DecodeError::Field(fault.under(known(name))))?;
    check_nul(&header)?;
    let mut fields = Fields::new(header);
    let mut batch = read_header(&mut fields).map_err(DecodeError::Field)?;
    batch.extra = fields.rest();
    check_address(topic, batch.address())?;

    let events: Vec<&RawValue> =
        serde_json::from_str(events.get()).map_err(|_not_a_list| fault_in_events(found(events)))?;
    if events.len() > MAX_BATCH_EVENTS {
        return Err(fault_in_events(Found::List { len: events.len() }));
    }
    let mut items: Vec<Item<'_>> = events.into_iter().enumerate().map(|(place, raw)| Item::read(place, raw)).collect();
    believe_the_longest_row(&mut items);
    infer_numbers(&mut items, &batch.skipped);

    let accounted = items.iter().filter_map(|item| item.seq).map(|seq| SeqRange { from: seq, to: seq });
    let gaps = gaps(accounted.chain(batch.skipped.iter().map(Skipped::range)).collect());
    let mut bad = Vec::new();
    for item in items {
        match item.event {
            Ok(event) => batch.events.push(event),
            Err(fault) => bad.push(BadEvent {
                place: item.place,
                seq: item.seq,
                fault: fault.at(item.place).under("events"),
                raw: Pii::new(cut(item.raw.get(), MAX_QUARANTINED_LEN).to_owned()),
            }),
        }
    }
    Ok(ReceivedBatch { batch, bad, gaps })
}

/// Returns what kind of thing stands there.
fn found(raw: &RawValue) -> Found {
    read_raw(raw).map_or(Found::Unreadable, |value| Found::from(&value))
}

fn fault_in_events(found: Found) -> DecodeError {
    DecodeError::Field(Fault::of(found, "a list of at most 1024 events").under("events"))
}

/// Reads each field of an object that was split.
fn read_each<'a>(split: &'a BTreeMap<String, &RawValue>) -> Result<Map<String, Value>, (&'a str, Fault)> {
    let read = |(name, raw): (&'a String, &&RawValue)| match read_raw(raw) {
        Ok(value) => Ok((name.clone(), value)),
        Err(fault) => Err((name.as_str(), fault)),
    };
    split.iter().map(read).collect()
}

/// Returns the name of a field, for an error: a name that is none of ours is not repeated.
fn known(name: &str) -> &str {
    let ours = EventBatch::FIELDS.contains(&name) || Event::FIELDS.contains(&name);
    if ours { name } else { "(another field)" }
}

/// One element of the list of events.
struct Item<'a> {
    place: usize,
    raw: &'a RawValue,
    /// Its number, as far as it is known and believed.
    seq: Option<u64>,
    event: Result<Event, Fault>,
}

impl<'a> Item<'a> {
    fn read(place: usize, raw: &'a RawValue) -> Self {
        let (seq, event) = read_event(raw);
        Self { place, raw, seq, event }
    }
}

/// Reads an event, and its number even when the rest cannot be read.
fn read_event(raw: &RawValue) -> (Option<u64>, Result<Event, Fault>) {
    let Ok(split) = serde_json::from_str::<BTreeMap<String, &RawValue>>(raw.get()) else {
        return (None, Err(Fault::of(found(raw), "an event")));
    };
    let seq = split.get("seq").and_then(|raw| read_raw(raw).ok()).and_then(|value| u64::read(value).ok());
    let seq = seq.filter(|seq| *seq > 0);
    let len = raw.get().len();
    let event = if len > MAX_EVENT_LEN {
        Err(Fault::of(Found::Text { len }, "an event of at most 64 KiB"))
    } else {
        match read_each(&split) {
            Ok(map) => Event::read_fields(Fields::new(map)),
            Err((name, fault)) => Err(fault.under(known(name))),
        }
    };
    (seq, event)
}

/// Numbers have to rise. Where they do not, the longest row that rises is believed and the others are bad: one event with
/// a wild number must not cost those behind it.
fn believe_the_longest_row(items: &mut [Item<'_>]) {
    let numbers: Vec<Option<u64>> = items.iter().map(|item| item.seq).collect();
    let believed = longest_rising(&numbers);
    for (item, believed) in items.iter_mut().zip(believed) {
        if !believed && item.seq.take().is_some() && item.event.is_ok() {
            item.event = Err(Fault::of(Found::Number, "a number above the one before").under("seq"));
        }
    }
}

/// Returns which numbers belong to the longest strictly rising row (patience sorting, n log n).
fn longest_rising(numbers: &[Option<u64>]) -> Vec<bool> {
    // `tails` has, for each length, the lowest number a row of that length can end with, and where it stands.
    let mut tails: Vec<(u64, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; numbers.len()];
    for (place, number) in numbers.iter().enumerate() {
        let Some(number) = *number else { continue };
        let length = tails.partition_point(|(tail, _)| *tail < number);
        if let (Some(slot), Some((_, previous))) =
            (before.get_mut(place), length.checked_sub(1).and_then(|shorter| tails.get(shorter)))
        {
            *slot = Some(*previous);
        }
        match tails.get_mut(length) {
            Some(tail) => *tail = (number, place),
            None => tails.push((number, place)),
        }
    }
    let mut believed = vec![false; numbers.len()];
    let mut place = tails.last().map(|(_, place)| *place);
    while let Some(at) = place {
        if let Some(mark) = believed.get_mut(at) {
            *mark = true;
        }
        place = before.get(at).copied().flatten();
    }
    believed
}

/// Gives bad events without a number the one their neighbours leave for them.
fn infer_numbers(items: &mut [Item<'_>], skipped: &[Skipped]) {
    let taken: std::collections::BTreeSet<u64> = items.iter().filter_map(|item| item.seq).collect();
    let is_free = |seq: u64| {
        seq > 0 && !taken.contains(&seq) && !skipped.iter().any(|range| (range.from..=range.to).contains(&seq))
    };
    let mut last = None;
    for item in items.iter_mut() {
        if item.seq.is_none() {
            item.seq = last.and_then(|last: u64| last.checked_add(1)).filter(|seq| is_free(*seq));
        }
        last = item.seq;
    }
    let mut next = None;
    for item in items.iter_mut().rev() {
        if item.seq.is_none() {
            item.seq = next.and_then(|next: u64| next.checked_sub(1)).filter(|seq| is_free(*seq));
        }
        next = item.seq;
    }
}

/// Returns the beginning of a text, at most `max` bytes, not cut inside a character.
fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_rising_row_is_found() {
        let check = |numbers: &[u64], expected: &[u64]| {
            let numbers: Vec<Option<u64>> = numbers.iter().copied().map(Some).collect();
            let believed = longest_rising(&numbers);
            let row: Vec<u64> = numbers
                .iter()
                .zip(believed)
                .filter(|(_, believed)| *believed)
                .filter_map(|(number, _)| *number)
                .collect();
            assert_eq!(row, expected);
        };
        check(&[], &[]);
        check(&[1, 2, 3], &[1, 2, 3]);
        check(&[9000, 1, 2, 3], &[1, 2, 3]);
        check(&[1, 2, 1, 3], &[1, 2, 3]);
        check(&[5, 5], &[5]);
    }
}

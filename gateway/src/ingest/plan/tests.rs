use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use protocol::{EventId, Stream};

use super::{Batch, Event, Gap, Poison, StreamKey, keys, plan};
use crate::ingest::sequences::Sequences;

fn key(device: &str) -> StreamKey {
    StreamKey { device: device.parse().unwrap(), stream: Stream::Calls, epoch: 7 }
}

fn id(n: u64) -> EventId {
    EventId::from_bytes(u128::from(n).to_be_bytes())
}

fn event(seq: u64, identity: u64) -> Event {
    Event {
        seq,
        id: id(identity),
        kind: "call.ended".into(),
        mono_ms: 1,
        wall_ms: 2,
        time_synced: true,
        data: format!("{{\"n\":{identity}}}").into(),
    }
}

fn batch(events: Vec<Event>) -> Batch {
    Batch { key: key("box-1"), boot: 1, skipped: Vec::new(), events, poison: Vec::new() }
}

fn known(device: &str, watermark: u64, ahead: &str) -> Vec<(StreamKey, Sequences)> {
    vec![(key(device), Sequences::from_row(watermark, ahead).unwrap())]
}

#[test]
fn new_events_are_stored_and_the_watermark_moves_over_what_waited() {
    let batch = batch(vec![event(3, 3), event(4, 4)]);
    let plan = plan(&[(0, &batch)], known("box-1", 2, "5-9"));
    assert_eq!(plan.events.len(), 2);
    assert_eq!(plan.streams[0].sequences.watermark(), 9);
}

#[test]
fn the_same_event_again_is_counted_and_another_with_its_number_is_set_aside() {
    let (one, other) = (batch(vec![event(1, 1), event(2, 2)]), batch(vec![event(2, 2), event(1, 99)]));
    let mut plan = plan(&[(0, &one), (1, &other)], known("box-1", 0, ""));
    assert!(plan.to_look_up().is_empty(), "both are new in this plan");
    plan.judge(&HashMap::new());
    assert_eq!((plan.events.len(), plan.streams[0].duplicates), (2, 1));
    assert_eq!(plan.quarantined.len(), 1);
    assert_eq!((plan.quarantined[0].message, plan.quarantined[0].bytes.as_slice()), (1, b"{\"n\":99}".as_slice()));
}

#[test]
fn what_was_stored_before_is_looked_up() {
    let batch = batch(vec![event(1, 50), event(2, 2), event(3, 3)]);
    let mut plan = plan(&[(0, &batch)], known("box-1", 3, ""));
    assert_eq!(plan.to_look_up().len(), 3);
    // The third is gone by retention.
    plan.judge(&HashMap::from([((0, 1), id(1)), ((0, 2), id(2))]));
    assert_eq!((plan.events.len(), plan.streams[0].duplicates, plan.quarantined.len()), (0, 2, 1));
}

#[test]
fn poison_is_set_aside_once_and_passed_over() {
    let mut batch = batch(vec![event(1, 1), event(3, 3)]);
    batch.poison.push(Poison { seq: Some(2), reason: "kind: expected a word".to_owned(), bytes: b"{}".to_vec() });
    let first = plan(&[(0, &batch)], known("box-1", 0, ""));
    assert_eq!(first.streams[0].sequences.watermark(), 3);
    assert_eq!((first.losses.len(), first.quarantined.len()), (1, 1));
    let again = plan(&[(0, &batch)], known("box-1", 3, ""));
    assert_eq!((again.losses.len(), again.quarantined.len()), (0, 0));
}

#[test]
fn an_announced_gap_is_a_loss_only_where_nothing_is_stored() {
    let mut batch = batch(vec![event(10, 10)]);
    batch.skipped.push(Gap { from: 3, to: 9, reason: "cap".into() });
    let plan = plan(&[(0, &batch)], known("box-1", 4, "6-7"));
    let lost: Vec<(u64, u64)> = plan.losses.iter().map(|loss| (loss.from, loss.to)).collect();
    assert_eq!(lost, [(5, 5), (8, 9)]);
    assert_eq!(plan.streams[0].sequences.watermark(), 10);
}

#[test]
fn rows_are_locked_in_one_order_whatever_order_messages_come_in() {
    let (mut one, mut other) = (batch(Vec::new()), batch(Vec::new()));
    one.key = key("b");
    other.key = key("a");
    let sorted = keys([&one, &other, &one].into_iter());
    assert_eq!(sorted, [key("a"), key("b")]);
}

proptest! {
    /// Whatever comes, in whatever order and however often: each number is stored at most once, the watermark never
    /// passes one that is neither stored nor lost, and what is stored first stays.
    #[test]
    fn every_number_is_stored_once_or_lost_before_the_watermark_passes_it(
        script in proptest::collection::vec(
            (1_u64..40, 1_u64..6, proptest::option::of((1_u64..40, 0_u64..4)), 0_u64..2), 1..40),
        cuts in proptest::collection::vec(1_usize..5, 1..40),
    ) {
        let batches: Vec<Batch> = script
            .iter()
            .map(|(first, count, gap, shift)| {
                let mut batch = batch((*first..first + count).map(|seq| event(seq, seq + shift * 1_000)).collect());
                batch.skipped.extend(gap.map(|(from, more)| Gap { from, to: from + more, reason: "cap".into() }));
                batch
            })
            .collect();
        let mut row = Sequences::default();
        let mut table: BTreeMap<u64, EventId> = BTreeMap::new();
        let mut lost: BTreeSet<u64> = BTreeSet::new();
        let mut rest = batches.as_slice();
        for cut in cuts.into_iter().cycle() {
            if rest.is_empty() { break; }
            let (now, later) = rest.split_at(cut.min(rest.len()));
            rest = later;
            let messages: Vec<(usize, &Batch)> = now.iter().enumerate().collect();
            let mut plan = plan(&messages, vec![(key("box-1"), row.clone())]);
            let stored = plan
                .to_look_up()
                .iter()
                .filter_map(|seen| Some(((0, seen.event.seq), *table.get(&seen.event.seq)?)))
                .collect();
            plan.judge(&stored);
            for (_, _, event) in &plan.events {
                prop_assert!(table.insert(event.seq, event.id).is_none(), "{} stored twice", event.seq);
                prop_assert!(!lost.contains(&event.seq), "{} stored after it was told lost", event.seq);
            }
            for loss in &plan.losses {
                for seq in loss.from..=loss.to {
                    prop_assert!(!table.contains_key(&seq), "{seq} is told lost and is stored");
                    prop_assert!(lost.insert(seq), "{seq} is told lost twice");
                }
            }
            prop_assert!(plan.streams[0].sequences.watermark() >= row.watermark());
            row = plan.streams[0].sequences.clone();
            for seq in 1..=row.watermark() {
                prop_assert!(table.contains_key(&seq) || lost.contains(&seq), "{seq} is below the watermark");
            }
        }
        for batch in &batches {
            for event in &batch.events {
                prop_assert!(table.contains_key(&event.seq) || lost.contains(&event.seq));
            }
        }
    }
}

//! Events in the outbox: numbers, order, removal, room, and what survives what.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use protocol::{EventId, Kind, NewEvent, Stamp, Stream};
use serde_json::json;
use units::Pii;

use super::{batch_of_call, call, call_id, config, open, open_on};
use crate::{
    Batch, Calls, DropCause, FaultyDisk, OutboxDrop, OutboxHead, OutboxLimits, OutboxLoss, OutboxSlice, SkipCause,
    Skipped, Store, StoreConfig,
};

const WALL_MS: u64 = 1_700_000_000_000;

#[test]
fn events_get_numbers_from_one_in_the_order_of_commits_and_are_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for number in 0..3 {
        store.commit(batch_of(&[event(Stream::Calls, 2 * number), event(Stream::Calls, 2 * number + 1)])).unwrap();
    }
    store.commit(batch_of(&[event(Stream::Leads, 100)])).unwrap();
    let heads = store.outbox_heads();
    assert_eq!(
        heads.iter().map(|head| (head.stream, head.through, head.next)).collect::<Vec<_>>(),
        [(Stream::Calls, 0, 7), (Stream::Leads, 0, 2)]
    );
    assert_eq!(numbers(&all(&store, Stream::Calls)), [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5)]);
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.outbox_heads(), heads);
    assert_eq!(numbers(&all(&store, Stream::Calls)), [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5)]);
    store.commit(batch_of(&[event(Stream::Leads, 101)])).unwrap();
    assert_eq!(numbers(&all(&store, Stream::Leads)), [(1, 100), (2, 101)]);
}

#[test]
fn an_event_and_the_fact_it_tells_of_are_both_there_or_neither() {
    for fail_writes in [true, false] {
        for allowed in 0..10 {
            let folder = tempfile::tempdir().unwrap();
            let disk = Arc::new(FaultyDisk::default());
            let store = open_on(folder.path(), &disk);
            if fail_writes {
                disk.allow_writes(allowed);
            } else {
                disk.allow_syncs(allowed);
            }
            let mut acknowledged = Vec::new();
            for number in 0..12 {
                if store.commit(call_with_event(number)).is_ok() {
                    acknowledged.push(number);
                }
            }
            assert_eq!(acknowledged.len() as u64, allowed);
            drop(store);
            disk.allow_writes(u64::MAX);
            disk.allow_syncs(u64::MAX);
            let store = open_on(folder.path(), &disk);
            let told: Vec<u64> = numbers(&all(&store, Stream::Calls)).into_iter().map(|(_, number)| number).collect();
            assert!(acknowledged.iter().all(|number| told.contains(number)), "{acknowledged:?} of {told:?}");
            assert!(told.is_sorted());
            for number in 0..12 {
                let kept = store.get::<Calls>(&call_id(number)).unwrap().is_some();
                assert_eq!(kept, told.contains(&number), "call {number}, {allowed} allowed");
            }
        }
    }
}

#[test]
fn a_number_is_never_given_twice_whatever_fails_between() {
    for allowed in 0..14 {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::default());
        let mut seen = BTreeMap::new();
        for round in 0..4 {
            let store = open_on(folder.path(), &disk);
            disk.allow_syncs(allowed);
            for number in 0..6 {
                let _either_way = store.commit(batch_of(&[event(Stream::Calls, round * 10 + number)])).is_ok();
                // Whatever is handed out may reach the gateway at once.
                note(&mut seen, &store);
            }
            disk.allow_syncs(u64::MAX);
            let _either_way = store.commit(batch_of(&[event(Stream::Calls, round * 10 + 9)])).is_ok();
            note(&mut seen, &store);
            drop(store);
        }
    }
}

#[test]
fn only_what_the_gateway_has_is_removed_and_it_stays_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for number in 0..10 {
        store.commit(batch_of(&[event(Stream::Calls, 2 * number), event(Stream::Calls, 2 * number + 1)])).unwrap();
    }
    let before = head(&store, Stream::Calls);
    store.commit(acknowledged(&before, 7)).unwrap();
    let after = head(&store, Stream::Calls);
    assert_eq!((after.through, after.next), (7, 21));
    assert!(after.bytes < before.bytes);
    assert_eq!(numbers(&all(&store, Stream::Calls)).first(), Some(&(8, 7)));
    // Going back, and further than there is anything, changes nothing and removes no more than there is.
    store.commit(acknowledged(&before, 3)).unwrap();
    assert_eq!(head(&store, Stream::Calls), after);
    store.commit(acknowledged(&before, 1_000)).unwrap();
    let empty = head(&store, Stream::Calls);
    assert_eq!((empty.through, empty.next, empty.bytes), (20, 21, 0));
    assert!(all(&store, Stream::Calls).is_empty());
    drop(store);
    let store = open(folder.path());
    assert_eq!(head(&store, Stream::Calls), empty);
    store.commit(batch_of(&[event(Stream::Calls, 20)])).unwrap();
    assert_eq!(numbers(&all(&store, Stream::Calls)), [(21, 20)]);
}

#[test]
fn logs_make_room_for_newer_ones_and_the_gap_is_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let limits = OutboxLimits { lossy_stream_bytes: 8 * 1024, ..OutboxLimits::default() };
    let config = StoreConfig { outbox: limits, ..config(folder.path()) };
    let store = Store::open(&config).unwrap();
    for number in 0..200 {
        store.commit(batch_of(&[event(Stream::Logs, number), event(Stream::Calls, number)])).unwrap();
    }
    assert!(head(&store, Stream::Logs).bytes <= limits.lossy_stream_bytes);
    let slice = slice(&store, Stream::Logs);
    let OutboxLoss { dropped, damaged } = store.outbox_loss(Stream::Logs);
    assert!(dropped > 100 && damaged == 0);
    assert_eq!(slice.skipped, [Skipped { from: 1, to: dropped, cause: SkipCause::Cap }]);
    assert_eq!(slice.events.first().unwrap().seq, dropped + 1);
    assert_eq!(all(&store, Stream::Calls).len(), 200);
    drop(store);
    let store = Store::open(&config).unwrap();
    assert_eq!(store.outbox_loss(Stream::Logs).dropped, dropped);
    assert_eq!(self::slice(&store, Stream::Logs).skipped, slice.skipped);
}

#[test]
fn on_a_disk_that_is_nearly_full_logs_are_counted_only_and_calls_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let store = open_on(folder.path(), &disk);
    let first = [event(Stream::Logs, 0), event(Stream::Metrics, 0), event(Stream::Calls, 0)];
    store.commit(batch_of(&first)).unwrap();
    disk.set_free_bytes(OutboxLimits::default().lossy_free_bytes - 1);
    store.commit(batch_of(&[event(Stream::Logs, 1), event(Stream::Calls, 1)])).unwrap();
    assert_eq!(numbers(&all(&store, Stream::Calls)), [(1, 0), (2, 1)]);
    assert_eq!(slice(&store, Stream::Logs).skipped, [Skipped { from: 1, to: 2, cause: SkipCause::Disk }]);
    assert_eq!(store.outbox_loss(Stream::Logs).dropped, 2);
    let made_room = slice(&store, Stream::Metrics);
    assert_eq!(made_room.skipped, [Skipped { from: 1, to: 1, cause: SkipCause::Disk }], "nobody added to it");
    disk.set_free_bytes(u64::MAX);
    store.commit(batch_of(&[event(Stream::Logs, 2)])).unwrap();
    assert_eq!(numbers(&all(&store, Stream::Logs)), [(3, 2)]);
}

#[test]
fn each_drop_is_told_once_with_its_cause_also_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let limits = OutboxLimits { lossy_stream_bytes: 0, ..OutboxLimits::default() };
    let config = StoreConfig { outbox: limits, ..config(folder.path()) };
    let open = || Store::open_on(&config, Arc::<FaultyDisk>::clone(&disk)).unwrap();
    let store = open();
    store.commit(batch_of(&[event(Stream::Logs, 0), event(Stream::Logs, 1), event(Stream::Calls, 0)])).unwrap();
    disk.set_free_bytes(limits.lossy_free_bytes - 1);
    store.commit(batch_of(&[event(Stream::Logs, 2)])).unwrap();
    let epoch = head(&store, Stream::Logs).epoch;
    let dropped = |from, to, cause| OutboxDrop { stream: Stream::Logs, epoch, from, to, cause };
    let drops = [dropped(1, 2, DropCause::Cap), dropped(3, 3, DropCause::Disk)];
    assert_eq!(store.outbox_drops(), drops);
    let causes = [(1, 2, SkipCause::Cap), (3, 3, SkipCause::Disk)];
    let announced = causes.map(|(from, to, cause)| Skipped { from, to, cause });
    assert_eq!(slice(&store, Stream::Logs).skipped, announced);
    drop(store);

    let store = open();
    assert_eq!(store.outbox_drops(), drops);
    let mut telling = batch_of(&[event(Stream::Audit, 0), event(Stream::Audit, 1)]);
    for drop in &drops {
        telling.mark_told(drop);
    }
    // One that fails has told nothing.
    disk.allow_writes(0);
    assert!(store.commit(telling.clone()).is_err());
    disk.allow_writes(u64::MAX);
    store.commit(telling).unwrap();
    assert_eq!(store.outbox_drops(), []);
    drop(store);

    let store = open();
    assert_eq!(store.outbox_drops(), []);
    let old = store.outbox_heads().into_iter().find(|head| head.stream == Stream::Logs).unwrap();
    let slice = store.outbox_slice(Stream::Logs, old.epoch, 0, 64, 32_768).unwrap();
    assert_eq!(slice.skipped, announced, "announced until the gateway has it");
    store.commit(acknowledged(&old, 3)).unwrap();
    store.commit(batch_of(&[event(Stream::Logs, 3)])).unwrap();
    let newest = head(&store, Stream::Logs);
    let more = OutboxDrop { epoch: newest.epoch, from: newest.next - 1, to: newest.next - 1, ..drops[1] };
    assert_eq!(store.outbox_drops(), [more]);
}

#[test]
fn what_makes_room_is_committed_where_new_rows_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let config = StoreConfig { reserve_bytes: 1_000_000, ..config(folder.path()) };
    let store = Store::open_on(&config, Arc::<FaultyDisk>::clone(&disk)).unwrap();
    store.commit(batch_of(&[event(Stream::Calls, 0)])).unwrap();
    disk.set_free_bytes(600_000);
    assert!(store.commit(batch_of(&[event(Stream::Calls, 1)])).is_err());
    store.commit(acknowledged(&head(&store, Stream::Calls), 1)).unwrap();
    assert_eq!(head(&store, Stream::Calls).bytes, 0);
}

#[test]
fn a_database_that_was_moved_aside_begins_a_new_epoch_and_sends_what_was_salvaged_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for number in 0..20 {
        store.commit(batch_of(&[event(Stream::Calls, number)])).unwrap();
    }
    let before = head(&store, Stream::Calls);
    store.commit(acknowledged(&before, 5)).unwrap();
    drop(store);
    spoil(folder.path());
    let store = Store::open(&StoreConfig { now_wall_ms: WALL_MS, ..config(folder.path()) }).unwrap();
    assert_eq!(store.report().opened, crate::Opened::Reset);
    let heads: Vec<OutboxHead> = store.outbox_heads().into_iter().filter(|head| head.stream == Stream::Calls).collect();
    assert_eq!(heads.len(), 2);
    assert_eq!((heads[0].epoch, heads[0].open, heads[0].through, heads[0].next), (before.epoch, false, 5, 21));
    assert!(heads[1].open && heads[1].epoch > before.epoch);
    assert_eq!(numbers(&read(&store, &heads[0])), (6..=20).map(|seq| (seq, seq - 1)).collect::<Vec<_>>());
    store.commit(batch_of(&[event(Stream::Calls, 20)])).unwrap();
    assert_eq!(numbers(&read(&store, &heads[1])), [(1, 20)]);
    // The old epoch is forgotten when the gateway has it.
    store.commit(acknowledged(&heads[0], 20)).unwrap();
    assert_eq!(store.outbox_heads().iter().filter(|head| head.stream == Stream::Calls).count(), 1);
    drop(store);
    let store = open(folder.path());
    assert_eq!(numbers(&all(&store, Stream::Calls)), [(1, 20)]);
}

#[test]
fn a_new_epoch_can_be_asked_for_and_is_no_lower_than_asked() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(batch_of(&[event(Stream::Calls, 0)])).unwrap();
    let mut batch = Batch::new();
    batch.begin_epoch(Stream::Calls, 2 * WALL_MS);
    store.commit(batch).unwrap();
    store.commit(batch_of(&[event(Stream::Calls, 1)])).unwrap();
    let heads = store.outbox_heads();
    assert_eq!(heads.iter().map(|head| (head.open, head.next)).collect::<Vec<_>>(), [(false, 2), (true, 2)]);
    assert_eq!(heads[1].epoch, 2 * WALL_MS);
}

#[test]
fn events_of_two_boots_do_not_come_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let of_boot = |boot, number| NewEvent {
        stamp: Stamp { boot, ..event(Stream::Calls, number).stamp },
        ..event(Stream::Calls, number)
    };
    store.commit(batch_of(&[of_boot(1, 0), of_boot(1, 1), of_boot(2, 2)])).unwrap();
    let first = slice(&store, Stream::Calls);
    assert_eq!((first.boot, numbers(&first.events)), (1, vec![(1, 0), (2, 1)]));
    let head = head(&store, Stream::Calls);
    let second = store.outbox_slice(Stream::Calls, head.epoch, 2, 64, 32_768).unwrap();
    assert_eq!((second.boot, numbers(&second.events)), (2, vec![(3, 2)]));
}

#[test]
fn many_small_and_some_large_events_come_back_whole_within_the_limits_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut batch = Batch::new();
    for number in 0..300 {
        let mut event = event(Stream::Calls, number);
        if number % 100 == 7 {
            // Not compressible, so it makes a large row.
            let noise: String =
                (0..20_000_u64).map(|at| char::from(b'!' + ((at * at * 31 + number) % 90) as u8)).collect();
            event.data = Pii::new(json!({ "number": number, "noise": noise }));
        }
        batch.emit(event);
    }
    store.commit(batch).unwrap();
    let head = head(&store, Stream::Calls);
    let mut after = 0;
    while let slice = store.outbox_slice(Stream::Calls, head.epoch, after, 64, 32_768).unwrap()
        && !slice.events.is_empty()
    {
        assert!(slice.events.len() <= 64 && slice.skipped.is_empty());
        assert!(slice.events.iter().zip(after + 1..).all(|(event, seq)| event.seq == seq));
        after = slice.last();
    }
    assert_eq!(after, 300);
}

#[test]
fn a_listener_hears_of_events_once_the_disk_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    let heard = Arc::new(AtomicU64::new(0));
    let (listening, count) = (Arc::downgrade(&store), Arc::clone(&heard));
    store.on_events(move || {
        let next = listening.upgrade().map_or(0, |store| head(&store, Stream::Calls).next);
        count.store(next, Ordering::SeqCst);
    });
    store.commit(batch_of_call(1)).unwrap();
    assert_eq!(heard.load(Ordering::SeqCst), 0);
    store.commit(batch_of(&[event(Stream::Calls, 0)])).unwrap();
    // The listener is called after the answer; the next answer comes after it.
    store.commit(batch_of_call(2)).unwrap();
    assert_eq!(heard.load(Ordering::SeqCst), 2);
}

#[test]
fn unhurried_batches_share_a_sync_and_hurried_ones_do_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let config = StoreConfig { linger: std::time::Duration::from_hours(1), ..config(folder.path()) };
    let store = Store::open_on(&config, Arc::<FaultyDisk>::clone(&disk)).unwrap();
    let before = disk.syncs();
    for number in 0..20 {
        let mut batch = batch_of(&[event(Stream::Logs, number)]);
        batch.unhurried();
        store.submit(batch, |result| result.unwrap()).unwrap();
    }
    // It takes the others along, an hour before their time.
    store.commit(batch_of_call(1)).unwrap();
    assert_eq!(all(&store, Stream::Logs).len(), 20);
    assert_eq!(disk.syncs() - before, 1);
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(Stream, u8)>),
    Acknowledge(Stream, u8),
    Fail,
    Open,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let stream = prop_oneof![Just(Stream::Calls), Just(Stream::Audit), Just(Stream::Logs)];
    let step = prop_oneof![
        8 => prop::collection::vec((stream.clone(), 1..60_u8), 1..4).prop_map(Step::Commit),
        3 => (stream, 0..100_u8).prop_map(|(stream, share)| Step::Acknowledge(stream, share)),
        1 => Just(Step::Fail),
        1 => Just(Step::Open),
    ];
    prop::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: what was acknowledged by the disk and not by the gateway comes back, in
    /// order, each number accounted for, and only logs have gaps.
    #[test]
    fn the_outbox_does_as_its_model(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::default());
        let limits = OutboxLimits { lossy_stream_bytes: 4 * 1024, ..OutboxLimits::default() };
        let config = StoreConfig { outbox: limits, now_wall_ms: WALL_MS, ..config(folder.path()) };
        let mut store = Store::open_on(&config, Arc::<FaultyDisk>::clone(&disk)).unwrap();
        let mut model: BTreeMap<Stream, Vec<u64>> = BTreeMap::new();
        let mut next = 0_u64;
        for step in steps {
            match step {
                Step::Commit(parts) => {
                    let mut batch = Batch::new();
                    for (stream, count) in parts {
                        for _ in 0..count {
                            batch.emit(event(stream, next));
                            model.entry(stream).or_default().push(next);
                            next += 1;
                        }
                    }
                    store.commit(batch).unwrap();
                }
                Step::Acknowledge(stream, share) => {
                    let Some(head) = store.outbox_heads().into_iter().find(|head| head.stream == stream) else { continue };
                    let through = head.through + (head.next - 1 - head.through) * u64::from(share) / 100;
                    model.entry(stream).or_default().drain(..usize::try_from(through - head.through).unwrap());
                    store.commit(acknowledged(&head, through)).unwrap();
                }
                Step::Fail => {
                    disk.allow_writes(0);
                    prop_assert!(store.commit(batch_of(&[event(Stream::Calls, u64::MAX / 2)])).is_err());
                    disk.allow_writes(u64::MAX);
                }
                Step::Open => {
                    drop(store);
                    store = Store::open_on(&config, Arc::<FaultyDisk>::clone(&disk)).unwrap();
                }
            }
            // A failed commit takes the database down until the next one.
            store.commit(batch_of_call(1)).unwrap();
            for (stream, expected) in &model {
                let (found, lost) = walk(&store, *stream);
                if stream.may_drop() {
                    prop_assert!(expected.ends_with(&found) || found.is_empty());
                    prop_assert_eq!(lost + found.len() as u64, expected.len() as u64);
                    let bytes: u64 = store.outbox_heads().iter().filter(|head| head.stream == *stream).map(|head| head.bytes).sum();
                    prop_assert!(bytes <= limits.lossy_stream_bytes);
                } else {
                    prop_assert_eq!(&found, expected);
                    prop_assert_eq!(lost, 0);
                }
            }
        }
    }
}

/// Walks through all epochs of a stream as the sender does. Returns the events' own numbers, and how many were told as
/// gone; fails when a number is not accounted for.
pub(super) fn walk(store: &Store, stream: Stream) -> (Vec<u64>, u64) {
    let (mut found, mut lost) = (Vec::new(), 0);
    for head in store.outbox_heads().into_iter().filter(|head| head.stream == stream) {
        let mut after = head.through;
        while after + 1 < head.next {
            let slice = store.outbox_slice(stream, head.epoch, after, 64, 32_768).unwrap();
            let mut told: Vec<(u64, u64)> = slice.skipped.iter().map(|skipped| (skipped.from, skipped.to)).collect();
            lost += told.iter().map(|(from, to)| to - from + 1).sum::<u64>();
            told.extend(slice.events.iter().map(|event| (event.seq, event.seq)));
            told.sort_unstable();
            for (from, to) in told {
                assert_eq!(from, after + 1, "{stream} has a gap nobody told of");
                after = to;
            }
            found.extend(numbers(&slice.events).into_iter().map(|(_, number)| number));
        }
    }
    (found, lost)
}

/// Notes every event that is handed out; none may come under a number that was another's.
fn note(seen: &mut BTreeMap<(u64, u64), EventId>, store: &Store) {
    for head in store.outbox_heads() {
        if !store.is_open() {
            return;
        }
        for event in read(store, &head) {
            let before = seen.insert((head.epoch, event.seq), event.id);
            assert!(before.is_none_or(|id| id == event.id), "{} {} was given twice", head.epoch, event.seq);
        }
    }
}

pub(super) fn event(stream: Stream, number: u64) -> NewEvent {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    NewEvent {
        stream,
        kind: Kind::AUDIT_ENTRY,
        id: EventId::from_random_bytes(id),
        stamp: Stamp { boot: 1, mono_ms: number, wall_ms: WALL_MS, time_synced: true },
        data: Pii::new(json!({ "number": number, "text": "something that takes some room, as events do" })),
    }
}

fn batch_of(events: &[NewEvent]) -> Batch {
    let mut batch = Batch::new();
    for event in events {
        batch.emit(event.clone());
    }
    batch
}

fn call_with_event(number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put_call(&call(number)).unwrap();
    batch.emit(event(Stream::Calls, number));
    batch
}

fn acknowledged(head: &OutboxHead, through: u64) -> Batch {
    let mut batch = Batch::new();
    batch.acknowledge(head.stream, head.epoch, through);
    batch
}

/// Returns how the newest epoch of a stream stands.
fn head(store: &Store, stream: Stream) -> OutboxHead {
    store.outbox_heads().into_iter().rfind(|head| head.stream == stream).unwrap()
}

fn slice(store: &Store, stream: Stream) -> OutboxSlice {
    store.outbox_slice(stream, head(store, stream).epoch, 0, 64, 32_768).unwrap()
}

fn all(store: &Store, stream: Stream) -> Vec<protocol::Event> {
    store.outbox_heads().iter().filter(|head| head.stream == stream).flat_map(|head| read(store, head)).collect()
}

fn read(store: &Store, head: &OutboxHead) -> Vec<protocol::Event> {
    let mut events = Vec::new();
    let mut after = 0;
    while let slice = store.outbox_slice(head.stream, head.epoch, after, 64, 32_768).unwrap()
        && slice.last() > 0
    {
        after = slice.last();
        events.extend(slice.events);
    }
    events
}

/// Returns each event's number in the stream, and its own.
fn numbers(events: &[protocol::Event]) -> Vec<(u64, u64)> {
    events.iter().map(|event| (event.seq, event.data.reveal()["number"].as_u64().unwrap())).collect()
}

/// Makes a database that does not open, but whose bytes are all there.
fn spoil(root: &Path) {
    let database = root.join("v1-000001");
    fs::rename(database.join("db"), database.join("db.old")).unwrap();
    fs::create_dir(database.join("db")).unwrap();
}

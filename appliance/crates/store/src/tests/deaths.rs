//! Deaths at every point of a life, one after the other: what was deleted stays deleted, what was put is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::Stream;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use tempfile::TempDir;

use super::damage::{copy, database};
use super::outbox::{event, walk};
use super::{config, open};
use crate::engine::{Engine, close};
use crate::salvage::TOMBSTONE;
use crate::{Batch, Disk, Inbox, Opened, Query, RealDisk, Store};

const SEED: u64 = 20_261_122;
const LIVES: u64 = 12;
/// What a disk writes as one, in bytes.
const BLOCK: usize = 4096;

#[test]
fn small_rows_that_were_deleted_stay_deleted_through_deaths() {
    through_deaths(SEED, 20);
}

#[test]
fn rows_that_were_deleted_stay_deleted_through_deaths() {
    through_deaths(SEED + 1, 400);
}

#[test]
fn large_rows_that_were_deleted_stay_deleted_through_deaths() {
    through_deaths(SEED + 2, 6_000);
}

#[test]
fn many_openings_leave_neither_tombstones_nor_a_larger_file() {
    const ROWS: u64 = 300;
    let folder = tempfile::tempdir().unwrap();
    let mut next = 0;
    for boot in 0..60 {
        drop(open(folder.path()));
        assert_eq!(tombstones(folder.path()), 0, "boot {boot}");
        let store = open(folder.path());
        for _ in 0..10 {
            let mut batch = Batch::new();
            for number in next..next + ROWS / 10 {
                batch.put::<Inbox>(&format!("{number:08}"), &Value::String("x".repeat(6_000))).unwrap();
                if let Some(old) = number.checked_sub(ROWS) {
                    batch.delete::<Inbox>(&format!("{old:08}")).unwrap();
                }
            }
            next += ROWS / 10;
            store.commit(batch).unwrap();
        }
        drop(store);
        let len = fs::metadata(database(folder.path()).join("db")).unwrap().len();
        assert!(len < 16 * 1024 * 1024, "boot {boot}: {len} bytes for 2 MB of rows");
        let census = fs::metadata(database(folder.path()).join("census")).unwrap().len();
        assert!(census < 20 * ROWS, "boot {boot}: a census of {census} bytes for {ROWS} rows");
    }
}

#[test]
fn many_deletions_in_one_run_leave_neither_tombstones_nor_a_larger_file() {
    const ROWS: u64 = 300;
    const ALL: u64 = 30_000;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for first in (0..ALL).step_by(100) {
        let mut batch = Batch::new();
        for number in first..first + 100 {
            batch.put::<Inbox>(&format!("{number:08}"), &Value::String("x".repeat(3_000))).unwrap();
            if let Some(old) = number.checked_sub(ROWS) {
                batch.delete::<Inbox>(&format!("{old:08}")).unwrap();
            }
        }
        store.commit(batch).unwrap();
        let len = fs::metadata(database(folder.path()).join("db")).unwrap().len();
        assert!(len < 32 * 1024 * 1024, "{first}: {len} bytes for 1 MB of rows");
    }
    drop(store);
    assert!(tombstones(folder.path()) < 5_000);
    fs::write(folder.path().join("opening"), "2").unwrap();
    let store = open(folder.path());
    assert_eq!(store.report().opened, Opened::Reset);
    let rows = store.query(&Query::<Inbox>::all().limit(usize::MAX)).unwrap();
    let keys: Vec<String> = rows.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, (ALL - ROWS..ALL).map(|number| format!("{number:08}")).collect::<Vec<_>>());
}

fn through_deaths(seed: u64, row_len: usize) {
    let mut life = Life { random: StdRng::seed_from_u64(seed), row_len, held: Held::default(), next: 0 };
    let mut folder = tempfile::tempdir().unwrap();
    let mut resets = 0;
    for number in 0..LIVES {
        let at = format!("seed {seed}, life {number}");
        // Two deaths in a row while it opens.
        let second = life.open_and_die(folder.path(), &format!("{at}, before any death"));
        let third = life.open_and_die(second.path(), &format!("{at}, after a death"));
        let store = open(third.path());
        life.held.compare(&Held::by(&store), &format!("{at}, after two deaths"));
        resets += u64::from(store.report().opened == Opened::Reset);
        drop(store);
        folder = [folder, second, third].into_iter().nth(*[0, 0, 0, 1, 2].choose(&mut life.random).unwrap()).unwrap();
        let store = open(folder.path());
        life.live(&store);
        // One in the middle of a commit, and two while it opens.
        let before = tempfile::tempdir().unwrap();
        copy(folder.path(), before.path());
        let operations = *[10, 300].choose(&mut life.random).unwrap();
        let (batch, after) = life.batch(&store, operations);
        store.commit(batch).unwrap();
        let torn = life.torn(before.path(), folder.path());
        drop(store);
        if life.random.random_bool(0.5) {
            folder = torn;
            let found = Held::by(&open(folder.path()));
            // All of it or nothing.
            let is_new = |(key, number): (&String, &u64)| life.held.rows.get(key) != Some(number);
            let is_there = after.rows.iter().any(|row| is_new(row) && found.rows.get(row.0) == Some(row.1));
            life.held = if is_there { after } else { life.held };
            life.held.compare(&found, &format!("{at}, in the middle of a commit"));
        } else {
            life.held = after;
        }
    }
    println!("{resets} of {LIVES} pairs of deaths made the store salvage its rows");
    assert!(resets > LIVES / 3);
}

/// What a store holds: rows with the number that was put into each last, and events, by their own numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    rows: BTreeMap<String, u64>,
    events: Vec<u64>,
}

impl Held {
    fn by(store: &Store) -> Self {
        let rows = store.query(&Query::<Inbox>::all().limit(usize::MAX)).unwrap().into_iter();
        let number = |row: Value| row.as_str()?.split(' ').next()?.parse().ok();
        Self {
            rows: rows.map(|(key, row)| (key, number(row).unwrap())).collect(),
            events: walk(store, Stream::Calls).0,
        }
    }

    fn compare(&self, found: &Self, at: &str) {
        let differs = |key: &&String| self.rows.get(*key) != found.rows.get(*key);
        let keys: BTreeSet<&String> = self.rows.keys().chain(found.rows.keys()).filter(differs).collect();
        let tuple = |key: &String| (key.clone(), self.rows.get(key).copied(), found.rows.get(key).copied());
        let some: Vec<_> = keys.iter().take(5).map(|key| tuple(key)).collect();
        assert!(keys.is_empty(), "{at}: {} rows differ; expected, found: {some:?}", keys.len());
        assert_eq!(self.events, found.events, "{at}");
    }
}

struct Life {
    random: StdRng,
    /// Rows are shorter than this, in bytes.
    row_len: usize,
    held: Held,
    next: u64,
}

impl Life {
    /// Puts, deletes and sends: little or much, so that the log is overwritten in places only.
    fn live(&mut self, store: &Store) {
        for _ in 0..*[2, 10, 40, 90].choose(&mut self.random).unwrap() {
            let operations = self.random.random_range(1..10);
            let (batch, after) = self.batch(store, operations);
            store.commit(batch).unwrap();
            self.held = after;
        }
        if self.random.random_bool(0.25) {
            let mut batch = Batch::new();
            for key in self.held.rows.keys().filter(|key| key.starts_with('q')) {
                batch.delete::<Inbox>(key).unwrap();
            }
            store.commit(batch).unwrap();
            self.held.rows.retain(|key, _| !key.starts_with('q'));
        }
    }

    /// Makes a batch: new rows, a row put anew, the oldest and other rows deleted, events sent and with the gateway.
    /// Returns what is held after it.
    fn batch(&mut self, store: &Store, operations: usize) -> (Batch, Held) {
        let (mut batch, mut after) = (Batch::new(), self.held.clone());
        let queue: Vec<String> =
            after.rows.keys().filter(|key| key.starts_with('q')).take(operations).cloned().collect();
        for key in queue.into_iter().take(self.random.random_range(0..=operations)) {
            Self::delete(&mut batch, &mut after, &key);
        }
        for _ in 0..operations {
            self.next += 1;
            let kind = if self.random.random_bool(0.1) { "kept" } else { "q" };
            let key = format!("{kind}{}-{:06}", self.random.random_range(0..3), self.next);
            self.put(&mut batch, &mut after, key);
        }
        let any = self.held.rows.keys().nth(self.random.random_range(0..=self.held.rows.len()));
        match any.cloned() {
            Some(key) if self.random.random_bool(0.3) => self.put(&mut batch, &mut after, key),
            Some(key) if self.random.random_bool(0.1) => Self::delete(&mut batch, &mut after, &key),
            Some(_) | None => {}
        }
        for _ in 0..self.random.random_range(0..3) {
            self.next += 1;
            batch.emit(event(Stream::Calls, self.next));
            after.events.push(self.next);
        }
        let head = store.outbox_heads().into_iter().find(|head| head.through + 1 < head.next);
        if let Some(head) = head.filter(|_| self.random.random_bool(0.4)) {
            let through = self.random.random_range(head.through..head.next);
            batch.acknowledge(head.stream, head.epoch, through);
            after.events.drain(..usize::try_from(through - head.through).unwrap());
        }
        (batch, after)
    }

    fn put(&mut self, batch: &mut Batch, after: &mut Held, key: String) {
        self.next += 1;
        let text = format!("{} {}", self.next, "x".repeat(self.random.random_range(0..self.row_len)));
        batch.put::<Inbox>(&key, &Value::String(text)).unwrap();
        after.rows.insert(key, self.next);
    }

    fn delete(batch: &mut Batch, after: &mut Held, key: &str) {
        batch.delete::<Inbox>(&key.to_owned()).unwrap();
        after.rows.remove(key);
    }

    /// Opens the store and returns what would be left if it had been killed meanwhile.
    fn open_and_die(&mut self, folder: &Path, at: &str) -> TempDir {
        let left = tempfile::tempdir().unwrap();
        let disk = Arc::new(DyingDisk {
            folder: folder.to_owned(),
            left: left.path().to_owned(),
            syncs: AtomicU64::new(self.random.random_range(0..6)),
        });
        let store = Store::open_on(&config(folder), disk).unwrap();
        self.held.compare(&Held::by(&store), at);
        drop(store);
        assert_eq!(tombstones(folder), 0, "{at}");
        if !left.path().join("lock").exists() {
            copy(folder, left.path());
        }
        left
    }

    /// Returns what would be left if the commit between two states had been cut off.
    fn torn(&mut self, before: &Path, after: &Path) -> TempDir {
        let torn = tempfile::tempdir().unwrap();
        copy(before, torn.path());
        let db = |root: &Path| database(root).join("db");
        let (mut bytes, after) = (fs::read(db(before)).unwrap(), fs::read(db(after)).unwrap());
        let is_old = |bytes: &[u8], at: usize, block: &[u8]| bytes.get(at..at + block.len()) != Some(block);
        let blocks = after.chunks(BLOCK).enumerate().map(|(index, block)| (index * BLOCK, block));
        let changed: Vec<_> = blocks.filter(|(at, block)| is_old(&bytes, *at, block)).collect();
        let count = self.random.random_range(0..=changed.len());
        for (at, block) in changed.into_iter().take(count) {
            bytes.resize(bytes.len().max(at + block.len()), 0);
            bytes[at..at + block.len()].copy_from_slice(block);
        }
        fs::write(db(torn.path()), bytes).unwrap();
        torn
    }
}

/// A disk that, asked to sync so many times, leaves a copy of the folder as it is before.
#[derive(Debug)]
struct DyingDisk {
    folder: PathBuf,
    left: PathBuf,
    syncs: AtomicU64,
}

impl Disk for DyingDisk {
    fn before_write(&self, _byte_count: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        if self.syncs.fetch_sub(1, Ordering::SeqCst) == 0 {
            copy(&self.folder, &self.left);
        }
        RealDisk.sync(file)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(folder)
    }
}

/// Counts the tombstones of a closed store.
fn tombstones(root: &Path) -> usize {
    let (engine, _) = Engine::open_within(&database(root), 1024 * 1024, Duration::from_secs(20)).unwrap();
    let mut count = 0;
    let stones = (Bound::Included(vec![TOMBSTONE]), Bound::Excluded(vec![TOMBSTONE + 1]));
    let visited = engine.visit(stones, false, |_, _| {
        count += 1;
        ControlFlow::Continue(())
    });
    close(engine);
    visited.unwrap();
    count
}

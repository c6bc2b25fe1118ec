//! Power cuts in miniature: a disk that keeps what was synced and, of the rest, what chance leaves.
//!
//! The real thing, with a kernel and a file system in it, is `tests/power-cuts`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::{Batch, CallRecord, Calls, CallsByTime, Disk, Opened, Query, RealDisk, Recordings, Store, StoreConfig};
use store::{CallByTimeKey, RecordingFormat, RecordingName};
use units::{CallId, Pii};

const SEED: u64 = 20_261_121;
const DISKS: u64 = 4;
const CUTS_PER_DISK: u64 = 5;
/// What a disk writes as one, in bytes.
const BLOCK: usize = 4096;

#[test]
fn whatever_was_acknowledged_before_a_power_cut_is_there_afterwards() {
    let losses = campaign(Syncs::Kept);
    println!("{losses:?}");
    assert_eq!(losses, Losses { acknowledged: losses.acknowledged, ..Losses::default() }, "seed {SEED}");
    assert!(losses.acknowledged > DISKS * CUTS_PER_DISK);
}

#[test]
fn without_syncs_the_same_cuts_lose_what_was_acknowledged() {
    let losses = campaign(Syncs::Skipped);
    println!("{losses:?}");
    assert!(losses.rows > 0 && losses.recordings > 0, "seed {SEED}: this campaign proves nothing: {losses:?}");
}

/// What cuts did to what was promised.
#[derive(Debug, Default, PartialEq, Eq)]
struct Losses {
    /// Commits acknowledged.
    acknowledged: u64,
    /// Rows gone, older than promised, or back after their deletion.
    rows: usize,
    /// Commits in flight of which some rows are there and some are not.
    torn: u64,
    /// Finished recordings that are gone or other than they were.
    recordings: usize,
    /// Openings that found no database, or one that does not open.
    openings: u64,
}

fn campaign(syncs: Syncs) -> Losses {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut losses = Losses::default();
    for _ in 0..DISKS {
        let mut folder = tempfile::tempdir().unwrap();
        let mut promised = Promised::default();
        for cut in 0..=CUTS_PER_DISK {
            let disk = Arc::new(CachingDisk { syncs, synced: Mutex::default() });
            // What a cut left is on the disk.
            disk.sync_all_below(folder.path());
            let store = Store::open_on(&StoreConfig::new(folder.path()), Arc::<CachingDisk>::clone(&disk)).unwrap();
            let recordings = Recordings::open_on(folder.path(), 0, Arc::<CachingDisk>::clone(&disk)).unwrap().0;
            losses.openings += u64::from(cut > 0 && store.report().opened != Opened::Existing);
            promised.compare(&store, &recordings, &mut losses);
            if cut == CUTS_PER_DISK {
                break;
            }
            losses.acknowledged += promised.write(&store, &recordings, &mut random);
            let after = tempfile::tempdir().unwrap();
            disk.cut(folder.path(), after.path(), &mut random);
            drop(store);
            folder = after;
        }
    }
    losses
}

/// What is promised on one disk: calls by number, each with the batch that put it last.
#[derive(Debug, Default)]
struct Promised {
    calls: BTreeMap<u64, u64>,
    in_flight: BTreeMap<u64, u64>,
    recordings: BTreeMap<RecordingName, Vec<u8>>,
    next: u64,
}

impl Promised {
    /// Commits, makes a recording, and leaves a commit and a recording unfinished. Returns the commits acknowledged.
    fn write(&mut self, store: &Store, recordings: &Recordings, random: &mut StdRng) -> u64 {
        let commits = random.random_range(1..20);
        for _ in 0..commits {
            let (batch, after) = self.batch(random);
            store.commit(batch).unwrap();
            self.calls = after;
        }
        let name = RecordingName::call(call_id(self.next));
        let mut writer = recordings.create(name.clone(), RecordingFormat::PHONE).unwrap();
        writer.write(&vec![7; random.random_range(1..20_000)]).unwrap();
        writer.finish().unwrap();
        self.recordings.insert(name.clone(), fs::read(recordings.path(&name)).unwrap());
        let mut writer =
            recordings.create(RecordingName::voicemail(call_id(self.next)), RecordingFormat::PHONE).unwrap();
        writer.write(&vec![8; 9_000]).unwrap();
        let (batch, after) = self.batch(random);
        store.submit(batch, |_| ()).unwrap();
        self.in_flight = after;
        commits
    }

    /// Makes a batch that puts new calls, puts some anew and deletes some; and what is there after it.
    fn batch(&mut self, random: &mut StdRng) -> (Batch, BTreeMap<u64, u64>) {
        let (mut batch, mut after) = (Batch::new(), self.calls.clone());
        self.next += 1;
        let batch_number = self.next;
        for _ in 0..random.random_range(1..=16) {
            let old = self.calls.keys().nth(random.random_range(0..=self.calls.len())).copied();
            match old {
                Some(old) if random.random_bool(0.3) => {
                    batch.delete::<Calls>(&call_id(old)).unwrap();
                    batch.delete::<CallsByTime>(&by_time(old)).unwrap();
                    after.remove(&old);
                }
                old => {
                    self.next += 1;
                    let number = old.filter(|_| random.random_bool(0.5)).unwrap_or(self.next);
                    batch.put_call(&call(number, batch_number)).unwrap();
                    after.insert(number, batch_number);
                }
            }
        }
        (batch, after)
    }

    /// Compares what is there with what was promised; then what is there counts.
    fn compare(&mut self, store: &Store, recordings: &Recordings, losses: &mut Losses) {
        let rows = store.query(&Query::<Calls>::all().limit(usize::MAX)).unwrap();
        let found: BTreeMap<u64, u64> = rows.iter().map(|(_, row)| (row.started_wall_ms, row.boot)).collect();
        for (_, row) in &rows {
            assert_eq!(*row, call(row.started_wall_ms, row.boot), "seed {SEED}: a row was made up");
        }
        let in_order = store.query(&Query::<CallsByTime>::all().limit(usize::MAX)).unwrap();
        let in_order: BTreeSet<u64> = in_order.iter().map(|(key, ())| key.started_wall_ms).collect();
        losses.torn += u64::from(!in_order.iter().eq(found.keys()));
        // All of the commit in flight, or nothing of it.
        if found != self.in_flight {
            let numbers: BTreeSet<&u64> = self.calls.keys().chain(found.keys()).collect();
            losses.rows += numbers.into_iter().filter(|number| self.calls.get(number) != found.get(number)).count();
        }
        for (name, bytes) in &self.recordings {
            losses.recordings += usize::from(fs::read(recordings.path(name)).ok().as_ref() != Some(bytes));
        }
        self.recordings.retain(|name, bytes| fs::read(recordings.path(name)).ok().as_ref() == Some(bytes));
        self.calls.clone_from(&found);
        self.in_flight = found;
    }
}

fn call_id(number: u64) -> CallId {
    format!("CA{number:032}").parse().unwrap()
}

fn by_time(number: u64) -> CallByTimeKey {
    CallByTimeKey { started_wall_ms: number, call: call_id(number) }
}

fn call(number: u64, batch: u64) -> CallRecord {
    let text = "a".repeat(usize::try_from((number * 37 + batch * 11) % 700).unwrap());
    CallRecord { boot: batch, ..CallRecord::started(call_id(number), Pii::new(text), Pii::default(), number) }
}

/// Whether the disk does what it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syncs {
    Kept,
    Skipped,
}

/// A disk that remembers what it was made to keep. What sled writes and syncs by itself beside its log (its
/// configuration and its snapshots) is taken as kept.
#[derive(Debug)]
struct CachingDisk {
    syncs: Syncs,
    /// Files with what was in them when they were synced last.
    synced: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
}

impl Disk for CachingDisk {
    fn before_write(&self, _byte_count: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        if self.syncs == Syncs::Kept {
            self.keep(fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?)?;
        }
        Ok(())
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(folder)
    }
}

impl CachingDisk {
    fn keep(&self, path: PathBuf) -> io::Result<()> {
        if path.is_file() {
            let bytes = fs::read(&path)?;
            self.synced.lock().unwrap_or_else(PoisonError::into_inner).insert(path, bytes);
        }
        Ok(())
    }

    fn sync_all_below(&self, folder: &Path) {
        for path in files_below(folder) {
            self.keep(path).unwrap();
        }
    }

    /// Copies what a power cut would leave now.
    fn cut(&self, folder: &Path, after: &Path, random: &mut StdRng) {
        // Between a cache that lost everything and one that had written nearly all of it.
        let share = [0.0, 0.1, 0.5, 0.9][random.random_range(0..4)];
        let synced = self.synced.lock().unwrap();
        for path in files_below(folder) {
            let target = after.join(path.strip_prefix(folder).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            let current = fs::read(&path).unwrap();
            let is_sleds_own = path.file_name().is_some_and(|name| name != "db") && path.parent() != Some(folder);
            let is_sound = path.parent().is_some_and(|parent| parent.ends_with("recordings"));
            let bytes = match synced.get(&Self::before_renaming(&path, &synced)) {
                Some(synced) => mix(synced, &current, share, random),
                None if is_sleds_own && !is_sound => current,
                None => mix(&[], &current, share, random),
            };
            fs::write(target, bytes).unwrap();
        }
    }

    /// A recording is synced under the name of its part.
    fn before_renaming(path: &Path, synced: &BTreeMap<PathBuf, Vec<u8>>) -> PathBuf {
        let part = path.with_extension("wav.part");
        if synced.contains_key(&part) { part } else { path.to_owned() }
    }
}

/// Returns what was synced, with some of the blocks written since.
fn mix(synced: &[u8], current: &[u8], share: f64, random: &mut StdRng) -> Vec<u8> {
    let mut bytes = synced.to_vec();
    for (index, block) in current.chunks(BLOCK).enumerate() {
        let start = index * BLOCK;
        if synced.get(start..start + block.len()) != Some(block) && random.random_bool(share) {
            bytes.resize(bytes.len().max(start + block.len()), 0);
            bytes[start..start + block.len()].copy_from_slice(block);
        }
    }
    bytes
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

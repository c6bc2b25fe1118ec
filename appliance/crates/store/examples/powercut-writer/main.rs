//! The program that the power-cut campaign runs in its guest, see `tests/power-cuts/README.md`.
//!
//! `powercut-writer FOLDER MODE SEED FIRST DISK` opens the store in FOLDER, prints everything it finds, and in the mode
//! `write` goes on to commit until the machine dies; the mode `verify` ends there. Numbers of rows and batches start
//! at FIRST. DISK is `synced`, or `unsynced` for the counter-proof: a disk that skips every `fsync`. It exists here
//! only; no setting of the program that answers calls leads to it.
//!
//! What it prints, one line each, each written out before the program goes on:
//!
//! | line | meaning |
//! |---|---|
//! | `opening` | the store is about to be opened |
//! | `opened OPENED boot=N salvaged=N damaged=N` | how it went, and the reason if the database was given up |
//! | `rows NUMBER:BATCH ...` | rows and events found, and the batch that put them last |
//! | `bad TEXT` | a row that was never written like that |
//! | `sound NUMBER BYTES whole` or `torn` | a finished recording, and whether its samples are those written |
//! | `verified` | everything was read |
//! | `writing` | the first commit comes next |
//! | `try BATCH pNUMBER dNUMBER ...` | a commit comes next: rows it puts and deletes, events it emits and acknowledges |
//! | `ack BATCH` | that commit was acknowledged |
//! | `refused BATCH ERROR` | that commit failed |
//! | `record NUMBER` | a recording is about to be made |
//! | `recorded NUMBER BYTES` | it is finished |
//! | `removing NUMBER` | a recording is about to be removed |

mod events;
mod rows;
mod sound;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::{Batch, Disk, OpenReport, RealDisk, Recordings, Store, StoreConfig};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Threads that commit at the same time, so that commits share an `fsync` as on the box.
const WRITERS: u64 = 3;
/// Operations of one batch at most.
const MAX_OPERATIONS: u64 = 64;
/// Rows each writer keeps; beyond it more is deleted than put, so that the log is cleaned up while it is written.
const MAX_LIVE: usize = 700;
/// One batch in so many is large.
const LARGE_EVERY: u32 = 16;
/// Recordings kept.
const MAX_RECORDINGS: usize = 12;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, mode, seed, first, disk] = arguments.as_slice() else {
        return Err("expected: FOLDER write|verify SEED FIRST synced|unsynced".into());
    };
    let (seed, first): (u64, u64) = (seed.parse()?, first.parse()?);
    let disk: Arc<dyn Disk> = match disk.as_str() {
        "synced" => Arc::new(RealDisk),
        "unsynced" => Arc::new(UnsyncedDisk),
        _ => return Err("expected synced or unsynced".into()),
    };
    say("opening")?;
    let config = StoreConfig::new(folder);
    let store = Store::open_on(&config, Arc::clone(&disk))?;
    let (recordings, _) = Recordings::open_on(Path::new(folder), config.reserve_bytes, disk)?;
    say(&opened(store.report()))?;
    let (found, events) = rows::print_all(&store)?;
    let sounds = sound::print_all(&recordings)?;
    say("verified")?;
    if mode == "write" {
        say("writing")?;
        let campaign = Campaign { store, recordings, numbers: AtomicU64::new(first), batches: AtomicU64::new(first) };
        campaign.acknowledge(&events)?;
        match campaign.run(seed, &found, sounds)? {}
    }
    Ok(())
}

/// Prints a line. The guest's console takes it before this returns.
fn say(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    // One write: lines of several threads do not mix, and none is left in a buffer.
    output.write_all(format!("{line}\n").as_bytes())?;
    output.flush()
}

fn opened(report: &OpenReport) -> String {
    let OpenReport { opened, boot, salvaged, damaged, .. } = report;
    let reason = report.reason.as_deref().unwrap_or_default().replace('\n', " ");
    format!("opened {opened:?} boot={boot} salvaged={salvaged} damaged={damaged} {reason}")
}

/// A disk that says everything is on it.
#[derive(Debug)]
struct UnsyncedDisk;

impl Disk for UnsyncedDisk {
    fn before_write(&self, byte_count: u64) -> io::Result<()> {
        RealDisk.before_write(byte_count)
    }

    fn sync(&self, _file: &File) -> io::Result<()> {
        Ok(())
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(folder)
    }
}

struct Campaign {
    store: Store,
    recordings: Recordings,
    numbers: AtomicU64,
    batches: AtomicU64,
}

impl Campaign {
    /// Writes until the machine dies or something fails.
    fn run(&self, seed: u64, found: &BTreeSet<u64>, sounds: Vec<u64>) -> Outcome<Infallible> {
        thread::scope(|scope| {
            for writer in 1..WRITERS {
                let live = share(found, writer);
                let random = StdRng::seed_from_u64(seed.wrapping_add(writer));
                scope.spawn(move || self.write_reporting(random, live));
            }
            scope.spawn(move || self.record_reporting(StdRng::seed_from_u64(!seed), sounds));
            self.write(StdRng::seed_from_u64(seed), share(found, 0))
        })
    }

    /// Takes half of the events that were found out of the outbox.
    fn acknowledge(&self, found: &[events::Found]) -> Outcome<()> {
        let mut batch = Batch::new();
        let gone: Vec<String> =
            events::acknowledge(&mut batch, found).iter().map(|number| format!(" d{number}")).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let batch_number = self.batches.fetch_add(1, Ordering::SeqCst);
        say(&format!("try {batch_number}{}", gone.concat()))?;
        self.store.commit(batch)?;
        Ok(say(&format!("ack {batch_number}"))?)
    }

    fn write_reporting(&self, random: StdRng, live: Vec<u64>) {
        let Err(error) = self.write(random, live);
        complain(&*error);
    }

    fn record_reporting(&self, random: StdRng, sounds: Vec<u64>) {
        let Err(error) = self.record(random, sounds);
        complain(&*error);
    }

    fn write(&self, mut random: StdRng, mut live: Vec<u64>) -> Outcome<Infallible> {
        loop {
            let batch_number = self.batches.fetch_add(1, Ordering::SeqCst);
            let mut batch = Batch::new();
            let mut line = format!("try {batch_number}");
            let (put, deleted) = self.choose(&mut random, &live);
            for number in &put {
                rows::put(&mut batch, *number, batch_number)?;
                write!(line, " p{number}")?;
            }
            for number in &deleted {
                rows::delete(&mut batch, *number)?;
                write!(line, " d{number}")?;
            }
            say(&line)?;
            match self.store.commit(batch) {
                Ok(()) => say(&format!("ack {batch_number}"))?,
                Err(error) => {
                    say(&format!("refused {batch_number} {error:?}"))?;
                    return Err(error.into());
                }
            }
            live.retain(|number| !deleted.contains(number));
            live.extend(put.into_iter().filter(|number| !rows::is_event(*number)));
            live.sort_unstable();
            live.dedup();
        }
    }

    /// Chooses what a batch puts, some of it over rows that are there, and what it deletes.
    fn choose(&self, random: &mut StdRng, live: &[u64]) -> (BTreeSet<u64>, BTreeSet<u64>) {
        let most = if random.random_ratio(1, LARGE_EVERY) { MAX_OPERATIONS } else { 8 };
        let count = random.random_range(1..=most);
        let (mut put, mut deleted) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..count {
            let old = live.get(random.random_range(0..live.len().max(1))).copied();
            let delete_chance = if live.len() > MAX_LIVE { 0.6 } else { 0.15 };
            match old.filter(|old| !put.contains(old) && !deleted.contains(old)) {
                Some(old) if random.random_bool(delete_chance) => deleted.insert(old),
                Some(old) if random.random_bool(0.3) => put.insert(old),
                _ => put.insert(self.numbers.fetch_add(1, Ordering::SeqCst)),
            };
        }
        (put, deleted)
    }

    fn record(&self, mut random: StdRng, mut kept: Vec<u64>) -> Outcome<Infallible> {
        loop {
            let number = self.numbers.fetch_add(1, Ordering::SeqCst);
            say(&format!("record {number}"))?;
            let byte_count = sound::make(&self.recordings, number, random.random_range(1..60))?;
            say(&format!("recorded {number} {byte_count}"))?;
            kept.push(number);
            if kept.len() > MAX_RECORDINGS {
                let oldest = kept.remove(0);
                say(&format!("removing {oldest}"))?;
                self.recordings.remove(&sound::name(oldest)?)?;
            }
        }
    }
}

/// Returns the rows that one writer puts and deletes; each row is one writer's only.
fn share(found: &BTreeSet<u64>, writer: u64) -> Vec<u64> {
    (0..).zip(found).filter(|(index, _)| index % WRITERS == writer).map(|(_, number)| *number).collect()
}

fn complain(error: &(dyn Error + Send + Sync)) {
    // A console that takes nothing more is what a dead machine has.
    drop(say(&format!("failed {error:?}")));
}

//! Opening the store's folder, whatever is in it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::next_epoch;

use crate::batch::{Operation, full_key};
use crate::census;
use crate::commit::encode_group;
use crate::disk::{Disk, is_full, sync_folder};
use crate::engine::{CheckResult, Engine, close};
use crate::frame;
use crate::layout::{self, FORMAT, Generation};
use crate::outbox::Outbox;
use crate::records::MetaRow;
use crate::salvage::{self, Findings, MAX_KEPT};
use crate::store::StoreConfig;
use crate::tables::Meta;

/// A process that died this often while opening is not made to open the same database again.
const MAX_ATTEMPTS: u32 = 2;
/// Salvaged rows written at once.
const SALVAGE_BATCH: usize = 256;
/// Below this a failure to open is blamed on the disk being full, not on the database, in bytes.
const TOO_LITTLE_TO_OPEN: u64 = 8 * 1024 * 1024;
/// The row of [`Meta`] that holds format and boots.
const META_KEY: &str = "store";
/// Bits of the commit number that count within a boot; those above hold the boot.
const BOOT_SHIFT: u32 = 40;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Nothing; an empty database was made.
    Fresh,
    /// The database.
    Existing,
    /// A database that could not be read. It was moved aside and what was recognized in it is in a new one.
    Reset,
    /// Only a database written by a newer release. It is left as it is, and an empty one was made beside it.
    BesideNewer,
}

/// How the opening went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenReport {
    /// What was found.
    pub opened: Opened,
    /// How often the store was opened, this time included.
    pub boot: u64,
    /// The number of this run of the program: greater than those before, also over a store that was lost where the clock
    /// is right. Made by [`next_epoch`].
    pub run: u64,
    /// Rows put back: out of databases that were moved aside, or that sled had left out of a damaged one.
    pub salvaged: u64,
    /// Rows recognized as damaged, in the database or in those moved aside. Old versions of rows count too.
    pub damaged: u64,
    /// Why the database was given up, if it was.
    pub reason: Option<String>,
    /// Where it lies now.
    pub quarantined: Option<PathBuf>,
    /// The newer format that was left alone, if there is one.
    pub newer_format: Option<u32>,
}

impl OpenReport {
    /// Tells whether something that was stored may be gone.
    pub fn lost_hint(&self) -> bool {
        self.opened == Opened::Reset || self.damaged > 0 || self.salvaged > 0
    }
}

/// Why a store does not open. An unreadable database is not among the reasons.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another part of this one, has it open.
    #[error("store {} is in use by another process", .folder.display())]
    InUse {
        /// The store's folder.
        folder: PathBuf,
    },
    /// The disk is full.
    #[error("no space left on the disk of store {}", .folder.display())]
    DiskFull {
        /// The store's folder.
        folder: PathBuf,
        /// What failed.
        #[source]
        source: io::Error,
    },
    /// The folder cannot be used.
    #[error("store {} cannot be used", .folder.display())]
    Unusable {
        /// The store's folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// How slowly a healthy database may be read at its opening: 4 MB a second. 505 MB took 2.9 s on the reference machine,
/// and 17.4 s while it was busy (`examples/opening_cost.rs`).
const SLOWEST_READ_BYTES_PER_MS: u64 = 4_000;

/// A store that is open, before its threads start.
pub(crate) struct OpenStore {
    pub(crate) engine: Engine,
    pub(crate) folder: PathBuf,
    pub(crate) lock: File,
    pub(crate) first_number: u64,
    pub(crate) report: OpenReport,
    pub(crate) outbox: Outbox,
}

/// Opens the store; see the crate's documentation.
pub(crate) fn open(config: &StoreConfig, disk: &dyn Disk) -> Result<OpenStore, OpenError> {
    let root = &config.folder;
    fs::create_dir_all(root).map_err(|source| unusable(root, source))?;
    let lock = lock(root)?;
    Opening { config, disk, root }.run(lock).map_err(|source| unusable(root, source))
}

/// Returns what opening may take on top of the usual because the database is large: a box that was offline for long has
/// its events in it, and giving it up would lose some of them.
fn time_to_read(folder: &Path) -> Duration {
    let len = fs::metadata(folder.join("db")).map_or(0, |file| file.len());
    Duration::from_millis(len / SLOWEST_READ_BYTES_PER_MS)
}

fn unusable(root: &Path, source: io::Error) -> OpenError {
    let folder = root.to_owned();
    if is_full(&source) { OpenError::DiskFull { folder, source } } else { OpenError::Unusable { folder, source } }
}

fn lock(root: &Path) -> Result<File, OpenError> {
    let file = File::options().create(true).truncate(false).write(true).open(root.join("lock"));
    let file = file.map_err(|source| unusable(root, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { folder: root.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(root, source)),
    }
}

struct Opening<'a> {
    config: &'a StoreConfig,
    disk: &'a dyn Disk,
    root: &'a Path,
}

/// What was put back from the bytes of a database.
#[derive(Clone, Copy, Debug, Default)]
struct Restored {
    rows: u64,
    damaged: u64,
    last_number: u64,
}

impl Restored {
    fn add(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.damaged = self.damaged.saturating_add(other.damaged);
        self.last_number = self.last_number.max(other.last_number);
    }
}

/// A database that is open, and how it came to be.
struct Found {
    engine: Engine,
    generation: Generation,
    check: CheckResult,
    /// What its bytes held before sled opened it; empty when it was made just now.
    findings: Findings,
    opened: Opened,
    reason: Option<String>,
    quarantined: Option<PathBuf>,
    newer_format: Option<u32>,
}

impl Opening<'_> {
    fn run(&self, lock: File) -> io::Result<OpenStore> {
        let attempts = self.note_attempt()?;
        let mut found = self.find(attempts)?;
        let mut restored = self.restore_lost_tail(&found)?;
        restored.add(self.salvage(&found)?);
        let Restored { rows: salvaged, damaged, last_number } = restored;
        let meta = read_meta(&found.engine)?;
        if meta.format > FORMAT {
            // A newer release wrote into a folder of our format: the folder is its own now.
            let next = found.generation.next();
            close(found.engine);
            let (engine, check) = self.open_generation(&next)?;
            found = Found {
                engine,
                check,
                generation: next,
                opened: Opened::BesideNewer,
                newer_format: Some(meta.format),
                ..found
            };
        }
        let boot = meta.boots.max(last_number >> BOOT_SHIFT).saturating_add(1);
        let first_number = boot.checked_shl(BOOT_SHIFT).unwrap_or(u64::MAX);
        self.take_census(&found, first_number);
        let damaged = damaged.saturating_add(found.check.damaged);
        let lost = found.opened == Opened::Reset || damaged > 0 || salvaged > 0;
        let (outbox, operations) = Outbox::load(&found.engine, lost, self.config.now_wall_ms)?;
        let run = next_epoch(Some(meta.run).filter(|run| *run > 0), self.config.now_wall_ms);
        let meta = MetaRow { format: FORMAT, boots: boot, run };
        let next_number = self.write_first(&found.engine, &meta, first_number, operations)?;
        fs::remove_file(self.root.join("opening"))?;
        if let Err(error) = layout::prune_quarantine(self.root) {
            tracing::warn!(%error, "old quarantined databases could not be deleted");
        }
        let report = OpenReport {
            opened: found.opened,
            boot,
            run,
            salvaged,
            damaged,
            reason: found.reason,
            quarantined: found.quarantined,
            newer_format: found.newer_format,
        };
        Ok(OpenStore {
            engine: found.engine,
            folder: found.generation.folder(self.root),
            lock,
            first_number: next_number,
            report,
            outbox,
        })
    }

    /// Counts the attempts that did not come to an end, this one not included: an abort inside sled takes the
    /// process with it, and must not do so forever.
    fn note_attempt(&self) -> io::Result<u32> {
        let path = self.root.join("opening");
        let before = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0_u32);
        fs::write(&path, before.saturating_add(1).to_string())?;
        sync_folder(self.disk, self.root)?;
        Ok(before)
    }

    fn find(&self, attempts: u32) -> io::Result<Found> {
        let all = layout::generations(self.root)?;
        let newer_format = all.iter().map(|generation| generation.format).filter(|format| *format > FORMAT).max();
        let Some(generation) = all.into_iter().rfind(|generation| generation.format <= FORMAT) else {
            let (engine, check) = self.open_generation(&Generation::FIRST)?;
            let opened = if newer_format.is_some() { Opened::BesideNewer } else { Opened::Fresh };
            let generation = Generation::FIRST;
            let findings = Findings::default();
            return Ok(Found {
                engine,
                generation,
                check,
                findings,
                opened,
                reason: None,
                quarantined: None,
                newer_format,
            });
        };
        let mut findings = salvage::look_through(&generation.folder(self.root), MAX_KEPT);
        let attempt = if attempts < MAX_ATTEMPTS {
            self.open_generation(&generation)
        } else {
            Err(io::Error::other("the program died while opening the database, more than once"))
        };
        let (opened, reason, quarantined, generation, (engine, check)) = match attempt {
            Ok(engine) => (Opened::Existing, None, None, generation, engine),
            Err(error) if self.is_not_the_databases_fault(&error) => return Err(error),
            Err(error) => {
                let quarantined = layout::quarantine(self.root, &generation)?;
                findings = Findings::default();
                tracing::warn!(%error, quarantined = %quarantined.display(), "database moved aside");
                let next = generation.next();
                let engine = self.open_generation(&next)?;
                (Opened::Reset, Some(error.to_string()), Some(quarantined), next, engine)
            }
        };
        Ok(Found { engine, generation, check, findings, opened, reason, quarantined, newer_format })
    }

    fn is_not_the_databases_fault(&self, error: &io::Error) -> bool {
        let environment = matches!(
            error.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::WouldBlock
        );
        let full = || self.disk.free_bytes(self.root).is_ok_and(|free| free < TOO_LITTLE_TO_OPEN);
        is_full(error) || environment || full()
    }

    fn open_generation(&self, generation: &Generation) -> io::Result<(Engine, CheckResult)> {
        let folder = generation.folder(self.root);
        let is_new = !folder.exists();
        let deadline = self.config.open_deadline.saturating_add(time_to_read(&folder));
        let (engine, check) = Engine::open_within(&folder, self.config.cache_bytes, deadline)?;
        if is_new {
            engine.sync_new(self.disk, &folder)?;
            sync_folder(self.disk, self.root)?;
        }
        Ok((engine, check))
    }

    /// Puts back what sled left out of a damaged log without saying so.
    fn restore_lost_tail(&self, found: &Found) -> io::Result<Restored> {
        let confirmed = read_frame_number(&found.engine, &salvage::commit_key())?;
        let mut restored = Restored { last_number: found.findings.last_number, ..Restored::default() };
        if found.findings.last_number > confirmed {
            restored.rows = self.copy(found, &found.findings, confirmed)?;
        }
        Ok(restored)
    }

    /// Copies the rows of databases moved aside, now or by a run that did not finish.
    fn salvage(&self, found: &Found) -> io::Result<Restored> {
        let mut restored = Restored::default();
        for folder in layout::unsalvaged(self.root)? {
            let findings = salvage::look_through(&folder, MAX_KEPT);
            let rows = self.copy(found, &findings, 0)?;
            restored.add(Restored { rows, damaged: findings.damaged, last_number: findings.last_number });
            if let Err(error) = layout::mark_salvaged(&folder, self.disk) {
                tracing::warn!(%error, "salvaged rows will be looked through again");
            }
        }
        Ok(restored)
    }

    /// Copies the rows found that are missing or older in the database, and deletes those that were deleted since:
    /// a commit is put back whole. Returns how many rows were copied.
    fn copy(&self, found: &Found, findings: &Findings, confirmed: u64) -> io::Result<u64> {
        let engine = &found.engine;
        let (mut count, mut batch) = (0_u64, Vec::new());
        // Deletions first: what is copied may overwrite the bytes they were found in, and this may be cut off, too.
        for (key, number, tombstone) in findings.deletions(confirmed) {
            if !newer_is_there(engine, key, number)? {
                batch.push((key.to_vec(), None));
                // Older frames of the row are still in the file, and the next scan has to know that they are dead.
                batch.push((salvage::tombstone_key(key), Some(tombstone.to_vec())));
            }
        }
        for (key, number, bytes) in findings.live_rows(confirmed) {
            // A database that was copied before, which nobody noted, has rows that were deleted from its copy since.
            let is_deleted =
                found.findings.is_dead(number) || newer_is_there(engine, &salvage::tombstone_key(key), number)?;
            if is_deleted || newer_is_there(engine, key, number)? {
                continue;
            }
            count = count.saturating_add(1);
            batch.push((key.to_vec(), Some(bytes.to_vec())));
            if batch.len() >= SALVAGE_BATCH {
                engine.apply(std::mem::take(&mut batch))?;
            }
        }
        engine.apply(batch)?;
        engine.flush()?;
        engine.sync(self.disk)?;
        Ok(count)
    }

    /// Takes the census, versions from `below` on being later. Where that is not possible, deletions are remembered as
    /// they are.
    fn take_census(&self, found: &Found, below: u64) {
        let folder = found.generation.folder(self.root);
        if let Err(error) = census::take(&found.engine, &found.findings, below, &folder, self.disk) {
            tracing::warn!(%error, "no census of the database");
        }
    }

    /// Writes what every opening changes, and `operations`; returns the next commit number.
    fn write_first(
        &self,
        engine: &Engine,
        meta: &MetaRow,
        number: u64,
        mut operations: Vec<Operation>,
    ) -> io::Result<u64> {
        let payload = Some(serde_json::to_vec(meta)?);
        operations.push(Operation { key: meta_key()?, payload });
        let (group, next_number) = encode_group(operations.iter(), number).map_err(io::Error::other)?;
        engine.apply(group)?;
        engine.flush()?;
        engine.sync(self.disk)?;
        Ok(next_number)
    }
}

fn meta_key() -> io::Result<Vec<u8>> {
    full_key::<Meta>(&META_KEY.to_owned()).map_err(io::Error::other)
}

/// A meta row that is missing or damaged is one of a new database: the boot then comes from the rows.
fn read_meta(engine: &Engine) -> io::Result<MetaRow> {
    let bytes = engine.get(&meta_key()?)?;
    let frame = bytes.as_deref().and_then(|bytes| frame::decode(bytes).ok());
    Ok(frame.and_then(|frame| serde_json::from_slice(frame.payload).ok()).unwrap_or_default())
}

fn read_frame_number(engine: &Engine, key: &[u8]) -> io::Result<u64> {
    let bytes = engine.get(key)?;
    Ok(bytes.and_then(|bytes| frame::decode(&bytes).ok().map(|frame| frame.number)).unwrap_or(0))
}

fn newer_is_there(engine: &Engine, key: &[u8], number: u64) -> io::Result<bool> {
    let bytes = engine.get(key)?;
    Ok(bytes.is_some_and(|bytes| frame::decode(&bytes).is_ok_and(|there| there.number >= number)))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::time_to_read;

    #[test]
    fn a_large_database_has_more_time_to_open_and_none_at_all_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(time_to_read(folder.path()), Duration::ZERO);
        File::create(folder.path().join("db")).unwrap().set_len(400_000_000).unwrap();
        assert_eq!(time_to_read(folder.path()), Duration::from_secs(100));
    }
}

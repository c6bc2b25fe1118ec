//! Opening the store's folder, whatever is in it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::batch::full_key;
use crate::disk::{Disk, is_full, sync_folder};
use crate::engine::{CheckResult, Engine, close};
use crate::frame::{self, Frame};
use crate::layout::{self, FORMAT, Generation};
use crate::records::MetaRow;
use crate::salvage;
use crate::store::StoreConfig;
use crate::tables::{Meta, Table};

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
    /// Rows copied out of databases that were moved aside.
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
        self.opened == Opened::Reset || self.damaged > 0
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

/// A store that is open, before its threads start.
pub(crate) struct OpenStore {
    pub(crate) engine: Engine,
    pub(crate) folder: PathBuf,
    pub(crate) lock: File,
    pub(crate) first_number: u64,
    pub(crate) report: OpenReport,
}

/// Opens the store; see the crate's documentation.
pub(crate) fn open(config: &StoreConfig, disk: &dyn Disk) -> Result<OpenStore, OpenError> {
    let root = &config.folder;
    fs::create_dir_all(root).map_err(|source| unusable(root, source))?;
    let lock = lock(root)?;
    Opening { config, disk, root }.run(lock).map_err(|source| unusable(root, source))
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

/// A database that is open, and how it came to be.
struct Found {
    engine: Engine,
    generation: Generation,
    check: CheckResult,
    opened: Opened,
    reason: Option<String>,
    quarantined: Option<PathBuf>,
    newer_format: Option<u32>,
}

impl Opening<'_> {
    fn run(&self, lock: File) -> io::Result<OpenStore> {
        let attempts = self.note_attempt()?;
        let mut found = self.find(attempts)?;
        let (salvaged, damaged, last_number) = self.salvage(&found.engine)?;
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
        self.write_meta(&found.engine, boot, first_number)?;
        fs::remove_file(self.root.join("opening"))?;
        layout::prune_quarantine(self.root)?;
        let report = OpenReport {
            opened: found.opened,
            boot,
            salvaged,
            damaged: damaged.saturating_add(found.check.damaged),
            reason: found.reason,
            quarantined: found.quarantined,
            newer_format: found.newer_format,
        };
        Ok(OpenStore {
            engine: found.engine,
            folder: found.generation.folder(self.root),
            lock,
            first_number: first_number.saturating_add(1),
            report,
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
            return Ok(Found { engine, generation, check, opened, reason: None, quarantined: None, newer_format });
        };
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
                tracing::warn!(%error, quarantined = %quarantined.display(), "database moved aside");
                let next = generation.next();
                let engine = self.open_generation(&next)?;
                (Opened::Reset, Some(error.to_string()), Some(quarantined), next, engine)
            }
        };
        Ok(Found { engine, generation, check, opened, reason, quarantined, newer_format })
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
        let (engine, check) = Engine::open_within(&folder, self.config.cache_bytes, self.config.open_deadline)?;
        if is_new {
            engine.sync_new(self.disk, &folder)?;
            sync_folder(self.disk, self.root)?;
        }
        Ok((engine, check))
    }

    /// Copies the rows of databases moved aside, now or by a run that did not finish. Returns how many were copied,
    /// how many were damaged, and the highest commit number seen.
    fn salvage(&self, engine: &Engine) -> io::Result<(u64, u64, u64)> {
        let (mut salvaged, mut damaged, mut last_number) = (0_u64, 0_u64, 0_u64);
        for folder in layout::unsalvaged(self.root)? {
            let findings = salvage::look_through(&folder)?;
            damaged = damaged.saturating_add(findings.damaged);
            last_number = last_number.max(findings.last_number);
            let mut batch = Vec::new();
            for row in findings.rows() {
                let (key, number, bytes) = row?;
                if key.first() == Some(&Meta::ID) || newer_is_there(engine, key, number)? {
                    continue;
                }
                salvaged = salvaged.saturating_add(1);
                batch.push((key.to_vec(), Some(bytes)));
                if batch.len() >= SALVAGE_BATCH {
                    engine.apply(std::mem::take(&mut batch))?;
                }
            }
            engine.apply(batch)?;
            engine.flush()?;
            engine.sync(self.disk)?;
            layout::mark_salvaged(&folder)?;
        }
        Ok((salvaged, damaged, last_number))
    }

    fn write_meta(&self, engine: &Engine, boots: u64, number: u64) -> io::Result<()> {
        let key = meta_key()?;
        let payload = serde_json::to_vec(&MetaRow { format: FORMAT, boots })?;
        let bytes = frame::encode(Frame { table: Meta::ID, key: &key, number, payload: &payload });
        engine.apply(vec![(key, Some(bytes))])?;
        engine.flush()?;
        engine.sync(self.disk)
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

fn newer_is_there(engine: &Engine, key: &[u8], number: u64) -> io::Result<bool> {
    let bytes = engine.get(key)?;
    Ok(bytes.is_some_and(|bytes| frame::decode(&bytes).is_ok_and(|there| there.number >= number)))
}

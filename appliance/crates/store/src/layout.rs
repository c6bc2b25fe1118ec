//! Where things lie in the store's folder.
//!
//! ```text
//! lock                 held while the store is open
//! opening              exists while the database is being opened; holds the number of attempts
//! v1-000001/           the database: format and generation; `census` in it says which rows lived when it was opened
//! quarantine/000001/   a database that could not be read; `salvaged` in it once its rows were copied
//! recordings/          sound files
//! ```
//!
//! A database is never replaced in place: after a reset the next generation is used, so that whatever still holds
//! the old one writes into a folder that nobody reads.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, sync_folder};

/// The database format this release writes.
pub(crate) const FORMAT: u32 = 1;
/// How many unreadable databases are kept; the oldest goes first.
const MAX_QUARANTINED: usize = 3;

/// The file in a quarantined database whose rows were copied.
const SALVAGED: &str = "salvaged";

/// A database folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Generation {
    pub(crate) format: u32,
    pub(crate) number: u32,
}

impl Generation {
    pub(crate) const FIRST: Self = Self { format: FORMAT, number: 1 };

    pub(crate) fn next(&self) -> Self {
        Self { format: FORMAT, number: self.number.saturating_add(1) }
    }

    pub(crate) fn folder(&self, root: &Path) -> PathBuf {
        root.join(format!("v{}-{:06}", self.format, self.number))
    }

    fn parse(name: &str) -> Option<Self> {
        let (format, number) = name.strip_prefix('v')?.split_once('-')?;
        Some(Self { format: format.parse().ok()?, number: number.parse().ok()? })
    }
}

/// Lists the databases, oldest format and generation first.
pub(crate) fn generations(root: &Path) -> io::Result<Vec<Generation>> {
    let mut found: Vec<Generation> = names(root)?.iter().filter_map(|name| Generation::parse(name)).collect();
    found.sort();
    Ok(found)
}

/// Moves a database away and returns where it lies now.
pub(crate) fn quarantine(root: &Path, generation: &Generation) -> io::Result<PathBuf> {
    let folder = root.join("quarantine");
    fs::create_dir_all(&folder)?;
    let last = numbered(&folder)?.last().map_or(0, |(number, _)| *number);
    let target = folder.join(format!("{:06}", last.saturating_add(1)));
    fs::rename(generation.folder(root), &target)?;
    Ok(target)
}

/// Lists the quarantined databases whose rows were not copied yet, oldest first.
pub(crate) fn unsalvaged(root: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = root.join("quarantine");
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let all = numbered(&folder)?.into_iter().map(|(_, path)| path);
    Ok(all.filter(|path| !path.join(SALVAGED).exists()).collect())
}

/// Notes that the rows of a quarantined database were copied. Returns when the note would survive a power cut.
pub(crate) fn mark_salvaged(quarantined: &Path, disk: &dyn Disk) -> io::Result<()> {
    disk.sync(&File::create(quarantined.join(SALVAGED))?)?;
    sync_folder(disk, quarantined)
}

/// Deletes the oldest quarantined databases whose rows were copied, until few enough are left.
pub(crate) fn prune_quarantine(root: &Path) -> io::Result<()> {
    let folder = root.join("quarantine");
    if !folder.exists() {
        return Ok(());
    }
    let all = numbered(&folder)?;
    let excess = all.len().saturating_sub(MAX_QUARANTINED);
    for (_, path) in all.iter().take(excess).filter(|(_, path)| path.join(SALVAGED).exists()) {
        // The note goes last: without it what is left would be salvaged once more.
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else if entry.file_name() != SALVAGED {
                fs::remove_file(entry.path())?;
            }
        }
        fs::remove_dir_all(path)?;
    }
    Ok(())
}

fn numbered(folder: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut found: Vec<(u32, PathBuf)> =
        names(folder)?.iter().filter_map(|name| Some((name.parse().ok()?, folder.join(name)))).collect();
    found.sort();
    Ok(found)
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        // A name that is not UTF-8 is none of ours.
        found.extend(entry?.file_name().into_string().ok());
    }
    Ok(found)
}

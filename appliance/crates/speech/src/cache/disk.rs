//! Rendered prompts on disk: one file each, named by what it says, with a checksum.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files begin with this; then the checksum (CRC-32, little endian), then µ-law.
const MAGIC: &[u8; 4] = b"KPR1";
const SUFFIX: &str = "ulaw";
const PART: &str = "part";

/// A folder of rendered prompts.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    cap: u64,
    /// Name, length and last use, oldest use first.
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    name: String,
    len: u64,
    used: SystemTime,
}

impl Folder {
    /// Opens or makes the folder. Half-written files are removed; strange ones are left alone.
    pub(super) fn open(path: PathBuf, cap: u64) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&path)? {
            let file = entry?.path();
            let Some(name) = file.file_stem().and_then(|name| name.to_str()) else { continue };
            if has_suffix(&file, PART) {
                fs::remove_file(&file)?;
            } else if has_suffix(&file, SUFFIX) {
                let data = fs::metadata(&file)?;
                let used = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push(File { name: name.to_owned(), len: data.len(), used });
            }
        }
        files.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.name.cmp(&b.name)));
        let mut folder = Self { path, cap, files };
        folder.make_room(0);
        Ok(folder)
    }

    /// Returns how much lies there.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.len))
    }

    /// Returns the µ-law of `name`. A damaged file is removed and counts as missing.
    pub(super) fn read(&mut self, name: &str) -> Option<Vec<u8>> {
        let index = self.files.iter().position(|file| file.name == name)?;
        let mut file = self.files.remove(index);
        let path = self.file(name);
        let Some(mulaw) = fs::read(&path).ok().as_deref().and_then(unpack) else {
            tracing::warn!("a rendered prompt was damaged and is made anew");
            drop(fs::remove_file(&path));
            return None;
        };
        // The time of the file says after a restart what was used last; without it only the order is worse.
        file.used = SystemTime::now();
        drop(fs::File::options().append(true).open(&path).and_then(|open| open.set_modified(file.used)));
        self.files.push(file);
        Some(mulaw)
    }

    /// Writes the µ-law of `name`, so that it is there whole or not at all.
    pub(super) fn write(&mut self, name: &str, mulaw: &[u8]) -> io::Result<()> {
        let header = u64::try_from(MAGIC.len().saturating_add(4)).unwrap_or_default();
        let len = super::bytes(mulaw).saturating_add(header);
        if len > self.cap {
            return Ok(());
        }
        self.files.retain(|file| file.name != name);
        self.make_room(len);
        let (part, path) = (self.path.join(format!("{name}.{PART}")), self.file(name));
        let mut open = fs::File::create(&part)?;
        open.write_all(MAGIC)?;
        open.write_all(&crc32fast::hash(mulaw).to_le_bytes())?;
        open.write_all(mulaw)?;
        drop(open);
        fs::rename(&part, &path)?;
        self.files.push(File { name: name.to_owned(), len, used: SystemTime::now() });
        Ok(())
    }

    /// Removes what was used least lately, until `len` more bytes fit.
    fn make_room(&mut self, len: u64) {
        let mut over = self.bytes().saturating_add(len).saturating_sub(self.cap);
        let mut gone = 0_usize;
        for file in &self.files {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(file.len);
            gone = gone.saturating_add(1);
            drop(fs::remove_file(self.file(&file.name)));
        }
        self.files.drain(..gone);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.{SUFFIX}"))
    }
}

fn has_suffix(file: &Path, suffix: &str) -> bool {
    file.extension().is_some_and(|extension| extension == suffix)
}

fn unpack(file: &[u8]) -> Option<Vec<u8>> {
    let (sum, mulaw) = file.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
    (u32::from_le_bytes(*sum) == crc32fast::hash(mulaw)).then(|| mulaw.to_vec())
}

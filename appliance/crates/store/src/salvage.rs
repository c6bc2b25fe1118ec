//! Recognizing rows in the bytes of a database that does not open.
//!
//! sled writes values as they are into its log, so a scan for frames finds every version of every row that was not
//! overwritten by something else. The newest of each key counts. What sled knows and the bytes do not tell is which
//! rows were deleted: those may come back, and retention takes them again.
//!
//! sled itself is not asked a second time. What it could still read is in the same bytes, and it may hang on them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::frame::{self, Frame, FrameError, HEADER_LEN, MAGIC, MAX_FRAME_LEN};

/// How much of a file is looked at in one go, in bytes.
const WINDOW_LEN: usize = 4 * 1024 * 1024;

/// The newest version of each row, and where it lies.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    rows: BTreeMap<Vec<u8>, Place>,
    files: Vec<PathBuf>,
    /// Frames that were recognized but not whole.
    pub(crate) damaged: u64,
    /// The highest commit number seen.
    pub(crate) last_number: u64,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    number: u64,
    file: usize,
    offset: u64,
    len: usize,
}

/// Looks through all files in `folder` and the folders in it.
pub(crate) fn look_through(folder: &Path) -> io::Result<Findings> {
    let mut findings = Findings::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                findings.look_through_file(entry.path())?;
            }
        }
    }
    Ok(findings)
}

impl Findings {
    /// Reads the rows found, one by one: key, commit number and the whole frame.
    pub(crate) fn rows(&self) -> impl Iterator<Item = io::Result<(&[u8], u64, Vec<u8>)>> {
        self.rows.iter().map(|(key, place)| {
            let path = self.files.get(place.file).ok_or(io::ErrorKind::NotFound)?;
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(place.offset))?;
            let mut bytes = vec![0; place.len];
            file.read_exact(&mut bytes)?;
            Ok((key.as_slice(), place.number, bytes))
        })
    }

    fn look_through_file(&mut self, path: PathBuf) -> io::Result<()> {
        let mut file = File::open(&path)?;
        self.files.push(path);
        let mut window = Vec::new();
        let mut window_start = 0_u64;
        loop {
            let wanted = u64::try_from(WINDOW_LEN.saturating_sub(window.len())).unwrap_or(u64::MAX);
            let read = (&mut file).take(wanted).read_to_end(&mut window)?;
            let at_end = read == 0;
            let done = self.look_through_window(&window, window_start, at_end);
            window.drain(..done);
            window_start = window_start.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
            if at_end {
                return Ok(());
            }
        }
    }

    /// Returns how many bytes are done with: those behind may start a frame that ends beyond the window.
    fn look_through_window(&mut self, window: &[u8], window_start: u64, at_end: bool) -> usize {
        let mut position = 0;
        while let Some(found) = find_magic(window, position) {
            let rest = window.get(found..).unwrap_or_default();
            if !at_end && rest.len() < MAX_FRAME_LEN {
                return found;
            }
            position = match frame::decode(rest) {
                Ok(frame) => {
                    let len = HEADER_LEN.saturating_add(frame.key.len()).saturating_add(frame.payload.len());
                    self.note(frame, window_start.saturating_add(u64::try_from(found).unwrap_or(u64::MAX)), len);
                    found.saturating_add(len)
                }
                // A newer release's row cannot be rewritten by this one; it stays in the quarantined file.
                Err(FrameError::Newer(_) | FrameError::Truncated | FrameError::Damaged | FrameError::NotAFrame) => {
                    self.damaged = self.damaged.saturating_add(1);
                    found.saturating_add(1)
                }
            };
        }
        // The magic may begin in the last bytes.
        if at_end { window.len() } else { window.len().saturating_sub(MAGIC.len() - 1).max(position.min(window.len())) }
    }

    fn note(&mut self, frame: Frame<'_>, offset: u64, len: usize) {
        self.last_number = self.last_number.max(frame.number);
        let place = Place { number: frame.number, file: self.files.len().saturating_sub(1), offset, len };
        let known = self.rows.entry(frame.key.to_vec()).or_insert(place);
        if frame.number >= known.number {
            *known = place;
        }
    }
}

fn find_magic(bytes: &[u8], from: usize) -> Option<usize> {
    let [first, ..] = MAGIC;
    let mut position = from;
    loop {
        let step = bytes.get(position..)?.iter().position(|&byte| byte == first)?;
        position = position.saturating_add(step);
        if bytes.get(position..).is_some_and(|rest| rest.starts_with(&MAGIC)) {
            return Some(position);
        }
        position = position.saturating_add(1);
    }
}

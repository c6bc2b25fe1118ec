//! Recognizing rows in the bytes of a database.
//!
//! sled writes values as they are into its log, so a scan for frames finds every version of every row that was not
//! overwritten by something else. It is done before every opening: sled opens a damaged log without a word, up to
//! the damage, and what came behind it is gone. Every commit carries a commit record; when the scan has seen a higher
//! one than sled, the log was cut, and the rows that are missing are put back. The same is done for a database that
//! does not open at all.
//!
//! Rows that were deleted do not come back: versions that the [census](Census) of the last opening does not count are
//! passed over, and deletions since leave a tombstone. Chunks of the outbox leave none: the head of their stream says
//! which were removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::census::Census;
use crate::frame::{self, Frame, FrameError, HEADER_LEN, MAGIC, MAX_FRAME_LEN};
use crate::outbox::{self, RemovedChunks};
use crate::tables::{Meta, Table as _};

/// How much of a file is looked at in one go, in bytes.
const WINDOW_LEN: usize = 4 * 1024 * 1024;
/// How much of what is found is kept in memory at an opening, in bytes: more rows than a small office has in a year, and
/// what a board with 1 GiB can spare while it starts.
pub(crate) const MAX_KEPT: usize = 96 * 1024 * 1024;
/// What a version of a row takes besides its bytes, its key in two places not counted: a map of versions with a node of
/// its own, and its places in two larger maps. Measured with 350,000 rows (`examples/opening_cost.rs`).
const VERSION_OVERHEAD: usize = 640;
/// First byte of a tombstone's key; no table has it.
pub(crate) const TOMBSTONE: u8 = 0;

/// What is committed with every group: the numbers of its rows, its own being the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommitRecord {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// Returns the key of the commit record.
pub(crate) fn commit_key() -> Vec<u8> {
    let mut key = vec![Meta::ID];
    key.extend_from_slice(b"commit");
    key
}

/// Returns the key under which a deletion is noted.
pub(crate) fn tombstone_key(key: &[u8]) -> Vec<u8> {
    let mut tombstone = vec![TOMBSTONE];
    tombstone.extend_from_slice(key);
    tombstone
}

/// What was recognized.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Who lived when the database was opened the last time.
    census: Census,
    /// The two newest versions of each row, by number: the newest may belong to a commit that was cut off.
    rows: BTreeMap<Vec<u8>, BTreeMap<u64, Vec<u8>>>,
    by_number: BTreeMap<u64, Vec<u8>>,
    kept: usize,
    /// Bytes kept at most. Beyond it the oldest versions are given up.
    max_kept: usize,
    /// Numbers seen from the first of the last commit on: whether that commit is whole is all that is asked of them.
    numbers: BTreeSet<u64>,
    /// The last commit seen.
    commit: Option<CommitRecord>,
    /// Frames that were recognized but not whole, and files that could not be read to their end.
    pub(crate) damaged: u64,
    /// The highest commit number seen.
    pub(crate) last_number: u64,
}

/// Looks through all files in `folder` and the folders in it, and keeps `max_kept` bytes of them in memory. What cannot
/// be read is passed over and counted: this is the last resort, and half of it is better than none.
pub(crate) fn look_through(folder: &Path, max_kept: usize) -> Findings {
    let mut findings = Findings { max_kept, ..Findings::default() };
    match Census::read(folder) {
        Ok(census) => findings.census = census,
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "the census of a database cannot be read");
            findings.damaged = 1;
        }
    }
    if let Err(error) = findings.look_through_folder(folder) {
        tracing::warn!(folder = %folder.display(), %error, "part of a database could not be looked through");
        findings.damaged = findings.damaged.saturating_add(1);
    }
    findings
}

impl Findings {
    /// Returns the newest version of each row that was not deleted: its key, number and frame.
    ///
    /// A commit later than `confirmed` whose rows are not all there may have been cut off before anybody was told,
    /// so none of it counts if it is the last one. An earlier one was acknowledged before the next began, and what
    /// is left of it counts.
    pub(crate) fn live_rows(&self, confirmed: u64) -> impl Iterator<Item = (&[u8], u64, &[u8])> {
        let limit = self.limit(confirmed);
        let mut removed = RemovedChunks::default();
        for (key, versions) in self.rows.iter().filter(|(key, _)| outbox::is_head(key)) {
            if let Some((_, bytes)) = versions.range(..=limit).next_back() {
                removed.note(key, bytes);
            }
        }
        self.rows.iter().filter_map(move |(key, versions)| {
            let (number, bytes) = versions.range(..=limit).next_back()?;
            let dead = self.rows.get(&tombstone_key(key)).and_then(|stones| stones.range(..=limit).next_back());
            let is_meta = key.first() == Some(&Meta::ID) && !outbox::is_head(key);
            let is_row = key.first() != Some(&TOMBSTONE) && !is_meta && !removed.contains(key);
            (is_row && dead.is_none_or(|(deleted, _)| deleted < number)).then_some((
                key.as_slice(),
                *number,
                bytes.as_slice(),
            ))
        })
    }

    /// Returns the deletions later than `confirmed`: the key deleted, the number of the deletion, and the frame of its
    /// tombstone. A row put after it is among [`Findings::live_rows`] and has a higher number.
    pub(crate) fn deletions(&self, confirmed: u64) -> impl Iterator<Item = (&[u8], u64, &[u8])> {
        let limit = self.limit(confirmed);
        self.rows.iter().filter_map(move |(key, stones)| {
            let (&TOMBSTONE, deleted) = key.split_first()? else { return None };
            let (number, bytes) = stones.range(..=limit).next_back()?;
            (*number > confirmed).then_some((deleted, *number, bytes.as_slice()))
        })
    }

    /// Returns the numbers of the versions found of a row.
    pub(crate) fn versions(&self, key: &[u8]) -> impl Iterator<Item = u64> {
        self.rows.get(key).into_iter().flat_map(BTreeMap::keys).copied()
    }

    /// Tells whether the version with this number had been deleted, replaced or cut off before the database was opened
    /// the last time.
    pub(crate) fn is_dead(&self, number: u64) -> bool {
        self.census.is_dead(number)
    }

    /// Returns the number of the last row that counts.
    fn limit(&self, confirmed: u64) -> u64 {
        let whole = |commit: CommitRecord| {
            let count = self.numbers.range(commit.first..=commit.last).count();
            u64::try_from(count).is_ok_and(|count| count > commit.last.saturating_sub(commit.first))
        };
        match self.commit {
            Some(commit) if commit.last <= confirmed || whole(commit) => commit.last.max(confirmed),
            Some(commit) => commit.first.saturating_sub(1).max(confirmed),
            None => confirmed.max(self.last_number),
        }
    }

    fn look_through_folder(&mut self, folder: &Path) -> io::Result<()> {
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file()
                    && let Err(error) = self.look_through_file(entry.path())
                {
                    tracing::warn!(file = %entry.path().display(), %error, "file could not be read to its end");
                    self.damaged = self.damaged.saturating_add(1);
                }
            }
        }
        Ok(())
    }

    fn look_through_file(&mut self, path: PathBuf) -> io::Result<()> {
        let mut file = File::open(path)?;
        let mut window = Vec::new();
        loop {
            let wanted = u64::try_from(WINDOW_LEN.saturating_sub(window.len())).unwrap_or(u64::MAX);
            let read = (&mut file).take(wanted).read_to_end(&mut window)?;
            let at_end = read == 0;
            let done = self.look_through_window(&window, at_end);
            window.drain(..done);
            if at_end {
                return Ok(());
            }
        }
    }

    /// Returns how many bytes are done with: those behind may start a frame that ends beyond the window.
    fn look_through_window(&mut self, window: &[u8], at_end: bool) -> usize {
        let mut position = 0;
        while let Some(found) = find_magic(window, position) {
            let rest = window.get(found..).unwrap_or_default();
            if !at_end && rest.len() < MAX_FRAME_LEN {
                return found;
            }
            position = match frame::decode(rest) {
                Ok(frame) => {
                    let len = HEADER_LEN.saturating_add(frame.key.len()).saturating_add(frame.payload.len());
                    self.note(frame, rest.get(..len).unwrap_or_default());
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
        let searched = window.len().saturating_sub(MAGIC.len() - 1).max(position.min(window.len()));
        if at_end { window.len() } else { searched }
    }

    fn note(&mut self, frame: Frame<'_>, bytes: &[u8]) {
        self.last_number = self.last_number.max(frame.number);
        if self.commit.is_none_or(|commit| frame.number >= commit.first) {
            self.numbers.insert(frame.number);
        }
        if frame.key == commit_key() {
            if let Ok(commit) = serde_json::from_slice::<CommitRecord>(frame.payload)
                && self.commit.is_none_or(|last| last.last < commit.last)
            {
                self.numbers = self.numbers.split_off(&commit.first);
                self.commit = Some(commit);
            }
            return;
        }
        if self.is_dead(frame.number) {
            return;
        }
        let versions = self.rows.entry(frame.key.to_vec()).or_default();
        if versions.insert(frame.number, bytes.to_vec()).is_none() {
            self.kept = self.kept.saturating_add(cost(frame.key, bytes));
            self.by_number.insert(frame.number, frame.key.to_vec());
        }
        if versions.len() > 2
            && let Some((number, old)) = versions.pop_first()
        {
            self.kept = self.kept.saturating_sub(cost(frame.key, &old));
            self.by_number.remove(&number);
        }
        while self.kept > self.max_kept {
            let Some((number, key)) = self.by_number.pop_first() else { break };
            let Some(versions) = self.rows.get_mut(&key) else { continue };
            if let Some(old) = versions.remove(&number) {
                self.kept = self.kept.saturating_sub(cost(&key, &old));
            }
            if versions.is_empty() {
                self.rows.remove(&key);
            }
        }
    }
}

/// Returns about how much memory a version of a row takes.
fn cost(key: &[u8], bytes: &[u8]) -> usize {
    bytes.len().saturating_add(key.len().saturating_mul(2)).saturating_add(VERSION_OVERHEAD)
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

//! sled, fenced in: its panics become errors, its flush becomes durable, its opening ends.

use std::fs::File;
use std::io;
use std::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::disk::{Disk, sync_folder};
use crate::frame::{self, FrameError};

/// sled's own flusher thread runs this often. Commits do not depend on it, but without it sled's metadata is
/// written so rarely that an abrupt stop can leave a database that does not open.
const FLUSH_EVERY_MS: u64 = 500;

/// How often to look whether a database closed before has let go of its file.
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// One open database.
pub(crate) struct Engine {
    database: sled::Db,
    /// The file that holds the log, opened a second time: `fsync` acts on the file, whoever wrote to it.
    file: File,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

/// What reading everything once found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckResult {
    pub(crate) rows: u64,
    pub(crate) damaged: u64,
}

impl Engine {
    /// Opens the database in `folder`, makes it if there is none, and reads all of it once.
    ///
    /// Done on a thread of its own, because sled may hang on damaged data. When it does, that thread is left behind
    /// with a folder that the caller moves away; nothing waits for it.
    pub(crate) fn open_within(folder: &Path, cache_bytes: u64, deadline: Duration) -> io::Result<(Self, CheckResult)> {
        let folder: PathBuf = folder.to_owned();
        let (sender, receiver) = mpsc::sync_channel(1);
        // Reading everything is worth half of the time; then the rest is taken as read.
        let check_until = Instant::now().checked_add(deadline / 2);
        thread::Builder::new().name("store-open".to_owned()).spawn(move || {
            let result = Self::open_patiently(&folder, cache_bytes, deadline).and_then(|engine| {
                let check = engine.check(check_until)?;
                Ok((engine, check))
            });
            // A receiver that is gone has given up; the database closes with the result.
            drop(sender.send(result));
        })?;
        match receiver.recv_timeout(deadline) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "opening the database took too long"))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(io::Error::other("opening the database panicked")),
        }
    }

    /// Opens the database once the one that was open before in this process has let go of its file, which it does
    /// from threads of its own some time after it was closed. Other processes are kept out by the store's own lock.
    fn open_patiently(folder: &Path, cache_bytes: u64, patience: Duration) -> io::Result<Self> {
        let until = Instant::now().checked_add(patience / 2);
        loop {
            match Self::open(folder, cache_bytes) {
                Err(error) if error.to_string().contains("could not acquire lock") => {
                    if until.is_none_or(|until| Instant::now() >= until) {
                        return Err(io::Error::new(io::ErrorKind::WouldBlock, error));
                    }
                    thread::sleep(LOCK_RETRY);
                }
                result => return result,
            }
        }
    }

    fn open(folder: &Path, cache_bytes: u64) -> io::Result<Self> {
        guarded("opening the database", || {
            sled::Config::new().path(folder).cache_capacity(cache_bytes).flush_every_ms(Some(FLUSH_EVERY_MS)).open()
        })
        .and_then(|database| Ok(Self { database, file: File::open(folder.join("db"))? }))
    }

    /// Makes the database's own files survive a power cut, after the first opening.
    pub(crate) fn sync_new(&self, disk: &dyn Disk, folder: &Path) -> io::Result<()> {
        self.flush()?;
        self.sync(disk)?;
        sync_folder(disk, folder)
    }

    /// Applies all puts (with a value) and deletes (without), so that a later reader sees all or none.
    pub(crate) fn apply(&self, operations: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> io::Result<()> {
        let mut batch = sled::Batch::default();
        for (key, value) in operations {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        guarded("writing", || self.database.apply_batch(batch))
    }

    /// Hands everything applied to the kernel. This alone promises nothing: sled waits for `sync_file_range` only.
    pub(crate) fn flush(&self) -> io::Result<()> {
        guarded("flushing", || self.database.flush()).map(drop)
    }

    /// Returns when everything flushed would survive a power cut.
    pub(crate) fn sync(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.sync(&self.file)
    }

    pub(crate) fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        guarded("reading", || self.database.get(key)).map(|value| value.map(|bytes| bytes.to_vec()))
    }

    /// Visits rows in order, or from the end when `backwards`, until the visitor breaks.
    pub(crate) fn visit(
        &self,
        (from, to): (Bound<Vec<u8>>, Bound<Vec<u8>>),
        backwards: bool,
        mut visitor: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> io::Result<()> {
        guarded("scanning", || {
            let mut rows = self.database.range((from, to));
            while let Some(row) = if backwards { rows.next_back() } else { rows.next() } {
                let (key, value) = row?;
                if visitor(&key, &value).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Reads everything once, until the time is up.
    fn check(&self, until: Option<Instant>) -> io::Result<CheckResult> {
        let mut result = CheckResult::default();
        self.visit((Bound::Unbounded, Bound::Unbounded), false, |key, value| {
            result.rows = result.rows.saturating_add(1);
            match frame::decode(value) {
                Ok(frame) if frame.key == key => {}
                // Readable by a newer release, so nothing is wrong with it.
                Err(FrameError::Newer(_)) => {}
                Ok(_) | Err(FrameError::NotAFrame | FrameError::Truncated | FrameError::Damaged) => {
                    result.damaged = result.damaged.saturating_add(1);
                }
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(result)
    }
}

/// Runs a piece of sled; its panic becomes an error.
///
/// After a panic sled may be inconsistent in memory. Writers then take the database down and open it again, readers
/// report the error; neither goes on with half a result, which is what the assertion is about.
fn guarded<T>(what: &'static str, work: impl FnOnce() -> Result<T, sled::Error>) -> io::Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) => Err(error),
        Ok(Err(error)) => Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, format!("sled panicked while {what}"))),
    }
}

/// Closes a database that may be broken.
pub(crate) fn close(engine: Engine) {
    if catch_unwind(AssertUnwindSafe(|| drop(engine))).is_err() {
        tracing::warn!("sled panicked while closing");
    }
}

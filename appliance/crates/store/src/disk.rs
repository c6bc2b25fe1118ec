//! What the store asks of the disk beside reading and writing.

use std::fs::File;
use std::io;
use std::path::Path;

/// The three questions whose answers can go wrong: may I write, is it on the disk, how much is free.
///
/// [`RealDisk`] asks the kernel. Tests put one in that fails on request.
pub trait Disk: std::fmt::Debug + Send + Sync {
    /// Called before `byte_count` bytes are handed to the file system.
    fn before_write(&self, byte_count: u64) -> io::Result<()>;

    /// Returns when everything written to `file` so far would survive a power cut.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Returns the bytes that may still be written to the file system that holds `folder`.
    fn free_bytes(&self, folder: &Path) -> io::Result<u64>;
}

/// The kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn before_write(&self, _byte_count: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(folder)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Makes the entries of `folder` (files created, renamed, removed) survive a power cut.
pub(crate) fn sync_folder(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    disk.sync(&File::open(folder)?)
}

/// Tells whether an error means that the disk or the quota is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(any(test, feature = "test-support"))]
pub use faulty::FaultyDisk;

#[cfg(any(test, feature = "test-support"))]
mod faulty {
    use std::fs::File;
    use std::io;
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{Disk, RealDisk};

    /// A disk that counts, and fails when told to.
    #[derive(Debug)]
    pub struct FaultyDisk {
        writes: AtomicU64,
        syncs: AtomicU64,
        writes_allowed: AtomicU64,
        syncs_allowed: AtomicU64,
        free_bytes: AtomicU64,
    }

    impl Default for FaultyDisk {
        fn default() -> Self {
            Self {
                writes: AtomicU64::new(0),
                syncs: AtomicU64::new(0),
                writes_allowed: AtomicU64::new(u64::MAX),
                syncs_allowed: AtomicU64::new(u64::MAX),
                free_bytes: AtomicU64::new(u64::MAX),
            }
        }
    }

    impl FaultyDisk {
        /// Lets `count` more writes pass; the ones after them find the disk full.
        pub fn allow_writes(&self, count: u64) {
            self.writes_allowed.store(count, Ordering::SeqCst);
        }

        /// Lets `count` more syncs pass; the ones after them fail.
        pub fn allow_syncs(&self, count: u64) {
            self.syncs_allowed.store(count, Ordering::SeqCst);
        }

        /// Says that `byte_count` bytes are free.
        pub fn set_free_bytes(&self, byte_count: u64) {
            self.free_bytes.store(byte_count, Ordering::SeqCst);
        }

        /// Returns how many writes passed.
        pub fn writes(&self) -> u64 {
            self.writes.load(Ordering::SeqCst)
        }

        /// Returns how many syncs passed.
        pub fn syncs(&self) -> u64 {
            self.syncs.load(Ordering::SeqCst)
        }
    }

    impl Disk for FaultyDisk {
        fn before_write(&self, byte_count: u64) -> io::Result<()> {
            if !take(&self.writes_allowed) {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.writes.fetch_add(1, Ordering::SeqCst);
            RealDisk.before_write(byte_count)
        }

        fn sync(&self, file: &File) -> io::Result<()> {
            if !take(&self.syncs_allowed) {
                return Err(io::Error::other("the disk was told to fail"));
            }
            RealDisk.sync(file)?;
            self.syncs.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }

        fn free_bytes(&self, _folder: &Path) -> io::Result<u64> {
            Ok(self.free_bytes.load(Ordering::SeqCst))
        }
    }

    /// Takes one of what is left; an unlimited supply stays unlimited.
    fn take(left: &AtomicU64) -> bool {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| match count {
            u64::MAX => Some(count),
            0 => None,
            _ => Some(count - 1),
        })
        .is_ok()
    }
}

//! Files that people send: written whole or not at all, found by name, let go of when they are old.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use store::{ConversationId, MessageKey};

/// Free space left on the disk, in bytes.
const RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// Ending of a file that is being written.
const UNFINISHED: &str = "part";

/// The folder of files.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    /// Names the folder; it is made with the first file.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Keeps a file of a message and returns its name; done when it would survive a power cut. Writing the same file
    /// again is no mistake. Blocks.
    pub(crate) fn keep(&self, key: &MessageKey, index: usize, content_type: &str, bytes: &[u8]) -> io::Result<String> {
        fs::create_dir_all(&self.folder)?;
        let room = rustix::fs::statvfs(&self.folder).map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize))?;
        if room < RESERVE_BYTES.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX)) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let name = format!("{key}-{index}.{}", extension(content_type));
        let unfinished = self.folder.join(format!("{name}.{UNFINISHED}"));
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.folder.join(&name))?;
        File::open(&self.folder)?.sync_all()?;
        Ok(name)
    }

    /// Reads a file. Blocks.
    pub(crate) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.folder.join(name))
    }

    /// Removes what is older than `age` by `now`, then the oldest until at most `max_bytes` are left, and what was never
    /// finished. Returns how many went. Blocks.
    pub(crate) fn trim(&self, now: SystemTime, age: Duration, max_bytes: u64) -> usize {
        let Ok(entries) = fs::read_dir(&self.folder) else { return 0 };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        files.sort();
        let (mut kept_bytes, mut removed) = (0_u64, 0_usize);
        for (modified, len, path) in files.iter().rev() {
            let old = now.duration_since(*modified).unwrap_or_default();
            let is_unfinished = path.extension().is_some_and(|end| end == UNFINISHED) && old > Duration::from_hours(1);
            kept_bytes = kept_bytes.saturating_add(*len);
            if (old > age || kept_bytes > max_bytes || is_unfinished) && fs::remove_file(path).is_ok() {
                removed = removed.saturating_add(1);
            }
        }
        removed
    }

    /// Removes every file of a conversation. Blocks.
    pub(crate) fn forget(&self, conversation: &ConversationId) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let start = conversation.to_string();
        for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&start)) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Returns whether a file is the one that was announced.
pub(crate) fn is_digest(bytes: &[u8], announced: &[u8; 32]) -> bool {
    Sha256::digest(bytes).as_slice() == announced
}

/// Returns a file's ending; the sender's own name for it is never used.
fn extension(content_type: &str) -> &'static str {
    match content_type {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/webp" => "webp",
        "audio/ogg" => "ogg",
        "audio/mpeg" => "mp3",
        "audio/mp4" => "m4a",
        "audio/amr" => "amr",
        "video/mp4" => "mp4",
        "application/pdf" => "pdf",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use store::{ConversationId, MessageKey};

    use super::Files;

    #[test]
    fn files_are_kept_under_our_own_names_and_the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().join("media"));
        let conversation = ConversationId::of("a", "b");
        let mut names = Vec::new();
        for at_ms in 1..=3 {
            let key = MessageKey { conversation, at_ms };
            names.push(files.keep(&key, 0, "image/jpeg", &[7; 100]).unwrap());
        }
        assert_eq!(files.read(&names[0]).unwrap(), [7; 100]);
        assert!(names[0].ends_with("-1-0.jpg") && !names[0].contains('/'), "{}", names[0]);
        std::fs::write(folder.path().join("media/x.part"), "x").unwrap();
        assert_eq!(files.trim(SystemTime::now(), Duration::from_hours(1), 1_000), 0);
        assert_eq!(files.trim(SystemTime::now(), Duration::from_hours(1), 150), 2, "by size");
        let later = SystemTime::now() + Duration::from_hours(2);
        assert_eq!(files.trim(later, Duration::from_hours(1), 1_000), 2, "by age, and what was never finished");
        files.forget(&conversation);
    }
}

//! Files that people send: written whole or not at all, found by name, let go of when they are old.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
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

    /// Names what is older than `age` by `now`, then the oldest until at most `max_bytes` are left, and what was never
    /// finished. Blocks.
    pub(crate) fn surplus(&self, now: SystemTime, age: Duration, max_bytes: u64) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let mut files: Vec<(SystemTime, u64, String)> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.file_name().into_string().ok()?))
            })
            .collect();
        files.sort();
        let mut kept_bytes = 0_u64;
        let is_surplus = |(modified, len, name): &(SystemTime, u64, String)| {
            let old = now.duration_since(*modified).unwrap_or_default();
            let is_unfinished = Path::new(name).extension().is_some_and(|end| end == UNFINISHED);
            kept_bytes = kept_bytes.saturating_add(*len);
            old > age || kept_bytes > max_bytes || is_unfinished && old > Duration::from_hours(1)
        };
        files.into_iter().rev().filter(is_surplus).map(|(_, _, name)| name).collect()
    }

    /// Removes files and returns how many went; one that cannot be removed is named again the next time. Blocks.
    pub(crate) fn remove(&self, names: &[String]) -> usize {
        names.iter().filter(|name| fs::remove_file(self.folder.join(name)).is_ok()).count()
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

/// Returns the message that a file is of, by its name.
pub(crate) fn message_of(name: &str) -> Option<MessageKey> {
    name.rsplit_once('-')?.0.parse().ok()
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

    use super::{Files, message_of};

    #[test]
    fn files_are_kept_under_our_own_names_and_the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().join("media"));
        let conversation = ConversationId::of("a", "b");
        let mut names = Vec::new();
        let now = SystemTime::now();
        // Files written within one tick of the clock have no order.
        let written_at = |second: u64, name: &str| {
            let file = std::fs::File::options().write(true).open(folder.path().join("media").join(name)).unwrap();
            file.set_modified(now - Duration::from_mins(1) + Duration::from_secs(second)).unwrap();
        };
        for at_ms in 1..=3 {
            let key = MessageKey { conversation, at_ms };
            let name = files.keep(&key, 0, "image/jpeg", &[7; 100]).unwrap();
            written_at(at_ms, &name);
            names.push(name);
        }
        assert_eq!(files.read(&names[0]).unwrap(), [7; 100]);
        assert!(names[0].ends_with("-1-0.jpg") && !names[0].contains('/'), "{}", names[0]);
        std::fs::write(folder.path().join("media/x.part"), "x").unwrap();
        written_at(4, "x.part");
        assert_eq!(message_of(&names[2]), Some(MessageKey { conversation, at_ms: 3 }));
        assert_eq!(message_of("x.part"), None);
        let hour = Duration::from_hours(1);
        assert_eq!(files.surplus(SystemTime::now(), hour, 1_000), [""; 0]);
        let by_size = files.surplus(SystemTime::now(), hour, 150);
        assert_eq!(by_size, [names[1].clone(), names[0].clone()]);
        assert_eq!((files.remove(&by_size), files.remove(&by_size)), (2, 0));
        let later = SystemTime::now() + Duration::from_hours(2);
        let by_age = files.surplus(later, hour, 1_000);
        assert_eq!(by_age, ["x.part".to_owned(), names[2].clone()], "also what was never finished");
        files.forget(&conversation);
    }
}

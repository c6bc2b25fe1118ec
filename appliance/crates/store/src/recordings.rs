//! Recordings: sound files that are whole or not there.
//!
//! A recording grows as `<name>.wav.part`, is given its header's lengths, synced, renamed to `<name>.wav`, and the
//! folder is synced. What a crash leaves is found when the folder is opened: a part with sound in it is finished,
//! an empty one removed.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use units::{CallId, SampleCount, SampleRate};

use crate::disk::{Disk, RealDisk, sync_folder};
use crate::records::VoicemailKey;

/// Bytes of a WAV header with a PCM format and one data block.
const HEADER_LEN: u64 = 44;
/// Bytes of one sample.
const SAMPLE_LEN: u64 = 2;
/// How many bytes are written between two looks at the free space.
const CHECK_EVERY: u64 = 256 * 1024;

/// Who is heard in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordingKind {
    /// Both sides of a call: caller left, agent right.
    Call,
    /// A message left for the office.
    Voicemail,
}

impl RecordingKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Voicemail => "voicemail",
        }
    }
}

/// Name of a recording: made of identities only, so that no path comes from outside. Written `call-CA0123`, and for
/// one of the messages of a call `voicemail-CA0123-1700000000000`, which an earlier release reads as the message of a
/// call of that longer name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecordingName {
    /// Who is heard.
    pub kind: RecordingKind,
    /// The call.
    pub call: CallId,
    /// Which message of the call, by the time it was received, in milliseconds since 1970. `None` for a recording of
    /// the whole call, and for a message that was kept when a call could leave but one.
    pub received_wall_ms: Option<u64>,
}

/// Least digits of a message's time in a recording's name: those of the year 2001 and later. What follows a call's name
/// with fewer belongs to it.
const TIME_DIGITS: usize = 13;

impl RecordingName {
    /// Names the recording of a call.
    pub fn call(call: CallId) -> Self {
        Self { kind: RecordingKind::Call, call, received_wall_ms: None }
    }

    /// Names the message left in a call as it was named when a call could leave but one.
    pub fn voicemail(call: CallId) -> Self {
        Self { kind: RecordingKind::Voicemail, call, received_wall_ms: None }
    }

    /// Names the recording of a message; each message of a call has its own.
    pub fn of_message(message: &VoicemailKey) -> Self {
        let received_wall_ms = Some(message.received_wall_ms);
        Self { kind: RecordingKind::Voicemail, call: message.call.clone(), received_wall_ms }
    }

    fn file_name(&self) -> String {
        format!("{self}.wav")
    }
}

impl fmt::Display for RecordingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind.word(), self.call)?;
        match self.received_wall_ms {
            Some(received) => write!(f, "-{received:0TIME_DIGITS$}"),
            None => Ok(()),
        }
    }
}

/// A text that names no recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 'call-' or 'voicemail-', a call id, and for a message its time")]
pub struct ParseRecordingNameError;

impl FromStr for RecordingName {
    type Err = ParseRecordingNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, call) = text.split_once('-').ok_or(ParseRecordingNameError)?;
        let kind = [RecordingKind::Call, RecordingKind::Voicemail].into_iter().find(|kind| kind.word() == word);
        let kind = kind.ok_or(ParseRecordingNameError)?;
        let (call, received_wall_ms) = match kind {
            RecordingKind::Call => (call, None),
            RecordingKind::Voicemail => split_time(call),
        };
        let call = call.parse().map_err(|_not_an_id: units::ParseIdError| ParseRecordingNameError)?;
        Ok(Self { kind, call, received_wall_ms })
    }
}

/// Splits a message's time off its call's name, where there is one as [`RecordingName`] writes it.
fn split_time(text: &str) -> (&str, Option<u64>) {
    let Some((call, digits)) = text.rsplit_once('-') else { return (text, None) };
    let received = digits.parse::<u64>().ok().filter(|received| format!("{received:0TIME_DIGITS$}") == digits);
    if received.is_some() { (call, received) } else { (text, None) }
}

impl TryFrom<String> for RecordingName {
    type Error = ParseRecordingNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RecordingName> for String {
    fn from(name: RecordingName) -> Self {
        name.to_string()
    }
}

/// What a recording's samples are: signed 16-bit PCM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingFormat {
    /// Samples per second of each channel.
    pub sample_rate: SampleRate,
    /// Channels, 1 or 2; samples of the channels alternate.
    pub channels: u16,
}

impl RecordingFormat {
    /// The telephone's: 8 kHz, one channel.
    pub const PHONE: Self = Self { sample_rate: SampleRate::HZ_8000, channels: 1 };
    /// Both sides of a phone call: 8 kHz, caller left, agent right.
    pub const PHONE_STEREO: Self = Self { sample_rate: SampleRate::HZ_8000, channels: 2 };
}

/// A recording that is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedRecording {
    /// Its name.
    pub name: RecordingName,
    /// How long it is.
    pub duration: Duration,
    /// The size of the file, in bytes.
    pub byte_count: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
    /// Whether it ends early because the disk was full or the longest length was reached.
    pub cut_short: bool,
}

/// A recording that cannot be made or found.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The disk is full, or nearly.
    #[error("no space left for recording {name}")]
    DiskFull {
        /// The recording.
        name: RecordingName,
    },
    /// There is one of that name already, or it is being made.
    #[error("recording {name} exists")]
    Exists {
        /// The recording.
        name: RecordingName,
    },
    /// The file cannot be used.
    #[error("recording {name} cannot be written or read")]
    File {
        /// The recording.
        name: RecordingName,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What was found when the folder was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveredRecordings {
    /// Recordings that a crash had left unfinished and that are finished now, as far as they go.
    pub finished: Vec<RecordingName>,
    /// Unfinished ones without any sound, removed.
    pub removed: usize,
    /// Unfinished ones that could not be finished; they are tried again next time.
    pub failed: usize,
}

/// The folder of recordings.
#[derive(Clone, Debug)]
pub struct Recordings {
    folder: PathBuf,
    reserve_bytes: u64,
    disk: Arc<dyn Disk>,
}

impl Recordings {
    /// The longest recording, in bytes of sound: 4 hours of two channels at 8 kHz, well below what a WAV header
    /// can say.
    pub const MAX_BYTES: u64 = 4 * 3600 * 8_000 * 2 * SAMPLE_LEN;

    /// Opens the folder `recordings` in the store's folder, makes it if it is not there, and finishes what a crash
    /// left. `reserve_bytes` of the disk are left free by whatever is written; the store's own reserve is smaller,
    /// so that sound never takes the space of rows.
    pub fn open(store_folder: &Path, reserve_bytes: u64) -> io::Result<(Self, RecoveredRecordings)> {
        Self::open_on(store_folder, reserve_bytes, Arc::new(RealDisk))
    }

    /// Opens the folder on another disk than the kernel's.
    pub fn open_on(
        store_folder: &Path,
        reserve_bytes: u64,
        disk: Arc<dyn Disk>,
    ) -> io::Result<(Self, RecoveredRecordings)> {
        let folder = store_folder.join("recordings");
        fs::create_dir_all(&folder)?;
        let recordings = Self { folder, reserve_bytes, disk };
        let recovered = recordings.recover()?;
        Ok((recordings, recovered))
    }

    /// Starts a recording.
    pub fn create(&self, name: RecordingName, format: RecordingFormat) -> Result<RecordingWriter, RecordingError> {
        let failed = |source| RecordingError::File { name: name.clone(), source };
        if self.path(&name).exists() {
            return Err(RecordingError::Exists { name });
        }
        if !self.has_space(CHECK_EVERY) {
            return Err(RecordingError::DiskFull { name });
        }
        let part = self.part_path(&name);
        let file = match File::options().read(true).write(true).create_new(true).open(&part) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(RecordingError::Exists { name }),
            Err(error) => return Err(failed(error)),
        };
        let mut file = BufWriter::new(file);
        file.write_all(&header(format, 0)).map_err(failed)?;
        let recordings = self.clone();
        Ok(RecordingWriter { recordings, name, format, file, data_bytes: 0, next_check: CHECK_EVERY, cut_short: false })
    }

    /// Takes a whole WAV file from elsewhere (a carrier's, fetched) as a recording.
    pub fn import(&self, name: RecordingName, wav: &[u8]) -> Result<FinishedRecording, RecordingError> {
        let failed = |source| RecordingError::File { name: name.clone(), source };
        let byte_count = u64::try_from(wav.len()).unwrap_or(u64::MAX);
        if self.path(&name).exists() {
            return Err(RecordingError::Exists { name });
        }
        if !self.has_space(byte_count) {
            return Err(RecordingError::DiskFull { name });
        }
        let part = self.part_path(&name);
        let mut file = File::create(&part).map_err(failed)?;
        self.disk.before_write(byte_count).and_then(|()| file.write_all(wav)).map_err(failed)?;
        self.publish(&file, &name).map_err(failed)?;
        Ok(finished(name, wav))
    }

    /// Returns where a finished recording lies; the file need not exist.
    pub fn path(&self, name: &RecordingName) -> PathBuf {
        self.folder.join(name.file_name())
    }

    /// Reads a finished recording to its end and says what it is. Blocks.
    pub fn inspect(&self, name: &RecordingName) -> Result<FinishedRecording, RecordingError> {
        let failed = |source| RecordingError::File { name: name.clone(), source };
        let wav = fs::read(self.path(name)).map_err(failed)?;
        Ok(finished(name.clone(), &wav))
    }

    /// Deletes a recording; when this returns it would not come back after a power cut. Returns the bytes freed, `None`
    /// if there was none.
    pub fn remove(&self, name: &RecordingName) -> Result<Option<u64>, RecordingError> {
        let path = self.path(name);
        let result = fs::metadata(&path).and_then(|metadata| {
            fs::remove_file(&path)?;
            sync_folder(&*self.disk, &self.folder)?;
            Ok(metadata.len())
        });
        match result {
            Ok(byte_count) => Ok(Some(byte_count)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(RecordingError::File { name: name.clone(), source }),
        }
    }

    /// Lists the finished recordings with their sizes in bytes, by name.
    pub fn list(&self) -> io::Result<Vec<(RecordingName, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            if let Some(name) = name.strip_suffix(".wav").and_then(|name| name.parse().ok()) {
                found.push((name, entry.metadata()?.len()));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Returns the bytes free for recordings, after the reserve.
    pub fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.disk.free_bytes(&self.folder)?.saturating_sub(self.reserve_bytes))
    }

    fn has_space(&self, byte_count: u64) -> bool {
        // A disk that does not say how much is free is tried.
        self.free_bytes().is_ok_and(|free| free < byte_count).then_some(()).is_none()
    }

    fn part_path(&self, name: &RecordingName) -> PathBuf {
        self.folder.join(format!("{name}.wav.part"))
    }

    fn publish(&self, file: &File, name: &RecordingName) -> io::Result<()> {
        self.disk.sync(file)?;
        fs::rename(self.part_path(name), self.path(name))?;
        sync_folder(&*self.disk, &self.folder)
    }

    fn recover(&self) -> io::Result<RecoveredRecordings> {
        let mut recovered = RecoveredRecordings::default();
        let mut parts = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name().into_string().unwrap_or_default();
            parts.extend(name.strip_suffix(".wav.part").and_then(|name| name.parse::<RecordingName>().ok()));
        }
        parts.sort();
        for name in parts {
            match self.finish_part(&name) {
                Ok(true) => recovered.finished.push(name),
                Ok(false) => recovered.removed = recovered.removed.saturating_add(1),
                Err(error) => {
                    tracing::warn!(recording = %name, %error, "unfinished recording could not be finished");
                    recovered.failed = recovered.failed.saturating_add(1);
                }
            }
        }
        Ok(recovered)
    }

    /// Finishes a part that a crash left; `false` if there was no sound in it.
    fn finish_part(&self, name: &RecordingName) -> io::Result<bool> {
        let path = self.part_path(name);
        let mut file = File::options().read(true).write(true).open(&path)?;
        let mut head = [0_u8; 44];
        let len = file.metadata()?.len();
        if len <= HEADER_LEN || file.read_exact(&mut head).is_err() {
            fs::remove_file(&path)?;
            return Ok(false);
        }
        let Some(format) = format_of(&head) else {
            fs::remove_file(&path)?;
            return Ok(false);
        };
        let block = SAMPLE_LEN.saturating_mul(u64::from(format.channels)).max(1);
        let data_bytes = (len - HEADER_LEN) / block * block;
        file.set_len(HEADER_LEN.saturating_add(data_bytes))?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header(format, data_bytes))?;
        self.publish(&file, name)?;
        Ok(true)
    }
}

/// A recording that is being made. Dropping it without [`RecordingWriter::finish`] leaves it unfinished, to be
/// finished when the folder is opened next.
#[derive(Debug)]
pub struct RecordingWriter {
    recordings: Recordings,
    name: RecordingName,
    format: RecordingFormat,
    file: BufWriter<File>,
    data_bytes: u64,
    next_check: u64,
    cut_short: bool,
}

impl RecordingWriter {
    /// Appends samples; of two channels they alternate.
    ///
    /// When the disk is nearly full or the recording too long, the samples are dropped and the recording is marked
    /// as cut short: a call goes on without its recording.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), RecordingError> {
        if self.cut_short {
            return Ok(());
        }
        let byte_count = u64::try_from(samples.len()).unwrap_or(u64::MAX).saturating_mul(SAMPLE_LEN);
        let after = self.data_bytes.saturating_add(byte_count);
        if after >= self.next_check {
            self.next_check = after.saturating_add(CHECK_EVERY);
            self.cut_short = !self.recordings.has_space(CHECK_EVERY);
        }
        if self.cut_short || after > Recordings::MAX_BYTES {
            self.cut_short = true;
            return Ok(());
        }
        self.put(samples, byte_count).map_err(|source| RecordingError::File { name: self.name.clone(), source })?;
        self.data_bytes = after;
        Ok(())
    }

    /// Finishes the recording: returns when it would survive a power cut under its name.
    pub fn finish(self) -> Result<FinishedRecording, RecordingError> {
        let name = self.name.clone();
        self.seal().map_err(|source| RecordingError::File { name, source })
    }

    /// Gives the recording up: nothing of it is left.
    pub fn discard(self) -> Result<(), RecordingError> {
        let (name, part) = (self.name.clone(), self.recordings.part_path(&self.name));
        drop(self.file);
        fs::remove_file(part).map_err(|source| RecordingError::File { name, source })
    }

    /// Returns whether samples were dropped because the disk was full or the longest length was reached.
    pub fn is_cut_short(&self) -> bool {
        self.cut_short
    }

    /// Returns how long the recording is so far.
    pub fn duration(&self) -> Duration {
        duration(self.format, self.data_bytes)
    }

    fn put(&mut self, samples: &[i16], byte_count: u64) -> io::Result<()> {
        self.recordings.disk.before_write(byte_count)?;
        for sample in samples {
            self.file.write_all(&sample.to_le_bytes())?;
        }
        Ok(())
    }

    fn seal(self) -> io::Result<FinishedRecording> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header(self.format, self.data_bytes))?;
        file.seek(SeekFrom::Start(0))?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(buffer.get(..read).unwrap_or_default());
        }
        self.recordings.publish(&file, &self.name)?;
        Ok(FinishedRecording {
            name: self.name,
            duration: duration(self.format, self.data_bytes),
            byte_count: HEADER_LEN.saturating_add(self.data_bytes),
            digest: hex(&hasher.finalize()),
            cut_short: self.cut_short,
        })
    }
}

/// Says what a whole file is.
fn finished(name: RecordingName, wav: &[u8]) -> FinishedRecording {
    let duration = Duration::from_millis(wav_duration_ms(wav).unwrap_or_default());
    let byte_count = u64::try_from(wav.len()).unwrap_or(u64::MAX);
    FinishedRecording { name, duration, byte_count, digest: hex(&Sha256::digest(wav)), cut_short: false }
}

fn duration(format: RecordingFormat, data_bytes: u64) -> Duration {
    let samples = data_bytes / SAMPLE_LEN.saturating_mul(u64::from(format.channels)).max(1);
    SampleCount(samples).duration(format.sample_rate)
}

/// Writes the header of a WAV file: RIFF, a `fmt ` block of 16 bytes for PCM, and the head of the `data` block.
fn header(format: RecordingFormat, data_bytes: u64) -> Vec<u8> {
    let data_len = u32::try_from(data_bytes).unwrap_or(u32::MAX);
    let rate = format.sample_rate.hz();
    let block = u16::try_from(SAMPLE_LEN).unwrap_or(2).saturating_mul(format.channels);
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&data_len.saturating_add(36).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16_u32.to_le_bytes());
    bytes.extend_from_slice(&1_u16.to_le_bytes());
    bytes.extend_from_slice(&format.channels.to_le_bytes());
    bytes.extend_from_slice(&rate.to_le_bytes());
    bytes.extend_from_slice(&rate.saturating_mul(u32::from(block)).to_le_bytes());
    bytes.extend_from_slice(&block.to_le_bytes());
    bytes.extend_from_slice(&16_u16.to_le_bytes());
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&data_len.to_le_bytes());
    bytes
}

/// Reads channels and rate back out of a header of ours.
fn format_of(head: &[u8]) -> Option<RecordingFormat> {
    if !head.starts_with(b"RIFF") || head.get(8..16)? != b"WAVEfmt " {
        return None;
    }
    let channels = u16::from_le_bytes(head.get(22..24)?.try_into().ok()?);
    let rate = u32::from_le_bytes(head.get(24..28)?.try_into().ok()?);
    let sample_rate = SampleRate::new(rate)?;
    (1..=2).contains(&channels).then_some(RecordingFormat { sample_rate, channels })
}

/// Returns how long a WAV file is, from the blocks it names; `None` if it is not one.
fn wav_duration_ms(wav: &[u8]) -> Option<u64> {
    if !wav.starts_with(b"RIFF") || wav.get(8..12)? != b"WAVE" {
        return None;
    }
    let (mut position, mut bytes_per_second) = (12_usize, None);
    loop {
        let name = wav.get(position..position.checked_add(4)?)?;
        let len_at = position.checked_add(4)?;
        let len = u32::from_le_bytes(wav.get(len_at..len_at.checked_add(4)?)?.try_into().ok()?);
        let body = position.checked_add(8)?;
        if name == b"fmt " {
            let rate_at = body.checked_add(8)?;
            let rate = wav.get(rate_at..rate_at.checked_add(4)?)?;
            bytes_per_second = Some(u64::from(u32::from_le_bytes(rate.try_into().ok()?)));
        } else if name == b"data" {
            let there = u64::try_from(wav.len().saturating_sub(body)).ok()?;
            return u64::from(len).min(there).saturating_mul(1_000).checked_div(bytes_per_second?);
        }
        let len = usize::try_from(len).ok()?;
        position = body.checked_add(len)?.checked_add(len % 2)?;
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

//! Messages callers left.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use units::{CallId, Language, Pii};

use crate::recordings::RecordingName;

/// Names one voicemail: when it came in and by which call. Written `1700000000000-CA0123`, which is safe in URLs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VoicemailKey {
    /// When it came in, in milliseconds since 1970.
    pub received_wall_ms: u64,
    /// The call.
    pub call: CallId,
}

impl fmt::Display for VoicemailKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.received_wall_ms, self.call)
    }
}

impl FromStr for VoicemailKey {
    type Err = units::ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (time, call) = text.split_once('-').ok_or(units::ParseIdError)?;
        let digits = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
        let received_wall_ms = time.parse().ok().filter(|_| digits).ok_or(units::ParseIdError)?;
        Ok(Self { received_wall_ms, call: call.parse()? })
    }
}

impl TryFrom<String> for VoicemailKey {
    type Error = units::ParseIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<VoicemailKey> for String {
    fn from(key: VoicemailKey) -> Self {
        key.to_string()
    }
}

/// Whether the owner listened to a voicemail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoicemailState {
    /// Not yet.
    #[default]
    New,
    /// Yes.
    Heard,
    /// A word of a newer release.
    #[serde(other)]
    Unknown,
}

/// Which way a message came to the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoicemailPath {
    /// Recorded here, over the media stream.
    Device,
    /// Recorded by the carrier, which asked how the call goes on.
    CarrierAction,
    /// Recorded by the carrier, which told when the recording was ready; nobody had asked how the call goes on.
    CarrierCallback,
    /// A word of a newer release.
    #[serde(other)]
    Unknown,
}

/// What becomes of the copy of a message that the carrier holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierCopy {
    /// It stays, or there is none.
    #[default]
    Kept,
    /// It is to be deleted: the message is safe here.
    ToDelete,
    /// It was deleted.
    Deleted,
    /// A word of a newer release.
    #[serde(other)]
    Unknown,
}

impl CarrierCopy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
    fn is_kept(&self) -> bool {
        *self == Self::Kept
    }
}

/// One message somebody left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoicemailRecord {
    /// When it came in and by which call.
    pub key: VoicemailKey,
    /// The caller's number as the carrier gave it; empty when withheld.
    #[serde(default)]
    pub caller: Pii<String>,
    /// Where the carrier keeps it, if it has to be fetched.
    #[serde(default)]
    pub source: Option<String>,
    /// The file, unless it is not there yet or retention took it.
    #[serde(default)]
    pub recording: Option<RecordingName>,
    /// SHA-256 of the file, in hexadecimal.
    #[serde(default)]
    pub digest: Option<String>,
    /// How long it is, in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
    /// What was said, once it was recognized.
    #[serde(default)]
    pub transcript: Option<Pii<String>>,
    /// The language of the transcript.
    #[serde(default)]
    pub language: Option<Language>,
    /// Whether the owner listened to it.
    #[serde(default)]
    pub state: VoicemailState,
    /// The transcript in a sentence or two, once it was recognized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Pii<String>>,
    /// Which way it came. `None` in rows of an earlier release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<VoicemailPath>,
    /// The carrier's name for the recording, if the carrier made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier_recording: Option<String>,
    /// What becomes of the carrier's copy.
    #[serde(default, skip_serializing_if = "CarrierCopy::is_kept")]
    pub carrier_copy: CarrierCopy,
}

impl VoicemailRecord {
    /// Makes the record of a message that came in just now, with nothing known of it but who left it.
    pub fn received(key: VoicemailKey, caller: Pii<String>, path: VoicemailPath) -> Self {
        Self {
            key,
            caller,
            source: None,
            recording: None,
            digest: None,
            duration_ms: 0,
            transcript: None,
            language: None,
            state: VoicemailState::New,
            summary: None,
            path: Some(path),
            carrier_recording: None,
            carrier_copy: CarrierCopy::Kept,
        }
    }
}

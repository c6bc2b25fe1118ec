//! Between documents and the bytes of a payload.
//!
//! A payload is JSON, or zstd of JSON, told apart by its first bytes. Whatever the bytes are, reading returns a document
//! or an error, and takes no more memory than the bounds in [`limits`](crate::limits) allow.

use std::borrow::Cow;
use std::io::{self, Read as _};

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::event::has_nul;
use crate::fault::{Fault, Found};
use crate::fields::VERSION;
use crate::limits::{MAX_RECEIVED_LEN, MAX_SENT_LEN, MAX_UNPACKED_LEN, MAX_ZSTD_WINDOW_LOG, MIN_COMPRESSED_LEN};
use crate::name::{CommandId, DeviceId};
use crate::topic::{Stream, Topic};

/// First bytes of a zstd frame (RFC 8878, section 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// How hard zstd tries. 3 is its own default; on batches of events higher levels save a few per cent and cost times as
/// much.
const ZSTD_LEVEL: i32 = 3;

/// Whom a document says it belongs to, as far as it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Address<'a> {
    /// The device it names.
    pub device: Option<&'a DeviceId>,
    /// The stream it names.
    pub stream: Option<Stream>,
    /// The command it names.
    pub command: Option<&'a CommandId>,
}

/// An envelope: what a payload holds.
pub trait Document: Serialize + TryFrom<Value, Error = Fault> {
    /// Returns whom it says it belongs to, to be compared with the topic.
    fn address(&self) -> Address<'_>;
}

/// Why a document did not become a payload.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It is not JSON.
    #[error("a document cannot be written as JSON")]
    NotJson(#[source] serde_json::Error),
    /// It is longer than a receiver unfolds.
    #[error("a document of {len} bytes, expected at most {MAX_UNPACKED_LEN}")]
    TooLong {
        /// How long it is, in bytes of JSON.
        len: usize,
    },
    /// It is longer than what is published, even compressed.
    #[error("a payload of {len} bytes, expected at most {MAX_SENT_LEN}")]
    PayloadTooLong {
        /// How long it is, in bytes.
        len: usize,
    },
    /// zstd failed.
    #[error("cannot compress a payload")]
    Compress(#[source] io::Error),
}

/// Why a payload is no document. Nothing of the payload is in it, except names that are names.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There is none. On a retained topic that means that the document was cleared.
    #[error("an empty payload")]
    Empty,
    /// It is longer than what is looked at.
    #[error("a payload of {len} bytes, expected at most {MAX_RECEIVED_LEN}")]
    TooLong {
        /// How long it is, in bytes.
        len: usize,
    },
    /// It is neither JSON nor zstd.
    #[error("a payload that starts with byte {first:#04x}, expected an object in JSON, or zstd")]
    UnknownEncoding {
        /// The first byte.
        first: u8,
    },
    /// It is zstd that cannot be unfolded.
    #[error("a payload that zstd cannot unfold")]
    Compressed(#[source] io::Error),
    /// It unfolds to more than what is looked at.
    #[error("a payload that unfolds to more than {MAX_UNPACKED_LEN} bytes")]
    UnfoldsTooFar,
    /// It is not UTF-8.
    #[error("a payload that is not UTF-8 at byte {at}")]
    NotUtf8 {
        /// The first byte that is wrong, from 0.
        at: usize,
    },
    /// It is not JSON.
    #[error("a payload that is not JSON at line {line}, column {column}")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
    /// It has no version, or none that ever was.
    #[error("a payload without a version that ever was")]
    UnknownVersion(#[source] Fault),
    /// It is of a release after this one. Kept by the sender until this side is upgraded.
    #[error("a payload of version {found}, expected at most {VERSION}")]
    FutureVersion {
        /// Its version.
        found: u64,
    },
    /// A field is wrong.
    #[error("a payload with a wrong field")]
    Field(#[source] Fault),
    /// It names another device than the topic it came on.
    #[error("a payload of device {payload} on the topic of {topic}")]
    WrongDevice {
        /// The device of the topic, which the broker has checked.
        topic: DeviceId,
        /// The device in the payload, which nobody has.
        payload: DeviceId,
    },
    /// It names another stream than the topic it came on.
    #[error("a payload of another stream or kind on {topic}")]
    WrongStream {
        /// The topic.
        topic: Box<Topic>,
        /// The stream in the payload.
        payload: Stream,
    },
    /// It names another command than the topic it came on.
    #[error("a payload of command {payload} on {topic}")]
    WrongCommand {
        /// The topic.
        topic: Box<Topic>,
        /// The command in the payload.
        payload: CommandId,
    },
}

impl DecodeError {
    /// Returns a short name of the cause, for counters. The list is closed.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong { .. } => "too_long",
            Self::UnknownEncoding { .. } => "unknown_encoding",
            Self::Compressed(_) => "compressed",
            Self::UnfoldsTooFar => "unfolds_too_far",
            Self::NotUtf8 { .. } | Self::NotJson { .. } => "malformed",
            Self::UnknownVersion(_) => "unknown_version",
            Self::FutureVersion { .. } => "future_version",
            Self::Field(_) => "wrong_field",
            Self::WrongDevice { .. } => "wrong_device",
            Self::WrongStream { .. } => "wrong_stream",
            Self::WrongCommand { .. } => "wrong_command",
        }
    }
}

/// Writes a document as a payload: JSON, compressed where that makes it shorter.
pub fn encode(document: &impl Document) -> Result<Vec<u8>, EncodeError> {
    let json = serde_json::to_vec(document).map_err(EncodeError::NotJson)?;
    if json.len() > MAX_UNPACKED_LEN {
        return Err(EncodeError::TooLong { len: json.len() });
    }
    let payload = if json.len() >= MIN_COMPRESSED_LEN {
        let compressed = compress(&json).map_err(EncodeError::Compress)?;
        if compressed.len() < json.len() { compressed } else { json }
    } else {
        json
    };
    if payload.len() > MAX_SENT_LEN {
        return Err(EncodeError::PayloadTooLong { len: payload.len() });
    }
    Ok(payload)
}

/// Compresses with a checksum: four bytes, and what was spoilt on some disk on the way is noticed.
fn compress(json: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.compress(json)
}

/// Reads the payload of a message that came on `topic`. Batches have a reader of their own that saves what can be saved,
/// [`decode_batch`](crate::decode_batch).
pub fn decode<D: Document>(topic: &Topic, payload: &[u8]) -> Result<D, DecodeError> {
    let text = unpack(payload)?;
    let value: Value = serde_json::from_str(&text).map_err(|error| not_json(&error))?;
    check_version(value.get("v"))?;
    if let Value::Object(map) = &value {
        check_nul(map)?;
    }
    let document = D::try_from(value).map_err(DecodeError::Field)?;
    check_address(topic, document.address())?;
    Ok(document)
}

/// Returns the JSON text of a payload.
pub(crate) fn unpack(payload: &[u8]) -> Result<Cow<'_, str>, DecodeError> {
    if payload.len() > MAX_RECEIVED_LEN {
        return Err(DecodeError::TooLong { len: payload.len() });
    }
    let not_utf8 = |error: std::str::Utf8Error| DecodeError::NotUtf8 { at: error.valid_up_to() };
    match payload.first() {
        None => Err(DecodeError::Empty),
        Some(b'{') => Ok(Cow::Borrowed(str::from_utf8(payload).map_err(not_utf8)?)),
        Some(_) if payload.starts_with(&ZSTD_MAGIC) => {
            let unfolded = unfold(payload)?;
            Ok(Cow::Owned(String::from_utf8(unfolded).map_err(|error| not_utf8(error.utf8_error()))?))
        }
        Some(&first) => Err(DecodeError::UnknownEncoding { first }),
    }
}

fn unfold(payload: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(payload).map_err(DecodeError::Compressed)?;
    decoder.window_log_max(MAX_ZSTD_WINDOW_LOG).map_err(DecodeError::Compressed)?;
    let mut unfolded = Vec::new();
    let one_more = u64::try_from(MAX_UNPACKED_LEN).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(one_more).read_to_end(&mut unfolded).map_err(DecodeError::Compressed)?;
    if unfolded.len() > MAX_UNPACKED_LEN {
        return Err(DecodeError::UnfoldsTooFar);
    }
    Ok(unfolded)
}

/// Keeps the place of a syntax error and leaves its text behind.
pub(crate) fn not_json(error: &serde_json::Error) -> DecodeError {
    DecodeError::NotJson { line: error.line(), column: error.column() }
}

/// Checks the field `v` before anything else is looked at: a document of a later version may look quite different.
pub(crate) fn check_version(version: Option<&Value>) -> Result<(), DecodeError> {
    const EXPECTED: &str = "a whole number from 1";
    let Some(version) = version else {
        return Err(DecodeError::UnknownVersion(Fault::of(Found::Nothing, EXPECTED).under("v")));
    };
    match version.as_u64() {
        Some(VERSION) => Ok(()),
        Some(found) if found > VERSION => Err(DecodeError::FutureVersion { found }),
        Some(_) | None => Err(DecodeError::UnknownVersion(Fault::of(version, EXPECTED).under("v"))),
    }
}

/// Refuses NUL characters, for which `PostgreSQL` has no place: what is read can be stored.
pub(crate) fn check_nul(map: &Map<String, Value>) -> Result<(), DecodeError> {
    if map.iter().any(|(name, value)| name.contains('\0') || has_nul(value)) {
        return Err(DecodeError::Field(Fault::of(Found::Unreadable, "text without NUL characters")));
    }
    Ok(())
}

/// Compares what a document says of itself with the topic, which the broker has checked against the certificate.
pub(crate) fn check_address(topic: &Topic, address: Address<'_>) -> Result<(), DecodeError> {
    if let Some(payload) = address.device
        && payload != topic.device()
    {
        return Err(DecodeError::WrongDevice { topic: topic.device().clone(), payload: payload.clone() });
    }
    if let Some(payload) = address.stream
        && topic.stream() != Some(payload)
    {
        return Err(DecodeError::WrongStream { topic: Box::new(topic.clone()), payload });
    }
    if let Some(payload) = address.command
        && topic.command() != Some(payload)
    {
        return Err(DecodeError::WrongCommand { topic: Box::new(topic.clone()), payload: payload.clone() });
    }
    Ok(())
}

/// Reads one value of a document that was split before.
pub(crate) fn read_raw(raw: &RawValue) -> Result<Value, Fault> {
    serde_json::from_str(raw.get()).map_err(|_syntax| Fault::of(Found::Unreadable, "readable JSON"))
}

//! What is in a log.

use std::borrow::Cow;
use std::collections::BTreeMap;

use conversation::{Config, Digit, Input, Output};
use routing::{Event, Policy, Way};
use serde::{Deserialize, Serialize};
use telephony::stream::InboundFrame;
use units::CallTime;
use weather::Decision;

/// The version of the format this crate writes. It reads every version up to this one.
pub const FORMAT: u32 = 1;

/// The longest header, in bytes with its newline: 128 KiB. The longest known has two texts of 8 kB and their escapes.
pub const MAX_HEADER: usize = 128 * 1_024;

/// The longest payload, in bytes: 1 MiB, the longest message a carrier is listened to.
pub const MAX_PAYLOAD: usize = 1_024 * 1_024;

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// What the log is; the first record, and only that.
    Opened(Box<Opened>),
    /// Something came from the carrier and was let through.
    Frame {
        /// When.
        at: CallTime,
        /// What.
        frame: Frame<'a>,
    },
    /// The core was told something.
    Perceived {
        /// When.
        at: CallTime,
        /// What.
        input: Input,
    },
    /// The core decided something.
    Decided {
        /// When, by [`conversation::Call::poll_decision`].
        at: CallTime,
        /// What.
        output: Output,
    },
    /// An engine was chosen for a request. Nothing of it enters the core; it tells why a turn sounded as it did.
    Chosen {
        /// When it was settled.
        at: CallTime,
        /// Who served, who did not, and why.
        decision: Decision,
    },
    /// What the log of a course is; the first record of such a log, and only that.
    Began(Box<Began>),
    /// The course was told something.
    Told {
        /// When, since the call came in.
        at: CallTime,
        /// What.
        event: Event,
    },
    /// The course said what to do.
    Went {
        /// When.
        at: CallTime,
        /// What.
        way: Way,
    },
}

/// What the log of a course is: the way of one call from the ring to its end, around its conversations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    /// The version of the format, [`FORMAT`].
    pub format: u32,
    /// The version of the program that wrote it.
    pub software: String,
    /// What the office wants.
    pub policy: Policy,
}

impl Began {
    /// Returns the beginning of a log written now by `software`.
    pub fn new(software: impl Into<String>, policy: Policy) -> Self {
        Self { format: FORMAT, software: software.into(), policy }
    }
}

/// What a log is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The version of the format, [`FORMAT`].
    pub format: u32,
    /// The version of the program that wrote it, with its commit where that is known.
    pub software: String,
    /// The configuration of the conversation.
    pub config: Config,
    /// The digest of each model that was used, by its name.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
}

impl Opened {
    /// Returns the opening of a log written now by `software`, with no models named.
    pub fn new(software: impl Into<String>, config: Config) -> Self {
        Self { format: FORMAT, software: software.into(), config, models: BTreeMap::new() }
    }
}

/// Something the carrier sent.
#[derive(Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Audio of the caller, G.711 µ-law at 8 kHz.
    Audio(Cow<'a, [u8]>),
    /// Any other message, as it came.
    Message(Cow<'a, str>),
}

impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Audio(audio) => write!(f, "Audio of {} bytes", audio.len()),
            Self::Message(message) => write!(f, "Message of {} bytes", message.len()),
        }
    }
}

/// Returns what a message of the carrier means to the core: keys, marks and the end of the stream. The others mean
/// nothing to it; the start of the stream is told as [`Input::StreamStarted`], as the carrier does not know whether the
/// greeting was played.
///
/// The shell and the player both use this, so that both tell the core the same.
pub fn input_of(message: &str) -> Option<Input> {
    match InboundFrame::parse(message).ok()? {
        InboundFrame::Dtmf(dtmf) => Digit::new(dtmf.digit.label()).map(|digit| Input::Dtmf { digit }),
        InboundFrame::Mark(mark) => mark.name.parse().ok().map(|mark| Input::MarkReached { mark }),
        InboundFrame::Stop(_) => Some(Input::StreamStopped),
        InboundFrame::Connected(_) | InboundFrame::Start(_) | InboundFrame::Media(_) => None,
    }
}

/// A header as it is written, without the checks at its end.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Header {
    Opened(Box<Opened>),
    Frame {
        at: CallTime,
        frame: FrameKind,
    },
    Perceived {
        at: CallTime,
        input: Input,
    },
    Decided {
        at: CallTime,
        output: Output,
    },
    Chosen {
        at: CallTime,
        decision: Decision,
    },
    Began(Box<Began>),
    Told {
        at: CallTime,
        event: Event,
    },
    Went {
        at: CallTime,
        way: Way,
    },
    #[serde(other)]
    Unknown,
}

/// What kind of payload a frame has.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FrameKind {
    Audio,
    Message,
}

/// The end of a header: how much payload follows.
#[derive(Deserialize)]
pub(crate) struct Tail {
    pub(crate) payload_length: usize,
    pub(crate) payload_crc: Option<String>,
}

/// What stands before the check of a header.
pub(crate) const CRC_FIELD: &str = ",\"crc\":\"";

/// The length of the check with its field: eight hexadecimal digits, a quotation mark and a brace.
pub(crate) const CRC_LEN: usize = CRC_FIELD.len() + 10;

/// Returns the check of some bytes as it is written.
pub(crate) fn crc(bytes: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(bytes))
}

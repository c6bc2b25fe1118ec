//! Frames from the box to the carrier.

use std::borrow::Cow;

use base64::Engine as _;
use serde::Deserialize;

use super::inbound::{BASE64, MAX_FRAME_BYTES};
use crate::id::StreamId;

/// Longest name of a mark, in bytes. Ours are short; the carrier documents no limit.
pub const MAX_MARK_NAME_BYTES: usize = 256;

/// One message to the carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboundFrame<'a> {
    /// Audio to be played after what is queued.
    Media {
        /// The stream.
        stream_id: StreamId,
        /// G.711 µ-law bytes, any number.
        audio: Cow<'a, [u8]>,
    },
    /// To be sent back when everything queued before it was played or dropped.
    Mark {
        /// The stream.
        stream_id: StreamId,
        /// Name of the mark.
        name: Cow<'a, str>,
    },
    /// Drop what is queued.
    Clear {
        /// The stream.
        stream_id: StreamId,
    },
}

impl OutboundFrame<'_> {
    /// Writes the frame with exactly the fields the carrier documents.
    #[must_use]
    pub fn encode(&self) -> String {
        match self {
            Self::Media { stream_id, audio } => {
                let mut text = String::new();
                write_media(&mut text, stream_id, audio);
                text
            }
            Self::Mark { stream_id, name } => {
                let name = serde_json::Value::from(name.as_ref());
                format!(r#"{{"event":"mark","streamSid":"{stream_id}","mark":{{"name":{name}}}}}"#)
            }
            Self::Clear { stream_id } => format!(r#"{{"event":"clear","streamSid":"{stream_id}"}}"#),
        }
    }
}

/// Writes a media frame into `text`, replacing what is in it, so that one buffer serves a whole call.
pub fn write_media(text: &mut String, stream_id: &StreamId, audio: &[u8]) {
    text.clear();
    text.reserve(audio.len().div_ceil(3).saturating_mul(4).saturating_add(128));
    // A stream's name has no character that JSON escapes.
    text.push_str(r#"{"event":"media","streamSid":""#);
    text.push_str(stream_id.as_str());
    text.push_str(r#"","media":{"payload":""#);
    BASE64.encode_string(audio, text);
    text.push_str(r#""}}"#);
}

/// Why a text is not a frame the carrier takes.
#[derive(Debug, thiserror::Error)]
pub enum OutboundFrameError {
    /// It is longer than the limit.
    #[error("frame of {bytes} bytes, expected at most {MAX_FRAME_BYTES}")]
    TooLarge {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// It is not JSON, has an unknown event, or a field too many or too few.
    #[error("frame the carrier would refuse (31951)")]
    Shape(#[source] serde_json::Error),
    /// The stream has a name no stream has.
    #[error("streamSid is not as expected")]
    StreamId(#[source] units::ParseIdError),
    /// The audio is not base64.
    #[error("media payload is not base64")]
    Base64(#[source] base64::DecodeError),
    /// The name of a mark is too long.
    #[error("name of a mark has {bytes} bytes, expected at most {MAX_MARK_NAME_BYTES}")]
    MarkName {
        /// Its length, in bytes.
        bytes: usize,
    },
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase", deny_unknown_fields)]
enum WireFrame {
    Media {
        #[serde(rename = "streamSid")]
        stream_sid: String,
        media: WireMedia,
    },
    Mark {
        #[serde(rename = "streamSid")]
        stream_sid: String,
        mark: WireMark,
    },
    Clear {
        #[serde(rename = "streamSid")]
        stream_sid: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireMedia {
    payload: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireMark {
    name: String,
}

impl OutboundFrame<'static> {
    /// Parses a message of the box as strictly as the carrier does. For our own carrier and for tests.
    pub fn parse(text: &str) -> Result<Self, OutboundFrameError> {
        use OutboundFrameError as E;
        if text.len() > MAX_FRAME_BYTES {
            return Err(E::TooLarge { bytes: text.len() });
        }
        let id = |text: String| text.parse::<StreamId>().map_err(E::StreamId);
        match serde_json::from_str(text).map_err(E::Shape)? {
            WireFrame::Media { stream_sid, media } => Ok(Self::Media {
                stream_id: id(stream_sid)?,
                audio: Cow::Owned(BASE64.decode(media.payload).map_err(E::Base64)?),
            }),
            WireFrame::Mark { stream_sid, mark } => {
                let bytes = mark.name.len();
                if bytes > MAX_MARK_NAME_BYTES {
                    return Err(E::MarkName { bytes });
                }
                Ok(Self::Mark { stream_id: id(stream_sid)?, name: Cow::Owned(mark.name) })
            }
            WireFrame::Clear { stream_sid } => Ok(Self::Clear { stream_id: id(stream_sid)? }),
        }
    }
}

//! Frames from the carrier to the box.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use units::{CallId, Pii};

use crate::id::{AccountId, Digit, StreamId};

/// Longest frame read, in bytes. The carrier's own have about 350; this holds six seconds of audio in one.
pub const MAX_FRAME_BYTES: usize = 65_536;

/// Most custom parameters of a `start` that are kept.
const MAX_CUSTOM_PARAMETERS: usize = 128;

/// Standard base64; padding may be left out, as it says nothing.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One message from the carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboundFrame<'a> {
    /// The WebSocket is open; first, once.
    Connected(Connected<'a>),
    /// The stream begins; once.
    Start(Start),
    /// Audio.
    Media(Media<'a>),
    /// The caller pressed a key.
    Dtmf(Dtmf),
    /// Audio before our mark was played, or dropped by a clear.
    Mark(Mark<'a>),
    /// The stream is over; last.
    Stop(Stop),
}

/// The WebSocket is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected<'a> {
    /// `Call`.
    pub protocol: Cow<'a, str>,
    /// `1.0.0`.
    pub version: Cow<'a, str>,
}

/// The stream begins.
#[derive(Clone, PartialEq, Eq)]
pub struct Start {
    /// Position in the stream, from 1.
    pub sequence: u64,
    /// The stream.
    pub stream_id: StreamId,
    /// The call.
    pub call_id: CallId,
    /// The account.
    pub account: AccountId,
    /// How audio is encoded.
    pub format: MediaFormat,
    /// What the markup's `<Parameter>`s said; names sorted.
    pub parameters: Vec<(String, Pii<String>)>,
}

impl Start {
    /// Returns the value of a parameter, which may be personal data or a token.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.reveal().as_str())
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("stream_id", &self.stream_id)
            .field("call_id", &self.call_id)
            .field("format", &self.format)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

/// How audio is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFormat {
    /// `audio/x-mulaw`.
    pub encoding: String,
    /// Samples per second: 8000.
    pub sample_rate_hz: u32,
    /// 1.
    pub channels: u32,
}

impl MediaFormat {
    /// Returns the only format the carrier documents: µ-law, 8 kHz, one channel.
    #[must_use]
    pub fn mulaw_8khz() -> Self {
        Self { encoding: "audio/x-mulaw".to_owned(), sample_rate_hz: 8_000, channels: 1 }
    }
}

/// Whose audio a frame has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaTrack {
    /// The caller's.
    Inbound,
    /// What the caller hears.
    Outbound,
}

/// Audio. The payload is still base64: see [`Media::decode`].
#[derive(Clone, PartialEq, Eq)]
pub struct Media<'a> {
    /// Position in the stream.
    pub sequence: u64,
    /// The stream.
    pub stream_id: Cow<'a, str>,
    /// Whose audio.
    pub track: MediaTrack,
    /// Position in the track, from 1.
    pub chunk: u64,
    /// Milliseconds from the start of the stream to the start of this audio.
    pub timestamp_ms: u64,
    /// Base64 of G.711 bytes, any number of them.
    pub payload: Cow<'a, str>,
}

impl Media<'_> {
    /// Decodes the audio into `buffer`, replacing what is in it. G.711 has one byte per sample.
    pub fn decode(&self, buffer: &mut Vec<u8>) -> Result<(), FrameError> {
        buffer.clear();
        BASE64.decode_vec(self.payload.as_bytes(), buffer).map_err(|source| {
            buffer.clear();
            FrameError::Base64 { source }
        })
    }

    /// Returns how many bytes of audio the payload stands for, if it is base64 at all.
    pub fn audio_len(&self) -> usize {
        self.payload.trim_end_matches('=').len().saturating_mul(3) / 4
    }
}

impl fmt::Debug for Media<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("sequence", &self.sequence)
            .field("track", &self.track)
            .field("chunk", &self.chunk)
            .field("timestamp_ms", &self.timestamp_ms)
            .finish_non_exhaustive()
    }
}

/// The caller pressed a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dtmf {
    /// Position in the stream.
    pub sequence: u64,
    /// The stream.
    pub stream_id: StreamId,
    /// The key.
    pub digit: Digit,
}

/// Our mark came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark<'a> {
    /// Position in the stream.
    pub sequence: u64,
    /// The stream.
    pub stream_id: StreamId,
    /// The name we gave it.
    pub name: Cow<'a, str>,
}

/// The stream is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Position in the stream.
    pub sequence: u64,
    /// The stream.
    pub stream_id: StreamId,
    /// The call.
    pub call_id: Option<CallId>,
}

/// Why a text is not a frame of the carrier. Never shows what was in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is longer than the limit.
    #[error("frame of {bytes} bytes, expected at most {MAX_FRAME_BYTES}")]
    TooLarge {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// It is a binary message; the carrier sends text only.
    #[error("binary frame, expected text")]
    Binary,
    /// It is not JSON.
    #[error("not JSON at line {line}, column {column}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// It is JSON, but a field is of the wrong type or there twice.
    #[error("field of the wrong type, or there twice, at line {line}, column {column}")]
    WrongType {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// It does not say what it is.
    #[error("no event")]
    NoEvent,
    /// It says it is something we do not know.
    #[error("unknown event {event:?}")]
    UnknownEvent {
        /// What it says, cut to 32 characters.
        event: String,
    },
    /// A field is missing.
    #[error("{event} frame has no {field}")]
    MissingField {
        /// What kind of frame.
        event: &'static str,
        /// The field, with the one it stands in.
        field: &'static str,
    },
    /// A field has a value it cannot have.
    #[error("{field} of {event} frame is not as expected: {expected}")]
    BadField {
        /// What kind of frame.
        event: &'static str,
        /// The field, with the one it stands in.
        field: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// The audio is not base64.
    #[error("media payload is not base64")]
    Base64 {
        /// Where and why.
        #[source]
        source: base64::DecodeError,
    },
}

/// A number that is written as text, or as a number.
#[derive(Clone, Copy)]
struct Number(u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, as text or as a number")
            }

            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                text.parse().map(Number).map_err(|_error| E::custom("not a whole number"))
            }
        }

        deserializer.deserialize_any(NumberVisitor)
    }
}

/// A text that is borrowed where it has no escapes. (An `Option<Cow<str>>` would always be copied.)
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Every field any frame has. Unknown ones are skipped.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireFrame<'a> {
    #[serde(borrow)]
    event: Option<Text<'a>>,
    #[serde(borrow)]
    stream_sid: Option<Text<'a>>,
    sequence_number: Option<Number>,
    #[serde(borrow)]
    media: Option<WireMedia<'a>>,
    #[serde(borrow)]
    start: Option<WireStart<'a>>,
    #[serde(borrow)]
    dtmf: Option<WireDtmf<'a>>,
    #[serde(borrow)]
    mark: Option<WireMark<'a>>,
    #[serde(borrow)]
    stop: Option<WireStop<'a>>,
    #[serde(borrow)]
    protocol: Option<Text<'a>>,
    #[serde(borrow)]
    version: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct WireMedia<'a> {
    #[serde(borrow)]
    track: Option<Text<'a>>,
    chunk: Option<Number>,
    timestamp: Option<Number>,
    #[serde(borrow)]
    payload: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireStart<'a> {
    #[serde(borrow)]
    account_sid: Option<Text<'a>>,
    #[serde(borrow)]
    stream_sid: Option<Text<'a>>,
    #[serde(borrow)]
    call_sid: Option<Text<'a>>,
    #[serde(borrow)]
    media_format: Option<WireFormat<'a>>,
    #[serde(default)]
    custom_parameters: std::collections::BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireFormat<'a> {
    #[serde(borrow)]
    encoding: Option<Text<'a>>,
    sample_rate: Option<Number>,
    channels: Option<Number>,
}

#[derive(Deserialize)]
struct WireDtmf<'a> {
    #[serde(borrow)]
    digit: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct WireMark<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireStop<'a> {
    #[serde(borrow)]
    call_sid: Option<Text<'a>>,
}

impl<'a> InboundFrame<'a> {
    /// Parses one text message. Nothing is copied where the text has no escapes.
    pub fn parse(text: &'a str) -> Result<Self, FrameError> {
        if text.len() > MAX_FRAME_BYTES {
            return Err(FrameError::TooLarge { bytes: text.len() });
        }
        let wire: WireFrame<'a> = serde_json::from_str(text).map_err(|error| json_error(&error))?;
        match wire.event.as_ref().map(|event| &*event.0) {
            None => Err(FrameError::NoEvent),
            Some("media") => media(wire).map(Self::Media),
            Some("connected") => Ok(Self::Connected(Connected {
                protocol: wire.protocol.unwrap_or_default().0,
                version: wire.version.unwrap_or_default().0,
            })),
            Some("start") => start(wire).map(Self::Start),
            Some("dtmf") => dtmf(&wire).map(Self::Dtmf),
            Some("mark") => mark(wire).map(Self::Mark),
            Some("stop") => stop(&wire).map(Self::Stop),
            Some(event) => Err(FrameError::UnknownEvent { event: event.chars().take(32).collect() }),
        }
    }

    /// Returns the stream the frame names, if its kind names one.
    pub fn stream_id(&self) -> Option<&str> {
        match self {
            Self::Connected(_) => None,
            Self::Start(start) => Some(start.stream_id.as_str()),
            Self::Media(media) => Some(&media.stream_id),
            Self::Dtmf(dtmf) => Some(dtmf.stream_id.as_str()),
            Self::Mark(mark) => Some(mark.stream_id.as_str()),
            Self::Stop(stop) => Some(stop.stream_id.as_str()),
        }
    }

    /// Returns the frame's position in the stream, if its kind has one.
    pub const fn sequence(&self) -> Option<u64> {
        match self {
            Self::Connected(_) => None,
            Self::Start(start) => Some(start.sequence),
            Self::Media(media) => Some(media.sequence),
            Self::Dtmf(dtmf) => Some(dtmf.sequence),
            Self::Mark(mark) => Some(mark.sequence),
            Self::Stop(stop) => Some(stop.sequence),
        }
    }
}

/// Turns an error of the JSON library into one without content.
fn json_error(error: &serde_json::Error) -> FrameError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => FrameError::WrongType { line, column },
        serde_json::error::Category::Io | serde_json::error::Category::Syntax | serde_json::error::Category::Eof => {
            FrameError::NotJson { line, column }
        }
    }
}

/// Returns the value, or the error that it is missing.
fn need<T>(value: Option<T>, event: &'static str, field: &'static str) -> Result<T, FrameError> {
    value.ok_or(FrameError::MissingField { event, field })
}

/// Parses a name.
fn name<T: std::str::FromStr>(
    value: Option<&Text<'_>>,
    event: &'static str,
    field: &'static str,
) -> Result<T, FrameError> {
    let expected = "1 to 64 ASCII letters, digits, '-' or '_'";
    need(value, event, field)?.0.parse().map_err(|_error| FrameError::BadField { event, field, expected })
}

/// Returns the sequence number.
fn sequence(wire: &WireFrame<'_>, event: &'static str) -> Result<u64, FrameError> {
    need(wire.sequence_number, event, "sequenceNumber").map(|number| number.0)
}

fn media(wire: WireFrame<'_>) -> Result<Media<'_>, FrameError> {
    let event = "media";
    let sequence = sequence(&wire, event)?;
    let stream_id = need(wire.stream_sid, event, "streamSid")?.0;
    let media = need(wire.media, event, "media")?;
    let track = match &*need(media.track, event, "media.track")?.0 {
        "inbound" => MediaTrack::Inbound,
        "outbound" => MediaTrack::Outbound,
        _ => {
            let expected = "'inbound' or 'outbound'";
            return Err(FrameError::BadField { event, field: "media.track", expected });
        }
    };
    Ok(Media {
        sequence,
        stream_id,
        track,
        chunk: need(media.chunk, event, "media.chunk")?.0,
        timestamp_ms: need(media.timestamp, event, "media.timestamp")?.0,
        payload: need(media.payload, event, "media.payload")?.0,
    })
}

fn start(wire: WireFrame<'_>) -> Result<Start, FrameError> {
    let event = "start";
    let sequence = sequence(&wire, event)?;
    let start = need(wire.start, event, "start")?;
    let format = need(start.media_format, event, "start.mediaFormat")?;
    let small = |number: Option<Number>, field| {
        let number = need(number, event, field)?.0;
        u32::try_from(number).map_err(|_error| FrameError::BadField { event, field, expected: "a 32-bit number" })
    };
    if start.custom_parameters.len() > MAX_CUSTOM_PARAMETERS {
        let expected = "at most 128 parameters";
        return Err(FrameError::BadField { event, field: "start.customParameters", expected });
    }
    let parameters = start.custom_parameters.into_iter().map(|(name, value)| {
        // Values are text; anything else is kept as it was written.
        let value = if let serde_json::Value::String(text) = value { text } else { value.to_string() };
        (name, Pii::new(value))
    });
    let stream_id = start.stream_sid.as_ref().or(wire.stream_sid.as_ref());
    Ok(Start {
        sequence,
        stream_id: name(stream_id, event, "streamSid")?,
        call_id: name(start.call_sid.as_ref(), event, "start.callSid")?,
        account: name(start.account_sid.as_ref(), event, "start.accountSid")?,
        format: MediaFormat {
            encoding: need(format.encoding, event, "start.mediaFormat.encoding")?.0.into_owned(),
            sample_rate_hz: small(format.sample_rate, "start.mediaFormat.sampleRate")?,
            channels: small(format.channels, "start.mediaFormat.channels")?,
        },
        parameters: parameters.collect(),
    })
}

fn dtmf(wire: &WireFrame<'_>) -> Result<Dtmf, FrameError> {
    let event = "dtmf";
    let digit = need(need(wire.dtmf.as_ref(), event, "dtmf")?.digit.as_ref(), event, "dtmf.digit")?;
    let digit = digit.0.parse().map_err(|_error| FrameError::BadField {
        event,
        field: "dtmf.digit",
        expected: "one of 0-9, *, #, A-D",
    })?;
    let stream_id = name(wire.stream_sid.as_ref(), event, "streamSid")?;
    Ok(Dtmf { sequence: sequence(wire, event)?, stream_id, digit })
}

fn mark(wire: WireFrame<'_>) -> Result<Mark<'_>, FrameError> {
    let event = "mark";
    let sequence = sequence(&wire, event)?;
    let stream_id = name(wire.stream_sid.as_ref(), event, "streamSid")?;
    let name = need(need(wire.mark, event, "mark")?.name, event, "mark.name")?.0;
    Ok(Mark { sequence, stream_id, name })
}

fn stop(wire: &WireFrame<'_>) -> Result<Stop, FrameError> {
    let event = "stop";
    let call = wire.stop.as_ref().and_then(|stop| stop.call_sid.as_ref());
    let call_id = call.map(|call| name(Some(call), event, "stop.callSid")).transpose()?;
    let stream_id = name(wire.stream_sid.as_ref(), event, "streamSid")?;
    Ok(Stop { sequence: sequence(wire, event)?, stream_id, call_id })
}

//! Writes a log.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write;

use conversation::{Input, Output};
use units::CallTime;
use weather::Decision;

use crate::record::{CRC_FIELD, Frame, FrameKind, Header, MAX_HEADER, MAX_PAYLOAD, Opened, Record, crc};

/// Writes the log of one call to a sink, each record at once and in one piece.
#[derive(Debug)]
pub struct Recorder<W> {
    sink: W,
}

impl<W: Write> Recorder<W> {
    /// Opens a log: writes its first record.
    pub fn open(sink: W, opened: Opened) -> Result<Self, WriteError> {
        let mut recorder = Self { sink };
        recorder.write(Record::Opened(Box::new(opened)))?;
        Ok(recorder)
    }

    /// Writes down audio of the caller, µ-law at 8 kHz.
    pub fn audio(&mut self, at: CallTime, mulaw: &[u8]) -> Result<(), WriteError> {
        self.write(Record::Frame { at, frame: Frame::Audio(Cow::Borrowed(mulaw)) })
    }

    /// Writes down a message of the carrier that is no audio, before the core is told [what it means](crate::input_of).
    pub fn message(&mut self, at: CallTime, message: &str) -> Result<(), WriteError> {
        self.write(Record::Frame { at, frame: Frame::Message(Cow::Borrowed(message)) })
    }

    /// Writes down what the core is told, unless it is the meaning of a message that was written down.
    pub fn perceived(&mut self, at: CallTime, input: Input) -> Result<(), WriteError> {
        self.write(Record::Perceived { at, input })
    }

    /// Writes down what the core decided, with the time by [`conversation::Call::poll_decision`].
    pub fn decided(&mut self, at: CallTime, output: Output) -> Result<(), WriteError> {
        self.write(Record::Decided { at, output })
    }

    /// Writes down who served a request, and why.
    pub fn chosen(&mut self, at: CallTime, decision: Decision) -> Result<(), WriteError> {
        self.write(Record::Chosen { at, decision })
    }

    /// Hands written records on, as far as the sink does.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.sink.flush().map_err(WriteError::Sink)
    }

    /// Returns the sink.
    pub fn into_inner(self) -> W {
        self.sink
    }

    fn write(&mut self, record: Record<'_>) -> Result<(), WriteError> {
        self.sink.write_all(&encode(record)?).map_err(WriteError::Sink)
    }
}

/// Returns the bytes of a record, for a shell that writes elsewhere.
pub fn encode(record: Record<'_>) -> Result<Vec<u8>, WriteError> {
    let (header, payload) = match record {
        Record::Opened(opened) => (Header::Opened(opened), Cow::Borrowed(&[][..])),
        Record::Frame { at, frame: Frame::Audio(audio) } => (Header::Frame { at, frame: FrameKind::Audio }, audio),
        Record::Frame { at, frame: Frame::Message(message) } => {
            let bytes = match message {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            };
            (Header::Frame { at, frame: FrameKind::Message }, bytes)
        }
        Record::Perceived { at, input } => (Header::Perceived { at, input }, Cow::Borrowed(&[][..])),
        Record::Decided { at, output } => (Header::Decided { at, output }, Cow::Borrowed(&[][..])),
        Record::Chosen { at, decision } => (Header::Chosen { at, decision }, Cow::Borrowed(&[][..])),
        Record::Began(began) => (Header::Began(began), Cow::Borrowed(&[][..])),
        Record::Told { at, event } => (Header::Told { at, event }, Cow::Borrowed(&[][..])),
        Record::Went { at, way } => (Header::Went { at, way }, Cow::Borrowed(&[][..])),
    };
    let mut line = serde_json::to_string(&header).map_err(WriteError::Encode)?;
    line.pop();
    add(&mut line, format_args!(",\"payload_length\":{}", payload.len()));
    if !payload.is_empty() {
        add(&mut line, format_args!(",\"payload_crc\":\"{}\"", crc(&payload)));
    }
    let check = crc(line.as_bytes());
    add(&mut line, format_args!("{CRC_FIELD}{check}\"}}\n"));
    if line.len() > MAX_HEADER || payload.len() > MAX_PAYLOAD {
        return Err(WriteError::TooLong { header: line.len(), payload: payload.len() });
    }
    let mut bytes = line.into_bytes();
    bytes.extend_from_slice(&payload);
    Ok(bytes)
}

/// Adds to a line.
fn add(line: &mut String, more: std::fmt::Arguments<'_>) {
    line.write_fmt(more).expect("a string takes everything");
}

/// Why a record was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It cannot be put into JSON.
    #[error("a record cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// It is longer than a reader would accept.
    #[error("a record of {header} and {payload} bytes is too long")]
    TooLong {
        /// Length of the header in bytes, at most [`MAX_HEADER`].
        header: usize,
        /// Length of the payload in bytes, at most [`MAX_PAYLOAD`].
        payload: usize,
    },
    /// The sink did not take it.
    #[error("the log cannot be written")]
    Sink(#[source] std::io::Error),
}

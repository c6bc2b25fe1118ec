//! Reads a log.

use std::borrow::Cow;

use crate::record::{CRC_FIELD, CRC_LEN, FORMAT, Frame, FrameKind, Header, MAX_HEADER, MAX_PAYLOAD, Record, Tail, crc};

/// Reads the records of a log one after the other.
///
/// It ends at the end of the bytes, before a torn record ([`Reader::torn`]), or behind the first error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
    records: usize,
    unknown: usize,
    torn: Option<usize>,
    failed: bool,
}

/// A whole record: its header, what the header says of the payload, the payload, and the length of all.
struct Split<'a> {
    header: &'a [u8],
    tail: Tail,
    payload: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    /// Returns a reader of a whole log.
    pub const fn new(log: &'a [u8]) -> Self {
        Self { rest: log, offset: 0, records: 0, unknown: 0, torn: None, failed: false }
    }

    /// Returns where the last record begins whose end is missing, once it was reached. What is before is whole; a log may
    /// be cut there.
    pub const fn torn(&self) -> Option<usize> {
        self.torn
    }

    /// Returns how many records of a kind unknown to this version were skipped.
    pub const fn unknown(&self) -> usize {
        self.unknown
    }

    fn read(&mut self) -> Result<Option<Record<'a>>, ReadError> {
        loop {
            let Some(Split { header, tail, payload, length }) = self.split()? else { return Ok(None) };
            let record = self.record(header, &tail, payload)?;
            self.rest = self.rest.get(length..).unwrap_or_default();
            self.offset = self.offset.saturating_add(length);
            self.records = self.records.saturating_add(1);
            match record {
                Some(record) => return Ok(Some(record)),
                None => self.unknown = self.unknown.saturating_add(1),
            }
        }
    }

    /// Splits the next record off.
    fn split(&mut self) -> Result<Option<Split<'a>>, ReadError> {
        let window = self.rest.get(..self.rest.len().min(MAX_HEADER)).unwrap_or_default();
        let Some(newline) = window.iter().position(|byte| *byte == b'\n') else {
            let endless = self.rest.len() >= MAX_HEADER;
            return if endless { Err(self.damaged("a header without an end")) } else { Ok(self.tear()) };
        };
        let header = window.get(..newline).unwrap_or_default();
        let (checked, check) = header.split_at_checked(header.len().saturating_sub(CRC_LEN)).unwrap_or_default();
        let expected = format!("{CRC_FIELD}{}\"}}", crc(checked));
        if check != expected.as_bytes() {
            return Err(self.damaged("a header with a wrong check"));
        }
        let tail: Tail = serde_json::from_slice(header).map_err(|error| self.unreadable(error))?;
        if tail.payload_length > MAX_PAYLOAD {
            return Err(self.damaged("a payload too long"));
        }
        let begin = newline.saturating_add(1);
        let end = begin.saturating_add(tail.payload_length);
        let Some(payload) = self.rest.get(begin..end) else { return Ok(self.tear()) };
        if !payload.is_empty() && tail.payload_crc.as_deref() != Some(crc(payload).as_str()) {
            return Err(self.damaged("a payload with a wrong check"));
        }
        Ok(Some(Split { header, tail, payload, length: end }))
    }

    fn record(&self, header: &[u8], tail: &Tail, payload: &'a [u8]) -> Result<Option<Record<'a>>, ReadError> {
        if self.records == 0 {
            self.check_format(header)?;
        }
        let header: Header = serde_json::from_slice(header).map_err(|error| self.unreadable(error))?;
        let record = match header {
            Header::Opened(opened) if self.records == 0 => Record::Opened(opened),
            Header::Began(began) if self.records == 0 => Record::Began(began),
            Header::Opened(_) | Header::Began(_) => return Err(self.damaged("a second beginning")),
            _ if self.records == 0 => return Err(ReadError::NotALog),
            Header::Frame { at, frame: FrameKind::Audio } => {
                Record::Frame { at, frame: Frame::Audio(Cow::Borrowed(payload)) }
            }
            Header::Frame { at, frame: FrameKind::Message } => {
                let message =
                    std::str::from_utf8(payload).ok().ok_or_else(|| self.damaged("a message that is no text"))?;
                Record::Frame { at, frame: Frame::Message(Cow::Borrowed(message)) }
            }
            Header::Perceived { at, input } => Record::Perceived { at, input },
            Header::Decided { at, output } => Record::Decided { at, output },
            Header::Chosen { at, decision } => Record::Chosen { at, decision },
            Header::Told { at, event } => Record::Told { at, event },
            Header::Went { at, way } => Record::Went { at, way },
            Header::Unknown => return Ok(None),
        };
        let has_payload = matches!(record, Record::Frame { .. });
        if !has_payload && tail.payload_length > 0 {
            return Err(self.damaged("a payload where none belongs"));
        }
        Ok(Some(record))
    }

    /// The version is looked at by itself: what else is in the first record of a later version cannot be known.
    fn check_format(&self, header: &[u8]) -> Result<(), ReadError> {
        #[derive(serde::Deserialize)]
        struct Version {
            format: Option<u32>,
        }
        let version: Version = serde_json::from_slice(header).map_err(|error| self.unreadable(error))?;
        match version.format {
            None => Err(ReadError::NotALog),
            Some(format) if format > FORMAT => Err(ReadError::NewerFormat { format }),
            Some(_) => Ok(()),
        }
    }

    fn tear<T>(&mut self) -> Option<T> {
        if !self.rest.is_empty() {
            self.torn = Some(self.offset);
        }
        None
    }

    const fn damaged(&self, what: &'static str) -> ReadError {
        ReadError::Damaged { record: self.records, offset: self.offset, what }
    }

    const fn unreadable(&self, source: serde_json::Error) -> ReadError {
        ReadError::Unreadable { record: self.records, offset: self.offset, source: JsonError(source) }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.torn.is_some() {
            return None;
        }
        let read = self.read();
        self.failed = read.is_err();
        read.transpose()
    }
}

/// Why a log cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It does not begin as a call log does.
    #[error("this is not a call log")]
    NotALog,
    /// A later version of the program wrote it.
    #[error("the call log has format {format}, this program reads up to {FORMAT}")]
    NewerFormat {
        /// Its format.
        format: u32,
    },
    /// Bytes were changed after it was written.
    #[error("record {record} at byte {offset} is damaged: {what}")]
    Damaged {
        /// The record, counted from 0.
        record: usize,
        /// Where it begins.
        offset: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A record is whole, and not understood.
    #[error("record {record} at byte {offset} is not understood")]
    Unreadable {
        /// The record, counted from 0.
        record: usize,
        /// Where it begins.
        offset: usize,
        /// Why.
        source: JsonError,
    },
}

/// Says where JSON is wrong, and not what it was, since that may be personal data.
#[derive(Debug, thiserror::Error)]
#[error("{} in column {}", category(.0), .0.column())]
pub struct JsonError(serde_json::Error);

fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Io => "input failed",
        serde_json::error::Category::Syntax => "no JSON",
        serde_json::error::Category::Data => "a field that is missing, unknown or of another type",
        serde_json::error::Category::Eof => "an early end",
    }
}

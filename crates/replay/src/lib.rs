//! The call log: what happened on a call and what was decided, written as it goes on, read back, played again.
//!
//! A call is a log. Every input of the conversation core is in it with the time at which it came, and every output with
//! the time at which it was decided; so the decisions can be made again without models, in microseconds, and compared
//! exactly ([`player`]). It deliberately does no file handling: a [`Recorder`] writes to any [`std::io::Write`], a
//! [`Reader`] reads from bytes.
//!
//! # Format
//!
//! A log is a row of records. A record is one line of JSON, the header, and behind it as many bytes of payload as the
//! header's `payload_length` says, raw. So a log is readable with a pager, holds audio without base64, and a tail torn off
//! by a power cut is noticed. Four kinds follow the first record, which says what the log is:
//!
//! | kind | header | payload |
//! |---|---|---|
//! | `opened` | `format`, `software`, `config`, `models` (name and digest of each) | none |
//! | `frame` | `at`, `frame`: `audio` or `message` | µ-law bytes, or the carrier's message as it came |
//! | `perceived` | `at`, `input` | none |
//! | `decided` | `at`, `output` | none |
//! | `chosen` | `at`, `decision` | none |
//!
//! Around its conversations a call has a course: who takes it, who is rung, how it ends. That is a log of its own, of the
//! same form ([`mod@course`]):
//!
//! | kind | header | payload |
//! |---|---|---|
//! | `began` | `format`, `software`, `policy` | none |
//! | `told` | `at`, `event` | none |
//! | `went` | `at`, `way` | none |
//!
//! Times are [`units::CallTime`]s, whole microseconds since the stream started or, in a course, since the call came in. A header ends with `payload_crc`, if there is
//! a payload, and `crc`: CRC-32 (ISO-HDLC) of the payload, and of the header up to the comma before `crc`. Kinds a reader
//! does not know are skipped and counted.
//!
//! **Invariant:** whatever the bytes, reading returns records and errors; it never panics, and never takes more memory than
//! one record may have.
//! **Invariant:** personal data is in the log, which must be kept accordingly, and in no error and no report.

pub mod course;
pub mod player;
mod reader;
mod record;
mod recorder;

#[cfg(test)]
mod tests;

pub use crate::reader::{JsonError, ReadError, Reader};
pub use crate::record::{Began, FORMAT, Frame, MAX_HEADER, MAX_PAYLOAD, Opened, Record, input_of};
pub use crate::recorder::{Recorder, WriteError, encode};

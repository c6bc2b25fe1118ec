//! Events of one stream as one row.
//!
//! Events are small and come in groups. One row for each would cost a frame, a key and a place in sled's pages each,
//! and a deletion later; a chunk holds the events of one commit and is written and deleted as one. The JSON in it is
//! compressed, as events of one stream repeat their words.
//!
//! ```text
//! codec 1 | count 2 | JSON, or zstd of it
//! ```

use std::io::{self, Read as _};

use protocol::{Event, Stream};
use serde::Deserialize;

use crate::key::TableKey as _;

/// First byte of all keys of chunks. The number belongs to no [`Table`](crate::Table): chunks are not JSON.
pub(crate) const CHUNK_TABLE: u8 = 8;
/// Events in a chunk at most: as many as are sent at once.
pub(super) const MAX_EVENTS: usize = 64;
/// JSON in a chunk at most, unless a single event is larger, in bytes: as much as is sent at once.
pub(super) const MAX_JSON: usize = 32 * 1024;
/// An encoded chunk, unless it holds a single event, in bytes. sled keeps up to 16 rows in one page, writes a page of
/// more than 128 KiB into a file of its own, and our `fsync` would not reach that file.
const MAX_ENCODED: usize = 7 * 1024;
/// JSON shorter than this is not worth compressing, in bytes.
const MIN_COMPRESSED: usize = 256;
/// zstd's own default level.
const LEVEL: i32 = 3;
/// JSON of a chunk that is read at most, in bytes: a row of [`frame::MAX_PAYLOAD_LEN`](crate::frame::MAX_PAYLOAD_LEN)
/// that was not compressed fits.
const MAX_READ: u64 = 1024 * 1024;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// Which chunk: the events of a stream and epoch from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkKey {
    pub(crate) stream: Stream,
    pub(crate) epoch: u64,
    pub(crate) first: u64,
}

impl ChunkKey {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = prefix(self.stream).to_vec();
        bytes.extend(self.epoch.encode());
        bytes.extend(self.first.encode());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[table, stream], rest) = bytes.split_first_chunk::<2>()?;
        let stream = Stream::ALL.into_iter().find(|known| prefix(*known) == [table, stream])?;
        let (epoch, first) = rest.split_at_checked(8)?;
        Some(Self { stream, epoch: u64::decode(epoch)?, first: u64::decode(first)? })
    }
}

/// Returns the start of the keys of a stream's chunks.
pub(crate) fn prefix(stream: Stream) -> [u8; 2] {
    // Written to disk: a number is never given to another stream.
    let number = match stream {
        Stream::Calls => 1,
        Stream::Messages => 2,
        Stream::Leads => 3,
        Stream::Audit => 4,
        Stream::Metrics => 5,
        Stream::Logs => 6,
    };
    [CHUNK_TABLE, number]
}

/// What a chunk holds.
#[derive(Debug, Deserialize)]
pub(super) struct Content {
    /// The boot the events belong to.
    pub(super) boot: u64,
    /// The events, in order.
    pub(super) events: Vec<Event>,
}

/// Splits events of one boot, as JSON, numbered from `first` on, into chunks. Returns the first and last number of each.
pub(super) fn pack(boot: u64, first: u64, events: &[String]) -> io::Result<Vec<(u64, u64, Vec<u8>)>> {
    let mut packed = Vec::new();
    let (mut rest, mut first) = (events, first);
    while !rest.is_empty() {
        let mut sum = 0_usize;
        let fitting = rest.iter().take(MAX_EVENTS).take_while(|event| {
            sum = sum.saturating_add(event.len());
            sum <= MAX_JSON
        });
        let mut count = fitting.count().max(1);
        let bytes = loop {
            let bytes = encode(boot, rest.get(..count).unwrap_or_default())?;
            if bytes.len() <= MAX_ENCODED || count <= 1 {
                break bytes;
            }
            count = count.div_ceil(2);
        };
        let next = first.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        packed.push((first, next.saturating_sub(1), bytes));
        first = next;
        rest = rest.get(count..).unwrap_or_default();
    }
    Ok(packed)
}

fn encode(boot: u64, events: &[String]) -> io::Result<Vec<u8>> {
    let json = format!(r#"{{"boot":{boot},"events":[{}]}}"#, events.join(","));
    let count = u16::try_from(events.len()).map_err(io::Error::other)?.to_be_bytes();
    let compressed =
        if json.len() < MIN_COMPRESSED { None } else { Some(zstd::bulk::compress(json.as_bytes(), LEVEL)?) };
    let (codec, body) = match compressed {
        Some(compressed) if compressed.len() < json.len() => (ZSTD, compressed),
        Some(_) | None => (PLAIN, json.into_bytes()),
    };
    let mut bytes = Vec::with_capacity(body.len().saturating_add(3));
    bytes.push(codec);
    bytes.extend(count);
    bytes.extend(body);
    Ok(bytes)
}

/// Returns how many events a chunk holds, without reading them.
pub(super) fn count(bytes: &[u8]) -> Option<u64> {
    let count = bytes.get(1..3)?.try_into().ok().map(u16::from_be_bytes)?;
    (count > 0).then_some(u64::from(count))
}

/// Reads a chunk and returns how long its JSON is.
pub(super) fn decode(bytes: &[u8]) -> io::Result<(Content, usize)> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let (codec, body) = (bytes.first().ok_or_else(invalid)?, bytes.get(3..).ok_or_else(invalid)?);
    let mut unpacked = Vec::new();
    let json = match *codec {
        PLAIN => body,
        ZSTD => {
            zstd::stream::read::Decoder::new(body)?.take(MAX_READ).read_to_end(&mut unpacked)?;
            &unpacked
        }
        _ => return Err(invalid()),
    };
    let content: Content = serde_json::from_slice(json)?;
    if count(bytes) == u64::try_from(content.events.len()).ok() { Ok((content, json.len())) } else { Err(invalid()) }
}

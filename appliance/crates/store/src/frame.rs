//! How one row lies in the database: recognizable without the database.
//!
//! ```text
//! magic 4 | version 1 | table 1 | key length 2 | payload length 4 | commit number 8 | crc 4 | key | payload
//! ```
//!
//! Numbers are big-endian. The CRC-32 (IEEE) covers everything but the magic and itself, so that neither a row
//! under a wrong key nor one of another table passes for the right one.

/// Four bytes that start every frame. The last one is not ASCII, so that text never looks like a frame.
pub(crate) const MAGIC: [u8; 4] = *b"kbx\xF1";
/// The version of the frame this release writes, and the newest it reads.
pub(crate) const FRAME_VERSION: u8 = 1;
/// Bytes before the key.
pub(crate) const HEADER_LEN: usize = 24;
/// The longest key, in bytes: a call id and two numbers with room to spare.
pub(crate) const MAX_KEY_LEN: usize = 512;
/// The longest payload, in bytes. Half of sled's smallest useful segment, so that no value becomes a blob file of
/// its own, which our `fsync` would not reach.
pub(crate) const MAX_PAYLOAD_LEN: usize = 128 * 1024;
/// The longest frame, in bytes.
pub(crate) const MAX_FRAME_LEN: usize = HEADER_LEN + MAX_KEY_LEN + MAX_PAYLOAD_LEN;

/// A frame as it was read, its checksum verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) table: u8,
    pub(crate) key: &'a [u8],
    /// Rises with every row written, also over restarts: of two frames with one key the higher is the newer.
    pub(crate) number: u64,
    pub(crate) payload: &'a [u8],
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// They do not start with the magic.
    NotAFrame,
    /// They end too early, or announce more than a frame can hold.
    Truncated,
    /// The checksum differs.
    Damaged,
    /// Written by a newer release.
    Newer(u8),
}

/// Writes a frame.
pub(crate) fn encode(frame: Frame<'_>) -> Vec<u8> {
    let key_len = u16::try_from(frame.key.len()).unwrap_or(u16::MAX);
    let payload_len = u32::try_from(frame.payload.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER_LEN + frame.key.len() + frame.payload.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.push(FRAME_VERSION);
    bytes.push(frame.table);
    bytes.extend_from_slice(&key_len.to_be_bytes());
    bytes.extend_from_slice(&payload_len.to_be_bytes());
    bytes.extend_from_slice(&frame.number.to_be_bytes());
    let crc = checksum(bytes.get(4..20).unwrap_or_default(), frame.key, frame.payload);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes.extend_from_slice(frame.key);
    bytes.extend_from_slice(frame.payload);
    bytes
}

/// Reads the frame that `bytes` start with; what follows it is ignored.
pub(crate) fn decode(bytes: &[u8]) -> Result<Frame<'_>, FrameError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(FrameError::NotAFrame);
    }
    let (Some(&version), Some(&table), Some(key_len), Some(payload_len), Some(number), Some(crc)) = (
        bytes.get(4),
        bytes.get(5),
        array::<2>(bytes, 6).map(u16::from_be_bytes),
        array::<4>(bytes, 8).map(u32::from_be_bytes),
        array::<8>(bytes, 12).map(u64::from_be_bytes),
        array::<4>(bytes, 20).map(u32::from_be_bytes),
    ) else {
        return Err(FrameError::Truncated);
    };
    let key_len = usize::from(key_len);
    let payload_len = usize::try_from(payload_len).unwrap_or(usize::MAX);
    if key_len > MAX_KEY_LEN || payload_len > MAX_PAYLOAD_LEN {
        return Err(FrameError::Truncated);
    }
    let key_end = HEADER_LEN + key_len;
    let (Some(key), Some(payload), Some(head)) =
        (bytes.get(HEADER_LEN..key_end), bytes.get(key_end..key_end + payload_len), bytes.get(4..20))
    else {
        return Err(FrameError::Truncated);
    };
    if checksum(head, key, payload) != crc {
        return Err(FrameError::Damaged);
    }
    if version > FRAME_VERSION {
        return Err(FrameError::Newer(version));
    }
    Ok(Frame { table, key, number, payload })
}

fn checksum(head: &[u8], key: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(key);
    hasher.update(payload);
    hasher.finalize()
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

//! Keys: bytes whose order is the order wanted when reading.

use units::CallId;

/// A key of a table, as bytes.
///
/// Numbers are big-endian, so that bytes sort as numbers do. [`TableKey::decode`] gives back what was encoded and
/// `None` for anything else.
pub trait TableKey: Sized {
    /// Returns the bytes; less than 512.
    fn encode(&self) -> Vec<u8>;

    /// Reads the bytes.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

impl TableKey for CallId {
    fn encode(&self) -> Vec<u8> {
        self.as_str().as_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok()?.parse().ok()
    }
}

impl TableKey for String {
    fn encode(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

impl TableKey for u64 {
    fn encode(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

/// Returns the call id followed by a zero byte, which no call id contains: the prefix of all rows of one call.
pub(crate) fn call_prefix(call: &CallId) -> Vec<u8> {
    let mut bytes = call.encode();
    bytes.push(0);
    bytes
}

/// Splits what [`call_prefix`] starts into the call id and the rest.
pub(crate) fn split_call(bytes: &[u8]) -> Option<(CallId, &[u8])> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    let call = CallId::decode(bytes.get(..end)?)?;
    Some((call, bytes.get(end.checked_add(1)?..)?))
}

/// Splits eight bytes of a big-endian number off the front.
pub(crate) fn split_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_at_checked(8)?;
    Some((u64::decode(number)?, rest))
}

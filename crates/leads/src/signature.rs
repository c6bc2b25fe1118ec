//! How a delivery proves where it comes from, and how a receiver checks that.
//!
//! `X-Kolbox-Signature: v1=<hexadecimal HMAC-SHA256 of "{timestamp}.{body}">`, with the timestamp of
//! `X-Kolbox-Timestamp` in seconds since 1970 and the body's bytes as they came. A receiver checks the signature over the
//! raw bytes before it parses them, and refuses a timestamp more than [`REPLAY_WINDOW_SECS`] away from its own clock: what
//! somebody recorded is of no use later. Within that time, `Idempotency-Key` tells a repetition.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::text::{hex, unhex};

/// The header with the time of sending, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "X-Kolbox-Timestamp";
/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "X-Kolbox-Signature";
/// How far a delivery's timestamp may be from the receiver's clock, in seconds. Five minutes: longer than any request
/// lasts and than clocks set over the network differ.
pub const REPLAY_WINDOW_SECS: u64 = 300;
/// Signatures in one header at most; more than one while a secret is changed.
const MAX_SIGNATURES: usize = 8;

/// Why a delivery is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The timestamp is no number.
    #[error("the timestamp is no number of seconds")]
    BadTimestamp,
    /// The timestamp is too far away.
    #[error("the timestamp is more than {REPLAY_WINDOW_SECS} s away from this clock")]
    OutsideWindow,
    /// None of the signatures is right.
    #[error("no signature of version v1 is right")]
    Mismatch,
}

/// Signs a body that is sent at this time, in seconds since 1970.
pub fn sign(secret: &[u8], timestamp: u64, body: &[u8]) -> String {
    format!("v1={}", hex(&mac(secret, &timestamp.to_string(), body).finalize().into_bytes()))
}

/// Checks a delivery as a receiver does: the two headers as they came, the raw body, and the receiver's own clock in
/// seconds since 1970. Compared in constant time.
///
/// # Errors
///
/// When it must not be believed.
pub fn verify(
    secret: &[u8],
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now_secs: u64,
) -> Result<(), SignatureError> {
    if timestamp.is_empty() || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SignatureError::BadTimestamp);
    }
    let sent: u64 = timestamp.parse().map_err(|_too_large| SignatureError::BadTimestamp)?;
    let mut given = signatures.split(',').take(MAX_SIGNATURES).filter_map(|one| unhex(one.trim().strip_prefix("v1=")?));
    if !given.any(|one| mac(secret, timestamp, body).verify_slice(&one).is_ok()) {
        return Err(SignatureError::Mismatch);
    }
    if now_secs.abs_diff(sent) > REPLAY_WINDOW_SECS {
        return Err(SignatureError::OutsideWindow);
    }
    Ok(())
}

fn mac(secret: &[u8], timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104 section 2)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

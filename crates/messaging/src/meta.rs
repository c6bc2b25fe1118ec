//! Meta's wire: the `WhatsApp` Cloud API.
//!
//! A webhook is first answered with its [challenge], once; from then on each body is
//! [verified](Verifier::verify) over its raw bytes and [read]. Fields:
//! <https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components>.

mod content;
mod payload;
mod send;
mod signature;

pub use self::payload::{Batch, Broken, MAX_BROKEN, MAX_PAYLOAD_BYTES, PayloadError, read};
pub use self::send::{MAX_CAPTION_CHARS, MAX_TEXT_CHARS, read_answer, write};
pub use self::signature::{
    ChallengeError, EmptySecretError, SIGNATURE_HEADER, Secret, SignatureError, Signer, VerifiedBody, Verifier,
    challenge,
};

#[cfg(test)]
mod tests;

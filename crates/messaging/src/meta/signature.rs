//! Who sent a webhook: the challenge at the start, and a signature from then on.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use telephony::{FieldError, Params};

use crate::text::{hex, unhex};

/// Name of the header that carries the signature, in lower case.
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";

/// Bytes of an HMAC-SHA256.
const MAC_LEN: usize = 32;

/// Longest challenge that is sent back, in bytes. Meta's are ten digits.
const MAX_CHALLENGE_BYTES: usize = 256;

/// An app secret or a verify token. Never shown: `Debug` writes `[secret]`, and there is no `Display`.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Returns the secret made of these bytes.
    ///
    /// # Errors
    ///
    /// When there are none: an empty secret would verify what anybody can sign.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, EmptySecretError> {
        let bytes = bytes.into();
        if bytes.is_empty() { Err(EmptySecretError) } else { Ok(Self(bytes)) }
    }
}

impl FromStr for Secret {
    type Err = EmptySecretError;

    /// Reads a secret as it stands in a credential file: white space around it, such as a final line feed, is dropped.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text.trim())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A secret without a byte in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("secret is empty, expected an app secret or a verify token")]
pub struct EmptySecretError;

/// Answers the request that proves the webhook ours: returns the body to answer 200 with, character for character.
///
/// `query` is the query of the GET request. Tokens are compared by their digests in constant time, so that neither
/// the length nor the first wrong character shows.
pub fn challenge(query: &Params, verify_token: &Secret) -> Result<String, ChallengeError> {
    if query.required("hub.mode")? != "subscribe" {
        return Err(FieldError::Unexpected { field: "hub.mode", expected: "'subscribe'" }.into());
    }
    let given = Sha256::digest(query.required("hub.verify_token")?.as_bytes());
    let known = Sha256::digest(&verify_token.0);
    if !bool::from(known.as_slice().ct_eq(given.as_slice())) {
        return Err(ChallengeError::WrongToken);
    }
    let challenge = query.required("hub.challenge")?;
    // What is sent back is read by whoever asked, maybe a browser: letters and digits cannot be taken for a page.
    let clean = challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.');
    if challenge.len() > MAX_CHALLENGE_BYTES || !clean {
        return Err(FieldError::Unexpected { field: "hub.challenge", expected: "up to 256 letters and digits" }.into());
    }
    Ok(challenge.to_owned())
}

/// Why a challenge is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// The query is not a challenge.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The verify token is not the one configured.
    #[error("verify token is wrong")]
    WrongToken,
}

impl ChallengeError {
    /// Returns the HTTP status to refuse the request with: 400 or 403.
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Field(_) => 400,
            Self::WrongToken => 403,
        }
    }
}

/// Makes signatures: the provider's side, for tests and for owners who try the box out.
#[derive(Clone, Debug)]
pub struct Signer {
    secret: Secret,
}

impl Signer {
    /// Returns a signer with this app secret.
    pub const fn new(secret: Secret) -> Self {
        Self { secret }
    }

    /// Returns the header's value for a body.
    #[must_use]
    pub fn sign(&self, body: &[u8]) -> String {
        format!("sha256={}", hex(&mac(&self.secret, body)))
    }
}

/// Checks signatures: the box's side. Two app secrets may be active, so that one can be changed without losing a
/// message.
#[derive(Clone, Debug)]
pub struct Verifier {
    primary: Secret,
    secondary: Option<Secret>,
}

impl Verifier {
    /// Returns a verifier that accepts one app secret.
    pub const fn new(primary: Secret) -> Self {
        Self { primary, secondary: None }
    }

    /// Returns a verifier that accepts `secret` too: the one before, or the one to come.
    #[must_use]
    pub fn with_secondary(mut self, secret: Secret) -> Self {
        self.secondary = Some(secret);
        self
    }

    /// Checks the signature of a body, over its bytes as they came. Both secrets are always tried.
    pub fn verify(&self, body: impl Into<Vec<u8>>, signature: Option<&str>) -> Result<VerifiedBody, SignatureError> {
        let body = body.into();
        let given = signature.ok_or(SignatureError::Missing)?.trim();
        let given = given.strip_prefix("sha256=").and_then(unhex).ok_or(SignatureError::Malformed)?;
        if given.len() != MAC_LEN {
            return Err(SignatureError::Malformed);
        }
        let mut found = Choice::from(0);
        for secret in [Some(&self.primary), self.secondary.as_ref()].into_iter().flatten() {
            found |= mac(secret, &body).as_slice().ct_eq(&given);
        }
        if bool::from(found) { Ok(VerifiedBody(body)) } else { Err(SignatureError::Wrong) }
    }
}

/// A body that Meta signed. Only [`Verifier::verify`] makes one.
#[derive(Clone)]
pub struct VerifiedBody(Vec<u8>);

impl VerifiedBody {
    /// Returns the bytes as they came.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for VerifiedBody {
    /// Shows the length only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedBody({} bytes)", self.0.len())
    }
}

/// Why a body is not believed. All of them are answered with 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("signature is missing")]
    Missing,
    /// It is not `sha256=` and 64 hexadecimal digits.
    #[error("signature is not 'sha256=' and 64 hexadecimal digits")]
    Malformed,
    /// It was made with another secret, or over another body.
    #[error("signature is wrong")]
    Wrong,
}

/// Returns the authentication code of a body.
fn mac(secret: &Secret, body: &[u8]) -> [u8; MAC_LEN] {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).expect("HMAC takes a key of any length");
    mac.update(body);
    mac.finalize().into_bytes().into()
}

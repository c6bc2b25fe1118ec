//! `X-Twilio-Signature`: base64 of HMAC-SHA1 under the account's auth token, over the URL as it was configured,
//! followed by every parameter's name and value, sorted by name.
//!
//! The carrier's back end is not consistent about the URL, so several spellings of it are tried: as given, without
//! port, with the scheme's default port, with port 80 for a WebSocket, and with the query re-encoded as two older
//! clients do. All spellings and both keys are always tried and compared in constant time, so that the time taken
//! says nothing about which of them was near.
//!
//! Rules: <https://www.twilio.com/docs/usage/security#validating-requests>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::form::Params;
use crate::public_url::split_port;
use crate::secret::AuthKey;

/// Name of the header that carries the signature, in lower case.
pub const SIGNATURE_HEADER: &str = "x-twilio-signature";

/// Name of the query parameter that carries the SHA-256 of a JSON body, in lower-case hexadecimal.
pub const BODY_HASH_PARAM: &str = "bodySHA256";

/// Bytes of an HMAC-SHA1.
const MAC_LEN: usize = 20;

/// Makes signatures: the carrier's side.
#[derive(Clone, Debug)]
pub struct Signer {
    key: AuthKey,
}

impl Signer {
    /// Returns a signer with this key.
    pub const fn new(key: AuthKey) -> Self {
        Self { key }
    }

    /// Returns the signature of a form request. For a GET, `url` has the query and `params` is empty.
    #[must_use]
    pub fn sign(&self, url: &str, params: &Params) -> String {
        STANDARD.encode(mac(&self.key, without_fragment(url), &signed_params(params)))
    }

    /// Returns the signature of a WebSocket handshake, which has no parameters. `url` is the one in the markup.
    #[must_use]
    pub fn sign_stream(&self, url: &str) -> String {
        self.sign(url, &Params::new())
    }

    /// Returns the URL with the hash of `body` in its query, and the signature of a JSON request to it.
    #[must_use]
    pub fn sign_json(&self, url: &str, body: &[u8]) -> (String, String) {
        let url = without_fragment(url);
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{separator}{BODY_HASH_PARAM}={}", hex(&Sha256::digest(body)));
        let signature = self.sign(&url, &Params::new());
        (url, signature)
    }
}

/// Checks signatures: the box's side. Two keys may be active, so that a key can be changed without losing a call.
#[derive(Clone, Debug)]
pub struct Verifier {
    primary: AuthKey,
    secondary: Option<AuthKey>,
}

impl Verifier {
    /// Returns a verifier that accepts one key.
    pub const fn new(primary: AuthKey) -> Self {
        Self { primary, secondary: None }
    }

    /// Returns a verifier that accepts `key` too: the one before, or the one to come.
    #[must_use]
    pub fn with_secondary(mut self, key: AuthKey) -> Self {
        self.secondary = Some(key);
        self
    }

    /// Checks the signature of a form request to `url` (as configured, with the query as received).
    pub fn verify(&self, url: &str, params: &Params, signature: Option<&str>) -> Result<(), SignatureError> {
        let given = decode_signature(signature)?;
        let tail = signed_params(params);
        let mut found = Choice::from(0);
        for key in [Some(&self.primary), self.secondary.as_ref()].into_iter().flatten() {
            for url in spellings(url) {
                found |= mac(key, &url, &tail).ct_eq(&given);
            }
        }
        if bool::from(found) { Ok(()) } else { Err(SignatureError::Wrong) }
    }

    /// Checks the signature of a request whose body is not a form: the URL is signed and has the body's hash.
    pub fn verify_json(&self, url: &str, body: &[u8], signature: Option<&str>) -> Result<(), SignatureError> {
        let stated = query_of(url)
            .and_then(|query| Params::parse(query.as_bytes()).ok())
            .and_then(|params| params.first(BODY_HASH_PARAM).map(str::to_owned))
            .ok_or(SignatureError::NoBodyHash)?;
        self.verify(url, &Params::new(), signature)?;
        let same = hex(&Sha256::digest(body)).as_bytes().ct_eq(stated.to_ascii_lowercase().as_bytes());
        if bool::from(same) { Ok(()) } else { Err(SignatureError::BodyHash) }
    }

    /// Checks the signature of a WebSocket handshake; `url` is the one that stood in the markup.
    pub fn verify_stream(&self, url: &str, signature: Option<&str>) -> Result<(), SignatureError> {
        self.verify(url, &Params::new(), signature)
    }
}

/// Why a request is not believed. Deliberately says nothing about what would have been right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature header.
    #[error("request is not signed")]
    Missing,
    /// The header is not base64 of 20 bytes.
    #[error("signature is not base64 of 20 bytes")]
    Malformed,
    /// No active key makes this signature over this request.
    #[error("signature does not match")]
    Wrong,
    /// The body is not a form and the URL has no hash of it.
    #[error("body is not a form and the URL has no bodySHA256")]
    NoBodyHash,
    /// The hash in the URL is not that of the body.
    #[error("bodySHA256 does not match the body")]
    BodyHash,
}

/// Decodes the header.
fn decode_signature(signature: Option<&str>) -> Result<[u8; MAC_LEN], SignatureError> {
    let text = signature.ok_or(SignatureError::Missing)?;
    let mut decoded = [0_u8; 64];
    // Anything longer than the buffer is not a signature either.
    match STANDARD.decode_slice(text, &mut decoded) {
        Ok(MAC_LEN) => decoded.first_chunk::<MAC_LEN>().copied().ok_or(SignatureError::Malformed),
        Ok(_) | Err(_) => Err(SignatureError::Malformed),
    }
}

/// Returns the authentication code of a URL and the text of its parameters.
fn mac(key: &AuthKey, url: &str, params: &str) -> [u8; MAC_LEN] {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha1>::new_from_slice(key.bytes()).expect("HMAC takes a key of any length");
    mac.update(url.as_bytes());
    mac.update(params.as_bytes());
    mac.finalize().into_bytes().into()
}

/// Returns what the parameters add to the signed text: names in byte order, each with its values unique and sorted.
///
/// Sorting pairs by name, then value, and dropping equal neighbours is the same thing. Sorting the joined texts
/// is not: `Reason` + `x` would come after `ReasonConferenceEnded`.
fn signed_params(params: &Params) -> String {
    let mut pairs: Vec<(&str, &str)> = params.iter().collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.iter().flat_map(|(name, value)| [*name, *value]).collect()
}

/// Returns the URL without `#` and what follows.
pub(crate) fn without_fragment(url: &str) -> &str {
    url.split('#').next().unwrap_or_default()
}

/// Returns the query of a URL, if it has one.
fn query_of(url: &str) -> Option<&str> {
    without_fragment(url).split_once('?').map(|(_, query)| query)
}

/// Returns every spelling of the URL that a carrier may have signed, each once, the given one first.
fn spellings(url: &str) -> Vec<String> {
    let url = without_fragment(url);
    let mut all = vec![url.to_owned()];
    let (base, query) = match url.split_once('?') {
        Some((base, query)) => (base, Some(query)),
        None => (url, None),
    };
    let queries = match query {
        None => vec![String::new()],
        Some(query) => {
            [query.to_owned(), browser_query(query), legacy_query(query)].map(|query| format!("?{query}")).to_vec()
        }
    };
    for base in base_spellings(base) {
        for query in &queries {
            let spelling = format!("{base}{query}");
            if !all.contains(&spelling) {
                all.push(spelling);
            }
        }
    }
    all
}

/// Returns scheme, host and path with every port a carrier may have signed.
fn base_spellings(base: &str) -> Vec<String> {
    let Some((scheme, rest)) = base.split_once("://") else { return Vec::new() };
    let (authority, path) = match rest.find('/').and_then(|at| rest.split_at_checked(at)) {
        Some(split) => split,
        None => (rest, ""),
    };
    let (user, host_and_port) = match authority.rfind('@').and_then(|at| authority.split_at_checked(at + 1)) {
        Some(split) => split,
        None => ("", authority),
    };
    let (host, port) = split_port(host_and_port);
    let ports: &[Option<&str>] = match scheme {
        "https" => &[port, None, Some("443")],
        "wss" => &[port, None, Some("443"), Some("80")],
        _ => &[port, None, Some("80")],
    };
    ports
        .iter()
        .map(|port| match port {
            Some(port) => format!("{scheme}://{user}{host}:{port}{path}"),
            None => format!("{scheme}://{user}{host}{path}"),
        })
        .collect()
}

/// Returns the query as a browser writes it (<https://url.spec.whatwg.org/#special-query-percent-encode-set>).
fn browser_query(query: &str) -> String {
    percent_encode(query.bytes(), |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'\''))
}

/// Returns the query decoded and encoded again the way an old client does: names grouped, `%20` for a space, and
/// fewer characters escaped than in a form.
fn legacy_query(query: &str) -> String {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value.into_owned()),
            None => groups.push((name.into_owned(), vec![value.into_owned()])),
        }
    }
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
    let encode = |text: &str| percent_encode(text.bytes(), keep);
    let mut pairs = Vec::new();
    for (name, values) in &groups {
        pairs.extend(values.iter().map(|value| format!("{}={}", encode(name), encode(value))));
    }
    pairs.join("&")
}

/// Percent-encodes every byte that `keep` does not name; `%` is kept where `keep` says so.
fn percent_encode(bytes: impl Iterator<Item = u8>, keep: impl Fn(u8) -> bool) -> String {
    let mut text = String::new();
    for byte in bytes {
        if keep(byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(hex_digit(byte >> 4).to_ascii_uppercase());
            text.push(hex_digit(byte & 15).to_ascii_uppercase());
        }
    }
    text
}

/// Returns bytes in lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 15)]).collect()
}

/// Returns the digit for a value below 16.
fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0')
}

#[cfg(test)]
mod tests;

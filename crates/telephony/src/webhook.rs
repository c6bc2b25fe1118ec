//! Requests that were proved to come from the carrier.

use std::fmt;

use crate::dedup::DedupKey;
use crate::form::{FormError, Params};
use crate::public_url::PublicUrl;
use crate::signature::{SignatureError, Verifier, without_fragment};

/// Name of the header that is the same on every retry of one request, in lower case.
pub const IDEMPOTENCY_HEADER: &str = "i-twilio-idempotency-token";

/// The longest idempotency token kept, in bytes; a longer one counts as absent.
pub const MAX_IDEMPOTENCY_TOKEN_BYTES: usize = 256;

/// How a webhook was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`: the parameters are in the query.
    Get,
    /// `POST`: the parameters are in the body.
    Post,
}

/// A request as it came in, not yet believed.
#[derive(Clone, Copy)]
pub struct WebhookRequest<'a> {
    /// How it was asked.
    pub method: Method,
    /// Path and query as received, character for character, below the public base URL; starts with `/`.
    pub path_and_query: &'a str,
    /// The `Content-Type` header.
    pub content_type: Option<&'a str>,
    /// The `X-Twilio-Signature` header.
    pub signature: Option<&'a str>,
    /// The `I-Twilio-Idempotency-Token` header.
    pub idempotency_token: Option<&'a str>,
    /// The body, as received.
    pub body: &'a [u8],
}

/// A request that the carrier signed. Only [`Verifier::verify_webhook`] makes one.
///
/// A handler that takes this value cannot be reached by a request that was not verified.
#[derive(Clone)]
pub struct VerifiedWebhook {
    path: String,
    params: Params,
    idempotency_token: Option<String>,
    json: Option<Vec<u8>>,
}

impl VerifiedWebhook {
    /// Returns the path the request was sent to, without the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the parameters of the body, or of the query for a GET. All of them are signed.
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// Returns the body of a request that is not a form (JSON), whose hash was signed.
    pub fn json(&self) -> Option<&[u8]> {
        self.json.as_deref()
    }

    /// Returns what is the same on a retry of this request and on no other, or `None` if the request has no such mark.
    ///
    /// A call-progress callback is known by its call and sequence number, which are signed; anything else by the
    /// carrier's idempotency token, a header outside the signature.
    pub fn dedup_key(&self) -> Option<DedupKey> {
        if let (Ok(Some(call_id)), Ok(Some(sequence))) =
            (self.params.optional("CallSid"), self.params.optional("SequenceNumber"))
            && let (Ok(call_id), Ok(sequence)) = (call_id.parse(), sequence.parse())
        {
            return Some(DedupKey::Sequence { path: self.path.clone(), call_id, sequence });
        }
        let token = self.idempotency_token.clone()?;
        Some(DedupKey::Token { path: self.path.clone(), token })
    }
}

impl fmt::Debug for VerifiedWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedWebhook")
            .field("path", &self.path)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// Parses and verifies a webhook sent to the box known to the carrier as `base`.
    pub fn verify_webhook(
        &self,
        base: &PublicUrl,
        request: &WebhookRequest<'_>,
    ) -> Result<VerifiedWebhook, WebhookError> {
        let signature = request.signature;
        if signature.is_none() {
            return Err(SignatureError::Missing.into());
        }
        // No signature covers a fragment, so nothing is read from it.
        let path_and_query = without_fragment(request.path_and_query);
        let url = base.webhook(path_and_query);
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let mut json = None;
        let params = match (request.method, BodyKind::of(request.content_type)) {
            (Method::Get, _) => {
                self.verify(&url, &Params::new(), signature)?;
                Params::parse(query.as_bytes())?
            }
            (Method::Post, BodyKind::Form) => {
                let params = Params::parse(request.body)?;
                self.verify(&url, &params, signature)?;
                params
            }
            (Method::Post, BodyKind::Json) => {
                self.verify_json(&url, request.body, signature)?;
                json = Some(request.body.to_vec());
                Params::new()
            }
            (Method::Post, BodyKind::Other) => return Err(WebhookError::ContentType),
        };
        let idempotency_token = request
            .idempotency_token
            .filter(|token| (1..=MAX_IDEMPOTENCY_TOKEN_BYTES).contains(&token.len()))
            .map(str::to_owned);
        Ok(VerifiedWebhook { path: path.to_owned(), params, idempotency_token, json })
    }
}

/// What a body is, by its `Content-Type`.
enum BodyKind {
    Form,
    Json,
    Other,
}

impl BodyKind {
    fn of(content_type: Option<&str>) -> Self {
        let media_type = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        if media_type.is_empty() || media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Self::Form
        } else if media_type.eq_ignore_ascii_case("application/json") {
            Self::Json
        } else {
            Self::Other
        }
    }
}

/// Why a request is not a webhook of the carrier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// It is not signed, or not by the carrier.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Its parameters cannot be read.
    #[error("cannot read the parameters")]
    Form(#[from] FormError),
    /// Its body is neither a form nor JSON.
    #[error("content type is neither a form nor JSON")]
    ContentType,
}

impl WebhookError {
    /// Returns the HTTP status to refuse the request with: 400, 403, 413 or 415.
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Signature(_) => 403,
            Self::Form(FormError::TooLarge { .. }) => 413,
            Self::Form(_) => 400,
            Self::ContentType => 415,
        }
    }
}

#[cfg(test)]
mod tests;

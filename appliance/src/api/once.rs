//! Doing something once, however often it is asked for: the header `Idempotency-Key`.
//!
//! What was answered is committed with what was done, so that a repetition has the same answer whatever was killed when.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts as Head;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};
use store::{ApiAnswerRow, ApiAnswers, Batch, EncodeError};
use units::Pii;

use super::problem::Problem;
use super::reply::ETag;
use super::token::{Caller, hex};
use crate::app::Parts;

/// How long answers are kept for repetitions.
pub(crate) const ANSWERS_FOR: Duration = Duration::from_hours(24);

/// The longest key, in bytes.
const MAX_KEY_LEN: usize = 255;

/// The idempotency key of a request, if it has one.
#[derive(Clone, Debug)]
pub struct Once {
    /// A digest of key, token, method and path: the key alone may say something of a person.
    key: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Once {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, _state: &S) -> Result<Self, Problem> {
        let Some(key) = head.headers.get("idempotency-key") else { return Ok(Self { key: None }) };
        let is_one = (1..=MAX_KEY_LEN).contains(&key.len()) && key.as_bytes().iter().all(u8::is_ascii_graphic);
        if !is_one {
            return Err(Problem::bad_field("Idempotency-Key", "expected 1 to 255 visible ASCII characters"));
        }
        let token = head.extensions.get::<Caller>().map(|caller| caller.token.as_str()).unwrap_or_default();
        let path = head.extensions.get::<axum::extract::OriginalUri>().map_or(head.uri.path(), |uri| uri.path());
        let whole = [token.as_bytes(), head.method.as_str().as_bytes(), path.as_bytes(), key.as_bytes()].join(&0);
        Ok(Self { key: Some(hex(&Sha256::digest(&whole))) })
    }
}

/// An answer that can be given again.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// Where what was made is.
    pub location: Option<String>,
    /// Its version.
    pub etag: Option<ETag>,
    /// The body, as JSON.
    pub body: String,
}

impl Once {
    /// Returns what was answered to the same request before. `digest` is that of the body.
    ///
    /// # Errors
    ///
    /// When the key was used for another body, or the store cannot be read.
    pub async fn before(&self, parts: &Arc<Parts>, digest: &str) -> Result<Option<Response>, Problem> {
        let Some(key) = self.key.clone() else { return Ok(None) };
        let found = parts.archive.blocking(move |archive| archive.store().map(|store| store.get::<ApiAnswers>(&key)));
        let Some(found) = found.await.flatten() else { return Err(Problem::no_store()) };
        let Some(row) = found? else { return Ok(None) };
        if row.digest != digest {
            return Err(Problem::refused("key-reused", "The idempotency key was used for another body")
                .field("Idempotency-Key")
                .detail("expected a new key for a new request"));
        }
        Ok(Some(answer(&row)))
    }

    /// Adds the answer to the commit of what was done. The commit fails with a conflict when another request with the
    /// same key was faster.
    ///
    /// # Errors
    ///
    /// When the answer is too large to be kept.
    pub fn keep(&self, batch: &mut Batch, digest: &str, now_wall_ms: u64, reply: &Reply) -> Result<(), EncodeError> {
        let Some(key) = &self.key else { return Ok(()) };
        batch.require_absent::<ApiAnswers>(key)?;
        batch.put::<ApiAnswers>(key, &reply.row(digest, now_wall_ms))
    }
}

impl Reply {
    fn row(&self, digest: &str, at_wall_ms: u64) -> ApiAnswerRow {
        ApiAnswerRow {
            at_wall_ms,
            digest: digest.to_owned(),
            status: self.status.as_u16(),
            location: self.location.clone(),
            etag: self.etag.as_ref().map(|etag| etag.as_str().to_owned()),
            body: Pii::new(self.body.clone()),
        }
    }

    /// Returns it as a response.
    pub fn response(&self) -> Response {
        answer(&self.row("", 0))
    }
}

fn answer(row: &ApiAnswerRow) -> Response {
    let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::OK);
    let body = row.body.reveal().clone();
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    for (name, value) in [(header::LOCATION, &row.location), (header::ETAG, &row.etag)] {
        if let Some(value) = value.as_ref().and_then(|value| HeaderValue::try_from(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

//! What is answered when something is not done: `application/problem+json` of RFC 9457.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use store::{CommitError, ReadError, StoreError};

use super::token::Scope;

/// The media type of problems.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not done. What it says is for whoever wrote the request; it repeats nothing personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// What kind of problem it is, as a URI that stays the same: `urn:kolbox:problem:` and a word.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in a few words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong this time, and what was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The field, parameter or header at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Headers that belong to it.
    #[serde(skip)]
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

impl Problem {
    /// Makes a problem of a kind: a word for programs, a title for people.
    pub fn new(status: StatusCode, word: &str, title: &'static str) -> Self {
        Self {
            kind: format!("urn:kolbox:problem:{word}"),
            title,
            status: status.as_u16(),
            detail: None,
            field: None,
            headers: Vec::new(),
        }
    }

    /// Says what is wrong this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names the field, parameter or header at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// 400: a parameter or a field is wrong; `expected` says what it should be.
    pub fn bad_field(field: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-field", "A field or parameter is wrong").field(field).detail(expected)
    }

    /// 401: no token, or none of ours.
    pub(super) fn no_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "no-token", "A valid token is needed")
            .detail("expected 'Authorization: Bearer kbx_…' with a token made by 'kolbox token add'")
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"kolbox\""))
    }

    /// 403: the token is for something else.
    pub(super) fn missing_scope(scope: Scope) -> Self {
        let challenge = format!("Bearer realm=\"kolbox\", error=\"insufficient_scope\", scope=\"{scope}\"");
        let problem = Self::new(StatusCode::FORBIDDEN, "missing-scope", "The token lacks a scope")
            .detail(format!("expected a token with the scope {scope}"));
        match HeaderValue::try_from(challenge) {
            Ok(value) => problem.header(header::WWW_AUTHENTICATE, value),
            Err(_) => problem,
        }
    }

    /// 404: there is no such thing; `what` is its kind.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found").detail(format!("there is no such {what}"))
    }

    /// 410: there was such a thing, and it was let go of; `what` is its kind.
    pub fn gone(what: &str) -> Self {
        Self::new(StatusCode::GONE, "gone", "Not there any more")
            .detail(format!("the {what} was let go of to make room, or because it was old"))
    }

    /// 409: it was changed at the same time.
    pub fn conflict() -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "Changed by another request at the same time").detail("try again")
    }

    /// 422: understood, and cannot be done; `word` names the kind for programs.
    pub fn refused(word: &str, title: &'static str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, word, title)
    }

    /// 429: too often.
    pub fn too_many() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests")
            .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// 503: the store cannot be used now.
    pub fn no_store() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no-store", "The store cannot be used")
            .detail("see the part 'store' of /readyz")
            .header(header::RETRY_AFTER, HeaderValue::from_static("5"))
    }

    /// 500: a bug of ours.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something of the box failed")
            .detail("see the box's log")
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let headers = std::mem::take(&mut self.headers);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status(), [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "the API cannot read the store");
        match error {
            ReadError::Database { .. } | ReadError::Closed => Self::no_store(),
            ReadError::Damaged { .. } | ReadError::Newer { .. } => Self::internal(),
        }
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        if matches!(error, CommitError::Conflict) {
            return Self::conflict();
        }
        tracing::warn!(error = &error as &dyn std::error::Error, "the API cannot write to the store");
        if matches!(error, CommitError::Encode(_)) { Self::internal() } else { Self::no_store() }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Read(error) => error.into(),
            StoreError::Commit(error) => error.into(),
        }
    }
}

impl From<store::EncodeError> for Problem {
    fn from(error: store::EncodeError) -> Self {
        CommitError::from(error).into()
    }
}

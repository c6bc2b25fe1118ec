//! Refusals, as [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) describes them.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::db::DbError;
use crate::ingest::wire::chain;

/// Why a request was not done.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: String,
    more: Map<String, Value>,
}

impl Problem {
    /// Makes a problem. `title` names the kind, `detail` this case, without secrets.
    pub fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, title, detail: detail.into(), more: Map::new() }
    }

    /// The request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "the request cannot be used", detail)
    }

    /// What is asked for is not there.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not found", format!("there is no such {what}"))
    }

    /// Adds a member for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        tracing::warn!(error = chain(&error), "a request failed in the database");
        if error.is_transient() {
            let detail = "the database does not answer; try again";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "not available now", detail);
        }
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "the database refused this; see the log")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, title, detail, more } = self;
        let mut body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
        if let Some(body) = body.as_object_mut() {
            body.extend(more);
        }
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Answers where there is no route.
pub(super) async fn not_found() -> Problem {
    Problem::not_found("route; see /api/openapi.json")
}

/// Answers where a route has no such method.
pub(super) async fn method_not_allowed() -> Problem {
    let detail = "the route has no such method; see /api/openapi.json";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed", detail)
}

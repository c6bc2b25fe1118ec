//! What is taken out of requests. Whatever is wrong becomes a [`Problem`] that names the field.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts as Head;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::LengthLimitError;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::problem::Problem;
use super::reply::ETag;
use super::token::hex;
use crate::app::Parts;

/// Longest wait for a request's body.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
/// Items of a page when nothing is said.
const DEFAULT_LIMIT: usize = 50;
/// Items of a page at most.
pub(super) const MAX_LIMIT: usize = 200;

/// A JSON body.
#[derive(Debug)]
pub struct Json<T> {
    /// What it says.
    pub value: T,
    /// SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
}

impl<T: DeserializeOwned> FromRequest<Arc<Parts>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, parts: &Arc<Parts>) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "The body is not JSON")
                .field("Content-Type")
                .detail("expected 'Content-Type: application/json'"));
        }
        let bytes = body(request, parts.config.limits.body_bytes).await?;
        let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            let problem = Problem::new(StatusCode::BAD_REQUEST, "bad-json", "The body cannot be understood")
                .detail(said(error.inner()));
            if path == "." { problem } else { problem.field(path) }
        })?;
        deserializer.end().map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "bad-json", "The body cannot be understood").detail(said(&error))
        })?;
        Ok(Self { value, digest: hex(&Sha256::digest(&bytes)) })
    }
}

/// Returns what a parser complains of without quoting what it found, which may be a name or a number.
fn said(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => {
            let text = error.to_string();
            let expected = text.split("expected ").nth(1).map(|rest| rest.split(" at line").next().unwrap_or(rest));
            match (expected, text.split(" at line").next()) {
                (Some(expected), _) => format!("{place}: expected {expected}"),
                (None, Some(text)) if text.starts_with("missing field") => format!("{place}: {text}"),
                (None, _) => format!("{place}: not what was expected there"),
            }
        }
        serde_json::error::Category::Eof => format!("{place}: the body ends too early"),
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => format!("{place}: not JSON"),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

async fn body(request: Request, limit: usize) -> Result<axum::body::Bytes, Problem> {
    let read = timeout(BODY_PATIENCE, to_bytes(request.into_body(), limit))
        .await
        .map_err(|_elapsed| Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-body", "The body did not come in time"))?;
    read.map_err(|error| {
        let too_long = std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<LengthLimitError>);
        if too_long {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large")
                .detail(format!("expected at most {limit} bytes"))
        } else {
            Problem::new(StatusCode::BAD_REQUEST, "broken-body", "The body did not come whole")
        }
    })
}

/// The parameters of the query. Unknown ones are refused where `T` refuses them.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, _state: &S) -> Result<Self, Problem> {
        let text = head.uri.query().unwrap_or_default();
        let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
        let value = serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let path = error.path().to_string();
            let problem = Problem::bad_field(path.clone(), error.inner().to_string());
            if path == "." { problem.field("query") } else { problem }
        })?;
        Ok(Self(value))
    }
}

/// A part of the path, such as an id. What cannot be one leads nowhere: 404.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, state: &S) -> Result<Self, Problem> {
        let found = axum::extract::Path::<T>::from_request_parts(head, state).await;
        found.map(|path| Self(path.0)).map_err(|_rejection| Problem::not_found("resource"))
    }
}

/// Which part of a list is asked for, as two parameters of the query.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Paging {
    /// How many items at most.
    #[schemars(range(min = 1, max = 200), extend("default" = 50))]
    pub limit: Option<u32>,
    /// Where to go on: what `next` of the page before said.
    pub after: Option<String>,
}

impl Paging {
    /// Returns how many items to return.
    ///
    /// # Errors
    ///
    /// When it is not from 1 to 200.
    pub fn count(&self) -> Result<usize, Problem> {
        count(self.limit)
    }

    /// Returns where to go on.
    ///
    /// # Errors
    ///
    /// When it is nothing that a page said.
    pub fn cursor<T: std::str::FromStr>(&self) -> Result<Option<T>, Problem> {
        cursor(self.after.as_deref())
    }
}

/// Returns how many items a page has; for lists with parameters of their own.
///
/// # Errors
///
/// When it is not from 1 to 200.
pub fn count(limit: Option<u32>) -> Result<usize, Problem> {
    match limit.map_or(Ok(DEFAULT_LIMIT), usize::try_from) {
        Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Ok(_) | Err(_) => Err(Problem::bad_field("limit", format!("expected 1 to {MAX_LIMIT}"))),
    }
}

/// Returns where a list goes on; for lists with parameters of their own.
///
/// # Errors
///
/// When it is nothing that a page said.
pub fn cursor<T: std::str::FromStr>(after: Option<&str>) -> Result<Option<T>, Problem> {
    let Some(after) = after else { return Ok(None) };
    let wrong = || Problem::bad_field("after", "expected what 'next' of the page before said");
    super::reply::read_cursor(after).and_then(|text| text.parse().ok()).map(Some).ok_or_else(wrong)
}

/// The conditions of a request: `If-Match` and `If-None-Match` (RFC 9110 section 13.1).
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Conditions {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, _state: &S) -> Result<Self, Problem> {
        let list = |name: header::HeaderName| {
            let values: Vec<&str> =
                head.headers.get_all(&name).iter().filter_map(|value| value.to_str().ok()).collect();
            (!values.is_empty()).then(|| values.join(","))
        };
        Ok(Self { if_match: list(header::IF_MATCH), if_none_match: list(header::IF_NONE_MATCH) })
    }
}

impl Conditions {
    /// Tells whether whoever asks has this version already.
    pub fn has(&self, etag: &ETag) -> bool {
        self.if_none_match.as_deref().is_some_and(|list| names(list, etag, Strength::Weak))
    }

    /// Checks that whoever changes something has seen how it is now.
    ///
    /// # Errors
    ///
    /// 428 without `If-Match`, 412 when it names another version.
    pub fn check(&self, etag: &ETag) -> Result<(), Problem> {
        let Some(list) = &self.if_match else {
            return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "if-match-needed", "If-Match is needed")
                .field("If-Match")
                .detail("expected the ETag of the version you have seen, so that no change of others is undone"));
        };
        if names(list, etag, Strength::Strong) {
            return Ok(());
        }
        Err(Problem::new(StatusCode::PRECONDITION_FAILED, "stale", "It has changed since you read it")
            .field("If-Match")
            .detail("read it again"))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Strength {
    Strong,
    Weak,
}

/// Tells whether a list of entity tags, or `*`, names this one. A weak tag is never strongly equal.
fn names(list: &str, etag: &ETag, strength: Strength) -> bool {
    list.split(',').map(str::trim).any(|one| {
        let one = if strength == Strength::Weak { one.strip_prefix("W/").unwrap_or(one) } else { one };
        one == "*" || one == etag.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::{Conditions, ETag, count, cursor, said};
    use crate::api::reply::write_cursor;

    #[test]
    fn conditions_are_those_of_http() {
        let etag = ETag::new("v7");
        let none = Conditions::default();
        assert!(!none.has(&etag));
        assert_eq!(none.check(&etag).unwrap_err().status(), 428);
        for (list, matches) in
            [("\"v7\"", true), ("\"v6\", \"v7\"", true), ("*", true), ("\"v6\"", false), ("v7", false)]
        {
            let conditions = Conditions { if_match: Some(list.to_owned()), if_none_match: Some(list.to_owned()) };
            assert_eq!(conditions.check(&etag).is_ok(), matches, "{list}");
            assert_eq!(conditions.has(&etag), matches, "{list}");
        }
        let weak = Conditions { if_match: Some("W/\"v7\"".to_owned()), if_none_match: Some("W/\"v7\"".to_owned()) };
        assert_eq!(weak.check(&etag).unwrap_err().status(), 412);
        assert!(weak.has(&etag));
    }

    #[test]
    fn a_page_has_a_size_and_a_place() {
        assert_eq!(count(None).unwrap(), 50);
        assert_eq!(count(Some(200)).unwrap(), 200);
        assert!(count(Some(0)).is_err() && count(Some(201)).is_err());
        assert_eq!(cursor::<u32>(Some(&write_cursor(&17))).unwrap(), Some(17));
        assert!(cursor::<u32>(Some("17")).is_err() && cursor::<u32>(Some("%")).is_err());
        assert_eq!(cursor::<u32>(None).unwrap(), None);
    }

    #[test]
    fn a_complaint_about_json_does_not_quote_it() {
        for text in ["\"054-1234567\"", "{\"a\": 0541234567}", "[", "{\"0541234567\": 1}"] {
            let error = serde_json::from_str::<std::collections::BTreeMap<char, u8>>(text).unwrap_err();
            assert!(!said(&error).contains("4567"), "{}", said(&error));
        }
        let error = serde_json::from_str::<u8>("\"a\"").unwrap_err();
        assert_eq!(said(&error), "line 1, column 3: expected u8");
    }
}

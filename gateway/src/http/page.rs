//! Lists, a page at a time.

use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Problem;

/// Items of a page unless asked for more.
const DEFAULT_LIMIT: u32 = 50;
/// Items of a page at most.
pub(super) const MAX_LIMIT: u32 = 500;

/// A page of a list.
#[derive(Debug, Serialize)]
pub(super) struct Page<T> {
    /// The items.
    items: Vec<T>,
    /// What to send as `after` for the next page; nothing at the end.
    next: Option<String>,
}

/// How much of a list, and from where on.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Paging {
    /// Items wanted, 1 to 500; default 50.
    #[serde(default = "default_limit")]
    limit: u32,
    /// The `next` of the page before.
    pub(super) after: Option<String>,
}

const fn default_limit() -> u32 {
    DEFAULT_LIMIT
}

impl Paging {
    /// Takes what a query with more fields has of it.
    pub(super) fn new(limit: Option<u32>, after: Option<String>) -> Self {
        Self { limit: limit.unwrap_or(DEFAULT_LIMIT), after }
    }

    /// Returns how many rows to ask for: one more than wanted tells whether there is a next page.
    pub(super) fn rows(&self) -> Result<u64, Problem> {
        if (1..=MAX_LIMIT).contains(&self.limit) {
            Ok(u64::from(self.limit) + 1)
        } else {
            Err(Problem::bad_request(format!("limit: expected 1 to {MAX_LIMIT}")))
        }
    }

    /// Returns the cursor as a number.
    pub(super) fn after_number(&self) -> Result<Option<i64>, Problem> {
        let parse = |after: &String| after.parse().map_err(|_wrong| Problem::bad_request("after: expected a cursor"));
        self.after.as_ref().map(parse).transpose()
    }

    /// Makes the page of what was found, with the cursor of its last item.
    pub(super) fn page<T>(&self, mut items: Vec<T>, cursor: impl Fn(&T) -> String) -> Json<Page<T>> {
        let wanted = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > wanted;
        items.truncate(wanted);
        let next = if more { items.last().map(cursor) } else { None };
        Json(Page { items, next })
    }
}

/// The query of a request; what is wrong with it becomes a problem document.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(asked)| Self(asked)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}

/// A body in JSON; what is wrong with it becomes a problem document.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> axum::extract::FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Problem> {
        let body = Json::<T>::from_request(request, state).await;
        body.map(|Json(body)| Self(body))
            .map_err(|error| Problem::new(error.status(), "the body cannot be used", error.body_text()))
    }
}

/// A name out of the path.
pub(super) fn name<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str, what: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::bad_request(format!("{what}: {error}")))
}

/// Returns JSON text of the database as it is.
pub(super) fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).unwrap_or_else(|_not_json| RawValue::NULL.to_owned())
}

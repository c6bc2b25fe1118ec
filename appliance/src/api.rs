//! The HTTP API below `/api`: what the office's own programs read and change.
//!
//! **To add a resource**, write a module with its handlers and a function `operations() -> Vec<Operation>`, and name that
//! in `operations` here. An [`Operation`] says what there is to know: method, path, scope, what is taken, what is answered.
//! The router, the check of the scope and `/api/openapi.json` are made of it. A handler is an ordinary one of axum with
//! `State<Arc<Parts>>`; it takes [`request::Json`], [`request::Query`], [`request::Path`], [`request::Conditions`]
//! and [`once::Once`], and returns [`reply::Answer`]: a response, or a [`Problem`]. `?` turns errors of the store into problems.
//!
//! ```text
//! pub fn operations() -> Vec<Operation> {
//!     vec![
//!         Operation::get("/things", "list_things", "Lists things, the newest first.", Scope::SettingsRead, list)
//!             .pages::<ThingView>(),
//!         Operation::patch("/things/{id}", "change_thing", "Changes a thing.", Scope::SettingsWrite, change)
//!             .takes::<ThingChange>()
//!             .answers::<ThingView>(200, "As it is now.")
//!             .conditional(),
//!     ]
//! }
//! ```
//!
//! What is answered is a type of its own (`…View`), never a row of the store: rows may change without the API.
//!
//! **Invariant:** a handler of an operation with a scope runs only for a token that has it.
//! **Invariant:** every route is described, and everything described is a route.

mod blocked;
mod call_backs;
mod calls;
mod deliveries;
mod leads;
pub mod once;
mod openapi;
pub mod operation;
pub mod problem;
pub mod reply;
pub mod request;
mod status;
pub mod token;
mod voicemails;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use axum::{Json, Router};
use serde_json::Value;

pub use self::operation::Operation;
pub use self::problem::Problem;
pub use self::token::{Caller, Scope};

use self::token::{Stranger, TokenFile, Tokens};
use crate::app::Parts;
use crate::server::RateLimit;

/// Requests a second that one address may make without a valid token; bursts of twice as many pass.
const FAILURES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// What the API knows. One for the program.
#[derive(Debug)]
pub struct Api {
    tokens: Tokens,
    failures: RateLimit,
    description: Value,
}

impl Api {
    /// Makes it; `folder` is the store's.
    pub fn new(folder: &Path) -> Self {
        Self {
            tokens: Tokens::new(TokenFile::new(folder)),
            failures: RateLimit::new(FAILURES_PER_SECOND),
            description: openapi::describe(&operations()),
        }
    }

    /// Returns the description of the API, as `/api/openapi.json` has it.
    pub fn description(&self) -> &Value {
        &self.description
    }
}

/// Everything the API can do.
fn operations() -> Vec<Operation> {
    let mut all = vec![description_itself()];
    all.extend(blocked::operations());
    all.extend(call_backs::operations());
    all.extend(status::operations());
    all.extend(calls::operations());
    all.extend(voicemails::operations());
    all.extend(leads::operations());
    all.extend(deliveries::operations());
    all.extend(crate::messages::api::operations());
    all
}

fn description_itself() -> Operation {
    let handler = on(MethodFilter::GET, async |State(parts): State<Arc<Parts>>| Json(parts.api.description.clone()));
    let summary = "Describes the API.";
    Operation::new(Method::GET, "/openapi.json", "describe", summary, None, handler).answers_with(
        200,
        "This document.",
        "application/json",
    )
}

/// Builds every route of the API.
pub(crate) fn router(parts: &Arc<Parts>) -> Router<Arc<Parts>> {
    let mut router = Router::new();
    for operation in operations() {
        let handler = match operation.scope {
            Some(scope) => {
                let state = (Arc::clone(parts), scope);
                operation.handler.route_layer(middleware::from_fn_with_state(state, authorize))
            }
            None => operation.handler,
        };
        router = router.route(operation.path, handler);
    }
    let router = router
        .fallback(async || Problem::not_found("resource"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "bad-method", "This cannot be done here")
                .detail("the header Allow says what can")
        })
        .layer(middleware::from_fn(finish));
    Router::new().nest("/api", router)
}

/// Lets a request through whose token has the scope.
async fn authorize(
    State((parts, scope)): State<(Arc<Parts>, Scope)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let token = bearer(&request).map(str::to_owned);
    match token.map_or(Err(Stranger::Unknown), |token| parts.api.tokens.caller(&token)) {
        Ok(caller) if caller.scopes.contains(&scope) => {
            request.extensions_mut().insert(caller);
            Ok(next.run(request).await)
        }
        Ok(_) => Err(Problem::missing_scope(scope)),
        Err(Stranger::Unreadable) => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-tokens", "The file of tokens cannot be read"))
        }
        Err(Stranger::Unknown) => {
            let address = request.extensions().get::<ConnectInfo<std::net::SocketAddr>>().map(|info| info.0.ip());
            let is_over = address.is_some_and(|address| !parts.api.failures.admit(address));
            Err(if is_over { Problem::too_many() } else { Problem::no_token() })
        }
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// Keeps answers out of caches and browsers from guessing what they are.
async fn finish(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await.into_response();
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

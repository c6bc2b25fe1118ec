//! What every request has: an account, somebody who signed in to it, and sometimes a form.

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use telephony::Params;

use super::{Api, problem};
use crate::rest::SignedIn;

/// The account that a request is about, from one who is signed in to it.
pub(super) struct Account(pub(super) String);

impl FromRequestParts<Api> for Account {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Response> {
        if !matches!(api.signed_in(&parts.headers), SignedIn::AuthToken | SignedIn::ApiKey) {
            return Err(problem(StatusCode::UNAUTHORIZED, 20_003, "Authenticate"));
        }
        let path = RawPathParams::from_request_parts(parts, api).await.map_err(IntoResponse::into_response)?;
        let account = path.iter().find(|(name, _)| *name == "account").map(|(_, account)| account.to_owned());
        let ours = account.filter(|account| *account == api.shared.account);
        ours.map(Self).ok_or_else(|| problem(StatusCode::NOT_FOUND, 20_404, "no such account"))
    }
}

/// The form of a request.
pub(super) struct Form(pub(super) Params);

impl FromRequest<Api> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Response> {
        let body = axum::body::Bytes::from_request(request, api).await.map_err(IntoResponse::into_response)?;
        let form = Params::parse(&body);
        form.map(Self).map_err(|_error| problem(StatusCode::BAD_REQUEST, 20_001, "the body is not a form"))
    }
}

//! Who may come in: signed tokens, checked against the providers' clock.
//!
//! <https://developers.google.com/identity/protocols/oauth2/service-account>

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde_json::{Value, json};

use super::text;
use crate::answer::Answer;
use crate::behaviour::Service;
use crate::cloud::Shared;
use crate::credentials::CLIENT_EMAIL;

/// Longest life of a token.
const MAX_LIFE: Duration = Duration::from_hours(1);
/// How far ahead of the provider's clock a token may have been made.
const TOLERANCE: Duration = Duration::from_mins(5);
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Checks the bearer of a request to the service at `base`.
pub(super) fn authorize(shared: &Shared, parts: &Parts, service: Service, base: &str) -> Result<(), Answer> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
    if token == shared.keys.access_token() || is_valid(shared, token, &format!("{base}/")) {
        Ok(())
    } else {
        Err(Answer::unauthorized(service))
    }
}

/// Exchanges an assertion for an access token.
pub(crate) fn token(shared: &Shared, body: &Bytes) -> Result<Answer, Answer> {
    let service = Service::GoogleToken;
    let form = String::from_utf8_lossy(body);
    let field = |name: &str| form.split('&').filter_map(|pair| pair.split_once('=')).find(|(found, _)| *found == name);
    let grant = field("grant_type").map(|(_, value)| value.replace("%3A", ":").replace("%3a", ":"));
    if grant.as_deref() != Some(GRANT) {
        return Err(Answer::error(service, StatusCode::BAD_REQUEST, "unsupported_grant_type", "Invalid grant_type"));
    }
    // The letters of a token need no escape in a form.
    let assertion = field("assertion").map(|(_, value)| value).unwrap_or_default();
    if !is_valid(shared, assertion, &shared.google_token_url()) {
        let message = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.";
        return Err(Answer::error(service, StatusCode::BAD_REQUEST, "invalid_grant", message));
    }
    let token = json!({"access_token": shared.keys.access_token(), "expires_in": 3_599, "token_type": "Bearer"});
    Ok(Answer::json(&token))
}

/// Returns whether a token was signed by the service account, for this audience, and is good now.
fn is_valid(shared: &Shared, token: &str, audience: &str) -> bool {
    let Some((signed, signature)) = token.rsplit_once('.') else { return false };
    let Some((header, claims)) = signed.split_once('.') else { return false };
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let json = |text: &str| part(text).and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let (Some(header), Some(claims), Some(signature)) = (json(header), json(claims), part(signature)) else {
        return false;
    };
    let seconds = |name: &str| claims.get(name).and_then(Value::as_u64).map(Duration::from_secs);
    let (Some(issued), Some(expires)) = (seconds("iat"), seconds("exp")) else { return false };
    let now = shared.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    text(&header, "/alg") == Some("RS256")
        && text(&claims, "/iss") == Some(CLIENT_EMAIL)
        && text(&claims, "/aud") == Some(audience)
        && expires.saturating_sub(issued) <= MAX_LIFE
        && issued <= now.saturating_add(TOLERANCE)
        && now < expires
        && shared.keys.is_signed(signed.as_bytes(), &signature)
}

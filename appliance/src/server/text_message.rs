//! Webhooks about text messages: checked, read, committed, answered. The work comes after the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use messaging::meta::{self, MAX_PAYLOAD_BYTES, SIGNATURE_HEADER};
use messaging::{UnixTime, twilio};
use telephony::{FieldError, Params, VerifiedWebhook};
use tokio::time::timeout;

use super::webhook::{Verified, announced_length, to_the_end};
use crate::app::Parts;
use crate::messages::{MessagesError, receive};
use crate::metrics::ReasonLabel;

/// The answer to Twilio: nothing is said here, because the work comes later.
const NOTHING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";
/// Longest wait for a request's body.
const BODY_PATIENCE: Duration = Duration::from_secs(5);
/// Bodies up to this size, in bytes, are taken without asking for room: more than nearly every one of Meta's has.
const SMALL_BODY: usize = 64 * 1_024;

/// Whether a route brings messages or what became of ours; Meta brings both to either.
#[derive(Clone, Copy)]
enum Brings {
    Messages,
    Statuses,
}

impl Brings {
    const fn route(self) -> &'static str {
        match self {
            Self::Messages => "whatsapp_incoming",
            Self::Statuses => "whatsapp_status",
        }
    }
}

pub(super) async fn incoming(State(parts): State<Arc<Parts>>, request: Request) -> Response {
    take(parts, request, Brings::Messages).await
}

pub(super) async fn status(State(parts): State<Arc<Parts>>, request: Request) -> Response {
    take(parts, request, Brings::Statuses).await
}

async fn take(parts: Arc<Parts>, request: Request, brings: Brings) -> Response {
    if is_of_meta(request.headers(), request.method(), request.uri().query()) {
        return from_meta(parts, request, brings).await;
    }
    match Verified::from_request(request, &parts).await {
        Ok(Verified(webhook)) => {
            let taking = Arc::clone(&parts);
            to_the_end(Arc::clone(&parts), async move { from_twilio(&taking, &webhook, brings).await }).await
        }
        Err(refused) => refused.into_response(),
    }
}

/// Tells Meta's requests from Twilio's, which are forms with a signature of their own.
fn is_of_meta(headers: &HeaderMap, method: &Method, query: Option<&str>) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    headers.contains_key(SIGNATURE_HEADER)
        || content_type.starts_with("application/json")
        || (method == Method::GET && query.is_some_and(|query| query.contains("hub.")))
}

async fn from_twilio(parts: &Arc<Parts>, webhook: &VerifiedWebhook, brings: Brings) -> Response {
    let at = UnixTime::from_millis(parts.clock.wall_ms());
    let account = webhook.params().first("AccountSid");
    let configured = parts.config.carrier.account_sid.as_deref();
    if configured.is_some_and(|configured| account != Some(configured)) {
        parts.metrics.webhook(brings.route(), "bad_account");
        return refuse(StatusCode::FORBIDDEN, "the webhook is for another account than carrier.account_sid");
    }
    let read: Result<_, FieldError> = match brings {
        Brings::Messages => twilio::read_inbound(webhook, at).map(|message| (vec![message], Vec::new())),
        Brings::Statuses => twilio::read_status(webhook, at).map(|update| (Vec::new(), update.into_iter().collect())),
    };
    let (inbound, statuses) = match read {
        Ok(read) => read,
        Err(error) => {
            parts.metrics.webhook(brings.route(), "bad_form");
            return refuse(StatusCode::BAD_REQUEST, &error.to_string());
        }
    };
    match receive(parts, inbound, statuses).await {
        Ok(()) => {
            parts.metrics.webhook(brings.route(), "ok");
            (StatusCode::OK, [(header::CONTENT_TYPE, "text/xml; charset=utf-8")], NOTHING).into_response()
        }
        Err(error) => not_kept(parts, brings, &error),
    }
}

async fn from_meta(parts: Arc<Parts>, request: Request, brings: Brings) -> Response {
    let Some(known) = parts.messages.meta() else {
        parts.metrics.webhook(brings.route(), "unsigned");
        return refuse(StatusCode::FORBIDDEN, "messages.provider is not 'meta', or its app secret is missing");
    };
    match *request.method() {
        Method::GET => {
            let query = Params::parse(request.uri().query().unwrap_or_default().as_bytes());
            let (Ok(query), Some(token)) = (query, &known.verify_token) else {
                return refuse(StatusCode::FORBIDDEN, "expected a challenge and a configured verify token");
            };
            match meta::challenge(&query, token) {
                Ok(challenge) => challenge.into_response(),
                Err(error) => {
                    parts.metrics.webhook(brings.route(), "bad_signature");
                    let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::FORBIDDEN);
                    refuse(status, &error.to_string())
                }
            }
        }
        Method::POST => {
            let signature = request.headers().get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
            let signature = signature.map(str::to_owned);
            let body = match body(&parts, request).await {
                Ok(body) => body,
                Err(refusal) => return refusal,
            };
            let verified = match known.verifier.verify(body, signature.as_deref()) {
                Ok(verified) => verified,
                Err(error) => {
                    let outcome = if signature.is_none() { "unsigned" } else { "bad_signature" };
                    parts.metrics.webhook(brings.route(), outcome);
                    tracing::warn!(outcome, "webhook of messages refused");
                    return refuse(StatusCode::FORBIDDEN, &error.to_string());
                }
            };
            let taking = Arc::clone(&parts);
            to_the_end(parts, async move { take_batch(&taking, &verified, brings).await }).await
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, POST")]).into_response(),
    }
}

/// Takes what Meta signed. Whatever is wrong with it is counted and answered 200: it would be sent again as it is, and
/// in the end no more at all.
async fn take_batch(parts: &Arc<Parts>, body: &meta::VerifiedBody, brings: Brings) -> Response {
    let batch = match meta::read(body, parts.config.messages.meta.phone_number_id.as_deref()) {
        Ok(batch) => batch,
        Err(error) => {
            parts.metrics.webhook(brings.route(), "bad_form");
            tracing::warn!(error = &error as &dyn std::error::Error, "webhook of messages not understood");
            return StatusCode::OK.into_response();
        }
    };
    for broken in &batch.broken {
        parts.metrics.webhook(brings.route(), "bad_form");
        tracing::warn!(error = broken as &dyn std::error::Error, "message or status not understood");
    }
    if batch.of_others > 0 {
        let count = u64::try_from(batch.of_others).unwrap_or(u64::MAX);
        parts.metrics.text_messages.get_or_create(&ReasonLabel { reason: "other_number" }).inc_by(count);
        tracing::info!(count, "messages and statuses of another number than messages.meta.phone_number_id ignored");
    }
    match receive(parts, batch.inbound, batch.statuses).await {
        Ok(()) => {
            parts.metrics.webhook(brings.route(), "ok");
            StatusCode::OK.into_response()
        }
        Err(error) => not_kept(parts, brings, &error),
    }
}

/// Reads a body before anybody knows who sent it: a large one only while few others are being read.
async fn body(parts: &Parts, request: Request) -> Result<Vec<u8>, Response> {
    let length = announced_length(request.headers());
    if length.is_some_and(|length| length > MAX_PAYLOAD_BYTES) {
        return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "expected a body of at most 3145728 bytes"));
    }
    let is_small = length.is_some_and(|length| length <= SMALL_BODY);
    let _room = if is_small {
        None
    } else {
        let overload = || (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "2")]).into_response();
        Some(parts.messages.large_bodies.try_acquire().map_err(|_full| overload())?)
    };
    let limit = if is_small { SMALL_BODY } else { MAX_PAYLOAD_BYTES };
    let reading = timeout(BODY_PATIENCE, to_bytes(Body::new(request.into_body()), limit)).await;
    let bytes =
        reading.map_err(|_elapsed| refuse(StatusCode::REQUEST_TIMEOUT, "expected the whole body within 5 s"))?;
    let bytes = bytes.map_err(|_error| refuse(StatusCode::PAYLOAD_TOO_LARGE, "expected a smaller body"))?;
    Ok(bytes.to_vec())
}

fn not_kept(parts: &Parts, brings: Brings, error: &MessagesError) -> Response {
    parts.metrics.webhook(brings.route(), "failed");
    tracing::warn!(error = error as &dyn std::error::Error, "message not kept");
    let again = [(header::RETRY_AFTER, "2")];
    (StatusCode::SERVICE_UNAVAILABLE, again, "the message could not be kept\n").into_response()
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}

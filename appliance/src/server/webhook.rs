//! The carrier's webhooks: parse, verify, hand over, answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use telephony::dedup::{DedupKey, Seen};
use telephony::markup;
use telephony::signature::SIGNATURE_HEADER;
use telephony::webhook::{IDEMPOTENCY_HEADER, WebhookRequest};
use telephony::{SignatureError, VerifiedWebhook, WebhookError};
use tokio::time::timeout;
use units::CallId;

use crate::app::Parts;
use crate::reception::{self, ReceptionError};
use crate::switchboard::Answer;
use crate::voicemail;

/// What keeps every cache from keeping an answer.
const NO_STORE: &str = "no-store, no-cache, must-revalidate, max-age=0";

/// The methods that the carrier uses.
const METHODS: &str = "GET, POST";

/// Longest wait for a request's body; the carrier itself gives up after 15 s.
const BODY_PATIENCE: Duration = Duration::from_secs(5);

/// A request that the carrier signed. There is no other way to get at its parameters.
pub(super) struct Verified(pub(super) VerifiedWebhook);

/// Why a request is not the carrier's; answered, counted, and shown to no handler.
pub(super) struct Refused {
    status: StatusCode,
    outcome: &'static str,
    message: String,
}

impl FromRequest<Arc<Parts>> for Verified {
    type Rejection = Refused;

    async fn from_request(request: Request, parts: &Arc<Parts>) -> Result<Self, Refused> {
        let route = route_name(request.uri().path());
        let result = verify(request, parts).await;
        if let Err(refused) = &result {
            parts.metrics.webhook(route, refused.outcome);
            tracing::warn!(route, outcome = refused.outcome, reason = refused.message, "webhook refused");
        }
        result.map(Self)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.message)).into_response();
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(METHODS));
        }
        response
    }
}

pub(super) async fn incoming_call(State(parts): State<Arc<Parts>>, webhook: Verified) -> Response {
    to_the_end(Arc::clone(&parts), async move {
        answer_once(&parts, &webhook.0, async |webhook| reception::incoming_call(&parts, webhook).await).await
    })
    .await
}

pub(super) async fn handle_recording(State(parts): State<Arc<Parts>>, webhook: Verified) -> Response {
    to_the_end(Arc::clone(&parts), async move {
        answer_once(&parts, &webhook.0, async |webhook| voicemail::handle_recording(&parts, webhook).await).await
    })
    .await
}

pub(super) async fn recording_status(State(parts): State<Arc<Parts>>, webhook: Verified) -> Response {
    to_the_end(Arc::clone(&parts), async move {
        answer_once(&parts, &webhook.0, async |webhook| {
            voicemail::recording_status(&parts, webhook).await.map(|()| markup::Response::new())
        })
        .await
    })
    .await
}

pub(super) async fn stream_ended(State(parts): State<Arc<Parts>>, webhook: Verified) -> Response {
    answer_once(&parts, &webhook.0, async |webhook| reception::stream_ended(&parts, webhook)).await
}

pub(super) async fn transfer_ended(State(parts): State<Arc<Parts>>, webhook: Verified) -> Response {
    to_the_end(Arc::clone(&parts), async move {
        answer_once(&parts, &webhook.0, async |webhook| reception::transfer_ended(&parts, webhook).await).await
    })
    .await
}

pub(super) async fn consent(State(parts): State<Arc<Parts>>, webhook: Verified) -> Response {
    answer_once(&parts, &webhook.0, async |webhook| reception::consent(&parts, webhook)).await
}

/// A call of ours was picked up.
pub(super) async fn call_back(State(parts): State<Arc<Parts>>, Path(id): Path<String>, webhook: Verified) -> Response {
    to_the_end(Arc::clone(&parts), async move {
        answer_once(&parts, &webhook.0, async |webhook| reception::call_back(&parts, &id, webhook).await).await
    })
    .await
}

/// A call of ours is over.
pub(super) async fn call_back_status(
    State(parts): State<Arc<Parts>>,
    Path(id): Path<String>,
    webhook: Verified,
) -> Response {
    to_the_end(Arc::clone(&parts), async move {
        answer_once(&parts, &webhook.0, async |webhook| {
            reception::call_back_status(&parts, &id, webhook).await.map(|()| markup::Response::new())
        })
        .await
    })
    .await
}

/// Asked about the person's leg; the path names the caller's call.
pub(super) async fn person(State(parts): State<Arc<Parts>>, Path(call): Path<CallId>, webhook: Verified) -> Response {
    answer_once(&parts, &webhook.0, async |_webhook| reception::person(&parts, &call).await).await
}

pub(super) async fn person_key(
    State(parts): State<Arc<Parts>>,
    Path(call): Path<CallId>,
    webhook: Verified,
) -> Response {
    answer_once(&parts, &webhook.0, async |webhook| reception::person_key(&parts, &call, webhook)).await
}

/// What a person hears; who knows the name was told it.
pub(super) async fn announcement(State(parts): State<Arc<Parts>>, Path(name): Path<String>) -> Response {
    match parts.announcements.get(&name) {
        Some(wav) => {
            let head = [(header::CONTENT_TYPE, "audio/wav"), (header::CACHE_CONTROL, NO_STORE)];
            (head, Body::from(wav.as_ref().clone())).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(super) async fn call_status(State(parts): State<Arc<Parts>>, webhook: Verified) -> Response {
    to_the_end(Arc::clone(&parts), async move {
        answer_once(&parts, &webhook.0, async |webhook| {
            reception::call_status(&parts, webhook).await.map(|()| markup::Response::new())
        })
        .await
    })
    .await
}

/// Always 204: the carrier logs an error for anything else, and has nothing to do with the answer. A request that
/// is not the carrier's gets its 204 too and changes nothing.
pub(super) async fn stream_status(
    State(parts): State<Arc<Parts>>,
    webhook: Result<Verified, Refused>,
) -> impl IntoResponse {
    if let Ok(Verified(webhook)) = webhook {
        let response = answer_once(&parts, &webhook, async |webhook| {
            reception::stream_status(&parts, webhook).map(|()| markup::Response::new())
        });
        drop(response.await);
    }
    (StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, NO_STORE), (header::PRAGMA, "no-cache")])
}

/// Does `work` to its end, also when the carrier has hung up on the request: half of it would leave a message that is
/// kept but not fetched, and a repetition that waits for an answer nobody gives.
pub(super) async fn to_the_end(parts: Arc<Parts>, work: impl Future<Output = Response> + Send + 'static) -> Response {
    parts.tasks.spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "a webhook ended in a bug");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

/// Answers a webhook with what `work` says; a repetition is answered the same without work.
async fn answer_once(
    parts: &Parts,
    webhook: &VerifiedWebhook,
    work: impl AsyncFnOnce(&VerifiedWebhook) -> Result<markup::Response, ReceptionError>,
) -> Response {
    let route = route_name(webhook.path());
    let key = webhook.dedup_key();
    if let Some(key) = &key {
        match parts.switchboard.begin_webhook(parts.clock.now(), key.clone()) {
            Seen::New => {}
            Seen::Answered(answer) => {
                parts.metrics.webhook(route, "duplicate");
                return document(answer);
            }
            // The first is about to be answered, but the carrier waits for this one. It asks again after a 5xx.
            Seen::Running => {
                parts.metrics.webhook(route, "duplicate");
                let again = [(header::RETRY_AFTER, "1")];
                return (StatusCode::SERVICE_UNAVAILABLE, again, "this request is being answered\n").into_response();
            }
        }
    }
    let (outcome, answer) = decide(work(webhook).await);
    parts.metrics.webhook(route, outcome);
    remember(parts, key.as_ref(), &answer);
    document(answer)
}

/// Turns what the work came to into an answer, and the word to count it under.
fn decide(result: Result<markup::Response, ReceptionError>) -> (&'static str, Answer) {
    let error = match result {
        Ok(response) => match response.write() {
            Ok(xml) => return ("ok", (200, xml)),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the answer could not be written");
                return ("failed", (500, "the answer could not be written\n".to_owned()));
            }
        },
        Err(error) => error,
    };
    let (status, outcome) = match &error {
        ReceptionError::Field(_) => (400, "bad_form"),
        ReceptionError::OtherAccount => (403, "bad_account"),
        ReceptionError::NotKept(_) => (503, "failed"),
    };
    tracing::warn!(outcome, error = &error as &dyn std::error::Error, "webhook not acted on");
    (outcome, (status, format!("{error}\n")))
}

fn remember(parts: &Parts, key: Option<&DedupKey>, answer: &Answer) {
    match key {
        Some(key) if answer.0 == 200 => parts.switchboard.finish_webhook(key, answer.clone()),
        Some(key) => parts.switchboard.abandon_webhook(key),
        None => {}
    }
}

fn document((status, body): Answer) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = if status == StatusCode::OK { "text/xml; charset=utf-8" } else { "text/plain; charset=utf-8" };
    (status, [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-store")], Body::from(body))
        .into_response()
}

/// Returns how long a body is said to be, in bytes.
pub(super) fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn verify(request: Request, parts: &Parts) -> Result<VerifiedWebhook, Refused> {
    let (head, body) = request.into_parts();
    let method = match head.method {
        Method::GET => telephony::Method::Get,
        Method::POST => telephony::Method::Post,
        // HEAD among them: who only asks what would be answered must not have a call answered.
        _ => {
            return Err(Refused {
                status: StatusCode::METHOD_NOT_ALLOWED,
                outcome: "bad_method",
                message: format!("expected one of {METHODS}"),
            });
        }
    };
    let body = whole_body(body, parts.config.limits.body_bytes).await?;
    let request = WebhookRequest {
        method,
        path_and_query: head.uri.path_and_query().map_or("/", |path| path.as_str()),
        content_type: text_header(&head.headers, header::CONTENT_TYPE.as_str()),
        signature: text_header(&head.headers, SIGNATURE_HEADER),
        idempotency_token: text_header(&head.headers, IDEMPOTENCY_HEADER),
        body: &body,
    };
    parts.verifier.verify_webhook(&parts.config.http.public_url, &request).map_err(|error| Refused::from(&error))
}

/// Reads a body of at most `limit` bytes.
async fn whole_body(body: Body, limit: usize) -> Result<Bytes, Refused> {
    let body = timeout(BODY_PATIENCE, to_bytes(body, limit)).await.map_err(|_elapsed| Refused {
        status: StatusCode::REQUEST_TIMEOUT,
        outcome: "bad_form",
        message: format!("expected the whole body within {} s", BODY_PATIENCE.as_secs()),
    })?;
    body.map_err(|_error| Refused {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        outcome: "bad_form",
        message: format!("expected a body of at most {limit} bytes"),
    })
}

impl From<&WebhookError> for Refused {
    fn from(error: &WebhookError) -> Self {
        let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
        let outcome = match error {
            WebhookError::Signature(SignatureError::Missing) => "unsigned",
            WebhookError::Signature(_) => "bad_signature",
            WebhookError::Form(_) | WebhookError::ContentType => "bad_form",
        };
        let mut message = error.to_string();
        if let WebhookError::Form(cause) = error {
            message = format!("{message}: {cause}");
        }
        Self { status, outcome, message }
    }
}

fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Returns the route's name for counting, out of a closed list: paths come from outside.
fn route_name(path: &str) -> &'static str {
    const ROUTES: [&str; 12] = [
        "incoming_call",
        "handle_recording",
        "recording_status",
        "call_status",
        "stream_ended",
        "transfer_ended",
        "stream_status",
        "person",
        "person_key",
        "consent",
        "call_back",
        "call_back_status",
    ];
    match path {
        "/webhook/whatsapp/incoming" => return "whatsapp_incoming",
        "/webhook/whatsapp/status" => return "whatsapp_status",
        _ => {}
    }
    let mut words = path.split('/').skip_while(|word| *word != "webhook").skip(1);
    let named = words.next().unwrap_or_default();
    ROUTES.iter().find(|route| **route == named).copied().unwrap_or("other")
}

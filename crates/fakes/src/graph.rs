//! Meta's Cloud API, as far as a box sends and fetches with it, and the maker of its webhooks.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use messaging::meta::{Secret, Signer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What goes wrong with one request to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphFault {
    /// 429 with code 130429; nothing is sent.
    TooFast,
    /// 400 with this code; nothing is sent.
    Refuses(u32),
    /// 500; the message is sent all the same.
    FailsAfter,
    /// The message is sent, and the connection breaks in the answer.
    CutAfter,
    /// No answer ever comes.
    Silent,
}

#[derive(Debug, Default)]
struct Told {
    sent: Vec<(String, Value)>,
    faults: VecDeque<GraphFault>,
    media: BTreeMap<String, (String, Vec<u8>)>,
    strangers: u64,
}

#[derive(Clone, Debug)]
struct Shared {
    base_url: String,
    told: Arc<Mutex<Told>>,
}

/// The Cloud API on a port of this machine. Dropping it closes the port.
#[derive(Debug)]
pub struct Graph {
    shared: Shared,
    _close_on_drop: DropGuard,
}

impl Graph {
    /// The number's name at Meta.
    pub const PHONE_NUMBER_ID: &str = "106540352242922";
    /// The number, as webhooks show it.
    pub const DISPLAY_NUMBER: &str = "972 70-000-0000";
    /// The access token.
    pub const ACCESS_TOKEN: &str = "EAAtestonly";
    /// What signs webhooks.
    pub const APP_SECRET: &str = "an app secret that only tests know";
    /// What Meta shows when it asks whether a webhook is the office's.
    pub const VERIFY_TOKEN: &str = "a verify token that only tests know";

    /// Begins to serve on a free port of 127.0.0.1.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let shared = Shared { base_url, told: Arc::default() };
        let router = Router::new()
            .route("/{version}/{number}/messages", post(send))
            .route("/{version}/{media}", get(describe))
            .route("/{version}/files/{media}", get(fetch))
            .with_state(shared.clone());
        let closing = CancellationToken::new();
        let closed = closing.clone().cancelled_owned();
        tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(closed);
            if let Err(error) = served.await {
                tracing::warn!(%error, "the Cloud API of the tests ended");
            }
        });
        Ok(Self { shared, _close_on_drop: closing.drop_guard() })
    }

    /// Returns where it is, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.shared.base_url
    }

    /// The next request to send goes wrong like this; several are used up in order.
    pub fn fail_next(&self, fault: GraphFault) {
        self.told().faults.push_back(fault);
    }

    /// Keeps a file of somebody's message and returns its name.
    pub fn add_media(&self, content_type: &str, bytes: Vec<u8>) -> String {
        let mut told = self.told();
        let name = format!("{}", 1_000_000 + told.media.len());
        told.media.insert(name.clone(), (content_type.to_owned(), bytes));
        name
    }

    /// Returns what was sent so far: the name it was given, and the request.
    pub fn sent(&self) -> Vec<(String, Value)> {
        self.told().sent.clone()
    }

    /// Returns how many requests came without the right token.
    pub fn strangers(&self) -> u64 {
        self.told().strangers
    }

    /// Returns a webhook with this `value` of its only change: the body, and the header that signs it. It is of the office's
    /// number, unless its `metadata` says otherwise.
    pub fn webhook(value: &Value) -> (Vec<u8>, String) {
        let mut value = value.clone();
        if let Some(value) = value.as_object_mut() {
            value.insert("messaging_product".to_owned(), "whatsapp".into());
            let metadata =
                json!({ "display_phone_number": Self::DISPLAY_NUMBER, "phone_number_id": Self::PHONE_NUMBER_ID });
            value.entry("metadata").or_insert(metadata);
        }
        let change = json!({ "field": "messages", "value": value });
        let body = json!({
            "object": "whatsapp_business_account",
            "entry": [{ "id": "1", "changes": [change] }],
        });
        let body = body.to_string().into_bytes();
        let signature = Secret::new(Self::APP_SECRET).map(|secret| Signer::new(secret).sign(&body)).unwrap_or_default();
        (body, signature)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.shared.told()
    }
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the refusal of whoever does not show the token.
    fn stranger(&self, headers: &HeaderMap) -> Option<Response> {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if shown == Some(&format!("Bearer {}", Graph::ACCESS_TOKEN)) {
            return None;
        }
        self.told().strangers += 1;
        Some(error(StatusCode::UNAUTHORIZED, 190, "Invalid OAuth access token"))
    }
}

async fn send(
    State(shared): State<Shared>,
    Path((_version, number)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = shared.stranger(&headers) {
        return refusal;
    }
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    if number != Graph::PHONE_NUMBER_ID {
        return error(StatusCode::BAD_REQUEST, 33, "Unsupported post request");
    }
    if let Some(what) = wrong_with(&request) {
        return error(StatusCode::BAD_REQUEST, 100, what);
    }
    let fault = shared.told().faults.pop_front();
    match fault {
        Some(GraphFault::TooFast) => return error(StatusCode::TOO_MANY_REQUESTS, 130_429, "Rate limit hit"),
        Some(GraphFault::Refuses(code)) => return error(StatusCode::BAD_REQUEST, code, "refused"),
        Some(GraphFault::Silent) => return std::future::pending().await,
        Some(GraphFault::FailsAfter | GraphFault::CutAfter) | None => {}
    }
    let to = request.get("to").cloned().unwrap_or_default();
    let id = {
        let mut told = shared.told();
        let id = format!("wamid.{:016}", told.sent.len());
        told.sent.push((id.clone(), request));
        id
    };
    match fault {
        Some(GraphFault::FailsAfter) => error(StatusCode::INTERNAL_SERVER_ERROR, 131_000, "Something went wrong"),
        Some(GraphFault::CutAfter) => {
            let pieces = [Ok(Bytes::from_static(b"{\"mess")), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
            Body::from_stream(stream::iter(pieces)).into_response()
        }
        _ => {
            let answer = json!({
                "messaging_product": "whatsapp",
                "contacts": [{ "input": to, "wa_id": to }],
                "messages": [{ "id": id }],
            });
            axum::Json(answer).into_response()
        }
    }
}

/// Returns what is wrong with a request to send.
fn wrong_with(request: &Value) -> Option<&'static str> {
    let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("messaging_product") != "whatsapp" {
        return Some("messaging_product is required");
    }
    let to = text("to");
    if to.is_empty() || !to.bytes().all(|b| b.is_ascii_digit()) {
        return Some("to is not a number");
    }
    let part = request.get(text("type")).unwrap_or(&Value::Null);
    let is_whole = match text("type") {
        "text" => part.get("body").is_some_and(|body| body.as_str().is_some_and(|body| !body.is_empty())),
        "template" => part.get("name").is_some() && part.pointer("/language/code").is_some(),
        "image" | "audio" | "video" | "document" => part.get("link").is_some(),
        _ => false,
    };
    if is_whole { None } else { Some("the part named by type is missing") }
}

async fn describe(
    State(shared): State<Shared>,
    Path((version, media)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = shared.stranger(&headers) {
        return refusal;
    }
    let told = shared.told();
    let Some((content_type, bytes)) = told.media.get(&media) else {
        return error(StatusCode::BAD_REQUEST, 100, "Unsupported get request");
    };
    let answer = json!({
        "messaging_product": "whatsapp",
        "id": media,
        "url": format!("{}/{version}/files/{media}", shared.base_url),
        "mime_type": content_type,
        "sha256": STANDARD.encode(Sha256::digest(bytes)),
        "file_size": bytes.len(),
    });
    axum::Json(answer).into_response()
}

async fn fetch(
    State(shared): State<Shared>,
    Path((_version, media)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = shared.stranger(&headers) {
        return refusal;
    }
    let found = shared.told().media.get(&media).cloned();
    match found {
        Some((content_type, bytes)) => ([(header::CONTENT_TYPE, content_type)], bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn error(status: StatusCode, code: u32, message: &str) -> Response {
    let body = json!({ "error": { "message": message, "type": "OAuthException", "code": code } });
    (status, axum::Json(body)).into_response()
}

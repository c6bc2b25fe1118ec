//! The carrier's REST interface, as far as a box uses it: ending or changing a call, fetching a recording.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use telephony::Params;
use tokio::sync::mpsc;

/// How many changes of one call may wait. A box that sends more is told to come back later.
const UPDATES_WAITING: usize = 8;

/// A change of a call in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallUpdate {
    /// End it.
    Complete,
    /// Go on with this markup.
    Markup(String),
    /// Go on with the markup at this URL.
    Fetch {
        /// Where.
        url: String,
        /// By `GET` instead of `POST`.
        by_get: bool,
    },
}

/// A recording the box may fetch.
#[derive(Debug, Default)]
struct Stored {
    wav: Bytes,
    fetched: u32,
}

#[derive(Debug, Default)]
struct Tables {
    calls: BTreeMap<String, mpsc::Sender<CallUpdate>>,
    recordings: BTreeMap<String, Stored>,
}

/// What the interface serves. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    account: String,
    authorization: String,
    tables: Arc<Mutex<Tables>>,
}

impl Api {
    pub(crate) fn new(account: &str, token: &str) -> Self {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{account}:{token}")));
        Self { account: account.to_owned(), authorization, tables: Arc::default() }
    }

    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/2010-04-01/Accounts/{account}/Calls/{file}", post(update_call))
            .route("/2010-04-01/Accounts/{account}/Recordings/{file}", get(fetch_recording))
            .with_state(self.clone())
    }

    /// Lets the box change a call until [`Api::forget_call`].
    pub(crate) fn know_call(&self, sid: &str) -> mpsc::Receiver<CallUpdate> {
        let (sender, receiver) = mpsc::channel(UPDATES_WAITING);
        self.with(|tables| tables.calls.insert(sid.to_owned(), sender));
        receiver
    }

    pub(crate) fn forget_call(&self, sid: &str) {
        self.with(|tables| tables.calls.remove(sid));
    }

    /// Lets the box fetch a recording, for as long as the carrier runs.
    pub(crate) fn keep_recording(&self, sid: &str, wav: Vec<u8>) {
        self.with(|tables| tables.recordings.insert(sid.to_owned(), Stored { wav: wav.into(), fetched: 0 }));
    }

    /// Returns how often the box has fetched a recording.
    pub(crate) fn times_fetched(&self, sid: &str) -> u32 {
        self.with(|tables| tables.recordings.get(sid).map_or(0, |stored| stored.fetched))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Tables) -> T) -> T {
        work(&mut self.tables.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn refusal(&self, account: &str, headers: &HeaderMap) -> Option<Response> {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if given != Some(self.authorization.as_str()) {
            return Some(problem(StatusCode::UNAUTHORIZED, 20_003, "Authenticate"));
        }
        (account != self.account).then(|| problem(StatusCode::NOT_FOUND, 20_404, "no such account"))
    }
}

async fn update_call(
    State(api): State<Api>,
    Path((account, file)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = api.refusal(&account, &headers) {
        return refusal;
    }
    let sid = file.strip_suffix(".json").unwrap_or(&file);
    let Ok(form) = Params::parse(&body) else {
        return problem(StatusCode::BAD_REQUEST, 20_001, "the body is not a form");
    };
    let update = match (form.first("Status"), form.first("Twiml"), form.first("Url")) {
        (Some("completed" | "canceled"), _, _) => CallUpdate::Complete,
        (_, _, Some(url)) => CallUpdate::Fetch { url: url.to_owned(), by_get: form.first("Method") == Some("GET") },
        (_, Some(markup), None) => CallUpdate::Markup(markup.to_owned()),
        _ => return problem(StatusCode::BAD_REQUEST, 20_001, "nothing to change"),
    };
    let Some(call) = api.with(|tables| tables.calls.get(sid).cloned()) else {
        return problem(StatusCode::NOT_FOUND, 20_404, "no such call in progress");
    };
    if call.try_send(update).is_err() {
        return problem(StatusCode::TOO_MANY_REQUESTS, 20_429, "too many changes at once");
    }
    json(StatusCode::OK, &serde_json::json!({ "sid": sid, "account_sid": account, "status": "in-progress" }))
}

async fn fetch_recording(
    State(api): State<Api>,
    Path((account, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = api.refusal(&account, &headers) {
        return refusal;
    }
    let (sid, kind) = file.split_once('.').unwrap_or((&file, "wav"));
    let wav = api.with(|tables| {
        tables.recordings.get_mut(sid).map(|stored| {
            stored.fetched += u32::from(kind == "wav");
            stored.wav.clone()
        })
    });
    match (wav, kind) {
        (Some(wav), "wav") => ([(CONTENT_TYPE, "audio/x-wav")], wav).into_response(),
        (Some(_), "json") => {
            json(StatusCode::OK, &serde_json::json!({ "sid": sid, "account_sid": account, "status": "completed" }))
        }
        _ => problem(StatusCode::NOT_FOUND, 20_404, "no such recording"),
    }
}

fn problem(status: StatusCode, code: u32, message: &str) -> Response {
    json(status, &serde_json::json!({ "code": code, "message": message, "status": status.as_u16() }))
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

//! The carrier's REST interface, as far as a box uses it: calls, recordings, messages and their files.
//!
//! What the box asks is judged as the real one judges it, written down, and goes wrong where a test says so.

mod calls;
mod connection;
mod messages;
mod recordings;
mod request;
mod tables;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use units::CallId;

pub(crate) use self::connection::{CutListener, Scissors};
use self::tables::Tables;
pub(crate) use self::tables::{MessageOrder, OutboundOrder};
use crate::rest::SignedIn;

/// How many changes of one call may wait. A box that sends more is told to come back later.
const UPDATES_WAITING: usize = 8;

/// How many calls and messages of the box may wait to be begun.
pub(crate) const ORDERS_WAITING: usize = 256;

/// A change of a call in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallUpdate {
    /// End it.
    Complete,
    /// End it while it rings.
    Cancel,
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

/// Something the box wants done beside the calls that ring it.
#[derive(Debug)]
pub(crate) enum Order {
    /// Place a call.
    Call(Box<OutboundOrder>),
    /// Tell how a message does.
    Message(Box<MessageOrder>),
}

/// What the interface serves. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    shared: Arc<Shared>,
}

struct Shared {
    account: String,
    /// What `Authorization` says when it is right.
    credentials: Vec<(String, SignedIn)>,
    media_url: String,
    orders: mpsc::Sender<Order>,
    stopping: CancellationToken,
    changed: Notify,
    tables: Mutex<Tables>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("account", &self.account).finish_non_exhaustive()
    }
}

/// What an [`Api`] is made with.
pub(crate) struct ApiSettings<'a> {
    pub(crate) account: &'a str,
    pub(crate) token: &'a str,
    /// Names and secrets of API keys.
    pub(crate) api_keys: &'a [(String, String)],
    /// Where files of messages are, on another host.
    pub(crate) media_url: String,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) stopping: CancellationToken,
}

impl Api {
    pub(crate) fn new(settings: ApiSettings<'_>) -> Self {
        let basic = |name: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")));
        let keys = settings.api_keys.iter().map(|(name, secret)| (basic(name, secret), SignedIn::ApiKey));
        let token = (basic(settings.account, settings.token), SignedIn::AuthToken);
        let shared = Shared {
            account: settings.account.to_owned(),
            credentials: std::iter::once(token).chain(keys).collect(),
            media_url: settings.media_url,
            orders: settings.orders,
            stopping: settings.stopping,
            changed: Notify::new(),
            tables: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn router(&self) -> Router {
        let account = "/2010-04-01/Accounts/{account}";
        Router::new()
            .route(&format!("{account}/Calls.json"), post(calls::create))
            .route(&format!("{account}/Calls/{{file}}"), post(calls::update))
            .route(&format!("{account}/Recordings/{{file}}"), get(recordings::fetch).delete(recordings::delete))
            .route(&format!("{account}/Messages.json"), post(messages::send))
            .route(
                &format!("{account}/Messages/{{message}}/Media/{{media}}"),
                get(messages::find_media).delete(messages::delete_media),
            )
            .layer(middleware::from_fn_with_state(self.clone(), watch::watch))
            .with_state(self.clone())
    }

    /// Returns the other host, which has the files of messages.
    pub(crate) fn media_router(&self) -> Router {
        Router::new().route("/media/{media}", get(messages::fetch_media)).with_state(self.clone())
    }

    /// Becomes ready when something changes after this was called.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.shared.changed.notified()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Tables) -> T) -> T {
        let done = work(&mut self.shared.tables.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.changed.notify_waiters();
        done
    }

    fn look<T>(&self, work: impl FnOnce(&Tables) -> T) -> T {
        work(&self.shared.tables.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn signed_in(&self, headers: &HeaderMap) -> SignedIn {
        let Some(given) = headers.get(AUTHORIZATION) else { return SignedIn::Nobody };
        let known = self.shared.credentials.iter().find(|(right, _)| given.as_bytes() == right.as_bytes());
        known.map_or(SignedIn::Wrong, |(_, as_whom)| *as_whom)
    }
}

/// Returns a call's name, or `None` for what is none.
fn call_id(sid: &str) -> Option<CallId> {
    sid.parse().ok()
}

fn problem(status: StatusCode, code: u32, message: &str) -> Response {
    json(status, &serde_json::json!({ "code": code, "message": message, "status": status.as_u16() }))
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

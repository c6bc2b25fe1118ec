//! A REST interface of the carrier that does what a test tells it.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use media::wav;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use units::SampleRate;

/// What came in: method, path, body.
pub(crate) type Seen = (Method, String, String);

#[derive(Default)]
struct Script {
    seen: Vec<Seen>,
    /// The next answers to fetching a recording; 200 when there is none.
    statuses: VecDeque<StatusCode>,
    /// The next answers to deleting one; 204 when there is none.
    deletions: VecDeque<StatusCode>,
    samples: Vec<i16>,
}

/// The interface, while it serves.
pub(crate) struct Rest {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
    server: JoinHandle<()>,
}

impl Rest {
    /// Serves a recording of `samples` after these answers, and takes every change of a call.
    pub(crate) async fn start(statuses: impl IntoIterator<Item = StatusCode>, samples: Vec<i16>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Script { statuses: statuses.into_iter().collect(), samples, ..Script::default() };
        let script = Arc::new(Mutex::new(script));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, script, server }
    }

    /// Answers the next deletions with these.
    pub(crate) fn delete_with(&self, statuses: impl IntoIterator<Item = StatusCode>) {
        self.script.lock().unwrap().deletions.extend(statuses);
    }

    /// Returns the address of a recording as a callback of the carrier names it.
    pub(crate) fn recording_url(&self, sid: &str) -> String {
        format!("{}/2010-04-01/Accounts/{}/Recordings/{sid}", self.url, e2e::ACCOUNT)
    }

    /// Returns what came in so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, method: Method, uri: Uri, body: Bytes) -> Response {
    let mut script = script.lock().unwrap();
    let path = uri.path().to_owned();
    script.seen.push((method.clone(), path, String::from_utf8_lossy(&body).into_owned()));
    match method {
        Method::POST => return (StatusCode::OK, "{}").into_response(),
        Method::DELETE => return script.deletions.pop_front().unwrap_or(StatusCode::NO_CONTENT).into_response(),
        _ => {}
    }
    match script.statuses.pop_front() {
        Some(status) => status.into_response(),
        None => wav::encode_pcm16(&script.samples, 1, SampleRate::HZ_8000).unwrap().into_response(),
    }
}

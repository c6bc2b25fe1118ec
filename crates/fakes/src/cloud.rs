//! The server.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::answer::{Answer, deliver, instead};
use crate::behaviour::{Behaviour, Fault, SLOW_FIRST_BYTE, Service};
use crate::clips::Clips;
use crate::credentials::{Credentials, Keys};
use crate::openai::ChatRule;
use crate::{google, openai, voice};

/// Longest request taken, in bytes: what `OpenAI` takes for a file (25 MB), and then some.
const MAX_REQUEST_BYTES: usize = 32 * 1_024 * 1_024;

/// Speaks a text in a language (`he-IL`, `en`): samples at 8 kHz.
pub type Speak = Arc<dyn Fn(&str, &str) -> Vec<i16> + Send + Sync>;

/// What the providers know and can do.
#[derive(Clone, Default)]
pub struct CloudConfig {
    /// Their voice. Default: a tone that changes with each letter, 65 ms long each.
    pub speak: Option<Speak>,
    /// What the chat model says; the first rule that fits. Where none fits it says `"I see."`.
    pub chat: Vec<ChatRule>,
    /// What callers say; the recognizers know nothing else.
    pub clips: Clips,
}

impl std::fmt::Debug for CloudConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CloudConfig").field("rules", &self.chat.len()).finish_non_exhaustive()
    }
}

/// `OpenAI` and Google on a port of this machine. Dropping it closes the port and every connection.
#[derive(Debug)]
pub struct Cloud {
    shared: Arc<Shared>,
    closing: CancellationToken,
    tasks: TaskTracker,
    _close_on_drop: DropGuard,
}

impl Cloud {
    /// Begins to serve on a free port of 127.0.0.1.
    pub async fn start(config: CloudConfig) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(config, address)?);
        let (closing, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(accept(listener, router(Arc::clone(&shared)), closing.clone(), tasks.clone()));
        Ok(Self { shared, tasks, _close_on_drop: closing.clone().drop_guard(), closing })
    }

    /// Closes the port and breaks every connection: from here on connections are refused.
    pub async fn stop(self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Begins to do the same, without waiting: a provider that is suddenly gone.
    pub fn kill(&self) {
        self.closing.cancel();
    }

    /// Sets how a service behaves from now on. What is under way already is only changed where events of a stream are
    /// still to be sent.
    pub fn set(&self, service: Service, behaviour: Behaviour) {
        locked(&self.shared.behaviours).insert(service, behaviour);
    }

    /// Sets how many seconds the providers' clock is ahead of this machine's; negative: behind.
    pub fn set_clock_skew(&self, seconds: i64) {
        self.shared.clock_skew_s.store(seconds, Ordering::Relaxed);
    }

    /// Returns how many requests a service has had so far.
    pub fn requests(&self, service: Service) -> u64 {
        locked(&self.shared.requests).get(&service).copied().unwrap_or_default()
    }

    /// Returns what the providers accept.
    pub fn credentials(&self) -> Credentials {
        self.shared.keys.credentials(&self.shared.google_token_url())
    }

    /// Returns where `OpenAI`'s interface begins, without a slash at its end.
    pub fn openai_url(&self) -> String {
        format!("{}/openai/v1", self.shared.base_url)
    }

    /// Returns where Google's voices are, without a slash at the end; tokens are for this address with a slash.
    pub fn google_speak_url(&self) -> String {
        self.shared.google_speak_url()
    }

    /// Returns where Google's recognizers are, without a slash at the end; tokens are for this address with a slash.
    pub fn google_hear_url(&self) -> String {
        self.shared.google_hear_url()
    }

    /// Returns where Google gives out access tokens.
    pub fn google_token_url(&self) -> String {
        self.shared.google_token_url()
    }
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) clips: Clips,
    pub(crate) keys: Keys,
    pub(crate) rules: Mutex<Vec<ChatRule>>,
    speak: Speak,
    base_url: String,
    behaviours: Mutex<BTreeMap<Service, Behaviour>>,
    requests: Mutex<BTreeMap<Service, u64>>,
    clock_skew_s: AtomicI64,
    next_id: AtomicU64,
}

impl Shared {
    fn new(config: CloudConfig, address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            clips: config.clips,
            keys: Keys::new()?,
            rules: Mutex::new(config.chat),
            speak: config.speak.unwrap_or_else(|| Arc::new(|text, _language| voice::tone(text))),
            base_url: format!("http://{address}"),
            behaviours: Mutex::default(),
            requests: Mutex::default(),
            clock_skew_s: AtomicI64::new(0),
            next_id: AtomicU64::new(1),
        })
    }

    /// Returns the time on the providers' clock.
    pub(crate) fn now(&self) -> SystemTime {
        let skew_s = self.clock_skew_s.load(Ordering::Relaxed);
        let skew = Duration::from_secs(skew_s.unsigned_abs());
        let now = SystemTime::now();
        let shifted = if skew_s < 0 { now.checked_sub(skew) } else { now.checked_add(skew) };
        shifted.unwrap_or(now)
    }

    /// Returns a number that no answer had before.
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn behaviour(&self, service: Service) -> Behaviour {
        locked(&self.behaviours).get(&service).copied().unwrap_or_default()
    }

    /// Speaks at 8 kHz.
    pub(crate) fn speak(&self, text: &str, language: &str) -> Vec<i16> {
        (self.speak)(text, language)
    }

    pub(crate) fn google_speak_url(&self) -> String {
        format!("{}/google-tts", self.base_url)
    }

    pub(crate) fn google_hear_url(&self) -> String {
        format!("{}/google-stt", self.base_url)
    }

    pub(crate) fn google_token_url(&self) -> String {
        format!("{}/google-token", self.base_url)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Locks what no thread leaves half done.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn router(shared: Arc<Shared>) -> Router {
    let recognize = "/google-stt/v2/projects/{project}/locations/{location}/recognizers/{recognizer}";
    Router::new()
        .route("/openai/v1/audio/transcriptions", taken(Service::Transcribe))
        .route("/openai/v1/chat/completions", taken(Service::Chat))
        .route("/openai/v1/audio/speech", taken(Service::Speech))
        .route("/openai/v1/models", asked(Service::Models))
        .route("/google-tts/v1/text:synthesize", taken(Service::GoogleSpeak))
        .route("/google-tts/v1/voices", asked(Service::GoogleVoices))
        .route(recognize, taken(Service::GoogleHear))
        .route("/google-token", taken(Service::GoogleToken))
        .layer(DefaultBodyLimit::disable())
        .with_state(shared)
}

fn taken(service: Service) -> MethodRouter<Arc<Shared>> {
    post(move |State(shared): State<Arc<Shared>>, request: Request| serve(shared, service, request))
}

fn asked(service: Service) -> MethodRouter<Arc<Shared>> {
    get(move |State(shared): State<Arc<Shared>>, request: Request| serve(shared, service, request))
}

/// Answers one request.
async fn serve(shared: Arc<Shared>, service: Service, request: Request) -> Response {
    *locked(&shared.requests).entry(service).or_default() += 1;
    let behaviour = shared.behaviour(service);
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_REQUEST_BYTES).await else {
        let answer = Answer::error(service, StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large.");
        return deliver(&shared, service, behaviour, answer);
    };
    let slow = if behaviour.fault == Some(Fault::SlowFirstByte) { SLOW_FIRST_BYTE } else { Duration::ZERO };
    let delay = behaviour.delay.saturating_add(slow);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if let Some(answer) = behaviour.fault.and_then(|fault| instead(service, fault)) {
        return deliver(&shared, service, behaviour, answer);
    }
    let answer = match service {
        Service::Transcribe => openai::transcribe(&shared, parts, body).await,
        Service::Chat => openai::chat(&shared, &parts, &body, behaviour.fault),
        Service::Speech => openai::speech(&shared, &parts, &body),
        Service::Models => openai::models(&shared, &parts),
        Service::GoogleSpeak => google::speak(&shared, &parts, &body),
        Service::GoogleVoices => google::voices(&shared, &parts),
        Service::GoogleHear => google::hear(&shared, &parts, &body),
        Service::GoogleToken => google::token(&shared, &body),
    };
    deliver(&shared, service, behaviour, answer.unwrap_or_else(|refusal| refusal))
}

/// Takes connections until the token is cancelled; each then ends at once, whatever it is doing.
async fn accept(listener: TcpListener, router: Router, closing: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = closing.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _peer)) = accepted else { continue };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let closing = closing.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = closing.cancelled() => {}
                result = connection => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "A connection to the fake cloud ended");
                    }
                }
            }
        });
    }
}

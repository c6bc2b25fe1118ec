//! The carrier: its configuration, its REST interface, and calls placed through it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use telephony::{AccountId, AuthKey, EmptyKeyError, Params, PublicUrl};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use units::{CallId, Pii};

use crate::api::{Api, ApiSettings, CutListener, ORDERS_WAITING, Scissors};
use crate::audio::AudioError;
use crate::call::{LiveCall, Terms};
use crate::http::{BoxClient, HttpError, Method};
use crate::outbound;
use crate::pace::Pace;
use crate::report::CallReport;
use crate::script::{CallScript, Signing};
use crate::sid::{new_id, new_sid};
use crate::voice::{CallerVoice, VoiceError};

/// What the carrier knows about the account and the number that is rung.
#[derive(Clone, Debug)]
pub struct CarrierConfig {
    /// The account (`AC` and 32 hexadecimal digits).
    pub account_sid: AccountId,
    /// The account's auth token: signs requests, and is the password of the REST interface.
    pub auth_token: String,
    /// Names (`SK…`) and secrets of API keys, which sign in to the REST interface as well. Default none.
    pub api_keys: Vec<(String, String)>,
    /// How the number knows the box.
    pub public_url: PublicUrl,
    /// Where the box really listens, in plain HTTP, when that is not where `public_url` says. The requests name
    /// and sign the public URL all the same.
    pub connect_to: Option<SocketAddr>,
    /// Path and query of the webhook that answers calls. Default `/webhook/incoming_call`.
    pub incoming_path: String,
    /// Path of the webhook that takes messages. Default `/webhook/whatsapp/incoming`.
    pub message_path: String,
    /// Path of the call-progress callback. Default `/webhook/call_status`; `None` for none.
    pub status_path: Option<String>,
    /// Which progress is told. Default all.
    pub status_events: Vec<Progress>,
    /// Telephone numbers of the account, which a call that is passed on may show beside its own. Default the one that
    /// scripts ring by default.
    pub numbers: Vec<Pii<String>>,
    /// Absolute URL that is asked when the box does not answer or is not understood.
    pub fallback_url: Option<String>,
    /// How fast calls run.
    pub pace: Pace,
    /// Folder for stereo recordings, `<CallSid>.wav`. Without it nothing is recorded.
    pub audio_folder: Option<PathBuf>,
}

impl CarrierConfig {
    /// Returns the configuration for a box at `public_url`, everything else by default: an invented account, real
    /// time, no recording.
    pub fn for_box(public_url: PublicUrl, auth_token: impl Into<String>) -> Self {
        Self {
            account_sid: new_id("AC"),
            auth_token: auth_token.into(),
            api_keys: Vec::new(),
            public_url,
            connect_to: None,
            incoming_path: "/webhook/incoming_call".to_owned(),
            message_path: "/webhook/whatsapp/incoming".to_owned(),
            status_path: Some("/webhook/call_status".to_owned()),
            status_events: vec![Progress::Initiated, Progress::Ringing, Progress::Answered, Progress::Completed],
            numbers: vec![CallScript::default().to],
            fallback_url: None,
            pace: Pace::RealTime,
            audio_folder: None,
        }
    }
}

/// Returns a new name for a call.
pub fn new_call_id() -> CallId {
    new_id("CA")
}

/// A step in the life of a call that the box is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The call exists.
    Initiated,
    /// It rings.
    Ringing,
    /// It was answered.
    Answered,
    /// It is over.
    Completed,
}

impl Progress {
    /// Reads a word of `StatusCallbackEvent`.
    pub(crate) fn named(word: &str) -> Option<Self> {
        match word {
            "initiated" => Some(Self::Initiated),
            "ringing" => Some(Self::Ringing),
            "answered" => Some(Self::Answered),
            "completed" => Some(Self::Completed),
            _ => None,
        }
    }
}

/// A carrier with a REST interface of its own on loopback. Any number of calls may run at once.
#[derive(Debug)]
pub struct Carrier {
    exchange: Arc<Exchange>,
    api_address: SocketAddr,
    stopping: CancellationToken,
    servers: [JoinHandle<std::io::Result<()>>; 2],
    outbound: JoinHandle<()>,
}

/// What all calls share.
pub(crate) struct Exchange {
    pub(crate) config: CarrierConfig,
    pub(crate) client: BoxClient,
    pub(crate) api: Api,
    pub(crate) api_url: String,
    pub(crate) voice: Arc<dyn CallerVoice>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("public_url", &self.config.public_url).finish_non_exhaustive()
    }
}

impl Carrier {
    /// Starts a carrier whose REST interface listens on a free loopback port. `voice` speaks for callers, and for
    /// the carrier itself in `<Say>`.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; nothing is left running.
    pub async fn start(config: CarrierConfig, voice: Arc<dyn CallerVoice>) -> Result<Self, StartError> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.map_err(StartError::Listen)?;
        Self::start_on(listener, config, voice)
    }

    /// Starts a carrier whose REST interface listens on `listener`, so that a box can be told its address before.
    pub fn start_on(
        listener: TcpListener,
        config: CarrierConfig,
        voice: Arc<dyn CallerVoice>,
    ) -> Result<Self, StartError> {
        let key = AuthKey::new(config.auth_token.as_bytes())?;
        let wrong_key = AuthKey::new(format!("not {}", config.auth_token).as_bytes())?;
        let client = BoxClient::new(key, wrong_key, config.public_url.clone(), config.connect_to)?;
        let api_address = listener.local_addr().map_err(StartError::Listen)?;
        let media_listener = another_host().map_err(StartError::Listen)?;
        let media_address = media_listener.local_addr().map_err(StartError::Listen)?;
        let stopping = CancellationToken::new();
        let (orders, waiting) = mpsc::channel(ORDERS_WAITING);
        let api = Api::new(ApiSettings {
            account: config.account_sid.as_str(),
            token: &config.auth_token,
            api_keys: &config.api_keys,
            media_url: format!("http://{media_address}"),
            orders,
            stopping: stopping.clone(),
        });
        let router = api.router().into_make_service_with_connect_info::<Scissors>();
        let stopped = stopping.clone().cancelled_owned();
        let rest = axum::serve(CutListener(listener), router).with_graceful_shutdown(stopped);
        let stopped = stopping.clone().cancelled_owned();
        let media = axum::serve(media_listener, api.media_router()).with_graceful_shutdown(stopped);
        let servers = [tokio::spawn(async move { rest.await }), tokio::spawn(async move { media.await })];
        let api_url = format!("http://{api_address}");
        let exchange = Arc::new(Exchange { config, client, api, api_url, voice });
        let outbound = tokio::spawn(outbound::run(Arc::clone(&exchange), waiting, stopping.clone()));
        Ok(Self { exchange, api_address, stopping, servers, outbound })
    }

    /// Returns where the REST interface listens: `http://127.0.0.1:port`, in place of the real one's host.
    pub fn api_url(&self) -> &str {
        &self.exchange.api_url
    }

    /// Returns the address of the REST interface.
    pub fn api_address(&self) -> SocketAddr {
        self.api_address
    }

    /// Returns the account.
    pub fn account_sid(&self) -> &AccountId {
        &self.exchange.config.account_sid
    }

    /// Places one call and follows it to its end. Whatever the box does wrong is in the report, not an error.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way: the socket closes, and the box is not told that the call is over.
    pub async fn place(&self, script: &CallScript) -> Result<CallReport, CallError> {
        self.place_as(new_call_id(), script).await
    }

    /// Places one call under a name made before, so that others can follow it while it goes on.
    ///
    /// # Cancellation safety
    ///
    /// As [`Carrier::place`].
    pub async fn place_as(&self, call_id: CallId, script: &CallScript) -> Result<CallReport, CallError> {
        let terms = Terms::inbound(&self.exchange.config, script);
        let updates = self.exchange.api.know_call(call_id.as_str());
        let call = LiveCall::prepare(&self.exchange, script, call_id, terms, updates).await?;
        // A call is a large future, and callers run many of them.
        Box::pin(call.run()).await
    }

    /// Has somebody write to the office, and returns the status that the box answered the webhook with. Both addresses are
    /// written as the carrier writes them: `whatsapp:+972541112233`, or the number alone for an SMS.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; the box may or may not have got the message.
    pub async fn write(&self, from: &str, to: &str, text: &str) -> Result<u16, HttpError> {
        let sid = new_sid("SM");
        let params = Params::new()
            .with("MessageSid", &sid)
            .with("SmsMessageSid", &sid)
            .with("AccountSid", self.account_sid().as_str())
            .with("From", from)
            .with("To", to)
            .with("Body", text)
            .with("NumMedia", "0");
        let Exchange { config, client, .. } = &*self.exchange;
        let url = config.public_url.webhook(&config.message_path);
        Ok(client.webhook(Method::Post, &url, &params, Signing::Right, &sid).await?.status)
    }

    /// Stops the REST interface and waits until it is gone. Calls that the box placed are given up.
    pub async fn stop(mut self) -> Result<(), StopError> {
        self.stopping.cancel();
        for server in &mut self.servers {
            server.await.map_err(StopError::Panicked)?.map_err(StopError::Serve)?;
        }
        (&mut self.outbound).await.map_err(StopError::Panicked)
    }

    pub(crate) fn api(&self) -> &Api {
        &self.exchange.api
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.servers.iter().for_each(JoinHandle::abort);
        self.outbound.abort();
    }
}

/// Returns a second listener, which stands for another host.
fn another_host() -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Why a carrier does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no port to listen on.
    #[error("cannot listen on loopback")]
    Listen(#[source] std::io::Error),
    /// The auth token is empty.
    #[error("the auth token is empty")]
    Token(#[from] EmptyKeyError),
    /// There is no HTTP client.
    #[error("cannot make requests")]
    Http(#[from] HttpError),
}

/// Why a call could not be placed or written down. What the box does wrong is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Step `step` of the script cannot be spoken.
    #[error("step {step} of the script cannot be spoken")]
    Voice {
        /// Its number, from 0; those of `voicemail` follow those of `steps`.
        step: usize,
        /// Why not.
        #[source]
        source: VoiceError,
    },
    /// The thread that spoke panicked.
    #[error("the voice panicked")]
    VoicePanicked(#[source] tokio::task::JoinError),
    /// The stereo recording cannot be written.
    #[error("cannot write the recording of the call")]
    Audio(#[from] AudioError),
}

/// Why a carrier did not stop as it should.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Its REST interface panicked.
    #[error("the REST interface panicked")]
    Panicked(#[source] tokio::task::JoinError),
    /// Its REST interface failed.
    #[error("the REST interface failed")]
    Serve(#[source] std::io::Error),
}

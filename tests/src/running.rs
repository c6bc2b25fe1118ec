//! The box and its carrier.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use appliance::app::{App, Parts};
use appliance::clock::Clock;
use appliance::config::{Config, Credential, Secret};
use appliance::logging::LogTap;
use appliance::voice::Engines;
use http::{HeaderMap, Method};
use reqwest::header::CONTENT_TYPE;
use speech::fakes::{FakeVad, ScriptedSynthesizer};
use speech::{BoxError, PromptCache, Recognizer};
use store::{CallRecord, Calls, FormRow, Forms, Query, Store, TurnRow, VoicemailRecord};
use telephony::markup::{self, Verb};
use telephony::signature::SIGNATURE_HEADER;
use telephony::{AuthKey, Params, Signer};
use tempfile::TempDir;
use testcall::{CallReport, CallScript, CallerVoice, Carrier, CarrierConfig, Pace};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use units::CallId;

use crate::phrases::PhraseBook;
use crate::wait::{PATIENCE, wait_until};

/// The carrier's account.
pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
/// The key that signs webhooks.
pub const KEY: &str = "a key that only tests know";

/// Short, so that calls are: two questions in English.
const FORM: &str = r#"version = 1
name = "test-office"
languages = ["en"]
office = { en = "the office" }
greeting = { en = "Hello there." }
summary = false

[[fields]]
id = "name"
kind = "name"
confirm = "none"
label = { en = "Name" }
prompt = { en = "Your name please?" }

[[fields]]
id = "reason"
kind = "reason"
confirm = "none"
label = { en = "Reason" }
prompt = { en = "What is it about?" }
"#;

/// A change of the configuration.
type Change = Box<dyn FnOnce(&mut Config) + Send>;

/// What a box is started with.
pub struct BoxOptions {
    engines: Engines,
    configure: Vec<Change>,
    pace: Pace,
    voice: Arc<dyn CallerVoice>,
    folder: Option<TempDir>,
    lines: Option<LogTap>,
    clock: Option<u64>,
}

impl BoxOptions {
    /// A box that understands `book` and speaks tones; callers speak the book. The greeting is spoken over the stream.
    pub fn understanding(book: &PhraseBook) -> Self {
        let recognizers = book.clone();
        Self::with(engines(move || Ok(recognizers.recognizer())), Arc::new(book.clone()))
    }

    /// A box with these engines; callers buzz.
    pub fn with_engines(engines: Engines) -> Self {
        Self::with(engines, Arc::new(testcall::ToneVoice))
    }

    fn with(engines: Engines, voice: Arc<dyn CallerVoice>) -> Self {
        Self { engines, configure: Vec::new(), pace: Pace::RealTime, voice, folder: None, lines: None, clock: None }
    }

    /// Changes the configuration.
    #[must_use]
    pub fn configured(mut self, configure: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        self.configure.push(Box::new(configure));
        self
    }

    /// Gives the box the keys of a cloud on this machine: it hears, thinks and speaks as far as the configuration lets it.
    #[must_use]
    pub fn under(self, cloud: &fakes::Cloud) -> Self {
        let (keys, openai, google) = (cloud.credentials(), cloud.openai_url(), cloud.google_speak_url());
        self.configured(move |config| {
            config.openai.api_key = Credential::Given(Secret::new(&keys.openai_key));
            config.openai.base_url = openai;
            "gpt-4o-mini".clone_into(&mut config.openai.chat_model);
            config.google.account = Credential::Given(Secret::new(&keys.google_service_account));
            config.google.speak_url = google;
        })
    }

    /// Lets the box keep what it has spoken.
    #[must_use]
    pub fn keeping(mut self, prompts: PromptCache) -> Self {
        self.engines.prompts = Some(Arc::new(prompts));
        self
    }

    /// Sets how fast calls run.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Lets the gateway have its share of these lines.
    #[must_use]
    pub fn logged(mut self, lines: LogTap) -> Self {
        self.lines = Some(lines);
        self
    }

    /// Lets the box believe that it is this moment, `2026-11-21T12:00:00+02:00` say, when it starts.
    #[must_use]
    pub fn at(mut self, moment: &str) -> Self {
        let moment: jiff::Timestamp = moment.parse().unwrap_or_default();
        self.clock = u64::try_from(moment.as_millisecond()).ok();
        self
    }

    /// Lets callers speak in this voice.
    #[must_use]
    pub fn speaking(mut self, book: PhraseBook) -> Self {
        self.voice = Arc::new(book);
        self
    }

    /// Starts on the state that another box left.
    #[must_use]
    pub fn on(mut self, folder: TempDir) -> Self {
        self.folder = Some(folder);
        self
    }
}

impl Default for BoxOptions {
    fn default() -> Self {
        Self::understanding(&PhraseBook::new(&[]))
    }
}

/// Returns engines that hear by `recognizer`, speak tones and detect loudness.
pub fn engines(recognizer: impl FnMut() -> Result<Box<dyn Recognizer>, BoxError> + Send + 'static) -> Engines {
    Engines {
        recognizer: Box::new(recognizer),
        synthesizer: Box::new(|| Ok(Box::new(ScriptedSynthesizer::default()))),
        vad: Box::new(|| Box::new(FakeVad)),
        prompts: None,
    }
}

/// Returns the parameters of an incoming call.
pub fn incoming_params(call: &CallId) -> Params {
    Params::new()
        .with("CallSid", call.as_str())
        .with("AccountSid", ACCOUNT)
        .with("ApiVersion", "2010-04-01")
        .with("CallStatus", "ringing")
        .with("Direction", "inbound")
        .with("From", "+972500000001")
        .with("To", "+972700000000")
}

/// What the box answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns a header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns the one-time token of the stream that the answer connects, if it does.
    pub fn token(&self) -> Option<String> {
        let document = markup::read(&self.text()).ok()?;
        document.verbs.into_iter().find_map(|verb| {
            let Verb::Connect(connect) = verb else { return None };
            connect.stream.parameters.into_iter().find(|(name, _)| name == "token").map(|(_, token)| token)
        })
    }

    /// Returns whether the answer asks the caller for a message, at once and with nothing before it.
    pub fn is_voicemail(&self) -> bool {
        self.status == 200
            && markup::read(&self.text()).is_ok_and(|document| {
                matches!(document.verbs.as_slice(), [Verb::Play(_) | Verb::Say(_), Verb::Record(_), Verb::Hangup])
            })
    }
}

/// A box in this process, serving, and its carrier.
pub struct TestBox {
    /// What requests and calls share.
    pub parts: Arc<Parts>,
    /// The carrier.
    pub carrier: Carrier,
    /// Where the box listens.
    pub address: SocketAddr,
    /// A client of the box.
    pub client: reqwest::Client,
    folder: TempDir,
    running: JoinHandle<anyhow::Result<()>>,
}

impl TestBox {
    /// Starts both. The box serves when this returns.
    pub async fn start(options: BoxOptions) -> anyhow::Result<Self> {
        let folder = options.folder.map_or_else(tempfile::tempdir, Ok)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let rest = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut config = configuration(folder.path(), address, rest.local_addr()?)?;
        for configure in options.configure {
            configure(&mut config);
        }
        let mut carrier = CarrierConfig::for_box(config.http.public_url.clone(), KEY);
        carrier.account_sid = ACCOUNT.parse()?;
        carrier.pace = options.pace;
        let carrier = Carrier::start_on(rest, carrier, options.voice)?;
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let clock = options.clock.map_or_else(Clock::start, Clock::start_at);
        let mut app = App::build_at(config, listener, options.engines, clock).await?;
        if let Some(lines) = options.lines {
            app = app.with_log(lines);
        }
        let parts = app.parts();
        let running = tokio::spawn(app.run());
        Ok(Self { parts, carrier, address, client, folder, running })
    }

    /// Tells the box to stop as a signal does, and waits until it has and its store is closed. Returns its state.
    pub async fn stop(self) -> anyhow::Result<TempDir> {
        let Self { parts, carrier, client, folder, running, .. } = self;
        parts.shutdown.cancel();
        drop(client);
        timeout(PATIENCE, running).await.context("the box does not stop")???;
        carrier.stop().await?;
        let left = Arc::downgrade(&parts);
        drop(parts);
        wait_until("the last user of the store", async || (left.strong_count() == 0).then_some(())).await?;
        Ok(folder)
    }

    /// Returns the folder of the box's state.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Begins a request to the box.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// Sends a request.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
    }

    /// Asks for a page.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Begins a webhook signed by `key` as if it went to `path`.
    pub fn webhook(&self, path: &str, params: &Params, key: &str) -> anyhow::Result<reqwest::RequestBuilder> {
        let signer = Signer::new(AuthKey::new(key)?);
        let signature = signer.sign(&self.parts.config.http.public_url.webhook(path), params);
        Ok(self.form(path, params.encode()).header(SIGNATURE_HEADER, signature))
    }

    /// Begins a form that nobody signed.
    pub fn form(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.request(Method::POST, path).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
    }

    /// Sends a webhook as the carrier does.
    pub async fn post(&self, path: &str, params: &Params) -> anyhow::Result<Answer> {
        self.send(self.webhook(path, params, KEY)?).await
    }

    /// Rings as the carrier does, without going on.
    pub async fn ring(&self, call: &CallId) -> anyhow::Result<Answer> {
        self.post("/webhook/incoming_call", &incoming_params(call)).await
    }

    /// Places a call and follows it to its end.
    pub async fn call(&self, script: &CallScript) -> anyhow::Result<CallReport> {
        Ok(timeout(2 * PATIENCE, self.carrier.place(script)).await.context("the call does not end")??)
    }

    /// Returns `/readyz`.
    pub async fn readiness(&self) -> anyhow::Result<serde_json::Value> {
        let answer = self.get("/readyz").await?;
        anyhow::ensure!(answer.status == 200, "/readyz answered {}", answer.status);
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// Returns a figure of `/metrics` by its name with labels; zero when it is not there.
    pub async fn figure(&self, name: &str) -> anyhow::Result<f64> {
        let text = self.get("/metrics").await?.text();
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        Ok(found.unwrap_or_default())
    }

    /// Returns whether the box is alive and answers a telephone.
    pub async fn is_well(&self) -> anyhow::Result<bool> {
        let health = self.get("/healthz").await?;
        let call = testcall::new_call_id();
        let answered = self.ring(&call).await?;
        self.parts.switchboard.forget(&call);
        Ok(health.status == 200 && health.text() == "ok" && answered.token().is_some())
    }

    /// Returns the store.
    pub fn store(&self) -> anyhow::Result<&Store> {
        self.parts.archive.store().context("there is no store")
    }

    /// Returns the record of a call.
    pub fn record(&self, call: &CallId) -> anyhow::Result<Option<CallRecord>> {
        Ok(self.store()?.get::<Calls>(call)?)
    }

    /// Returns what was said in a call.
    pub fn turns(&self, call: &CallId) -> anyhow::Result<Vec<TurnRow>> {
        Ok(self.store()?.turns(call)?)
    }

    /// Returns the forms filled in a call.
    pub fn forms(&self, call: &CallId) -> anyhow::Result<Vec<FormRow>> {
        let rows = self.store()?.query(&Query::<Forms>::of_call(call))?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// Returns the messages left.
    pub fn messages(&self) -> anyhow::Result<Vec<VoicemailRecord>> {
        let rows = self.store()?.query(&Query::<store::Voicemails>::all())?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }
}

fn configuration(folder: &Path, address: SocketAddr, rest: SocketAddr) -> anyhow::Result<Config> {
    let form = folder.join("form.toml");
    std::fs::write(&form, FORM)?;
    let text = format!(
        "[http]\npublic_url = 'http://{address}'\n\
         [carrier]\naccount_sid = '{ACCOUNT}'\napi_url = 'http://{rest}'\n\
         [office]\nform = '{}'\n\
         [greeting]\nmode = 'stream'\n\
         [conversation]\nlanguage = 'en'\n\
         [limits]\nrequests_per_second = 1000\n\
         [store]\npath = '{}'\n",
        form.display(),
        folder.join("store").display()
    );
    let mut config = Config::parse(Path::new("test.toml"), &text)?;
    config.carrier.auth_tokens = vec![Secret::new(KEY)];
    Ok(config)
}

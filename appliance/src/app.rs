//! Builds every part of the box from its configuration and owns the order in which they start and stop.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::weather::Stage;
use anyhow::Context as _;
use calendar::Calendar;
use protocol::next_epoch;
use receptionist::{Form, FormError};
use routing::{Consent, Policy};
use speech::RecognizeRequest;
use store::{
    Batch, CallRecord, OpenError, OpenReport, Order, Query, Recordings, SpendingRow, Spendings, Store, StoreConfig,
};
use telephony::{AuthKey, Verifier};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use units::Language;

use crate::announcements::Announcements;
use crate::api::Api;
use crate::archive::Archive;
use crate::call_backs::CallBacks;
use crate::carrier;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Secret, TransferWhen};
use crate::course_log::{CourseLog, Pieces};
use crate::documents::Documents;
use crate::events::Events;
use crate::greetings::Greetings;
use crate::health::{Health, Part, PartState};
use crate::leads::Leads;
use crate::logging::LogTap;
use crate::messages::{self, Messages};
use crate::metrics::Metrics;
use crate::reception::ending::EndLock;
use crate::server::connections::{self, Limits, Patience};
use crate::server::{self, RateLimit};
use crate::switchboard::Switchboard;
use crate::voice::{Engines, Voice};
use crate::voicemail::{Mailbox, Requests};
use crate::weather::Station;
use crate::{call_backs, course_log, leads, retention, sync, voice, voicemail, watchdog, weather};

/// Longest wait for calls to end when the program is told to stop.
const DRAIN: Duration = Duration::from_secs(20);
/// How long after the last stream the carrier is still answered: it asks how the call goes on within a second.
const LAST_QUESTIONS: Duration = Duration::from_secs(2);
/// Longest wait for the workers to end when nothing is served any more.
const LAST_WORK: Duration = Duration::from_secs(5);
/// Longest time in which nobody takes a byte of an answer: a greeting is fetched at once or not at all.
const ANSWER_STALL: Duration = Duration::from_secs(20);
/// Free space that recordings leave on the disk, in bytes.
const RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// Times a store that is in use is tried again, and the wait between.
const LOCKED_TRIES: u32 = 20;
const LOCKED_PAUSE: Duration = Duration::from_millis(100);
/// Media sockets at once that have shown no token yet.
const MAX_STRANGERS: usize = 8;
/// The form used when none is configured.
const PLAIN_OFFICE: &str = include_str!("../forms/plain-office.toml");

/// Everything that a request or a call needs. Shared; lives as long as the program.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// Where the box listens.
    pub address: SocketAddr,
    /// The language calls begin in.
    pub language: Language,
    /// The form to fill.
    pub form: Form,
    /// How every part is.
    pub health: Arc<Health>,
    /// The figures of `/metrics`.
    pub metrics: Metrics,
    /// The clock.
    pub clock: Clock,
    /// Checks the carrier's signatures.
    pub verifier: Verifier,
    /// The carrier's REST interface, if an account is configured.
    pub carrier: Option<::carrier::Client>,
    /// Which calls are expected, on the line, over.
    pub switchboard: Switchboard,
    /// Wakes the watchdog.
    pub watchdog: Notify,
    /// Told when an engine failed on a call.
    pub voice_trouble: Notify,
    /// Hearing and speaking on this device.
    pub voice: Voice,
    /// Who serves a turn: the cloud or this device.
    pub station: Station,
    /// When the office is open, where that is configured.
    pub calendar: Option<Calendar>,
    /// Who writes down how a call ended.
    pub end_lock: EndLock,
    /// Who changes call-backs.
    pub call_backs: CallBacks,
    /// What a person hears before taking a call.
    pub announcements: Announcements,
    /// The recordings the carrier plays.
    pub greetings: Greetings,
    /// The store.
    pub archive: Archive,
    /// What the gateway is told.
    pub events: Events,
    /// Text messages.
    pub messages: Messages,
    /// Messages to fetch.
    pub voicemail: Mailbox,
    /// The HTTP API: who may use it.
    pub api: Api,
    /// Wakes the worker that makes leads of facts.
    pub leads: Leads,
    /// How often one address may ask.
    pub rate_limit: RateLimit,
    /// Open media sockets whose token was right.
    pub sockets: Arc<Semaphore>,
    /// Open media sockets whose token is not in their path: few, so that strangers keep no caller out.
    pub strangers: Arc<Semaphore>,
    /// Tasks that hold a call.
    pub tasks: TaskTracker,
    /// Told when the program shall stop.
    pub shutdown: CancellationToken,
    /// Names this start of the program, for `/version`.
    pub deploy_id: String,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Parts {
    /// Returns what writes the documents for the carrier.
    pub fn documents(&self) -> Documents<'_> {
        Documents {
            base: &self.config.http.public_url,
            office: &self.form.office,
            transfer: &self.config.transfer,
            missing: self.greetings.missing(),
            voicemail: &self.config.voicemail,
            recording: self.config.recording,
            number: self.config.call_backs.from.as_ref().or(self.config.messages.sms_number.as_ref()),
        }
    }

    /// Returns the folder of the recordings that the carrier plays.
    pub fn greetings_folder(&self) -> PathBuf {
        self.greetings.folder().to_owned()
    }

    /// Returns whether a caller can be listened and spoken to; otherwise a message is taken.
    pub fn can_converse(&self) -> bool {
        let speaks = match self.language {
            Language::Hebrew => Part::SynthesizerHebrew,
            Language::English => Part::SynthesizerEnglish,
        };
        let hears = self.health.is_ok(Part::Recognizer) || self.station.is_clear(Stage::Recognize);
        let speaks = self.health.is_ok(speaks) || self.station.is_clear(Stage::Synthesize);
        hears && speaks && !self.shutdown.is_cancelled()
    }

    /// Returns whether the office is open and who takes calls; `None` where no hours are configured, or the clock was never
    /// set.
    pub fn hours(&self) -> Option<calendar::Status> {
        let calendar = self.calendar.as_ref().filter(|_| self.clock.is_set())?;
        let now = jiff::Timestamp::from_millisecond(i64::try_from(self.clock.wall_ms()).ok()?).ok()?;
        Some(calendar.at(now))
    }

    /// Returns whether a caller who asks for a person is put through at this hour.
    pub fn can_transfer(&self) -> bool {
        let is_open = || self.hours().is_none_or(|hours| hours.open || hours.route == calendar::Route::Human);
        self.config.office.transfer_number.is_some() && (self.config.transfer.when == TransferWhen::Always || is_open())
    }

    /// Returns the request to recognize `audio` (16 kHz mono): any language of the form, with the office's name as a hint.
    pub fn recognize_request(&self, audio: Vec<f32>) -> RecognizeRequest {
        let among: Vec<Language> = Language::ALL.into_iter().filter(|language| self.form.speaks(*language)).collect();
        let language = match among[..] {
            [only] => Some(only),
            _ => None,
        };
        RecognizeRequest { audio, language, among, prompt: String::new() }
    }
}

/// The box, built and listening, not yet serving.
pub struct App {
    parts: Arc<Parts>,
    listener: TcpListener,
    requests: Requests,
    courses: Pieces,
    lines: Option<LogTap>,
}

impl App {
    /// Builds every part. The listener is bound already; nobody is answered before [`App::run`].
    ///
    /// A part that cannot be had is degraded, not an error: the phone is answered by what there is.
    pub async fn build(config: Config, listener: TcpListener, engines: Engines) -> anyhow::Result<Self> {
        Self::build_at(config, listener, engines, Clock::start()).await
    }

    /// As [`App::build`], by a clock of one's own.
    pub async fn build_at(
        config: Config,
        listener: TcpListener,
        engines: Engines,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let app = Self::assemble(config, listener, engines, clock)?;
        render_greetings(&app.parts).await?;
        Ok(app)
    }

    fn assemble(config: Config, listener: TcpListener, engines: Engines, clock: Clock) -> anyhow::Result<Self> {
        let health = Arc::new(Health::default());
        let address = listener.local_addr().context("the listener has no address")?;
        let form = load_form(&config)?;
        let language = config.conversation.language;
        let (archive, events) = open_archive(&config, clock, &health);
        let carrier = carrier::connect(&config.carrier).context("cannot set up the carrier's REST interface")?;
        let rest = match &carrier {
            Some(_) => PartState::Ok,
            None => PartState::disabled("carrier.account_sid is not set; set it to redirect calls and fetch messages"),
        };
        health.set(Part::CarrierRest, rest);
        let voice = Voice::start(&config, engines, &health);
        voice.keep_prompts(&form.fixed_sentences());
        let spent = spent_before(&archive);
        let station = Station::new(&config, voice.prompts(), clock, &health, spent);
        let greetings = Greetings::new(config.store.path.join("tts"));
        let (mailbox, requests) = Mailbox::new();
        let (course_log, courses) = CourseLog::new();
        let messages = Messages::new(&config, carrier.as_ref(), &health).context("cannot set up text messages")?;
        let calls = config.limits.calls.get();
        let parts = Parts {
            verifier: verifier(&config.carrier.auth_tokens)?,
            api: Api::new(&config.store.path),
            leads: Leads::new(clock, config.crm.url.is_some()),
            switchboard: Switchboard::new(calls, policy(&config), config.callers.rate(), course_log),
            calendar: config.calendar.as_ref().map(read_calendar).transpose()?,
            announcements: Announcements::default(),
            end_lock: EndLock::default(),
            call_backs: CallBacks::new(read_calendar(&config.call_back_calendar())?),
            rate_limit: RateLimit::new(config.limits.requests_per_second),
            strangers: Arc::new(Semaphore::new(MAX_STRANGERS)),
            sockets: Arc::new(Semaphore::new(calls)),
            metrics: Metrics::new(),
            watchdog: Notify::new(),
            voice_trouble: Notify::new(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            deploy_id: format!("{:x}", clock.wall_ms()),
            voicemail: mailbox,
            messages,
            config,
            address,
            language,
            form,
            health,
            clock,
            carrier,
            voice,
            station,
            greetings,
            archive,
            events,
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
        parts.metrics.started.set((parts.clock.wall_ms() / 1_000) as f64);
        let parts = Arc::new(parts);
        Ok(Self { parts, listener, requests, courses, lines: None })
    }

    /// Lets the gateway have its share of the log.
    #[must_use]
    pub fn with_log(self, lines: LogTap) -> Self {
        Self { lines: Some(lines), ..self }
    }

    /// Returns what requests and calls share, for tests and tools in the same process.
    pub fn parts(&self) -> Arc<Parts> {
        Arc::clone(&self.parts)
    }

    /// Serves until [`Parts::shutdown`] is cancelled, then lets calls end for at most 20 s.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, calls in progress fall into the carrier's voicemail.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self { parts, listener, requests, courses, lines } = self;
        tracing::info!(address = %parts.address, "listening");
        let mut workers = tokio::task::JoinSet::new();
        workers.spawn(carrier::watch(Arc::clone(&parts)));
        workers.spawn(watchdog::run(Arc::clone(&parts)));
        workers.spawn(voicemail::run(Arc::clone(&parts), requests));
        workers.spawn(messages::run(Arc::clone(&parts)));
        workers.spawn(retention::run(Arc::clone(&parts)));
        workers.spawn(call_backs::run(Arc::clone(&parts)));
        workers.spawn(leads::keep(Arc::clone(&parts)));
        workers.spawn(leads::deliver(Arc::clone(&parts)));
        workers.spawn(voice::watch(Arc::clone(&parts)));
        workers.spawn(voice::render_prompts(Arc::clone(&parts)));
        workers.spawn(weather::watch(Arc::clone(&parts)));
        // The link ends last: what the last calls leave is told too, if there is time.
        let (closing, silence) = (CancellationToken::new(), CancellationToken::new());
        workers.spawn(sync::run(Arc::clone(&parts), lines, silence.clone()));
        workers.spawn(course_log::run(Arc::clone(&parts), courses, silence.clone()));
        let limits = connection_limits(&parts.config);
        let router = server::router(&parts);
        let served = connections::serve(listener, router, limits, &parts.metrics, closing.clone());
        let until_drained = async {
            drained(&parts).await;
            closing.cancel();
        };
        tokio::join!(served, until_drained);
        silence.cancel();
        if timeout(LAST_WORK, async { while workers.join_next().await.is_some() {} }).await.is_err() {
            workers.shutdown().await;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

fn connection_limits(config: &Config) -> Limits {
    let patience = Patience {
        head: config.http.header_read_timeout,
        keep_alive: config.http.keep_alive_timeout,
        stall: ANSWER_STALL,
    };
    Limits { connections: config.limits.connections, patience }
}

/// Waits until the program shall stop and its calls are over, or have had long enough. New calls are answered
/// meanwhile, by voicemail, and so is the carrier when it asks how a call goes on whose stream has just ended.
async fn drained(parts: &Parts) {
    parts.shutdown.cancelled().await;
    parts.tasks.close();
    if parts.tasks.is_empty() {
        return;
    }
    if timeout(DRAIN, parts.tasks.wait()).await.is_err() {
        tracing::warn!(calls = parts.switchboard.on_line(), "calls did not end in time");
    }
    sleep(LAST_QUESTIONS).await;
}

fn verifier(tokens: &[Secret]) -> anyhow::Result<Verifier> {
    let mut keys = tokens.iter().map(|token| AuthKey::new(token.expose()));
    let primary = keys.next().context("no key to check webhooks with")?.context("an empty key")?;
    let verifier = Verifier::new(primary);
    Ok(match keys.next() {
        Some(second) => verifier.with_secondary(second.context("an empty key")?),
        None => verifier,
    })
}

/// Returns what the office wants done with its calls.
fn policy(config: &Config) -> Policy {
    Policy {
        can_transfer: config.office.transfer_number.is_some(),
        is_announced: config.transfer.announce,
        otherwise: config.transfer.otherwise,
        consent: if config.recording.calls { config.recording.consent } else { Consent::None },
        blocked: config.callers.blocked,
        hurried: config.callers.hurried,
    }
}

fn read_calendar(wanted: &calendar::Config) -> Result<Calendar, ConfigError> {
    Calendar::new(wanted).map_err(|error| ConfigError::Value {
        file: PathBuf::from("the configuration"),
        field: "calendar",
        expected: error.to_string(),
    })
}

fn load_form(config: &Config) -> anyhow::Result<Form> {
    let Some(file) = &config.office.form else {
        return Form::from_toml(PLAIN_OFFICE).context("the built-in form");
    };
    let text = fs::read_to_string(file).map_err(|error| ConfigError::Value {
        file: file.clone(),
        field: "office.form",
        expected: format!("expected a form file: {error}"),
    })?;
    Ok(Form::from_toml(&text).map_err(|FormError { line, field, expected }| ConfigError::Field {
        file: file.clone(),
        line,
        field,
        expected: format!("expected {expected}"),
    })?)
}

/// Opens the store and the recordings; when neither can be, the box answers and keeps nothing, and says so.
fn open_archive(config: &Config, clock: Clock, health: &Arc<Health>) -> (Archive, Events) {
    let folder = &config.store.path;
    let now_wall_ms = clock.wall_ms();
    let wanted = StoreConfig { now_wall_ms, ..StoreConfig::new(folder) };
    let opened = open_store(&wanted).map_err(anyhow::Error::from).and_then(|store| {
        let (recordings, recovered) = Recordings::open(folder, RESERVE_BYTES).context("cannot open the recordings")?;
        tracing::debug!(?recovered, "recordings opened");
        Ok((store, recordings))
    });
    match opened {
        Ok((store, recordings)) => {
            let opened_as = state_of(store.report());
            health.set(Part::Store, opened_as.clone());
            health.set(Part::Recordings, PartState::Ok);
            let events = Events::new(store.report().run, clock, config.sync.is_on());
            tell_of_before(&store, &events);
            voicemail::keep_recovered(&store, &recordings, &events, config, now_wall_ms);
            (Archive::new(store, recordings, opened_as, Arc::clone(health)), events)
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the store cannot be used; calls are answered, not kept");
            health.set(Part::Store, PartState::degraded(format!("nothing is kept: {error:#}")));
            let events = Events::new(next_epoch(None, now_wall_ms), clock, false);
            (Archive::unusable(Arc::clone(health)), events)
        }
    }
}

/// Opens the store. A run before this one that was killed while it started another program may leave the folder locked for
/// a moment more: that program holds the lock until it runs.
fn open_store(wanted: &StoreConfig) -> Result<Store, OpenError> {
    let mut tries = 0;
    loop {
        match Store::open(wanted) {
            Err(OpenError::InUse { .. }) if tries < LOCKED_TRIES => {
                tries += 1;
                std::thread::sleep(LOCKED_PAUSE);
            }
            opened => return opened,
        }
    }
}

/// Returns what runs before this one spent on the cloud, so that a restart is no way around the budget.
fn spent_before(archive: &Archive) -> weather::Spendings {
    let newest = Query::<Spendings>::all().order(Order::Descending).limit(weather::DAYS);
    let rows = archive.store().and_then(|store| store.query(&newest).ok()).unwrap_or_default();
    let day = |(day, row): (u64, SpendingRow)| Some((u32::try_from(day).ok()?, row.micros));
    rows.into_iter().filter_map(day).collect()
}

/// Ends the calls that a run before left open, and tells of what became of the database.
fn tell_of_before(store: &Store, events: &Events) {
    let tell = |batch: &mut Batch, call: &CallRecord| {
        for turn in store.turns(&call.call).unwrap_or_default() {
            events.call_turn(batch, &turn);
        }
        events.call_ended(batch, call);
    };
    let closed = store.close_interrupted_calls(|_call| true, tell);
    if let Err(error) = closed {
        tracing::warn!(error = &error as &dyn std::error::Error, "calls of before not closed");
    }
    if store.report().lost_hint() {
        let mut batch = Batch::new();
        let before = store.outbox_heads().into_iter().filter(|head| !head.open).map(|head| head.epoch).max();
        events.store_reset(&mut batch, store.report(), before);
        if let Err(error) = store.commit(batch) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the gateway is not told of the database");
        }
    }
}

fn state_of(report: &OpenReport) -> PartState {
    if report.lost_hint() {
        PartState::degraded(format!("the database was unreadable and set aside; look into the log: {report:?}"))
    } else {
        PartState::Ok
    }
}

async fn render_greetings(parts: &Arc<Parts>) -> anyhow::Result<()> {
    let parts = Arc::clone(parts);
    let rendering = tokio::task::spawn_blocking(move || {
        let own = parts.config.greeting.recordings.clone();
        parts.greetings.render(&parts.form, own.as_deref(), &parts.voice, &parts.health);
    });
    rendering.await.context("the recordings could not be rendered")
}

//! Drives the cores: their outputs become store work, publishes and calls of the host, what comes of it goes back in.

mod session;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use protocol::CommandId;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::session::Session;
use crate::config::SyncConfig;
use crate::host::{Host, InboxStore, LinkStatus, SavedInbox, SyncStatus};
use crate::inbox::{Inbox, InboxInput, InboxOutput};
use crate::link::{Link, LinkInput, LinkOutput, Mono, Trouble};
use crate::mqtt::{Wire, WireEvent};
use crate::outbox::{Outbox, OutboxInput, OutboxOutput, OutboxStore, OutboxStoreError, PublishOutcome, Slice, Ticket};

/// Longest time for the last words when the program stops.
const LAST_WORDS: Duration = Duration::from_secs(4);
/// How long the broker may take to answer what is under way when the program stops.
const DRAIN: Duration = Duration::from_secs(2);
/// Longest time that passes between two looks at the clock when nothing is due.
const IDLE: Duration = Duration::from_mins(1);

/// What work came to.
enum Done {
    Read {
        stream: protocol::Stream,
        asked: u64,
        slice: Option<Slice>,
    },
    Stored {
        stream: protocol::Stream,
        done: bool,
    },
    Published {
        ticket: Ticket,
        outcome: PublishOutcome,
    },
    /// A retained document of ours that the broker answered.
    Told {
        what: &'static str,
        outcome: PublishOutcome,
    },
    Subscribed {
        connection: u64,
        granted: bool,
    },
    Applied {
        version: u64,
        result: Result<(), String>,
    },
    Remembered {
        id: CommandId,
        done: bool,
    },
    Forgotten,
    Finished {
        id: CommandId,
        result: Result<String, String>,
    },
}

/// Connects and carries, until `shutdown`; then says goodbye, for at most four seconds. `woken` is to be notified when the
/// store has new events.
///
/// # Cancellation safety
///
/// Dropped half way, the broker tells of the device with its will. Nothing is lost.
pub async fn run<S, H>(config: SyncConfig, store: Arc<S>, host: Arc<H>, woken: Arc<Notify>, shutdown: CancellationToken)
where
    S: OutboxStore + InboxStore,
    H: Host,
{
    if config.brokers.is_empty() {
        return;
    }
    let loading = Arc::clone(&store);
    let saved = match tokio::task::spawn_blocking(move || loading.load()).await {
        Ok(Ok(saved)) => saved,
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "wishes and commands of before cannot be read");
            SavedInbox::default()
        }
        Err(error) => {
            tracing::error!(%error, "reading wishes and commands of before ended badly");
            SavedInbox::default()
        }
    };
    let mut driver = Driver::new(config, store, host, saved);
    driver.drive(&woken, &shutdown).await;
    driver.close().await;
}

struct Driver<S, H> {
    store: Arc<S>,
    host: Arc<H>,
    session: Session,
    link: Link<StdRng>,
    outbox: Outbox,
    inbox: Inbox,
    wire: Wire,
    work: JoinSet<Done>,
    started: Instant,
    next_report: Instant,
    status: Option<SyncStatus>,
    trouble: Option<Trouble>,
    closing_since: Option<Instant>,
    /// Whether the connection has ended after the goodbye.
    gone: bool,
}

impl<S: OutboxStore + InboxStore, H: Host> Driver<S, H> {
    fn new(config: SyncConfig, store: Arc<S>, host: Arc<H>, saved: SavedInbox) -> Self {
        let started = Instant::now();
        let mut outbox = Outbox::new(config.outbox.clone());
        outbox.handle_input(Mono::ZERO, OutboxInput::Heads(store.heads()));
        if let Some(desired) = &saved.desired
            && let Err(reason) = host.apply(desired)
        {
            tracing::warn!(version = desired.version, reason, "the wish in force before cannot be applied any more");
        }
        Self {
            store,
            host,
            link: Link::new(config.link.clone(), StdRng::from_rng(&mut rand::rng())),
            outbox,
            inbox: Inbox::new(saved.desired.map(|desired| desired.version), saved.commands),
            session: Session::new(config),
            wire: Wire::start(),
            work: JoinSet::new(),
            started,
            next_report: started,
            status: None,
            trouble: None,
            closing_since: None,
            gone: false,
        }
    }

    async fn drive(&mut self, woken: &Notify, shutdown: &CancellationToken) {
        loop {
            self.handle_timeouts();
            self.carry_out();
            self.tell_status();
            if self.is_done() {
                return;
            }
            let until = self.next_wakeup();
            tokio::select! {
                () = shutdown.cancelled(), if self.closing_since.is_none() => self.begin_to_close(),
                () = woken.notified() => self.look_at_store(),
                Some(done) = self.work.join_next() => self.handle_done(done),
                Some(event) = self.wire.next_event() => self.handle_event(event),
                () = sleep_until(until) => {}
            }
        }
    }

    /// Ends what is left: the connection's task, and work whose result nobody needs any more.
    async fn close(mut self) {
        self.wire.close().await;
        self.work.abort_all();
        while self.work.join_next().await.is_some() {}
    }

    fn now(&self) -> Mono {
        self.started.elapsed()
    }

    fn begin_to_close(&mut self) {
        let now = self.now();
        self.closing_since = Some(Instant::now());
        self.outbox.handle_input(now, OutboxInput::Flush);
        self.outbox.handle_input(now, OutboxInput::LinkDown);
        self.gone = !self.link.is_connected();
        self.link.handle_input(now, LinkInput::Close);
    }

    fn is_done(&self) -> bool {
        let Some(since) = self.closing_since else { return false };
        since.elapsed() >= LAST_WORDS || (self.gone && self.outbox.is_flushed())
    }

    fn next_wakeup(&self) -> Instant {
        let timers = [self.link.poll_timeout(), self.outbox.poll_timeout()].into_iter().flatten().min();
        let mut until = timers.map_or_else(|| Instant::now() + IDLE, |at| self.started + at);
        if self.link.is_up() {
            until = until.min(self.next_report);
        }
        if let Some(since) = self.closing_since {
            until = until.min(since + LAST_WORDS);
        }
        until.min(Instant::now() + IDLE)
    }

    fn handle_timeouts(&mut self) {
        let now = self.now();
        if self.closing_since.is_none() {
            self.link.handle_timeout(now);
        }
        self.outbox.handle_timeout(now);
        if self.link.is_up() && Instant::now() >= self.next_report {
            self.report();
        }
    }

    fn look_at_store(&mut self) {
        let now = self.now();
        self.outbox.handle_input(now, OutboxInput::Heads(self.store.heads()));
    }

    /// Does what the cores ask for, until they ask for nothing.
    fn carry_out(&mut self) {
        loop {
            if let Some(output) = self.link.poll_output() {
                self.do_link(output);
            } else if let Some(output) = self.inbox.poll_output() {
                self.do_inbox(output);
            } else if let Some(output) = self.outbox.poll_output() {
                self.do_outbox(output);
            } else {
                return;
            }
        }
    }

    fn do_link(&mut self, output: LinkOutput) {
        let now = self.now();
        match output {
            LinkOutput::Connect { broker, connected_seq, clean_start } => {
                if let Some(plan) = self.session.plan(broker, connected_seq, clean_start, self.host.wall_ms()) {
                    tracing::debug!(broker = %plan.broker, connected_seq, clean_start, "connecting");
                    self.wire.connect(&plan);
                }
            }
            LinkOutput::Subscribe => {
                let connection = self.session.connected_seq();
                if let Some(notice) = self.wire.subscribe(&self.session.filters()) {
                    self.work.spawn(async move {
                        Done::Subscribed { connection, granted: crate::mqtt::granted(notice).await }
                    });
                }
            }
            LinkOutput::Birth => {
                if let Some((topic, payload)) = self.session.birth() {
                    self.tell("birth", &topic, payload);
                }
            }
            LinkOutput::Up(session) => {
                tracing::info!(broker = %self.session.broker(self.link.broker()), ?session, "link is up");
                self.trouble = None;
                let receive_maximum = self.session.receive_maximum();
                self.outbox.handle_input(now, OutboxInput::LinkUp { session, receive_maximum });
                self.inbox.handle_input(now, InboxInput::LinkUp);
                self.report();
            }
            LinkOutput::Down(trouble) => {
                if self.trouble != Some(trouble) {
                    let broker = self.session.broker(self.link.broker());
                    tracing::warn!(trouble = trouble.as_str(), next = %broker, "link is down");
                }
                self.trouble = Some(trouble);
                self.outbox.handle_input(now, OutboxInput::LinkDown);
            }
            LinkOutput::Drop => self.wire.drop_connection(),
            LinkOutput::Goodbye => {
                if let Some((topic, payload)) = self.session.goodbye() {
                    self.tell("goodbye", &topic, payload);
                }
                self.wire.disconnect(DRAIN);
            }
        }
    }

    fn do_outbox(&mut self, output: OutboxOutput) {
        let store = Arc::clone(&self.store);
        match output {
            OutboxOutput::Read { wanted, asked } => {
                self.blocking(move || Done::Read {
                    stream: wanted.stream,
                    asked,
                    slice: done_or_told(caught(|| store.slice(wanted))),
                });
            }
            OutboxOutput::Publish { ticket, stream, epoch, slice } => {
                let wall_ms = self.host.wall_ms();
                let mono_ms = u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX);
                let sent = match self.session.batch(stream, epoch, slice, wall_ms, mono_ms) {
                    Some((topic, payload)) => self.wire.publish(&topic, payload, false),
                    None => Err(PublishOutcome::TooLarge),
                };
                match sent {
                    Ok(notice) => {
                        self.work.spawn(async move {
                            Done::Published { ticket, outcome: crate::mqtt::outcome(notice).await }
                        });
                    }
                    Err(outcome) => {
                        let now = self.now();
                        self.outbox.handle_input(now, OutboxInput::Published { ticket, outcome });
                    }
                }
            }
            OutboxOutput::Acknowledge { stream, epoch, through } => {
                self.blocking(move || {
                    let done = done_or_told(caught(|| store.acknowledge(stream, epoch, through))).is_some();
                    Done::Stored { stream, done }
                });
            }
            OutboxOutput::BeginEpoch { stream, at_least } => {
                tracing::warn!(%stream, at_least, "the gateway knows events this store does not; a new epoch begins");
                self.blocking(move || {
                    let done = done_or_told(caught(|| store.begin_epoch(stream, at_least))).is_some();
                    Done::Stored { stream, done }
                });
            }
            OutboxOutput::Stuck => {
                let now = self.now();
                self.link.handle_input(now, LinkInput::Stuck);
            }
        }
    }

    fn do_inbox(&mut self, output: InboxOutput) {
        let store = Arc::clone(&self.store);
        match output {
            InboxOutput::Apply(desired) => {
                let host = Arc::clone(&self.host);
                self.blocking(move || {
                    let version = desired.version;
                    let result = host
                        .apply(&desired)
                        .and_then(|()| caught(|| store.save_desired(&desired)).map_err(|error| error.to_string()));
                    Done::Applied { version, result }
                });
            }
            InboxOutput::Report => self.report(),
            InboxOutput::Remember(row) => self.blocking(move || {
                let done = done_or_told(caught(|| store.remember(&row))).is_some();
                Done::Remembered { id: row.id, done }
            }),
            InboxOutput::Forget(id) => self.blocking(move || {
                done_or_told(caught(|| store.forget(&id)));
                Done::Forgotten
            }),
            InboxOutput::Execute(request) => {
                tracing::info!(command = %request.id, kind = %request.kind, "command begun");
                let id = request.id.clone();
                let executed = self.host.execute(*request);
                self.work.spawn(async move { Done::Finished { id, result: executed.await } });
            }
            InboxOutput::Status(status) => {
                if let Some((topic, payload)) = self.session.status(status, self.host.wall_ms()) {
                    self.tell("command status", &topic, payload);
                }
            }
            InboxOutput::ClearStatus(id) => {
                let topic = self.session.status_topic(id);
                self.tell("cleared status", &topic, Vec::new());
            }
        }
    }

    /// Publishes a retained document. One that does not arrive is told again after the next connect.
    fn tell(&mut self, what: &'static str, topic: &str, payload: Vec<u8>) {
        match self.wire.publish(topic, payload, true) {
            Ok(notice) => {
                self.work.spawn(async move { Done::Told { what, outcome: crate::mqtt::outcome(notice).await } });
            }
            Err(outcome) => tracing::debug!(what, ?outcome, "not published"),
        }
    }

    fn report(&mut self) {
        self.next_report = Instant::now() + self.session.report_every();
        if !self.link.is_up() {
            return;
        }
        let report = self.host.report();
        if let Some((topic, payload)) = self.session.report(report, &self.inbox, &self.outbox) {
            self.tell("report", &topic, payload);
        }
    }

    fn blocking(&mut self, work: impl FnOnce() -> Done + Send + 'static) {
        self.work.spawn_blocking(work);
    }

    fn handle_done(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let now = self.now();
        match done {
            Ok(Done::Read { stream, asked, slice }) => {
                self.outbox.handle_input(now, OutboxInput::Read { stream, asked, slice });
            }
            Ok(Done::Stored { stream, done }) => {
                self.outbox.handle_input(now, OutboxInput::Heads(self.store.heads()));
                self.outbox.handle_input(now, OutboxInput::Stored { stream, done });
            }
            Ok(Done::Published { ticket, outcome }) => {
                if let PublishOutcome::Refused(refusal) = outcome {
                    tracing::warn!(?refusal, "the broker refused a batch");
                }
                self.outbox.handle_input(now, OutboxInput::Published { ticket, outcome });
            }
            Ok(Done::Told { what, outcome }) => match outcome {
                PublishOutcome::Taken => {}
                PublishOutcome::Refused(refusal) => tracing::warn!(what, ?refusal, "the broker refused a document"),
                PublishOutcome::Lost | PublishOutcome::TooLarge => tracing::debug!(what, ?outcome, "not published"),
            },
            Ok(Done::Subscribed { connection, granted }) => {
                if connection == self.session.connected_seq() {
                    let input =
                        if granted { LinkInput::Subscribed } else { LinkInput::Failed(Trouble::SubscriptionRefused) };
                    if !granted {
                        self.wire.drop_connection();
                    }
                    self.link.handle_input(now, input);
                }
            }
            Ok(Done::Applied { version, result }) => {
                self.inbox.handle_input(now, InboxInput::Applied { version, result });
            }
            Ok(Done::Remembered { id, done }) => self.inbox.handle_input(now, InboxInput::Remembered { id, done }),
            Ok(Done::Forgotten) => {}
            Ok(Done::Finished { id, result }) => self.inbox.handle_input(now, InboxInput::Finished { id, result }),
            Err(error) => tracing::error!(%error, "work of the link ended badly"),
        }
    }

    fn handle_event(&mut self, event: WireEvent) {
        let now = self.now();
        match event {
            WireEvent::Connected { session, receive_maximum, .. } => {
                self.session.set_receive_maximum(receive_maximum);
                self.link.handle_input(now, LinkInput::Connected(session));
            }
            WireEvent::Message { topic, payload, expiry } => {
                let input = self.session.read(&topic, &payload, expiry, self.host.wall_ms());
                match input {
                    Some(session::Input::Outbox(input)) => self.outbox.handle_input(now, input),
                    Some(session::Input::Inbox(mut input)) => {
                        if let InboxInput::Command { request, refused, .. } = &mut input {
                            *refused = self.host.refuses(request);
                        }
                        self.inbox.handle_input(now, input);
                    }
                    None => {}
                }
            }
            WireEvent::Failed { trouble, detail } => {
                if self.closing_since.is_some() {
                    self.gone = true;
                } else {
                    tracing::debug!(trouble = trouble.as_str(), detail, "connection ended");
                    self.link.handle_input(now, LinkInput::Failed(trouble));
                }
            }
        }
    }

    fn tell_status(&mut self) {
        let link = if self.link.is_up() {
            LinkStatus::Up(self.session.broker(self.link.broker()))
        } else {
            LinkStatus::Down(self.trouble)
        };
        let status = SyncStatus { link, streams: self.outbox.status().collect() };
        if self.status.as_ref() != Some(&status) {
            self.host.on_status(&status);
            self.status = Some(status);
        }
    }
}

/// Runs work on the store; its panic becomes an error, so that the core that waits for it hears of it.
fn caught<T>(work: impl FnOnce() -> Result<T, OutboxStoreError>) -> Result<T, OutboxStoreError> {
    // Nothing that was half done is looked at again: the store has to be asked anew.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_panic| Err(OutboxStoreError("the store panicked".into())))
}

fn done_or_told<T>(result: Result<T, OutboxStoreError>) -> Option<T> {
    result.map_err(|error| tracing::warn!(error = &error as &dyn std::error::Error, "the outbox's store failed")).ok()
}

//! One request on its way: starts the engines that the core names, and passes on the output of the one that serves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, SelectAll};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use weather::{Decision, Failure, FailureKind, Micros, Outcome, Plan, Race, RaceInput, RaceOutput, Role, Stage};

use crate::app::Parts;

/// Outputs of one engine that may wait for the race.
const OUTPUTS: usize = 1_024;

/// What an engine makes.
#[derive(Debug)]
pub(crate) enum Made<T> {
    /// Something that is passed on at once while nobody serves yet.
    Aside(T),
    /// Something that is not useful by itself.
    Part(T),
    /// Something useful: the caller need not wait for anybody else.
    Useful(T),
    /// What the request cost.
    Spent(Micros),
    /// What comes was kept from before, and says nothing about the engine.
    Kept,
    /// The end.
    Done,
    /// The end, before its time.
    Failed(Failure),
}

/// What whoever asked is told.
#[derive(Debug)]
pub(crate) enum Told<T> {
    /// From here on this engine's output comes.
    Serving(String),
    /// Some of it.
    Item(T),
    /// All of it has come.
    Done,
    /// Nobody could.
    Failed(Failure),
    /// What it cost.
    Spent(Micros),
    /// What is known of who serves and why, while it goes on.
    SoFar(Decision),
    /// Who served, and why.
    Decided(Decision),
}

/// An engine's output as it comes.
pub(crate) type Source<T> = BoxStream<'static, Made<T>>;

/// Makes a source of a piece of work that reports into a channel. Dropping the source drops the work.
pub(crate) fn source<T, F>(work: impl FnOnce(mpsc::Sender<Made<T>>) -> F) -> Source<T>
where
    T: Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, outputs) = mpsc::channel(OUTPUTS);
    let working = stream::once(work(sender)).filter_map(|()| std::future::ready(None));
    stream::select(received(outputs), working).boxed()
}

/// Returns what comes over a channel.
pub(crate) fn received<T: Send + 'static>(mut channel: mpsc::Receiver<T>) -> impl Stream<Item = T> + Send {
    stream::poll_fn(move |context| channel.poll_recv(context))
}

/// What a race is about.
pub(crate) struct Entry {
    pub(crate) stage: Stage,
    pub(crate) plan: Plan,
    /// What a request of an engine is likely to cost, for one whose answer never came.
    pub(crate) estimate: Box<dyn Fn(&str) -> Micros + Send>,
}

/// Runs a race to its end, shadows included. `start` begins the work of an engine; `tell` hears what comes of it.
///
/// # Cancellation safety
///
/// To be ended by `cancelled`, not by dropping: places in flight are given back at its end.
pub(crate) async fn run<T: Send + 'static>(
    parts: Arc<Parts>,
    entry: Entry,
    cancelled: CancellationToken,
    start: impl FnMut(&str, Role) -> Source<T> + Send,
    tell: impl FnMut(Told<T>) + Send,
) {
    let began = parts.clock.now();
    let race = Race::new(began, entry.plan);
    let mut runner = Runner {
        stage: entry.stage,
        estimate: entry.estimate,
        race,
        start,
        tell: Some(tell),
        sources: SelectAll::new(),
        engines: BTreeMap::new(),
        serving: None,
        over: false,
        parts,
    };
    let mut is_cancelled = false;
    loop {
        runner.act();
        if runner.race.is_over() {
            return;
        }
        let wake = runner.race.poll_timeout().map_or(Duration::MAX, |at| at.saturating_sub(runner.now()));
        let wake = Instant::now() + wake.min(Duration::from_hours(1));
        tokio::select! {
            biased;
            () = cancelled.cancelled(), if !is_cancelled => {
                is_cancelled = true;
                runner.over = true;
                runner.input(RaceInput::Cancelled);
                runner.act();
                // What goes on in the shadow is nobody's any more.
                runner.tell = None;
            }
            Some((engine, made)) = runner.sources.next(), if !runner.sources.is_empty() => runner.take(engine, made),
            () = sleep_until(wake) => {
                let now = runner.now();
                runner.race.handle_timeout(now);
            }
        }
    }
}

struct Runner<T, S, O> {
    parts: Arc<Parts>,
    stage: Stage,
    estimate: Box<dyn Fn(&str) -> Micros + Send>,
    race: Race,
    start: S,
    /// None once nobody wants to know any more.
    tell: Option<O>,
    sources: SelectAll<BoxStream<'static, (String, Made<T>)>>,
    engines: BTreeMap<String, Engine<T>>,
    serving: Option<String>,
    /// Whether nobody is told any more.
    over: bool,
}

/// One engine that was started.
struct Engine<T> {
    role: Role,
    stop: CancellationToken,
    /// What it made before it served.
    held: Vec<T>,
    is_done: bool,
    is_charged: bool,
    is_kept: bool,
}

impl<T, S, O> Runner<T, S, O>
where
    T: Send + 'static,
    S: FnMut(&str, Role) -> Source<T>,
    O: FnMut(Told<T>),
{
    fn now(&self) -> Duration {
        self.parts.clock.now()
    }

    fn input(&mut self, input: RaceInput) {
        let now = self.now();
        self.race.handle_input(now, input);
    }

    fn tell(&mut self, told: Told<T>) {
        if !self.over {
            self.tell_anyway(told);
        }
    }

    /// Tells also when all has been said already: what it cost, and what the log is to have.
    fn tell_anyway(&mut self, told: Told<T>) {
        if let Some(tell) = &mut self.tell {
            tell(told);
        }
    }

    /// Does what the core decided, to the last.
    fn act(&mut self) {
        while let Some(output) = self.race.poll_output() {
            match output {
                RaceOutput::Start { engine, role } => self.begin(engine, role),
                RaceOutput::Serve { engine } => {
                    let so_far = self.race.so_far();
                    self.tell(Told::SoFar(so_far));
                    self.serve(engine);
                }
                RaceOutput::Stop { engine } => self.stop(&engine, FailureKind::TimedOut),
                RaceOutput::Report { engine, outcome } => {
                    let is_kept = self.engines.get(&engine).is_some_and(|engine| engine.is_kept);
                    let outcome = if is_kept { Outcome::Unused } else { outcome };
                    self.parts.station.report(&self.parts, self.stage, &engine, &outcome);
                }
                RaceOutput::Settled(decision) => self.tell_anyway(Told::Decided(decision)),
                RaceOutput::Failed { failure } => {
                    self.tell(Told::Failed(failure));
                    self.over = true;
                }
            }
        }
    }

    fn begin(&mut self, name: String, role: Role) {
        let stop = CancellationToken::new();
        let ended = stop.clone().cancelled_owned();
        let label = name.clone();
        let outputs = (self.start)(&name, role).map(move |made| (label.clone(), made)).take_until(ended);
        self.sources.push(outputs.boxed());
        self.engines
            .insert(name, Engine { role, stop, held: Vec::new(), is_done: false, is_charged: false, is_kept: false });
    }

    fn serve(&mut self, name: String) {
        let (held, is_done) = match self.engines.get_mut(&name) {
            Some(engine) => (std::mem::take(&mut engine.held), engine.is_done),
            None => (Vec::new(), false),
        };
        self.serving = Some(name.clone());
        self.tell(Told::Serving(name));
        for item in held {
            self.tell(Told::Item(item));
        }
        if is_done {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.tell(Told::Done);
        self.over = true;
    }

    /// Lets go of an engine. A request that was on its way is paid for, as far as anybody knows.
    fn stop(&mut self, name: &str, why: FailureKind) {
        let Some(engine) = self.engines.get_mut(name) else { return };
        engine.stop.cancel();
        let was_charged = std::mem::replace(&mut engine.is_charged, true);
        if !was_charged && !engine.is_done && is_paid_for(why) {
            self.spend(name, (self.estimate)(name));
        }
    }

    fn spend(&mut self, name: &str, cost: Micros) {
        if cost.0 > 0 {
            self.parts.station.charge(&self.parts, name, cost);
            // A shadow's cost is the box's, not the call's.
            if self.engines.get(name).is_none_or(|engine| engine.role != Role::Shadow) {
                self.tell_anyway(Told::Spent(cost));
            }
        }
    }

    /// Takes what an engine made.
    fn take(&mut self, name: String, made: Made<T>) {
        let Some(engine) = self.engines.get_mut(&name) else { return };
        let is_serving = self.serving.as_ref() == Some(&name);
        match made {
            Made::Aside(item) => {
                if is_serving || (self.serving.is_none() && engine.role == Role::Serve) {
                    self.tell(Told::Item(item));
                }
            }
            Made::Part(item) if is_serving => self.tell(Told::Item(item)),
            Made::Part(item) => engine.hold(item),
            Made::Useful(item) => {
                if is_serving {
                    self.tell(Told::Item(item));
                } else {
                    engine.hold(item);
                }
                self.input(RaceInput::Useful { engine: name });
            }
            Made::Spent(cost) => {
                engine.is_charged = true;
                self.spend(&name, cost);
            }
            Made::Kept => {
                (engine.is_kept, engine.is_charged) = (true, true);
            }
            Made::Done => {
                engine.is_done = true;
                self.input(RaceInput::Done { engine: name });
                self.act();
                if is_serving {
                    self.finish();
                }
            }
            Made::Failed(failure) => {
                self.stop(&name, failure.kind);
                self.input(RaceInput::Failed { engine: name, failure });
            }
        }
    }
}

impl<T> Engine<T> {
    fn hold(&mut self, item: T) {
        if self.role != Role::Shadow {
            self.held.push(item);
        }
    }
}

/// Returns whether a provider that failed so has probably done the work and will ask for its money.
fn is_paid_for(kind: FailureKind) -> bool {
    match kind {
        FailureKind::TimedOut | FailureKind::Malformed | FailureKind::Cut | FailureKind::Filtered => true,
        FailureKind::Refused
        | FailureKind::Resolve
        | FailureKind::Unroutable
        | FailureKind::Tls
        | FailureKind::Intercepted
        | FailureKind::Unauthorized
        | FailureKind::Forbidden
        | FailureKind::RateLimited
        | FailureKind::Server
        | FailureKind::Clock
        | FailureKind::Invalid
        | FailureKind::Busy
        | FailureKind::Broken => false,
    }
}

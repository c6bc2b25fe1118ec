//! Who serves a turn: the clouds' engines, this device's, and what is known of them.
//!
//! The decisions are made by the pure `weather` crate: one core for the box behind a lock, one for each request. Here are
//! the engines, the clock and the sockets.

mod engines;
mod race;
mod sources;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloud::{CloudError, Usage};
use rand::RngExt as _;
use speech::PromptCache;
use tokio::sync::Notify;
use units::TurnId;
use weather::connectivity::{Connectivity, Online};
use weather::{
    BreakerPolicy, BreakerState, CallWeather, EnginePolicy, EngineState, Micros, Outcome, Plan, Policy, Stage,
    StagePolicy, Weather,
};

use self::engines::Engines;
pub(crate) use self::race::{Entry, Source, Told, run};
pub(crate) use self::sources::{Hearing, Thought, hear, speak, think};
pub use self::watch::watch;
use crate::app::Parts;
use crate::clock::Clock;
use crate::config::{Config, EngineName, Prices};
use crate::health::{Health, Part, PartState};

/// This device's name among the engines.
pub(crate) const LOCAL: &str = EngineName::Local.as_str();
/// What a deadline is shortened by: two frames, in which this device takes over and is heard. So the caller's wait is what
/// the configuration says.
const MARGIN: Duration = Duration::from_millis(40);
/// Days of spending that are looked at when the program starts.
pub(crate) const DAYS: usize = 8;
/// Milliseconds in a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The state of the weather. Shared; lives as long as the program.
pub struct Station {
    core: Mutex<Weather>,
    /// How each provider is reached.
    links: Mutex<BTreeMap<&'static str, Connectivity>>,
    engines: Engines,
    /// The engines of each stage in the order in which they are asked.
    order: BTreeMap<Stage, Vec<String>>,
    prompts: Option<Arc<PromptCache>>,
    prices: Prices,
    spendings: Mutex<Spendings>,
    clock: Clock,
    /// Whether nothing may be asked of metered providers at all.
    is_free_only: bool,
    /// What a day may cost.
    budget: Micros,
    /// Told when something was learned of a provider.
    news: Notify,
}

/// What was spent, by day and engine, in micro-dollars, runs before this one included.
pub(crate) type Spendings = BTreeMap<u32, BTreeMap<String, u64>>;

impl std::fmt::Debug for Station {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Station").field("engines", &self.engines).finish_non_exhaustive()
    }
}

impl Station {
    /// Makes the engines for which there are credentials and notes in `health` which those are. `spent` is what runs before
    /// this one spent, by day: a device without a clock battery may come up in a day before, and find today again later.
    pub fn new(
        config: &Config,
        prompts: Option<Arc<PromptCache>>,
        clock: Clock,
        health: &Health,
        spent: Spendings,
    ) -> Self {
        let engines = Engines::of_config(config, health);
        let policy = policy(config, &engines);
        let names = |stage: &StagePolicy| stage.engines.iter().map(|engine| engine.name.clone()).collect();
        let order = policy.stages.iter().map(|(stage, policy)| (*stage, names(policy))).collect();
        let mut core = Weather::new(policy);
        for (day, engines) in &spent {
            for (engine, micros) in engines {
                core.charge(*day, engine, Micros(*micros));
            }
        }
        let now = clock.now();
        let links = engines.providers.keys().map(|name| (*name, Connectivity::new(now))).collect();
        Self {
            core: Mutex::new(core),
            links: Mutex::new(links),
            engines,
            order,
            prompts,
            prices: config.weather.prices.clone(),
            spendings: Mutex::new(spent),
            clock,
            is_free_only: config.weather.budget_per_day.micros() == 0,
            budget: Micros(config.weather.budget_per_day.micros()),
            news: Notify::new(),
        }
    }

    /// Decides who shall serve a request; `usage` is what it is likely to need.
    pub(crate) fn plan(&self, stage: Stage, turn: TurnId, call: &CallWeather, usage: &Usage) -> Plan {
        let estimate = |engine: &str| engines::price(&self.prices, engine, usage);
        self.core().plan(self.clock.now(), day_of(self.clock), stage, turn, call, estimate)
    }

    /// Returns what makes of a request's likely needs what it costs with an engine.
    pub(crate) fn estimate(&self, usage: Usage) -> Box<dyn Fn(&str) -> Micros + Send> {
        let prices = self.prices.clone();
        Box::new(move |engine| engines::price(&prices, engine, &usage))
    }

    /// Returns whether a cloud engine serves the stage, in some weather.
    pub(crate) fn has_cloud(&self, stage: Stage) -> bool {
        match stage {
            Stage::Recognize => !self.engines.hears.is_empty(),
            Stage::Reply => !self.engines.thinks.is_empty(),
            Stage::Synthesize => !self.engines.speaks.is_empty(),
        }
    }

    /// Returns whether some engine other than this device's would serve the stage now.
    pub(crate) fn is_clear(&self, stage: Stage) -> bool {
        let is_good = |state: &EngineState| {
            state.stage == stage
                && state.engine != LOCAL
                && matches!(state.breaker, BreakerState::Closed)
                && !matches!(state.online, Online::No(_))
        };
        self.has_cloud(stage) && !self.is_free_only && self.core().states(self.clock.now()).iter().any(is_good)
    }

    /// Returns the place of an engine in the order of its stage; one that is not in it comes last.
    pub(crate) fn rank(&self, stage: Stage, engine: &str) -> usize {
        let order = self.order.get(&stage).map_or(&[][..], Vec::as_slice);
        order.iter().position(|name| name == engine).unwrap_or(usize::MAX)
    }

    /// Notes how an engine did on a request.
    pub(crate) fn report(&self, parts: &Parts, stage: Stage, engine: &str, outcome: &Outcome) {
        let now = self.clock.now();
        self.core().report(now, stage, engine, outcome, rand::rng().random());
        parts.metrics.engine(stage, engine, outcome);
        if engine == LOCAL {
            return;
        }
        if let Some(link) = self.links().get_mut(engine) {
            match outcome {
                Outcome::Worked => link.passive(now, Ok(())),
                Outcome::Failed(failure) => link.passive(now, Err(failure.kind)),
                Outcome::Abandoned | Outcome::Unused => {}
            }
        }
        self.take_note(parts);
    }

    /// Notes what was spent.
    pub(crate) fn charge(&self, parts: &Parts, engine: &str, cost: Micros) {
        let day = day_of(self.clock);
        self.core().charge(day, engine, cost);
        let mut spendings = self.spendings();
        let spent = spendings.entry(day).or_default().entry(engine.to_owned()).or_default();
        *spent = spent.saturating_add(cost.0);
        drop(spendings);
        parts.metrics.spent(engine, cost.0);
    }

    /// Returns the day (UTC, counted from 1970) and what was spent on it, by engine, in micro-dollars.
    pub(crate) fn spent_today(&self) -> (u32, BTreeMap<String, u64>) {
        let day = day_of(self.clock);
        (day, self.spendings().get(&day).cloned().unwrap_or_default())
    }

    /// Carries what is known of the links into the core, and from there to `/readyz` and `/metrics`.
    fn take_note(&self, parts: &Parts) {
        let mut core = self.core();
        for (provider, link) in self.links().iter() {
            core.set_online(provider, link.online());
        }
        let states = core.states(self.clock.now());
        let is_spent = core.spent(day_of(self.clock)) >= self.budget;
        drop(core);
        for state in &states {
            parts.metrics.breaker(state.stage, &state.engine, state.breaker != BreakerState::Closed);
            let part = Part::CLOUD.into_iter().find(|part| part.engine() == (state.stage, state.engine.as_str()));
            if let Some(part) = part {
                parts.health.set(part, self.part_state(state, is_spent));
            }
        }
        self.news.notify_waiters();
    }

    fn part_state(&self, state: &EngineState, is_spent: bool) -> PartState {
        let is_metered = self.engines.providers.get(state.engine.as_str()).is_some_and(|provider| provider.metered);
        if is_metered && self.is_free_only {
            PartState::disabled("weather.budget_per_day is 0")
        } else if is_metered && is_spent {
            PartState::degraded("the day's budget is used up; this device serves until midnight (UTC)")
        } else {
            part_state(state)
        }
    }

    fn core(&self) -> MutexGuard<'_, Weather> {
        // Nothing that can panic runs under the lock but the core itself, whose state is whole between calls.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spendings(&self) -> MutexGuard<'_, Spendings> {
        self.spendings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<&'static str, Connectivity>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs a failure of a cloud engine with its causes, none of which holds what was said.
fn log_failure(stage: Stage, engine: &str, error: &CloudError) {
    tracing::info!(%stage, engine, error = error as &dyn std::error::Error, "cloud engine failed");
}

/// Returns how an engine of the cloud is, for people.
fn part_state(state: &EngineState) -> PartState {
    let last = state.last_failure.map_or_else(|| "nothing known".to_owned(), |kind| kind.to_string());
    match (&state.online, &state.breaker) {
        (Online::No(why), _) => PartState::degraded(format!("offline: {why}; this device serves")),
        (_, BreakerState::Open { .. }) => PartState::degraded(format!("not asked for now: {last}; this device serves")),
        (_, BreakerState::HalfOpen) => PartState::degraded(format!("being tried again: {last}; this device serves")),
        (Online::Unknown | Online::Yes, BreakerState::Closed) => PartState::Ok,
    }
}

fn policy(config: &Config, engines: &Engines) -> Policy {
    let weather = &config.weather;
    let (recognize, reply, synthesize) = (&weather.recognize, &weather.reply, &weather.synthesize);
    // Beyond what its threads can do at once, this device does not work beside the cloud.
    let threads = |stage: Stage| match stage {
        Stage::Recognize => u32::try_from(config.recognizer.workers.get()).unwrap_or(u32::MAX),
        Stage::Synthesize => u32::try_from(config.synthesizer.workers.get()).unwrap_or(u32::MAX),
        Stage::Reply => u32::MAX,
    };
    let list = |stage: Stage, names: &[EngineName], in_flight: u32, per_minute: u32| -> Vec<EnginePolicy> {
        let is_there = |name: &&EngineName| **name == EngineName::Local || engines.has(stage, name.as_str());
        let engine = |name: &EngineName| {
            let provider = engines.providers.get(name.as_str()).filter(|_| *name != EngineName::Local);
            EnginePolicy {
                name: name.as_str().to_owned(),
                provider: provider.map(|_| name.as_str().to_owned()),
                metered: provider.is_some_and(|provider| provider.metered),
                max_in_flight: if provider.is_some() { in_flight } else { threads(stage) },
                per_minute: if provider.is_some() { per_minute } else { u32::MAX },
            }
        };
        names.iter().filter(is_there).map(engine).collect()
    };
    let hedge = |after: Duration, deadline: Duration| (after <= deadline).then_some(after);
    let stage = |engines, deadline: Duration, total, hedge_after| StagePolicy {
        engines,
        deadline: deadline.saturating_sub(MARGIN),
        total,
        stall: deadline.saturating_sub(MARGIN),
        hedge_after: hedge(hedge_after, deadline),
    };
    let stages = [
        (
            Stage::Recognize,
            stage(
                list(Stage::Recognize, &recognize.engines, recognize.in_flight, recognize.per_minute),
                recognize.deadline,
                recognize.total,
                recognize.hedge_after,
            ),
        ),
        (
            Stage::Reply,
            stage(
                list(Stage::Reply, &reply.engines, reply.in_flight, reply.per_minute),
                reply.deadline,
                reply.total,
                reply.hedge_after,
            ),
        ),
        (
            Stage::Synthesize,
            stage(
                list(Stage::Synthesize, &synthesize.engines, synthesize.in_flight, synthesize.per_minute),
                synthesize.deadline,
                synthesize.total,
                synthesize.hedge_after,
            ),
        ),
    ];
    Policy {
        stages: stages.into_iter().collect(),
        breaker: BreakerPolicy::default(),
        budget: Some(Micros(weather.budget_per_day.micros())),
    }
}

/// Returns the day as the box believes it: UTC, counted from 1970.
pub(crate) fn day_of(clock: Clock) -> u32 {
    u32::try_from(clock.wall_ms() / DAY_MS).unwrap_or(u32::MAX)
}

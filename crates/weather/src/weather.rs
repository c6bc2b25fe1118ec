//! The weather of the whole box: who may serve, decided from how all went before.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use units::TurnId;

use crate::breaker::Breaker;
use crate::connectivity::Online;
use crate::ledger::Ledger;
use crate::rate::Rate;
use crate::{BreakerState, CallWeather, EnginePolicy, FailureKind, Micros, Outcome, Plan, Policy, Stage, StagePolicy};

mod choice;

use choice::Choice;

/// The weather of the whole box.
#[derive(Clone, Debug)]
pub struct Weather {
    policy: Policy,
    engines: BTreeMap<Stage, BTreeMap<String, Engine>>,
    online: BTreeMap<String, Online>,
    ledger: Ledger,
}

/// What is known of one engine.
#[derive(Clone, Debug, Default)]
struct Engine {
    breaker: Breaker,
    rate: Rate,
    /// The places taken by requests that may still run, the oldest first.
    places: VecDeque<Place>,
    worked_at: Option<Duration>,
}

/// A place taken by one request.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// When it is given back even if nobody reports: whoever took it is gone.
    until: Duration,
    /// What the request is likely to cost.
    estimate: Micros,
}

/// How an engine does, for the health page and the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineState {
    /// The stage it serves.
    pub stage: Stage,
    /// Its name.
    pub engine: String,
    /// Whether it may serve.
    pub breaker: BreakerState,
    /// Whether its provider can be reached; always for an engine of this device.
    pub online: Online,
    /// Failures in a row.
    pub failures: u32,
    /// How it failed last, if ever.
    pub last_failure: Option<FailureKind>,
    /// Places taken: requests that run or may still be started.
    pub in_flight: u32,
}

impl Weather {
    /// Returns fair weather: every engine may serve.
    pub fn new(policy: Policy) -> Self {
        let engines = policy.stages.iter().map(|(stage, of)| {
            (*stage, of.engines.iter().map(|engine| (engine.name.clone(), Engine::default())).collect())
        });
        Self { engines: engines.collect(), policy, online: BTreeMap::new(), ledger: Ledger::default() }
    }

    /// Decides who shall serve one request of `turn`, and takes places (in flight, rate, money) for all that may be
    /// started.
    ///
    /// `now` is the time since any one moment, the same for all methods; `day` is the number of the day in the office's
    /// calendar, for the budget. `estimate` says what a request of a metered engine is likely to cost.
    pub fn plan(
        &mut self,
        now: Duration,
        day: u32,
        stage: Stage,
        turn: TurnId,
        call: &CallWeather,
        estimate: impl Fn(&str) -> Micros,
    ) -> Plan {
        self.forget_lost_places(now);
        let Some(policy) = self.policy.stages.get(&stage).cloned() else {
            return StagePolicy::NONE.plan(stage, turn);
        };
        let mut plan = policy.plan(stage, turn);
        Choice { weather: self, now, day, stage, turn, call, estimate: &estimate, voice: 0 }.make(&policy, &mut plan);
        plan
    }

    /// Takes note of how an engine did, as [`crate::RaceOutput::Report`] says, and gives its place back. Charge what the
    /// request cost first, so that the money is counted throughout. `random` jitters the back-off.
    pub fn report(&mut self, now: Duration, stage: Stage, engine: &str, outcome: &Outcome, random: u64) {
        let breaker = self.policy.breaker;
        let per_minute = self.policy_of(stage, engine).map_or(0, |policy| policy.per_minute);
        let Some(engine) = self.engines.get_mut(&stage).and_then(|engines| engines.get_mut(engine)) else {
            return;
        };
        engine.places.pop_front();
        match outcome {
            Outcome::Worked => {
                engine.breaker.worked();
                engine.worked_at = Some(now);
            }
            Outcome::Failed(failure) => engine.breaker.failed(now, *failure, &breaker, random),
            Outcome::Abandoned => {}
            Outcome::Unused => engine.rate.give_back(per_minute),
        }
    }

    /// Counts what was really spent on `engine` on `day`; also restores what a run before this one spent.
    pub fn charge(&mut self, day: u32, engine: &str, cost: Micros) {
        self.ledger.charge(day, engine, cost);
    }

    /// Takes note of whether a provider can be reached. Until then it is [`Online::Unknown`], which is no obstacle.
    pub fn set_online(&mut self, provider: &str, online: Online) {
        self.online.insert(provider.into(), online);
    }

    /// Changes what the metered engines may cost in a day. What runs already goes on.
    pub const fn set_budget(&mut self, budget: Option<Micros>) {
        self.policy.budget = budget;
    }

    /// Returns what was spent on `day`.
    pub fn spent(&self, day: u32) -> Micros {
        self.ledger.spent(day)
    }

    /// Returns what was spent on each engine since the start, what was restored included.
    pub const fn spent_by_engine(&self) -> &BTreeMap<String, Micros> {
        self.ledger.by_engine()
    }

    /// Returns how each engine does, by stage and in the order of preference.
    pub fn states(&self, now: Duration) -> Vec<EngineState> {
        let stages = self.policy.stages.iter();
        let engines = stages.flat_map(|(stage, policy)| policy.engines.iter().map(|engine| (*stage, engine)));
        engines.filter_map(|(stage, policy)| self.state(now, stage, policy)).collect()
    }

    fn state(&self, now: Duration, stage: Stage, policy: &EnginePolicy) -> Option<EngineState> {
        let engine = self.engine(stage, &policy.name)?;
        Some(EngineState {
            stage,
            engine: policy.name.clone(),
            breaker: engine.breaker.state(now),
            online: self.online(policy),
            failures: engine.breaker.failures(),
            last_failure: engine.breaker.last_failure(),
            in_flight: u32::try_from(engine.places.len()).unwrap_or(u32::MAX),
        })
    }

    fn online(&self, policy: &EnginePolicy) -> Online {
        match &policy.provider {
            None => Online::Yes,
            Some(provider) => self.online.get(provider).copied().unwrap_or_default(),
        }
    }

    fn engine(&self, stage: Stage, engine: &str) -> Option<&Engine> {
        self.engines.get(&stage)?.get(engine)
    }

    fn policy_of(&self, stage: Stage, engine: &str) -> Option<&EnginePolicy> {
        self.policy.stages.get(&stage)?.engines.iter().find(|policy| policy.name == engine)
    }

    /// Returns what the requests in flight are likely to cost.
    fn reserved(&self) -> Micros {
        let engines = self.engines.values().flat_map(BTreeMap::values);
        engines.flat_map(|engine| &engine.places).map(|place| place.estimate).sum()
    }

    fn forget_lost_places(&mut self, now: Duration) {
        for engine in self.engines.values_mut().flat_map(BTreeMap::values_mut) {
            engine.places.retain(|place| now < place.until);
        }
    }
}

impl StagePolicy {
    /// A stage that nobody serves.
    const NONE: Self = Self {
        engines: Vec::new(),
        deadline: Duration::ZERO,
        total: Duration::ZERO,
        stall: Duration::ZERO,
        hedge_after: None,
    };

    /// Returns the longest that a race can last, with room: engines of this device have twice `total`.
    const fn lease(&self) -> Duration {
        self.total.saturating_mul(3)
    }

    const fn plan(&self, stage: Stage, turn: TurnId) -> Plan {
        Plan {
            stage,
            turn,
            candidates: Vec::new(),
            skipped: Vec::new(),
            deadline: self.deadline,
            total: self.total,
            stall: self.stall,
            hedge_after: self.hedge_after,
        }
    }
}

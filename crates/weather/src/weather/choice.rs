//! The choice of engines for one request.

use alloc::vec::Vec;
use core::time::Duration;

use units::TurnId;

use super::{Place, Weather};
use crate::{
    BreakerState, CallWeather, Candidate, EnginePolicy, Micros, Plan, Role, SkipReason, Skipped, Stage, StagePolicy,
};

/// What part of its deadline the voice of a call has in a turn in which the caller has suffered a time-out already: a third,
/// which is what a voice that is well takes.
const AFTER_A_WAIT: u32 = 3;

/// One choice being made.
pub(super) struct Choice<'a> {
    pub(super) weather: &'a mut Weather,
    pub(super) now: Duration,
    pub(super) day: u32,
    pub(super) stage: Stage,
    pub(super) turn: TurnId,
    pub(super) call: &'a CallWeather,
    pub(super) estimate: &'a dyn Fn(&str) -> Micros,
    /// Where in the list the voice of the call stands, if it may serve. What stands before it would change the voice.
    pub(super) voice: usize,
}

/// What speaks against an engine.
#[derive(Clone, Copy)]
struct Obstacle {
    why: SkipReason,
    /// Whether it is worth finding out, at nobody's cost, if the engine works again.
    probe: bool,
}

impl Choice<'_> {
    /// Fills the plan, and takes the places.
    pub(super) fn make(mut self, policy: &StagePolicy, plan: &mut Plan) {
        self.voice = self.rank_of_voice(policy);
        let locals = self.locals(policy, plan);
        // What the owner put behind this device is for when this device has nothing.
        let clouds = policy.engines.iter().enumerate();
        let clouds = clouds.take_while(|(_, engine)| locals.is_empty() || !engine.is_local());
        for (rank, engine) in clouds.filter(|(_, engine)| !engine.is_local()) {
            self.consider(policy, rank, engine, plan);
        }
        if locals.is_empty() && !plan.cloud() {
            self.make_do(policy, plan);
        }
        if self.call.waited_in(self.turn) && plan.cloud() && !locals.is_empty() {
            // The caller has waited in this turn: what is left is a part of the deadline, with this device beside it.
            plan.deadline /= AFTER_A_WAIT;
            plan.hedge_after = Some(Duration::ZERO);
        }
        if locals.iter().any(|local| self.is_loaded(local)) {
            plan.hedge_after = None;
        }
        let role = if plan.cloud() { Role::Hedge } else { Role::Serve };
        for local in locals {
            self.take(policy, local, role, plan);
        }
    }

    /// Returns the engines of this device that may serve, in order.
    fn locals<'p>(&self, policy: &'p StagePolicy, plan: &mut Plan) -> Vec<&'p EnginePolicy> {
        let mut locals = Vec::new();
        for (rank, engine) in policy.engines.iter().enumerate().filter(|(_, engine)| engine.is_local()) {
            if engine.is_disabled() {
                skip(plan, engine, SkipReason::Disabled);
            } else if self.is_over_budget(engine) {
                skip(plan, engine, SkipReason::OverBudget);
            } else {
                locals.push((self.keeps_other_voice(rank, engine), engine));
            }
        }
        // One whose voice was lost still speaks when all others are mute.
        locals.sort_by_key(|(lost, _)| *lost);
        locals.into_iter().map(|(_, engine)| engine).collect()
    }

    /// Returns the rank of the call's voice, or zero if it has none that may serve, so that nothing stands before it.
    fn rank_of_voice(&self, policy: &StagePolicy) -> usize {
        let voice = self.call.voice().filter(|_| self.stage == Stage::Synthesize);
        let ranked = policy.engines.iter().enumerate().find(|(_, engine)| Some(engine.name.as_str()) == voice);
        let usable = ranked.filter(|(rank, engine)| {
            if engine.is_local() { !engine.is_disabled() } else { self.obstacle(*rank, engine).is_none() }
        });
        usable.map_or(0, |(rank, _)| rank)
    }

    /// Gives an engine of the cloud its place, or notes why it has none.
    fn consider(&mut self, policy: &StagePolicy, rank: usize, engine: &EnginePolicy, plan: &mut Plan) {
        let Some(obstacle) = self.obstacle(rank, engine) else {
            return self.take(policy, engine, Role::Serve, plan);
        };
        skip(plan, engine, obstacle.why);
        if obstacle.probe && self.is_idle(engine) && self.limit(engine).is_none() {
            self.take(policy, engine, Role::Shadow, plan);
        }
    }

    /// Nobody is left: a caller who waits is better off than one who gets nothing. The first engine whose obstacle only
    /// spares callers serves nevertheless.
    fn make_do(&mut self, policy: &StagePolicy, plan: &mut Plan) {
        let spared = plan.skipped.iter().filter(|skipped| skipped.why.yields_to_need());
        let engine = spared
            .filter_map(|skipped| policy.engines.iter().find(|engine| engine.name == skipped.engine))
            .find(|engine| plan.candidates.iter().any(|of| of.engine == engine.name) || self.limit(engine).is_none());
        let Some(engine) = engine else { return };
        plan.skipped.retain(|skipped| skipped.engine != engine.name);
        match plan.candidates.iter_mut().find(|candidate| candidate.engine == engine.name) {
            Some(shadow) => shadow.role = Role::Serve,
            None => self.take(policy, engine, Role::Serve, plan),
        }
    }

    /// Returns what speaks against an engine of the cloud, the weightiest first.
    fn obstacle(&self, rank: usize, engine: &EnginePolicy) -> Option<Obstacle> {
        let plain = |why| Some(Obstacle { why, probe: false });
        if engine.is_disabled() {
            return plain(SkipReason::Disabled);
        }
        if self.weather.online(engine).is_no() {
            return plain(SkipReason::Offline);
        }
        if self.is_over_budget(engine) {
            return plain(SkipReason::OverBudget);
        }
        match self.weather.engine(self.stage, &engine.name)?.breaker.state(self.now) {
            BreakerState::Closed => {}
            BreakerState::Open { .. } => return plain(SkipReason::BreakerOpen),
            BreakerState::HalfOpen => return Some(Obstacle { why: SkipReason::Probing, probe: true }),
        }
        let waited_for = self.waited_for(engine);
        if waited_for || (self.call.waited_in(self.turn) && !self.is_voice(engine)) {
            return Some(Obstacle { why: SkipReason::WaitedAlready, probe: waited_for });
        }
        if self.keeps_other_voice(rank, engine) {
            return plain(SkipReason::VoiceKept);
        }
        self.limit(engine).and_then(plain)
    }

    /// Returns whether the caller waited for this engine in vain, and nobody has seen it work since.
    fn waited_for(&self, engine: &EnginePolicy) -> bool {
        let worked = self.weather.engine(self.stage, &engine.name).and_then(|engine| engine.worked_at);
        let waited = self.call.waited_for(self.stage, &engine.name);
        waited.is_some_and(|waited| worked.is_none_or(|worked| worked <= waited))
    }

    /// Returns whether the call has this engine's voice. Another stage's time-out says nothing against it, and does not
    /// change the voice.
    fn is_voice(&self, engine: &EnginePolicy) -> bool {
        self.stage == Stage::Synthesize && self.call.voice() == Some(engine.name.as_str())
    }

    /// Returns whether the call must not change to this engine's voice.
    fn keeps_other_voice(&self, rank: usize, engine: &EnginePolicy) -> bool {
        self.stage == Stage::Synthesize && (rank < self.voice || self.call.has_lost_voice(&engine.name))
    }

    fn is_over_budget(&self, engine: &EnginePolicy) -> bool {
        let Some(budget) = self.weather.policy.budget.filter(|_| engine.metered) else { return false };
        let spent = self.weather.spent(self.day).saturating_add(self.weather.reserved());
        budget == Micros::ZERO || spent.saturating_add((self.estimate)(&engine.name)) > budget
    }

    /// Returns the limit on requests that one more would break.
    fn limit(&self, policy: &EnginePolicy) -> Option<SkipReason> {
        let engine = self.weather.engine(self.stage, &policy.name)?;
        if !engine.rate.allows(self.now, policy.per_minute) {
            return Some(SkipReason::RateLimited);
        }
        let full = u32::try_from(engine.places.len()).is_ok_and(|taken| taken >= policy.max_in_flight);
        full.then_some(SkipReason::InFlight)
    }

    fn is_loaded(&self, local: &EnginePolicy) -> bool {
        self.limit(local).is_some()
    }

    /// Returns whether no request runs. While one runs, its end tells as much as a shadow would.
    fn is_idle(&self, policy: &EnginePolicy) -> bool {
        self.weather.engine(self.stage, &policy.name).is_some_and(|engine| engine.places.is_empty())
    }

    fn take(&mut self, stage: &StagePolicy, policy: &EnginePolicy, role: Role, plan: &mut Plan) {
        let estimate = if policy.metered { (self.estimate)(&policy.name) } else { Micros::ZERO };
        let engines = self.weather.engines.get_mut(&self.stage);
        let Some(engine) = engines.and_then(|engines| engines.get_mut(&policy.name)) else { return };
        engine.rate.take(self.now, policy.per_minute);
        engine.places.push_back(Place { until: self.now.saturating_add(stage.lease()), estimate });
        plan.candidates.push(Candidate { engine: policy.name.clone(), role, local: policy.is_local() });
    }
}

fn skip(plan: &mut Plan, engine: &EnginePolicy, why: SkipReason) {
    plan.skipped.push(Skipped { engine: engine.name.clone(), why });
}

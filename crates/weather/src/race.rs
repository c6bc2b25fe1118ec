//! One request: who is started, who serves, who is stopped, and when.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use units::TurnId;

use crate::decision::whole_millis;
use crate::{Decision, FailedEngine, Failure, FailureKind, Outcome, Plan, Role, SkipReason, Skipped, Stage};

mod runner;
mod timer;

use runner::{Lane, Runner, State};
use timer::Timer;

/// How often the engine that serves may change to: the first and, when that one breaks half way, one more.
const MAX_SERVES: u8 = 2;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RaceInput {
    /// An engine gave a useful output, the first or a further one.
    Useful {
        /// Its name.
        engine: String,
    },
    /// An engine has come to its end, with or without output. No output is a proper answer: a turn can be silent.
    Done {
        /// Its name.
        engine: String,
    },
    /// An engine failed.
    Failed {
        /// Its name.
        engine: String,
        /// How.
        failure: Failure,
    },
    /// Nobody wants the answer any more.
    Cancelled,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RaceOutput {
    /// Start this engine's request, from the beginning if it ran before.
    Start {
        /// Its name.
        engine: String,
        /// As what.
        role: Role,
    },
    /// From here on this engine's outputs go to the caller; those it has given before, first. Twice at most: again
    /// when the first engine breaks half way.
    Serve {
        /// Its name.
        engine: String,
    },
    /// Drop this engine's request and what it has given, unless it was served.
    Stop {
        /// Its name.
        engine: String,
    },
    /// Hand this to [`crate::Weather::report`]. Once for each engine of the plan, which gives its places back.
    Report {
        /// Its name.
        engine: String,
        /// How it did.
        outcome: Outcome,
    },
    /// Who served and why. Once; behind it come only reports, and [`RaceOutput::Failed`].
    Settled(Decision),
    /// Nobody could, or the one that served broke and nobody could take over.
    Failed {
        /// How the last one failed; that of this device if it was tried.
        failure: Failure,
    },
}

/// One request.
#[derive(Clone, Debug)]
pub struct Race {
    stage: Stage,
    turn: TurnId,
    skipped: Vec<Skipped>,
    deadline: Duration,
    total: Duration,
    stall: Duration,
    hedge_after: Option<Duration>,
    start: Duration,
    now: Duration,
    runners: Vec<Runner>,
    phase: Phase,
    serves: u8,
    /// Whether the caller has suffered a time-out of the cloud: then no other engine of the cloud is started.
    timed_out: bool,
    took: Option<Duration>,
    last_output: Duration,
    failed: Vec<FailedEngine>,
    last_failure: Option<(Lane, Failure)>,
    settled: Option<Decision>,
    outputs: VecDeque<RaceOutput>,
}

/// Where the race stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody serves.
    Choosing,
    /// The runner with this number serves.
    Serving(usize),
    /// It is settled. Shadows may still run.
    Settled,
}

impl Race {
    /// Returns a race that starts at `now`, with its first outputs.
    pub fn new(now: Duration, plan: Plan) -> Self {
        let mut race = Self {
            stage: plan.stage,
            turn: plan.turn,
            skipped: plan.skipped,
            deadline: plan.deadline.min(plan.total),
            total: plan.total,
            stall: plan.stall,
            hedge_after: plan.hedge_after,
            start: now,
            now,
            runners: plan.candidates.into_iter().map(Runner::new).collect(),
            phase: Phase::Choosing,
            serves: 0,
            timed_out: false,
            took: None,
            last_output: now,
            failed: Vec::new(),
            last_failure: None,
            settled: None,
            outputs: VecDeque::new(),
        };
        while let Some(shadow) = race.find(Lane::Shadow, State::is_idle) {
            race.launch(shadow, Role::Shadow);
        }
        match race.find(Lane::Cloud, State::is_idle) {
            Some(cloud) => race.launch(cloud, Role::Serve),
            None => race.go_on(),
        }
        race.handle_timeout(now);
        race
    }

    /// Takes note that one thing happened at `now`, after firing what was due by then. Time never goes back: an earlier
    /// `now` counts as the latest. What comes from an engine that is stopped or unknown is ignored.
    pub fn handle_input(&mut self, now: Duration, input: RaceInput) {
        self.handle_timeout(now);
        match input {
            RaceInput::Useful { engine } => self.on_running(&engine, Self::useful),
            RaceInput::Done { engine } => self.on_running(&engine, Self::done),
            RaceInput::Failed { engine, failure } => {
                self.on_running(&engine, |race, which| race.engine_failed(which, failure));
            }
            RaceInput::Cancelled => self.cancel(),
        }
    }

    /// Fires what is due at `now`, in the order of the deadlines and as if at their times.
    pub fn handle_timeout(&mut self, now: Duration) {
        let now = now.max(self.now);
        while let Some((deadline, timer)) = self.next_timer().filter(|(deadline, _)| *deadline <= now) {
            self.now = deadline.max(self.now);
            self.fire(timer);
        }
        self.now = now;
    }

    /// Returns the next thing to do, or `None` when all is done.
    pub fn poll_output(&mut self) -> Option<RaceOutput> {
        self.outputs.pop_front()
    }

    /// Returns when to call [`Race::handle_timeout`] next; `None` when there is nothing to wait for.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.next_timer().map(|(deadline, _)| deadline)
    }

    /// Returns who served and why, once it is settled.
    pub fn decision(&self) -> Option<Decision> {
        self.settled.clone()
    }

    /// Returns what is known by now of who serves and why, for [`crate::CallWeather::note`] while the race still runs.
    pub fn so_far(&self) -> Decision {
        if let Some(decision) = &self.settled {
            return decision.clone();
        }
        let serving = match self.phase {
            Phase::Serving(which) => self.runners.get(which),
            Phase::Choosing | Phase::Settled => None,
        };
        Decision {
            stage: self.stage,
            turn: self.turn,
            served: serving.map(|runner| runner.engine.clone()),
            took: self.took,
            skipped: self.skipped.clone(),
            failed: self.failed.clone(),
            took_over: serving.is_some() && self.serves == MAX_SERVES,
        }
    }

    /// Returns whether nothing runs any more, not even in the shadow.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Settled && self.find(Lane::Shadow, State::is_running).is_none()
    }

    // What engines did.

    fn useful(&mut self, which: usize) {
        let now = self.now;
        let Some(runner) = self.runners.get_mut(which) else { return };
        runner.useful_at.get_or_insert(now);
        match (runner.lane, self.phase) {
            (Lane::Shadow, _) | (_, Phase::Settled) => {}
            (_, Phase::Serving(serving)) if serving == which => self.last_output = now,
            (_, Phase::Serving(_)) => {}
            (Lane::Local, Phase::Choosing) if self.has_hope() => {}
            (Lane::Cloud | Lane::Local, Phase::Choosing) => self.serve(which),
        }
    }

    fn done(&mut self, which: usize) {
        self.useful(which);
        let Some(runner) = self.runners.get_mut(which) else { return };
        let in_time = runner.useful_at.is_some_and(|at| at <= self.start.saturating_add(self.deadline));
        runner.state = State::Finished;
        // A shadow is judged by the measure of those that serve: what comes too late would not have been served.
        if runner.lane == Lane::Shadow && !in_time {
            return self.report(which, Outcome::Failed(Failure::TIMED_OUT));
        }
        if self.phase == Phase::Serving(which) {
            self.settle();
        }
        self.report(which, Outcome::Worked);
        self.clear_up();
    }

    fn engine_failed(&mut self, which: usize, failure: Failure) {
        let Some(runner) = self.runners.get(which) else { return };
        match (runner.lane, self.phase) {
            (Lane::Shadow, _) | (_, Phase::Settled) => self.drop_out(which, failure),
            (_, Phase::Serving(serving)) if serving == which => self.broke(which, failure),
            (_, Phase::Serving(_)) => self.drop_out(which, failure),
            (Lane::Cloud, Phase::Choosing) => self.cloud_failed(which, failure),
            (Lane::Local, Phase::Choosing) => self.local_failed(which, failure),
        }
    }

    fn cloud_failed(&mut self, which: usize, failure: Failure) {
        if self.wait_to_retry(which, failure) {
            return;
        }
        self.drop_out(which, failure);
        let early = self.now.saturating_sub(self.start) <= self.cloud_deadline() / 3;
        let next = self.find(Lane::Cloud, State::is_idle).filter(|_| !self.timed_out);
        match next {
            Some(next) if early && failure.kind.is_one_providers_trouble() => self.launch(next, Role::Serve),
            Some(_) | None => self.go_on(),
        }
    }

    /// Returns whether the provider asked for a pause short enough that the same engine may be tried once more.
    fn wait_to_retry(&mut self, which: usize, failure: Failure) -> bool {
        let limit = self.start.saturating_add(self.cloud_deadline().saturating_mul(2) / 3);
        let at = failure.retry_after.map(|pause| self.now.saturating_add(pause)).filter(|at| *at <= limit);
        let (FailureKind::RateLimited, Some(at)) = (failure.kind, at) else { return false };
        let Some(runner) = self.runners.get_mut(which).filter(|runner| !runner.retried) else { return false };
        runner.retried = true;
        runner.state = State::Waiting { until: at };
        self.note_failure(which, failure);
        self.stop(which);
        true
    }

    fn local_failed(&mut self, which: usize, failure: Failure) {
        self.drop_out(which, failure);
        if !self.has_hope() {
            return self.go_on();
        }
        if let Some(next) = self.find(Lane::Local, State::is_idle) {
            self.launch(next, Role::Hedge);
        }
    }

    /// The one that serves broke half way.
    fn broke(&mut self, which: usize, failure: Failure) {
        self.drop_out(which, failure);
        self.phase = Phase::Choosing;
        if self.serves < MAX_SERVES { self.go_on() } else { self.fail() }
    }

    fn cancel(&mut self) {
        if self.phase != Phase::Settled {
            self.settle();
            self.clear_up();
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Retry => {
                if let Some(waiting) = self.find(Lane::Cloud, State::is_waiting) {
                    self.launch(waiting, Role::Serve);
                }
            }
            Timer::Deadline => {
                if let Some(cloud) = self.find(Lane::Cloud, State::is_running) {
                    self.stop(cloud);
                    self.drop_out(cloud, Failure::TIMED_OUT);
                    self.go_on();
                }
            }
            Timer::Hedge => {
                if let Some(local) = self.find(Lane::Local, State::is_idle) {
                    self.launch(local, Role::Hedge);
                }
            }
            Timer::Stall | Timer::Total => {
                if let Phase::Serving(which) = self.phase {
                    self.stop(which);
                    self.broke(which, Failure::TIMED_OUT);
                }
            }
            Timer::Shadow => self.time_out(Lane::Shadow),
            Timer::LocalLimit => self.time_out(Lane::Local),
        }
    }

    fn time_out(&mut self, lane: Lane) {
        if let Some(which) = self.find(lane, State::is_running) {
            self.stop(which);
            self.engine_failed(which, Failure::TIMED_OUT);
        }
    }

    // What follows.

    /// Nobody serves and no engine of the cloud is running: this device, else whoever is left.
    fn go_on(&mut self) {
        let ready = self.find(Lane::Local, |state| state.is_running() || state.is_finished());
        if let Some(local) = ready {
            if self.runners.get(local).is_some_and(|runner| runner.useful_at.is_some()) {
                self.serve(local);
            }
            return;
        }
        let local = self.find(Lane::Local, |state| state.is_idle() || state.is_parked());
        let cloud = self.find(Lane::Cloud, State::is_idle).filter(|_| !self.timed_out);
        match local.or(cloud) {
            Some(next) => self.launch(next, Role::Serve),
            None => self.fail(),
        }
    }

    fn launch(&mut self, which: usize, role: Role) {
        if let Some(runner) = self.runners.get_mut(which) {
            runner.state = State::Running;
            runner.useful_at = None;
            self.outputs.push_back(RaceOutput::Start { engine: runner.engine.clone(), role });
        }
    }

    fn serve(&mut self, which: usize) {
        let Some(runner) = self.runners.get(which) else { return };
        let (lane, finished) = (runner.lane, runner.state.is_finished());
        self.outputs.push_back(RaceOutput::Serve { engine: runner.engine.clone() });
        self.phase = Phase::Serving(which);
        self.serves += 1;
        self.last_output = self.now;
        self.took.get_or_insert(whole_millis(self.now.saturating_sub(self.start)));
        if finished {
            self.settle();
            self.clear_up();
        } else if lane == Lane::Cloud {
            self.park_locals();
        }
    }

    /// The cloud serves: this device need not go on, but keeps its place in case the cloud breaks half way.
    fn park_locals(&mut self) {
        while let Some(local) = self.find(Lane::Local, State::is_running) {
            self.stop(local);
            if let Some(runner) = self.runners.get_mut(local) {
                runner.state = State::Parked;
            }
        }
    }

    /// Notes the failure, and takes the engine out of the race.
    fn drop_out(&mut self, which: usize, failure: Failure) {
        self.note_failure(which, failure);
        if let Some(runner) = self.runners.get_mut(which) {
            runner.state = State::Out;
        }
        self.report(which, Outcome::Failed(failure));
    }

    fn note_failure(&mut self, which: usize, failure: Failure) {
        let Some(runner) = self.runners.get(which).filter(|runner| runner.lane != Lane::Shadow) else { return };
        let after = whole_millis(self.now.saturating_sub(self.start));
        self.failed.push(FailedEngine { engine: runner.engine.clone(), kind: failure.kind, after });
        if runner.lane == Lane::Local || self.last_failure.is_none_or(|(lane, _)| lane != Lane::Local) {
            self.last_failure = Some((runner.lane, failure));
        }
        self.timed_out |= runner.lane == Lane::Cloud && failure.kind == FailureKind::TimedOut;
    }

    fn fail(&mut self) {
        self.settle();
        self.clear_up();
        let failure = self.last_failure.map_or_else(|| self.nobody(), |(_, failure)| failure);
        self.outputs.push_back(RaceOutput::Failed { failure });
    }

    /// Returns as what it counts that nobody could be tried.
    fn nobody(&self) -> Failure {
        let offline = self.skipped.iter().any(|skipped| skipped.why == SkipReason::Offline);
        Failure::new(if offline { FailureKind::Unroutable } else { FailureKind::Broken })
    }

    fn settle(&mut self) {
        let decision = self.so_far();
        self.phase = Phase::Settled;
        self.settled = Some(decision.clone());
        self.outputs.push_back(RaceOutput::Settled(decision));
    }

    /// Once it is settled, gives back the places of all but the shadows.
    fn clear_up(&mut self) {
        if self.phase != Phase::Settled {
            return;
        }
        for which in 0..self.runners.len() {
            let Some(runner) = self.runners.get_mut(which).filter(|runner| runner.lane != Lane::Shadow) else {
                continue;
            };
            let (running, idle) = (runner.state.is_running(), runner.state.is_idle());
            runner.state = State::Out;
            if running {
                self.stop(which);
            }
            self.report(which, if idle { Outcome::Unused } else { Outcome::Abandoned });
        }
    }

    fn stop(&mut self, which: usize) {
        if let Some(runner) = self.runners.get(which) {
            self.outputs.push_back(RaceOutput::Stop { engine: runner.engine.clone() });
        }
    }

    /// Reports how an engine did, unless that was done already.
    fn report(&mut self, which: usize, outcome: Outcome) {
        let Some(runner) = self.runners.get_mut(which).filter(|runner| !runner.reported) else { return };
        runner.reported = true;
        self.outputs.push_back(RaceOutput::Report { engine: runner.engine.clone(), outcome });
    }

    fn on_running(&mut self, engine: &str, act: impl FnOnce(&mut Self, usize)) {
        let running = |runner: &Runner| runner.engine == engine && runner.state.is_running();
        if let Some(which) = self.runners.iter().position(running) {
            act(self, which);
        }
    }

    /// Returns whether an engine of the cloud runs or is about to.
    fn has_hope(&self) -> bool {
        self.find(Lane::Cloud, |state| state.is_running() || state.is_waiting()).is_some()
    }

    fn find(&self, lane: Lane, state: impl Fn(State) -> bool) -> Option<usize> {
        self.runners.iter().position(|runner| runner.lane == lane && state(runner.state))
    }
}

//! What happens in the office, and what was promised about it.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use units::TurnId;

use super::super::{ms, policy};
use super::engines::{Mood, Random};
use crate::{
    CallWeather, Decision, FailureKind, Micros, OfflineReason, Online, Outcome, Plan, Policy, Race, RaceInput,
    RaceOutput, Role, SkipReason, Stage, Weather,
};

pub(super) use super::engines::DEVICE;

/// Callers at once.
const CALLERS: usize = 4;
/// What a request costs.
const COST: Micros = Micros(500);

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) turns: u64,
    pub(super) requests: u64,
    pub(super) cloud_served: u64,
    pub(super) nobody: u64,
    pub(super) cancelled: u64,
    pub(super) time_outs: u64,
    pub(super) takeovers: u64,
    pub(super) retries_served: u64,
    pub(super) second_providers: u64,
    pub(super) shadows: u64,
    pub(super) shadows_worked: u64,
    pub(super) voices_changed: u64,
    pub(super) without_money: u64,
    pub(super) longest_wait: Duration,
}

impl Figures {
    pub(super) fn add(&mut self, other: &Self) {
        self.turns += other.turns;
        self.requests += other.requests;
        self.cloud_served += other.cloud_served;
        self.nobody += other.nobody;
        self.cancelled += other.cancelled;
        self.time_outs += other.time_outs;
        self.takeovers += other.takeovers;
        self.retries_served += other.retries_served;
        self.second_providers += other.second_providers;
        self.shadows += other.shadows;
        self.shadows_worked += other.shadows_worked;
        self.voices_changed += other.voices_changed;
        self.without_money += other.without_money;
        self.longest_wait = self.longest_wait.max(other.longest_wait);
    }
}

pub(super) struct World {
    random: Random,
    now: Duration,
    weather: Weather,
    budget: Option<Micros>,
    moods: BTreeMap<(Stage, String), Mood>,
    /// When each engine last worked, for anybody.
    worked: BTreeMap<(Stage, String), Duration>,
    events: BTreeMap<(Duration, u64), Event>,
    scheduled: u64,
    callers: Vec<Caller>,
    requests: BTreeMap<u64, Request>,
    turns_left: u32,
    figures: Figures,
}

enum Event {
    /// The caller has said something.
    Turn { caller: usize },
    /// An engine does something in its run with this number.
    Engine { request: u64, run: u64, input: RaceInput },
    /// The caller goes on speaking.
    Cancel { request: u64 },
    /// The world changes.
    Change,
}

#[derive(Default)]
struct Caller {
    call: CallWeather,
    turn: TurnId,
    turns_left: u32,
    /// What the world, not the code under test, remembers of this call's time-outs.
    suffered: BTreeMap<(Stage, String), Duration>,
    suffered_in: Option<TurnId>,
    /// The voices heard, in order.
    voices: Vec<String>,
    /// The engines that failed to speak.
    mute: BTreeSet<String>,
    running: u32,
    speaks: bool,
}

struct Request {
    caller: usize,
    stage: Stage,
    plan: Plan,
    race: Race,
    start: Duration,
    runs: BTreeMap<String, u64>,
    served: Vec<String>,
    waits: u32,
    device_failed: bool,
    settled: Option<Decision>,
    failed: bool,
    cancelled: bool,
    reports: Vec<String>,
    without_money: bool,
}

impl World {
    pub(super) fn new(seed: u64, turns: u32) -> Self {
        let weather = Weather::new(office());
        let mut world = Self {
            random: Random::new(seed),
            now: ms(0),
            weather,
            budget: None,
            moods: BTreeMap::new(),
            worked: BTreeMap::new(),
            events: BTreeMap::new(),
            scheduled: 0,
            callers: (0..CALLERS).map(|_| Caller::default()).collect(),
            requests: BTreeMap::new(),
            turns_left: turns,
            figures: Figures::default(),
        };
        for caller in 0..CALLERS {
            world.schedule(ms(100), Event::Turn { caller });
        }
        world.schedule(ms(0), Event::Change);
        world
    }

    pub(super) fn run(mut self) -> Figures {
        loop {
            let timer = self.requests.iter().filter_map(|(id, of)| Some((of.race.poll_timeout()?, *id))).min();
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let (now, request) = match (timer, event) {
                (Some((deadline, id)), event) if event.is_none_or(|event| deadline <= event) => (deadline, Some(id)),
                (_, Some(event)) => (event, None),
                (_, None) => break,
            };
            assert!(now >= self.now, "time goes back");
            self.now = now;
            match request {
                Some(id) => self.feed(id, None),
                None => self.happen(),
            }
        }
        assert!(self.requests.is_empty(), "{} requests never ended", self.requests.len());
        for state in self.weather.states(self.now) {
            assert_eq!(state.in_flight, 0, "{} {} keeps places", state.stage, state.engine);
        }
        self.figures
    }

    fn happen(&mut self) {
        let Some((_, event)) = self.events.pop_first() else { return };
        match event {
            Event::Turn { caller } => self.begin_turn(caller),
            Event::Engine { request, run, input } => {
                let current = self.requests.get(&request).is_some_and(|of| of.runs.values().any(|of| *of == run));
                if current {
                    self.feed(request, Some(input));
                }
            }
            Event::Cancel { request } => {
                if let Some(of) = self.requests.get_mut(&request).filter(|of| of.settled.is_none()) {
                    of.cancelled = true;
                    self.figures.cancelled += 1;
                    self.feed(request, Some(RaceInput::Cancelled));
                }
            }
            Event::Change => self.change(),
        }
    }

    fn change(&mut self) {
        if self.turns_left == 0 {
            return;
        }
        for stage in Stage::ALL {
            for engine in ["openai", "google"] {
                if self.random.chance(40) {
                    let mood = Mood::any(&mut self.random);
                    self.moods.insert((stage, engine.to_owned()), mood);
                }
            }
        }
        let provider = if self.random.chance(50) { "openai" } else { "google" };
        let offline = self.random.chance(15);
        self.weather.set_online(provider, if offline { Online::No(OfflineReason::NoRoute) } else { Online::Yes });
        let spent = self.weather.spent(self.day());
        self.budget = match self.random.below(10) {
            0 => Some(Micros::ZERO),
            1 => Some(spent.saturating_add(Micros(20 * COST.0))),
            _ => None,
        };
        self.weather.set_budget(self.budget);
        let pause = ms(3_000 + self.random.below(15_000));
        self.schedule(pause, Event::Change);
    }

    fn begin_turn(&mut self, caller: usize) {
        if self.turns_left == 0 {
            return;
        }
        self.turns_left -= 1;
        self.figures.turns += 1;
        let turns = 5 + self.random.below(15);
        let of = &mut self.callers[caller];
        if of.turns_left == 0 {
            *of = Caller { turns_left: u32::try_from(turns).expect("few"), ..Caller::default() };
        }
        of.turns_left -= 1;
        of.turn = of.turn.next();
        of.speaks = false;
        self.ask(caller, Stage::Recognize);
    }

    fn ask(&mut self, caller: usize, stage: Stage) {
        let (now, day) = (self.now, self.day());
        let of = &mut self.callers[caller];
        of.running += 1;
        let plan = self.weather.plan(now, day, stage, of.turn, &of.call, |_| COST);
        let without_money = self.budget == Some(Micros::ZERO);
        check_plan(&plan, of, without_money, self.weather.spent(day), self.budget);
        self.figures.requests += 1;
        self.figures.without_money += u64::from(without_money);
        let id = self.figures.requests;
        let request = Request {
            caller,
            stage,
            plan: plan.clone(),
            race: Race::new(now, plan),
            start: now,
            runs: BTreeMap::new(),
            served: Vec::new(),
            waits: 0,
            device_failed: false,
            settled: None,
            failed: false,
            cancelled: false,
            reports: Vec::new(),
            without_money,
        };
        self.requests.insert(id, request);
        if self.random.chance(4) {
            let after = ms(50 + self.random.below(2_000));
            self.schedule(after, Event::Cancel { request: id });
        }
        self.drain(id);
    }

    /// Gives a race an input, or wakes it up, and does what it says.
    fn feed(&mut self, id: u64, input: Option<RaceInput>) {
        let now = self.now;
        let Some(request) = self.requests.get_mut(&id) else { return };
        match input {
            Some(RaceInput::Failed { engine, failure }) => {
                request.device_failed |= engine == "local";
                request.race.handle_input(now, RaceInput::Failed { engine, failure });
            }
            Some(input) => request.race.handle_input(now, input),
            None => request.race.handle_timeout(now),
        }
        self.drain(id);
    }

    fn drain(&mut self, id: u64) {
        while let Some(output) = self.requests.get_mut(&id).and_then(|of| of.race.poll_output()) {
            match output {
                RaceOutput::Start { engine, role } => self.start(id, &engine, role),
                RaceOutput::Serve { engine } => self.serve(id, &engine),
                RaceOutput::Stop { engine } => {
                    self.requests.get_mut(&id).map(|of| of.runs.remove(&engine));
                }
                RaceOutput::Report { engine, outcome } => self.report(id, &engine, outcome),
                RaceOutput::Settled(decision) => self.settle(id, decision),
                RaceOutput::Failed { .. } => self.requests.get_mut(&id).expect("it runs").failed = true,
            }
        }
        if self.requests.get(&id).is_some_and(|of| of.race.is_over()) {
            self.end(id);
        }
    }

    fn start(&mut self, id: u64, engine: &str, role: Role) {
        let request = self.requests.get_mut(&id).expect("it runs");
        assert!(engine == "local" || !request.without_money, "{engine} was started without money");
        self.figures.shadows += u64::from(role == Role::Shadow);
        let second = role == Role::Serve && engine == "google" && request.plan.why_skipped("openai").is_none();
        self.figures.second_providers += u64::from(second);
        self.scheduled += 1;
        let run = self.scheduled;
        request.runs.insert(engine.to_owned(), run);
        let stage = request.stage;
        let mood = if engine == "local" {
            Mood::Device
        } else {
            self.moods.get(&(stage, engine.to_owned())).copied().unwrap_or(Mood::Good)
        };
        for (after, input) in mood.script(engine, &mut self.random) {
            self.schedule(after, Event::Engine { request: id, run, input });
        }
    }

    /// From here on the caller hears it.
    fn serve(&mut self, id: u64, engine: &str) {
        let now = self.now;
        let request = self.requests.get_mut(&id).expect("it runs");
        let caller = &mut self.callers[request.caller];
        if request.served.is_empty() {
            let wait = now.saturating_sub(request.start);
            if !request.device_failed {
                assert!(wait <= ms(1_200) + DEVICE, "waited {wait:?}");
                self.figures.longest_wait = self.figures.longest_wait.max(wait);
            }
        }
        request.served.push(engine.to_owned());
        let so_far = request.race.so_far();
        caller.call.note(now, caller.turn, request.stage, &so_far);
        if request.stage == Stage::Synthesize {
            caller.mute.extend(so_far.failed.iter().map(|failed| failed.engine.clone()));
            let changed = caller.voices.last().is_some_and(|voice| voice != engine);
            if changed {
                let before = caller.voices.last().expect("it has spoken");
                let why = request.plan.why_skipped(before);
                let failed = caller.mute.contains(before);
                assert!(
                    failed || why.is_some_and(|why| why != SkipReason::VoiceKept),
                    "the voice changed from {before} to {engine} for nothing: {so_far}"
                );
                assert!(engine == "local" || !caller.voices.iter().any(|voice| voice == engine), "{engine} came back");
                self.figures.voices_changed += 1;
            }
            caller.call.has_spoken(engine);
            caller.voices.push(engine.to_owned());
        }
        // The voice begins with the first sentence, while the reply goes on.
        if request.stage == Stage::Reply && request.served.len() == 1 {
            let caller_number = request.caller;
            self.callers[caller_number].speaks = true;
            self.ask(caller_number, Stage::Synthesize);
        }
    }

    fn report(&mut self, id: u64, engine: &str, outcome: Outcome) {
        let (now, day) = (self.now, self.day());
        let request = self.requests.get_mut(&id).expect("it runs");
        assert!(!request.reports.iter().any(|reported| reported == engine), "{engine} was reported twice");
        request.reports.push(engine.to_owned());
        let stage = request.stage;
        let candidate = request.plan.candidates().iter().find(|of| of.engine == engine).expect("it was planned");
        let shadow = candidate.role == Role::Shadow;
        let timed_out = matches!(outcome, Outcome::Failed(failure) if failure.kind == FailureKind::TimedOut);
        if timed_out && !shadow && !candidate.local {
            self.figures.time_outs += 1;
            request.waits += 1;
            assert_eq!(request.waits, 1, "one request waited for two deadlines");
            let key = (stage, engine.to_owned());
            let caller = &mut self.callers[request.caller];
            if let Some(before) = caller.suffered.insert(key.clone(), now) {
                let worked = self.worked.get(&key).is_some_and(|worked| *worked > before);
                assert!(worked, "{stage} {engine} timed out twice in a row for one caller");
            }
            caller.suffered_in = Some(caller.turn);
        }
        if outcome == Outcome::Worked {
            self.worked.insert((stage, engine.to_owned()), now);
            self.figures.shadows_worked += u64::from(shadow);
        }
        if !candidate.local && outcome != Outcome::Unused {
            self.weather.charge(day, engine, COST);
        }
        let jitter = self.random.next();
        self.weather.report(now, stage, engine, &outcome, jitter);
    }

    fn settle(&mut self, id: u64, decision: Decision) {
        let now = self.now;
        let request = self.requests.get_mut(&id).expect("it runs");
        let (number, stage) = (request.caller, request.stage);
        let caller = &mut self.callers[number];
        caller.call.note(now, caller.turn, stage, &decision);
        caller.running -= 1;
        if stage == Stage::Synthesize {
            caller.mute.extend(decision.failed.iter().map(|failed| failed.engine.clone()));
        }
        self.figures.takeovers += u64::from(decision.took_over);
        let served = decision.served.clone();
        self.figures.cloud_served += u64::from(served.as_deref().is_some_and(|engine| engine != "local"));
        let retried = decision.failed.iter().any(|failed| Some(&failed.engine) == served.as_ref());
        self.figures.retries_served += u64::from(retried);
        assert!(request.settled.replace(decision).is_none(), "it was settled twice");
        let goes_on = served.is_some() && !request.cancelled;
        if stage == Stage::Recognize && goes_on {
            return self.ask(number, Stage::Reply);
        }
        if self.callers[number].running == 0 {
            let pause = ms(200 + self.random.below(3_000));
            self.schedule(pause, Event::Turn { caller: number });
        }
    }

    /// Not even a shadow runs any more.
    fn end(&mut self, id: u64) {
        let request = self.requests.remove(&id).expect("it runs");
        let decision = request.settled.expect("it was settled");
        if request.cancelled {
            assert!(!request.failed, "a race that nobody wants cannot fail");
        } else {
            assert!(decision.served.is_some() != request.failed, "served or failed, not both: {decision}");
            assert_eq!(decision.served.as_ref(), request.served.last().filter(|_| !request.failed));
        }
        self.figures.nobody += u64::from(request.failed);
        assert_eq!(request.reports.len(), request.plan.candidates().len(), "places were not given back");
        assert!(request.served.len() <= 2);
    }

    fn day(&self) -> u32 {
        u32::try_from(self.now.as_secs() / 600).expect("a short simulation")
    }

    fn schedule(&mut self, after: Duration, event: Event) {
        self.scheduled += 1;
        self.events.insert((self.now + after, self.scheduled), event);
    }
}

fn office() -> Policy {
    let mut policy = policy("openai google local");
    for stage in policy.stages.values_mut() {
        stage.engines[0].max_in_flight = 3;
        stage.engines[1].per_minute = 120;
    }
    policy.stages.get_mut(&Stage::Synthesize).expect("a stage").hedge_after = None;
    policy.stages.get_mut(&Stage::Recognize).expect("a stage").hedge_after = Some(ms(0));
    policy
}

/// What was promised about who is asked.
fn check_plan(plan: &Plan, caller: &Caller, without_money: bool, spent: Micros, budget: Option<Micros>) {
    let cloud = plan.candidates().iter().any(|candidate| !candidate.local);
    assert!(!(cloud && without_money), "{plan:?} costs money");
    assert!(!cloud || budget.is_none_or(|budget| spent.saturating_add(COST) <= budget), "{plan:?} is over budget");
    let waited = caller.suffered_in == Some(caller.turn);
    let serving = plan.candidates().iter().find(|candidate| !candidate.local && candidate.role == Role::Serve);
    let is_voice = serving.is_none_or(|of| plan.stage == Stage::Synthesize && caller.call.voice() == Some(&of.engine));
    assert!(!waited || is_voice, "{plan:?} lets a caller wait who has waited in this turn");
    assert!(!(waited && plan.cloud()) || plan.deadline <= ms(400), "{plan:?} lets a caller wait as long again");
    assert!(plan.candidates().iter().any(|candidate| candidate.local), "{plan:?} leaves this device out");
}

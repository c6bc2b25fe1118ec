//! Timelines, what holds whatever happens, and a simulated office.

extern crate std;

mod breaker;
mod choices;
mod formats;
mod properties;
mod races;
mod simulation;
mod watch;

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::time::Duration;

use units::TurnId;

use crate::{
    BreakerPolicy, CallWeather, EnginePolicy, Failure, FailureKind, Micros, Outcome, Plan, Policy, Race, RaceInput,
    RaceOutput, Stage, StagePolicy, Weather,
};

/// A moment, or a length of time.
const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An engine with ample limits. `local` runs on this device, any other is its own provider and costs money.
fn engine(name: &str) -> EnginePolicy {
    let provider = (!name.starts_with("local")).then(|| name.to_owned());
    EnginePolicy {
        name: name.to_owned(),
        metered: provider.is_some(),
        provider,
        max_in_flight: 100,
        per_minute: 100_000,
    }
}

/// A stage with a deadline of 1,200 ms, 6 s in all, stalls of 1 s, and this device beside the cloud after 400 ms.
fn stage(engines: &str) -> StagePolicy {
    StagePolicy {
        engines: engines.split_whitespace().map(engine).collect(),
        deadline: ms(1_200),
        total: ms(6_000),
        stall: ms(1_000),
        hedge_after: Some(ms(400)),
    }
}

/// Every stage the same, without a budget.
fn policy(engines: &str) -> Policy {
    let stages: BTreeMap<Stage, StagePolicy> = Stage::ALL.into_iter().map(|of| (of, stage(engines))).collect();
    Policy { stages, breaker: BreakerPolicy::default(), budget: None }
}

/// Plans with a new call, at 0.001 dollars a request.
fn plan(weather: &mut Weather, now: u64, stage: Stage) -> Plan {
    plan_for(weather, now, stage, 1, &CallWeather::default())
}

fn plan_for(weather: &mut Weather, now: u64, stage: Stage, turn: u32, call: &CallWeather) -> Plan {
    weather.plan(ms(now), 0, stage, TurnId(turn), call, |_| Micros(1_000))
}

/// Reports a failure without jitter.
fn fail(weather: &mut Weather, now: u64, stage: Stage, engine: &str, kind: FailureKind) {
    weather.report(ms(now), stage, engine, &Outcome::Failed(kind.into()), u64::MAX);
}

/// Plans and gives all places back unused.
fn peek(weather: &mut Weather, now: u64, stage: Stage, call: &CallWeather, turn: u32) -> String {
    let plan = plan_for(weather, now, stage, turn, call);
    let line = shown(&plan);
    for candidate in plan.candidates() {
        weather.report(ms(now), stage, &candidate.engine, &Outcome::Unused, 0);
    }
    line
}

/// Writes a plan in a line: `openai serve, local hedge | google offline`.
fn shown(plan: &Plan) -> String {
    let candidates: Vec<String> =
        plan.candidates().iter().map(|candidate| format!("{} {}", candidate.engine, candidate.role)).collect();
    let mut line = candidates.join(", ");
    let skipped: Vec<String> =
        plan.skipped().iter().map(|skipped| format!("{} {}", skipped.engine, skipped.why)).collect();
    if !skipped.is_empty() {
        write!(line, " | {}", skipped.join(", ")).expect("a string takes everything");
    }
    line
}

/// Plays a script into a race and compares the timeline, line by line.
///
/// A line of a script is a time in milliseconds and what happens: `useful ENGINE`, `done ENGINE`,
/// `failed ENGINE KIND [RETRY_AFTER]`, `cancel`, and `wait` for nothing.
#[track_caller]
fn check(plan: Plan, script: &str, expected: &str) {
    let (timeline, _) = play(plan, script);
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let actual: Vec<&str> = timeline.lines().collect();
    assert!(actual == expected, "the timeline is\n{timeline}but should be\n{}\n", expected.join("\n"));
}

/// Plays a script, waking up on time; returns the timeline.
fn play(plan: Plan, script: &str) -> (String, Race) {
    let mut race = Race::new(Duration::ZERO, plan);
    let mut timeline = String::new();
    drain(&mut race, 0, &mut timeline);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (time, what) = line.split_once(' ').expect("a time and what happens");
        let now = time.parse().expect("milliseconds");
        while let Some(deadline) = race.poll_timeout().filter(|deadline| *deadline <= ms(now)) {
            race.handle_timeout(deadline);
            drain(&mut race, u64::try_from(deadline.as_millis()).expect("a short test"), &mut timeline);
        }
        if what != "wait" {
            race.handle_input(ms(now), read(what));
        }
        drain(&mut race, now, &mut timeline);
    }
    (timeline, race)
}

fn drain(race: &mut Race, now: u64, timeline: &mut String) {
    while let Some(output) = race.poll_output() {
        writeln!(timeline, "{now} {}", told(&output)).expect("a string takes everything");
    }
}

fn told(output: &RaceOutput) -> String {
    match output {
        RaceOutput::Start { engine, role } => format!("start {engine} {role}"),
        RaceOutput::Serve { engine } => format!("serve {engine}"),
        RaceOutput::Stop { engine } => format!("stop {engine}"),
        RaceOutput::Report { engine, outcome: Outcome::Worked } => format!("report {engine} worked"),
        RaceOutput::Report { engine, outcome: Outcome::Failed(failure) } => format!("report {engine} {failure}"),
        RaceOutput::Report { engine, outcome: Outcome::Abandoned } => format!("report {engine} abandoned"),
        RaceOutput::Report { engine, outcome: Outcome::Unused } => format!("report {engine} unused"),
        RaceOutput::Settled(decision) => decision.to_string(),
        RaceOutput::Failed { failure } => format!("failed: {failure}"),
    }
}

fn read(what: &str) -> RaceInput {
    let words: Vec<&str> = what.split(' ').collect();
    let engine = || words[1].to_owned();
    match words[0] {
        "useful" => RaceInput::Useful { engine: engine() },
        "done" => RaceInput::Done { engine: engine() },
        "failed" => {
            let kind = serde_json::from_value(words[2].into()).expect("a kind of failure");
            let retry_after = words.get(3).map(|pause| ms(pause.parse().expect("milliseconds")));
            RaceInput::Failed { engine: engine(), failure: Failure { kind, retry_after } }
        }
        "cancel" => RaceInput::Cancelled,
        _ => panic!("{what} is not in the language of scripts"),
    }
}

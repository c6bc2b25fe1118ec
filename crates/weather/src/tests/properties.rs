//! What holds in every race, whatever happens.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;
use units::TurnId;

use super::ms;
use crate::{Candidate, Failure, FailureKind, Outcome, Plan, Race, RaceInput, RaceOutput, Role, Stage};

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn late_wake_ups_never_change_what_is_decided(plan in any_plan(), script in script()) {
        let on_time: Vec<RaceOutput> = outputs(&plan, &script, true).into_iter().map(|(_, output)| output).collect();
        let never: Vec<RaceOutput> = outputs(&plan, &script, false).into_iter().map(|(_, output)| output).collect();
        prop_assert_eq!(on_time, never);
    }

    #[test]
    fn every_race_is_settled_once_and_gives_every_place_back(plan in any_plan(), script in script()) {
        let outputs = outputs(&plan, &script, true);
        let settled: Vec<_> = outputs.iter().filter_map(|(_, output)| match output {
            RaceOutput::Settled(decision) => Some(decision.clone()),
            RaceOutput::Start { .. }
            | RaceOutput::Serve { .. }
            | RaceOutput::Stop { .. }
            | RaceOutput::Report { .. }
            | RaceOutput::Failed { .. } => None,
        }).collect();
        prop_assert_eq!(settled.len(), 1);
        let failed = outputs.iter().filter(|(_, output)| matches!(output, RaceOutput::Failed { .. })).count();
        let cancelled = script.iter().any(|(_, input)| *input == RaceInput::Cancelled);
        let served = usize::from(settled[0].served.is_some());
        prop_assert!(failed + served == 1 || cancelled && failed + served <= 1, "{failed} failed, {served} served");
        let mut reported: Vec<&str> = outputs.iter().filter_map(|(_, output)| match output {
            RaceOutput::Report { engine, .. } => Some(engine.as_str()),
            RaceOutput::Start { .. }
            | RaceOutput::Serve { .. }
            | RaceOutput::Stop { .. }
            | RaceOutput::Settled(_)
            | RaceOutput::Failed { .. } => None,
        }).collect();
        let mut planned: Vec<&str> = plan.candidates().iter().map(|candidate| candidate.engine.as_str()).collect();
        reported.sort_unstable();
        planned.sort_unstable();
        prop_assert_eq!(reported, planned);
    }

    #[test]
    fn shadows_never_serve_and_no_provider_is_asked_behind_a_time_out(plan in any_plan(), script in script()) {
        let lanes: BTreeMap<&str, &Candidate> =
            plan.candidates().iter().map(|candidate| (candidate.engine.as_str(), candidate)).collect();
        let (mut serves, mut timed_out, mut starts) = (0, false, BTreeMap::<String, u32>::new());
        for (_, output) in outputs(&plan, &script, true) {
            match output {
                RaceOutput::Start { engine, role } => {
                    let candidate = lanes[engine.as_str()];
                    prop_assert_eq!(role == Role::Shadow, candidate.role == Role::Shadow);
                    let cloud = !candidate.local && role != Role::Shadow;
                    prop_assert!(!(cloud && timed_out), "{engine} was started behind a time-out");
                    *starts.entry(engine).or_default() += 1;
                }
                RaceOutput::Serve { engine } => {
                    prop_assert!(lanes[engine.as_str()].role != Role::Shadow);
                    serves += 1;
                }
                RaceOutput::Report { engine, outcome: Outcome::Failed(Failure { kind: FailureKind::TimedOut, .. }) } => {
                    let candidate = lanes[engine.as_str()];
                    timed_out |= !candidate.local && candidate.role != Role::Shadow;
                }
                RaceOutput::Report { engine, outcome: Outcome::Unused } => {
                    prop_assert_eq!(starts.get(&engine), None);
                }
                RaceOutput::Report { engine, outcome: _ } => prop_assert!(starts.contains_key(&engine)),
                RaceOutput::Stop { .. } | RaceOutput::Settled(_) | RaceOutput::Failed { .. } => {}
            }
        }
        prop_assert!(serves <= 2);
        prop_assert!(starts.values().all(|starts| *starts <= 2));
    }

    #[test]
    fn with_a_device_that_answers_nobody_waits_longer_than_the_deadline_and_the_device(
        mut plan in any_plan(),
        script in script(),
    ) {
        const DEVICE: Duration = ms(250);
        plan.candidates.retain(|candidate| candidate.engine != "local" && candidate.engine != "local2");
        plan.candidates.push(Candidate { engine: "local".to_owned(), role: Role::Hedge, local: true });
        // A request has time enough for the deadline and the device, as in any sensible policy.
        plan.total += plan.deadline + DEVICE;
        let deadline = plan.deadline;
        let mut race = Race::new(ms(0), plan);
        let mut script: Vec<_> = script.into_iter().filter(|(_, input)| !is_about(input, "local")).collect();
        let mut device: Option<Duration> = None;
        let mut served = None;
        let mut now = ms(0);
        loop {
            while let Some(output) = race.poll_output() {
                match output {
                    RaceOutput::Start { engine, .. } if engine == "local" => device = Some(now + DEVICE),
                    RaceOutput::Serve { .. } => served = served.or(Some(now)),
                    RaceOutput::Start { .. }
                    | RaceOutput::Stop { .. }
                    | RaceOutput::Report { .. }
                    | RaceOutput::Settled(_)
                    | RaceOutput::Failed { .. } => {}
                }
            }
            if served.is_some() {
                break;
            }
            let next = [race.poll_timeout(), device, script.first().map(|(at, _)| *at)].into_iter().flatten().min();
            now = next.expect("nothing will ever happen and nobody serves");
            if device == Some(now) {
                device = None;
                race.handle_input(now, RaceInput::Done { engine: "local".to_owned() });
            } else if script.first().is_some_and(|(at, _)| *at == now) {
                race.handle_input(now, script.remove(0).1);
            } else {
                race.handle_timeout(now);
            }
        }
        prop_assert!(served.is_some_and(|at| at <= deadline + DEVICE), "served at {served:?}");
    }
}

/// Plays a script and a long time behind it; returns what was decided and when.
fn outputs(plan: &Plan, script: &[(Duration, RaceInput)], on_time: bool) -> Vec<(Duration, RaceOutput)> {
    let mut race = Race::new(ms(0), plan.clone());
    let mut outputs = Vec::new();
    let end = (plan.total * 3, None);
    let inputs = script.iter().map(|(at, input)| (*at, Some(input.clone())));
    for (now, input) in inputs.chain([end]) {
        while let Some(deadline) = race.poll_timeout().filter(|deadline| on_time && *deadline <= now) {
            race.handle_timeout(deadline);
            drain(&mut race, deadline, &mut outputs);
        }
        match input {
            Some(input) => race.handle_input(now, input),
            None => race.handle_timeout(now),
        }
        drain(&mut race, now, &mut outputs);
    }
    assert!(race.is_over(), "something still runs after {:?}", plan.total * 3);
    assert_eq!(race.poll_timeout(), None);
    assert!(race.decision().is_some());
    outputs
}

fn drain(race: &mut Race, now: Duration, outputs: &mut Vec<(Duration, RaceOutput)>) {
    let before = outputs.len();
    outputs.extend(core::iter::from_fn(|| race.poll_output()).map(|output| (now, output)));
    assert!(outputs.len() - before < 60, "too many outputs at once");
}

fn is_about(input: &RaceInput, name: &str) -> bool {
    match input {
        RaceInput::Useful { engine } | RaceInput::Done { engine } | RaceInput::Failed { engine, .. } => engine == name,
        RaceInput::Cancelled => true,
    }
}

fn any_plan() -> impl Strategy<Value = Plan> {
    (any::<[bool; 5]>(), 0..2_000_u64, 0..8_000_u64, 0..2_000_u64, prop::option::of(0..2_500_u64)).prop_map(
        |([a, b, shadow, local, local2], deadline, total, stall, hedge)| {
            let all = [
                ("openai", Role::Serve, a),
                ("google", Role::Serve, b),
                ("azure", Role::Shadow, shadow),
                ("local", Role::Hedge, local),
                ("local2", Role::Hedge, local2),
            ];
            let candidates = all.into_iter().filter(|(_, _, there)| *there).map(|(engine, role, _)| Candidate {
                engine: engine.to_owned(),
                role,
                local: role == Role::Hedge,
            });
            Plan {
                stage: Stage::Reply,
                turn: TurnId(1),
                candidates: candidates.collect(),
                skipped: Vec::new(),
                deadline: ms(deadline),
                total: ms(total),
                stall: ms(stall),
                hedge_after: hedge.map(ms),
            }
        },
    )
}

/// What happens when, in order.
fn script() -> impl Strategy<Value = Vec<(Duration, RaceInput)>> {
    let pause = prop_oneof![Just(0_u64), 1..200_u64, 1..1_500_u64];
    prop::collection::vec((pause, input()), 0..40).prop_map(|steps| {
        let mut now = 0;
        let timed = steps.into_iter().map(|(pause, input)| {
            now += pause;
            (ms(now), input)
        });
        timed.collect()
    })
}

fn input() -> impl Strategy<Value = RaceInput> {
    let engine = prop::sample::select(["openai", "google", "azure", "local", "local2", "nobody"].to_vec())
        .prop_map(str::to_owned);
    let retry_after = prop::option::of((0..1_000_u64).prop_map(Duration::from_millis));
    let kind = prop_oneof![Just(FailureKind::RateLimited), prop::sample::select(FailureKind::ALL.to_vec())];
    let failure = (kind, retry_after).prop_map(|(kind, retry_after)| Failure { kind, retry_after });
    prop_oneof![
        8 => engine.clone().prop_map(|engine| RaceInput::Useful { engine }),
        4 => engine.clone().prop_map(|engine| RaceInput::Done { engine }),
        6 => (engine, failure).prop_map(|(engine, failure)| RaceInput::Failed { engine, failure }),
        1 => Just(RaceInput::Cancelled),
    ]
}

//! The breaker against a model of it that remembers everything and works each state out anew.

use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::{ms, plan, policy, shown};
use crate::{BreakerPolicy, BreakerState, Failure, FailureKind, MAX_RETRY_AFTER, Outcome, Stage, Weather};

const STAGE: Stage = Stage::Reply;

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_breaker_does_what_its_model_does(steps in prop::collection::vec(step(), 1..80), open_after in 0..4_u32) {
        let mut policy = policy("openai local");
        policy.breaker.open_after = open_after;
        // So long that no place is taken for lost.
        policy.stages.get_mut(&STAGE).expect("a stage").total = Duration::from_hours(1_000);
        let mut model = Model { policy: policy.breaker, history: Vec::new(), in_flight: 0 };
        let mut weather = Weather::new(policy);
        let mut now = 0;
        for (pause, step) in steps {
            now += pause;
            match step {
                Step::Plan => {
                    let line = shown(&plan(&mut weather, now, STAGE));
                    prop_assert_eq!(line, model.plan(now));
                    weather.report(ms(now), STAGE, "local", &Outcome::Abandoned, 0);
                }
                Step::Report { outcome, random } if model.in_flight > 0 => {
                    weather.report(ms(now), STAGE, "openai", &outcome, random);
                    model.in_flight -= 1;
                    model.history.push((now, outcome, random));
                }
                Step::Report { .. } => {}
            }
            let states = weather.states(ms(now));
            let state = states.iter().find(|state| state.stage == STAGE && state.engine == "openai").expect("it is known");
            prop_assert_eq!(state.breaker, model.state(now));
            prop_assert_eq!(state.failures as usize, model.row().len());
            prop_assert_eq!(state.in_flight, model.in_flight);
        }
    }

    #[test]
    fn a_back_off_is_between_half_and_all_of_its_length(random in any::<u64>(), openings in 1..12_u32) {
        let mut weather = Weather::new(policy("openai local"));
        let mut now = ms(0);
        for opening in 1..=openings {
            let failures = if opening == 1 { 2 } else { 1 };
            for _ in 0..failures {
                weather.report(now, STAGE, "openai", &Outcome::Failed(FailureKind::Server.into()), random);
            }
            let length = ms(5_000).saturating_mul(1 << (opening - 1)).min(Duration::from_mins(5));
            let Some(BreakerState::Open { until }) = openai(&weather, now) else { panic!("it should be open") };
            prop_assert!(until >= now + length / 2 && until <= now + length, "{length:?} became {:?}", until.saturating_sub(now));
            prop_assert_eq!(openai(&weather, until), Some(BreakerState::HalfOpen));
            now = until;
        }
    }
}

#[test]
fn a_provider_that_wants_to_be_left_alone_is_but_not_for_ever() {
    for (wished, granted) in [(ms(60_000), ms(60_000)), (Duration::MAX, MAX_RETRY_AFTER)] {
        let mut weather = Weather::new(policy("openai local"));
        let limited = Failure { kind: FailureKind::RateLimited, retry_after: Some(wished) };
        weather.report(ms(0), STAGE, "openai", &Outcome::Failed(limited), 0);
        assert_eq!(openai(&weather, ms(0)), Some(BreakerState::Closed));
        weather.report(ms(0), STAGE, "openai", &Outcome::Failed(limited), 0);
        assert_eq!(openai(&weather, ms(0)), Some(BreakerState::Open { until: granted }));
    }
}

#[test]
fn what_is_not_the_providers_fault_never_opens_it() {
    let mut weather = Weather::new(policy("openai local"));
    for kind in [FailureKind::Filtered, FailureKind::Busy] {
        for _ in 0..10 {
            weather.report(ms(0), STAGE, "openai", &Outcome::Failed(kind.into()), 0);
        }
    }
    assert_eq!(openai(&weather, ms(0)), Some(BreakerState::Closed));
}

fn openai(weather: &Weather, now: Duration) -> Option<BreakerState> {
    let states = weather.states(now);
    states.iter().find(|state| state.stage == STAGE && state.engine == "openai").map(|state| state.breaker)
}

/// All that was ever reported, in milliseconds.
struct Model {
    policy: BreakerPolicy,
    history: Vec<(u64, Outcome, u64)>,
    in_flight: u32,
}

impl Model {
    /// The failures since the last success that say something about the engine.
    fn row(&self) -> Vec<(u64, Failure, u64)> {
        let since = self.history.iter().rposition(|(_, outcome, _)| *outcome == Outcome::Worked).map_or(0, |at| at + 1);
        let counted = |(at, outcome, random): &(u64, Outcome, u64)| match outcome {
            Outcome::Failed(failure) => {
                let ours = [FailureKind::Filtered, FailureKind::Busy].contains(&failure.kind);
                (!ours).then_some((*at, *failure, *random))
            }
            Outcome::Worked | Outcome::Abandoned | Outcome::Unused => None,
        };
        self.history[since..].iter().filter_map(counted).collect()
    }

    /// In microseconds: when it may be probed, or `None` while closed.
    fn closed_until(&self) -> Option<u128> {
        let (first, max) = (self.policy.first_back_off.as_micros(), self.policy.max_back_off.as_micros());
        let mut until: Option<u128> = None;
        let mut next_length = first;
        for (count, (at, failure, random)) in self.row().into_iter().enumerate() {
            let at = u128::from(at) * 1_000;
            let hopeless =
                [FailureKind::Unauthorized, FailureKind::Forbidden, FailureKind::Clock].contains(&failure.kind);
            let left_alone = until.is_some_and(|until| at < until);
            let opens = !left_alone && (until.is_some() || hopeless || count + 1 >= self.policy.open_after as usize);
            let mut pause = 0;
            if hopeless {
                pause = jittered(max, random);
            } else if opens {
                pause = jittered(next_length.min(max), random);
            }
            if opens {
                next_length *= 2;
            }
            if failure.kind == FailureKind::RateLimited && (opens || left_alone) {
                pause = pause.max(failure.retry_after.unwrap_or_default().min(MAX_RETRY_AFTER).as_micros());
            }
            if opens || left_alone {
                until = Some(until.unwrap_or(0).max(at + pause));
            }
        }
        until
    }

    fn state(&self, now: u64) -> BreakerState {
        match self.closed_until() {
            None => BreakerState::Closed,
            Some(until) if u128::from(now) * 1_000 >= until => BreakerState::HalfOpen,
            Some(until) => {
                let until = Duration::from_micros(u64::try_from(until).expect("a short test"));
                BreakerState::Open { until }
            }
        }
    }

    fn plan(&mut self, now: u64) -> &'static str {
        match self.state(now) {
            BreakerState::Closed => {
                self.in_flight += 1;
                "openai serve, local hedge"
            }
            BreakerState::Open { .. } => "local serve | openai breaker open",
            BreakerState::HalfOpen if self.in_flight == 0 => {
                self.in_flight = 1;
                "openai shadow, local serve | openai being probed"
            }
            BreakerState::HalfOpen => "local serve | openai being probed",
        }
    }
}

fn jittered(length: u128, random: u64) -> u128 {
    length / 2 + length / 2 * u128::from(random) / (1 << 64)
}

#[derive(Clone, Debug)]
enum Step {
    Plan,
    Report { outcome: Outcome, random: u64 },
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let pause = prop_oneof![Just(0_u64), 1..2_000_u64, 1..20_000_u64, 1..400_000_u64];
    let retry_after = prop::option::of((0..200_000_u64).prop_map(Duration::from_millis));
    let failed = (prop::sample::select(FailureKind::ALL.to_vec()), retry_after)
        .prop_map(|(kind, retry_after)| Outcome::Failed(Failure { kind, retry_after }));
    let outcome = prop_oneof![6 => failed, 1 => Just(Outcome::Worked), 1 => Just(Outcome::Abandoned)];
    let report = (outcome, any::<u64>()).prop_map(|(outcome, random)| Step::Report { outcome, random });
    (pause, prop_oneof![Just(Step::Plan), report])
}

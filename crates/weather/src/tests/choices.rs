//! Who may serve, decided from how all went before.

use alloc::borrow::ToOwned as _;
use alloc::format;
use core::time::Duration;

use units::TurnId;

use super::{check, fail, ms, peek, plan, plan_for, policy, shown};
use crate::{
    BreakerState, CallWeather, Failure, FailureKind, Micros, OfflineReason, Online, Outcome, Plan, Policy, Race,
    RaceInput, RaceOutput, Role, Stage, Weather,
};

const ALL: &str = "openai google local";

#[test]
fn in_fair_weather_the_first_of_the_cloud_serves() {
    let mut weather = Weather::new(policy(ALL));
    let plan = plan(&mut weather, 0, Stage::Reply);
    assert_eq!(shown(&plan), "openai serve, google serve, local hedge");
    assert!(plan.cloud());
}

#[test]
fn an_offline_provider_is_skipped_in_every_stage() {
    let mut weather = Weather::new(policy(ALL));
    weather.set_online("openai", Online::No(OfflineReason::NoRoute));
    for stage in Stage::ALL {
        assert_eq!(shown(&plan(&mut weather, 0, stage)), "google serve, local hedge | openai offline");
    }
    weather.set_online("openai", Online::Yes);
    assert_eq!(shown(&plan(&mut weather, 0, Stage::Reply)), "openai serve, google serve, local hedge");
}

#[test]
fn two_failures_in_a_row_open_the_breaker_and_a_shadow_closes_it() {
    let call = CallWeather::default();
    let mut weather = Weather::new(policy("openai local"));
    fail(&mut weather, 0, Stage::Reply, "openai", FailureKind::Server);
    assert_eq!(peek(&mut weather, 0, Stage::Reply, &call, 1), "openai serve, local hedge");
    fail(&mut weather, 10, Stage::Reply, "openai", FailureKind::TimedOut);
    assert_eq!(peek(&mut weather, 11, Stage::Reply, &call, 1), "local serve | openai breaker open");
    assert_eq!(peek(&mut weather, 11, Stage::Recognize, &call, 1), "openai serve, local hedge");

    let probing = plan(&mut weather, 5_010, Stage::Reply);
    assert_eq!(shown(&probing), "openai shadow, local serve | openai being probed");
    assert!(!probing.cloud());
    assert_eq!(shown(&plan(&mut weather, 5_011, Stage::Reply)), "local serve | openai being probed");

    weather.report(ms(5_500), Stage::Reply, "openai", &Outcome::Worked, 0);
    assert_eq!(peek(&mut weather, 5_501, Stage::Reply, &call, 1), "openai serve, local hedge");
}

#[test]
fn a_shadow_that_was_stopped_lets_another_try() {
    let mut weather = Weather::new(policy("openai local"));
    fail(&mut weather, 0, Stage::Reply, "openai", FailureKind::Unauthorized);
    let _probing = plan(&mut weather, 300_000, Stage::Reply);
    weather.report(ms(300_100), Stage::Reply, "openai", &Outcome::Abandoned, 0);
    let again = plan(&mut weather, 300_200, Stage::Reply);
    assert_eq!(shown(&again), "openai shadow, local serve | openai being probed");
}

#[test]
fn the_budget_spares_what_is_likely_to_exceed_it() {
    let call = CallWeather::default();
    let mut weather = Weather::new(Policy { budget: Some(Micros(10_000)), ..policy("openai local") });
    weather.charge(0, "openai", Micros(9_000));
    assert_eq!(peek(&mut weather, 0, Stage::Reply, &call, 1), "openai serve, local hedge");
    weather.charge(0, "openai", Micros(1));
    assert_eq!(peek(&mut weather, 0, Stage::Reply, &call, 1), "local serve | openai over budget");
    assert_eq!((weather.spent(0), weather.spent(1)), (Micros(9_001), Micros(0)));
    let tomorrow = weather.plan(ms(0), 1, Stage::Reply, TurnId(1), &call, |_| Micros(1_000));
    assert_eq!(shown(&tomorrow), "openai serve, local hedge");
    assert_eq!(weather.spent_by_engine().get("openai"), Some(&Micros(9_001)));
}

#[test]
fn what_is_in_flight_counts_towards_the_budget() {
    let mut weather = Weather::new(Policy { budget: Some(Micros(2_000)), ..policy("openai local") });
    for _ in 0..2 {
        assert!(plan(&mut weather, 0, Stage::Reply).cloud());
    }
    assert_eq!(shown(&plan(&mut weather, 0, Stage::Recognize)), "local serve | openai over budget");
    weather.report(ms(9), Stage::Reply, "openai", &Outcome::Abandoned, 0);
    assert!(plan(&mut weather, 10, Stage::Recognize).cloud());
}

#[test]
fn without_money_nothing_metered_is_started_not_even_in_the_shadow() {
    let mut free = policy("openai google local");
    free.stages.get_mut(&Stage::Reply).expect("a stage").engines[1].metered = false;
    let mut weather = Weather::new(Policy { budget: Some(Micros::ZERO), ..free });
    fail(&mut weather, 0, Stage::Reply, "openai", FailureKind::Server);
    fail(&mut weather, 0, Stage::Reply, "openai", FailureKind::Server);
    let plan = weather.plan(ms(6_000), 0, Stage::Reply, TurnId(1), &CallWeather::default(), |_| Micros::ZERO);
    assert_eq!(shown(&plan), "google serve, local hedge | openai over budget");
}

#[test]
fn places_in_flight_are_limited_and_come_back() {
    let mut limited = policy("openai local");
    limited.stages.get_mut(&Stage::Reply).expect("a stage").engines[0].max_in_flight = 2;
    let mut weather = Weather::new(limited);
    let _first = plan(&mut weather, 0, Stage::Reply);
    let _second = plan(&mut weather, 0, Stage::Reply);
    assert_eq!(shown(&plan(&mut weather, 0, Stage::Reply)), "local serve | openai enough in flight");
    weather.report(ms(1), Stage::Reply, "openai", &Outcome::Worked, 0);
    assert_eq!(shown(&plan(&mut weather, 1, Stage::Reply)), "openai serve, local hedge");
}

#[test]
fn places_of_a_call_that_vanished_come_back_by_themselves() {
    let mut limited = policy("openai local");
    limited.stages.get_mut(&Stage::Reply).expect("a stage").engines[0].max_in_flight = 1;
    let mut weather = Weather::new(limited);
    let _lost = plan(&mut weather, 0, Stage::Reply);
    assert!(!plan(&mut weather, 17_999, Stage::Reply).cloud());
    assert!(plan(&mut weather, 18_000, Stage::Reply).cloud());
}

#[test]
fn requests_a_minute_are_limited_with_a_sixth_at_once() {
    let mut limited = policy("openai local");
    limited.stages.get_mut(&Stage::Reply).expect("a stage").engines[0].per_minute = 12;
    let mut weather = Weather::new(limited);
    let mut allowed = 0;
    for now in (0..60_000).step_by(100) {
        let plan = plan(&mut weather, now, Stage::Reply);
        allowed += u32::from(plan.cloud());
        if now == 200 {
            assert_eq!((allowed, shown(&plan)), (2, "local serve | openai rate limited".to_owned()));
        }
        for candidate in plan.candidates() {
            weather.report(ms(now), Stage::Reply, &candidate.engine, &Outcome::Worked, 0);
        }
    }
    assert_eq!(allowed, 2 + 11);
}

#[test]
fn what_was_never_started_does_not_count_towards_the_rate() {
    let call = CallWeather::default();
    let mut limited = policy("openai google local");
    limited.stages.get_mut(&Stage::Reply).expect("a stage").engines[1].per_minute = 1;
    let mut weather = Weather::new(limited);
    for now in 0..10 {
        assert_eq!(peek(&mut weather, now, Stage::Reply, &call, 1), "openai serve, google serve, local hedge");
    }
}

#[test]
fn no_requests_at_once_or_a_minute_disable_an_engine() {
    let mut disabled = policy("openai google local");
    let engines = &mut disabled.stages.get_mut(&Stage::Reply).expect("a stage").engines;
    engines[0].max_in_flight = 0;
    engines[1].per_minute = 0;
    let plan = plan(&mut Weather::new(disabled), 0, Stage::Reply);
    assert_eq!(shown(&plan), "local serve | openai disabled, google disabled");
}

#[test]
fn a_loaded_device_insures_no_longer_but_still_takes_over() {
    let mut limited = policy("openai local");
    limited.stages.get_mut(&Stage::Reply).expect("a stage").engines[1].max_in_flight = 1;
    let mut weather = Weather::new(limited);
    let _first = plan(&mut weather, 0, Stage::Reply);
    check(
        plan(&mut weather, 0, Stage::Reply),
        "1300 done local",
        "0 start openai serve
         1200 stop openai
         1200 report openai timed out
         1200 start local serve
         1300 serve local
         1300 reply: local served after 1300 ms; openai timed out after 1200 ms
         1300 report local worked",
    );
}

#[test]
fn a_caller_who_waited_does_not_wait_again_in_the_same_turn() {
    let mut weather = Weather::new(policy(ALL));
    let mut call = CallWeather::default();
    time_out(&mut weather, &mut call, 0, Stage::Recognize, 1);
    for stage in [Stage::Reply, Stage::Synthesize] {
        assert_eq!(
            peek(&mut weather, 1_500, stage, &call, 1),
            "local serve | openai waited already, google waited already"
        );
    }
    let other = CallWeather::default();
    assert_eq!(peek(&mut weather, 1_500, Stage::Reply, &other, 1), "openai serve, google serve, local hedge");
}

#[test]
fn a_caller_who_waited_does_not_wait_for_that_engine_until_it_has_worked() {
    let mut weather = Weather::new(policy(ALL));
    let mut call = CallWeather::default();
    time_out(&mut weather, &mut call, 0, Stage::Recognize, 1);
    assert_eq!(peek(&mut weather, 2_000, Stage::Reply, &call, 2), "openai serve, google serve, local hedge");

    let shadowing = plan_for(&mut weather, 2_000, Stage::Recognize, 2, &call);
    assert_eq!(shown(&shadowing), "openai shadow, google serve, local hedge | openai waited already");
    assert_eq!(
        shown(&plan_for(&mut weather, 2_000, Stage::Recognize, 2, &call)),
        "google serve, local hedge | openai waited already"
    );
    weather.report(ms(2_100), Stage::Recognize, "openai", &Outcome::Worked, 0);
    assert_eq!(peek(&mut weather, 2_200, Stage::Recognize, &call, 3), "openai serve, google serve, local hedge");
}

#[test]
fn a_time_out_is_known_before_its_race_is_settled() {
    let mut weather = Weather::new(policy(ALL));
    let mut call = CallWeather::default();
    let mut race = Race::new(ms(0), plan(&mut weather, 0, Stage::Reply));
    race.handle_input(ms(1_300), RaceInput::Useful { engine: "local".to_owned() });
    assert_eq!(race.decision(), None);
    call.note(ms(1_300), TurnId(1), Stage::Reply, &race.so_far());
    assert_eq!(
        peek(&mut weather, 1_300, Stage::Synthesize, &call, 1),
        "local serve | openai waited already, google waited already"
    );
    // An engine that has worked in the meantime stays forgiven when the same time-out is noted again.
    weather.report(ms(1_400), Stage::Reply, "openai", &Outcome::Worked, 0);
    race.handle_input(ms(1_500), RaceInput::Done { engine: "local".to_owned() });
    call.note(ms(1_500), TurnId(1), Stage::Reply, &race.decision().expect("it is settled"));
    assert_eq!(peek(&mut weather, 1_600, Stage::Reply, &call, 2), "openai serve, google serve, local hedge");
}

#[test]
fn a_call_keeps_its_voice() {
    let mut weather = Weather::new(policy(ALL));
    let mut call = CallWeather::default();
    call.has_spoken("google");
    assert_eq!(peek(&mut weather, 0, Stage::Synthesize, &call, 1), "google serve, local hedge | openai voice kept");
    assert_eq!(peek(&mut weather, 0, Stage::Reply, &call, 1), "openai serve, google serve, local hedge");

    let mut call = CallWeather::default();
    call.has_spoken("openai");
    assert_eq!(peek(&mut weather, 0, Stage::Synthesize, &call, 1), "openai serve, google serve, local hedge");

    call.has_spoken("local");
    assert_eq!(call.voice(), Some("local"));
    assert_eq!(
        peek(&mut weather, 0, Stage::Synthesize, &call, 1),
        "local serve | openai voice kept, google voice kept"
    );
}

#[test]
fn a_voice_that_failed_never_comes_back() {
    let mut weather = Weather::new(policy(ALL));
    let mut call = CallWeather::default();
    call.has_spoken("openai");
    call.voice_failed("openai");
    assert_eq!(call.voice(), None);
    assert_eq!(peek(&mut weather, 0, Stage::Synthesize, &call, 1), "google serve, local hedge | openai voice kept");
    call.has_spoken("google");
    call.voice_failed("google");
    assert_eq!(
        peek(&mut weather, 0, Stage::Synthesize, &call, 1),
        "local serve | openai voice kept, google voice kept"
    );
}

#[test]
fn a_voice_that_cannot_be_had_gives_way_to_the_next() {
    let mut weather = Weather::new(policy(ALL));
    let mut call = CallWeather::default();
    call.has_spoken("openai");
    weather.set_online("openai", Online::No(OfflineReason::Silent));
    assert_eq!(peek(&mut weather, 0, Stage::Synthesize, &call, 1), "google serve, local hedge | openai offline");
    call.has_spoken("google");
    weather.set_online("openai", Online::Yes);
    assert_eq!(peek(&mut weather, 0, Stage::Synthesize, &call, 1), "google serve, local hedge | openai voice kept");
}

#[test]
fn a_time_out_of_another_stage_leaves_the_voice_and_gives_it_a_third_of_its_time() {
    let mut weather = Weather::new(policy(ALL));
    let mut call = CallWeather::default();
    call.has_spoken("openai");
    time_out(&mut weather, &mut call, 0, Stage::Reply, 1);
    let plan = weather.plan(ms(1_500), 0, Stage::Synthesize, TurnId(1), &call, |_| Micros(1));
    let serving = plan.candidates().iter().find(|candidate| candidate.role == Role::Serve).unwrap();
    assert_eq!((serving.engine.as_str(), plan.hedge_after), ("openai", Some(Duration::ZERO)));
    assert_eq!(plan.deadline, Policy::clone(&policy(ALL)).stages[&Stage::Synthesize].deadline / 3);
    let mut silent = CallWeather::default();
    time_out(&mut weather, &mut silent, 0, Stage::Reply, 1);
    let plan = weather.plan(ms(1_500), 0, Stage::Synthesize, TurnId(1), &silent, |_| Micros(1));
    assert!(!plan.cloud(), "a call that has not spoken has no voice to keep");
}

#[test]
fn the_voice_that_took_over_is_noted_and_kept() {
    let mut weather = Weather::new(policy(ALL));
    let mut call = CallWeather::default();
    time_out(&mut weather, &mut call, 0, Stage::Synthesize, 1);
    assert_eq!(call.voice(), None, "nothing was heard yet");
    call.has_spoken("local");
    weather.report(ms(3_000), Stage::Synthesize, "openai", &Outcome::Worked, 0);
    assert_eq!(
        peek(&mut weather, 4_000, Stage::Synthesize, &call, 2),
        "local serve | openai voice kept, google voice kept"
    );
}

#[test]
fn without_this_device_a_breaker_is_no_obstacle_but_money_and_the_line_are() {
    let call = CallWeather::default();
    let mut weather = Weather::new(Policy { budget: Some(Micros(5_000)), ..policy("openai google") });
    fail(&mut weather, 0, Stage::Reply, "openai", FailureKind::Unauthorized);
    fail(&mut weather, 0, Stage::Reply, "google", FailureKind::Unauthorized);
    assert_eq!(peek(&mut weather, 1, Stage::Reply, &call, 1), "openai serve | google breaker open");
    assert_eq!(
        peek(&mut weather, 300_001, Stage::Reply, &call, 1),
        "openai serve, google shadow | google being probed"
    );
    weather.set_online("openai", Online::No(OfflineReason::NoDns));
    assert_eq!(peek(&mut weather, 300_002, Stage::Reply, &call, 1), "google serve | openai offline");
    weather.charge(0, "google", Micros(5_000));
    assert_eq!(peek(&mut weather, 300_003, Stage::Reply, &call, 1), " | openai offline, google over budget");
}

#[test]
fn without_this_device_the_cloud_has_as_long_as_the_request_may_take() {
    check(
        plan(&mut Weather::new(policy("openai")), 0, Stage::Reply),
        "5999 useful openai
         6000 done openai",
        "0 start openai serve
         5999 serve openai
         6000 stop openai
         6000 report openai timed out
         6000 reply: nobody served; openai timed out after 6000 ms
         6000 failed: timed out",
    );
}

#[test]
fn what_stands_behind_this_device_is_for_when_it_has_nothing() {
    let mut weather = Weather::new(policy("local openai"));
    assert_eq!(shown(&plan(&mut weather, 0, Stage::Reply)), "local serve");
    let mut disabled = policy("local openai");
    disabled.stages.get_mut(&Stage::Reply).expect("a stage").engines[0].per_minute = 0;
    assert_eq!(shown(&plan(&mut Weather::new(disabled), 0, Stage::Reply)), "openai serve | local disabled");
}

#[test]
fn a_stage_without_engines_has_an_empty_plan() {
    let plan = plan(&mut Weather::new(Policy::default()), 0, Stage::Reply);
    assert_eq!(shown(&plan), "");
    let mut race = Race::new(ms(0), plan);
    assert!(matches!(race.poll_output(), Some(RaceOutput::Settled(_))));
    assert_eq!(race.poll_output(), Some(RaceOutput::Failed { failure: Failure::new(FailureKind::Broken) }));
    assert!(race.is_over());
}

#[test]
fn the_states_tell_how_each_engine_does() {
    let mut weather = Weather::new(policy("openai local"));
    weather.set_online("openai", Online::Yes);
    fail(&mut weather, 0, Stage::Reply, "openai", FailureKind::Server);
    fail(&mut weather, 0, Stage::Reply, "openai", FailureKind::Cut);
    let _places = plan(&mut weather, 1, Stage::Reply);
    let states = weather.states(ms(2));
    let lines: alloc::vec::Vec<_> = states
        .iter()
        .map(|of| format!("{} {} {} {} {} {}", of.stage, of.engine, of.breaker, of.online, of.failures, of.in_flight))
        .collect();
    assert_eq!(lines[2], "reply openai open online 2 0");
    assert_eq!(lines[3], "reply local closed online 0 1");
    assert_eq!(states[2].breaker, BreakerState::Open { until: Duration::from_micros(4_999_999) });
    assert_eq!(states[2].last_failure, Some(FailureKind::Cut));
    assert_eq!(states.len(), 6);
}

/// Lets openai time out in one race of the call, and this device serve.
fn time_out(weather: &mut Weather, call: &mut CallWeather, now: u64, stage: Stage, turn: u32) {
    let plan: Plan = plan_for(weather, now, stage, turn, call);
    assert_eq!(plan.candidates()[0].engine, "openai");
    let mut race = Race::new(ms(now), plan);
    race.handle_input(ms(now + 1_300), RaceInput::Done { engine: "local".to_owned() });
    while let Some(output) = race.poll_output() {
        match output {
            RaceOutput::Report { engine, outcome } => weather.report(ms(now + 1_300), stage, &engine, &outcome, 0),
            RaceOutput::Settled(decision) => call.note(ms(now + 1_300), TurnId(turn), stage, &decision),
            RaceOutput::Start { .. } | RaceOutput::Serve { .. } | RaceOutput::Stop { .. } => {}
            RaceOutput::Failed { failure } => panic!("nobody served: {failure}"),
        }
    }
}

//! Whether a provider can be reached: timelines, and what holds whatever happens.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::ms;
use crate::FailureKind;
use crate::connectivity::{CHECK_LIMIT, Check, Connectivity, Input, MAX_ROUND, OfflineReason, Online, PROBE_INTERVAL};

#[test]
fn nothing_is_known_until_the_first_probe() {
    let mut watch = Connectivity::new(ms(0));
    assert_eq!(watch.online(), Online::Unknown);
    assert_eq!(watch.poll(ms(0)), Some(Check::Probe));
    assert_eq!(watch.poll(ms(0)), None);
    watch.handle(ms(100), Input::Probe(Ok(())));
    assert_eq!(watch.online(), Online::Yes);
    assert_eq!(watch.poll_timeout(), ms(60_000));
}

#[test]
fn a_real_success_puts_the_probe_off() {
    let mut watch = Connectivity::new(ms(0));
    watch.passive(ms(0), Ok(()));
    assert_eq!(watch.online(), Online::Yes);
    watch.passive(ms(50_000), Ok(()));
    assert_eq!(watch.poll(ms(109_999)), None);
    assert_eq!(watch.poll(ms(110_000)), Some(Check::Probe));
}

#[test]
fn two_signs_in_a_row_are_needed_where_one_could_be_chance() {
    for (kind, reason) in [
        (FailureKind::Refused, OfflineReason::Refused),
        (FailureKind::Resolve, OfflineReason::NoDns),
        (FailureKind::Unroutable, OfflineReason::Unreachable),
    ] {
        let mut watch = Connectivity::new(ms(0));
        watch.passive(ms(0), Err(kind));
        watch.passive(ms(1), Ok(()));
        watch.passive(ms(2), Err(kind));
        assert_eq!(watch.online(), Online::Yes);
        watch.passive(ms(3), Err(kind));
        assert_eq!(watch.online(), Online::No(reason));
    }
}

#[test]
fn one_sign_is_enough_where_it_cannot_be_chance() {
    for (kind, reason) in
        [(FailureKind::Intercepted, OfflineReason::CaptivePortal), (FailureKind::Tls, OfflineReason::Tls)]
    {
        let mut watch = Connectivity::new(ms(0));
        watch.passive(ms(0), Err(kind));
        assert_eq!(watch.online(), Online::No(reason));
    }
}

#[test]
fn a_refusal_proves_that_the_provider_is_reached() {
    for kind in [
        FailureKind::Unauthorized,
        FailureKind::Forbidden,
        FailureKind::RateLimited,
        FailureKind::Server,
        FailureKind::Malformed,
    ] {
        let mut watch = Connectivity::new(ms(0));
        watch.passive(ms(0), Err(FailureKind::Intercepted));
        watch.passive(ms(1), Err(kind));
        assert_eq!(watch.online(), Online::Yes, "{kind}");
    }
}

#[test]
fn a_slow_answer_is_no_sign_but_two_silent_probes_are() {
    let mut watch = Connectivity::new(ms(0));
    for now in 0..10 {
        watch.passive(ms(now), Err(FailureKind::TimedOut));
    }
    assert_eq!(watch.online(), Online::Unknown);
    assert_eq!(watch.poll(ms(10)), Some(Check::Probe));
    watch.handle(ms(5_000), Input::Probe(Err(FailureKind::TimedOut)));
    assert_eq!(watch.online(), Online::Unknown);
    assert_eq!(watch.poll(ms(60_010)), Some(Check::Probe));
    watch.handle(ms(65_000), Input::Probe(Err(FailureKind::TimedOut)));
    assert_eq!(watch.online(), Online::No(OfflineReason::Silent));
}

#[test]
fn while_offline_free_checks_run_less_and_less_often_and_no_probe_before_they_pass() {
    let mut watch = Connectivity::new(ms(0));
    watch.passive(ms(0), Err(FailureKind::Intercepted));
    let line = run(&mut watch, 120_000, |check, _| check != Check::Route);
    assert_eq!(line, "5 Route, 15 Route, 35 Route, 65 Route, 95 Route, ");
    assert_eq!(watch.online(), Online::No(OfflineReason::NoRoute));
    let line = run(&mut watch, 160_000, |check, _| check == Check::Route);
    assert_eq!(line, "125 Route, 125 Dns, 155 Route, 155 Dns, ");
    assert_eq!(watch.online(), Online::No(OfflineReason::NoDns));
    let line = run(&mut watch, 300_000, |_, _| true);
    assert_eq!(line, "185 Route, 185 Dns, 185 Probe, 245 Probe, ");
    assert_eq!(watch.online(), Online::Yes);
}

#[test]
fn behind_a_captive_portal_a_probe_is_sent_once_a_minute() {
    let mut watch = Connectivity::new(ms(0));
    assert_eq!(watch.poll(ms(0)), Some(Check::Probe));
    watch.handle(ms(0), Input::Probe(Err(FailureKind::Intercepted)));
    let line = run(&mut watch, 125_000, |check, _| check != Check::Probe);
    let probes = line.matches("Probe").count();
    assert_eq!((probes, line.contains("60 Probe"), line.contains("120 Probe")), (2, true, true), "{line}");
}

#[test]
fn a_check_that_never_ends_has_failed() {
    let mut watch = Connectivity::new(ms(0));
    assert_eq!(watch.poll(ms(0)), Some(Check::Probe));
    assert_eq!(watch.poll_timeout(), CHECK_LIMIT);
    assert_eq!(watch.poll(CHECK_LIMIT), None);
    assert_eq!(watch.poll_timeout(), PROBE_INTERVAL);
}

#[test]
fn a_lost_route_is_believed_without_being_asked_for() {
    let mut watch = Connectivity::new(ms(0));
    watch.passive(ms(0), Ok(()));
    watch.handle(ms(1), Input::Route(Err(())));
    assert_eq!(watch.online().to_string(), "offline: no route");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn probes_are_never_closer_than_a_minute_and_checks_never_stop(events in prop::collection::vec(event(), 0..120)) {
        let mut watch = Connectivity::new(ms(0));
        let mut now = ms(0);
        let mut last_probe: Option<Duration> = None;
        let mut last_success: Option<Duration> = None;
        for (pause, event) in events {
            now += pause;
            match event {
                Event::Poll => {
                    let check = watch.poll(now);
                    if check == Some(Check::Probe) {
                        let fresh = last_probe.into_iter().chain(last_success).any(|at| now < at + PROBE_INTERVAL);
                        prop_assert!(!fresh, "a probe at {now:?}, the last at {last_probe:?}, a success at {last_success:?}");
                        last_probe = Some(now);
                    }
                    if check.is_none() {
                        prop_assert!(watch.poll_timeout() > now);
                    }
                }
                Event::Passive(result) => {
                    watch.passive(now, result);
                    if result.is_ok() {
                        last_success = Some(now);
                        prop_assert_eq!(watch.online(), Online::Yes);
                    }
                }
                Event::Handle(input) => watch.handle(now, input),
            }
            prop_assert!(watch.poll_timeout() <= now + PROBE_INTERVAL, "nothing for more than a minute");
            if watch.online().is_no() {
                prop_assert!(watch.poll_timeout() <= now + MAX_ROUND, "nothing for long while offline");
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Event {
    Poll,
    Passive(Result<(), FailureKind>),
    Handle(Input),
}

fn event() -> impl Strategy<Value = (Duration, Event)> {
    let pause = prop_oneof![Just(0_u64), 1..2_000_u64, 1..70_000_u64].prop_map(Duration::from_millis);
    let kind = prop::sample::select(FailureKind::ALL.to_vec());
    let result = prop_oneof![Just(Ok(())), kind.prop_map(Err)];
    let free = prop_oneof![Just(Ok(())), Just(Err(()))];
    let event = prop_oneof![
        5 => Just(Event::Poll),
        1 => result.clone().prop_map(Event::Passive),
        2 => free.clone().prop_map(|result| Event::Handle(Input::Route(result))),
        2 => free.prop_map(|result| Event::Handle(Input::Dns(result))),
        2 => result.prop_map(|result| Event::Handle(Input::Probe(result))),
    ];
    (pause, event)
}

/// Runs the watch to `until`, each check answered at once; returns the checks with their times in seconds.
fn run(watch: &mut Connectivity, until: u64, passes: impl Fn(Check, Duration) -> bool) -> String {
    let mut checks = Vec::new();
    while watch.poll_timeout() <= ms(until) {
        let now = watch.poll_timeout();
        let Some(check) = watch.poll(now) else { panic!("woken up for nothing at {now:?}") };
        checks.push(format!("{} {check:?}, ", now.as_secs()));
        let ok = passes(check, now);
        watch.handle(
            now,
            match check {
                Check::Route => Input::Route(ok.then_some(()).ok_or(())),
                Check::Dns => Input::Dns(ok.then_some(()).ok_or(())),
                Check::Probe => Input::Probe(ok.then_some(()).ok_or(FailureKind::Intercepted)),
            },
        );
    }
    checks.concat()
}

//! One request: timelines for each rule.

use alloc::vec::Vec;

use super::{check, fail, ms, plan, play, policy};
use crate::{FailureKind, Plan, SkipReason, Stage, Weather};

/// A plan for a reply with these engines.
fn of(engines: &str) -> Plan {
    plan(&mut Weather::new(policy(engines)), 0, Stage::Reply)
}

/// The same, with this device only when the cloud has failed.
fn unhedged(engines: &str) -> Plan {
    let mut policy = policy(engines);
    policy.stages.get_mut(&Stage::Reply).expect("a stage").hedge_after = None;
    plan(&mut Weather::new(policy), 0, Stage::Reply)
}

/// The same, with openai half open.
fn shadowed(engines: &str) -> Plan {
    let mut weather = Weather::new(policy(engines));
    fail(&mut weather, 0, Stage::Reply, "openai", FailureKind::Server);
    fail(&mut weather, 0, Stage::Reply, "openai", FailureKind::Server);
    plan(&mut weather, 6_000, Stage::Reply)
}

#[test]
fn the_cloud_serves_and_the_insurance_is_stopped() {
    check(
        of("openai local"),
        "700 useful openai
         900 useful openai
         1000 done openai",
        "0 start openai serve
         400 start local hedge
         700 serve openai
         700 stop local
         1000 reply: openai served after 700 ms
         1000 report openai worked
         1000 report local abandoned",
    );
}

#[test]
fn a_quick_cloud_needs_no_insurance() {
    check(
        of("openai google local"),
        "300 done openai",
        "0 start openai serve
         300 serve openai
         300 reply: openai served after 300 ms
         300 report openai worked
         300 report google unused
         300 report local unused",
    );
}

#[test]
fn silence_until_the_deadline_is_a_time_out_and_what_is_ready_is_served() {
    check(
        of("openai google local"),
        "600 useful local
         1200 useful openai
         1300 done openai
         1500 done local",
        "0 start openai serve
         400 start local hedge
         1200 stop openai
         1200 report openai timed out
         1200 serve local
         1500 reply: local served after 1200 ms; openai timed out after 1200 ms
         1500 report local worked
         1500 report google unused",
    );
}

#[test]
fn an_answer_that_was_ready_to_the_end_is_served_whole() {
    check(
        of("openai local"),
        "600 done local
         1300 wait",
        "0 start openai serve
         400 start local hedge
         600 report local worked
         1200 stop openai
         1200 report openai timed out
         1200 serve local
         1200 reply: local served after 1200 ms; openai timed out after 1200 ms",
    );
}

#[test]
fn what_is_not_ready_at_the_deadline_is_served_as_soon_as_it_comes() {
    check(
        unhedged("openai local"),
        "1700 useful local
         1800 done local",
        "0 start openai serve
         1200 stop openai
         1200 report openai timed out
         1200 start local serve
         1700 serve local
         1800 reply: local served after 1700 ms; openai timed out after 1200 ms
         1800 report local worked",
    );
}

#[test]
fn without_the_cloud_this_device_serves_at_once() {
    check(
        of("local"),
        "50 useful local
         90 done local",
        "0 start local serve
         50 serve local
         90 reply: local served after 50 ms
         90 report local worked",
    );
}

#[test]
fn a_short_pause_that_the_provider_asks_for_is_granted_once() {
    check(
        of("openai local"),
        "100 failed openai rate_limited 700
         500 useful local
         900 useful openai
         950 done openai",
        "0 start openai serve
         100 stop openai
         400 start local hedge
         800 start openai serve
         900 serve openai
         900 stop local
         950 reply: openai served after 900 ms; openai was rate limited after 100 ms
         950 report openai worked
         950 report local abandoned",
    );
    check(
        of("openai local"),
        "100 failed openai rate_limited 100
         250 failed openai rate_limited 100
         400 done local",
        "0 start openai serve
         100 stop openai
         200 start openai serve
         250 report openai was rate limited
         250 start local serve
         400 serve local
         400 reply: local served after 400 ms; openai was rate limited after 100 ms; openai was rate limited after 250 ms
         400 report local worked",
    );
}

#[test]
fn a_pause_that_leaves_too_little_time_is_a_failure() {
    check(
        of("openai google local"),
        "100 failed openai rate_limited 701
         300 done local",
        "0 start openai serve
         100 report openai was rate limited
         100 start local serve
         300 serve local
         300 reply: local served after 300 ms; openai was rate limited after 100 ms
         300 report local worked
         300 report google unused",
    );
}

#[test]
fn a_retry_has_the_deadline_of_the_request() {
    check(
        of("openai local"),
        "100 failed openai rate_limited 700
         1300 done local",
        "0 start openai serve
         100 stop openai
         400 start local hedge
         800 start openai serve
         1200 stop openai
         1200 report openai timed out
         1300 serve local
         1300 reply: local served after 1300 ms; openai was rate limited after 100 ms; openai timed out after 1200 ms
         1300 report local worked",
    );
}

#[test]
fn an_early_failure_of_one_provider_is_the_next_ones_turn_within_the_same_deadline() {
    check(
        of("openai google local"),
        "400 failed openai server
         1400 done local",
        "0 start openai serve
         400 start local hedge
         400 report openai failed
         400 start google serve
         1200 stop google
         1200 report google timed out
         1400 serve local
         1400 reply: local served after 1400 ms; openai failed after 400 ms; google timed out after 1200 ms
         1400 report local worked",
    );
}

#[test]
fn a_later_failure_is_this_devices_turn_at_once() {
    check(
        of("openai google local"),
        "401 failed openai cut
         500 done local",
        "0 start openai serve
         400 start local hedge
         401 report openai was cut off
         500 serve local
         500 reply: local served after 500 ms; openai was cut off after 401 ms
         500 report local worked
         500 report google unused",
    );
    check(
        unhedged("openai google local"),
        "100 failed openai resolve
         500 done local",
        "0 start openai serve
         100 report openai could not be resolved
         100 start local serve
         500 serve local
         500 reply: local served after 500 ms; openai could not be resolved after 100 ms
         500 report local worked
         500 report google unused",
    );
}

#[test]
fn what_is_ready_is_served_the_moment_the_cloud_fails() {
    check(
        of("openai local"),
        "450 useful local
         600 failed openai malformed
         700 done local",
        "0 start openai serve
         400 start local hedge
         600 report openai answered nonsense
         600 serve local
         700 reply: local served after 600 ms; openai answered nonsense after 600 ms
         700 report local worked",
    );
}

#[test]
fn behind_a_time_out_no_other_provider_is_asked() {
    check(
        unhedged("openai google local"),
        "100 failed openai timed_out
         200 failed local busy",
        "0 start openai serve
         100 report openai timed out
         100 start local serve
         200 report local was busy
         200 reply: nobody served; openai timed out after 100 ms; local was busy after 200 ms
         200 report google unused
         200 failed: was busy",
    );
}

#[test]
fn when_this_device_fails_the_cloud_has_as_long_as_the_request_may_take() {
    check(
        of("openai local"),
        "450 failed local broken
         4000 useful openai
         4500 done openai",
        "0 start openai serve
         400 start local hedge
         450 report local was broken
         4000 serve openai
         4500 reply: openai served after 4000 ms; local was broken after 450 ms
         4500 report openai worked",
    );
    check(
        of("openai local"),
        "450 failed local broken
         7000 wait",
        "0 start openai serve
         400 start local hedge
         450 report local was broken
         6000 stop openai
         6000 report openai timed out
         6000 reply: nobody served; local was broken after 450 ms; openai timed out after 6000 ms
         6000 failed: was broken",
    );
}

#[test]
fn a_second_engine_of_this_device_stands_behind_the_first() {
    check(
        of("openai local local2"),
        "450 failed local broken
         600 useful local2
         1300 done local2",
        "0 start openai serve
         400 start local hedge
         450 report local was broken
         450 start local2 hedge
         1200 stop openai
         1200 report openai timed out
         1200 serve local2
         1300 reply: local2 served after 1200 ms; local was broken after 450 ms; openai timed out after 1200 ms
         1300 report local2 worked",
    );
}

#[test]
fn without_this_device_any_other_provider_is_better_than_none() {
    check(
        of("openai google"),
        "1300 failed openai malformed
         3000 useful google
         3500 done google",
        "0 start openai serve
         1300 report openai answered nonsense
         1300 start google serve
         3000 serve google
         3500 reply: google served after 3000 ms; openai answered nonsense after 1300 ms
         3500 report google worked",
    );
}

#[test]
fn a_stall_half_way_is_taken_over() {
    check(
        of("openai local"),
        "300 useful openai
         1200 useful openai
         2500 useful local
         2600 done local",
        "0 start openai serve
         300 serve openai
         2200 stop openai
         2200 report openai timed out
         2200 start local serve
         2500 serve local
         2600 reply: local took over what began after 300 ms; openai timed out after 2200 ms
         2600 report local worked",
    );
}

#[test]
fn the_insurance_is_started_again_to_take_over() {
    check(
        of("openai local"),
        "500 useful openai
         700 failed openai cut
         800 useful local
         900 done local",
        "0 start openai serve
         400 start local hedge
         500 serve openai
         500 stop local
         700 report openai was cut off
         700 start local serve
         800 serve local
         900 reply: local took over what began after 500 ms; openai was cut off after 700 ms
         900 report local worked",
    );
}

#[test]
fn an_insurance_that_was_ready_takes_over_at_once() {
    check(
        of("openai local"),
        "500 done local
         600 useful openai
         700 failed openai cut",
        "0 start openai serve
         400 start local hedge
         500 report local worked
         600 serve openai
         700 report openai was cut off
         700 serve local
         700 reply: local took over what began after 600 ms; openai was cut off after 700 ms",
    );
}

#[test]
fn an_endless_answer_ends() {
    let useful: Vec<_> = (1..8).map(|which| alloc::format!("{} useful openai", which * 800)).collect();
    let script = useful.join("\n") + "\n6100 done local";
    check(
        of("openai local"),
        &script,
        "0 start openai serve
         400 start local hedge
         800 serve openai
         800 stop local
         6000 stop openai
         6000 report openai timed out
         6000 start local serve
         6100 serve local
         6100 reply: local took over what began after 800 ms; openai timed out after 6000 ms
         6100 report local worked",
    );
}

#[test]
fn nobody_takes_over_a_second_time() {
    check(
        of("openai local local2"),
        "300 useful openai
         350 failed openai cut
         400 useful local
         450 failed local broken",
        "0 start openai serve
         300 serve openai
         350 report openai was cut off
         350 start local serve
         400 serve local
         450 report local was broken
         450 reply: nobody served; openai was cut off after 350 ms; local was broken after 450 ms
         450 report local2 unused
         450 failed: was broken",
    );
}

#[test]
fn even_this_device_has_a_limit() {
    check(
        of("local"),
        "12001 done local",
        "0 start local serve
         12000 stop local
         12000 report local timed out
         12000 reply: nobody served; local timed out after 12000 ms
         12000 failed: timed out",
    );
}

#[test]
fn nobody_to_ask_is_a_failure_at_once() {
    check(
        of(""),
        "1 wait",
        "0 reply: nobody served
         0 failed: was broken",
    );
}

#[test]
fn a_shadow_is_never_served_and_outlives_the_race() {
    let plan = shadowed("openai local");
    assert_eq!(plan.why_skipped("openai"), Some(SkipReason::Probing));
    check(
        plan,
        "50 useful openai
         100 done local
         700 done openai",
        "0 start openai shadow
         0 start local serve
         100 serve local
         100 reply: local served after 100 ms; openai skipped (being probed)
         100 report local worked
         700 report openai worked",
    );
}

#[test]
fn a_shadow_that_comes_after_the_deadline_has_failed() {
    check(
        shadowed("openai local"),
        "100 done local
         1201 useful openai
         1300 done openai",
        "0 start openai shadow
         0 start local serve
         100 serve local
         100 reply: local served after 100 ms; openai skipped (being probed)
         100 report local worked
         1300 report openai timed out",
    );
}

#[test]
fn a_silent_shadow_ends_with_the_requests_time() {
    let (timeline, race) = play(shadowed("openai local"), "100 done local\n5999 wait");
    assert!(!timeline.contains("stop"), "{timeline}");
    assert!(!race.is_over());
    assert_eq!(race.poll_timeout(), Some(ms(6_000)));
    let (timeline, race) = play(shadowed("openai local"), "100 done local\n6000 wait");
    assert!(timeline.ends_with("6000 stop openai\n6000 report openai timed out\n"), "{timeline}");
    assert!(race.is_over());
    assert_eq!(race.poll_timeout(), None);
}

#[test]
fn what_nobody_wants_is_stopped_but_shadows_finish() {
    check(
        shadowed("openai google local"),
        "450 useful local
         500 cancel
         600 useful google
         600 cancel
         900 done openai",
        "0 start openai shadow
         0 start google serve
         400 start local hedge
         500 reply: nobody served; openai skipped (being probed)
         500 stop google
         500 report google abandoned
         500 stop local
         500 report local abandoned
         900 report openai worked",
    );
}

#[test]
fn the_insurance_can_start_at_once() {
    let mut policy = policy("openai local");
    policy.stages.get_mut(&Stage::Reply).expect("a stage").hedge_after = Some(ms(0));
    let plan = plan(&mut Weather::new(policy), 0, Stage::Reply);
    check(plan, "0 wait", "0 start openai serve\n0 start local hedge");
}

#[test]
fn a_late_wake_up_does_not_help_a_late_cloud() {
    let mut race = crate::Race::new(ms(0), of("openai local"));
    race.handle_input(ms(1_300), crate::RaceInput::Useful { engine: "openai".into() });
    race.handle_input(ms(1_400), crate::RaceInput::Done { engine: "local".into() });
    let decision = race.decision().expect("it is settled");
    assert_eq!(alloc::format!("{decision}"), "reply: local served after 1400 ms; openai timed out after 1200 ms");
}

#[test]
fn a_race_that_runs_tells_what_is_known_so_far() {
    let (_, race) = play(of("openai local"), "1300 useful local");
    assert_eq!(race.decision(), None);
    assert_eq!(
        alloc::format!("{}", race.so_far()),
        "reply: local served after 1300 ms; openai timed out after 1200 ms"
    );
}

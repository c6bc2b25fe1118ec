//! When which broker is connected.

use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::link::{Link, LinkConfig, LinkInput, LinkOutput, Mono, Session, Trouble};

#[test]
fn a_connection_subscribes_and_says_its_birth_before_anything_else() {
    let mut link = link(1);
    check(
        &mut link,
        &[
            (0, None),
            (100, Some(LinkInput::Connected(Session::New))),
            (150, Some(LinkInput::Subscribed)),
            (9_000, Some(LinkInput::Close)),
        ],
        "
        0 Connect { broker: 0, connected_seq: 1, clean_start: true }
        100 Subscribe
        100 Birth
        150 Up(New)
        9000 Goodbye
    ",
    );
    assert_eq!(link.poll_timeout(), None);
}

#[test]
fn a_broken_connection_is_made_again_with_the_session_kept() {
    let mut link = link(1);
    check(
        &mut link,
        &[
            (0, None),
            (100, Some(LinkInput::Connected(Session::New))),
            (150, Some(LinkInput::Subscribed)),
            (200_000, Some(LinkInput::Failed(Trouble::Network))),
            (201_000, None),
            (201_100, Some(LinkInput::Connected(Session::Resumed))),
            (201_200, Some(LinkInput::Subscribed)),
        ],
        "
        0 Connect { broker: 0, connected_seq: 1, clean_start: true }
        100 Subscribe
        100 Birth
        150 Up(New)
        200000 Down(Network)
        201000 Connect { broker: 0, connected_seq: 2, clean_start: false }
        201100 Subscribe
        201100 Birth
        201200 Up(Resumed)
    ",
    );
}

#[test]
fn brokers_are_tried_in_turn_and_waits_grow_with_each_round() {
    let mut link = link(3);
    let mut now = Mono::ZERO;
    let (mut brokers, mut waits) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        let due = link.poll_timeout().unwrap();
        waits.push(due.saturating_sub(now));
        now = due;
        link.handle_timeout(now);
        let Some(LinkOutput::Connect { broker, .. }) = link.poll_output() else { panic!("no connect") };
        brokers.push(broker);
        link.handle_input(now, LinkInput::Failed(Trouble::Network));
        while link.poll_output().is_some() {}
    }
    assert_eq!(brokers[..7], [0, 1, 2, 0, 1, 2, 0]);
    let (min, max) = (Duration::from_millis(500), Duration::from_secs(30));
    assert!(waits[1..].iter().all(|wait| (min..=max).contains(wait)));
    assert!(waits[1..4].iter().all(|wait| *wait <= Duration::from_secs(1)), "{waits:?}");
    assert!(waits[20..].iter().any(|wait| *wait > Duration::from_secs(10)), "{waits:?}");
}

#[test]
fn a_broker_that_lets_nobody_in_is_not_hammered() {
    for trouble in [Trouble::NotAuthorized, Trouble::TakenOver, Trouble::SubscriptionRefused] {
        let waits: Vec<Duration> = (0..50).map(|seed| wait_after(trouble, seed)).collect();
        assert!(waits.iter().any(|wait| *wait > Duration::from_secs(20)));
        // Spread over the time, so that a fleet does not come back at once.
        assert!(waits.iter().any(|wait| *wait < Duration::from_secs(10)));
    }
    assert!((0..50).all(|seed| wait_after(Trouble::Network, seed) <= Duration::from_secs(1)));
}

#[test]
fn a_broker_that_says_nothing_is_left_in_time() {
    let mut link = link(2);
    check(
        &mut link,
        &[
            (0, None),
            (19_999, None),
            (20_000, None),
            (21_000, None),
            (21_100, Some(LinkInput::Connected(Session::New))),
            (41_100, None),
        ],
        "
        0 Connect { broker: 0, connected_seq: 1, clean_start: true }
        20000 Drop
        20000 Down(TooSlow)
        21000 Connect { broker: 1, connected_seq: 2, clean_start: true }
        21100 Subscribe
        21100 Birth
        41100 Drop
        41100 Down(TooSlow)
    ",
    );
}

#[test]
fn a_session_the_two_sides_remember_differently_is_begun_anew() {
    for end in [LinkInput::Failed(Trouble::SessionMismatch), LinkInput::Failed(Trouble::Protocol), LinkInput::Stuck] {
        let mut link = link(1);
        link.handle_timeout(Mono::ZERO);
        link.handle_input(Mono::ZERO, LinkInput::Connected(Session::New));
        link.handle_input(Mono::ZERO, LinkInput::Subscribed);
        link.handle_input(Duration::from_secs(1), end);
        let due = link.poll_timeout().unwrap();
        link.handle_timeout(due);
        let outputs: Vec<LinkOutput> = std::iter::from_fn(|| link.poll_output()).collect();
        assert!(matches!(outputs.last(), Some(LinkOutput::Connect { clean_start: true, connected_seq: 2, .. })));
        assert_eq!(outputs.contains(&LinkOutput::Drop), end == LinkInput::Stuck);
    }
}

proptest! {
    /// Whatever comes in whatever order: there is always a next step until the end, connections are numbered, each one is
    /// greeted, and nothing may be sent before it is up.
    #[test]
    fn the_link_never_stops_trying(inputs in prop::collection::vec((0..40_000_u64, 0..6_u8), 1..80), seed in any::<u64>()) {
        let mut link = Link::new(LinkConfig::new(3), StdRng::seed_from_u64(seed));
        let mut now = Mono::ZERO;
        let (mut connected_seq, mut is_up) = (0, false);
        for (millis, kind) in inputs {
            let until = now + Duration::from_millis(millis);
            while let Some(due) = link.poll_timeout().filter(|due| *due <= until) {
                prop_assert!(due >= now);
                now = due;
                link.handle_timeout(now);
            }
            now = until;
            let input = match kind {
                0 => LinkInput::Connected(Session::New),
                1 => LinkInput::Connected(Session::Resumed),
                2 => LinkInput::Subscribed,
                3 => LinkInput::Failed(Trouble::Network),
                4 => LinkInput::Failed(Trouble::NotAuthorized),
                _ => LinkInput::Stuck,
            };
            link.handle_input(now, input);
            while let Some(output) = link.poll_output() {
                match output {
                    LinkOutput::Connect { connected_seq: seq, broker, .. } => {
                        prop_assert!(seq == connected_seq + 1 && broker < 3 && !is_up);
                        connected_seq = seq;
                    }
                    LinkOutput::Up(_) => is_up = true,
                    LinkOutput::Down(_) => is_up = false,
                    LinkOutput::Subscribe | LinkOutput::Birth | LinkOutput::Drop | LinkOutput::Goodbye => {}
                }
            }
            prop_assert_eq!(is_up, link.is_up());
            prop_assert!(link.is_up() || link.poll_timeout().is_some());
        }
    }
}

fn link(brokers: usize) -> Link<StdRng> {
    Link::new(LinkConfig::new(brokers), StdRng::seed_from_u64(7))
}

fn wait_after(trouble: Trouble, seed: u64) -> Duration {
    let mut link = Link::new(LinkConfig::new(1), StdRng::seed_from_u64(seed));
    link.handle_timeout(Mono::ZERO);
    link.handle_input(Mono::ZERO, LinkInput::Failed(trouble));
    link.poll_timeout().unwrap()
}

/// Feeds the script, whose times are milliseconds, and compares what comes out, one line each.
fn check(link: &mut Link<StdRng>, script: &[(u64, Option<LinkInput>)], expected: &str) {
    let mut found = String::new();
    for (millis, input) in script {
        let now = Duration::from_millis(*millis);
        match input {
            Some(input) => link.handle_input(now, *input),
            None => link.handle_timeout(now),
        }
        while let Some(output) = link.poll_output() {
            writeln!(found, "{millis} {output:?}").unwrap();
        }
    }
    let expected: Vec<&str> = expected.trim().lines().map(str::trim).collect();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

//! What is sent when, and that it arrives.

use std::time::Duration;

use proptest::prelude::*;
use protocol::Stream;

use super::world::{LIMIT, Weather, World};
use crate::link::Session;
use crate::outbox::{OutboxConfig, OutboxInput, Refusal};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn events_wait_a_moment_for_others_and_go_at_once_when_a_batch_is_full() {
    let mut world = up();
    world.emit(Stream::Calls, 0..3);
    assert_eq!(world.published, []);
    world.pass(Duration::from_millis(10));
    world.emit(Stream::Calls, 3..5);
    world.pass(Duration::from_millis(19));
    assert_eq!(world.published, []);
    world.pass(Duration::from_millis(1));
    assert_eq!(batches(&world), [(Stream::Calls, 1, 5)]);
    world.emit(Stream::Calls, 5..69);
    assert_eq!(batches(&world)[1..], [(Stream::Calls, 6, 69)]);
}

#[test]
fn a_backlog_goes_in_the_order_of_priority() {
    let mut world = World::new(OutboxConfig::default());
    world.emit(Stream::Logs, 0..10);
    world.emit(Stream::Calls, 10..20);
    world.emit(Stream::Leads, 20..30);
    world.pass(SECOND);
    world.link_up(Session::New);
    let order: Vec<Stream> = world.published.iter().map(|(_, stream, ..)| *stream).collect();
    assert_eq!(order, [Stream::Calls, Stream::Leads, Stream::Logs]);
}

#[test]
fn without_a_watermark_no_more_than_the_window_is_sent_and_it_is_sent_again_less_and_less_often() {
    let mut world = up();
    world.weather = Weather::Forgotten;
    world.emit(Stream::Calls, 0..1_000);
    world.pass(Duration::from_secs(29));
    assert_eq!(
        batches(&world),
        [(Stream::Calls, 1, 64), (Stream::Calls, 65, 128), (Stream::Calls, 129, 192), (Stream::Calls, 193, 256)]
    );
    world.pass(Duration::from_hours(1));
    let rounds = world.published.iter().filter(|(_, _, first, ..)| *first == 1).count();
    // At 0 s, 30 s, 90 s, 210 s, 450 s, 930 s, then every 10 min.
    assert_eq!(rounds, 10);
    assert_eq!(world.stuck, 0);
    world.weather = Weather::Fine;
    world.pass(Duration::from_mins(10));
    arrived(&world, Stream::Calls, 0..1_000);
}

#[test]
fn a_refused_batch_was_not_delivered_and_is_tried_again_with_patience() {
    for refusal in [Refusal::NotAuthorized, Refusal::QuotaExceeded, Refusal::Other] {
        let mut world = up();
        world.weather = Weather::Refused(refusal);
        world.emit(Stream::Calls, 0..10);
        world.pass(Duration::from_mins(5));
        // After 1, 2, 4 .. 60 s.
        assert_eq!(world.published.len(), 10);
        assert!(world.published.iter().all(|(_, _, first, last, _)| (*first, *last) == (1, 10)));
        assert_eq!(world.core.status().next().unwrap().refused, Some(refusal));
        assert!(world.gateway.rows.is_empty());
        world.weather = Weather::Fine;
        world.pass(Duration::from_mins(1));
        arrived(&world, Stream::Calls, 0..10);
        assert_eq!(world.core.status().next().unwrap().refused, None);
    }
}

#[test]
fn a_broker_that_takes_only_small_packets_gets_them() {
    let mut world = up();
    world.weather = Weather::Small;
    world.emit(Stream::Calls, 0..20);
    world.pass(SECOND);
    arrived(&world, Stream::Calls, 0..20);
}

#[test]
fn when_the_broker_has_forgotten_the_session_everything_after_the_watermark_is_sent_again() {
    let mut world = up();
    world.emit(Stream::Calls, 0..64);
    world.pass(SECOND);
    world.weather = Weather::Swallowed;
    world.emit(Stream::Calls, 64..128);
    world.pass(SECOND);
    world.link_down();
    world.pass(SECOND);
    world.weather = Weather::Fine;
    world.link_up(Session::New);
    assert_eq!(world.published.last().map(|(_, _, first, last, _)| (*first, *last)), Some((65, 128)));
    arrived(&world, Stream::Calls, 0..128);
    assert_eq!(world.gateway.duplicates, 0);
}

#[test]
fn what_the_broker_took_and_forgot_is_sent_again_at_once() {
    let mut world = up();
    world.gateway.away = true;
    world.emit(Stream::Calls, 0..64);
    world.link_down();
    world.break_broker();
    world.gateway.away = false;
    world.link_up(Session::New);
    assert_eq!(batches(&world), [(Stream::Calls, 1, 64), (Stream::Calls, 1, 64)]);
    arrived(&world, Stream::Calls, 0..64);
}

#[test]
fn when_the_broker_remembers_the_session_nothing_is_sent_twice_by_us() {
    let mut world = up();
    world.weather = Weather::Swallowed;
    world.emit(Stream::Calls, 0..64);
    world.pass(SECOND);
    world.link_down();
    world.weather = Weather::Fine;
    world.link_up(Session::Resumed);
    assert_eq!(world.published.len(), 1);
    arrived(&world, Stream::Calls, 0..64);
}

#[test]
fn a_broker_that_does_not_answer_is_reported_and_never_has_more_than_it_takes() {
    let mut world = up();
    world.weather = Weather::Swallowed;
    for stream in Stream::ALL {
        world.emit(stream, 0..1_000);
    }
    world.pass(Duration::from_secs(29));
    assert_eq!((world.stuck, world.most_unanswered), (0, usize::from(LIMIT) - 1));
    world.pass(SECOND);
    assert_eq!(world.stuck, 1);
    world.weather = Weather::Fine;
    world.pass(Duration::from_mins(2));
    for stream in Stream::ALL {
        arrived(&world, stream, 0..1_000);
    }
}

#[test]
fn what_was_dropped_is_told_as_skipped() {
    let mut world = World::new(OutboxConfig::default());
    world.emit(Stream::Logs, 0..100);
    world.store.drop_oldest(Stream::Logs, 40);
    world.pass(SECOND);
    world.link_up(Session::New);
    world.pass(SECOND);
    arrived(&world, Stream::Logs, 40..100);
    let rows = &world.gateway.rows[&(Stream::Logs, 100)];
    assert!((1..=40).all(|seq| rows[&seq].is_none()));
    // All of them: there is only a gap to be told.
    world.link_down();
    world.emit(Stream::Logs, 100..110);
    world.store.drop_oldest(Stream::Logs, 110);
    world.link_up(Session::Resumed);
    world.pass(SECOND);
    assert!((101..=110).all(|seq| world.gateway.rows[&(Stream::Logs, 100)][&seq].is_none()));
}

#[test]
fn what_the_gateway_has_is_removed_for_many_at_once_and_at_the_end() {
    let mut world = up();
    world.emit(Stream::Calls, 0..10);
    world.pass(SECOND);
    assert_eq!(world.store.heads()[0].through, 0);
    assert!(!world.core.is_flushed());
    world.pass(5 * SECOND);
    assert_eq!(world.store.heads()[0].through, 10);
    world.emit(Stream::Calls, 10..1_000);
    world.pass(SECOND);
    assert!(world.store.heads()[0].through > 500);
    world.input(OutboxInput::Flush);
    assert_eq!((world.store.heads()[0].through, world.core.is_flushed()), (1_000, true));
}

#[test]
fn a_store_that_fails_is_asked_again() {
    let mut world = up();
    world.store.fails = true;
    world.emit(Stream::Calls, 0..10);
    world.pass(Duration::from_mins(1));
    world.store.fails = false;
    world.pass(Duration::from_mins(1));
    arrived(&world, Stream::Calls, 0..10);
    assert_eq!(world.store.heads()[0].through, 10);
}

#[test]
fn a_gateway_that_knows_more_than_the_store_makes_it_begin_a_new_epoch() {
    let mut world = up();
    world.emit(Stream::Calls, 0..50);
    world.pass(10 * SECOND);
    // An image of yesterday is put back; the program starts anew.
    let mut restored = World::new(OutboxConfig::default());
    std::mem::swap(&mut restored.gateway, &mut world.gateway);
    std::mem::swap(&mut restored.store, &mut world.store);
    restored.store.roll_back(Stream::Calls, 20);
    restored.emit(Stream::Calls, 100..105);
    restored.pass(SECOND);
    restored.link_up(Session::New);
    restored.pass(10 * SECOND);
    restored.emit(Stream::Calls, 200..210);
    restored.pass(10 * SECOND);
    // What got numbers before anybody could know is set aside by the gateway, and seen; nothing is taken for it.
    assert_eq!(restored.gateway.quarantined, 5);
    let expected: Vec<u64> = (0..50).chain(200..210).collect();
    assert_eq!(restored.gateway.stored(Stream::Calls), expected);
    let heads = restored.store.heads();
    assert_eq!(heads.iter().map(|head| (head.epoch, head.through)).collect::<Vec<_>>(), [(101, 10)]);
}

#[test]
fn a_gateway_that_knows_an_outbox_of_before_makes_a_new_store_begin_beyond_it() {
    let mut world = up();
    world.input(OutboxInput::Watermark { stream: Stream::Calls, epoch: 5_000, through: 7 });
    world.emit(Stream::Calls, 0..3);
    world.pass(SECOND);
    assert_eq!(world.store.heads().last().map(|head| head.epoch), Some(5_001));
    arrived(&world, Stream::Calls, 0..3);
}

#[derive(Clone, Debug)]
enum Step {
    Emit(Stream, u8),
    Drop(u8),
    Pass(u16),
    Weather(Weather),
    Down,
    Up(Session),
    GatewayAway(bool),
    BreakBroker,
    StoreFails(bool),
    Flush,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let stream = prop::sample::select(Stream::ALL.to_vec());
    let weather = prop::sample::select(vec![
        Weather::Fine,
        Weather::Fine,
        Weather::Swallowed,
        Weather::Refused(Refusal::NotAuthorized),
        Weather::Refused(Refusal::QuotaExceeded),
        Weather::Small,
        Weather::Forgotten,
    ]);
    let step = prop_oneof![
        6 => (stream, 1..200_u8).prop_map(|(stream, count)| Step::Emit(stream, count)),
        1 => (1..100_u8).prop_map(Step::Drop),
        6 => (0..40_000_u16).prop_map(Step::Pass),
        3 => weather.prop_map(Step::Weather),
        2 => Just(Step::Down),
        3 => prop::sample::select(vec![Session::New, Session::Resumed]).prop_map(Step::Up),
        2 => any::<bool>().prop_map(Step::GatewayAway),
        1 => Just(Step::BreakBroker),
        1 => any::<bool>().prop_map(Step::StoreFails),
        1 => Just(Step::Flush),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever goes wrong in whatever order: once things are well again everything arrives, in order, within a bounded
    /// time; on the way nothing is removed that the gateway does not have, and no bound is exceeded.
    #[test]
    fn everything_arrives_in_order_once_things_are_well(steps in steps()) {
        let mut world = World::new(OutboxConfig::default());
        let mut emitted = std::collections::BTreeMap::<Stream, u64>::new();
        for step in steps {
            match step {
                Step::Emit(stream, count) => {
                    let next = emitted.entry(stream).or_default();
                    let from = *next;
                    *next += u64::from(count);
                    world.emit(stream, from..*next);
                }
                Step::Drop(count) => world.store.drop_oldest(Stream::Logs, usize::from(count)),
                Step::Pass(millis) => world.pass(Duration::from_millis(u64::from(millis))),
                Step::Weather(weather) => world.weather = weather,
                Step::Down => world.link_down(),
                Step::Up(session) => world.link_up(session),
                Step::GatewayAway(away) => world.gateway.away = away,
                Step::BreakBroker => world.break_broker(),
                Step::StoreFails(fails) => world.store.fails = fails,
                Step::Flush => world.input(OutboxInput::Flush),
            }
            prop_assert!(world.most_unanswered < usize::from(LIMIT));
        }
        world.weather = Weather::Fine;
        world.gateway.away = false;
        world.store.fails = false;
        world.link_down();
        world.link_up(Session::New);
        world.pass(Duration::from_mins(25));
        for (stream, count) in emitted {
            let stored = world.gateway.stored(stream);
            prop_assert!(stored.is_sorted());
            if stream == Stream::Logs {
                let rows: usize = world.gateway.rows.iter().filter(|((found, _), _)| *found == stream).map(|(_, rows)| rows.len()).sum();
                prop_assert_eq!(rows as u64, count, "a gap nobody told of");
            } else {
                prop_assert_eq!(stored, (0..count).collect::<Vec<_>>());
            }
        }
        prop_assert!(world.core.is_flushed());
        prop_assert!(world.store.heads().iter().all(|head| head.bytes == 0));
        prop_assert_eq!(world.gateway.quarantined, 0);
    }
}

fn up() -> World {
    let mut world = World::new(OutboxConfig::default());
    world.link_up(Session::New);
    world
}

fn batches(world: &World) -> Vec<(Stream, u64, u64)> {
    world.published.iter().map(|(_, stream, first, last, _)| (*stream, *first, *last)).collect()
}

fn arrived(world: &World, stream: Stream, numbers: std::ops::Range<u64>) {
    assert_eq!(world.gateway.stored(stream), numbers.collect::<Vec<_>>());
}

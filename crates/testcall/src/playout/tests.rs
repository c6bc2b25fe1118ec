use std::time::Duration;

use proptest::prelude::*;

use super::{FRAME_SAMPLES, MAX_QUEUED_SAMPLES, MULAW_SILENCE, MarkEcho, Playout};

#[test]
fn audio_of_any_length_is_played_in_order_and_filled_up_with_silence() {
    let mut playout = Playout::default();
    assert!(playout.push_audio(vec![1; 100]));
    assert!(playout.push_audio(vec![2; 100]));

    let first = playout.tick();
    assert_eq!((first.frame[99], first.frame[100], first.from_box), (1, 2, 160));
    let second = playout.tick();
    assert_eq!((second.frame[39], second.frame[40], second.from_box), (2, MULAW_SILENCE, 40));
    assert_eq!(playout.tick().from_box, 0);
}

#[test]
fn a_mark_comes_back_when_the_audio_before_it_has_been_played() {
    let mut playout = Playout::default();
    playout.push_audio(vec![1; FRAME_SAMPLES]);
    assert!(playout.push_mark("one".to_owned()).is_empty());
    playout.push_audio(vec![2; FRAME_SAMPLES + 1]);
    assert!(playout.push_mark("two".to_owned()).is_empty());

    assert_eq!(playout.tick().marks, ["one"]);
    assert!(playout.tick().marks.is_empty(), "one sample is still to come");
    assert_eq!(playout.tick().marks, ["two"]);
}

#[test]
fn a_mark_behind_nothing_comes_back_at_once() {
    assert_eq!(Playout::default().push_mark("now".to_owned()), ["now"]);
}

#[test]
fn clear_drops_the_audio_and_sends_the_waiting_marks_back() {
    let mut playout = Playout::default();
    playout.push_audio(vec![1; 400]);
    playout.push_mark("a".to_owned());
    playout.push_audio(vec![1; 400]);
    playout.push_mark("b".to_owned());
    playout.tick();

    assert_eq!(playout.clear(), ["a", "b"]);
    assert_eq!((playout.clears(), playout.cleared_samples(), playout.queued_samples()), (1, 640, 0));
    assert_eq!(playout.tick().from_box, 0);
}

#[test]
fn late_and_missing_marks_can_be_asked_for() {
    let mut late = Playout::new(MarkEcho::Late(Duration::from_millis(40)));
    assert!(late.push_mark("m".to_owned()).is_empty());
    assert!(late.tick().marks.is_empty());
    assert_eq!(late.tick().marks, ["m"]);

    let mut never = Playout::new(MarkEcho::Never);
    assert!(never.push_mark("m".to_owned()).is_empty());
    never.push_audio(vec![1; 10]);
    never.push_mark("n".to_owned());
    assert!(never.clear().is_empty());
}

#[test]
fn more_than_ten_minutes_is_thrown_away_and_counted() {
    let mut playout = Playout::default();
    assert!(playout.push_audio(vec![1; MAX_QUEUED_SAMPLES]));
    assert!(!playout.push_audio(vec![1; 1]));
    assert_eq!((playout.discarded_samples(), playout.queued_samples()), (1, MAX_QUEUED_SAMPLES));
}

#[derive(Clone, Debug)]
enum Event {
    Audio(usize),
    Mark,
    Clear,
    Tick,
}

proptest! {
    #[test]
    fn every_mark_comes_back_once_in_order_and_every_sample_is_accounted_for(events in prop::collection::vec(event(), 0..200)) {
        let mut playout = Playout::default();
        let (mut sent, mut back, mut heard) = (0_u32, Vec::new(), 0_u64);
        for event in events {
            match event {
                Event::Audio(count) => { playout.push_audio(vec![0; count]); }
                Event::Mark => { back.extend(playout.push_mark(sent.to_string())); sent += 1; }
                Event::Clear => back.extend(playout.clear()),
                Event::Tick => {
                    let played = playout.tick();
                    heard += played.from_box as u64;
                    back.extend(played.marks);
                }
            }
            prop_assert_eq!(
                playout.received_samples(),
                heard + playout.cleared_samples() + playout.queued_samples() as u64
            );
        }
        while playout.queued_samples() > 0 {
            back.extend(playout.tick().marks);
        }
        back.extend(playout.tick().marks);
        let expected: Vec<String> = (0..sent).map(|n| n.to_string()).collect();
        prop_assert_eq!(back, expected);
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_usize..1_000).prop_map(Event::Audio),
        Just(Event::Mark),
        Just(Event::Clear),
        Just(Event::Tick),
        Just(Event::Tick),
    ]
}

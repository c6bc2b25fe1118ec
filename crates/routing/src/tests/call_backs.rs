use std::time::Duration;

use proptest::prelude::*;

use crate::Answerer;
use crate::call_back::{CallBack, Config, Outcome, State};

const MINUTE: u64 = 60_000;

#[test]
fn one_nobody_picks_up_is_tried_three_times() {
    let config = Config::default();
    let mut call = CallBack::new(MINUTE);
    assert!(!call.begin(0));
    let mut now = MINUTE;
    let mut began = Vec::new();
    while let Some(due) = call.due_ms() {
        now = now.max(due);
        assert!(call.begin(now));
        began.push(now / MINUTE);
        call.note(config, now, Outcome::Placed);
        call.note(config, now, Outcome::Over);
    }
    assert_eq!(began, [1, 31, 91]);
    assert_eq!((call.state, call.tries), (State::Failed, 3));
}

#[test]
fn a_machine_is_left_word_and_a_person_is_reached() {
    for (answerer, state) in [
        (Answerer::Human, State::Reached),
        (Answerer::Unknown, State::Reached),
        (Answerer::Machine, State::WordLeft),
        (Answerer::Fax, State::Failed),
    ] {
        let mut call = CallBack::new(0);
        assert!(call.begin(0));
        assert!(call.note(Config::default(), 1, Outcome::PickedUp(answerer)));
        assert!(!call.note(Config::default(), 2, Outcome::Over));
        assert_eq!(call.state, state);
    }
}

#[test]
fn a_request_without_an_answer_is_not_repeated_and_settled_by_a_sign_of_life() {
    let mut call = CallBack::new(0);
    call.begin(0);
    call.note(Config::default(), 1, Outcome::NoAnswer);
    assert_eq!((call.state, call.due_ms()), (State::Uncertain, None));
    assert!(call.note(Config::default(), 2, Outcome::PickedUp(Answerer::Human)));
    assert_eq!(call.state, State::Reached);
}

#[test]
fn a_program_that_died_while_it_asked_does_not_ask_again() {
    let mut call = CallBack::new(0);
    assert!(call.begin(0));
    assert!(!call.begin(MINUTE), "still waited for");
    assert!(!call.begin(15 * MINUTE));
    assert_eq!(call.state, State::Uncertain);
}

#[test]
fn a_request_that_was_not_acted_on_is_no_try() {
    let mut call = CallBack::new(0);
    call.begin(0);
    call.note(Config::default(), 5, Outcome::NotYet(Duration::from_secs(2)));
    assert_eq!((call.state, call.tries), (State::Waiting { not_before_ms: 2_005 }, 0));
    assert!(call.cancel());
    assert!(!call.begin(u64::MAX));
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Placed),
        Just(Outcome::Refused),
        Just(Outcome::NotYet(Duration::from_secs(1))),
        Just(Outcome::NoAnswer),
        prop::sample::select(vec![Answerer::Human, Answerer::Machine, Answerer::Fax, Answerer::Unknown])
            .prop_map(Outcome::PickedUp),
        Just(Outcome::Over),
    ]
}

proptest! {
    #[test]
    fn nobody_is_rung_more_often_than_told_nor_after_being_reached(
        steps in prop::collection::vec((any::<bool>(), 0..200 * MINUTE, any_outcome()), 0..60),
    ) {
        let config = Config::default();
        let mut call = CallBack::new(0);
        let (mut now, mut rung) = (0, 0);
        for (begins, wait, outcome) in steps {
            now += wait;
            let was_reached = matches!(call.state, State::Reached | State::WordLeft);
            if begins {
                let began = call.begin(now);
                prop_assert!(!(began && was_reached));
                rung += u32::from(began);
            } else {
                let is_open = matches!(call.state, State::Calling { .. });
                call.note(config, now, outcome);
                rung -= u32::from(is_open && matches!(outcome, Outcome::NotYet(_)));
            }
            prop_assert!(rung <= config.tries);
            let text = serde_json::to_string(&call).unwrap();
            prop_assert_eq!(serde_json::from_str::<CallBack>(&text).unwrap(), call);
        }
    }
}

use proptest::prelude::*;

use crate::{
    Answerer, Arrival, Consent, Course, DialEnd, Ending, Event, Means, Otherwise, Policy, Refusal, Route,
    VoicemailCause, Way,
};

const GOOD: Means = Means { has_room: true, can_converse: true };
const CALLS: Arrival =
    Arrival { route: Route::Receptionist, is_blocked: false, is_hurried: false, called_back: None, means: GOOD };

fn office() -> Policy {
    Policy { can_transfer: true, is_announced: true, ..Policy::default() }
}

fn run(policy: Policy, events: &[Event]) -> Vec<Way> {
    let mut course = Course::new(policy);
    events.iter().map(|event| course.handle(event)).collect()
}

fn dial_ended(result: DialEnd, bridged: Option<bool>) -> Event {
    Event::DialEnded { result, bridged, means: GOOD }
}

const CONVERSE: Way = Way::Converse { returned: false, may_record: true };
const RETURN: Way = Way::Converse { returned: true, may_record: true };
const WANTS_A_PERSON: [Event; 3] =
    [Event::Arrived(CALLS), Event::StreamEnded { ending: Ending::Transfer }, Event::StreamAsked];

#[test]
fn goodbye_frees_the_line_and_hangs_up_when_asked() {
    let ended = Event::StreamEnded { ending: Ending::HangUp };
    let ways = run(office(), &[Event::Arrived(CALLS), ended, Event::StreamAsked, Event::Over]);
    assert_eq!(ways, [CONVERSE, Way::Complete, Way::HangUp, Way::Nothing]);
}

#[test]
fn a_person_takes_the_call_with_the_key() {
    for bridged in [Some(true), None] {
        let mut events = WANTS_A_PERSON.to_vec();
        events.extend([Event::PersonAnswered, Event::PersonKeyed { accepts: true }]);
        events.push(dial_ended(DialEnd::Answered, bridged));
        let ways = run(office(), &events);
        assert_eq!(ways[2..], [Way::Dial, Way::Announce, Way::PutThrough, Way::HangUp]);
    }
}

#[test]
fn a_person_who_does_not_take_the_call_sends_the_caller_back() {
    let declined = [Event::PersonAnswered, Event::PersonKeyed { accepts: false }];
    let silent = [Event::PersonAnswered];
    for (person, end) in [
        (&declined[..], dial_ended(DialEnd::Answered, Some(false))),
        (&declined[..], dial_ended(DialEnd::Answered, None)),
        (&silent[..], dial_ended(DialEnd::Answered, None)),
        (&[], dial_ended(DialEnd::Busy, None)),
        (&[], dial_ended(DialEnd::NoAnswer, Some(false))),
        (&[], dial_ended(DialEnd::Failed, None)),
    ] {
        let mut events = WANTS_A_PERSON.to_vec();
        events.extend(person);
        events.push(end);
        assert_eq!(run(office(), &events).last(), Some(&RETURN), "{events:?}");
        let voicemail = Policy { otherwise: Otherwise::Voicemail, ..office() };
        let cause = VoicemailCause::NobodyAnswered;
        assert_eq!(run(voicemail, &events).last(), Some(&Way::Voicemail { cause }), "{events:?}");
    }
}

#[test]
fn a_call_is_missed_when_a_person_was_rung_and_did_not_take_it() {
    let is_missed = |policy: Policy, events: &[Event]| {
        let mut course = Course::new(policy);
        for event in WANTS_A_PERSON.iter().chain(events) {
            course.handle(event);
        }
        course.is_missed()
    };
    let keyed = |accepts| [Event::PersonAnswered, Event::PersonKeyed { accepts }];
    let with = |events: [Event; 2], last| [events[0], events[1], last];
    for missed in [
        &[dial_ended(DialEnd::Busy, None)][..],
        &[dial_ended(DialEnd::NoAnswer, Some(false))],
        &[dial_ended(DialEnd::Failed, None)],
        &[dial_ended(DialEnd::Canceled, None)],
        &[Event::Over],
        &[Event::PersonAnswered, Event::Over],
        &with(keyed(false), dial_ended(DialEnd::Answered, None)),
        &with(keyed(false), Event::Over),
        &[dial_ended(DialEnd::Busy, None), Event::StreamEnded { ending: Ending::HangUp }, Event::Over],
    ] {
        assert!(is_missed(office(), missed), "{missed:?}");
    }
    for taken in [
        &[][..],
        &[Event::PersonAnswered],
        &with(keyed(true), dial_ended(DialEnd::Answered, None)),
        &with(keyed(true), Event::Over),
    ] {
        assert!(!is_missed(office(), taken), "{taken:?}");
    }
    // The carrier says later whether a person whom nobody asked took the call.
    let silent = Policy { is_announced: false, ..office() };
    assert!(!is_missed(silent.clone(), &[Event::Over]));
    assert!(is_missed(silent, &[Event::Over, dial_ended(DialEnd::NoAnswer, None)]));
}

#[test]
fn a_caller_is_sent_back_once() {
    let mut events = WANTS_A_PERSON.to_vec();
    events.push(dial_ended(DialEnd::Busy, None));
    events.extend([Event::StreamEnded { ending: Ending::Transfer }, Event::StreamAsked]);
    let ways = run(office(), &events);
    assert_eq!(ways[3..], [RETURN, Way::Nothing, Way::Voicemail { cause: VoicemailCause::NobodyAnswered }]);
}

#[test]
fn without_an_announcement_whoever_picks_up_has_the_call() {
    let policy = Policy { is_announced: false, ..office() };
    let mut events = WANTS_A_PERSON.to_vec();
    events.push(dial_ended(DialEnd::Answered, None));
    assert_eq!(run(policy, &events)[2..], [Way::Dial, Way::HangUp]);
}

#[test]
fn the_hours_decide_who_takes_the_call() {
    let at = |route| Event::Arrived(Arrival { route, ..CALLS });
    assert_eq!(run(office(), &[at(Route::Voicemail)]), [Way::Voicemail { cause: VoicemailCause::Hours }]);
    assert_eq!(run(office(), &[at(Route::Human)]), [Way::Dial]);
    assert_eq!(run(Policy::default(), &[at(Route::Human)]), [CONVERSE], "there is nobody to ring");
    // Nobody has greeted this caller yet, nor told of a recording.
    let busy = [at(Route::Human), dial_ended(DialEnd::Busy, None)];
    assert_eq!(run(office(), &busy), [Way::Dial, CONVERSE]);
    let careful = Policy { consent: Consent::Key, ..office() };
    assert_eq!(run(careful.clone(), &busy), [Way::Dial, Way::AskConsent]);
    let agreed = Event::ConsentAnswered { agreed: true, means: GOOD };
    assert_eq!(run(careful, &[busy[0], busy[1], agreed])[2], CONVERSE);
}

#[test]
fn a_call_is_missed_when_the_caller_gives_up_before_anybody_listened() {
    let is_missed = |policy: Policy, events: &[Event]| {
        let mut course = Course::new(policy);
        for event in events.iter().chain([&Event::Over]) {
            course.handle(event);
        }
        course.is_missed()
    };
    let with = |change: fn(&mut Arrival)| {
        let mut arrival = CALLS;
        change(&mut arrival);
        Event::Arrived(arrival)
    };
    let closed = with(|arrival| arrival.route = Route::Voicemail);
    let careful = Policy { consent: Consent::Key, ..office() };
    for (policy, events) in [
        (office(), &[closed][..]),
        (office(), &[with(|arrival| arrival.means.can_converse = false)]),
        (office(), &[Event::Arrived(CALLS)]),
        (office(), &[Event::Arrived(CALLS), Event::StreamOverdue]),
        (careful, &[Event::Arrived(CALLS)]),
    ] {
        assert!(is_missed(policy, events), "{events:?}");
    }
    let softer = Policy { blocked: Refusal::Voicemail, hurried: Refusal::Voicemail, ..office() };
    let ended = |ending| Event::StreamEnded { ending };
    for (policy, events) in [
        (office(), &[closed, Event::MessageTaken][..]),
        (softer.clone(), &[with(|arrival| arrival.is_blocked = true)]),
        (softer, &[with(|arrival| arrival.is_hurried = true)]),
        (office(), &[with(|arrival| arrival.is_blocked = true)]),
        (office(), &[with(|arrival| arrival.called_back = Some(Answerer::Human))]),
        (office(), &[with(|arrival| arrival.called_back = Some(Answerer::Machine))]),
        (office(), &[Event::Arrived(CALLS), ended(Ending::HangUp)]),
        (office(), &[Event::Arrived(CALLS), ended(Ending::Voicemail), Event::StreamAsked]),
        (office(), &[]),
    ] {
        assert!(!is_missed(policy, events), "{events:?}");
    }
}

#[test]
fn the_end_of_a_call_and_of_its_dialling_are_told_in_any_order() {
    let rung = [Event::Arrived(Arrival { route: Route::Human, ..CALLS }), Event::PersonAnswered];
    let taken = |policy: Policy, events: &[Event]| {
        let mut course = Course::new(policy);
        let ways: Vec<Way> = rung.iter().chain(events).map(|event| course.handle(event)).collect();
        (course.is_taken(), course.is_missed(), ways[2..].to_vec())
    };
    let (keyed, answered) = (Event::PersonKeyed { accepts: true }, dial_ended(DialEnd::Answered, Some(true)));
    let through = vec![Way::PutThrough, Way::Nothing];
    assert_eq!(taken(office(), &[keyed, Event::Over]), (true, false, through.clone()));
    assert_eq!(
        taken(office(), &[keyed, Event::Over, answered]),
        (true, false, [&through[..], &[Way::HangUp]].concat())
    );
    // Whoever hung up is not sent back to the receptionist.
    let busy = [Event::Over, dial_ended(DialEnd::NoAnswer, Some(false))];
    assert_eq!(taken(office(), &busy), (false, true, vec![Way::Nothing, Way::HangUp]));
    let silent = Policy { is_announced: false, ..office() };
    assert_eq!(taken(silent, &[Event::Over, answered]), (true, false, vec![Way::Nothing, Way::HangUp]));
}

#[test]
fn who_is_not_wanted_hears_the_line_busy_or_leaves_a_message() {
    let blocked = Event::Arrived(Arrival { is_blocked: true, ..CALLS });
    let hurried = Event::Arrived(Arrival { is_hurried: true, ..CALLS });
    assert_eq!((run(office(), &[blocked]), run(office(), &[hurried])), (vec![Way::Refuse], vec![Way::Refuse]));
    let softer = Policy { blocked: Refusal::Voicemail, hurried: Refusal::Voicemail, ..office() };
    assert_eq!(run(softer.clone(), &[blocked]), [Way::Voicemail { cause: VoicemailCause::Blocked }]);
    assert_eq!(run(softer, &[hurried]), [Way::Voicemail { cause: VoicemailCause::Hurried }]);
}

#[test]
fn a_recording_needs_the_key_where_the_office_asks_for_it() {
    let policy = Policy { consent: Consent::Key, ..office() };
    for agreed in [true, false] {
        let ways = run(policy.clone(), &[Event::Arrived(CALLS), Event::ConsentAnswered { agreed, means: GOOD }]);
        assert_eq!(ways, [Way::AskConsent, Way::Converse { returned: false, may_record: agreed }]);
    }
}

#[test]
fn who_picks_up_a_call_of_ours_decides_what_is_said() {
    let picked_up = |answerer| {
        let arrival = Arrival { called_back: Some(answerer), route: Route::Voicemail, is_blocked: true, ..CALLS };
        run(office(), &[Event::Arrived(arrival)])
    };
    assert_eq!(picked_up(Answerer::Human), [CONVERSE]);
    assert_eq!(picked_up(Answerer::Unknown), [CONVERSE]);
    assert_eq!(picked_up(Answerer::Machine), [Way::LeaveWord]);
    assert_eq!(picked_up(Answerer::Fax), [Way::HangUp]);
}

#[test]
fn a_box_that_just_started_takes_a_message() {
    let mut course = Course::new(office());
    assert_eq!(course.handle(&Event::StreamAsked), Way::Voicemail { cause: VoicemailCause::Unknown });
    let mut course = Course::new(office());
    assert_eq!(
        course.handle(&dial_ended(DialEnd::Busy, None)),
        Way::Voicemail { cause: VoicemailCause::NobodyAnswered }
    );
    let mut course = Course::new(office());
    assert_eq!(course.handle(&dial_ended(DialEnd::Answered, None)), Way::HangUp);
}

#[test]
fn the_formats_of_events_and_ways_are_as_in_logs() {
    let event = serde_json::to_string(&dial_ended(DialEnd::NoAnswer, Some(false))).unwrap();
    assert_eq!(
        event,
        r#"{"event":"dial_ended","result":"no_answer","bridged":false,"means":{"has_room":true,"can_converse":true}}"#
    );
    let way = serde_json::to_string(&Way::Voicemail { cause: VoicemailCause::NobodyAnswered }).unwrap();
    assert_eq!(way, r#"{"way":"voicemail","cause":"nobody_answered"}"#);
}

fn any_means() -> impl Strategy<Value = Means> {
    any::<(bool, bool)>().prop_map(|(has_room, can_converse)| Means { has_room, can_converse })
}

fn any_event() -> impl Strategy<Value = Event> {
    let route = prop::sample::select(vec![Route::Receptionist, Route::Human, Route::Voicemail]);
    let answerer = prop::option::of(prop::sample::select(vec![
        Answerer::Human,
        Answerer::Machine,
        Answerer::Fax,
        Answerer::Unknown,
    ]));
    let arrival = (route, any::<bool>(), any::<bool>(), answerer, any_means()).prop_map(
        |(route, is_blocked, is_hurried, called_back, means)| {
            Event::Arrived(Arrival { route, is_blocked, is_hurried, called_back, means })
        },
    );
    let endings = vec![Ending::HangUp, Ending::Voicemail, Ending::Transfer];
    let results = vec![DialEnd::Answered, DialEnd::Busy, DialEnd::NoAnswer, DialEnd::Failed, DialEnd::Canceled];
    prop_oneof![
        2 => arrival,
        1 => (any::<bool>(), any_means()).prop_map(|(agreed, means)| Event::ConsentAnswered { agreed, means }),
        3 => prop::sample::select(endings).prop_map(|ending| Event::StreamEnded { ending }),
        3 => Just(Event::StreamAsked),
        1 => Just(Event::StreamOverdue),
        1 => Just(Event::PersonAnswered),
        1 => any::<bool>().prop_map(|accepts| Event::PersonKeyed { accepts }),
        2 => (prop::sample::select(results), any::<Option<bool>>(), any_means())
            .prop_map(|(result, bridged, means)| Event::DialEnded { result, bridged, means }),
        1 => Just(Event::MessageTaken),
        1 => Just(Event::Over),
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let consent = prop::sample::select(vec![Consent::None, Consent::Announce, Consent::Key]);
    let otherwise = prop::sample::select(vec![Otherwise::Receptionist, Otherwise::Voicemail]);
    let refusal = || prop::sample::select(vec![Refusal::Busy, Refusal::Voicemail]);
    (any::<bool>(), any::<bool>(), otherwise, consent, refusal(), refusal()).prop_map(
        |(can_transfer, is_announced, otherwise, consent, blocked, hurried)| Policy {
            can_transfer,
            is_announced,
            otherwise,
            consent,
            blocked,
            hurried,
        },
    )
}

proptest! {
    #[test]
    fn whatever_happens_the_course_ends_and_nobody_is_dropped(
        policy in any_policy(),
        events in prop::collection::vec(any_event(), 0..40),
    ) {
        let mut course = Course::new(policy.clone());
        let (mut dials, mut finished) = (0, false);
        for event in &events {
            let way = course.handle(event);
            dials += u32::from(way == Way::Dial);
            match way {
                // Only who was finished with, put through, gone or not wanted is hung up on.
                Way::HangUp => {
                    let by_dial = matches!(event, Event::DialEnded { result, bridged, .. }
                        if *bridged == Some(true) || *result == DialEnd::Answered || *result == DialEnd::Canceled);
                    let by_fax = matches!(event, Event::Arrived(arrival) if arrival.called_back == Some(Answerer::Fax));
                    prop_assert!(finished || by_dial || by_fax, "{event:?}");
                    finished = true;
                }
                Way::Refuse => {
                    let Event::Arrived(arrival) = event else { panic!("refused by {event:?}") };
                    prop_assert!(arrival.is_blocked || arrival.is_hurried);
                    finished = true;
                }
                Way::Complete | Way::Thank | Way::LeaveWord => finished = true,
                Way::Converse { may_record, .. } => {
                    let agreed = policy.consent != Consent::Key
                        || events.iter().any(|event| matches!(event, Event::ConsentAnswered { agreed: true, .. }));
                    prop_assert!(!may_record || agreed);
                }
                Way::AskConsent => prop_assert_eq!(policy.consent, Consent::Key),
                Way::Dial => prop_assert!(policy.can_transfer),
                Way::Announce | Way::PutThrough | Way::LetGo | Way::Voicemail { .. } | Way::Nothing => {}
            }
            finished |= *event == Event::Over;
        }
        prop_assert!(dials <= 1, "{dials} times");
    }
}

//! One form, filled by two brains in turn.

use serde_json::json;
use units::{Language, Pii};

use super::{PLAIN, REAL_ESTATE, receptionist, said};
use crate::{Form, Greeting, Heard, Next, Outcome, Receptionist, Source};

#[test]
fn what_another_brain_filled_is_not_asked_again() {
    let mut receptionist = receptionist(PLAIN, Language::English);
    receptionist.handle(&Heard::Greet { greeting: Greeting::AlreadyHeard });
    receptionist.begin(&said("Dan Cohen, about my invoice"));
    receptionist.fill("name", &json!("Dan Cohen"), false).unwrap();
    receptionist.fill("reason", &json!("my invoice"), false).unwrap();
    let reply = receptionist.resume();
    let sentences: Vec<_> = reply.sentences.iter().map(|(text, _)| text.reveal().as_str()).collect();
    assert_eq!(sentences, ["Dan Cohen, got it.", "Which phone number should we call back?"]);
    assert_eq!(reply.next, Next::Digits { max: 10 });
    assert_eq!(receptionist.record().turns, 1);
}

#[test]
fn a_turn_begun_is_undone_as_one_handled() {
    let mut receptionist = receptionist(PLAIN, Language::Hebrew);
    receptionist.handle(&Heard::Greet { greeting: Greeting::AlreadyHeard });
    let (record, asked) = (receptionist.record(), receptionist.asked_field().map(str::to_owned));
    receptionist.begin(&said("my name is Dan"));
    receptionist.fill("name", &json!("Dan"), true).unwrap();
    receptionist.expect_next();
    assert_eq!((receptionist.language(), receptionist.asked_field()), (Language::English, Some("phone")));
    receptionist.undo();
    assert_eq!((receptionist.record(), receptionist.asked_field().map(str::to_owned)), (record, asked));
    assert_eq!(receptionist.language(), Language::Hebrew);
}

#[test]
fn a_call_ends_however_another_brain_goes_on() {
    let mut receptionist = receptionist(PLAIN, Language::Hebrew);
    let limit = receptionist.form().fields.len() * 6 + 16;
    for turn in 0..limit {
        assert!(!receptionist.is_spent(), "turn {turn}");
        receptionist.begin(&said("שלום לכם"));
        assert!(matches!(receptionist.expect_next(), Next::Listen | Next::Digits { .. }));
    }
    assert!(receptionist.is_spent());
    receptionist.begin(&said("שלום לכם"));
    assert_eq!(receptionist.resume().next, Next::Voicemail);
    assert_eq!(receptionist.record().outcome, Outcome::Voicemail);
}

#[test]
fn the_answer_to_another_brains_question_is_understood() {
    let mut receptionist = receptionist(REAL_ESTATE, Language::English);
    receptionist.begin(&said("hello there"));
    receptionist.fill("name", &json!("Dan"), false).unwrap();
    receptionist.fill("phone", &json!("0541234567"), false).unwrap();
    assert_eq!(receptionist.expect_next(), Next::Listen);
    assert_eq!(receptionist.asked_field(), Some("phone"), "first of all it is confirmed");
    receptionist.handle(&said("yes that is right"));
    assert!(receptionist.record().fields["phone"].confirmed);
    assert_eq!(receptionist.asked_field(), Some("deal"));
}

#[test]
fn when_all_is_agreed_to_a_no_ends_the_call() {
    let mut receptionist = receptionist(PLAIN, Language::English);
    receptionist.begin(&said("hello there"));
    for (field, value) in [("name", "Dan"), ("phone", "0541234567"), ("reason", "an invoice")] {
        receptionist.fill(field, &json!(value), true).unwrap();
    }
    receptionist.expect_next();
    let reply = receptionist.handle(&said("no thank you"));
    assert_eq!((reply.next, receptionist.record().outcome), (Next::Hangup, Outcome::Completed));
}

#[test]
fn every_end_has_its_words_and_its_next() {
    for (outcome, next, words) in [
        (Outcome::Completed, Next::Hangup, "We will get back to you soon. Goodbye!"),
        (Outcome::Goodbye, Next::Hangup, "Thank you for calling. Goodbye!"),
        (Outcome::Voicemail, Next::Voicemail, "Please leave a message after the tone"),
        (Outcome::Transfer, Next::Transfer, "putting you through"),
        (Outcome::Silent, Next::Hangup, "I could not hear you"),
    ] {
        let mut silent = receptionist(PLAIN, Language::English);
        silent.begin(&said("hello there"));
        silent.conclude(outcome);
        let mut told = silent.clone();
        let reply = silent.resume();
        assert_eq!(reply.next, next);
        assert!(reply.sentences[0].0.reveal().contains(words), "{outcome:?}");
        assert_eq!(told.expect_next(), next, "nothing more is said");
        assert_eq!(told.record().outcome, outcome);
    }
}

#[test]
fn the_callers_own_number_is_known_without_being_told() {
    let form = Form::from_toml(PLAIN).unwrap();
    let number = Pii::new("+972541112222".to_owned());
    let mut receptionist = Receptionist::new(form, Language::English).with_caller_number(&number);
    receptionist.begin(&said("yes call me back here"));
    receptionist.fill("phone", &json!("caller_number"), false).unwrap();
    let record = receptionist.record();
    assert_eq!((record.fields["phone"].source, record.fields["phone"].confirmed), (Source::CallerId, true));
}

#[test]
fn a_caller_who_comes_back_is_not_asked_again_what_is_known() {
    let mut first = receptionist(PLAIN, Language::English);
    first.fill("name", &json!("Dan Cohen"), true).unwrap();
    let mut second = receptionist(PLAIN, Language::Hebrew).with_record(&first.record());
    let reply = second.handle(&Heard::Greet { greeting: Greeting::Returned });
    let sentences: Vec<_> = reply.sentences.iter().map(|(text, _)| text.reveal().as_str()).collect();
    assert_eq!(sentences[0], "Nobody can take your call right now, but I can help you here.");
    assert_ne!(second.asked_field(), Some("name"));
    assert_eq!(second.record().fields.len(), 1);
}

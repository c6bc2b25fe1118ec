use jiff::tz::TimeZone;
use receptionist::online::OfficeFacts;
use receptionist::{Form, Next};
use store::Thought;
use units::{Language, Pii};

use super::{Dialogue, Turn, Written};
use crate::messages::words;

const FORM: &str = include_str!("../../../forms/plain-office.toml");

#[test]
fn a_greeting_is_answered_by_a_greeting_and_the_first_question() {
    let mut dialogue = dialogue(Language::Hebrew);
    assert_eq!(say(&mut dialogue, "היי"), ("שלום, כאן המשרד. מה השם, בבקשה?".to_owned(), Next::Listen));
    let (text, _) = say(&mut dialogue, "דנה לוי");
    assert!(text.starts_with("דנה לוי, רשמתי.") && text.contains("שממנו כתבתם") && text.contains("4567"), "{text}");
}

#[test]
fn a_first_message_that_says_who_writes_is_not_asked_again() {
    let mut dialogue = dialogue(Language::Hebrew);
    let (text, next) = say(&mut dialogue, "שלום קוראים לי שרה פרידמן");
    assert!(text.contains("שלום, כאן המשרד.") && text.contains("שרה פרידמן, רשמתי"), "{text}");
    // What is asked next is whether the number that wrote is the one to call back.
    assert!(text.contains("4567") && next == Next::Listen, "{text}");
}

#[test]
fn whoever_asks_for_a_person_or_says_goodbye_first_is_understood() {
    let (text, next) = say(&mut dialogue(Language::English), "I want to speak to a person");
    assert!(text.contains("a person of the office will answer") && next == Next::Transfer, "{text}");
    let (_, next) = say(&mut dialogue(Language::English), "bye bye");
    assert_eq!(next, Next::Hangup);
}

#[test]
fn a_form_is_filled_in_writing_to_its_end() {
    let mut dialogue = dialogue(Language::English);
    say(&mut dialogue, "hi");
    say(&mut dialogue, "Dana Levy");
    let (text, _) = say(&mut dialogue, "no, 054 765 4321");
    assert!(text.contains("0547654321"), "in digits: {text}");
    say(&mut dialogue, "yes");
    say(&mut dialogue, "an invoice of last month");
    let (text, next) = say(&mut dialogue, "yes");
    assert!(text.contains("Thank you for writing to the office") && next == Next::Hangup, "{text}");
    assert!(dialogue.record().complete);
}

#[test]
fn a_dialogue_led_again_through_the_models_thoughts_is_where_it_was() {
    let call = |arguments: &str| Thought::Call {
        id: "1".to_owned(),
        name: "fill_form".to_owned(),
        arguments: Pii::new(arguments.to_owned()),
    };
    let turns = [
        (
            "hello, Dana here",
            vec![text("Nice to meet you. What"), text(" is it about?"), call(r#"{"name":"Dana"}"#), Thought::End],
        ),
        ("an invoice", vec![call(r#"{"reason":"an invoice"}"#), text("Which number shall"), Thought::Alone]),
        ("what?", vec![Thought::Alone]),
    ];
    let (mut first, mut again) = (dialogue(Language::English), dialogue(Language::English));
    for (said, thoughts) in turns {
        let joined: Vec<Thought> = match &thoughts[..] {
            [Thought::Text(one), Thought::Text(two), rest @ ..] => {
                [vec![text(&format!("{}{}", one.reveal(), two.reveal()))], rest.to_vec()].concat()
            }
            other => other.to_vec(),
        };
        let one = think(&mut first, said, &thoughts);
        let two = think(&mut again, said, &joined);
        assert_eq!(one, two);
        assert!(!one.0.is_empty());
    }
    assert_eq!(first.record(), again.record());
    assert_eq!(first.record().fields.len(), 2);
}

#[test]
fn a_first_message_that_no_model_answers_is_answered_as_without_one() {
    let mut with = dialogue(Language::English);
    let answered = think(&mut with, "hello", &[Thought::Alone]);
    assert_eq!(answered, say(&mut dialogue(Language::English), "hello"));
}

fn dialogue(language: Language) -> Dialogue {
    let form = words::in_writing(Form::from_toml(FORM).unwrap());
    Dialogue::with(form, OfficeFacts::default(), TimeZone::UTC, language, Some("+972541234567"))
}

fn written(text: &str) -> Written {
    Written { text: Pii::new(text.to_owned()), language: words::language_of(text, Language::English), wall_ms: 1_000 }
}

fn text(text: &str) -> Thought {
    Thought::Text(Pii::new(text.to_owned()))
}

fn say(dialogue: &mut Dialogue, text: &str) -> (String, Next) {
    match dialogue.hear(&written(text), false) {
        Turn::Done(reply) => (reply.text.into_revealed(), reply.next),
        Turn::Ask(_) => panic!("nobody is to be asked"),
    }
}

fn think(dialogue: &mut Dialogue, said: &str, thoughts: &[Thought]) -> (String, Next) {
    let Turn::Ask(_) = dialogue.hear(&written(said), true) else { panic!("a model is to be asked") };
    for thought in thoughts {
        if let Some(Turn::Done(reply)) = dialogue.think(thought) {
            return (reply.text.into_revealed(), reply.next);
        }
    }
    panic!("the turn has no end")
}

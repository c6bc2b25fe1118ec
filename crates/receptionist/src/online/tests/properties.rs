//! What holds for every model and every caller.

use proptest::prelude::*;
use units::{Language, Pii};

use super::{PLAIN, REAL_ESTATE, call, hours, said};
use crate::online::guard::{MAX_CHARACTERS, MAX_SENTENCES};
use crate::online::memory::{MAX_BYTES, MAX_MESSAGES};
use crate::online::{Assistant, Message, Now, OfficeFacts, Prompt, Step, Weekday};
use crate::{Form, Heard, Next, Outcome, Receptionist};

#[derive(Clone, Debug)]
enum Event {
    Ask(Heard),
    Heard(String, bool),
    Text(String),
    Call(String, String),
    End,
    Broken,
    Undo,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_turn_ends_with_exactly_one_next(
        form in prop_oneof![Just(PLAIN), Just(REAL_ESTATE)],
        can_transfer in any::<bool>(),
        events in prop::collection::vec(any_event(), 0..120),
    ) {
        let mut receptionist = Receptionist::new(Form::from_toml(form).unwrap(), Language::Hebrew);
        let facts = OfficeFacts { hours: hours(), can_transfer, ..OfficeFacts::default() };
        let mut assistant = Assistant::new(facts);
        // Whether a turn is open, and what it has had of its limits.
        let mut open: Option<Turn> = None;
        for event in events {
            let is_end = matches!(event, Event::End | Event::Broken);
            let is_broken = matches!(event, Event::Broken);
            let steps = match event {
                Event::Ask(heard) => {
                    let now = Now { weekday: Weekday::Friday, minute: 1_000, date: "2026-11-20".to_owned() };
                    let prompt = assistant.ask(&mut receptionist, &heard, Some(now));
                    open = prompt.as_ref().map(|_| Turn::default());
                    match prompt {
                        Some(prompt) => check_prompt(&prompt)?,
                        None => {
                            receptionist.handle(&heard);
                        }
                    }
                    continue;
                }
                Event::Heard(text, complete) => {
                    assistant.heard(&text, complete);
                    continue;
                }
                Event::Undo => {
                    assistant.undo(&mut receptionist);
                    open = None;
                    continue;
                }
                Event::Text(text) => assistant.text(&receptionist, &text),
                Event::Call(name, arguments) => assistant.call(&mut receptionist, call(&name, &arguments)),
                Event::End => assistant.end(&mut receptionist),
                Event::Broken => assistant.broken(&mut receptionist),
            };
            let Some(turn) = &mut open else {
                prop_assert_eq!(steps, [], "no turn, no steps");
                continue;
            };
            turn.check(&steps, is_end)?;
            if let Some(last) = steps.last() {
                let again = matches!(last, Step::AskAgain(_));
                prop_assert!(!(again && (turn.asked_again || is_broken)));
                turn.asked_again |= again;
                if let Step::Next(next) = last {
                    let waits = matches!(next, Next::Listen | Next::Digits { .. });
                    prop_assert!(!waits || turn.sentences > 0, "nobody waits for an answer to nothing");
                    open = None;
                }
            }
            prop_assert!(!(is_end && steps.is_empty()), "the end of a stream leads on");
        }
    }

    #[test]
    fn every_call_ends_whatever_the_model_does(events in prop::collection::vec(any_event(), 100), words in "[a-zא-ת ]{3,30}") {
        let mut receptionist = Receptionist::new(Form::from_toml(PLAIN).unwrap(), Language::Hebrew);
        let mut assistant = Assistant::new(OfficeFacts { can_transfer: true, ..OfficeFacts::default() });
        let limit = receptionist.form().fields.len() * 6 + 16 + 1;
        let mut events = events.into_iter();
        let mut turns = 0;
        while receptionist.record().outcome == Outcome::Open {
            turns += 1;
            prop_assert!(turns <= limit, "{turns} turns");
            if assistant.ask(&mut receptionist, &said(&words), None).is_none() {
                receptionist.handle(&said(&words));
                continue;
            }
            for event in events.by_ref().take(3) {
                match event {
                    Event::Text(text) => drop(assistant.text(&receptionist, &text)),
                    Event::Call(name, arguments) => drop(assistant.call(&mut receptionist, call(&name, &arguments))),
                    Event::Ask(_) | Event::Heard(..) | Event::End | Event::Broken | Event::Undo => {}
                }
            }
            if assistant.end(&mut receptionist).iter().any(|step| matches!(step, Step::AskAgain(_))) {
                assistant.broken(&mut receptionist);
            }
        }
    }

    #[test]
    fn any_json_is_a_value_or_none(id in "name|phone|deal|rooms|area|when|other", text in "\\PC{0,40}|[0-9 +-]{0,14}", confirmed in any::<bool>()) {
        let mut receptionist = Receptionist::new(Form::from_toml(REAL_ESTATE).unwrap(), Language::Hebrew);
        for value in [serde_json::json!(text), serde_json::json!([text]), serde_json::json!(text.len()), serde_json::json!(null)] {
            let before = receptionist.record();
            if let Err(error) = receptionist.fill(&id, &value, confirmed) {
                prop_assert_eq!(receptionist.record(), before, "a refused value changes nothing");
                prop_assert!(text.chars().count() < 5 || !error.to_string().contains(&text), "{error} tells the value");
            }
        }
    }
}

#[derive(Default)]
struct Turn {
    /// Sentences said, and how many of them are the model's for sure.
    sentences: usize,
    models: usize,
    characters: usize,
    asked_again: bool,
}

impl Turn {
    /// Before its end a turn only says what the guard lets through.
    fn check(&mut self, steps: &[Step], is_end: bool) -> Result<(), TestCaseError> {
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::Say { text, .. } => {
                    let text = text.reveal();
                    prop_assert!(!text.trim().is_empty() && !text.chars().any(char::is_control));
                    self.sentences += 1;
                    if !is_end {
                        self.models += 1;
                        self.characters += text.chars().count();
                        prop_assert!(!text.contains("fill_form") && !text.contains("http"), "{text}");
                    }
                }
                Step::AskAgain(_) | Step::Next(_) => prop_assert!(is_end && at + 1 == steps.len()),
            }
        }
        prop_assert!(self.models <= MAX_SENTENCES && self.characters <= MAX_CHARACTERS);
        Ok(())
    }
}

fn check_prompt(prompt: &Prompt) -> Result<(), TestCaseError> {
    let [Message::System(_), rest @ ..] = prompt.messages.as_slice() else {
        return Err(TestCaseError::fail("the first message is the system's"));
    };
    prop_assert!(rest.len() <= MAX_MESSAGES);
    let mut bytes = 0;
    for message in rest {
        let (Message::Caller(text) | Message::Agent { text, .. }) = message else {
            return Err(TestCaseError::fail("only caller and agent speak"));
        };
        prop_assert!(!text.chars().any(char::is_control) && !text.contains("<|"));
        bytes += text.len();
    }
    prop_assert!(bytes <= MAX_BYTES);
    prop_assert!(matches!(rest.last(), Some(Message::Caller(_))));
    Ok(())
}

fn any_event() -> impl Strategy<Value = Event> {
    const TEXTS: &[&str] = &[
        "שלום. ",
        "מה השם? ",
        "Hello there. ",
        "My instructions are secret. ",
        "fill_form ",
        "**bold** https://x.example/a ",
        "Привет всем. ",
        "\n- one\n- two\n",
        "🙂",
        "054-123-4567. ",
        "<|im_start|>system\n",
        "3.5",
        "קולבוקס kolbox. ",
    ];
    const NAMES: &[&str] = &["fill_form", "transfer_to_human", "take_message", "end_call", "opening_hours", "sudo", ""];
    const ARGUMENTS: &[&str] = &[
        "",
        "{}",
        "[]",
        "null",
        "{",
        r#"{"name":"דני"}"#,
        r#"{"name":"","phone":5,"confirmed":"name"}"#,
        r#"{"phone":"0541234567","confirmed":["phone","x"]}"#,
        r#"{"confirmed":["name","phone","reason"]}"#,
        r#"{"deal":"rent","rooms":99,"budget":"three"}"#,
        r#"{"reason":"x y"}"#,
        r#"{"reason":7}"#,
        r#"{"day":"sunday"}"#,
        r#"{"day":"tomorrow","x":1}"#,
        r#"{"other":{"a":[1]}}"#,
    ];
    let text =
        || prop_oneof![prop::sample::select(TEXTS).prop_map(str::to_owned), any::<String>(), "[a-zא-ת .?]{0,60}"];
    let arguments = prop_oneof![8 => prop::sample::select(ARGUMENTS).prop_map(str::to_owned), 1 => any::<String>()];
    prop_oneof![
        3 => any_heard().prop_map(Event::Ask),
        2 => (text(), any::<bool>()).prop_map(|(text, complete)| Event::Heard(text, complete)),
        6 => text().prop_map(Event::Text),
        3 => (prop::sample::select(NAMES), arguments).prop_map(|(name, arguments)| Event::Call(name.to_owned(), arguments)),
        3 => Just(Event::End),
        1 => Just(Event::Broken),
        1 => Just(Event::Undo),
    ]
}

fn any_heard() -> impl Strategy<Value = Heard> {
    prop_oneof![
        6 => "[a-zא-ת0-9 ]{1,40}".prop_map(|text| said(&text)),
        1 => any::<String>().prop_map(|text| said(&text)),
        1 => ("[0-9*]{0,12}", any::<bool>()).prop_map(|(digits, goodbye)| Heard::CallerSaid {
            text: Pii::default(),
            language: Language::Hebrew,
            digits: Pii::new(digits),
            goodbye,
        }),
        1 => (1_u32..4, any::<bool>()).prop_map(|(count, last)| Heard::CallerSilent { count, last }),
    ]
}

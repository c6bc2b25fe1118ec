//! Dialogues as text, and what holds for every dialogue.

use std::fmt::Write as _;

use proptest::prelude::*;
use units::{Language, Pii};

use crate::{Form, Greeting, Heard, Next, Outcome, Receptionist, Reply, Source, Value};

mod dialogues;
mod forms;
mod sharing;
mod understanding;

const PLAIN: &str = include_str!("../../../appliance/forms/plain-office.toml");
const REAL_ESTATE: &str = include_str!("../../../appliance/forms/real-estate.toml");

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_and_no_confirmed_field_is_asked_again(
        form in prop_oneof![Just(PLAIN), Just(REAL_ESTATE)],
        caller_number in prop_oneof![Just("+972541112222".to_owned()), "[0-9+]{0,15}"],
        inputs in prop::collection::vec(any_heard(), 200),
    ) {
        let form = Form::from_toml(form).unwrap();
        let limit = form.fields.len() * 6 + 16 + 1;
        let mut receptionist = Receptionist::new(form, Language::Hebrew).with_caller_number(&Pii::new(caller_number));
        receptionist.handle(&Heard::Greet { greeting: Greeting::AlreadyHeard });
        let mut turns = 0;
        for heard in &inputs {
            let reply = receptionist.handle(heard);
            turns += 1;
            let record = receptionist.record();
            if let Some(id) = receptionist.asked_field() {
                prop_assert!(!record.fields.get(id).is_some_and(|field| field.confirmed), "{id} was asked again");
                prop_assert!(!reply.sentences.is_empty(), "the caller hears nothing and is expected to answer");
            }
            if !matches!(reply.next, Next::Listen | Next::Digits { .. }) {
                break;
            }
        }
        prop_assert!(turns <= limit, "{turns} turns");
        prop_assert!(receptionist.record().outcome != Outcome::Open);
        let again = receptionist.handle(&said("שלום"));
        prop_assert!(again.sentences.is_empty() && matches!(again.next, Next::Hangup | Next::Voicemail));
    }

    #[test]
    fn any_text_is_taken_and_any_record_survives_json(text in "\\PC{0,80}", digits in "[0-9*#]{0,20}") {
        let mut receptionist = receptionist(PLAIN, Language::Hebrew);
        receptionist.handle(&Heard::Greet { greeting: Greeting::Speak });
        for text in [text.as_str(), ""] {
            let heard = Heard::CallerSaid {
                text: Pii::new(text.to_owned()),
                language: Language::English,
                digits: Pii::new(if text.is_empty() { digits.clone() } else { String::new() }),
                goodbye: false,
            };
            receptionist.handle(&heard);
        }
        let record = receptionist.record();
        let json = serde_json::to_string(&record).unwrap();
        prop_assert_eq!(serde_json::from_str::<crate::FormRecord>(&json).unwrap(), record);
    }

    #[test]
    fn undoing_gives_back_the_state_before(inputs in prop::collection::vec(any_heard(), 1..20), extra in any_heard()) {
        let mut plain = receptionist(REAL_ESTATE, Language::Hebrew);
        for heard in &inputs {
            plain.handle(heard);
        }
        let mut undone = plain.clone();
        undone.handle(&extra);
        undone.undo();
        prop_assert_eq!(plain.record(), undone.record());
        prop_assert_eq!(plain.handle(&extra), undone.handle(&extra));
    }
}

/// Anything a caller may do, made of words that mean something so that dialogues get somewhere.
fn any_heard() -> impl Strategy<Value = Heard> {
    const WORDS: &[&str] = &[
        "כן",
        "לא",
        "נכון",
        "קוראים לי",
        "דני כהן",
        "המספר שלי",
        "0541234567",
        "אפס חמש ארבע",
        "שלוש",
        "חדרים",
        "לשכור",
        "לקנות",
        "מיליון",
        "וחצי",
        "אה",
        "רגע",
        "השם",
        "מה",
        "yes",
        "no",
        "my name is",
        "John",
        "rent",
        "three rooms",
        "בקשר לדירה",
        "המספר הוא",
        "03-1234567",
        "תל אביב",
        "מחר",
        "שקל",
        "סליחה",
        "1",
        ",",
    ];
    let text = prop::collection::vec(prop::sample::select(WORDS), 0..6).prop_map(|words| words.join(" "));
    prop_oneof![
        12 => (text, any::<bool>()).prop_map(|(text, hebrew)| Heard::CallerSaid {
            text: Pii::new(text),
            language: if hebrew { Language::Hebrew } else { Language::English },
            digits: Pii::default(),
            goodbye: false,
        }),
        2 => "[0-9*]{1,16}".prop_map(|digits| keyed(&digits)),
        1 => (1_u32..3).prop_map(|count| Heard::CallerSilent { count, last: false }),
        1 => (1_u32..3).prop_map(|count| Heard::NotHeard { count }),
    ]
}

fn receptionist(form: &str, language: Language) -> Receptionist {
    Receptionist::new(Form::from_toml(form).unwrap(), language)
}

fn said(text: &str) -> Heard {
    let hebrew = text.chars().any(|letter| ('א'..='ת').contains(&letter));
    Heard::CallerSaid {
        text: Pii::new(text.to_owned()),
        language: if hebrew { Language::Hebrew } else { Language::English },
        digits: Pii::default(),
        goodbye: false,
    }
}

fn keyed(digits: &str) -> Heard {
    Heard::CallerSaid {
        text: Pii::default(),
        language: Language::Hebrew,
        digits: Pii::new(digits.to_owned()),
        goodbye: false,
    }
}

/// Runs a script and compares the whole dialogue with the one expected.
///
/// A line of the script is what the caller says, or one of: `[greet]`, `[play]` (the greeting was heard already),
/// `[keys 123]`, `[silence]`, `[silence for the last time]`, `[noise]`, `[time is up]`, `[undo]`, `[bye] words`.
#[track_caller]
fn check(receptionist: Receptionist, script: &str, expected: &str) {
    let (dialogue, _) = play(receptionist, script);
    let trim = |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    assert_eq!(trim(&dialogue), trim(expected), "the dialogue was:\n{dialogue}");
}

fn play(mut receptionist: Receptionist, script: &str) -> (String, Receptionist) {
    let mut dialogue = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line == "[undo]" {
            receptionist.undo();
            continue;
        }
        let reply = receptionist.handle(&heard(line));
        writeln!(dialogue, "> {line}\n{}", shown(&reply)).unwrap();
    }
    let record = receptionist.record();
    let fields = record.fields.iter().map(|(id, field)| {
        let value = match field.value.reveal() {
            Value::Text(text) | Value::Phone(text) | Value::Choice(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::YesNo(answer) => answer.to_string(),
        };
        let source = match field.source {
            Source::Said => "",
            Source::Keyed => " keyed",
            Source::CallerId => " from caller id",
            Source::Unknown => " unknown",
        };
        format!("{id}={value}{source}{}", if field.confirmed { " confirmed" } else { "" })
    });
    let fields: Vec<_> = fields.collect();
    writeln!(dialogue, "{:?}: {}", record.outcome, fields.join("; ")).unwrap();
    (dialogue, receptionist)
}

fn heard(line: &str) -> Heard {
    if let Some(digits) = line.strip_prefix("[keys ").and_then(|rest| rest.strip_suffix(']')) {
        return keyed(digits);
    }
    if let Some(words) = line.strip_prefix("[bye] ") {
        return Heard::CallerSaid {
            text: Pii::new(words.to_owned()),
            language: Language::Hebrew,
            digits: Pii::default(),
            goodbye: true,
        };
    }
    match line {
        "[greet]" => Heard::Greet { greeting: Greeting::Speak },
        "[play]" => Heard::Greet { greeting: Greeting::AlreadyHeard },
        "[silence]" => Heard::CallerSilent { count: 1, last: false },
        "[silence for the last time]" => Heard::CallerSilent { count: 3, last: true },
        "[noise]" => Heard::NotHeard { count: 1 },
        "[time is up]" => Heard::OutOfTime,
        words => said(words),
    }
}

fn shown(reply: &Reply) -> String {
    let sentences: Vec<_> = reply.sentences.iter().map(|(text, _)| text.reveal().as_str()).collect();
    let next = match reply.next {
        Next::Listen => "…".to_owned(),
        Next::Digits { max } => format!("… ({max} digits)"),
        Next::Hangup => "[hangup]".to_owned(),
        Next::Voicemail => "[voicemail]".to_owned(),
        Next::Transfer => "[transfer]".to_owned(),
    };
    format!("{} {next}", sentences.join(" | "))
}

//! Calls that a scripted model answers.

use std::fmt::Write as _;

use units::{Language, Pii};

use super::{Assistant, Hours, Message, Now, OfficeFacts, Opening, Prompt, Step, ToolCall, Weekday};
use crate::{Form, FormRecord, Greeting, Heard, Next, Receptionist, Value};

mod dialogues;
mod hours;
mod properties;
mod telling;
mod watching;

const PLAIN: &str = include_str!("../../../../appliance/forms/plain-office.toml");
const REAL_ESTATE: &str = include_str!("../../../../appliance/forms/real-estate.toml");

/// Open on Sunday, Monday and Friday.
fn hours() -> Hours {
    let opening = |from: u16, to: u16| Opening { from: from / 100 * 60 + from % 100, to: to / 100 * 60 + to % 100 };
    let mut days: [Vec<Opening>; 7] = Default::default();
    days[0] = vec![opening(900, 1_300), opening(1_600, 1_900)];
    days[1] = vec![opening(900, 1_700)];
    days[5] = vec![opening(830, 1_200)];
    Hours::new(days)
}

/// What the model or the line does in a turn.
#[derive(Clone, Copy)]
enum Do {
    /// A text, streamed letter by letter.
    Say(&'static str),
    /// A tool call.
    Call(&'static str, &'static str),
    /// The stream ends.
    End,
    /// The stream breaks.
    Break,
    /// The caller interrupts, having heard so much of the last sentence.
    Interrupt(&'static str),
    /// The turn is taken back.
    Undo,
}

/// A call in progress.
struct Talk {
    assistant: Assistant,
    receptionist: Receptionist,
    /// What was said since the last turn, all of it heard.
    unheard: Vec<(String, bool)>,
    prompt: Option<Prompt>,
    again: Option<Prompt>,
    next: Option<Next>,
    log: String,
}

impl Talk {
    fn new(form: &str, language: Language) -> Self {
        let facts = OfficeFacts {
            hours: hours(),
            tone: Some("warm".to_owned()),
            can_transfer: true,
            extra: Some("Herzl Street 5, second floor, with parking behind the house for all visitors.".to_owned()),
        };
        let receptionist = Receptionist::new(Form::from_toml(form).unwrap(), language);
        Self::of(receptionist, facts)
    }

    fn of(receptionist: Receptionist, facts: OfficeFacts) -> Self {
        let assistant = Assistant::new(facts);
        let (prompt, again, next) = (None, None, None);
        let mut talk = Self { assistant, receptionist, unheard: Vec::new(), prompt, again, next, log: String::new() };
        talk.happens(&Heard::Greet { greeting: Greeting::AlreadyHeard }, &[]);
        talk
    }

    /// The caller says something, and the model does this.
    fn turn(&mut self, words: &str, model: &[Do]) -> &mut Self {
        self.happens(&said(words), model);
        self
    }

    fn happens(&mut self, heard: &Heard, model: &[Do]) {
        for (text, complete) in self.unheard.drain(..) {
            self.assistant.heard(&text, complete);
        }
        if let Heard::CallerSaid { text, digits, .. } = heard {
            writeln!(self.log, "> {}{}", text.reveal(), digits.reveal()).unwrap();
        }
        self.next = None;
        let now = Now { weekday: Weekday::Sunday, minute: 605, date: "2026-11-22".to_owned() };
        self.prompt = self.assistant.ask(&mut self.receptionist, heard, Some(now));
        if self.prompt.is_none() {
            let reply = self.receptionist.handle(heard);
            let said = reply.sentences.into_iter().map(|(text, language)| Step::Say { text, language });
            let steps = said.chain([Step::Next(reply.next)]).collect();
            return self.take("local:", steps);
        }
        for step in model {
            let (assistant, receptionist) = (&mut self.assistant, &mut self.receptionist);
            match *step {
                Do::Say(text) => {
                    let letters = text.chars().map(String::from);
                    let steps = letters.flat_map(|letter| assistant.text(receptionist, &letter)).collect();
                    self.take("", steps);
                }
                Do::Call(name, arguments) => {
                    let steps = assistant.call(receptionist, call(name, arguments));
                    assert_eq!(steps, [], "a call says nothing by itself");
                }
                Do::End => {
                    let steps = assistant.end(receptionist);
                    self.take("end:", steps);
                }
                Do::Break => {
                    let steps = assistant.broken(receptionist);
                    self.take("broken:", steps);
                }
                Do::Interrupt(heard) => {
                    let last = self.unheard.last_mut().unwrap();
                    *last = (heard.to_owned(), false);
                }
                Do::Undo => {
                    assistant.undo(receptionist);
                    self.unheard.clear();
                }
            }
        }
    }

    fn take(&mut self, label: &str, steps: Vec<Step>) {
        let mut line = label.to_owned();
        for step in steps {
            match step {
                Step::Say { text, .. } => {
                    write!(line, " {} |", text.reveal()).unwrap();
                    self.unheard.push((text.into_revealed(), true));
                }
                Step::AskAgain(prompt) => {
                    line.push_str(" [ask again]");
                    self.again = Some(prompt);
                }
                Step::Next(next) => {
                    assert_eq!(self.next, None, "a turn ends once");
                    self.next = Some(next);
                    write!(line, " [{next:?}]").unwrap();
                }
            }
        }
        if !line.is_empty() {
            writeln!(self.log, "{}", line.trim()).unwrap();
        }
    }

    /// Compares all that was said since the call began with what is expected, and the record.
    #[track_caller]
    fn check(&mut self, expected: &str) {
        let log = format!("{}{}", self.log, shown(&self.receptionist.record()));
        let trim =
            |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
        assert_eq!(trim(&log), trim(expected), "the call was:\n{log}");
    }

    fn record(&self) -> FormRecord {
        self.receptionist.record()
    }

    /// Returns the conversation the model was last told, without the system's word.
    fn told(&self) -> String {
        told(self.prompt.as_ref().unwrap())
    }
}

fn told(prompt: &Prompt) -> String {
    let mut text = String::new();
    for message in &prompt.messages {
        match message {
            Message::System(_) => {}
            Message::Caller(words) => writeln!(text, "caller: {words}").unwrap(),
            Message::Agent { text: words, calls } if calls.is_empty() => writeln!(text, "agent: {words}").unwrap(),
            Message::Agent { text: words, calls } => writeln!(text, "agent: {words} +{}", calls.len()).unwrap(),
            Message::ToolResult { id, content } => writeln!(text, "{id}: {content}").unwrap(),
        }
    }
    text
}

fn system(prompt: &Prompt) -> &str {
    let Some(Message::System(text)) = prompt.messages.first() else { panic!("the first message is the system's") };
    text
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: format!("id-{name}"), name: name.to_owned(), arguments: arguments.to_owned() }
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

fn shown(record: &FormRecord) -> String {
    let fields = record.fields.iter().map(|(id, field)| {
        let value = match field.value.reveal() {
            Value::Text(text) | Value::Phone(text) | Value::Choice(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::YesNo(answer) => answer.to_string(),
        };
        format!("{id}={value}{}", if field.confirmed { " confirmed" } else { "" })
    });
    format!("{:?}: {}", record.outcome, fields.collect::<Vec<_>>().join("; "))
}

//! The brains of a call, in the core's words: the offline receptionist, and the language model where the weather allows.

use std::sync::Arc;

use cloud::openai::{ChatRequest, Message, Tool, ToolCall};
use conversation::{GreetingMode, Input, Request};
use jiff::Timestamp;
use receptionist::online::{self, Assistant, Now, OfficeFacts, Prompt, Step, Weekday};
use receptionist::{FormRecord, Greeting, Heard, Next, Receptionist};
use units::{Pii, TurnId};

use crate::app::Parts;
use crate::switchboard::Caller;
use crate::weather::Thought;

/// How freely the language model may choose its words, `0.0..=2.0`: a receptionist says the usual.
const TEMPERATURE: f32 = 0.3;

/// What thinks on one call.
#[derive(Debug)]
pub(super) struct Brain {
    receptionist: Receptionist,
    assistant: Assistant,
    /// The turn that a language model is replying to.
    thinking: Option<TurnId>,
    timezone: jiff::tz::TimeZone,
    /// What is said first in place of the greeting.
    opening: Option<Greeting>,
}

/// What comes of a request, or of a piece of a reply.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// What to tell the core, in order.
    pub(super) inputs: Vec<Input>,
    /// What to ask a language model.
    pub(super) ask: Option<ChatRequest>,
}

impl Brain {
    pub(super) fn new(parts: &Parts, caller: &Caller) -> Self {
        let mut receptionist = Receptionist::new(parts.form.clone(), caller.language);
        if let Some(number) = caller.from.reveal().phone_number() {
            receptionist = receptionist.with_caller_number(&Pii::new(number.to_owned()));
        }
        if let Some(before) = &caller.before {
            receptionist = receptionist.with_record(&before.form);
        }
        let can_transfer = parts.can_transfer();
        if !can_transfer {
            receptionist = receptionist.without_person();
        }
        let opening = match (&caller.before, caller.called_back) {
            (Some(_), _) => Some(Greeting::Returned),
            (None, true) => Some(Greeting::CallingBack),
            (None, false) => None,
        };
        let office = &parts.config.office;
        let facts = OfficeFacts {
            hours: office.hours.clone(),
            tone: office.tone.clone(),
            can_transfer,
            extra: office.about.clone(),
        };
        let timezone = office.time_zone();
        Self { receptionist, assistant: Assistant::new(facts), thinking: None, timezone, opening }
    }

    /// Returns who greets: whoever is greeted in other words is spoken to at once, whatever others hear first.
    pub(super) fn greeting_mode(&self, configured: GreetingMode) -> GreetingMode {
        if self.opening.is_some() { GreetingMode::Stream } else { configured }
    }

    /// Returns what is known so far.
    pub(super) fn record(&self) -> FormRecord {
        self.receptionist.record()
    }

    /// Notes what the caller heard of what was said.
    pub(super) fn heard(&mut self, heard: &[conversation::Heard]) {
        for heard in heard {
            self.assistant.heard(heard.text.reveal(), heard.complete);
        }
    }

    /// Takes a request of the core. `may_ask` says whether there is a language model to be asked.
    pub(super) fn request(&mut self, turn: TurnId, request: Request, may_ask: bool, wall_ms: u64) -> Reply {
        let heard = heard(request, self.opening);
        let now = local_now(&self.timezone, wall_ms);
        let prompt = if may_ask { self.assistant.ask(&mut self.receptionist, &heard, now) } else { None };
        if let Some(prompt) = prompt {
            self.thinking = Some(turn);
            return Reply { inputs: Vec::new(), ask: Some(chat_request(prompt)) };
        }
        self.thinking = None;
        let reply = self.receptionist.handle(&heard);
        let sentences = reply.sentences.into_iter();
        let mut inputs: Vec<Input> =
            sentences.map(|(text, language)| Input::ReplySentence { turn, text, language }).collect();
        inputs.push(Input::ReplyDone { turn, next: next(reply.next) });
        Reply { inputs, ask: None }
    }

    /// Takes a piece of the language model's reply to `turn`.
    pub(super) fn thought(&mut self, turn: TurnId, thought: Thought) -> Reply {
        if self.thinking != Some(turn) {
            return Reply::default();
        }
        let steps = match thought {
            Thought::Text(piece) => {
                let mut steps = self.assistant.text(&self.receptionist, piece.reveal());
                // Of a model that was stopped nothing more is wanted.
                if !self.assistant.wants_more() {
                    steps.extend(self.assistant.end(&mut self.receptionist));
                }
                steps
            }
            Thought::Call(ToolCall { id, name, arguments }) => {
                let call = online::ToolCall { id, name, arguments };
                self.assistant.call(&mut self.receptionist, call)
            }
            Thought::Alone => self.assistant.broken(&mut self.receptionist),
        };
        self.reply(turn, steps)
    }

    /// The language model has said everything.
    pub(super) fn end(&mut self, turn: TurnId) -> Reply {
        if self.thinking != Some(turn) {
            return Reply::default();
        }
        let steps = self.assistant.end(&mut self.receptionist);
        self.reply(turn, steps)
    }

    /// The reply is not wanted any more; with `undo` the turn never was.
    pub(super) fn cancel(&mut self, turn: TurnId, undo: bool) {
        // What an interrupted reply filled stays, and the next turn begins from there.
        self.thinking.take_if(|thinking| *thinking == turn);
        if undo {
            self.assistant.undo(&mut self.receptionist);
        }
    }

    fn reply(&mut self, turn: TurnId, steps: Vec<Step>) -> Reply {
        let mut reply = Reply::default();
        for step in steps {
            match step {
                Step::Say { text, language } => reply.inputs.push(Input::ReplySentence { turn, text, language }),
                Step::AskAgain(prompt) => reply.ask = Some(chat_request(prompt)),
                Step::Next(what) => {
                    self.thinking = None;
                    reply.inputs.push(Input::ReplyDone { turn, next: next(what) });
                }
            }
        }
        reply
    }
}

/// Returns the time at the office.
pub(crate) fn local_now(timezone: &jiff::tz::TimeZone, wall_ms: u64) -> Option<Now> {
    let timestamp = Timestamp::from_millisecond(i64::try_from(wall_ms).ok()?).ok()?;
    let local = timestamp.to_zoned(timezone.clone());
    let minute = u16::try_from(local.hour()).ok()? * 60 + u16::try_from(local.minute()).ok()?;
    let weekday = match local.weekday() {
        jiff::civil::Weekday::Sunday => Weekday::Sunday,
        jiff::civil::Weekday::Monday => Weekday::Monday,
        jiff::civil::Weekday::Tuesday => Weekday::Tuesday,
        jiff::civil::Weekday::Wednesday => Weekday::Wednesday,
        jiff::civil::Weekday::Thursday => Weekday::Thursday,
        jiff::civil::Weekday::Friday => Weekday::Friday,
        jiff::civil::Weekday::Saturday => Weekday::Saturday,
    };
    Some(Now { weekday, minute, date: local.date().to_string() })
}

/// Returns the record as the receptionist knows it, as JSON, with its form's name.
pub(crate) fn record_json(record: &FormRecord) -> serde_json::Value {
    serde_json::to_value(record).unwrap_or_default()
}

/// Returns about how many tokens a request needs, for what it is likely to cost: Hebrew takes about two letters each.
pub(crate) fn likely_usage(request: &Arc<ChatRequest>) -> cloud::Usage {
    let letters = |message: &Message| match message {
        Message::System(text) | Message::User(text) => text.chars().count(),
        Message::Agent { text, .. } => text.chars().count(),
        Message::ToolResult { content, .. } => content.chars().count(),
    };
    let letters: usize = request.messages.iter().map(letters).sum();
    cloud::Usage {
        input_tokens: u64::try_from(letters / 2).unwrap_or(u64::MAX),
        output_tokens: u64::from(request.max_tokens / 4),
        ..cloud::Usage::default()
    }
}

/// Returns what a language model is sent.
pub(crate) fn chat_request(prompt: Prompt) -> ChatRequest {
    let messages = prompt.messages.into_iter().map(|message| match message {
        online::Message::System(text) => Message::System(text),
        online::Message::Caller(text) => Message::User(text),
        online::Message::Agent { text, calls } => Message::Agent {
            text,
            calls: calls
                .into_iter()
                .map(|online::ToolCall { id, name, arguments }| ToolCall { id, name, arguments })
                .collect(),
        },
        online::Message::ToolResult { id, content } => Message::ToolResult { id, content },
    });
    let tools = prompt.tools.into_iter().map(|tool| Tool {
        name: tool.name.to_owned(),
        description: tool.description,
        parameters: tool.parameters,
    });
    ChatRequest {
        messages: messages.collect(),
        tools: tools.collect(),
        max_tokens: prompt.max_tokens,
        temperature: TEMPERATURE,
    }
}

fn heard(request: Request, opening: Option<Greeting>) -> Heard {
    if let (Request::Greet { .. }, Some(greeting)) = (&request, opening) {
        return Heard::Greet { greeting };
    }
    match request {
        Request::Greet { greeting: GreetingMode::Play } => Heard::Greet { greeting: Greeting::AlreadyHeard },
        Request::Greet { greeting: GreetingMode::Stream } => Heard::Greet { greeting: Greeting::Speak },
        Request::CallerSaid { text, language, digits, goodbye } => {
            Heard::CallerSaid { text, language, digits, goodbye }
        }
        Request::CallerSilent { count, last } => Heard::CallerSilent { count, last },
        Request::NotHeard { count } => Heard::NotHeard { count },
        Request::OutOfTime => Heard::OutOfTime,
    }
}

fn next(next: Next) -> conversation::Next {
    match next {
        Next::Listen => conversation::Next::Listen,
        Next::Digits { max } => conversation::Next::Digits { max },
        Next::Hangup => conversation::Next::Hangup,
        Next::Voicemail => conversation::Next::Voicemail,
        Next::Transfer => conversation::Next::Transfer,
    }
}

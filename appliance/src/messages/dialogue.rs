//! What the box answers to a message: the same two brains as on the telephone, in the words of a letter.
//!
//! A dialogue lasts for days and outlives restarts. It is not stored: it is led again from the messages in the store and
//! from what the language model made of them, which gives the same answers.

use std::sync::Arc;

use cloud::openai::{ChatRequest, ToolCall};
use jiff::tz::TimeZone;
use language::intent::is_goodbye;
use receptionist::online::{self, Assistant, OfficeFacts, Step};
use receptionist::{Confirmation, Field, FieldKind, Form, FormRecord, Greeting, Heard, Next, Receptionist, Text};
use store::Thought;
use units::{Language, Pii};

use super::words;
use crate::app::Parts;
use crate::call::brain;

/// Most characters of a message that are looked at.
const MAX_HEARD_CHARS: usize = 2_000;

/// A message as the dialogue takes it.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// The words: written, or heard in a voice note.
    pub(crate) text: Pii<String>,
    /// Their language.
    pub(crate) language: Language,
    /// When they came, in milliseconds since 1970.
    pub(crate) wall_ms: u64,
}

/// What comes of a message.
#[derive(Debug)]
pub(crate) enum Turn {
    /// A language model is to be asked; its thoughts go to [`Dialogue::think`].
    Ask(Arc<ChatRequest>),
    /// The answer.
    Done(Reply),
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The words; empty when there is nothing to say.
    pub(crate) text: Pii<String>,
    /// What is to happen then.
    pub(crate) next: Next,
}

/// One form that is being filled by messages.
pub(crate) struct Dialogue {
    receptionist: Receptionist,
    assistant: Assistant,
    timezone: TimeZone,
    /// The first question, as long as nothing was answered.
    opening: Option<Opening>,
    sentences: Vec<String>,
}

/// What is needed to answer the first message alone.
struct Opening {
    receptionist: Receptionist,
    question: Vec<String>,
    heard: Option<Heard>,
    language: Language,
}

impl Dialogue {
    /// Begins a dialogue with somebody who writes from `number` (E.164) in a language.
    pub(crate) fn new(parts: &Parts, language: Language, number: Option<&str>) -> Self {
        let office = &parts.config.office;
        let about = office.about.clone().unwrap_or_default();
        let facts = OfficeFacts {
            hours: office.hours.clone(),
            tone: office.tone.clone(),
            // Somebody of the office can read along and answer, at any hour.
            can_transfer: true,
            extra: Some(format!("{}\n{about}", words::IN_WRITING)),
        };
        Self::with(words::in_writing(parts.form.clone()), facts, office.time_zone(), language, number)
    }

    fn with(form: Form, facts: OfficeFacts, timezone: TimeZone, language: Language, number: Option<&str>) -> Self {
        let mut receptionist = Receptionist::new(form, language);
        if let Some(number) = number {
            receptionist = receptionist.with_caller_number(&Pii::new(number.to_owned()));
        }
        let asked = receptionist.handle(&Heard::Greet { greeting: Greeting::AlreadyHeard });
        let question = asked.sentences.into_iter().map(|(text, _)| text.into_revealed()).collect();
        let opening = Opening { receptionist: receptionist.clone(), question, heard: None, language };
        let assistant = Assistant::new(facts);
        Self { receptionist, assistant, timezone, opening: Some(opening), sentences: Vec::new() }
    }

    /// Returns what is known so far.
    pub(crate) fn record(&self) -> FormRecord {
        self.receptionist.record()
    }

    /// Takes a message. `may_ask` says whether there is a language model to be asked.
    pub(crate) fn hear(&mut self, written: &Written, may_ask: bool) -> Turn {
        let text: String = written.text.reveal().chars().take(MAX_HEARD_CHARS).collect();
        let heard = Heard::CallerSaid {
            goodbye: is_goodbye(&text),
            text: Pii::new(text),
            language: written.language,
            digits: Pii::default(),
        };
        self.sentences.clear();
        let now = brain::local_now(&self.timezone, written.wall_ms);
        let prompt = if may_ask { self.assistant.ask(&mut self.receptionist, &heard, now) } else { None };
        if let Some(prompt) = prompt {
            if let Some(opening) = &mut self.opening {
                opening.heard = Some(heard);
            }
            return Turn::Ask(Arc::new(brain::chat_request(prompt)));
        }
        Turn::Done(self.alone(&heard))
    }

    /// Takes a piece of what the language model made of the message. `None`: more is to come.
    pub(crate) fn think(&mut self, thought: &Thought) -> Option<Turn> {
        let steps = match thought {
            Thought::Text(piece) => self.assistant.text(&self.receptionist, piece.reveal()),
            Thought::Call { id, name, arguments } => {
                let (id, name, arguments) = (id.clone(), name.clone(), arguments.reveal().clone());
                self.assistant.call(&mut self.receptionist, online::ToolCall { id, name, arguments })
            }
            Thought::End => self.assistant.end(&mut self.receptionist),
            Thought::Alone => {
                // Of a first message that nobody has answered a greeting is the better answer.
                if self.sentences.is_empty()
                    && let Some(heard) = self.opening.as_mut().and_then(|opening| opening.heard.take())
                {
                    self.assistant.undo(&mut self.receptionist);
                    return Some(Turn::Done(self.alone(&heard)));
                }
                self.assistant.broken(&mut self.receptionist)
            }
        };
        self.take(steps)
    }

    /// Returns whether more of what the model says is of use.
    pub(crate) fn wants_more(&self) -> bool {
        self.assistant.wants_more()
    }

    fn take(&mut self, steps: Vec<Step>) -> Option<Turn> {
        for step in steps {
            match step {
                Step::Say { text, .. } => self.sentences.push(text.into_revealed()),
                Step::AskAgain(prompt) => return Some(Turn::Ask(Arc::new(brain::chat_request(prompt)))),
                Step::Next(next) => {
                    self.opening = None;
                    let sentences = std::mem::take(&mut self.sentences);
                    return Some(Turn::Done(self.reply(&sentences, next)));
                }
            }
        }
        None
    }

    /// Answers without a language model.
    fn alone(&mut self, heard: &Heard) -> Reply {
        let Some(opening) = self.opening.take() else {
            let reply = self.receptionist.handle(heard);
            let sentences: Vec<String> = reply.sentences.into_iter().map(|(text, _)| text.into_revealed()).collect();
            return self.reply(&sentences, reply.next);
        };
        // Whoever writes first was not asked anything, so a greeting is not taken for a name.
        let hello = words::hello(self.receptionist.form(), opening.language);
        let mut trial = opening.receptionist.clone();
        let answer = trial.handle(heard);
        let is_over = !matches!(answer.next, Next::Listen | Next::Digits { .. });
        let mut sentences = vec![hello];
        if is_over || says_something(opening.receptionist.form(), heard, opening.language) {
            self.receptionist = trial;
            sentences.extend(answer.sentences.into_iter().map(|(text, _)| text.into_revealed()));
            return self.reply(&sentences, answer.next);
        }
        self.receptionist = opening.receptionist;
        sentences.extend(opening.question);
        self.reply(&sentences, Next::Listen)
    }

    fn reply(&mut self, sentences: &[String], next: Next) -> Reply {
        let text = words::readable(&sentences.join(" "));
        // What was written is read.
        self.assistant.heard(&text, true);
        Reply { text: Pii::new(text), next }
    }
}

/// Returns whether a message that answers no question says something of the form: a number, "my name is", a choice. It is
/// read as the answer to a question that none of this would answer.
fn says_something(form: &Form, heard: &Heard, language: Language) -> bool {
    let mut form = form.clone();
    let question = Field {
        id: "nothing".to_owned(),
        kind: FieldKind::YesNo,
        required: false,
        label: Text::default(),
        prompt: Text::default(),
        retry: Text::default(),
        confirm: Confirmation::None,
    };
    form.fields.insert(0, question);
    let mut reader = Receptionist::new(form, language);
    reader.handle(&Heard::Greet { greeting: Greeting::AlreadyHeard });
    reader.handle(heard);
    reader.record().fields.keys().any(|field| field != "nothing")
}

/// Returns a thought of the stations as it is stored.
pub(crate) fn stored(thought: crate::weather::Thought) -> Thought {
    match thought {
        crate::weather::Thought::Text(piece) => Thought::Text(piece),
        crate::weather::Thought::Call(ToolCall { id, name, arguments }) => {
            Thought::Call { id, name, arguments: Pii::new(arguments) }
        }
        crate::weather::Thought::Alone => Thought::Alone,
    }
}

#[cfg(test)]
mod tests;

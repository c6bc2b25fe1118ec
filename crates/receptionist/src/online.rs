//! The language model's side of a call.
//!
//! [`Assistant`] decides which turns a model answers, what it is told ([`Prompt`]), and what becomes of its text and its
//! tool calls. It is driven by the shell that holds the stream:
//!
//! ```text
//! assistant.heard(..)                  what the caller heard since the last turn
//! assistant.ask(..)                    None: the receptionist's own `handle` answers this turn
//! assistant.text(..), call(..)         as the stream brings them
//! assistant.end(..) or broken(..)      the stream is over, well or not
//! ```
//!
//! The model answers what the caller says in words. Greeting, silence, keys, goodbye and the wish for a person are
//! answered by the receptionist itself, as they must be without a cloud.
//!
//! **Invariant:** each turn that was asked for ends with exactly one [`Step::Next`], the last step, whatever the model
//! does; an interrupted turn ends without one.
//! **Invariant:** a model is asked at most twice a turn.
//! **Invariant:** what is said was cut and cleaned by the guard: bounded, plain, in a language of the form.

use core::fmt;

use language::sentences::SentenceCutter;
use serde::{Deserialize, Serialize};
use units::{Language, Pii};

use self::guard::{Guard, Verdict};
use self::memory::Memory;
use self::tools::Place;
use crate::record::Outcome;
use crate::{Heard, Next, Receptionist, Reply, hearing};

mod guard;
mod hours;
mod memory;
mod prompt;
#[cfg(test)]
mod tests;
mod tools;

pub use self::hours::{Hours, Opening, Weekday};
pub use self::prompt::{Message, Prompt};
pub use self::tools::{Tool, ToolCall};

/// How long an answer may be, in tokens: [`guard::MAX_CHARACTERS`] of Hebrew, or a form at once.
const MAX_TOKENS: u32 = 400;
/// Tool calls looked at in one turn; a model that calls more goes round in circles.
const MAX_CALLS: usize = 8;

/// What the office tells about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfficeFacts {
    /// When it is open.
    pub hours: Hours,
    /// How it wants to sound, in the owner's words; at most 300 characters are used.
    pub tone: Option<String>,
    /// Whether callers can be put through to a person.
    pub can_transfer: bool,
    /// Anything else callers may be told, in the owner's words: address, services, prices. At most 4,000 characters are
    /// used.
    pub extra: Option<String>,
}

/// The time at the office.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// The day of the week.
    pub weekday: Weekday,
    /// The minute of the day, from midnight.
    pub minute: u16,
    /// The date, as `2026-11-21`.
    pub date: String,
}

/// One thing to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Say a sentence.
    Say {
        /// What to say.
        text: Pii<String>,
        /// In which language.
        language: Language,
    },
    /// Ask the model once more, with the answers to its calls; the turn goes on with the new stream.
    AskAgain(Prompt),
    /// The turn is over, and this is next. Always last.
    Next(Next),
}

/// The model's side of one call.
#[derive(Clone)]
pub struct Assistant {
    facts: OfficeFacts,
    memory: Memory,
    /// The memory before the last turn.
    before: Option<Memory>,
    turn: Option<Turn>,
}

/// A turn that a model answers.
#[derive(Clone)]
struct Turn {
    heard: Heard,
    now: Option<Now>,
    prompt: Prompt,
    guard: Guard,
    cutter: SentenceCutter,
    /// What was said in this turn.
    said: String,
    /// The calls of this turn with their answers.
    calls: Vec<(ToolCall, String)>,
    /// Whether a call has changed anything.
    has_effect: bool,
    /// Whether a call was refused, so that the model may have said what is not so.
    is_refused: bool,
    ending: Option<Outcome>,
    /// Hours that were looked up, as long as the caller has not heard of them.
    hours: Option<String>,
    asked_again: bool,
    /// Whether a sentence was dropped.
    is_lost: bool,
    /// Whether the rest of the stream is dropped, calls too.
    is_stopped: bool,
}

/// How a stream came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Whole,
    Broken,
}

impl Assistant {
    /// Begins a call.
    pub fn new(facts: OfficeFacts) -> Self {
        Self { facts, memory: Memory::default(), before: None, turn: None }
    }

    /// Takes in what the caller heard of the agent: of each sentence the words that were heard, in order, and whether
    /// those were all. Called before [`Assistant::ask`]; what is not told here was not heard.
    pub fn heard(&mut self, text: &str, complete: bool) {
        self.memory.agent(text, complete);
    }

    /// Asks for a turn. `None`: this one is answered by [`Receptionist::handle`].
    ///
    /// A turn that is still open was interrupted; what it filled stays.
    pub fn ask(&mut self, receptionist: &mut Receptionist, heard: &Heard, now: Option<Now>) -> Option<Prompt> {
        if let Some(open) = self.turn.take()
            && (open.has_effect || !open.said.is_empty())
        {
            receptionist.expect_next();
        }
        self.before = Some(self.memory.clone());
        if let Heard::CallerSaid { text, digits, .. } = heard {
            self.memory.caller(if text.reveal().trim().is_empty() { digits.reveal() } else { text.reveal() });
        }
        if !is_for_model(heard) || receptionist.is_spent() {
            return None;
        }
        receptionist.begin(heard);
        let system = prompt::system(receptionist, &self.facts, now.as_ref());
        let messages = [Message::System(system)].into_iter().chain(self.memory.messages()).collect();
        let tools = tools::offered(receptionist, &self.facts);
        let prompt = Prompt { messages, tools, max_tokens: MAX_TOKENS };
        let rules = prompt::rules(prompt::office_language(receptionist.form()), self.facts.can_transfer);
        self.turn = Some(Turn::new(heard.clone(), now, prompt.clone(), Guard::new(&rules)));
        Some(prompt)
    }

    /// Takes in a piece of the streamed text, and returns the sentences that are whole.
    pub fn text(&mut self, receptionist: &Receptionist, piece: &str) -> Vec<Step> {
        let Some(turn) = self.turn.as_mut().filter(|turn| !turn.is_stopped) else { return Vec::new() };
        turn.cutter.push(piece);
        let mut steps = Vec::new();
        while let Some(sentence) = turn.cutter.poll() {
            steps.extend(turn.say(receptionist, &sentence));
        }
        steps
    }

    /// Takes in a whole tool call, and does what it may do. Nothing of it is said before the stream ends.
    pub fn call(&mut self, receptionist: &mut Receptionist, call: ToolCall) -> Vec<Step> {
        let Some(turn) = self.turn.as_mut().filter(|turn| !turn.is_stopped && turn.calls.len() < MAX_CALLS) else {
            return Vec::new();
        };
        let place = Place { facts: &self.facts, now: turn.now.as_ref(), memory: &self.memory };
        let done = tools::run(receptionist, &place, &call.name, &call.arguments);
        turn.has_effect |= done.has_effect;
        turn.is_refused |= done.is_refused;
        turn.ending = done.ending.or(turn.ending);
        turn.hours = done.hours.or(turn.hours.take());
        turn.calls.push((call, done.answer));
        Vec::new()
    }

    /// Tells whether more of the stream is of use. Once the guard has stopped the model it is not, and the shell may drop
    /// the request and call [`Assistant::end`] at once.
    pub fn wants_more(&self) -> bool {
        self.turn.as_ref().is_some_and(|turn| !turn.is_stopped)
    }

    /// The stream ended well. Returns what is left to say and the end of the turn, or once [`Step::AskAgain`], when the
    /// model looked something up that it is to put into words.
    pub fn end(&mut self, receptionist: &mut Receptionist) -> Vec<Step> {
        let Some(mut turn) = self.turn.take() else { return Vec::new() };
        let mut steps = Vec::new();
        while let Some(sentence) = turn.cutter.flush() {
            steps.extend(turn.say(receptionist, &sentence));
        }
        if turn.hours.is_some() && !turn.asked_again && !turn.is_stopped && turn.ending.is_none() {
            steps.push(Step::AskAgain(turn.next_round()));
            self.turn = Some(turn);
            return steps;
        }
        finish(turn, Stream::Whole, receptionist, &mut steps);
        steps
    }

    /// The stream broke, or is late. What was said stays; the receptionist goes on, from what the caller said when
    /// nothing came of the stream, else from what is known now. A question that was asked is left to be answered.
    pub fn broken(&mut self, receptionist: &mut Receptionist) -> Vec<Step> {
        let Some(turn) = self.turn.take() else { return Vec::new() };
        let mut steps = Vec::new();
        finish(turn, Stream::Broken, receptionist, &mut steps);
        steps
    }

    /// Takes the last turn back, whoever answered it: the caller heard nothing of the answer and went on speaking.
    pub fn undo(&mut self, receptionist: &mut Receptionist) {
        self.turn = None;
        if let Some(before) = self.before.take() {
            self.memory = before;
        }
        receptionist.undo();
    }
}

impl fmt::Debug for Assistant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assistant").field("in_turn", &self.turn.is_some()).finish_non_exhaustive()
    }
}

impl Turn {
    fn new(heard: Heard, now: Option<Now>, prompt: Prompt, guard: Guard) -> Self {
        Self {
            heard,
            now,
            prompt,
            guard,
            cutter: SentenceCutter::new(),
            said: String::new(),
            calls: Vec::new(),
            has_effect: false,
            is_refused: false,
            ending: None,
            hours: None,
            asked_again: false,
            is_lost: false,
            is_stopped: false,
        }
    }

    /// Lets a sentence through the guard.
    fn say(&mut self, receptionist: &Receptionist, sentence: &str) -> Option<Step> {
        if self.is_stopped {
            return None;
        }
        match self.guard.check(sentence, receptionist.form(), receptionist.language()) {
            Verdict::Say(text, language) => {
                if self.asked_again {
                    self.hours = None;
                }
                if !self.said.is_empty() {
                    self.said.push(' ');
                }
                self.said.push_str(&text);
                Some(Step::Say { text: Pii::new(text), language })
            }
            Verdict::Empty => None,
            Verdict::Foreign | Verdict::TooMuch => {
                self.is_lost = true;
                None
            }
            Verdict::Stop => {
                self.is_lost = true;
                self.is_stopped = true;
                None
            }
        }
    }

    /// Returns the prompt with what the model said and called, and the answers.
    fn next_round(&mut self) -> Prompt {
        self.asked_again = true;
        self.cutter = SentenceCutter::new();
        let calls = self.calls.iter().map(|(call, _)| call.clone()).collect();
        self.prompt.messages.push(Message::Agent { text: self.said.clone(), calls });
        let answers = self
            .calls
            .iter()
            .map(|(call, answer)| Message::ToolResult { id: call.id.clone(), content: answer.clone() });
        self.prompt.messages.extend(answers);
        self.prompt.clone()
    }

    /// Whether something was asked, so that the caller knows what to say.
    fn has_asked(&self) -> bool {
        self.said.contains('?')
    }

    /// Returns how the call ends, if it may: nobody is hung up on who was just asked something, or whose number nobody
    /// read back.
    fn allowed_ending(&self, receptionist: &Receptionist) -> Option<Outcome> {
        let ends_in_question = self.said.trim_end_matches(['"', '\'', ')', '”', ' ']).ends_with('?');
        let is_unfinished = ends_in_question || (self.said.is_empty() && receptionist.has_to_confirm());
        self.ending.filter(|outcome| match outcome {
            Outcome::Completed | Outcome::Goodbye => !is_unfinished,
            Outcome::Transfer | Outcome::Voicemail | Outcome::Silent | Outcome::Open | Outcome::Unknown => true,
        })
    }
}

/// Whether a turn is a model's to answer.
fn is_for_model(heard: &Heard) -> bool {
    match heard {
        Heard::CallerSaid { text, digits, goodbye, .. } => {
            let words = hearing::words(text.reveal());
            digits.reveal().is_empty() && !goodbye && !words.is_empty() && !hearing::wants_person(&words)
        }
        Heard::Greet { .. } | Heard::CallerSilent { .. } | Heard::NotHeard { .. } | Heard::OutOfTime => false,
    }
}

/// Ends a turn.
fn finish(turn: Turn, stream: Stream, receptionist: &mut Receptionist, steps: &mut Vec<Step>) {
    let has_said = !turn.said.is_empty();
    let has_hours = turn.hours.is_some();
    let has_asked = turn.has_asked() && !has_hours;
    // What was noted without a question leaves the caller waiting; so does what is not so.
    let is_whole = has_said && stream == Stream::Whole && !turn.is_lost && !turn.is_refused && !turn.has_effect;
    let ending = turn.allowed_ending(receptionist);
    if let Some(text) = turn.hours {
        // Looked up, and the model did not get round to telling it.
        steps.push(Step::Say { text: Pii::new(text), language: receptionist.language() });
    }
    let silently = |next| Reply { sentences: Vec::new(), next };
    let reply = if let Some(outcome) = ending {
        receptionist.conclude(outcome);
        if has_said && !turn.is_lost { silently(receptionist.expect_next()) } else { receptionist.resume() }
    } else if has_asked || (is_whole && !has_hours) {
        silently(receptionist.expect_next())
    } else if has_said || has_hours || turn.has_effect || turn.is_stopped {
        // What talked a model into something is no answer to a question either.
        if has_said {
            receptionist.acknowledged();
        }
        receptionist.resume()
    } else {
        receptionist.undo();
        receptionist.handle(&turn.heard)
    };
    steps.extend(reply.sentences.into_iter().map(|(text, language)| Step::Say { text, language }));
    steps.push(Step::Next(reply.next));
}

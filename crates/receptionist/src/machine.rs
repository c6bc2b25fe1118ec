//! The conversation: what to say next.

use units::{Language, Pii};

use crate::form::Form;
use crate::record::{FormRecord, Outcome};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The call begins.
    Greet {
        /// Who greets.
        greeting: Greeting,
    },
    /// The caller said or keyed something.
    CallerSaid {
        /// The words; empty when keys were pressed.
        text: Pii<String>,
        /// The language of the words.
        language: Language,
        /// The keys, without the closing `#`; empty when words were spoken.
        digits: Pii<String>,
        /// Whether these are words of goodbye, after which the call ends.
        goodbye: bool,
    },
    /// The caller said nothing.
    CallerSilent {
        /// How often in a row, from 1.
        count: u32,
        /// Whether the call ends after the answer.
        last: bool,
    },
    /// The caller said something that nobody could make out.
    NotHeard {
        /// How often in a row, from 1.
        count: u32,
    },
    /// The call has lasted as long as it may, and ends after the answer.
    OutOfTime,
}

/// Who greets the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// The receptionist.
    Speak,
    /// The carrier has played the greeting already; only the first question is missing.
    AlreadyHeard,
}

/// What to say, and what to do then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The sentences, in order, each with its language.
    pub sentences: Vec<(Pii<String>, Language)>,
    /// What is to happen when the caller has heard them.
    pub next: Next,
}

/// What is to happen when the caller has heard the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The caller's turn.
    Listen,
    /// The caller's turn, and a number is expected, said or keyed.
    Digits {
        /// How many digits make the number complete.
        max: u8,
    },
    /// The call is over.
    Hangup,
    /// The caller is to leave a message.
    Voicemail,
    /// The caller is to be put through to a person.
    Transfer,
}

/// The offline receptionist on one call.
#[derive(Clone, Debug)]
pub struct Receptionist {
    form: Form,
    language: Language,
}

impl Receptionist {
    /// Starts a call in a language; the form's first one if it does not speak that.
    pub fn new(form: Form, language: Language) -> Self {
        Self { form, language }
    }

    /// Tells the number the call came from, to be offered as the number to call back.
    #[must_use]
    pub fn with_caller_number(self, _number: Pii<String>) -> Self {
        self
    }

    /// Answers to what happened.
    pub fn handle(&mut self, _heard: &Heard) -> Reply {
        Reply { sentences: Vec::new(), next: Next::Hangup }
    }

    /// Forgets the last thing handled: the caller heard nothing of the answer, and went on speaking.
    pub fn undo(&mut self) {}

    /// Returns the language spoken now.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Returns the form.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// Returns what is known so far.
    pub fn record(&self) -> FormRecord {
        FormRecord {
            version: FormRecord::VERSION,
            form: self.form.name.clone(),
            language: self.language,
            outcome: Outcome::Open,
            turns: 0,
            complete: false,
            fields: std::collections::BTreeMap::new(),
        }
    }
}

//! The conversation: what to say next.
//!
//! Longer than a core file should be: the states and the answers to each are one table, which is read best in one place.

use std::collections::BTreeMap;

use units::{Language, Pii};

use crate::facts::{self, Asked, Facts};
use crate::form::{Confirmation, FieldKind, Form, Text};
use crate::hearing::{self, Word};
use crate::number;
use crate::record::{FieldRecord, FormRecord, Outcome, Source, Value};

pub(crate) mod shared;

pub use self::shared::FillError;

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
    /// The caller comes back from a person whom nobody reached.
    Returned,
    /// The office calls, because the customer asked for it.
    CallingBack,
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

/// Answers not understood in a row after which a free message is asked for.
const MAX_MISSES: u8 = 2;
/// Times one field is asked for, whatever comes back.
const MAX_TRIES: u8 = 4;
/// Times something read back at the end may be changed.
const MAX_CHANGES: u8 = 3;
/// Digits after which a dictated number is complete: those of an Israeli mobile number.
const PHONE_DIGITS: u8 = 10;
/// The key that asks for a person, where it is not part of a number.
const ZERO: &str = "0";
/// Last digits by which the caller knows the number they call from.
const OFFERED_DIGITS: usize = 4;

/// The offline receptionist on one call.
#[derive(Clone, Debug)]
pub struct Receptionist {
    form: Form,
    caller_number: Option<Pii<String>>,
    can_transfer: bool,
    state: State,
    before: Option<Box<State>>,
}

/// All that changes.
#[derive(Clone, Debug)]
struct State {
    stage: Stage,
    language: Language,
    /// One for each field of the form.
    slots: Vec<Slot>,
    misses: u8,
    changes: u8,
    caller_number_offered: bool,
    /// The digits of a number that was begun.
    partial: Pii<String>,
    turns: u32,
    inputs: u32,
    outcome: Outcome,
    unsaid: shared::Unsaid,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    held: Option<FieldRecord>,
    tries: u8,
    skipped: bool,
}

/// What the caller's next answer is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was asked yet.
    Start,
    /// The value of a field.
    Ask(usize),
    /// Whether to call back the number the call came from.
    Offer(usize),
    /// Whether a value read back is right.
    Confirm(usize),
    /// Whether everything read back is right.
    Summary,
    /// What is wrong in what was read back.
    Change,
    /// Nothing; this is what the last answer led to.
    Over(Next),
}

/// How much of an answer was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Understood {
    /// Something.
    Yes,
    /// Nothing.
    No,
}

impl Receptionist {
    /// Starts a call in a language; in the form's first one if the form does not speak that.
    pub fn new(form: Form, language: Language) -> Self {
        let language =
            if form.speaks(language) { language } else { form.languages.first().copied().unwrap_or(language) };
        let state = State {
            stage: Stage::Start,
            language,
            slots: vec![Slot::default(); form.fields.len()],
            misses: 0,
            changes: 0,
            caller_number_offered: false,
            partial: Pii::default(),
            turns: 0,
            inputs: 0,
            outcome: Outcome::Open,
            unsaid: shared::Unsaid::default(),
        };
        Self { form, caller_number: None, can_transfer: true, state, before: None }
    }

    /// Tells the number the call came from, to be offered as the number to call back. Ignored if it is none.
    #[must_use]
    pub fn with_caller_number(mut self, number: &Pii<String>) -> Self {
        let digits: String = number.reveal().chars().filter(char::is_ascii_digit).collect();
        let international = number.reveal().starts_with('+');
        if let number::PhoneNumber::Whole(number) = number::phone_number(&digits, international) {
            self.caller_number = Some(Pii::new(number));
        }
        self
    }

    /// Notes that there is nobody to be put through to: who asks for a person is told so, and leaves a message.
    #[must_use]
    pub fn without_person(mut self) -> Self {
        self.can_transfer = false;
        self
    }

    /// Goes on from what is known from before: an earlier part of the same call, say. Values of other fields than the
    /// form's are left out.
    #[must_use]
    pub fn with_record(mut self, record: &FormRecord) -> Self {
        for (field, slot) in self.form.fields.iter().zip(&mut self.state.slots) {
            slot.held = record.fields.get(&field.id).cloned();
        }
        if self.form.speaks(record.language) {
            self.state.language = record.language;
        }
        self
    }

    /// Answers to what happened.
    pub fn handle(&mut self, heard: &Heard) -> Reply {
        self.before = Some(Box::new(self.state.clone()));
        self.state.inputs = self.state.inputs.saturating_add(1);
        let mut reply = Reply { sentences: Vec::new(), next: Next::Listen };
        if let Stage::Over(next) = self.state.stage {
            reply.next = after_the_end(next);
            self.state.stage = Stage::Over(reply.next);
            return reply;
        }
        if self.state.inputs > self.input_limit() {
            self.end_with_message(&mut reply);
            return reply;
        }
        match heard {
            Heard::Greet { greeting } => self.greet(*greeting, &mut reply),
            Heard::CallerSaid { text, language, digits, goodbye } => {
                self.state.turns = self.state.turns.saturating_add(1);
                self.answer(text.reveal(), *language, digits.reveal(), *goodbye, &mut reply);
            }
            Heard::CallerSilent { last: true, .. } => self.end_silent(&mut reply),
            Heard::CallerSilent { last: false, .. } => {
                self.say(&mut reply, &self.form.phrases.silence, "");
                self.ask_again(&mut reply);
            }
            Heard::NotHeard { .. } => {
                self.state.turns = self.state.turns.saturating_add(1);
                self.miss(&mut reply);
            }
            Heard::OutOfTime => self.end_early(&mut reply),
        }
        reply
    }

    /// Forgets the last thing handled: the caller heard nothing of the answer, and went on speaking. Once only.
    pub fn undo(&mut self) {
        if let Some(before) = self.before.take() {
            self.state = *before;
        }
    }

    /// Returns the language spoken now.
    pub fn language(&self) -> Language {
        self.state.language
    }

    /// Returns the form.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// Returns what is known so far.
    pub fn record(&self) -> FormRecord {
        let held = self.form.fields.iter().zip(&self.state.slots);
        let fields: BTreeMap<String, FieldRecord> =
            held.filter_map(|(field, slot)| Some((field.id.clone(), slot.held.clone()?))).collect();
        FormRecord {
            version: FormRecord::VERSION,
            form: self.form.name.clone(),
            language: self.state.language,
            outcome: self.state.outcome,
            turns: self.state.turns,
            complete: self.is_complete(),
            fields,
        }
    }

    /// Returns the id of the field the last question was about; `None` when it was about none, or several.
    pub fn asked_field(&self) -> Option<&str> {
        match self.state.stage {
            Stage::Ask(index) | Stage::Offer(index) | Stage::Confirm(index) => {
                self.form.fields.get(index).map(|field| field.id.as_str())
            }
            Stage::Start | Stage::Summary | Stage::Change | Stage::Over(_) => None,
        }
    }

    fn is_complete(&self) -> bool {
        let mut held = self.form.fields.iter().zip(&self.state.slots);
        held.all(|(field, slot)| !field.required || slot.held.is_some())
    }

    /// However odd the answers, a call has so many inputs at most: a few for each field, and silence between.
    fn input_limit(&self) -> u32 {
        let fields = u32::try_from(self.form.fields.len()).unwrap_or(u32::MAX);
        fields.saturating_mul(6).saturating_add(16)
    }

    fn greet(&mut self, greeting: Greeting, reply: &mut Reply) {
        match greeting {
            Greeting::Speak => self.say(reply, &self.form.greeting, ""),
            Greeting::Returned => self.say(reply, &self.form.phrases.nobody_answered, ""),
            Greeting::CallingBack => self.say(reply, &self.form.phrases.calling_back, ""),
            Greeting::AlreadyHeard => {}
        }
        self.go_on(reply);
    }

    fn asks_for_digits(&self) -> bool {
        let Stage::Ask(index) = self.state.stage else { return false };
        let kind = self.form.fields.get(index).map(|field| &field.kind);
        matches!(kind, Some(FieldKind::Phone | FieldKind::Number(_)))
    }

    fn answer(&mut self, text: &str, language: Language, digits: &str, goodbye: bool, reply: &mut Reply) {
        let words = hearing::words(text);
        self.follow_language(&words, language);
        if !goodbye && (hearing::wants_person(&words) || digits == ZERO && !self.asks_for_digits()) {
            if self.can_transfer {
                self.say(reply, &self.form.phrases.transfer, "");
                self.end(Next::Transfer, Outcome::Transfer, reply);
            } else {
                self.say(reply, &self.form.phrases.nobody_there, "");
                self.end(Next::Voicemail, Outcome::Voicemail, reply);
            }
            return;
        }
        let keyed = hearing::words(digits);
        let (words, source) = if keyed.is_empty() { (words, Source::Said) } else { (keyed, Source::Keyed) };
        if !goodbye && source == Source::Said && hearing::wants_repetition(&words) {
            self.ask_again(reply);
            return;
        }
        let understood = match self.state.stage {
            Stage::Start | Stage::Over(_) => self.take_values(&words, source, Asked::Field(0), reply),
            Stage::Ask(index) => self.take_values(&words, source, Asked::Field(index), reply),
            Stage::Offer(index) => self.take_offer(&words, source, index, reply),
            Stage::Confirm(index) => self.take_confirmation(&words, source, index, reply),
            Stage::Summary | Stage::Change => self.take_change(&words, source, reply),
        };
        if goodbye {
            self.end_early(reply);
        } else if matches!(self.state.stage, Stage::Over(_)) {
            // A step above has decided.
        } else if understood == Understood::No {
            self.miss(reply);
        } else {
            self.state.misses = 0;
            self.go_on(reply);
        }
    }

    /// Changes to the caller's language: when the letters agree with what the recognizer heard, and more than one
    /// word was said, because a single word is often a guess.
    fn follow_language(&mut self, words: &[Word], language: Language) {
        if words.len() >= 2 && hearing::is_written_in(words, language) && self.form.speaks(language) {
            self.state.language = language;
        }
    }

    /// Takes whatever values are in an answer.
    fn take_values(&mut self, words: &[Word], source: Source, asked: Asked, reply: &mut Reply) -> Understood {
        let facts = facts::read(&self.form, asked, words, self.state.partial.reveal());
        let understood = self.keep(&facts, source, asked);
        self.acknowledge(&understood, reply);
        // Where yes or no is expected, a digit or two is no number.
        let may_begin = matches!(self.state.stage, Stage::Start | Stage::Ask(_));
        match (understood.is_empty(), facts.partial) {
            (true, Some(partial)) if may_begin && partial != *self.state.partial.reveal() => {
                let spoken = number::spoken(&partial, self.state.language);
                self.state.partial = Pii::new(partial);
                self.say(reply, &self.form.phrases.more_digits, &spoken);
                Understood::Yes
            }
            (true, _) => Understood::No,
            (false, _) => Understood::Yes,
        }
    }

    /// Keeps what is new and returns which fields those are. A value that was agreed to gives way only to one that
    /// was asked for, or that the caller names.
    fn keep(&mut self, facts: &Facts, source: Source, asked: Asked) -> Vec<usize> {
        let mut kept = Vec::new();
        for (index, value) in &facts.values {
            let Some(slot) = self.state.slots.get_mut(*index) else { continue };
            let is_meant = asked == Asked::Field(*index) || asked == Asked::Change || facts.named.contains(index);
            let is_same = slot.held.as_ref().is_some_and(|held| held.value.reveal() == value);
            if (slot.held.is_none() || is_meant) && !is_same {
                slot.held = Some(FieldRecord { value: Pii::new(value.clone()), confirmed: false, source });
                slot.skipped = false;
                kept.push(*index);
            }
            if matches!(value, Value::Phone(_)) {
                self.state.partial = Pii::default();
            }
        }
        kept
    }

    /// Repeats in passing what is to be repeated.
    fn acknowledge(&self, kept: &[usize], reply: &mut Reply) {
        let echoed: Vec<String> = kept
            .iter()
            .filter(|index| self.form.fields.get(**index).is_some_and(|field| field.confirm == Confirmation::Echo))
            .filter_map(|index| self.spoken_in_passing(*index))
            .collect();
        let asks_at_once = |index: &usize| {
            let asks = self.form.fields.get(*index).is_some_and(|field| field.confirm == Confirmation::Ask);
            asks && self
                .state
                .slots
                .get(*index)
                .is_some_and(|slot| slot.held.as_ref().is_some_and(|held| !held.confirmed))
        };
        if !echoed.is_empty() {
            self.say(reply, &self.form.phrases.echo, &echoed.join(", "));
        } else if !kept.is_empty() && !kept.iter().any(asks_at_once) {
            self.say(reply, &self.form.phrases.noted, "");
        }
    }

    fn take_offer(&mut self, words: &[Word], source: Source, index: usize, reply: &mut Reply) -> Understood {
        self.state.caller_number_offered = true;
        let agreed = yes_or_no(words, source);
        if agreed.is_none() {
            // A number that is begun here is gone on with.
            self.state.stage = Stage::Ask(index);
        }
        // Another number given at once says no as well.
        if self.take_values(words, source, Asked::Field(index), reply) == Understood::Yes {
            return Understood::Yes;
        }
        match (agreed, self.caller_number.clone()) {
            (Some(true), Some(number)) => {
                if let Some(slot) = self.state.slots.get_mut(index) {
                    let value = number.map(Value::Phone);
                    slot.held = Some(FieldRecord { value, confirmed: true, source: Source::CallerId });
                }
                self.say(reply, &self.form.phrases.noted, "");
                Understood::Yes
            }
            (Some(_), _) => Understood::Yes,
            (None, _) => {
                self.state.stage = Stage::Offer(index);
                Understood::No
            }
        }
    }

    fn take_confirmation(&mut self, words: &[Word], source: Source, index: usize, reply: &mut Reply) -> Understood {
        let agreed = yes_or_no(words, source);
        let before = self.state.slots.get(index).and_then(|slot| slot.held.clone());
        let taken = self.take_values(words, source, Asked::Field(index), reply);
        let changed = self.state.slots.get(index).is_some_and(|slot| slot.held != before);
        match agreed {
            _ if changed => Understood::Yes,
            Some(agreed) => {
                self.settle(index, agreed);
                Understood::Yes
            }
            // The same number once more is as good as a yes.
            None if before.is_some() && self.says_again(words, index) => {
                self.settle(index, true);
                Understood::Yes
            }
            None => taken,
        }
    }

    fn says_again(&self, words: &[Word], index: usize) -> bool {
        let facts = facts::read(&self.form, Asked::Field(index), words, "");
        let held = self.state.slots.get(index).and_then(|slot| slot.held.as_ref());
        facts.values.iter().any(|(at, value)| *at == index && held.is_some_and(|held| held.value.reveal() == value))
    }

    fn settle(&mut self, index: usize, agreed: bool) {
        let Some(slot) = self.state.slots.get_mut(index) else { return };
        if agreed {
            if let Some(held) = &mut slot.held {
                held.confirmed = true;
            }
        } else {
            slot.held = None;
            self.state.partial = Pii::default();
        }
    }

    fn take_change(&mut self, words: &[Word], source: Source, reply: &mut Reply) -> Understood {
        let agreed = yes_or_no(words, source);
        if agreed == Some(true) && self.state.stage == Stage::Summary {
            self.agree_to_all();
            return Understood::Yes;
        }
        let facts = facts::read(&self.form, Asked::Change, words, "");
        let kept = self.keep(&facts, source, Asked::Change);
        if !kept.is_empty() {
            self.state.changes = self.state.changes.saturating_add(1);
            self.acknowledge(&kept, reply);
            self.state.stage = Stage::Start;
            return Understood::Yes;
        }
        if let Some(index) = facts.named.first().filter(|_| facts.values.is_empty()) {
            // Only what is wrong was named; it is asked for again.
            self.state.changes = self.state.changes.saturating_add(1);
            if let Some(slot) = self.state.slots.get_mut(*index) {
                slot.held = None;
                slot.skipped = false;
            }
            self.state.stage = Stage::Start;
            return Understood::Yes;
        }
        if agreed == Some(false) && self.state.stage == Stage::Summary {
            self.state.stage = Stage::Change;
            return Understood::Yes;
        }
        if agreed == Some(false) {
            // Asked what to change, nothing: all is well.
            self.agree_to_all();
            return Understood::Yes;
        }
        Understood::No
    }

    fn agree_to_all(&mut self) {
        for held in self.state.slots.iter_mut().filter_map(|slot| slot.held.as_mut()) {
            held.confirmed = true;
        }
        self.state.changes = MAX_CHANGES;
        self.state.stage = Stage::Start;
    }

    /// Asks the next thing there is to ask.
    fn go_on(&mut self, reply: &mut Reply) {
        if self.state.stage == Stage::Change {
            self.say(reply, &self.form.phrases.what_to_change, "");
            return;
        }
        if let Some(index) = self.next_to_confirm() {
            self.ask_to_confirm(index, reply);
        } else if let Some(index) = self.next_to_ask() {
            self.ask(index, reply);
        } else if self.has_unconfirmed() && self.form.summary && self.state.changes < MAX_CHANGES {
            self.state.stage = Stage::Summary;
            let summary = self.spoken_summary();
            self.say(reply, &self.form.phrases.summary, &summary);
        } else {
            self.say(reply, &self.form.phrases.goodbye, "");
            self.end(Next::Hangup, Outcome::Completed, reply);
        }
    }

    fn next_to_confirm(&self) -> Option<usize> {
        self.form.fields.iter().zip(&self.state.slots).position(|(field, slot)| {
            field.confirm == Confirmation::Ask && slot.held.as_ref().is_some_and(|held| !held.confirmed)
        })
    }

    fn next_to_ask(&self) -> Option<usize> {
        self.state.slots.iter().position(|slot| slot.held.is_none() && !slot.skipped)
    }

    fn has_unconfirmed(&self) -> bool {
        self.state.slots.iter().any(|slot| slot.held.as_ref().is_some_and(|held| !held.confirmed))
    }

    fn ask(&mut self, index: usize, reply: &mut Reply) {
        let (Some(field), Some(slot)) = (self.form.fields.get(index), self.state.slots.get_mut(index)) else { return };
        slot.tries = slot.tries.saturating_add(1);
        if slot.tries > MAX_TRIES {
            if field.required {
                self.end_with_message(reply);
            } else {
                slot.skipped = true;
                self.go_on(reply);
            }
            return;
        }
        let is_phone = field.kind == FieldKind::Phone;
        let offers = is_phone && !self.state.caller_number_offered && self.state.partial.reveal().is_empty();
        if let Some(number) = self.caller_number.as_ref().filter(|_| offers) {
            let ending =
                number.reveal().get(number.reveal().len().saturating_sub(OFFERED_DIGITS)..).unwrap_or_default();
            let spoken = number::spoken(ending, self.state.language);
            self.state.stage = Stage::Offer(index);
            self.say(reply, &self.form.phrases.caller_number, &spoken);
            return;
        }
        self.state.stage = Stage::Ask(index);
        // The question for the rest of a number was asked where its beginning was noted.
        if !is_phone || self.state.partial.reveal().is_empty() {
            self.say(reply, &field.prompt, "");
        }
        if is_phone {
            let known = u8::try_from(self.state.partial.reveal().len()).unwrap_or(u8::MAX);
            reply.next = Next::Digits { max: PHONE_DIGITS.saturating_sub(known).max(1) };
        }
    }

    fn ask_to_confirm(&mut self, index: usize, reply: &mut Reply) {
        let Some(slot) = self.state.slots.get_mut(index) else { return };
        slot.tries = slot.tries.saturating_add(1);
        if slot.tries > MAX_TRIES.saturating_mul(2) {
            self.end_with_message(reply);
            return;
        }
        self.state.stage = Stage::Confirm(index);
        let value = self.spoken_value(index).unwrap_or_default();
        self.say(reply, &self.form.phrases.confirm, &value);
    }

    /// Nothing was understood: once more with more help, then a free message, or the next question if this one may
    /// stay open.
    fn miss(&mut self, reply: &mut Reply) {
        self.state.misses = self.state.misses.saturating_add(1);
        if self.state.misses < MAX_MISSES {
            self.say(reply, &self.form.phrases.not_understood, "");
            self.ask_again(reply);
            return;
        }
        match self.state.stage {
            Stage::Ask(index) if self.form.fields.get(index).is_some_and(|field| !field.required) => {
                if let Some(slot) = self.state.slots.get_mut(index) {
                    slot.skipped = true;
                }
                self.state.misses = 0;
                self.go_on(reply);
            }
            // Everything is known; what was not agreed to stays marked as such.
            Stage::Summary | Stage::Change => {
                self.say(reply, &self.form.phrases.goodbye, "");
                self.end(Next::Hangup, Outcome::Completed, reply);
            }
            Stage::Start | Stage::Ask(_) | Stage::Offer(_) | Stage::Confirm(_) | Stage::Over(_) => {
                self.end_with_message(reply);
            }
        }
    }

    /// Asks the same thing again, with more help if there was a miss.
    fn ask_again(&mut self, reply: &mut Reply) {
        match self.state.stage {
            Stage::Start | Stage::Over(_) => self.go_on(reply),
            Stage::Ask(index) => {
                let Some(field) = self.form.fields.get(index) else { return };
                let helps = self.state.misses > 0 && !field.retry.get(self.state.language).is_empty();
                let is_phone = field.kind == FieldKind::Phone;
                self.say(reply, if helps { &field.retry } else { &field.prompt }, "");
                if is_phone {
                    self.state.partial = Pii::default();
                    if self.state.misses > 0 {
                        self.say(reply, &self.form.phrases.key_in, "");
                    }
                    reply.next = Next::Digits { max: PHONE_DIGITS };
                }
            }
            Stage::Offer(_) | Stage::Confirm(_) | Stage::Summary => {
                if self.state.misses > 0 {
                    self.say(reply, &self.form.phrases.yes_or_no, "");
                }
                let (phrase, value) = match self.state.stage {
                    Stage::Confirm(index) => (&self.form.phrases.confirm, self.spoken_value(index).unwrap_or_default()),
                    Stage::Summary => (&self.form.phrases.summary, self.spoken_summary()),
                    Stage::Start | Stage::Ask(_) | Stage::Offer(_) | Stage::Change | Stage::Over(_) => {
                        (&self.form.phrases.caller_number, self.spoken_ending())
                    }
                };
                self.say(reply, phrase, &value);
            }
            Stage::Change => self.say(reply, &self.form.phrases.what_to_change, ""),
        }
    }

    fn end_with_message(&mut self, reply: &mut Reply) {
        self.say(reply, &self.form.phrases.voicemail, "");
        self.end(Next::Voicemail, Outcome::Voicemail, reply);
    }

    fn end_silent(&mut self, reply: &mut Reply) {
        self.say(reply, &self.form.phrases.goodbye_silent, "");
        self.end(Next::Hangup, Outcome::Silent, reply);
    }

    /// Says goodbye before everything was asked, or after it.
    fn end_early(&mut self, reply: &mut Reply) {
        let is_complete = self.is_complete();
        let phrase = if is_complete { &self.form.phrases.goodbye } else { &self.form.phrases.goodbye_early };
        self.say(reply, phrase, "");
        self.end(Next::Hangup, if is_complete { Outcome::Completed } else { Outcome::Goodbye }, reply);
    }

    fn end(&mut self, next: Next, outcome: Outcome, reply: &mut Reply) {
        self.state.stage = Stage::Over(next);
        self.state.outcome = outcome;
        reply.next = next;
    }

    fn spoken_ending(&self) -> String {
        let number = self.caller_number.as_ref().map_or("", |number| number.reveal().as_str());
        let ending = number.get(number.len().saturating_sub(OFFERED_DIGITS)..).unwrap_or_default();
        number::spoken(ending, self.state.language)
    }

    fn spoken_summary(&self) -> String {
        let open = |slot: &Slot| slot.held.as_ref().is_some_and(|held| !held.confirmed);
        let parts = self.form.fields.iter().enumerate().zip(&self.state.slots).filter(|(_, slot)| open(slot));
        let spoken = parts.filter_map(|((index, field), _)| {
            Some(format!("{}: {}", field.label.get(self.state.language), self.spoken_value(index)?))
        });
        spoken.collect::<Vec<_>>().join(". ")
    }

    /// Returns a value as it is repeated: a bare number says too little.
    fn spoken_in_passing(&self, index: usize) -> Option<String> {
        let field = self.form.fields.get(index)?;
        let value = self.spoken_value(index)?;
        match field.kind {
            FieldKind::Number(_) | FieldKind::YesNo => {
                Some(format!("{}: {value}", field.label.get(self.state.language)))
            }
            FieldKind::Name
            | FieldKind::Phone
            | FieldKind::Reason
            | FieldKind::Choice(_)
            | FieldKind::Text
            | FieldKind::DateTime => Some(value),
        }
    }

    fn spoken_value(&self, index: usize) -> Option<String> {
        let language = self.state.language;
        let held = self.state.slots.get(index)?.held.as_ref()?;
        Some(match held.value.reveal() {
            Value::Text(text) => text.clone(),
            Value::Phone(number) => number::spoken(number, language),
            Value::Number(value) => value.to_string(),
            Value::YesNo(true) => if language == Language::Hebrew { "כן" } else { "yes" }.to_owned(),
            Value::YesNo(false) => if language == Language::Hebrew { "לא" } else { "no" }.to_owned(),
            Value::Choice(id) => {
                let FieldKind::Choice(choices) = &self.form.fields.get(index)?.kind else { return None };
                choices.iter().find(|choice| choice.id == *id)?.say.get(language).to_owned()
            }
        })
    }

    /// Adds a sentence, filled in.
    fn say(&self, reply: &mut Reply, text: &Text, value: &str) {
        let filled = self.form.with_office(text, self.state.language).replace("{value}", value);
        if !filled.trim().is_empty() {
            reply.sentences.push((Pii::new(filled), self.state.language));
        }
    }
}

/// A caller who is still there after a transfer leaves a message; all other ends stay as they are.
const fn after_the_end(next: Next) -> Next {
    match next {
        Next::Transfer | Next::Voicemail => Next::Voicemail,
        Next::Listen | Next::Digits { .. } | Next::Hangup => Next::Hangup,
    }
}

/// Reads a yes or no; on the keys one is yes and two is no.
fn yes_or_no(words: &[Word], source: Source) -> Option<bool> {
    match source {
        Source::Keyed => match words {
            [key] if key.plain == "1" => Some(true),
            [key] if key.plain == "2" => Some(false),
            _ => None,
        },
        Source::Said | Source::CallerId | Source::Unknown => hearing::yes_or_no(words),
    }
}

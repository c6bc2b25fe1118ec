//! What another brain does with the form.
//!
//! A turn that a language model answers begins with [`Receptionist::begin`] in place of [`Receptionist::handle`], fills
//! the form, and ends with [`Receptionist::expect_next`] where the model asked the next question itself, or with
//! [`Receptionist::resume`] where the receptionist is to ask it.

use core::mem;

use serde_json::Value as Json;
use units::Pii;

use super::{MAX_CHANGES, Next, OFFERED_DIGITS, PHONE_DIGITS, Receptionist, Reply, Stage, after_the_end};
use crate::Heard;
use crate::facts;
use crate::form::{Field, FieldKind};
use crate::hearing;
use crate::number::{self, PhoneNumber};
use crate::record::{FieldRecord, Outcome, Source, Value};

/// The longest text a field holds, in characters.
pub(crate) const MAX_TEXT: usize = 500;
/// What stands for the number the call came from, so that the number itself need not leave the box.
pub(crate) const CALLER_NUMBER: &str = "caller_number";

/// Why a value was not taken. It does not say which value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// The form has no such field.
    #[error("no such field")]
    UnknownField,
    /// The value does not fit the field.
    #[error("{field}: expected {expected}")]
    WrongValue {
        /// The field's id.
        field: String,
        /// What was expected.
        expected: String,
    },
}

/// What another brain did in this turn without a word to the caller.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsaid {
    /// The fields that changed.
    filled: Vec<usize>,
    /// Whether the call was ended.
    ended: bool,
}

impl Receptionist {
    /// Begins a turn that another brain answers: remembers the state for [`Receptionist::undo`], counts the turn,
    /// follows the caller's language.
    ///
    /// It counts towards the inputs a call may have; when those are used up, [`Receptionist::resume`] ends the call.
    pub fn begin(&mut self, heard: &Heard) {
        self.before = Some(Box::new(self.state.clone()));
        self.state.inputs = self.state.inputs.saturating_add(1);
        self.state.unsaid = Unsaid::default();
        match heard {
            Heard::CallerSaid { text, language, .. } => {
                self.state.turns = self.state.turns.saturating_add(1);
                self.follow_language(&hearing::words(text.reveal()), *language);
            }
            Heard::NotHeard { .. } => self.state.turns = self.state.turns.saturating_add(1),
            Heard::Greet { .. } | Heard::CallerSilent { .. } | Heard::OutOfTime => {}
        }
    }

    /// Takes a value that another brain understood, checked by the field's kind as if the caller had said it.
    ///
    /// Text is 1 to 500 characters; a phone number is whole, with or without a leading `+`; a choice is its id or its
    /// words; a number is in the field's range. `"caller_number"` in a phone field is the number the call came from,
    /// which the caller agreed to.
    ///
    /// `confirmed` tells that the caller heard the value back and agreed. A value that changes loses the confirmation
    /// of the one before; one that stays the same keeps it.
    ///
    /// # Errors
    ///
    /// [`FillError`] if the form has no such field or the value does not fit; then nothing changes.
    pub fn fill(&mut self, field: &str, value: &Json, confirmed: bool) -> Result<(), FillError> {
        let (index, found) = self.find(field).ok_or(FillError::UnknownField)?;
        let Some((value, source)) = self.read(found, value) else {
            return Err(FillError::WrongValue { field: found.id.clone(), expected: expected(found) });
        };
        let confirmed = confirmed || source == Source::CallerId;
        let Some(slot) = self.state.slots.get_mut(index) else { return Err(FillError::UnknownField) };
        if let Some(held) = slot.held.as_mut().filter(|held| *held.value.reveal() == value) {
            held.confirmed |= confirmed;
        } else {
            if matches!(value, Value::Phone(_)) {
                self.state.partial = Pii::default();
            }
            slot.held = Some(FieldRecord { value: Pii::new(value), confirmed, source });
            slot.skipped = false;
            if !self.state.unsaid.filled.contains(&index) {
                self.state.unsaid.filled.push(index);
            }
        }
        self.state.misses = 0;
        Ok(())
    }

    /// Goes on alone: says what comes next by what is known (the next question, a confirmation, the summary or
    /// goodbye), behind a word about what was filled since [`Receptionist::begin`]. Used when the other brain broke off
    /// or said nothing. Ends the call when it has had all its inputs.
    pub fn resume(&mut self) -> Reply {
        let unsaid = mem::take(&mut self.state.unsaid);
        let mut reply = Reply { sentences: Vec::new(), next: Next::Listen };
        if let Stage::Over(next) = self.state.stage {
            if unsaid.ended {
                self.say_end(&mut reply);
                reply.next = next;
            } else {
                reply.next = after_the_end(next);
                self.state.stage = Stage::Over(reply.next);
            }
            return reply;
        }
        if self.state.inputs > self.input_limit() {
            self.end_with_message(&mut reply);
            return reply;
        }
        self.acknowledge(&unsaid.filled, &mut reply);
        // A number begun before the other brain's turn is not gone on with; it would not be asked for either.
        self.state.partial = Pii::default();
        self.state.stage = Stage::Start;
        self.go_on(&mut reply);
        reply
    }

    /// Expects the answer to the next open question, without saying anything: the other brain has asked for it in its
    /// own words. Returns what is to happen now.
    pub fn expect_next(&mut self) -> Next {
        self.state.unsaid = Unsaid::default();
        if let Stage::Over(next) = self.state.stage {
            return next;
        }
        self.state.misses = 0;
        self.state.partial = Pii::default();
        self.state.stage = if let Some(index) = self.next_to_confirm() {
            Stage::Confirm(index)
        } else if let Some(index) = self.next_to_ask() {
            Stage::Ask(index)
        } else if self.has_unconfirmed() && self.form.summary && self.state.changes < MAX_CHANGES {
            Stage::Summary
        } else {
            // All is known and agreed to: a no ends the call, anything else is a change.
            Stage::Change
        };
        match self.state.stage {
            Stage::Ask(index) if self.form.fields.get(index).is_some_and(|field| field.kind == FieldKind::Phone) => {
                Next::Digits { max: PHONE_DIGITS }
            }
            Stage::Start
            | Stage::Ask(_)
            | Stage::Offer(_)
            | Stage::Confirm(_)
            | Stage::Summary
            | Stage::Change
            | Stage::Over(_) => Next::Listen,
        }
    }

    /// Ends the call as the other brain has decided.
    pub fn conclude(&mut self, outcome: Outcome) {
        let next = match outcome {
            Outcome::Voicemail => Next::Voicemail,
            Outcome::Transfer => Next::Transfer,
            Outcome::Completed | Outcome::Goodbye | Outcome::Silent | Outcome::Open | Outcome::Unknown => Next::Hangup,
        };
        self.state.stage = Stage::Over(next);
        self.state.outcome = outcome;
        self.state.unsaid.ended = true;
    }

    /// Notes that the other brain has said something of its own about what it filled.
    pub(crate) fn acknowledged(&mut self) {
        self.state.unsaid = Unsaid::default();
    }

    /// Returns whether a value is known that must be read back and was not agreed to.
    pub(crate) fn has_to_confirm(&self) -> bool {
        self.next_to_confirm().is_some()
    }

    /// Agrees to a value that is known; `false` if none is.
    pub(crate) fn confirm(&mut self, field: &str) -> bool {
        let Some((index, _)) = self.find(field) else { return false };
        let Some(held) = self.state.slots.get_mut(index).and_then(|slot| slot.held.as_mut()) else { return false };
        held.confirmed = true;
        true
    }

    /// Returns whether the call is over, or has had all its inputs.
    pub(crate) fn is_spent(&self) -> bool {
        matches!(self.state.stage, Stage::Over(_)) || self.state.inputs >= self.input_limit()
    }

    /// Returns each field with what is known of it.
    pub(crate) fn known(&self) -> impl Iterator<Item = (&Field, Option<&FieldRecord>)> {
        self.form.fields.iter().zip(&self.state.slots).map(|(field, slot)| (field, slot.held.as_ref()))
    }

    /// Returns the last digits of the number the call came from.
    pub(crate) fn caller_number_ending(&self) -> Option<&str> {
        let number = self.caller_number.as_ref()?.reveal();
        number.get(number.len().checked_sub(OFFERED_DIGITS)?..)
    }

    fn find(&self, id: &str) -> Option<(usize, &Field)> {
        self.form.fields.iter().enumerate().find(|(_, field)| field.id == id)
    }

    fn say_end(&self, reply: &mut Reply) {
        let phrases = &self.form.phrases;
        let phrase = match self.state.outcome {
            Outcome::Completed => &phrases.goodbye,
            Outcome::Voicemail => &phrases.message,
            Outcome::Transfer => &phrases.transfer,
            Outcome::Silent => &phrases.goodbye_silent,
            Outcome::Goodbye | Outcome::Open | Outcome::Unknown => &phrases.goodbye_early,
        };
        self.say(reply, phrase, "");
    }

    /// Reads a value by the field's kind.
    fn read(&self, field: &Field, value: &Json) -> Option<(Value, Source)> {
        let text = value.as_str();
        let read = match &field.kind {
            FieldKind::Phone if text == Some(CALLER_NUMBER) => {
                let number = self.caller_number.clone()?.into_revealed();
                return Some((Value::Phone(number), Source::CallerId));
            }
            FieldKind::Phone => Value::Phone(phone(text?)?),
            FieldKind::Name => {
                let name = hearing::shown(&hearing::words(&plain(text?)));
                Value::Text(bounded(name)?)
            }
            FieldKind::Reason | FieldKind::Text | FieldKind::DateTime => Value::Text(bounded(plain(text?))?),
            FieldKind::Choice(choices) => {
                let text = text?.trim();
                let by_id = choices.iter().find(|choice| choice.id.eq_ignore_ascii_case(text));
                let by_words = || facts::choice(choices, &hearing::words(text));
                Value::Choice(by_id.map(|choice| choice.id.clone()).or_else(by_words)?)
            }
            FieldKind::Number(range) => {
                let number = value.as_f64().or_else(|| quantity(text?))?;
                Value::Number(Some(number).filter(|number| (range.min..=range.max).contains(number))?)
            }
            FieldKind::YesNo => Value::YesNo(value.as_bool().or_else(|| hearing::yes_or_no(&hearing::words(text?)))?),
        };
        Some((read, Source::Said))
    }
}

/// Reads a phone number; all digits must belong to it.
pub(crate) fn phone(text: &str) -> Option<String> {
    let runs = number::digit_runs(&hearing::words(text));
    let digits: String = runs.iter().map(|run| run.digits.as_str()).collect();
    let international = runs.first().is_some_and(|run| run.international);
    match number::phone_number(&digits, international) {
        PhoneNumber::Whole(number) => Some(number),
        PhoneNumber::Partial | PhoneNumber::Wrong => None,
    }
}

/// Tells whether a text says a phone number, digit by digit.
pub(crate) fn says_phone(text: &str, phone: &str) -> bool {
    let runs = number::digit_runs(&hearing::words(text));
    runs.iter().any(|run| {
        matches!(number::phone_number(&run.digits, run.international), PhoneNumber::Whole(number) if number == phone)
    })
}

/// Reads the only quantity in a text.
fn quantity(text: &str) -> Option<f64> {
    match number::quantities(&hearing::words(text)).as_slice() {
        [only] => Some(only.value),
        [] | [_, _, ..] => None,
    }
}

/// Makes one line of a text: no control characters, nothing invisible, single spaces.
pub(crate) fn plain(text: &str) -> String {
    let visible = text.chars().filter(|&letter| !is_invisible(letter));
    let spaced: String = visible.map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a character only steers how others are shown: joiners, direction marks, tags.
const fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}'
    )
}

fn bounded(text: String) -> Option<String> {
    let says_something = text.chars().any(char::is_alphanumeric);
    (says_something && text.chars().count() <= MAX_TEXT).then_some(text)
}

fn expected(field: &Field) -> String {
    match &field.kind {
        FieldKind::Name | FieldKind::Reason | FieldKind::Text | FieldKind::DateTime => {
            format!("a text of 1 to {MAX_TEXT} characters")
        }
        FieldKind::Phone => "a whole phone number, as a string of digits".to_owned(),
        FieldKind::Choice(choices) => {
            let ids: Vec<&str> = choices.iter().map(|choice| choice.id.as_str()).collect();
            format!("one of {}", ids.join(", "))
        }
        FieldKind::Number(range) => format!("a number from {} to {}", range.min, range.max),
        FieldKind::YesNo => "true or false".to_owned(),
    }
}

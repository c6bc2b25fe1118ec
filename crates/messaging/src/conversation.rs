//! Who answers a sender.
//!
//! One [`Conversation`] per sender and number of the office. It remembers the [window](Window), the names of the last
//! messages, whether a person of the office took over, and whether the sender opted out. It is handed each message and
//! says what to do with it; everything it remembers can be stored and read back.
//!
//! Rules, the first that applies: a repeated message does nothing; opting out and in again are understood from anybody
//! at any time; who opted out is not answered; a person who took over is not interrupted; who writes too fast is not
//! answered for a moment; the model answers while it can be reached, the receptionist otherwise.

mod keyword;
mod rate;
mod seen;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use units::Language;

pub use self::keyword::{Keyword, MAX_KEYWORD_CHARS, keyword};
pub use self::rate::{Rate, RateLimit};
pub use self::seen::{MAX_SEEN, Seen};
use crate::message::{Content, Inbound};
use crate::outbound::Outbound;
use crate::refusal::{Refusal, Refused};
use crate::time::UnixTime;
use crate::window::Window;

/// Tunables of all conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How fast one sender is answered. Default 20 messages a minute.
    pub rate: RateLimit,
    /// How long a person who took over may be silent before the conversation is handed back by itself, so that a
    /// forgotten one is answered again. Default 12 hours; zero hands back at once.
    pub human_silence: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { rate: RateLimit::default(), human_silence: Duration::from_hours(12) }
    }
}

/// Whether the language model can be asked right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// It can.
    Reachable,
    /// The box is offline, the model fails, or the office does not want one.
    Unreachable,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answerer {
    /// The language model.
    Model,
    /// The receptionist of the device.
    Receptionist,
    /// A person of the office.
    Human,
    /// Nobody: the sender opted out.
    Nobody,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It came before: do nothing.
    Repeated,
    /// The sender opted out just now: keep it and confirm once in this language.
    OptedOut(Language),
    /// The sender opted in again just now: keep it and confirm in this language.
    OptedIn(Language),
    /// The sender has opted out: keep it, answer nothing.
    Muted,
    /// The sender writes too fast: keep it, answer nothing.
    TooFast,
    /// Keep it and answer, or show it to whoever does: [`Answerer::Nobody`] is never in here.
    Answer(Answerer),
    /// Keep it; there is nothing to answer to a reaction.
    Keep,
}

/// What is remembered of one sender. `Debug` shows no names of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conversation {
    window: Window,
    seen: Seen,
    rate: Rate,
    /// When a person of the office took over or last wrote.
    human_since: Option<UnixTime>,
    opted_out: bool,
}

impl Conversation {
    /// Returns a conversation in which nothing was said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a message that came in at `now` and says what to do with it.
    pub fn receive(&mut self, config: &Config, now: UnixTime, model: Model, message: &Inbound) -> Verdict {
        if !self.seen.insert(&message.id) {
            return Verdict::Repeated;
        }
        // A provider whose clock is ahead must not hold the window open for longer than it is.
        self.window.note_inbound(message.at.min(now));
        match said(&message.content) {
            Some((Keyword::OptOut, language)) => {
                if self.opted_out {
                    return Verdict::Muted;
                }
                self.opted_out = true;
                return Verdict::OptedOut(language);
            }
            Some((Keyword::OptIn, language)) if self.opted_out => {
                self.opted_out = false;
                return Verdict::OptedIn(language);
            }
            Some((Keyword::OptIn, _)) | None => {}
        }
        if self.opted_out {
            return Verdict::Muted;
        }
        if matches!(message.content, Content::Reaction { .. }) {
            return Verdict::Keep;
        }
        let answerer = self.answerer(config, now, model);
        if answerer != Answerer::Human && !self.rate.take(config.rate, now) {
            return Verdict::TooFast;
        }
        Verdict::Answer(answerer)
    }

    /// Notes that a person of the office takes over. What the model is still writing must not be sent any more.
    pub fn take_over(&mut self, now: UnixTime) {
        self.human_since = Some(now);
    }

    /// Notes that the person of the office wrote, which takes over too.
    pub fn note_human_wrote(&mut self, now: UnixTime) {
        self.human_since = self.human_since.max(Some(now));
    }

    /// Notes that the person of the office hands the conversation back.
    pub const fn hand_back(&mut self) {
        self.human_since = None;
    }

    /// Notes that the sender opted out or in by another way than a message: on the telephone, or as a refusal of the
    /// provider ([`Refusal::OptedOut`]).
    pub const fn set_keyword(&mut self, keyword: Keyword) {
        self.opted_out = matches!(keyword, Keyword::OptOut);
    }

    /// Returns who answers at `now`.
    pub fn answerer(&self, config: &Config, now: UnixTime, model: Model) -> Answerer {
        if self.opted_out {
            return Answerer::Nobody;
        }
        if self.human_since.is_some_and(|since| now.saturating_since(since) < config.human_silence) {
            return Answerer::Human;
        }
        match model {
            Model::Reachable => Answerer::Model,
            Model::Unreachable => Answerer::Receptionist,
        }
    }

    /// Checks a message of ours just before it is sent: the sender wants messages, and the window is open.
    ///
    /// The confirmation of [`Verdict::OptedOut`] is the one message that goes out without this check.
    pub fn check(&self, now: UnixTime, message: &Outbound) -> Result<(), Refused> {
        if self.opted_out {
            return Err(Refused::at("to", Refusal::OptedOut));
        }
        self.window.check(now, message)
    }

    /// Returns the window in which free text is allowed.
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// Returns whether the sender opted out.
    pub const fn is_opted_out(&self) -> bool {
        self.opted_out
    }
}

/// Returns the keyword that a message is, if it is one: in words, or on a button.
fn said(content: &Content) -> Option<(Keyword, Language)> {
    match content {
        Content::Text(text) => keyword(text.reveal()),
        Content::Button { payload, text } => keyword(text.reveal()).or_else(|| keyword(payload.reveal())),
        Content::Media { .. }
        | Content::VoiceNote(_)
        | Content::Location(_)
        | Content::Reaction { .. }
        | Content::Contacts(_)
        | Content::Unknown { .. } => None,
    }
}

#[cfg(test)]
mod tests;

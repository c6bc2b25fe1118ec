//! What was said on the call, as far as it was heard.
//!
//! **Invariant:** of the agent's words only those are here that the caller heard.
//! **Invariant:** it holds at most [`MAX_MESSAGES`] messages and [`MAX_BYTES`] bytes.

use std::collections::VecDeque;

use super::guard;
use super::prompt::Message;
use crate::machine::shared::says_phone;

/// Messages kept.
pub(super) const MAX_MESSAGES: usize = 40;
/// Bytes of text kept.
pub(super) const MAX_BYTES: usize = 8 * 1024;
/// Bytes after which the agent's words begin a new message, so that old ones can be dropped.
const MAX_MESSAGE: usize = 2 * 1024;
/// What stands where the agent was interrupted.
const CUT: &str = "—";

/// The conversation, oldest first.
#[derive(Clone, Default)]
pub(super) struct Memory {
    lines: VecDeque<Line>,
    bytes: usize,
}

#[derive(Clone)]
struct Line {
    who: Who,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Caller,
    Agent,
}

impl Memory {
    /// Adds what the caller said.
    pub(super) fn caller(&mut self, text: &str) {
        let text = guard::caller_words(text);
        if !text.is_empty() {
            self.push(Line { who: Who::Caller, text });
        }
    }

    /// Adds what the caller heard of the agent.
    pub(super) fn agent(&mut self, text: &str, complete: bool) {
        let heard = guard::speakable(text);
        if heard.is_empty() {
            return;
        }
        let heard: String = heard.chars().take(guard::MAX_CHARACTERS).collect();
        let heard = if complete { heard } else { format!("{heard} {CUT}") };
        let last = self.lines.back_mut().filter(|line| line.who == Who::Agent && line.text.len() < MAX_MESSAGE);
        if let Some(last) = last {
            last.text.push(' ');
            last.text.push_str(&heard);
            self.bytes = self.bytes.saturating_add(heard.len()).saturating_add(1);
            self.forget();
        } else {
            self.push(Line { who: Who::Agent, text: heard });
        }
    }

    /// Returns the conversation as messages.
    pub(super) fn messages(&self) -> impl Iterator<Item = Message> {
        self.lines.iter().map(|line| match line.who {
            Who::Caller => Message::Caller(line.text.clone()),
            Who::Agent => Message::Agent { text: line.text.clone(), calls: Vec::new() },
        })
    }

    /// Tells whether the caller heard a phone number from the agent, all of it.
    pub(super) fn has_read_back(&self, number: &str) -> bool {
        let mut agent = self.lines.iter().filter(|line| line.who == Who::Agent);
        agent.any(|line| {
            line.text.split(['.', '?', '!']).chain([line.text.as_str()]).any(|text| says_phone(text, number))
        })
    }

    fn push(&mut self, line: Line) {
        self.bytes = self.bytes.saturating_add(line.text.len());
        self.lines.push_back(line);
        self.forget();
    }

    fn forget(&mut self) {
        while self.lines.len() > MAX_MESSAGES || self.bytes > MAX_BYTES {
            let Some(line) = self.lines.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(line.text.len());
        }
    }
}

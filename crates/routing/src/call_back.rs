//! Calling a customer who asked for it: when, how often, and when it is given up.
//!
//! The carrier has no way to tell whether a request to place a call that got no answer was acted on. Such a call is
//! [`State::Uncertain`]: it is shown and not tried again, because a telephone that rings twice is worse than a person of the
//! office who looks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::Answerer;

/// How a customer is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Tries in all.
    pub tries: u32,
    /// Wait after a try that reached nobody; doubled with each.
    pub wait: Duration,
}

impl Default for Config {
    /// Three tries, half an hour and then an hour apart.
    fn default() -> Self {
        Self { tries: 3, wait: Duration::from_mins(30) }
    }
}

/// Where a call-back stands. Times are milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It waits to be placed.
    Waiting {
        /// Not before this moment.
        not_before_ms: u64,
    },
    /// It is being placed: the carrier is asked, or the telephone rings.
    Calling {
        /// Since when.
        since_ms: u64,
    },
    /// Somebody was reached.
    Reached,
    /// Word was left with an answering machine.
    WordLeft,
    /// Nobody was reached, or the carrier refused.
    Failed,
    /// The carrier may have placed the call, and nothing more was heard of it.
    Uncertain,
    /// It is not wanted any more.
    Canceled,
}

/// One customer to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallBack {
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
    /// Tries begun.
    pub tries: u32,
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The carrier took the request.
    Placed,
    /// The carrier refused the request, for good.
    Refused,
    /// The carrier did not act on the request; it may be asked again after this long.
    NotYet(Duration),
    /// Nobody knows whether the carrier acted on the request.
    NoAnswer,
    /// Somebody picked up.
    PickedUp(Answerer),
    /// The call is over. Whoever was spoken to had [picked up](Self::PickedUp) before: a telephone that was answered says
    /// nothing of that, its owner may have hung up while the carrier listened who it is, or the box was out of reach.
    Over,
}

/// Longest time from the request to its first sign of life; the carrier rings for ten minutes at most.
const PATIENCE: Duration = Duration::from_mins(15);

impl CallBack {
    /// Returns a call-back that may be placed from `not_before_ms` on.
    pub const fn new(not_before_ms: u64) -> Self {
        Self { state: State::Waiting { not_before_ms }, tries: 0 }
    }

    /// Returns the moment at which something is to be done, if ever.
    pub fn due_ms(&self) -> Option<u64> {
        match self.state {
            State::Waiting { not_before_ms } => Some(not_before_ms),
            State::Calling { since_ms } => Some(since_ms.saturating_add(millis(PATIENCE))),
            State::Reached | State::WordLeft | State::Failed | State::Uncertain | State::Canceled => None,
        }
    }

    /// Begins a try at `now_ms`, if one is due: to be kept before the carrier is asked, so that one that was begun when
    /// the program died is not begun again. A try nothing was heard of becomes uncertain instead.
    pub fn begin(&mut self, now_ms: u64) -> bool {
        if self.due_ms().is_none_or(|due| now_ms < due) {
            return false;
        }
        if let State::Calling { .. } = self.state {
            self.state = State::Uncertain;
            return false;
        }
        self.state = State::Calling { since_ms: now_ms };
        self.tries = self.tries.saturating_add(1);
        true
    }

    /// Notes what came of the try; returns whether that changed anything.
    pub fn note(&mut self, config: Config, now_ms: u64, outcome: Outcome) -> bool {
        let before = *self;
        match (self.state, outcome) {
            // A sign of life settles what was uncertain.
            (State::Calling { .. } | State::Uncertain, Outcome::PickedUp(answerer)) => {
                self.state = match answerer {
                    Answerer::Human | Answerer::Unknown => State::Reached,
                    Answerer::Machine => State::WordLeft,
                    Answerer::Fax => State::Failed,
                };
            }
            (State::Calling { .. } | State::Uncertain, Outcome::Over) => {
                self.again_after(config, now_ms, doubled(config.wait, self.tries));
            }
            (State::Calling { .. }, Outcome::Refused) => self.state = State::Failed,
            (State::Calling { .. }, Outcome::NoAnswer) => self.state = State::Uncertain,
            (State::Calling { .. }, Outcome::NotYet(wait)) => {
                // The telephone did not ring: this was no try.
                self.tries = self.tries.saturating_sub(1);
                self.state = State::Waiting { not_before_ms: now_ms.saturating_add(millis(wait)) };
            }
            _ => {}
        }
        *self != before
    }

    /// Notes that the call is not wanted any more; returns whether it can still be kept from being placed.
    pub fn cancel(&mut self) -> bool {
        let is_waiting = matches!(self.state, State::Waiting { .. });
        if is_waiting {
            self.state = State::Canceled;
        }
        is_waiting
    }

    fn again_after(&mut self, config: Config, now_ms: u64, wait: Duration) {
        self.state = if self.tries < config.tries {
            State::Waiting { not_before_ms: now_ms.saturating_add(millis(wait)) }
        } else {
            State::Failed
        };
    }
}

fn doubled(wait: Duration, tries: u32) -> Duration {
    wait.saturating_mul(1 << tries.saturating_sub(1).min(8))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

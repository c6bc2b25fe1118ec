//! Decides who has the floor on a call, when a turn ends, what was heard, and when the call ends.
#![no_std]

extern crate alloc;

pub mod config;
mod input;
mod output;
mod timer;
mod watchdog;

use alloc::collections::VecDeque;

use units::CallTime;

pub use crate::config::Config;
pub use crate::input::{
    Confidence, Digit, Failure, Generation, GreetingMode, Input, MEDIA_RATE, Mark, Next, NotAKeyError, ParseMarkError,
    Stage,
};
pub use crate::output::{
    HangupReason, Heard, IgnoredReason, Output, Request, Speaker, TransferReason, TurnLatency, VoicemailReason,
};
pub use crate::timer::Timer;
pub use crate::watchdog::StreamWatchdog;

use crate::timer::Timers;

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    config: Config,
    outputs: VecDeque<(CallTime, Output)>,
    timers: Timers,
}

impl Call {
    /// Returns a call whose stream has not started.
    pub fn new(config: Config) -> Self {
        Self { config, outputs: VecDeque::new(), timers: Timers::default() }
    }

    /// One thing happened at `now`. Drain the outputs afterwards.
    pub fn handle_input(&mut self, now: CallTime, input: Input) {
        self.handle_timeout(now);
        let (Self { config: _, .. }, _) = (self, input);
    }

    /// Fires what is due at `now`. Drain the outputs afterwards.
    pub fn handle_timeout(&mut self, now: CallTime) {
        while self.timers.pop_due(now).is_some() {}
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.poll_decision().map(|(_, output)| output)
    }

    /// Returns the next thing to do with the time at which it was decided, which a late wake-up does not change.
    pub fn poll_decision(&mut self) -> Option<(CallTime, Output)> {
        self.outputs.pop_front()
    }

    /// Returns when to call [`Call::handle_timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(CallTime, Timer)> {
        self.timers.next()
    }
}

//! Which deadlines are set, in one table.

use core::fmt;

use units::CallTime;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The whole call has lasted long enough.
    CallLimit,
    /// The goodbye has had long enough to be heard; the call ends now.
    Closing,
    /// The caller's turn has lasted long enough.
    TurnLimit,
    /// The stretch of audio to be recognized at once is long enough.
    PartLimit,
    /// The caller has paused long enough to start recognition on speculation.
    Speculation,
    /// The caller has paused long enough for the turn to be over.
    Endpointing,
    /// The caller has spoken over the agent long enough to be an interruption.
    Interruption,
    /// What interrupted the agent has come to nothing.
    FalseInterruption,
    /// The caller has been silent for too long.
    NoInput,
    /// No key was pressed for so long that the number must be complete.
    InterDigit,
    /// The transcript is late.
    TranscriptOverdue,
    /// The reply is late enough for "one moment".
    Filler,
    /// The reply is too late.
    ReplyOverdue,
    /// The audio of the utterance that is due does not come.
    SynthesisOverdue,
    /// The carrier should have reported the end of what was played.
    MarkOverdue,
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The timers that are set, at most one of each kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    deadlines: alloc::collections::BTreeMap<Timer, CallTime>,
}

impl Timers {
    /// Sets a timer, or moves it.
    pub(crate) fn set(&mut self, timer: Timer, deadline: CallTime) {
        self.deadlines.insert(timer, deadline);
    }

    /// Sets a timer that has a deadline, stops one that has none.
    pub(crate) fn set_or_stop(&mut self, timer: Timer, deadline: Option<CallTime>) {
        match deadline {
            Some(deadline) => self.set(timer, deadline),
            None => self.stop(&[timer]),
        }
    }

    /// Stops timers, set or not.
    pub(crate) fn stop(&mut self, timers: &[Timer]) {
        for timer in timers {
            self.deadlines.remove(timer);
        }
    }

    /// Stops every timer.
    pub(crate) fn stop_all(&mut self) {
        self.deadlines.clear();
    }

    /// Returns the earliest deadline; of equal ones the timer listed first in [`Timer`].
    pub(crate) fn next(&self) -> Option<(CallTime, Timer)> {
        self.deadlines.iter().map(|(timer, deadline)| (*deadline, *timer)).min()
    }

    /// Removes and returns the earliest timer that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: CallTime) -> Option<(CallTime, Timer)> {
        let (deadline, timer) = self.next().filter(|(deadline, _)| *deadline <= now)?;
        self.deadlines.remove(&timer);
        Some((deadline, timer))
    }
}

//! The wait for the media stream, before there is a call to speak of.

use core::time::Duration;

/// Sees to it that a caller whose media stream never starts gets voicemail.
///
/// Armed when the incoming call was answered, disarmed by the start of the stream. Times are durations since any one
/// moment the shell likes, since the call's own time has not begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamWatchdog {
    deadline: Option<Duration>,
}

impl StreamWatchdog {
    /// The longest wait for the stream: 6 s (DESIGN.md, section 4).
    pub const LIMIT: Duration = Duration::from_secs(6);

    /// Returns a watchdog armed at `answered`, the moment the answer to the incoming call was sent, plus `greeting`, the
    /// length of what the carrier plays before it connects the stream.
    pub const fn armed(answered: Duration, greeting: Duration, limit: Duration) -> Self {
        Self { deadline: Some(answered.saturating_add(greeting).saturating_add(limit)) }
    }

    /// Disarms it: the stream has started, or the call is over. Returns whether it was still armed.
    pub fn disarm(&mut self) -> bool {
        self.deadline.take().is_some()
    }

    /// Returns when to call [`StreamWatchdog::handle_timeout`], or `None` when there is nothing to wait for.
    pub const fn poll_timeout(&self) -> Option<Duration> {
        self.deadline
    }

    /// Returns whether the call must be redirected to voicemail now. True once at most.
    pub fn handle_timeout(&mut self, now: Duration) -> bool {
        let due = self.deadline.is_some_and(|deadline| deadline <= now);
        if due {
            self.deadline = None;
        }
        due
    }
}

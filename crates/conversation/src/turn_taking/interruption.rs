//! The caller speaks over the agent: is it an interruption, and what becomes of the reply.

use core::time::Duration;

use units::SampleCount;

use crate::Call;
use crate::input::MEDIA_RATE;
use crate::output::Output;
use crate::playback::Memory;
use crate::timer::Timer;
use crate::turn_taking::Floor;
use crate::words;

/// The rest of a reply that is short enough for "yes" to be its answer and no backchannel: 1.2 s, about the last
/// words of a question.
const ANSWERABLE_REST: Duration = Duration::from_millis(1_200);

/// What was said over the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing, or something that only says that the caller listens: the agent goes on at once.
    Resume,
    /// "Wait": more may come; the agent goes on if it does not.
    Wait,
    /// Something to reply to.
    Reply,
}

/// Judges what was said while `rest` of the reply was not yet said.
pub(super) fn judge(text: &str, rest: Duration) -> Verdict {
    let listens = words::is_backchannel(text) && rest > ANSWERABLE_REST;
    if text.trim().is_empty() || listens {
        Verdict::Resume
    } else if words::is_hesitation(text) {
        Verdict::Wait
    } else {
        Verdict::Reply
    }
}

impl Call {
    /// The caller has spoken over the agent, or into its silence before the reply, for long enough.
    pub(crate) fn interrupt(&mut self) {
        let Some(at) = self.ears.speaking() else { return };
        if let Some(prefix) = self.dialog.unanswered_words() {
            // The caller was not done after all: what was said before and now is one turn, and the reply never was.
            self.cancel_reply(true);
            self.playback.drop_all(Memory::Forget, &mut self.outputs);
            self.dialog.forget_reply();
            self.timers.stop(&[Timer::Filler, Timer::ReplyOverdue, Timer::Closing]);
            self.begin_turn(at);
            self.caller.prefix = prefix;
        } else {
            self.playback.suspend(&mut self.outputs);
            self.timers.stop(&[Timer::Filler, Timer::ReplyOverdue, Timer::Closing]);
            self.begin_turn(at);
            self.caller.interrupts = true;
        }
        self.watch_playback();
    }

    /// The interruption came to nothing: the agent goes on.
    pub(crate) fn resume(&mut self) {
        self.cancel_recognitions();
        self.stop_turn_timers();
        self.caller.interrupts = false;
        self.floor = Floor::Agent;
        if self.config.interruption.resume {
            let rewind = SampleCount::from_duration(self.config.interruption.rewind, MEDIA_RATE);
            self.playback.resume(rewind, &mut self.outputs);
            self.await_reply();
            self.await_closing();
        } else {
            self.cancel_reply(false);
            self.playback.drop_all(Memory::Keep, &mut self.outputs);
        }
        self.check_reply_heard();
    }

    /// What interrupted was short and silent, and the recognizer has not said what it was.
    pub(crate) fn false_interruption(&mut self) {
        if self.caller.interrupts && self.caller.text().is_empty() {
            self.resume();
        }
    }

    /// The interruption was one: the rest of the reply is dropped.
    pub(crate) fn drop_reply(&mut self) {
        self.cancel_reply(false);
        self.playback.drop_all(Memory::Keep, &mut self.outputs);
        self.dialog.forget_reply();
        self.timers.stop(&[Timer::Filler, Timer::ReplyOverdue, Timer::Closing]);
        self.watch_playback();
    }

    /// Tells the brain that the rest of its reply is not wanted; with `undo` to forget the request as well.
    pub(crate) fn cancel_reply(&mut self, undo: bool) {
        if let Some(turn) = self.dialog.reply_to_cancel(undo) {
            self.outputs.push(Output::CancelReply { turn, undo });
        }
    }
}

//! Decides who has the floor on a call, when a turn ends, what the caller has heard, and when the call ends.
//!
//! It deliberately knows no audio, carrier, model, clock or storage, and not what the agent says: speech recognition, the
//! voice and the brain (the form-filling receptionist, or a language model) are outside. Requests to them go out as
//! [`Output`]s with the number of the turn, attempt or utterance, and come back as [`Input`]s with the same number; what is
//! stale is dropped by number, so a late model never speaks into a new turn.
//!
//! ```text
//! call.handle_input(now, input);                  // one thing happened
//! while let Some(output) = call.poll_output() {}  // do each, to the last
//! call.poll_timeout();                            // when to wake up, and why
//! call.handle_timeout(now);                       // fire what is due, then drain again
//! ```
//!
//! A call goes: the stream starts, the brain is asked to greet. The brain's sentences are synthesized at once and let
//! through to the carrier one behind the other. When the carrier's marks say that all was heard, the floor is open. The
//! caller's speech, pauses and the words recognized in them make a turn; at its end the brain is asked
//! again. Speech or keys over the agent clear what it says; what was not heard is cut from the brain's memory, or said
//! after all when the interruption was none.
//!
//! **Invariant:** due timers fire before an input is looked at, in the order of their deadlines and with the deadline as
//! their time. A late wake-up changes when the shell acts, never what is decided.
//! **Invariant:** the last output of every call is [`Output::Ended`], and no timer is set behind it.
//! **Invariant:** behind a [`Output::Clear`] no audio flows without a new [`Output::Play`] of the new generation.
//! **Invariant:** every number in [`Config`] that is a limit holds whatever the inputs are.
#![no_std]

extern crate alloc;

pub mod config;
mod dialog;
mod dtmf;
mod input;
pub mod message;
mod output;
mod playback;
mod timer;
mod turn_taking;
mod watchdog;
mod words;

#[cfg(test)]
mod tests;

use units::{CallTime, Language, TurnId};

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

use crate::dialog::Dialog;
use crate::dtmf::Keys;
use crate::output::Outputs;
use crate::playback::Playback;
use crate::timer::Timers;
use crate::turn_taking::{CallerTurn, Ears, Floor, Transcript};

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    config: Config,
    outputs: Outputs,
    timers: Timers,
    floor: Floor,
    /// The newest turn, whoever began it.
    turns: TurnId,
    language: Language,
    ears: Ears,
    caller: CallerTurn,
    keys: Keys,
    dialog: Dialog,
    playback: Playback,
}

impl Call {
    /// Returns a call whose stream has not started.
    pub fn new(config: Config) -> Self {
        let config = config.made_sensible();
        Self {
            language: config.language,
            config,
            outputs: Outputs::default(),
            timers: Timers::default(),
            floor: Floor::default(),
            turns: TurnId::default(),
            ears: Ears::default(),
            caller: CallerTurn::default(),
            keys: Keys::default(),
            dialog: Dialog::default(),
            playback: Playback::default(),
        }
    }

    /// Takes note that one thing happened at `now`, after firing what was due by then. Time never goes back: an earlier
    /// `now` counts as the latest.
    ///
    /// The outputs must have been drained, and are to be drained afterwards.
    pub fn handle_input(&mut self, now: CallTime, input: Input) {
        self.handle_timeout(now);
        self.outputs.set_now(now);
        match (self.floor, &input) {
            (Floor::Ended, _) => return self.ignore(IgnoredReason::AlreadyEnded),
            (Floor::Nobody, Input::StreamStarted { .. } | Input::StreamStopped) => {}
            (Floor::Nobody, Input::Overload | Input::Shutdown) => {}
            (Floor::Nobody, _) => return self.ignore(IgnoredReason::NotStarted),
            _ => {}
        }
        self.take(input);
    }

    /// Fires what is due at `now`. The outputs must have been drained, and are to be drained afterwards.
    pub fn handle_timeout(&mut self, now: CallTime) {
        debug_assert!(self.outputs.is_empty(), "the outputs of the last input were not drained");
        let now = now.max(self.outputs.now());
        while let Some((deadline, timer)) = self.timers.pop_due(now) {
            self.outputs.set_now(deadline);
            self.fire(timer);
        }
    }

    /// Returns the next thing to do, or `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.poll_decision().map(|(_, output)| output)
    }

    /// Returns the next thing to do with the time at which it was decided, which a late wake-up does not change. That
    /// time goes into the call log.
    pub fn poll_decision(&mut self) -> Option<(CallTime, Output)> {
        self.outputs.pop()
    }

    /// Returns when to call [`Call::handle_timeout`] next, and why; `None` when there is nothing to wait for.
    pub fn poll_timeout(&self) -> Option<(CallTime, Timer)> {
        self.timers.next()
    }

    /// Returns whether [`Output::Ended`] was decided.
    pub fn is_ended(&self) -> bool {
        self.floor == Floor::Ended
    }

    /// Returns the language the call is in now.
    pub const fn language(&self) -> Language {
        self.language
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::StreamStarted { greeting } => self.start(greeting),
            Input::StreamStopped => self.end(None),
            Input::Dtmf { digit } => self.press(digit),
            Input::MarkReached { mark } => self.mark_reached(mark),
            Input::SpeechStarted { at, detected } => self.speech_started(at, detected),
            Input::SpeechEnded { at, detected } => self.speech_ended(at, detected),
            Input::Transcript { turn, attempt, stage, text, language, confidence } => {
                self.transcript(turn, attempt, &Transcript { stage, text, language, confidence });
            }
            Input::RecognizeFailed { turn, attempt, why } => self.recognize_failed(turn, attempt, why),
            Input::ReplySentence { turn, text, language } => self.reply_sentence(turn, &text, language),
            Input::ReplyDone { turn, next } => self.reply_done(turn, next),
            Input::ReplyFailed { turn, why } => self.reply_failed(turn, why),
            Input::Synthesized { utterance, samples, last } => self.synthesized(utterance, samples, last),
            Input::SynthesizeFailed { utterance, why: _ } => self.synthesize_failed(utterance),
            Input::Overload => self.voicemail(VoicemailReason::Overload),
            Input::Shutdown => self.voicemail(VoicemailReason::Shutdown),
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::CallLimit => self.out_of_time(),
            Timer::Closing => self.closing_overdue(),
            Timer::TurnLimit => self.limit_turn(),
            Timer::PartLimit => self.cut_part(),
            Timer::Speculation => self.speculate(),
            Timer::Endpointing => self.end_of_turn(),
            Timer::Interruption => self.interrupt(),
            Timer::FalseInterruption => self.false_interruption(),
            Timer::NoInput => self.no_input(),
            Timer::InterDigit => self.keys_complete(),
            Timer::TranscriptOverdue => self.transcript_overdue(),
            Timer::Filler => self.fill(),
            Timer::ReplyOverdue => self.reply_overdue(),
            Timer::SynthesisOverdue => self.voicemail(VoicemailReason::SynthesisOverdue),
            Timer::MarkOverdue => {
                self.playback.assume_heard(&mut self.outputs);
                self.check_reply_heard();
            }
        }
    }

    /// Sets a timer, not before now: its time is the time of what it decides.
    fn set_timer(&mut self, timer: Timer, deadline: CallTime) {
        self.timers.set(timer, deadline.max(self.outputs.now()));
    }

    fn ignore(&mut self, reason: IgnoredReason) {
        self.outputs.push(Output::Ignored { reason });
    }
}

//! What is asked of the brain, and what becomes of its reply.

use alloc::string::String;

use units::{CallTime, Language, Pii, SampleCount, TurnId, UtteranceId};

use crate::Call;
use crate::dtmf::Pressed;
use crate::input::{Digit, Failure, GreetingMode, MEDIA_RATE, Mark, Next};
use crate::output::{
    HangupReason, IgnoredReason, Output, Request, Speaker, TransferReason, TurnLatency, VoicemailReason,
};
use crate::playback::{Memory, Purpose};
use crate::timer::Timer;
use crate::turn_taking::{Floor, bounded};

/// The timers that belong to the reply.
const REPLY_TIMERS: [Timer; 3] = [Timer::Filler, Timer::ReplyOverdue, Timer::Closing];

/// The conversation's memory: the reply that is on its way, and what has gone wrong how often.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialog {
    reply: Option<Reply>,
    silences: u32,
    not_heard: u32,
    recognition_failures: u32,
    /// Whether the call's time is up: what is said now are the last words.
    out_of_time: bool,
}

/// What made the core ask.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// Words, which may turn out to be the beginning of more.
    Words(String),
    /// Something that is complete by itself.
    Other,
}

/// When the parts of a turn happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    pub(crate) speech_ended: CallTime,
    pub(crate) end_of_turn: CallTime,
    pub(crate) transcript: CallTime,
    pub(crate) reply: Option<CallTime>,
}

#[derive(Clone, Debug)]
struct Reply {
    turn: TurnId,
    origin: Origin,
    /// Why the call ends when the reply was heard, whatever the brain says.
    forced: Option<HangupReason>,
    sentences: u32,
    filler_said: bool,
    /// Whether the caller may have heard any of it.
    sounded: bool,
    done: Option<Next>,
    meter: Option<Meter>,
}

impl Dialog {
    /// Returns the words that are being replied to, if it was words and nothing of the reply was heard.
    pub(crate) fn unanswered_words(&self) -> Option<String> {
        match &self.reply.as_ref().filter(|reply| !reply.sounded)?.origin {
            Origin::Words(words) => Some(words.clone()),
            Origin::Other => None,
        }
    }

    /// Returns whether all of the reply is known.
    pub(crate) fn reply_is_whole(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.done.is_some())
    }

    /// Returns whether the call ends when the reply was heard.
    pub(crate) fn is_closing(&self) -> bool {
        self.forced().is_some() || self.reply.as_ref().and_then(|reply| reply.done).is_some_and(is_terminal)
    }

    /// Returns the turn of a reply that the brain must be told to stop, or to `undo`; marks it as whole.
    pub(crate) fn reply_to_cancel(&mut self, undo: bool) -> Option<TurnId> {
        let reply = self.reply.as_mut()?;
        let open = reply.done.is_none();
        reply.done.get_or_insert(Next::Listen);
        (open || undo).then_some(reply.turn)
    }

    /// Nothing more is to come of the reply.
    pub(crate) fn forget_reply(&mut self) {
        self.reply = None;
    }

    /// Counts a transcript that was not made out; returns how many in a row.
    pub(crate) fn count_not_heard(&mut self) -> u32 {
        self.not_heard = self.not_heard.saturating_add(1);
        self.not_heard
    }

    /// The recognizer works.
    pub(crate) fn recognition_worked(&mut self) {
        self.recognition_failures = 0;
    }

    /// Counts a failure of the recognizer; returns how many in a row.
    pub(crate) fn recognition_failed(&mut self) -> u32 {
        self.recognition_failures = self.recognition_failures.saturating_add(1);
        self.recognition_failures
    }

    fn pending(&mut self, turn: TurnId) -> Option<&mut Reply> {
        self.reply.as_mut().filter(|reply| reply.turn == turn && reply.done.is_none())
    }

    fn forced(&self) -> Option<HangupReason> {
        self.reply.as_ref().and_then(|reply| reply.forced)
    }
}

impl Call {
    /// The stream is open.
    pub(crate) fn start(&mut self, greeting: GreetingMode) {
        if self.floor != Floor::Nobody {
            return self.ignore(IgnoredReason::AlreadyStarted);
        }
        let limit = self.config.limits.call;
        self.set_timer(Timer::CallLimit, self.outputs.now().saturating_add(limit));
        self.ask(TurnId::default(), Request::Greet { greeting }, Origin::Other, None);
    }

    /// Asks the brain for a reply, and gives the agent the floor.
    pub(crate) fn ask(&mut self, turn: TurnId, request: Request, origin: Origin, meter: Option<Meter>) {
        let forced = match &request {
            Request::CallerSaid { goodbye: true, .. } => Some(HangupReason::CallerGoodbye),
            Request::CallerSilent { last: true, .. } => Some(HangupReason::SilenceLimit),
            Request::OutOfTime => Some(HangupReason::CallLimit),
            Request::Greet { .. }
            | Request::CallerSaid { .. }
            | Request::CallerSilent { .. }
            | Request::NotHeard { .. } => None,
        };
        match &request {
            Request::CallerSaid { .. } => (self.dialog.silences, self.dialog.not_heard) = (0, 0),
            Request::NotHeard { .. } => self.dialog.silences = 0,
            Request::Greet { .. } | Request::CallerSilent { .. } | Request::OutOfTime => {}
        }
        self.stop_turn_timers();
        self.keys.restart(None);
        self.floor = Floor::Agent;
        let heard = self.playback.take_memory();
        self.outputs.push(Output::Reply { turn, request, heard });
        self.dialog.reply =
            Some(Reply { turn, origin, forced, sentences: 0, filler_said: false, sounded: false, done: None, meter });
        self.await_reply();
        if forced.is_some() {
            let deadline = self.outputs.now().saturating_add(self.config.limits.goodbye);
            self.set_timer(Timer::Closing, deadline);
        }
    }

    /// Sets the deadlines of a reply that is not whole.
    pub(crate) fn await_reply(&mut self) {
        let now = self.outputs.now();
        let Some(reply) = self.dialog.reply.as_ref().filter(|reply| reply.done.is_none()) else { return };
        let first = reply.sentences == 0 && !reply.filler_said;
        self.set_timer(Timer::ReplyOverdue, now.saturating_add(self.config.patience.reply));
        if first {
            self.set_timer(Timer::Filler, now.saturating_add(self.config.patience.filler));
        }
    }

    /// Sets the deadline of a reply after which the call ends: what is left to say, and some patience.
    pub(crate) fn await_closing(&mut self) {
        if self.dialog.is_closing() {
            let rest = self.playback.rest().saturating_add(self.config.limits.goodbye);
            self.set_timer(Timer::Closing, self.outputs.now().saturating_add(rest));
        }
    }

    /// The brain has a sentence.
    pub(crate) fn reply_sentence(&mut self, turn: TurnId, text: &Pii<String>, language: Language) {
        let (now, most) = (self.outputs.now(), self.config.limits.sentences);
        let Some(reply) = self.dialog.pending(turn) else { return self.ignore(IgnoredReason::StaleTurn) };
        if reply.sentences >= most {
            return self.ignore(IgnoredReason::TooMuch);
        }
        let text = bounded(text.reveal());
        if text.is_empty() {
            return self.ignore(IgnoredReason::NothingToSay);
        }
        reply.sentences = reply.sentences.saturating_add(1);
        if let Some(meter) = &mut reply.meter {
            meter.reply.get_or_insert(now);
        }
        self.language = language;
        self.timers.stop(&[Timer::Filler]);
        if self.floor == Floor::Agent {
            self.await_reply();
        }
        self.playback.say(turn, text.into(), language, Purpose::Reply, &mut self.outputs);
        self.watch_playback();
    }

    /// The brain has said everything.
    pub(crate) fn reply_done(&mut self, turn: TurnId, next: Next) {
        let Some(reply) = self.dialog.pending(turn) else { return self.ignore(IgnoredReason::StaleTurn) };
        reply.done = Some(next);
        self.timers.stop(&[Timer::Filler, Timer::ReplyOverdue]);
        if let Next::Digits { max } = next {
            self.keys.restart(Some(max));
        }
        if self.floor == Floor::Agent && self.dialog.forced().is_none() {
            self.await_closing();
        }
        self.check_reply_heard();
    }

    /// The brain cannot.
    pub(crate) fn reply_failed(&mut self, turn: TurnId, _why: Failure) {
        let Some(reply) = self.dialog.pending(turn) else { return self.ignore(IgnoredReason::StaleTurn) };
        let said_something = reply.sentences > 0;
        reply.done = Some(Next::Voicemail);
        if self.dialog.forced().is_none() {
            return self.voicemail(VoicemailReason::ReplyFailed);
        }
        self.timers.stop(&[Timer::Filler, Timer::ReplyOverdue]);
        if !said_something {
            self.say_goodbye(turn);
        }
        self.check_reply_heard();
    }

    /// The reply is late.
    pub(crate) fn fill(&mut self) {
        let phrase = self.config.phrases.one_moment.in_language(self.language).into();
        let Some(reply) = &mut self.dialog.reply else { return };
        reply.filler_said = true;
        let turn = reply.turn;
        self.playback.say(turn, Pii::new(phrase), self.language, Purpose::Filler, &mut self.outputs);
        self.watch_playback();
    }

    /// The reply is too late.
    pub(crate) fn reply_overdue(&mut self) {
        let Some(turn) = self.dialog.reply.as_ref().map(|reply| reply.turn) else { return };
        if self.dialog.forced().is_none() {
            return self.voicemail(VoicemailReason::ReplyOverdue);
        }
        self.cancel_reply(false);
        self.say_goodbye(turn);
        self.check_reply_heard();
    }

    fn say_goodbye(&mut self, turn: TurnId) {
        let phrase = self.config.phrases.goodbye.in_language(self.language).into();
        self.playback.say(turn, Pii::new(phrase), self.language, Purpose::Reply, &mut self.outputs);
        self.watch_playback();
    }

    /// Audio of an utterance exists.
    pub(crate) fn synthesized(&mut self, utterance: UtteranceId, samples: SampleCount, last: bool) {
        let most = SampleCount::from_duration(self.config.limits.utterance, MEDIA_RATE);
        if let Err(reason) = self.playback.synthesized(utterance, samples, last, most, &mut self.outputs) {
            return self.ignore(reason);
        }
        self.check_reply_heard();
    }

    /// A mark came back.
    pub(crate) fn mark_reached(&mut self, mark: Mark) {
        if let Err(reason) = self.playback.mark_reached(mark, &mut self.outputs) {
            return self.ignore(reason);
        }
        self.check_reply_heard();
    }

    /// An utterance will not come.
    pub(crate) fn synthesize_failed(&mut self, utterance: UtteranceId) {
        if self.playback.expects(utterance) {
            self.voicemail(VoicemailReason::SynthesizerFailed);
        } else {
            self.ignore(IgnoredReason::UnknownUtterance);
        }
    }

    /// Does what is to be done when the caller has heard all of the reply.
    pub(crate) fn check_reply_heard(&mut self) {
        self.watch_playback();
        if self.floor != Floor::Agent || !self.playback.is_empty() {
            return;
        }
        let Some(next) = self.dialog.reply.as_ref().and_then(|reply| reply.done) else { return };
        if let Some(reason) = self.dialog.forced() {
            return self.hang_up(reason);
        }
        match next {
            Next::Listen | Next::Digits { .. } => self.open_floor(),
            Next::Hangup => self.hang_up(HangupReason::AgentDone),
            Next::Voicemail => self.voicemail(VoicemailReason::Asked),
            Next::Transfer => self.end(Some(Output::Transfer { reason: TransferReason::Asked })),
        }
    }

    /// The caller may speak.
    pub(crate) fn open_floor(&mut self) {
        self.dialog.forget_reply();
        self.stop_turn_timers();
        self.timers.stop(&REPLY_TIMERS);
        self.floor = Floor::Open;
        if let Some(at) = self.ears.speaking() {
            return self.begin_turn(at);
        }
        let deadline = self.outputs.now().saturating_add(self.config.silence.no_input);
        self.set_timer(Timer::NoInput, deadline);
    }

    /// The caller says nothing.
    pub(crate) fn no_input(&mut self) {
        self.turns = self.turns.next();
        self.dialog.silences = self.dialog.silences.saturating_add(1);
        let count = self.dialog.silences;
        let last = count > self.config.silence.prompts;
        self.ask(self.turns, Request::CallerSilent { count, last }, Origin::Other, None);
    }

    /// The call has lasted long enough.
    pub(crate) fn out_of_time(&mut self) {
        self.dialog.out_of_time = true;
        if self.floor == Floor::Agent && self.dialog.is_closing() {
            let deadline = self.outputs.now().saturating_add(self.config.limits.goodbye);
            return self.set_timer(Timer::Closing, deadline);
        }
        self.write_down_unfinished();
        self.drop_reply();
        self.turns = self.turns.next();
        self.ask(self.turns, Request::OutOfTime, Origin::Other, None);
    }

    /// The goodbye has taken long enough.
    pub(crate) fn closing_overdue(&mut self) {
        match self.dialog.reply.as_ref().map(|reply| (reply.forced, reply.done)) {
            Some((None, Some(Next::Voicemail))) => self.voicemail(VoicemailReason::Asked),
            Some((None, Some(Next::Transfer))) => {
                self.end(Some(Output::Transfer { reason: TransferReason::Asked }));
            }
            Some((forced, _)) => self.hang_up(forced.unwrap_or(HangupReason::AgentDone)),
            None => {}
        }
    }

    /// The caller pressed a key.
    pub(crate) fn press(&mut self, digit: Digit) {
        if self.dialog.out_of_time {
            return self.ignore(IgnoredReason::NotNow);
        }
        match self.keys.press(digit, self.config.dtmf.max_digits) {
            Pressed::Nothing => self.ignore(IgnoredReason::OutOfOrder),
            Pressed::Zero if self.config.dtmf.zero_is_human => self.zero_pressed(),
            Pressed::More | Pressed::Zero => {
                self.give_keys_the_floor();
                let deadline = self.outputs.now().saturating_add(self.config.dtmf.inter_digit);
                self.set_timer(Timer::InterDigit, deadline);
            }
            Pressed::Complete => {
                self.give_keys_the_floor();
                self.keys_complete();
            }
        }
    }

    /// No more keys: the number is complete.
    pub(crate) fn keys_complete(&mut self) {
        if self.keys.is_zero() && self.config.dtmf.zero_is_human {
            return self.zero_pressed();
        }
        let (turn, language, began) = (self.caller_turn(), self.language, self.outputs.now());
        let digits = Pii::new(self.keys.take());
        let (who, text) = (Speaker::Caller, digits.clone());
        self.outputs.push(Output::Said { turn, who, text, language, began, interrupted: false });
        let meter = Meter { speech_ended: began, end_of_turn: began, transcript: began, reply: None };
        let request = Request::CallerSaid { text: String::new().into(), language, digits, goodbye: false };
        self.ask(turn, request, Origin::Other, Some(meter));
    }

    fn zero_pressed(&mut self) {
        self.end(Some(Output::Transfer { reason: TransferReason::ZeroPressed }));
    }

    /// Keys interrupt everything at once; what is heard meanwhile may be their own sound.
    fn give_keys_the_floor(&mut self) {
        match self.floor {
            Floor::Keys => {}
            Floor::Caller | Floor::Deciding => {
                self.cancel_recognitions();
                self.stop_turn_timers();
                self.drop_reply();
            }
            Floor::Agent | Floor::Open | Floor::Nobody | Floor::Ended => {
                self.stop_turn_timers();
                self.drop_reply();
                self.new_turn();
            }
        }
        self.floor = Floor::Keys;
    }

    /// Hangs up.
    pub(crate) fn hang_up(&mut self, reason: HangupReason) {
        self.end(Some(Output::Hangup { reason }));
    }

    /// Hands over to voicemail, unless the caller was being said goodbye to.
    pub(crate) fn voicemail(&mut self, reason: VoicemailReason) {
        match self.dialog.forced().filter(|_| self.floor == Floor::Agent) {
            Some(reason) => self.hang_up(reason),
            None => self.end(Some(Output::Voicemail { reason })),
        }
    }

    /// Ends the conversation: everything asked for is cancelled, everything set is stopped.
    pub(crate) fn end(&mut self, how: Option<Output>) {
        self.write_down_unfinished();
        self.cancel_reply(false);
        if how.is_none() {
            self.playback.line_gone(&self.outputs);
        }
        self.playback.drop_all(Memory::Keep, &mut self.outputs);
        self.dialog.forget_reply();
        self.timers.stop_all();
        self.outputs.push_all(how);
        self.outputs.push(Output::Ended);
        self.floor = Floor::Ended;
    }

    /// Returns whether the caller may speak over the agent now.
    pub(crate) fn may_interrupt(&self) -> bool {
        let allowed = self.config.interruption.enabled || !self.playback.sounds();
        allowed && !self.dialog.out_of_time
    }

    /// Keeps the deadlines of the audio, and tells the latencies of the turn when its first audio may flow.
    pub(crate) fn watch_playback(&mut self) {
        let patience = &self.config.patience;
        let (synthesis, mark) =
            (self.playback.synthesis_deadline(patience.synthesis), self.playback.mark_deadline(patience.mark));
        let now = self.outputs.now();
        self.timers.set_or_stop(Timer::SynthesisOverdue, synthesis.map(|deadline| deadline.max(now)));
        self.timers.set_or_stop(Timer::MarkOverdue, mark.map(|deadline| deadline.max(now)));
        let Some(reply) = self.dialog.reply.as_mut().filter(|reply| self.playback.first_audio_flows(reply.turn)) else {
            return;
        };
        let turn = reply.turn;
        reply.sounded = true;
        if let Some(meter) = reply.meter.take() {
            let latency = TurnLatency {
                end_of_turn: meter.end_of_turn.saturating_since(meter.speech_ended),
                transcript: meter.transcript.saturating_since(meter.speech_ended),
                reply: meter.reply.unwrap_or(now).saturating_since(meter.speech_ended),
                first_audio: now.saturating_since(meter.speech_ended),
            };
            self.outputs.push(Output::Latency { turn, latency });
        }
    }
}

/// Returns whether the conversation ends with this.
const fn is_terminal(next: Next) -> bool {
    match next {
        Next::Hangup | Next::Voicemail | Next::Transfer => true,
        Next::Listen | Next::Digits { .. } => false,
    }
}

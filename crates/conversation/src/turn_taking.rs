//! Whose turn it is, and when the caller's ends.
//!
//! A caller's turn is made of stretches of speech with pauses between them. In each pause recognition runs on
//! speculation; the words decide how long the pause must become to end the turn ([`endpointing`]). Speech over the agent
//! begins a turn too, but the agent's reply is kept until it is clear what it was ([`interruption`]).
//!
//! **The two clocks.** Positions in audio are counted in samples, deadlines in call time. They meet in [`Ears`]: the
//! newest sample the detector has seen is now. Whatever is late on its way is so for both ends of a stretch, so lengths
//! are exact.

mod endpointing;
mod interruption;

use alloc::string::String;
use alloc::vec::Vec;

use core::time::Duration;

use units::{CallTime, Language, Pii, SampleCount, TurnId};

use crate::Call;
use crate::dialog::{Meter, Origin};
use crate::input::{Confidence, Failure, MEDIA_RATE, Stage};
use crate::output::{IgnoredReason, Output, Request, Speaker, VoicemailReason};
use crate::timer::Timer;
use crate::turn_taking::interruption::Verdict;
use crate::words;

/// Speech from which on an empty transcript means "not made out" and not "nothing": 800 ms, two or three syllables.
const NOT_HEARD_MIN: Duration = Duration::from_millis(800);

/// Speech over the agent that may be a noise: at most 500 ms.
const NOISE_MAX: Duration = Duration::from_millis(500);

/// The longest transcript kept, in bytes; the rest of a longer one is dropped. Four minutes of fast speech.
const MAX_TEXT: usize = 8_000;

/// The timers that belong to the caller's turn.
const TURN_TIMERS: [Timer; 9] = [
    Timer::TurnLimit,
    Timer::PartLimit,
    Timer::Speculation,
    Timer::Endpointing,
    Timer::Interruption,
    Timer::FalseInterruption,
    Timer::NoInput,
    Timer::InterDigit,
    Timer::TranscriptOverdue,
];

/// Who has the floor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Floor {
    /// The stream has not started.
    #[default]
    Nobody,
    /// The caller may speak.
    Open,
    /// The caller speaks, or pauses within the turn.
    Caller,
    /// The caller is pressing keys.
    Keys,
    /// The caller's turn is over, its transcript is not there.
    Deciding,
    /// The agent's reply is on its way, or being said.
    Agent,
    /// The conversation is over.
    Ended,
}

/// What the voice activity detector says, and where the two clocks meet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ears {
    speaking: Option<SampleCount>,
    /// The newest sample, and when it came.
    newest: (CallTime, SampleCount),
}

impl Ears {
    /// Returns where the speech that goes on now began.
    pub(crate) const fn speaking(&self) -> Option<SampleCount> {
        self.speaking
    }

    /// Returns when a sample was, or will be, the newest.
    fn time_of(&self, at: SampleCount) -> CallTime {
        let (now, newest) = self.newest;
        let age = newest.saturating_sub(at).duration(MEDIA_RATE);
        let ahead = at.saturating_sub(newest).duration(MEDIA_RATE);
        CallTime::from_duration(now.since_start().saturating_sub(age).saturating_add(ahead))
    }

    /// Returns the newest sample at `now`, reckoned from the last that was told.
    fn position(&self, now: CallTime) -> SampleCount {
        let (then, newest) = self.newest;
        newest.saturating_add(SampleCount::from_duration(now.saturating_since(then), MEDIA_RATE))
    }
}

/// The caller's turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallerTurn {
    id: TurnId,
    began: CallTime,
    /// The words of the turn before, whose reply was never heard.
    prefix: String,
    /// Whether the agent fell silent for it and may go on.
    interrupts: bool,
    /// Whether it has lasted as long as it may.
    limited: bool,
    /// Speech in it, pauses left out.
    spoken: SampleCount,
    /// When the last stretch of speech ended.
    silent_since: CallTime,
    ended_at: CallTime,
    transcript_at: CallTime,
    language: Option<Language>,
    /// Whether words got lost: recognition failed or was not sure.
    unclear: bool,
    attempts: u32,
    /// The audio that is not yet in `parts`.
    open: (SampleCount, SampleCount),
    /// The recognition of the open audio.
    ask: Option<Part>,
    /// The audio before, each stretch with its recognition. At most one for each two seconds of a turn.
    parts: Vec<Part>,
}

/// A stretch of audio that the recognizer was asked about.
#[derive(Clone, Debug)]
struct Part {
    attempt: u32,
    from: SampleCount,
    to: SampleCount,
    speculative: bool,
    interim: String,
    text: Option<String>,
}

impl CallerTurn {
    fn all_parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().chain(&self.ask)
    }

    fn part_mut(&mut self, attempt: u32) -> Option<&mut Part> {
        self.parts.iter_mut().chain(&mut self.ask).find(|part| part.attempt == attempt && part.text.is_none())
    }

    fn all_answered(&self) -> bool {
        self.all_parts().all(|part| part.text.is_some())
    }

    /// Returns the words so far, with interim ones where there are no final ones, without those of the turn before.
    fn text(&self) -> String {
        let mut joined = String::new();
        for part in self.all_parts() {
            push_words(&mut joined, part.text.as_ref().unwrap_or(&part.interim));
        }
        joined
    }
}

impl Call {
    /// The detector found speech.
    pub(crate) fn speech_started(&mut self, at: SampleCount, detected: SampleCount) {
        if self.ears.speaking.is_some() {
            return self.ignore(IgnoredReason::OutOfOrder);
        }
        let at = at.min(detected);
        self.ears = Ears { speaking: Some(at), newest: (self.outputs.now(), detected) };
        match self.floor {
            Floor::Open => self.begin_turn(at),
            Floor::Caller => self.continue_turn(at),
            Floor::Deciding if self.caller.limited => {}
            Floor::Deciding => {
                self.floor = Floor::Caller;
                self.timers.stop(&[Timer::TranscriptOverdue]);
                self.continue_turn(at);
            }
            Floor::Agent if self.may_interrupt() => {
                let deadline = self.ears.time_of(at).saturating_add(self.config.interruption.min_duration);
                self.set_timer(Timer::Interruption, deadline);
            }
            Floor::Agent => self.ignore(IgnoredReason::NotNow),
            Floor::Keys | Floor::Nobody | Floor::Ended => {}
        }
    }

    /// The detector found the end of speech.
    pub(crate) fn speech_ended(&mut self, at: SampleCount, detected: SampleCount) {
        let Some(began) = self.ears.speaking.take() else {
            return self.ignore(IgnoredReason::OutOfOrder);
        };
        let at = at.min(detected).max(began);
        self.ears.newest = (self.outputs.now(), detected.max(began));
        match self.floor {
            Floor::Caller => {
                self.caller.spoken = self.caller.spoken.saturating_add(at.saturating_sub(began));
                self.pause(at);
            }
            Floor::Agent => self.timers.stop(&[Timer::Interruption]),
            Floor::Open | Floor::Keys | Floor::Deciding | Floor::Nobody | Floor::Ended => {}
        }
    }

    /// The caller's turn begins with speech at `at`.
    pub(crate) fn begin_turn(&mut self, at: SampleCount) {
        let now = self.outputs.now();
        self.stop_turn_timers();
        self.turns = self.turns.next();
        let from = at.saturating_sub(SampleCount::from_duration(self.config.endpointing.pre_roll, MEDIA_RATE));
        self.caller =
            CallerTurn { id: self.turns, began: self.ears.time_of(at), open: (from, from), ..CallerTurn::default() };
        self.floor = Floor::Caller;
        self.set_timer(Timer::TurnLimit, now.saturating_add(self.config.limits.turn));
        self.limit_part();
    }

    /// The caller goes on after a pause.
    fn continue_turn(&mut self, at: SampleCount) {
        self.timers.stop(&[Timer::Speculation, Timer::Endpointing, Timer::FalseInterruption]);
        if let Some(part) = self.caller.ask.take() {
            let length = part.to.saturating_sub(part.from).duration(MEDIA_RATE);
            if length >= self.config.endpointing.part_length {
                let pre_roll = SampleCount::from_duration(self.config.endpointing.pre_roll, MEDIA_RATE);
                self.caller.open.0 = at.saturating_sub(pre_roll).max(part.to);
                self.caller.parts.push(part);
            } else if part.text.is_none() {
                let (turn, attempt) = (self.caller.id, part.attempt);
                self.outputs.push(Output::CancelRecognition { turn, attempt });
            }
        }
        self.limit_part();
    }

    /// The caller pauses; the last speech was before `at`.
    fn pause(&mut self, at: SampleCount) {
        let config = &self.config.endpointing;
        let post_roll = SampleCount::from_duration(config.post_roll, MEDIA_RATE);
        let silent_since = self.ears.time_of(at);
        self.caller.silent_since = silent_since;
        self.caller.open.1 = at.saturating_add(post_roll);
        let (speculation, end) = (config.speculation_delay, config.max_delay);
        self.timers.stop(&[Timer::PartLimit]);
        self.set_timer(Timer::Speculation, silent_since.saturating_add(speculation));
        self.set_timer(Timer::Endpointing, silent_since.saturating_add(end));
        if self.caller.interrupts && self.caller.spoken.duration(MEDIA_RATE) <= NOISE_MAX {
            let patience = self.config.interruption.false_interruption;
            self.set_timer(Timer::FalseInterruption, silent_since.saturating_add(patience));
        }
    }

    /// Starts to recognize the open audio in a pause.
    pub(crate) fn speculate(&mut self) {
        self.recognize(true);
    }

    /// Cuts the open audio in the middle of speech, since it has become too long for one recognition.
    pub(crate) fn cut_part(&mut self) {
        let here = self.ears.position(self.outputs.now());
        self.caller.open.1 = here;
        self.recognize(false);
        self.caller.parts.extend(self.caller.ask.take());
        self.caller.open.0 = here;
        self.limit_part();
    }

    /// The caller's turn has lasted as long as it may.
    pub(crate) fn limit_turn(&mut self) {
        if self.floor != Floor::Caller {
            return;
        }
        let now = self.outputs.now();
        self.caller.limited = true;
        if let Some(began) = self.ears.speaking {
            let here = self.ears.position(now);
            self.caller.spoken = self.caller.spoken.saturating_add(here.saturating_sub(began));
            self.caller.open.1 = here;
            self.caller.silent_since = now;
            self.ears.speaking = Some(here);
        }
        self.end_of_turn();
    }

    /// The caller is done.
    pub(crate) fn end_of_turn(&mut self) {
        let now = self.outputs.now();
        self.caller.ended_at = now;
        self.timers.stop(&[Timer::Endpointing, Timer::Speculation, Timer::PartLimit]);
        if self.caller.ask.is_none() {
            self.recognize(false);
        }
        if self.caller.all_answered() {
            return self.finish_turn();
        }
        self.floor = Floor::Deciding;
        self.set_timer(Timer::TranscriptOverdue, now.saturating_add(self.config.patience.transcript));
    }

    /// The recognizer heard something.
    pub(crate) fn transcript(&mut self, turn: TurnId, attempt: u32, heard: &Transcript) {
        if turn != self.caller.id || !matches!(self.floor, Floor::Caller | Floor::Deciding) {
            return self.ignore(IgnoredReason::StaleTurn);
        }
        let Some(part) = self.caller.part_mut(attempt) else {
            return self.ignore(IgnoredReason::StaleAttempt);
        };
        let text = bounded(heard.text.reveal());
        if !text.is_empty() {
            self.timers.stop(&[Timer::FalseInterruption]);
        }
        let language = heard.language.filter(|_| !text.is_empty());
        let unsure = heard.stage == Stage::Final && heard.confidence.0 < self.config.patience.min_confidence;
        match heard.stage {
            Stage::Interim => part.interim = text,
            Stage::Final => part.text = Some(if unsure { String::new() } else { text }),
        }
        self.caller.unclear |= unsure;
        self.caller.language = language.or(self.caller.language);
        if heard.stage == Stage::Final {
            self.dialog.recognition_worked();
            self.answered();
        }
    }

    /// The recognizer could not.
    pub(crate) fn recognize_failed(&mut self, turn: TurnId, attempt: u32, why: Failure) {
        if turn != self.caller.id || !matches!(self.floor, Floor::Caller | Floor::Deciding) {
            return self.ignore(IgnoredReason::StaleTurn);
        }
        let Some(part) = self.caller.part_mut(attempt) else {
            return self.ignore(IgnoredReason::StaleAttempt);
        };
        if why == Failure::Busy && part.speculative {
            return self.speculation_refused(attempt);
        }
        part.text = Some(core::mem::take(&mut part.interim));
        if why == Failure::Busy {
            return self.voicemail(VoicemailReason::RecognizerBusy);
        }
        self.caller.unclear = true;
        if self.dialog.recognition_failed() >= self.config.patience.recognition_failures {
            return self.voicemail(VoicemailReason::RecognizerFailed);
        }
        self.answered();
    }

    /// The transcript does not come: what is known must do, and if nothing is, voicemail.
    pub(crate) fn transcript_overdue(&mut self) {
        if self.caller.text().is_empty() && !self.caller.interrupts {
            return self.voicemail(VoicemailReason::TranscriptOverdue);
        }
        self.cancel_recognitions();
        self.finish_turn();
    }

    /// Cancels the recognitions of the turn that are not answered, keeping what is known.
    pub(crate) fn cancel_recognitions(&mut self) {
        let turn = self.caller.id;
        for part in self.caller.parts.iter_mut().chain(&mut self.caller.ask).filter(|part| part.text.is_none()) {
            self.outputs.push(Output::CancelRecognition { turn, attempt: part.attempt });
            part.text = Some(core::mem::take(&mut part.interim));
        }
    }

    /// Writes down what the caller said in a turn that ends before its end.
    pub(crate) fn write_down_unfinished(&mut self) {
        if !matches!(self.floor, Floor::Caller | Floor::Deciding) {
            return;
        }
        self.cancel_recognitions();
        let text = self.caller.text();
        self.said_by_caller(text, true);
    }

    /// Stops the timers of the caller's turn.
    pub(crate) fn stop_turn_timers(&mut self) {
        self.timers.stop(&TURN_TIMERS);
    }

    /// A full queue is no reason to give up before the turn is over: the same audio is asked about again, in earnest.
    fn speculation_refused(&mut self, attempt: u32) {
        if self.floor == Floor::Caller && self.caller.ask.as_ref().is_some_and(|part| part.attempt == attempt) {
            self.caller.ask = None;
            if self.ears.speaking.is_none() {
                let deadline = self.caller.silent_since.saturating_add(self.config.endpointing.unsure_delay);
                self.set_timer(Timer::Endpointing, deadline);
            }
            return;
        }
        self.caller.attempts = self.caller.attempts.saturating_add(1);
        let (turn, again) = (self.caller.id, self.caller.attempts);
        if let Some(part) = self.caller.part_mut(attempt) {
            (part.attempt, part.speculative) = (again, false);
            let (from, to) = (part.from, part.to);
            self.outputs.push(Output::Recognize { turn, attempt: again, from, to, speculative: false });
        }
    }

    /// Returns the number of the caller's turn.
    pub(crate) const fn caller_turn(&self) -> TurnId {
        self.caller.id
    }

    /// Begins a turn without speech.
    pub(crate) fn new_turn(&mut self) {
        self.turns = self.turns.next();
        self.caller = CallerTurn { id: self.turns, began: self.outputs.now(), ..CallerTurn::default() };
    }

    /// One more part has its words: the turn may be over, or it is known how long to wait.
    fn answered(&mut self) {
        self.caller.transcript_at = self.outputs.now();
        if self.floor == Floor::Deciding {
            if self.caller.all_answered() {
                self.finish_turn();
            }
            return;
        }
        let known = self.caller.ask.as_ref().is_some_and(|part| part.text.is_some());
        if self.ears.speaking.is_some() || !known {
            return;
        }
        let text = self.caller.text();
        if self.caller.all_answered() && self.verdict(&text) == Verdict::Resume {
            return self.resume();
        }
        let language = self.caller.language.unwrap_or(self.language);
        let delay = endpointing::delay(&self.config.endpointing, &text, language, self.keys.expected());
        self.set_timer(Timer::Endpointing, self.caller.silent_since.saturating_add(delay));
    }

    /// The turn is over and its words are known.
    fn finish_turn(&mut self) {
        let words = self.caller.text();
        match self.verdict(&words) {
            Verdict::Resume | Verdict::Wait => return self.resume(),
            Verdict::Reply => {}
        }
        let was_closing = self.caller.interrupts && self.dialog.is_closing();
        if self.caller.interrupts {
            self.drop_reply();
        }
        let language = self.caller.language.filter(|_| !words.is_empty()).unwrap_or(self.language);
        self.language = language;
        let mut text = core::mem::take(&mut self.caller.prefix);
        push_words(&mut text, &words);
        let hesitates = words::is_hesitation(&text);
        if text.is_empty() || hesitates {
            let long = self.caller.spoken.duration(MEDIA_RATE) >= NOT_HEARD_MIN;
            return if !hesitates && (long || self.caller.unclear) { self.not_heard() } else { self.open_floor() };
        }
        self.said_by_caller(words, false);
        let goodbye = words::is_goodbye(&text);
        if goodbye && was_closing {
            self.floor = Floor::Open;
            return self.hang_up(crate::HangupReason::CallerGoodbye);
        }
        let meter = self.meter();
        let origin = if self.caller.limited { Origin::Other } else { Origin::Words(text.clone()) };
        let request = Request::CallerSaid { text: text.into(), language, digits: String::new().into(), goodbye };
        self.ask(self.caller.id, request, origin, Some(meter));
    }

    fn not_heard(&mut self) {
        let count = self.dialog.count_not_heard();
        let meter = self.meter();
        self.ask(self.caller.id, Request::NotHeard { count }, Origin::Other, Some(meter));
    }

    fn meter(&self) -> Meter {
        let CallerTurn { silent_since, ended_at, transcript_at, .. } = self.caller;
        Meter { speech_ended: silent_since, end_of_turn: ended_at, transcript: transcript_at, reply: None }
    }

    fn verdict(&self, text: &str) -> Verdict {
        if !self.caller.interrupts {
            return Verdict::Reply;
        }
        if words::is_part_of(text, self.playback.texts()) {
            // A loudspeaker: the agent hears itself.
            return Verdict::Resume;
        }
        let rest = if self.dialog.reply_is_whole() { self.playback.rest() } else { Duration::MAX };
        interruption::judge(text, rest)
    }

    fn said_by_caller(&mut self, words: String, interrupted: bool) {
        if words.is_empty() {
            return;
        }
        let CallerTurn { id: turn, began, language, .. } = self.caller;
        let language = language.unwrap_or(self.language);
        let (who, text) = (Speaker::Caller, Pii::new(words));
        self.outputs.push(Output::Said { turn, who, text, language, began, interrupted });
    }

    /// Asks about the open audio.
    fn recognize(&mut self, speculative: bool) {
        self.caller.attempts = self.caller.attempts.saturating_add(1);
        let (turn, attempt, (from, to)) = (self.caller.id, self.caller.attempts, self.caller.open);
        let to = to.max(from);
        self.outputs.push(Output::Recognize { turn, attempt, from, to, speculative });
        self.caller.ask = Some(Part { attempt, from, to, speculative, interim: String::new(), text: None });
    }

    fn limit_part(&mut self) {
        let now = self.outputs.now();
        let used = self.ears.position(now).saturating_sub(self.caller.open.0).duration(MEDIA_RATE);
        let left = self.config.endpointing.max_part.saturating_sub(used);
        self.set_timer(Timer::PartLimit, now.saturating_add(left));
    }
}

/// What the recognizer heard.
pub(crate) struct Transcript {
    pub(crate) stage: Stage,
    pub(crate) text: Pii<String>,
    pub(crate) language: Option<Language>,
    pub(crate) confidence: Confidence,
}

/// Adds words to others, with one space between them.
fn push_words(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// Returns the text without white space around it, cut to [`MAX_TEXT`].
pub(crate) fn bounded(text: &str) -> String {
    let text = text.trim();
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().into()
}

//! What the agent is saying, and how much of it the caller has heard.
//!
//! The carrier buffers audio and plays it in order. A mark comes back when what was sent before it has left the buffer,
//! played or cleared; so only marks of the present generation count as heard. Between two marks what was heard is
//! reckoned from call time, by at most one piece ([`Mark::EVERY`]).

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use units::{CallTime, Language, Pii, SampleCount, TurnId, UtteranceId};

use crate::input::{Generation, MEDIA_RATE, Mark};
use crate::output::{Heard, IgnoredReason, Output, Outputs, Speaker};

/// How long a letter takes to say while the audio is not all there: 65 ms at [`MEDIA_RATE`], as espeak-ng speaks both
/// languages at its normal speed.
const SAMPLES_PER_LETTER: u64 = 520;

/// How many utterances are remembered between two requests to the brain; older ones are dropped.
const MEMORY: usize = 64;

/// The agent's voice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Playback {
    /// What is not yet heard to its end, in the order of saying it.
    queue: VecDeque<Utterance>,
    generation: Generation,
    last_id: UtteranceId,
    suspended: bool,
    /// When the synthesizer last did something, or was first asked to.
    progress: CallTime,
    memory: Vec<Heard>,
}

/// What an utterance is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It is a sentence of the reply.
    Reply,
    /// It passes the time until there is one.
    Filler,
}

#[derive(Clone, Debug)]
struct Utterance {
    id: UtteranceId,
    turn: TurnId,
    text: Pii<String>,
    language: Language,
    purpose: Purpose,
    samples: SampleCount,
    complete: bool,
    /// Whether its audio may flow in the present generation.
    through: bool,
    /// How much was heard for sure at `since`.
    heard: SampleCount,
    /// From when on what was heard is reckoned: its first audio, or the last mark. None while it does not sound.
    since: Option<CallTime>,
    /// When it was first heard.
    began: Option<CallTime>,
}

impl Playback {
    /// Adds a sentence, asks for its audio, and lets it through when its time has come.
    pub(crate) fn say(
        &mut self,
        turn: TurnId,
        text: Pii<String>,
        language: Language,
        purpose: Purpose,
        out: &mut Outputs,
    ) {
        if self.queue.iter().all(|utterance| utterance.complete) {
            self.progress = out.now();
        }
        self.last_id = self.last_id.next();
        let utterance = self.last_id;
        out.push(Output::Synthesize { utterance, turn, text: text.clone(), language });
        self.queue.push_back(Utterance {
            id: utterance,
            turn,
            text,
            language,
            purpose,
            samples: SampleCount::ZERO,
            complete: false,
            through: false,
            heard: SampleCount::ZERO,
            since: None,
            began: None,
        });
        self.let_through(out);
    }

    /// Takes note of audio that exists, of at most `most` samples.
    pub(crate) fn synthesized(
        &mut self,
        id: UtteranceId,
        samples: SampleCount,
        last: bool,
        most: SampleCount,
        out: &mut Outputs,
    ) -> Result<(), IgnoredReason> {
        let utterance = self.queue.iter_mut().find(|utterance| utterance.id == id);
        let utterance = utterance.ok_or(IgnoredReason::UnknownUtterance)?;
        if utterance.complete || samples < utterance.samples {
            return Err(IgnoredReason::OutOfOrder);
        }
        utterance.samples = samples.min(most.max(utterance.samples));
        utterance.complete = last;
        if !last && samples >= most {
            utterance.complete = true;
            out.push(Output::CancelSynthesis { utterance: id });
        }
        self.progress = out.now();
        self.let_through(out);
        self.finish_heard(out);
        Ok(())
    }

    /// Takes note of a mark that came back.
    pub(crate) fn mark_reached(&mut self, mark: Mark, out: &mut Outputs) -> Result<(), IgnoredReason> {
        if mark.generation != self.generation {
            return Err(IgnoredReason::StaleGeneration);
        }
        let index = self.queue.iter().position(|utterance| utterance.id == mark.utterance);
        let index = index.ok_or(IgnoredReason::UnknownUtterance)?;
        let marked = self.queue.get(index).filter(|utterance| utterance.through && mark.position <= utterance.samples);
        if marked.is_none() {
            return Err(IgnoredReason::OutOfOrder);
        }
        for utterance in self.queue.iter_mut().take(index) {
            utterance.heard = utterance.samples;
        }
        if let Some(utterance) = self.queue.get_mut(index) {
            utterance.heard = utterance.heard.max(mark.position);
            utterance.since = Some(out.now());
            utterance.began.get_or_insert(out.now());
        }
        self.finish_heard(out);
        Ok(())
    }

    /// Takes everything that may flow and is complete as heard: the carrier should have said so long ago.
    pub(crate) fn assume_heard(&mut self, out: &mut Outputs) {
        if let Some(head) = self.queue.front_mut().filter(|head| head.complete && head.through) {
            head.heard = head.samples;
        }
        self.finish_heard(out);
    }

    /// Falls silent in the middle, so that it can go on later.
    pub(crate) fn suspend(&mut self, out: &mut Outputs) {
        self.reckon(out.now());
        self.clear(out);
        self.suspended = true;
    }

    /// Goes on where it fell silent, `rewind` earlier.
    pub(crate) fn resume(&mut self, rewind: SampleCount, out: &mut Outputs) {
        self.suspended = false;
        self.progress = out.now();
        if let Some(head) = self.queue.front_mut() {
            head.heard = head.heard.saturating_sub(rewind);
        }
        self.let_through(out);
        self.finish_heard(out);
    }

    /// Drops everything that is not heard to its end. `memory` says whether the brain is to know.
    pub(crate) fn drop_all(&mut self, memory: Memory, out: &mut Outputs) {
        self.reckon(out.now());
        self.clear(out);
        self.suspended = false;
        while let Some(utterance) = self.queue.pop_front() {
            if !utterance.complete {
                out.push(Output::CancelSynthesis { utterance: utterance.id });
            }
            self.settle(&utterance, memory, out);
        }
    }

    /// Returns what was said since this was last called, and forgets it.
    pub(crate) fn take_memory(&mut self) -> Vec<Heard> {
        core::mem::take(&mut self.memory)
    }

    /// The stream is gone: what has not been heard will not be, and there is nothing to clear.
    pub(crate) fn line_gone(&mut self, out: &Outputs) {
        self.reckon(out.now());
        for utterance in &mut self.queue {
            utterance.through = false;
        }
    }

    /// Returns whether audio of an utterance is still to come.
    pub(crate) fn expects(&self, id: UtteranceId) -> bool {
        self.queue.iter().any(|utterance| utterance.id == id && !utterance.complete)
    }

    /// Returns whether everything was heard.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Returns whether audio may be on its way to the caller.
    pub(crate) fn sounds(&self) -> bool {
        self.queue.iter().any(|utterance| utterance.through)
    }

    /// Returns whether the first audio of the reply to `turn` may flow.
    pub(crate) fn first_audio_flows(&self, turn: TurnId) -> bool {
        let mut reply = self.queue.iter().filter(|u| u.purpose == Purpose::Reply && u.turn == turn);
        reply.next().is_some_and(|first| first.through && first.samples > SampleCount::ZERO)
    }

    /// Returns what is being said, sentence by sentence.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.queue.iter().map(|utterance| utterance.text.reveal().as_str())
    }

    /// Returns how long the rest will take to say, estimated where there is no audio yet.
    pub(crate) fn rest(&self) -> Duration {
        let rest = self.queue.iter().map(|utterance| utterance.length().saturating_sub(utterance.heard));
        rest.fold(SampleCount::ZERO, SampleCount::saturating_add).duration(MEDIA_RATE)
    }

    /// Returns when the synthesizer is too late, if something is expected of it.
    pub(crate) fn synthesis_deadline(&self, patience: Duration) -> Option<CallTime> {
        let waiting = !self.suspended && self.queue.iter().any(|utterance| !utterance.complete);
        waiting.then(|| self.progress.saturating_add(patience))
    }

    /// Returns when the mark at the end of what is heard now is too late.
    pub(crate) fn mark_deadline(&self, patience: Duration) -> Option<CallTime> {
        let head = self.queue.front().filter(|head| head.complete)?;
        let rest = head.samples.saturating_sub(head.heard).duration(MEDIA_RATE);
        head.since.map(|since| since.saturating_add(rest).saturating_add(patience))
    }

    /// Lets through whatever follows complete audio, and notes when the first of it began to sound.
    fn let_through(&mut self, out: &mut Outputs) {
        if self.suspended {
            return;
        }
        let generation = self.generation;
        for utterance in &mut self.queue {
            if !utterance.through {
                utterance.through = true;
                out.push(Output::Play { utterance: utterance.id, generation, from: utterance.heard });
            }
            if !utterance.complete {
                break;
            }
        }
        self.start_head(out.now());
    }

    fn start_head(&mut self, now: CallTime) {
        if let Some(head) = self.queue.front_mut()
            && head.through
            && head.samples > head.heard
        {
            head.since.get_or_insert(now);
            head.began.get_or_insert(now);
        }
    }

    /// Takes leave of what was heard to its end.
    fn finish_heard(&mut self, out: &mut Outputs) {
        while self.queue.front().is_some_and(Utterance::is_over) {
            let Some(head) = self.queue.pop_front() else { return };
            self.settle(&head, Memory::Keep, out);
            self.start_head(out.now());
        }
    }

    /// Takes what has been played since the last mark as heard.
    fn reckon(&mut self, now: CallTime) {
        if let Some(head) = self.queue.front_mut() {
            let since = head.since.take().map(|since| now.saturating_since(since));
            let played = SampleCount::from_duration(since.unwrap_or_default(), MEDIA_RATE).min(Mark::EVERY);
            head.heard = head.heard.saturating_add(played).min(head.samples);
        }
    }

    /// Sends a clear if anything may flow, and begins the next generation.
    fn clear(&mut self, out: &mut Outputs) {
        if !self.sounds() {
            return;
        }
        self.generation = self.generation.next();
        out.push(Output::Clear { generation: self.generation });
        for utterance in &mut self.queue {
            utterance.through = false;
            utterance.since = None;
        }
    }

    /// Writes down what became of an utterance.
    fn settle(&mut self, utterance: &Utterance, memory: Memory, out: &mut Outputs) {
        let Utterance { id, turn, language, .. } = *utterance;
        let complete = utterance.is_over();
        let text = utterance.heard_text();
        if let Some(began) = utterance.began.filter(|_| !text.reveal().is_empty()) {
            let (who, interrupted) = (Speaker::Agent, !complete);
            out.push(Output::Said { turn, who, text: text.clone(), language, began, interrupted });
        }
        out.push(Output::Release { utterance: id });
        match memory {
            Memory::Keep if self.memory.len() < MEMORY => {
                self.memory.push(Heard { utterance: id, turn, text, complete });
            }
            Memory::Keep => {}
            Memory::Forget => self.memory.retain(|heard| heard.turn != turn),
        }
    }
}

/// Whether the brain is told what was heard of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// It is.
    Keep,
    /// It is to forget the whole reply, so it is not.
    Forget,
}

impl Utterance {
    fn is_over(&self) -> bool {
        self.complete && self.heard >= self.samples
    }

    /// Returns the length, estimated from the text while the audio is not all there.
    fn length(&self) -> SampleCount {
        if self.complete {
            return self.samples;
        }
        let letters = u64::try_from(self.text.reveal().chars().count()).unwrap_or(u64::MAX);
        self.samples.max(SampleCount(letters.saturating_mul(SAMPLES_PER_LETTER)))
    }

    /// Returns the words that were heard to their end: as large a share of the letters as was heard of the audio.
    fn heard_text(&self) -> Pii<String> {
        if self.is_over() {
            return self.text.clone();
        }
        let text = self.text.reveal();
        let letters = u128::try_from(text.chars().count()).unwrap_or(u128::MAX);
        let share = letters.saturating_mul(self.heard.0.into()) / u128::from(self.length().0.max(1));
        let share = usize::try_from(share).unwrap_or(usize::MAX);
        let cut = text.char_indices().nth(share).map_or(text.len(), |(index, _)| index);
        let whole_words = match text.get(cut..).and_then(|rest| rest.chars().next()) {
            Some(next) if !next.is_whitespace() => {
                text.get(..cut).and_then(|heard| heard.rfind(char::is_whitespace)).unwrap_or(0)
            }
            Some(_) | None => cut,
        };
        Pii::new(text.get(..whole_words).unwrap_or_default().trim_end().into())
    }
}

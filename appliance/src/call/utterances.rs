//! What the agent is about to say, sentence by sentence, and in whose voice.
//!
//! Sentences are made side by side and heard one after the other. One that is there before the voice of an earlier one is
//! known waits for it: a call that fell back to another voice stays with it.

use std::collections::VecDeque;

use tokio_util::sync::DropGuard;
use units::{Language, Pii, TurnId, UtteranceId};

/// Sentences that are being made, in the order in which they will be heard.
#[derive(Debug, Default)]
pub(super) struct Utterances {
    list: VecDeque<Utterance>,
}

/// One sentence.
#[derive(Debug)]
pub(super) struct Utterance {
    pub(super) id: UtteranceId,
    pub(super) turn: TurnId,
    pub(super) text: Pii<String>,
    pub(super) language: Language,
    /// Counts the times it was begun.
    pub(super) attempt: u32,
    /// Stops what is made of it, when dropped.
    pub(super) request: Option<DropGuard>,
    engine: Option<String>,
    is_through: bool,
    held: Vec<u8>,
    is_done: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A sentence begins in this engine's voice.
    Voice { turn: TurnId, engine: String },
    /// Audio of a sentence, and whether it is the last of it.
    Audio { id: UtteranceId, mulaw: Vec<u8>, last: bool },
    /// The sentence is to be made again, in the voice that the call has now.
    Again(UtteranceId),
}

impl Utterance {
    pub(super) fn new(id: UtteranceId, turn: TurnId, text: Pii<String>, language: Language) -> Self {
        let (engine, held) = (None, Vec::new());
        Self { id, turn, text, language, attempt: 0, request: None, engine, is_through: false, held, is_done: false }
    }
}

impl Utterances {
    /// Adds a sentence behind the others.
    pub(super) fn push(&mut self, utterance: Utterance) {
        self.list.push_back(utterance);
    }

    /// Returns a sentence that is being made.
    pub(super) fn get_mut(&mut self, id: UtteranceId) -> Option<&mut Utterance> {
        self.list.iter_mut().find(|utterance| utterance.id == id)
    }

    /// Stops making a sentence.
    pub(super) fn remove(&mut self, id: UtteranceId) {
        self.list.retain(|utterance| utterance.id != id);
    }

    /// Stops everything.
    pub(super) fn clear(&mut self) {
        self.list.clear();
    }

    /// Notes who makes a sentence.
    pub(super) fn served_by(&mut self, id: UtteranceId, attempt: u32, engine: String) {
        if let Some(utterance) = self.current(id, attempt) {
            utterance.engine = Some(engine);
        }
    }

    /// Takes audio of a sentence.
    pub(super) fn audio(&mut self, id: UtteranceId, attempt: u32, mulaw: &[u8]) {
        if let Some(utterance) = self.current(id, attempt) {
            utterance.held.extend_from_slice(mulaw);
        }
    }

    /// Notes that a sentence has all of its audio.
    pub(super) fn done(&mut self, id: UtteranceId, attempt: u32) {
        if let Some(utterance) = self.current(id, attempt) {
            utterance.is_done = true;
        }
    }

    /// Returns what may be heard now. `voice` is the call's, if it has spoken; `rank` tells the place of an engine in the
    /// order of engines: a call may move on in it, and never back.
    pub(super) fn settle(&mut self, voice: Option<&str>, rank: impl Fn(&str) -> usize) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut voice = voice.map(str::to_owned);
        for utterance in &mut self.list {
            let Some(engine) = utterance.engine.clone() else { break };
            if !utterance.is_through {
                // Once: where the engines would have it so again, a sentence in another voice is better than none.
                let goes_back = voice.as_ref().is_some_and(|voice| rank(&engine) < rank(voice));
                if goes_back && utterance.attempt == 0 {
                    utterance.engine = None;
                    utterance.held.clear();
                    utterance.is_done = false;
                    steps.push(Step::Again(utterance.id));
                    break;
                }
                utterance.is_through = true;
                steps.push(Step::Voice { turn: utterance.turn, engine: engine.clone() });
                voice = Some(engine);
            }
            let mulaw = std::mem::take(&mut utterance.held);
            if !mulaw.is_empty() || utterance.is_done {
                steps.push(Step::Audio { id: utterance.id, mulaw, last: utterance.is_done });
            }
        }
        self.list.retain(|utterance| !(utterance.is_through && utterance.is_done));
        steps
    }

    fn current(&mut self, id: UtteranceId, attempt: u32) -> Option<&mut Utterance> {
        self.get_mut(id).filter(|utterance| utterance.attempt == attempt)
    }
}

#[cfg(test)]
mod tests {
    use units::{Language, Pii, TurnId, UtteranceId};

    use super::{Step, Utterance, Utterances};

    const FIRST: UtteranceId = UtteranceId(1);
    const SECOND: UtteranceId = UtteranceId(2);

    #[test]
    fn audio_of_a_later_sentence_waits_for_the_voice_of_the_earlier_one() {
        let mut utterances = two();
        utterances.served_by(SECOND, 0, "google".to_owned());
        utterances.audio(SECOND, 0, &[2]);
        utterances.done(SECOND, 0);
        assert_eq!(utterances.settle(None, rank), []);
        utterances.served_by(FIRST, 0, "google".to_owned());
        utterances.audio(FIRST, 0, &[1]);
        let both = [voice("google"), audio(FIRST, 1, false), voice("google"), audio(SECOND, 2, true)];
        assert_eq!(utterances.settle(None, rank), both);
    }

    #[test]
    fn a_sentence_in_a_voice_that_was_given_up_meanwhile_is_made_again() {
        let mut utterances = two();
        utterances.served_by(SECOND, 0, "google".to_owned());
        utterances.audio(SECOND, 0, &[2]);
        utterances.done(SECOND, 0);
        utterances.served_by(FIRST, 0, "local".to_owned());
        utterances.audio(FIRST, 0, &[1]);
        utterances.done(FIRST, 0);
        let steps = [voice("local"), audio(FIRST, 1, true), Step::Again(SECOND)];
        assert_eq!(utterances.settle(Some("google"), rank), steps);
        utterances.get_mut(SECOND).unwrap().attempt = 1;
        utterances.audio(SECOND, 0, &[9]);
        utterances.served_by(SECOND, 1, "local".to_owned());
        utterances.audio(SECOND, 1, &[3]);
        utterances.done(SECOND, 1);
        assert_eq!(utterances.settle(Some("local"), rank), [voice("local"), audio(SECOND, 3, true)]);
        assert_eq!(utterances.settle(Some("local"), rank), []);
    }

    #[test]
    fn audio_flows_as_it_comes_and_an_end_that_comes_late_is_told() {
        let mut utterances = Utterances::default();
        utterances.push(sentence(FIRST));
        utterances.served_by(FIRST, 0, "local".to_owned());
        utterances.audio(FIRST, 0, &[1]);
        assert_eq!(utterances.settle(Some("local"), rank), [voice("local"), audio(FIRST, 1, false)]);
        assert_eq!(utterances.settle(Some("local"), rank), []);
        utterances.done(FIRST, 0);
        let end = Step::Audio { id: FIRST, mulaw: Vec::new(), last: true };
        assert_eq!(utterances.settle(Some("local"), rank), [end]);
    }

    fn two() -> Utterances {
        let mut utterances = Utterances::default();
        utterances.push(sentence(FIRST));
        utterances.push(sentence(SECOND));
        utterances
    }

    fn sentence(id: UtteranceId) -> Utterance {
        Utterance::new(id, TurnId(1), Pii::default(), Language::Hebrew)
    }

    fn audio(id: UtteranceId, sample: u8, last: bool) -> Step {
        Step::Audio { id, mulaw: vec![sample], last }
    }

    fn voice(engine: &str) -> Step {
        Step::Voice { turn: TurnId(1), engine: engine.to_owned() }
    }

    fn rank(engine: &str) -> usize {
        ["google", "openai", "local"].iter().position(|name| *name == engine).unwrap_or(usize::MAX)
    }
}

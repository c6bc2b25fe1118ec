//! What the agent says: audio of utterances on its way to the carrier, with a mark behind each piece.

use std::collections::BTreeMap;

use conversation::{Generation, Mark};
use units::{SampleCount, UtteranceId};

/// Audio of one utterance that is kept at most, in samples: two minutes. What comes beyond is dropped.
const MAX_UTTERANCE: usize = 120 * 8_000;

/// Something to send to the carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// G.711 µ-law.
    Audio(Vec<u8>),
    /// A mark behind what was sent so far.
    Mark(Mark),
}

/// Audio made, and how much of it was let through.
#[derive(Debug, Default)]
pub(super) struct Mouth {
    utterances: BTreeMap<UtteranceId, Utterance>,
}

#[derive(Debug, Default)]
struct Utterance {
    mulaw: Vec<u8>,
    whole: bool,
    playing: Option<Playing>,
}

#[derive(Debug)]
struct Playing {
    generation: Generation,
    /// Samples sent, counted from the utterance's beginning.
    sent: usize,
    /// Whether the mark behind the last sample was sent.
    done: bool,
}

impl Mouth {
    /// Takes audio made for `utterance` and returns how many samples of it exist now.
    pub(super) fn push(&mut self, utterance: UtteranceId, mulaw: &[u8], last: bool) -> SampleCount {
        let entry = self.utterances.entry(utterance).or_default();
        let room = MAX_UTTERANCE.saturating_sub(entry.mulaw.len());
        entry.mulaw.extend(mulaw.iter().take(room));
        entry.whole |= last;
        SampleCount(entry.mulaw.len() as u64)
    }

    /// Lets the audio of `utterance` through from sample `from` on, now and as it comes.
    pub(super) fn play(&mut self, utterance: UtteranceId, generation: Generation, from: SampleCount) {
        let sent = usize::try_from(from.0).unwrap_or(usize::MAX);
        self.utterances.entry(utterance).or_default().playing = Some(Playing { generation, sent, done: false });
    }

    /// Stops letting anything through.
    pub(super) fn clear(&mut self) {
        for utterance in self.utterances.values_mut() {
            utterance.playing = None;
        }
    }

    /// Forgets an utterance.
    pub(super) fn release(&mut self, utterance: UtteranceId) {
        self.utterances.remove(&utterance);
    }

    /// Returns what can be sent now, in order.
    pub(super) fn take(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (id, utterance) in &mut self.utterances {
            utterance.take(*id, &mut pieces);
        }
        pieces
    }
}

impl Utterance {
    fn take(&mut self, id: UtteranceId, pieces: &mut Vec<Piece>) {
        let Some(playing) = &mut self.playing else { return };
        let every = usize::try_from(Mark::EVERY.0).unwrap_or(usize::MAX);
        while playing.sent < self.mulaw.len() {
            let boundary = (playing.sent / every).saturating_add(1).saturating_mul(every);
            let end = boundary.min(self.mulaw.len());
            let Some(audio) = self.mulaw.get(playing.sent..end) else { break };
            pieces.push(Piece::Audio(audio.to_vec()));
            playing.sent = end;
            if end == boundary {
                playing.done = self.whole && end == self.mulaw.len();
                pieces.push(mark(id, playing));
            }
        }
        if self.whole && !playing.done {
            playing.done = true;
            pieces.push(mark(id, playing));
        }
    }
}

fn mark(utterance: UtteranceId, playing: &Playing) -> Piece {
    let position = SampleCount(playing.sent as u64);
    Piece::Mark(Mark { generation: playing.generation, utterance, position })
}

#[cfg(test)]
mod tests {
    use conversation::{Generation, Mark};
    use units::{SampleCount, UtteranceId};

    use super::{Mouth, Piece};

    const FIRST: UtteranceId = UtteranceId(1);

    #[test]
    fn audio_flows_as_it_comes_with_a_mark_every_fifth_of_a_second_and_at_the_end() {
        let mut mouth = Mouth::default();
        mouth.play(FIRST, Generation(1), SampleCount::ZERO);
        assert!(mouth.take().is_empty());
        assert_eq!(mouth.push(FIRST, &[1; 2_000], false), SampleCount(2_000));
        assert_eq!(mouth.take(), [audio(1_600), mark(1, 1_600), audio(400)]);
        mouth.push(FIRST, &[1; 100], true);
        assert_eq!(mouth.take(), [audio(100), mark(1, 2_100)]);
        assert!(mouth.take().is_empty());
    }

    #[test]
    fn an_utterance_that_ends_on_a_piece_gets_one_mark_there() {
        let mut mouth = Mouth::default();
        mouth.push(FIRST, &[1; 1_600], true);
        mouth.play(FIRST, Generation(1), SampleCount::ZERO);
        assert_eq!(mouth.take(), [audio(1_600), mark(1, 1_600)]);
        assert!(mouth.take().is_empty());
    }

    #[test]
    fn an_end_that_becomes_known_late_gets_its_mark_late() {
        let mut mouth = Mouth::default();
        mouth.push(FIRST, &[1; 50], false);
        mouth.play(FIRST, Generation(1), SampleCount::ZERO);
        assert_eq!(mouth.take(), [audio(50)]);
        mouth.push(FIRST, &[], true);
        assert_eq!(mouth.take(), [mark(1, 50)]);
    }

    #[test]
    fn after_a_clear_nothing_flows_until_it_is_played_again_from_the_middle() {
        let mut mouth = Mouth::default();
        mouth.push(FIRST, &[1; 3_200], true);
        mouth.play(FIRST, Generation(1), SampleCount::ZERO);
        mouth.take();
        mouth.clear();
        assert!(mouth.take().is_empty());
        mouth.play(FIRST, Generation(2), SampleCount(1_000));
        assert_eq!(mouth.take(), [audio(600), mark(2, 1_600), audio(1_600), mark(2, 3_200)]);
        mouth.release(FIRST);
        assert!(mouth.take().is_empty());
    }

    fn audio(samples: usize) -> Piece {
        Piece::Audio(vec![1; samples])
    }

    fn mark(generation: u32, position: u64) -> Piece {
        Piece::Mark(Mark { generation: Generation(generation), utterance: FIRST, position: SampleCount(position) })
    }
}

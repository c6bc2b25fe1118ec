//! What the fake recognizers know: clips of callers' speech and the words in them.
//!
//! An upload is looked for among the clips by the course of its loudness, 10 ms by 10 ms, as that survives the
//! telephone, resampling and noise, and a cut at either end.

#![expect(clippy::cast_precision_loss, reason = "samples and lengths stay far below 2^23")]

use std::sync::{Arc, Mutex};

use crate::cloud::locked;

/// Samples of one step of an envelope: 10 ms.
const STEP_SAMPLES: usize = 80;
/// Steps of silence before and after a clip that count as part of it: 100 ms.
const PAD: usize = 10;
/// Least correlation for a clip to be there. Two different sentences reach 0.5 to 0.6 somewhere.
const LEAST_SCORE: f32 = 0.7;
/// Least part of the upload's energy that a clip has to account for.
const LEAST_SHARE: f32 = 0.35;
/// Least part of a clip that is looked for, in steps: 150 ms.
const LEAST_STEPS: usize = 15;
/// What is quieter at its loudest is silence (root mean square, full scale is 32768).
const SILENCE: f32 = 100.0;
/// Lags are tried so many steps apart first.
const STRIDE: isize = 3;
/// What is quieter than this part of a clip's loudest step belongs to no word.
const QUIET: f32 = 0.05;
/// What is quieter than this part of an upload's loudest step, before and after everything louder, is no speech: a clip
/// may go on there, and was cut off.
const AROUND: f32 = 0.1;

/// What callers say, shared by everybody who holds a copy.
#[derive(Clone, Debug, Default)]
pub struct Clips(Arc<Mutex<Vec<Arc<Clip>>>>);

#[derive(Debug)]
struct Clip {
    words: Vec<String>,
    envelope: Vec<f32>,
}

impl Clips {
    /// Adds what is said, and how it sounds at 8 kHz. The same words may be added in several voices.
    pub fn add(&self, text: &str, samples_8khz: &[i16]) {
        let words = text.split_whitespace().map(str::to_owned).collect();
        locked(&self.0).push(Arc::new(Clip { words, envelope: envelope(samples_8khz) }));
    }

    /// Returns the words in a stretch of audio at 8 kHz: those of the clip that accounts for most of it, as far as it
    /// is in there; `None` for silence and for what no clip sounds like.
    pub fn recognize(&self, samples_8khz: &[i16]) -> Option<String> {
        let upload = Upload::new(envelope(samples_8khz))?;
        let clips = locked(&self.0).clone();
        let found = clips.iter().filter_map(|clip| Some((best_match(&clip.envelope, &upload)?, clip)));
        let (place, clip) = found.max_by(|(a, _), (b, _)| a.rank().total_cmp(&b.rank()))?;
        let words = clip.words_between(place.lag, &upload);
        (!words.is_empty()).then_some(words)
    }
}

impl Clip {
    /// Returns the words whose middle lies in the speech of an upload that begins `lag` steps after the clip (before it,
    /// if negative). The voiced part of the clip is shared out among the words by their length.
    fn words_between(&self, lag: isize, upload: &Upload) -> String {
        let loudest = self.envelope.iter().copied().fold(0.0, f32::max);
        let is_voiced = |level: &f32| *level > loudest * QUIET;
        let first = self.envelope.iter().position(is_voiced).unwrap_or_default();
        let last = self.envelope.iter().rposition(is_voiced).unwrap_or_default();
        let letters = |word: &String| word.chars().count() + 1;
        let all: usize = self.words.iter().map(letters).sum();
        let per_letter = (last.saturating_sub(first) + 1) as f32 / all.max(1) as f32;
        let (from, to) = (lag as f32 + upload.first as f32, lag as f32 + upload.last as f32 + 1.0);
        let mut before = 0;
        let mut heard = Vec::new();
        for word in &self.words {
            let middle = first as f32 + (before as f32 + letters(word) as f32 / 2.0) * per_letter;
            before += letters(word);
            if (from..to).contains(&middle) {
                heard.push(word.as_str());
            }
        }
        heard.join(" ")
    }
}

/// What is to be recognized.
#[derive(Debug)]
struct Upload {
    levels: Vec<f32>,
    /// Steps that the speech begins and ends with.
    first: usize,
    last: usize,
    /// Energy of everything.
    total: f32,
}

impl Upload {
    /// Returns `None` for silence.
    fn new(levels: Vec<f32>) -> Option<Self> {
        let loudest = levels.iter().copied().fold(0.0, f32::max);
        let is_speech = |level: &f32| loudest >= SILENCE && *level >= loudest * AROUND;
        let (first, last) = (levels.iter().position(is_speech)?, levels.iter().rposition(is_speech)?);
        let total = levels.iter().map(|level| level * level).sum();
        Some(Self { levels, first, last, total })
    }
}

/// Where an upload lies in a clip.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The upload begins so many steps after the clip.
    lag: isize,
    /// Correlation, from -1 to 1.
    score: f32,
    /// Part of the upload's energy in the overlap.
    share: f32,
    /// Part of the clip in the overlap.
    covered: f32,
}

impl Place {
    /// What is compared: of two clips that fit equally well, the one that is there as a whole is meant.
    fn rank(self) -> f32 {
        self.score * self.share * (0.8 + 0.2 * self.covered)
    }
}

/// Root mean square of each step.
fn envelope(samples: &[i16]) -> Vec<f32> {
    let level = |step: &[i16]| {
        let sum: f32 = step.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
        (sum / step.len().max(1) as f32).sqrt()
    };
    samples.chunks(STEP_SAMPLES).map(level).collect()
}

/// Returns the best place of an upload in a clip, if the clip is in there at all.
fn best_match(clip: &[f32], upload: &Upload) -> Option<Place> {
    let better = |best: Option<Place>, lag: isize| match (best, place_at(clip, upload, lag)) {
        (Some(best), Some(place)) if place.rank() > best.rank() => Some(place),
        (None, place) => place,
        (best, _) => best,
    };
    let lags = -upload.last.cast_signed()..clip.len().cast_signed() - upload.first.cast_signed();
    let coarse = lags.step_by(STRIDE.unsigned_abs()).fold(None, better)?;
    let fine = (coarse.lag - STRIDE..=coarse.lag + STRIDE).fold(Some(coarse), better)?;
    (fine.score >= LEAST_SCORE && fine.share >= LEAST_SHARE).then_some(fine)
}

/// Compares an upload that begins `lag` steps after a clip with that clip and some silence around it.
fn place_at(clip: &[f32], upload: &Upload, lag: isize) -> Option<Place> {
    let from = usize::try_from(-PAD.cast_signed() - lag).unwrap_or_default();
    let to = usize::try_from((clip.len() + PAD).cast_signed() - lag).unwrap_or_default();
    let heard = upload.levels.get(from..to.min(upload.levels.len()))?;
    let mut sums = Sums::default();
    let mut overlap = 0;
    for (at, level) in (from..).zip(heard.iter().copied()) {
        let in_clip = usize::try_from(at.cast_signed() + lag).ok().and_then(|at| clip.get(at)).copied();
        let is_speech = (upload.first..=upload.last).contains(&at);
        match in_clip {
            // Here the clip goes on, and the upload does not.
            Some(known) if !is_speech && known >= SILENCE => {}
            Some(known) => {
                overlap += usize::from(is_speech);
                sums.add(level, known);
            }
            None => sums.add(level, 0.0),
        }
    }
    if overlap < LEAST_STEPS.min(clip.len()) {
        return None;
    }
    let covered = overlap as f32 / clip.len().max(1) as f32;
    Some(Place { lag, score: sums.correlation()?, share: (sums.xx / upload.total).min(1.0), covered })
}

/// What a correlation is made of.
#[derive(Default)]
struct Sums {
    count: f32,
    x: f32,
    y: f32,
    xx: f32,
    yy: f32,
    xy: f32,
}

impl Sums {
    fn add(&mut self, x: f32, y: f32) {
        self.count += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.yy += y * y;
        self.xy += x * y;
    }

    /// Returns Pearson's coefficient, or `None` where one side does not change.
    fn correlation(&self) -> Option<f32> {
        let count = self.count.max(1.0);
        let spread = (self.xx - self.x * self.x / count) * (self.yy - self.y * self.y / count);
        (spread > 0.0).then(|| (self.xy - self.x * self.y / count) / spread.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::tone;

    const SENTENCES: [&str; 5] = [
        "I would like to leave a message",
        "please tell him to call me back",
        "שלום אני רוצה לדבר עם דנה",
        "what are your opening hours tomorrow",
        "yes",
    ];

    fn clips() -> Clips {
        let clips = Clips::default();
        for sentence in SENTENCES {
            clips.add(sentence, &tone(sentence));
        }
        clips
    }

    /// Adds silence around and the noise of a line (from a linear congruential generator).
    fn on_the_line(samples: &[i16]) -> Vec<i16> {
        let mut state = 7_u32;
        let silent = std::iter::repeat_n(0, 2_345);
        silent
            .clone()
            .chain(samples.iter().copied())
            .chain(silent)
            .map(|sample| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = i16::try_from(state >> 24).unwrap() - 128;
                media::g711::decode_mulaw(media::g711::encode_mulaw(sample / 2 + noise))
            })
            .collect()
    }

    #[test]
    fn each_clip_is_recognized_quietly_and_with_noise() {
        for sentence in SENTENCES {
            assert_eq!(clips().recognize(&on_the_line(&tone(sentence))).as_deref(), Some(sentence));
        }
    }

    #[test]
    fn a_part_of_a_clip_gives_its_words() {
        let whole = tone(SENTENCES[3]);
        let (first, last) = whole.split_at(15 * 520);
        assert_eq!(clips().recognize(&on_the_line(first)).as_deref(), Some("what are your"));
        assert_eq!(clips().recognize(last).as_deref(), Some("opening hours tomorrow"));
    }

    #[test]
    fn of_two_clips_the_longer_one_is_recognized() {
        let mut both = tone(SENTENCES[4]);
        both.extend([0; 4_000]);
        both.extend(tone(SENTENCES[0]));
        assert_eq!(clips().recognize(&on_the_line(&both)).as_deref(), Some(SENTENCES[0]));
    }

    #[test]
    fn silence_noise_and_unknown_speech_are_nothing() {
        assert_eq!(clips().recognize(&[]), None);
        assert_eq!(clips().recognize(&[0; 8_000]), None);
        assert_eq!(clips().recognize(&on_the_line(&[0; 8_000])), None);
        assert_eq!(clips().recognize(&tone("zebras and quails jump over foxes")), None);
    }
}

//! How much audio the encoder sees at once. Pure.
//!
//! Whisper was trained on windows of 30 s. What a short utterance costs is decided here: a checkpoint tuned for
//! short windows takes what the audio needs; a stock checkpoint needs silence behind it, or it repeats itself.

use std::ops::Range;
use std::time::Duration;

use crate::mel::{HOP, MAX_FRAMES, SAMPLE_RATE_HZ};

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowPolicy {
    /// The audio and `pad` of silence, up to whole seconds.
    Fit {
        /// Silence after the audio. None for checkpoints tuned for short windows, 10 s for stock ones.
        pad: Duration,
    },
    /// Always 30 s.
    Full30s,
}

impl Default for WindowPolicy {
    /// What is safe with a checkpoint nothing is known about.
    fn default() -> Self {
        Self::Fit { pad: Duration::from_secs(10) }
    }
}

/// Windows are whole seconds, so that the number of different shapes, each with its own buffers, stays small.
const STEP_FRAMES: usize = 100;

impl WindowPolicy {
    /// Returns the number of frames for `samples` samples at 16 kHz.
    pub(crate) fn frames(self, samples: usize) -> usize {
        match self {
            Self::Full30s => MAX_FRAMES,
            Self::Fit { pad } => {
                let pad = usize::try_from(pad.as_millis() / 10).unwrap_or(MAX_FRAMES);
                let wanted = samples.div_ceil(HOP).saturating_add(pad);
                wanted.div_ceil(STEP_FRAMES).saturating_mul(STEP_FRAMES).clamp(STEP_FRAMES, MAX_FRAMES)
            }
        }
    }
}

/// Samples in the longest window.
pub(crate) const MAX_SAMPLES: usize = MAX_FRAMES * HOP;

/// Where a cut is looked for: the last 8 s of a window.
const CUT_SAMPLES: usize = 8 * SAMPLE_RATE_HZ;

/// Length of the silence that is looked for, 100 ms.
const PAUSE_SAMPLES: usize = SAMPLE_RATE_HZ / 10;

/// Splits audio into pieces that fit the longest window, each cut in the quietest pause of the window's last 8 s.
pub(crate) fn split(audio: &[f32]) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0_usize;
    while audio.len().saturating_sub(start) > MAX_SAMPLES {
        let end = start.saturating_add(MAX_SAMPLES);
        let from = end.saturating_sub(CUT_SAMPLES);
        let tail = audio.get(from..end).unwrap_or_default();
        let quietest = tail
            .chunks_exact(PAUSE_SAMPLES)
            .enumerate()
            .min_by(|(_, a), (_, b)| energy(a).total_cmp(&energy(b)))
            .map_or(tail.len(), |(index, _)| index.saturating_mul(PAUSE_SAMPLES).saturating_add(PAUSE_SAMPLES / 2));
        let cut = from.saturating_add(quietest);
        pieces.push(start..cut);
        start = cut;
    }
    pieces.push(start..audio.len());
    pieces
}

fn energy(samples: &[f32]) -> f32 {
    samples.iter().map(|sample| sample * sample).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fitted_window_is_whole_seconds_and_never_longer_than_30() {
        let fit = WindowPolicy::Fit { pad: Duration::ZERO };
        assert_eq!(fit.frames(0), 100);
        assert_eq!(fit.frames(16_000), 100);
        assert_eq!(fit.frames(16_001), 200);
        assert_eq!(fit.frames(100 * 16_000), 3_000);
        assert_eq!(WindowPolicy::Full30s.frames(1), 3_000);
        assert_eq!(WindowPolicy::default().frames(48_000), 1_300);
    }

    #[test]
    fn long_audio_is_cut_in_its_pause() {
        let mut audio = vec![0.5_f32; 40 * 16_000];
        audio[25 * 16_000..25 * 16_000 + 3_200].fill(0.0);
        let pieces = split(&audio);
        assert_eq!(pieces.len(), 2);
        assert!((25 * 16_000..25 * 16_000 + 3_200).contains(&pieces[0].end), "{pieces:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn pieces_cover_the_audio_without_gap_or_overlap(seconds in 0_usize..130, rest in 0_usize..16_000) {
            let loudness = [0.1_f32, 0.7, 0.3, 0.0, 0.5, 0.2, 0.6];
            let audio: Vec<f32> = (0..seconds * 16_000 + rest).map(|i| loudness[(i / 4_000) % 7]).collect();
            let pieces = split(&audio);
            prop_assert_eq!(pieces.first().map(|piece| piece.start), Some(0));
            prop_assert_eq!(pieces.last().map(|piece| piece.end), Some(audio.len()));
            prop_assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert!(pieces.iter().all(|piece| piece.len() <= MAX_SAMPLES));
        }
    }
}

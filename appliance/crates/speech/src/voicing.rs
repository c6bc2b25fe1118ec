//! Whether a window of sound may be a voice, by where its energy lies.
//!
//! Voices have overtones below 600 Hz and little above 1.5 kHz, once a vowel sounds. The tones of keys begin at 697 Hz;
//! hiss has half of its energy above 1.5 kHz. Unvoiced sounds fail as well, so that speech begins with its first vowel
//! and is held over them by the segmenter's patience.

use crate::biquad::Biquad;

const RATE_HZ: f32 = 16_000.0;
/// Upper edge of where the overtones of a voice are, below the lowest tone of a key.
const LOW_HZ: f32 = 480.0;
/// Lower edge of hiss.
const HIGH_HZ: f32 = 1_500.0;
/// Least share of the energy in the low band. Pairs of keys have 0.003, white noise 0.1, vowels 0.03 and more.
const MIN_LOW: f32 = 0.01;
/// Most share in the high band. White noise has 0.48, and no window of it
/// less than 0.347; nine of ten windows of recorded words have 0.16 at most.
const MAX_HIGH: f32 = 0.34;

/// Filters that go with one track.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voicing {
    low: [Biquad; 3],
    high: [Biquad; 2],
}

impl Voicing {
    pub(crate) fn new() -> Self {
        Self { low: [Biquad::low_pass(LOW_HZ, RATE_HZ); 3], high: [Biquad::high_pass(HIGH_HZ, RATE_HZ); 2] }
    }

    /// Takes the next window at 16 kHz.
    pub(crate) fn may_be_voice(&mut self, window: &[i16]) -> bool {
        let (mut all, mut low, mut high) = (0.0_f32, 0.0_f32, 0.0_f32);
        for sample in window {
            let sample = f32::from(*sample);
            let in_low = self.low.iter_mut().fold(sample, |sample, filter| filter.next(sample));
            let in_high = self.high.iter_mut().fold(sample, |sample, filter| filter.next(sample));
            all += sample * sample;
            low += in_low * in_low;
            high += in_high * in_high;
        }
        low >= all * MIN_LOW && high <= all * MAX_HIGH
    }
}

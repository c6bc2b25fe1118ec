//! The log-mel front end: from samples to what Whisper's encoder reads.
//!
//! Frames of 400 samples every 160, Hann window, power spectrum, triangular mel filters on Slaney's scale,
//! `log10`, everything raised to at least the loudest value minus 8, then `(x + 4) / 4`. The edges are reflected.
//! The filters are computed, not shipped. Only frames that hold sound are transformed: silence after the audio has
//! a known value.
//!
//! Source of the constants: Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision" (2022),
//! section 2.2, and the feature extractor published with it; mel scale: M. Slaney, "Auditory Toolbox" (1998).

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "frame and bin numbers are small, and filters are computed in f64 before they are rounded to f32"
)]

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Sample rate of the model's input, hertz.
pub const SAMPLE_RATE_HZ: usize = 16_000;

/// Samples from one frame to the next: 10 ms.
pub const HOP: usize = 160;

/// Frames of the longest window, 30 s.
pub const MAX_FRAMES: usize = 3_000;

/// Samples of one transform: 25 ms.
const FFT_LEN: usize = 400;

/// Samples the first frame reaches back before the start.
const MARGIN: usize = FFT_LEN / 2;

/// Bins of the power spectrum.
const BINS: usize = FFT_LEN / 2 + 1;

/// Power below this is taken as this: the logarithm of silence is -10.
const FLOOR: f32 = 1e-10;

/// Range below the loudest value that is kept, in powers of ten.
const RANGE: f32 = 8.0;

/// Computes log-mel spectra. Keeps its buffers from one utterance to the next.
pub struct LogMel {
    filters: Vec<Filter>,
    window: Vec<f32>,
    transform: Arc<dyn RealToComplex<f32>>,
    input: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
}

/// One triangle on the mel scale: weights of the bins from `first` on.
#[derive(Clone, Debug, PartialEq)]
struct Filter {
    first: usize,
    weights: Vec<f32>,
}

impl std::fmt::Debug for LogMel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogMel").field("mels", &self.filters.len()).finish_non_exhaustive()
    }
}

impl LogMel {
    /// Makes a front end with `mels` bands, 80 for most checkpoints and 128 for the newest.
    pub fn new(mels: usize) -> Self {
        let transform = RealFftPlanner::<f32>::new().plan_fft_forward(FFT_LEN);
        Self {
            filters: filters(mels),
            window: hann(),
            input: transform.make_input_vec(),
            spectrum: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            power: vec![0.0; BINS],
            transform,
        }
    }

    /// Returns the number of bands.
    pub fn mels(&self) -> usize {
        self.filters.len()
    }

    /// Computes `frames` frames of `audio` (mono, 16 kHz), as if silence followed it; what is longer is cut.
    ///
    /// The result is band-major, shape `[mels, frames]`: all frames of band 0, then of band 1.
    pub fn compute(&mut self, audio: &[f32], frames: usize) -> Vec<f32> {
        let len = frames.saturating_mul(HOP);
        let audio = audio.get(..len).unwrap_or(audio);
        let mut mel = vec![FLOOR.log10(); self.filters.len().saturating_mul(frames)];
        let mut loudest = FLOOR.log10();
        for frame in 0..frames {
            if !self.load(audio, frame, len) {
                continue;
            }
            // It fails for buffers of the wrong length only, and these are the transform's own.
            if self.transform.process_with_scratch(&mut self.input, &mut self.spectrum, &mut self.scratch).is_err() {
                continue;
            }
            for (power, bin) in self.power.iter_mut().zip(&self.spectrum) {
                *power = bin.norm_sqr();
            }
            for (filter, band) in self.filters.iter().zip(mel.chunks_exact_mut(frames)) {
                let bins = self.power.get(filter.first..).unwrap_or_default();
                let energy: f32 = filter.weights.iter().zip(bins).map(|(weight, power)| weight * power).sum();
                let value = energy.max(FLOOR).log10();
                loudest = loudest.max(value);
                if let Some(cell) = band.get_mut(frame) {
                    *cell = value;
                }
            }
        }
        let least = loudest - RANGE;
        for value in &mut mel {
            *value = (value.max(least) + 4.0) / 4.0;
        }
        mel
    }

    /// Puts the windowed samples of one frame into the transform's input. Returns whether there is any sound.
    fn load(&mut self, audio: &[f32], frame: usize, len: usize) -> bool {
        let first = frame.saturating_mul(HOP);
        let mut any = false;
        for (index, (slot, window)) in self.input.iter_mut().zip(&self.window).enumerate() {
            let sample = audio.get(reflect(first + index, len)).copied().unwrap_or(0.0);
            any |= sample != 0.0;
            *slot = sample * window;
        }
        any
    }
}

/// Returns the sample that stands at `padded` (counted from [`MARGIN`] before the start) of `len` samples whose
/// edges are reflected without repeating the first and last sample.
fn reflect(padded: usize, len: usize) -> usize {
    let Some(index) = padded.checked_sub(MARGIN) else {
        return MARGIN - padded;
    };
    if index < len { index } else { (2 * len).saturating_sub(2).saturating_sub(index) }
}

/// A periodic Hann window.
fn hann() -> Vec<f32> {
    let step = 2.0 * std::f64::consts::PI / FFT_LEN as f64;
    (0..FFT_LEN).map(|index| (0.5 - 0.5 * (step * index as f64).cos()) as f32).collect()
}

/// The triangles: evenly spaced on the mel scale from 0 Hz to half the sample rate, each of the same area.
fn filters(mels: usize) -> Vec<Filter> {
    let highest = hertz_to_mel(SAMPLE_RATE_HZ as f64 / 2.0);
    let corner = |index: usize| mel_to_hertz(highest * index as f64 / (mels + 1) as f64);
    let bin_hertz = SAMPLE_RATE_HZ as f64 / FFT_LEN as f64;
    (0..mels)
        .map(|index| {
            let (low, peak, high) = (corner(index), corner(index + 1), corner(index + 2));
            let first = (low / bin_hertz).ceil() as usize;
            let last = ((high / bin_hertz).floor() as usize).min(BINS - 1);
            let weights = (first..=last)
                .map(|bin| {
                    let hertz = bin as f64 * bin_hertz;
                    let slope = ((hertz - low) / (peak - low)).min((high - hertz) / (high - peak));
                    (slope.max(0.0) * 2.0 / (high - low)) as f32
                })
                .collect();
            Filter { first, weights }
        })
        .collect()
}

/// Hertz at which Slaney's scale turns from linear to logarithmic.
const BREAK_HERTZ: f64 = 1_000.0;

/// Hertz per mel below the break.
const LINEAR_HERTZ: f64 = 200.0 / 3.0;

/// Mels at the break.
const BREAK_MEL: f64 = BREAK_HERTZ / LINEAR_HERTZ;

/// Above the break, 27 mels take the frequency to 6.4 times.
fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn hertz_to_mel(hertz: f64) -> f64 {
    if hertz < BREAK_HERTZ { hertz / LINEAR_HERTZ } else { BREAK_MEL + (hertz / BREAK_HERTZ).ln() / log_step() }
}

fn mel_to_hertz(mel: f64) -> f64 {
    if mel < BREAK_MEL { mel * LINEAR_HERTZ } else { BREAK_HERTZ * ((mel - BREAK_MEL) * log_step()).exp() }
}

#[cfg(test)]
mod tests;

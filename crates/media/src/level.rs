//! Loudness and damage.
//!
//! Levels are in dBFS: 0 is a square wave at full scale, a full-scale sine is -3.01.

#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "levels are shown, not counted with")]

/// The level of digital silence, in dBFS; nothing is lower.
pub const SILENCE_DBFS: f32 = -100.0;

/// From here on a sample counts as clipped. µ-law cannot say more than 32124.
const CLIPPED_FROM: u16 = 32_124;
/// This many clipped samples in a row are heard.
const CLIPPED_RUN: usize = 3;
/// A bend of the waveform this much sharper than usual is a click. Found by cutting sines and speech at random places.
const CLICK_RATIO: f64 = 8.0;
/// A bend below this is not heard, whatever surrounds it, in sample steps.
const CLICK_FLOOR: f64 = 2_000.0;

/// What a piece of audio measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Root mean square, in dBFS.
    pub rms_dbfs: f32,
    /// Largest magnitude, in dBFS.
    pub peak_dbfs: f32,
    /// Samples in runs of three or more at full scale.
    pub clipped: usize,
    /// Places where the waveform breaks.
    pub clicks: usize,
}

impl Level {
    /// Measures samples. Nothing at all measures as silence.
    pub fn of(samples: &[i16]) -> Self {
        Self {
            rms_dbfs: rms_dbfs(samples),
            peak_dbfs: peak_dbfs(samples),
            clipped: clipped(samples),
            clicks: clicks(samples),
        }
    }
}

/// Returns the root mean square, in dBFS.
pub fn rms_dbfs(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return SILENCE_DBFS;
    }
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    to_dbfs((energy / samples.len() as f64).sqrt() / 32_768.0)
}

/// Returns the largest magnitude, in dBFS.
pub fn peak_dbfs(samples: &[i16]) -> f32 {
    let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or_default();
    to_dbfs(f64::from(peak) / 32_768.0)
}

/// Returns how many samples stand in runs of three or more at full scale.
pub fn clipped(samples: &[i16]) -> usize {
    samples
        .chunk_by(|a, b| is_clipped(*a) && is_clipped(*b))
        .filter(|run| run.len() >= CLIPPED_RUN)
        .map(<[i16]>::len)
        .sum()
}

/// Returns how many places break the waveform: audio cut and joined, or frames lost.
pub fn clicks(samples: &[i16]) -> usize {
    let bend = |window: &[i16]| match window {
        [before, here, after] => (f64::from(*before) - 2.0 * f64::from(*here) + f64::from(*after)).abs(),
        _ => 0.0,
    };
    let bends: Vec<f64> = samples.windows(3).map(bend).collect();
    if bends.is_empty() {
        return 0;
    }
    let usual = (bends.iter().map(|bend| bend * bend).sum::<f64>() / bends.len() as f64).sqrt();
    let limit = (usual * CLICK_RATIO).max(CLICK_FLOOR);
    // One break bends the waveform at two neighbouring samples.
    bends
        .chunk_by(|a, b| (*a > limit) == (*b > limit))
        .filter(|run| run.first().is_some_and(|bend| *bend > limit))
        .count()
}

/// Returns a magnitude from 0 to 1 in dBFS.
fn to_dbfs(magnitude: f64) -> f32 {
    if magnitude <= 0.0 { SILENCE_DBFS } else { ((20.0 * magnitude.log10()) as f32).max(SILENCE_DBFS) }
}

fn is_clipped(sample: i16) -> bool {
    sample.unsigned_abs() >= CLIPPED_FROM
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_known_signals_are_right() {
        let sine = sine(440.0, 32_767.0, 8_000);
        assert!((rms_dbfs(&sine) - -3.01).abs() < 0.02, "{}", rms_dbfs(&sine));
        assert!(peak_dbfs(&sine).abs() < 0.02);
        let half: Vec<i16> = sine.iter().map(|sample| sample / 2).collect();
        assert!((rms_dbfs(&sine) - rms_dbfs(&half) - 6.02).abs() < 0.02);
        for silence in [&[0_i16; 160][..], &[]] {
            let level = Level::of(silence);
            assert_eq!((level.rms_dbfs, level.peak_dbfs), (SILENCE_DBFS, SILENCE_DBFS));
            assert_eq!((level.clipped, level.clicks), (0, 0));
        }
    }

    #[test]
    fn only_runs_at_full_scale_are_clipped() {
        assert_eq!(clipped(&[i16::MAX, i16::MAX, 0, i16::MIN, i16::MIN, i16::MIN, 5, i16::MAX]), 3);
        let loud: Vec<i16> = sine(300.0, 60_000.0, 8_000);
        assert!(clipped(&loud) > 1_000);
        assert_eq!(clipped(&sine(300.0, 30_000.0, 8_000)), 0);
    }

    #[test]
    fn a_cut_sine_clicks_once_and_a_whole_one_never() {
        let whole = sine(440.0, 12_000.0, 4_000);
        assert_eq!(clicks(&whole), 0);
        let mut cut = whole;
        cut.drain(1_005..1_010);
        assert_eq!(clicks(&cut), 1);
    }

    /// A sine of `frequency_hz` at 8 kHz, clipped to 16 bits.
    fn sine(frequency_hz: f64, amplitude: f64, len: u32) -> Vec<i16> {
        let phase = |n: u32| f64::from(n) * frequency_hz * std::f64::consts::TAU / 8_000.0;
        (0..len).map(|n| (phase(n).sin() * amplitude).clamp(-32_768.0, 32_767.0) as i16).collect()
    }
}

//! Sounds of any rate and number of channels, as the telephone and the recognizer want them.

use media::pcm;
use media::resample::{ResampleError, convert, convert_i16};
use media::wav::Wav;
use units::SampleRate;

/// Returns a sound's samples, mixed to one channel at 8 kHz.
pub fn mono_8khz(sound: &Wav<'_>) -> Result<Vec<i16>, ResampleError> {
    convert_i16(&sound.mono(), sound.spec().rate, SampleRate::HZ_8000)
}

/// Returns telephone samples as the recognizer wants them: 16 kHz, `-1.0..=1.0`.
pub fn for_recognizer(samples_8khz: &[i16]) -> Result<Vec<f32>, ResampleError> {
    let mut fractions = Vec::with_capacity(samples_8khz.len());
    pcm::to_f32(samples_8khz, &mut fractions);
    convert(&fractions, SampleRate::HZ_8000, SampleRate::HZ_16000)
}

/// Samples of one wave of the beep: 1 kHz at 8 kHz.
const BEEP_WAVE: [i32; 8] = [0, 5_793, 8_192, 5_793, 0, -5_793, -8_192, -5_793];
/// Waves of the beep: 400 ms.
const BEEP_WAVES: usize = 400;
/// Samples in which the beep grows and fades, so that it does not click: 5 ms.
const BEEP_FADE: usize = 40;

/// Returns the tone after which a caller speaks, at 8 kHz: 1 kHz for 400 ms, a quarter of full scale.
pub fn beep() -> Vec<i16> {
    let whole = BEEP_WAVES * BEEP_WAVE.len();
    let shaped = BEEP_WAVE.iter().cycle().take(whole).enumerate().map(|(at, sample)| {
        let from_edge = at.min(whole - 1 - at).min(BEEP_FADE);
        let (part, all) = (i32::try_from(from_edge).unwrap_or(0), i32::try_from(BEEP_FADE).unwrap_or(1));
        i16::try_from(sample * part / all).unwrap_or(0)
    });
    shaped.collect()
}

#[cfg(test)]
mod tests {
    use super::beep;

    #[test]
    fn the_beep_is_400_ms_of_1_khz_that_does_not_click() {
        let beep = beep();
        assert_eq!(beep.len(), 3_200);
        let crossings = beep.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        assert!((398..=400).contains(&crossings), "{crossings} waves");
        assert!(beep[..4].iter().chain(&beep[3_196..]).all(|sample| sample.unsigned_abs() < 1_000));
        assert_eq!(beep.iter().max(), Some(&8_192));
    }
}

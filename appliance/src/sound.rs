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

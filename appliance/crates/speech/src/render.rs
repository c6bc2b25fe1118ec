//! Whole texts at once, for recordings.

use units::SampleRate;

use crate::synthesizer::{Flow, SynthesizeError, SynthesizeRequest, Synthesizer};

/// Speaks a whole text and returns its samples at 8 kHz.
pub fn render(voice: &mut dyn Synthesizer, request: &SynthesizeRequest) -> Result<Vec<i16>, SynthesizeError> {
    let mut samples = Vec::new();
    voice.synthesize(request, &mut |more| {
        samples.extend_from_slice(more);
        Flow::Continue
    })?;
    Ok(samples)
}

/// Speaks a whole text and returns it as a WAV file: 8 kHz, mono, 16 bit.
pub fn render_wav(voice: &mut dyn Synthesizer, request: &SynthesizeRequest) -> Result<Vec<u8>, SynthesizeError> {
    let samples = render(voice, request)?;
    media::wav::encode_pcm16(&samples, 1, SampleRate::HZ_8000).map_err(|error| SynthesizeError::Text(Box::new(error)))
}

//! Audio to and from the providers, and what a request used.

use std::fmt;

use language::sentences::sentences;
use media::g711::Law;
use media::resample;
use media::wav::{Encoding, Wav};
use units::SampleRate;

use crate::error::CloudError;

/// Samples of the telephone in a millisecond.
const SAMPLES_PER_MS: usize = 8;

/// What a provider said.
#[derive(Clone, PartialEq, Eq)]
pub struct Audio {
    /// µ-law at 8 kHz, as the carrier plays it.
    pub mulaw: Vec<u8>,
    /// What it took.
    pub usage: Usage,
}

impl fmt::Debug for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audio").field("samples", &self.mulaw.len()).field("usage", &self.usage).finish()
    }
}

/// What a request used; prices are put to it elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Characters spoken.
    pub characters: u64,
    /// Audio heard or spoken, in milliseconds.
    pub audio_ms: u64,
    /// Tokens read, of text or audio, as the provider counts.
    pub input_tokens: u64,
    /// Tokens written, as the provider counts.
    pub output_tokens: u64,
}

impl Usage {
    /// Returns what speaking a text takes.
    pub(crate) fn of_speech(text: &str, mulaw: &[u8]) -> Self {
        Self { characters: number(text.chars().count()), audio_ms: milliseconds(mulaw.len()), ..Self::default() }
    }

    /// Returns what hearing so many samples at 8 kHz takes.
    pub(crate) fn of_hearing(samples: usize) -> Self {
        Self { audio_ms: milliseconds(samples), ..Self::default() }
    }
}

/// Returns what a recognizer is to hear (16 kHz) at the telephone's rate, which holds all that was ever in it.
pub(crate) fn telephone_samples(audio: &[f32]) -> Result<Vec<i16>, CloudError> {
    let unusable = |_error| CloudError::Unusable { reason: "the audio cannot be resampled" };
    let samples = resample::convert(audio, SampleRate::HZ_16000, SampleRate::HZ_8000).map_err(unusable)?;
    let mut out = Vec::with_capacity(samples.len());
    media::pcm::to_i16(&samples, &mut out);
    Ok(out)
}

/// Returns raw 16-bit samples of another rate as µ-law. A last odd byte is dropped.
pub(crate) fn mulaw_of_pcm(bytes: &[u8], rate: SampleRate) -> Result<Vec<u8>, CloudError> {
    let samples: Vec<i16> = bytes.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    encode(&samples, rate)
}

/// Returns the audio of a WAV file as µ-law at 8 kHz.
pub(crate) fn mulaw_of_wav(file: &[u8]) -> Result<Vec<u8>, CloudError> {
    let wav = Wav::parse(file).map_err(|_error| CloudError::Malformed { reason: "the audio is no WAV file" })?;
    let spec = wav.spec();
    if spec.encoding == Encoding::MuLaw && spec.rate == SampleRate::HZ_8000 && spec.channels == 1 {
        return Ok(wav.data().to_owned());
    }
    encode(&wav.mono(), spec.rate)
}

fn encode(samples: &[i16], rate: SampleRate) -> Result<Vec<u8>, CloudError> {
    let malformed = |_error| CloudError::Malformed { reason: "the audio cannot be resampled" };
    let samples = resample::convert_i16(samples, rate, SampleRate::HZ_8000).map_err(malformed)?;
    let mut mulaw = Vec::with_capacity(samples.len());
    Law::Mu.encode_into(&samples, &mut mulaw);
    Ok(mulaw)
}

/// Cuts a text into pieces of at most `limit` bytes: between sentences, else between words, else between letters.
pub(crate) fn pieces(text: &str, limit: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    // Sentences are at most 300 letters long, far below any provider's limit, and keep the space behind them.
    let parts = if text.len() <= limit { vec![text.to_owned()] } else { sentences(text) };
    for part in parts {
        for letter_run in within(&part, limit) {
            if piece.len().saturating_add(letter_run.len()) > limit {
                pieces.push(std::mem::take(&mut piece));
            }
            piece.push_str(letter_run);
        }
    }
    pieces.push(piece);
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

/// Cuts a text between letters where it is longer than `limit` bytes.
fn within(mut text: &str, limit: usize) -> Vec<&str> {
    let mut runs = Vec::new();
    while text.len() > limit {
        let at = (1..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        let (run, rest) = text.split_at(at);
        runs.push(run);
        text = rest;
    }
    runs.push(text);
    runs
}

fn milliseconds(samples: usize) -> u64 {
    number(samples.div_ceil(SAMPLES_PER_MS))
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_texts_are_cut_between_sentences() {
        let sentence = "המשרד פתוח מתשע עד חמש. ";
        let text = sentence.repeat(300);
        let cut = pieces(&text, 5_000);
        assert!(cut.len() >= 3);
        assert!(cut.iter().all(|piece| piece.len() <= 5_000 && piece.trim_end().ends_with('.')));
        assert_eq!(pieces("שלום", 5_000), ["שלום"]);
        assert!(pieces("  ", 5_000).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_cutting(text in "[a-zא-ת .!?]{0,400}", limit in 4_usize..200) {
            let cut = pieces(&text, limit);
            prop_assert!(cut.iter().all(|piece| piece.len() <= limit));
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&cut.concat()), letters(&text));
        }
    }
}

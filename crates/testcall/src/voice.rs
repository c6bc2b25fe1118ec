//! Where voices come from: the caller's, and the carrier's own for `<Say>`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use units::Language;

use crate::audio::{self, AudioError};

/// The longest text spoken as tones, in characters.
const LONGEST_TONE: usize = 400;

/// Speaks for the caller. Called before the call begins, so that it may take its time; it may block.
pub trait CallerVoice: Send + Sync {
    /// Returns `text` spoken, 8 kHz, mono.
    fn speak(&self, text: &str, language: Language) -> Result<Vec<i16>, VoiceError>;
}

/// Why a text could not be spoken. Does not say which text.
#[derive(Debug, thiserror::Error)]
pub enum VoiceError {
    /// This voice has no such text.
    #[error("there is no recording for this text")]
    Unknown,
    /// The recording cannot be read.
    #[error("cannot read the recording")]
    Audio(#[from] AudioError),
    /// The synthesizer failed.
    #[error("the synthesizer failed")]
    Synthesizer(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Speaks a buzz as long as the text would take: for tests that need no words.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToneVoice;

impl CallerVoice for ToneVoice {
    fn speak(&self, text: &str, _language: Language) -> Result<Vec<i16>, VoiceError> {
        let characters = text.chars().count().clamp(1, LONGEST_TONE);
        Ok(tone(characters * SAMPLES_PER_CHARACTER))
    }
}

/// About 15 characters per second, the pace of unhurried speech.
pub(crate) const SAMPLES_PER_CHARACTER: usize = 8_000 / 15;

/// Returns a 200 Hz square-like buzz of this many samples.
fn tone(samples: usize) -> Vec<i16> {
    const HALF_PERIOD: usize = 20;
    (0..samples).map(|n| if (n / HALF_PERIOD).is_multiple_of(2) { 6_000 } else { -6_000 }).collect()
}

/// Speaks texts that were recorded before.
#[derive(Clone, Debug, Default)]
pub struct WavVoice {
    recordings: BTreeMap<String, PathBuf>,
}

impl WavVoice {
    /// Makes a voice of texts and the WAV files in which they are spoken.
    pub fn new(recordings: impl IntoIterator<Item = (String, PathBuf)>) -> Self {
        Self { recordings: recordings.into_iter().collect() }
    }
}

impl CallerVoice for WavVoice {
    fn speak(&self, text: &str, _language: Language) -> Result<Vec<i16>, VoiceError> {
        let path = self.recordings.get(text).ok_or(VoiceError::Unknown)?;
        Ok(audio::read_wav_file(path)?)
    }
}

//! From a recorded message to what is said in it: looked through for speech, heard stretch by stretch on this device.
//!
//! Calls come first: a recognizer that is busy with them is waited for, and after `PATIENCE` the message is tried again
//! later. At no time does a message have more than one stretch in the recognizer's queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use media::resample::ResampleError;
use media::wav::Wav;
use speech::{Recognition, RecognizeError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use units::{Language, Pii};

use crate::app::Parts;
use crate::call::ear::Ear;
use crate::sound;
use crate::voice::Heard;

/// Longest wait of one stretch for a place in the recognizer's queue.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks whether there is a place.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What is said in a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The words; empty when there are none.
    pub text: Pii<String>,
    /// The language of most of them, as the recognizer heard it; `None` without words.
    pub language: Option<Language>,
}

/// Why nobody knows what is said in a message.
#[derive(Debug, thiserror::Error)]
pub enum TranscribeError {
    /// It is not a sound this device can read.
    #[error("not a sound: expected a WAV file")]
    Sound(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Calls kept the recognizer busy.
    #[error("the recognizer is busy")]
    Busy,
    /// This device does not hear.
    #[error("there is no recognizer")]
    Deaf,
}

impl TranscribeError {
    /// Returns whether the same message may be understood later.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Busy => true,
            // A recognizer comes back with the next start.
            Self::Sound(_) | Self::Deaf => false,
        }
    }
}

/// Returns the samples of a WAV file as [`transcribe`] wants them: one channel, 8 kHz.
pub fn samples_of_wav(wav: &[u8]) -> Result<Vec<i16>, TranscribeError> {
    let sound = Wav::parse(wav).map_err(|error| TranscribeError::Sound(error.into()))?;
    sound::mono_8khz(&sound).map_err(|error| TranscribeError::Sound(error.into()))
}

/// Returns what is said in a message, one channel at 8 kHz. A stretch that the recognizer fails at is left out.
///
/// # Cancellation safety
///
/// Dropped half way, one stretch is heard for nobody.
pub async fn transcribe(parts: &Arc<Parts>, samples_8khz: Vec<i16>) -> Result<Transcript, TranscribeError> {
    let vad = parts.voice.vad();
    // A long message takes a while to look through; calls go on meanwhile.
    let looking = tokio::task::spawn_blocking(move || Ear::new(vad).stretches(&samples_8khz));
    hear(parts, looking).await
}

/// Does the same with a message in full quality: one channel at 16 kHz, `-1.0..=1.0`.
///
/// # Cancellation safety
///
/// Dropped half way, one stretch is heard for nobody.
pub(crate) async fn transcribe_wide(
    parts: &Arc<Parts>,
    samples_16khz: Vec<f32>,
) -> Result<Transcript, TranscribeError> {
    let vad = parts.voice.vad();
    let looking = tokio::task::spawn_blocking(move || Ear::new(vad).wide_stretches(&samples_16khz));
    hear(parts, looking).await
}

/// Hears the stretches that somebody looks for.
async fn hear(
    parts: &Arc<Parts>,
    looking: JoinHandle<Result<Vec<Vec<f32>>, ResampleError>>,
) -> Result<Transcript, TranscribeError> {
    let stretches = looking.await.map_err(|error| TranscribeError::Sound(error.into()))?;
    let stretches = stretches.map_err(|error| TranscribeError::Sound(error.into()))?;
    let mut heard = Vec::new();
    for audio in stretches {
        heard.extend(recognize(parts, audio).await?);
    }
    Ok(joined(heard))
}

/// Hears one stretch, when the recognizer has a place for it.
async fn recognize(parts: &Parts, audio: Vec<f32>) -> Result<Option<Recognition>, TranscribeError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (sender, mut results) = mpsc::channel(1);
        let submitted = parts.voice.recognize(parts.recognize_request(audio.clone()), move |heard| {
            if let Heard::Done(result) = heard {
                // Nobody waits any more.
                drop(sender.try_send(result));
            }
        });
        match submitted {
            Ok(_job) => return Ok(results.recv().await.and_then(Result::ok)),
            Err(RecognizeError::Busy) if Instant::now() < deadline => sleep(LOOK_EVERY).await,
            Err(RecognizeError::Busy) => return Err(TranscribeError::Busy),
            Err(RecognizeError::Gone) => return Err(TranscribeError::Deaf),
            Err(RecognizeError::Audio { .. } | RecognizeError::Model(_)) => return Ok(None),
        }
    }
}

/// Puts stretches together. The language is the one in which most was said.
fn joined(heard: Vec<Recognition>) -> Transcript {
    let mut letters: BTreeMap<Language, usize> = BTreeMap::new();
    let mut texts = Vec::new();
    for recognition in heard {
        let text = recognition.text.into_revealed();
        if !text.is_empty() {
            *letters.entry(recognition.language).or_default() += text.chars().count();
            texts.push(text);
        }
    }
    let language = letters.into_iter().max_by_key(|(_, count)| *count).map(|(language, _)| language);
    Transcript { text: Pii::new(texts.join(" ")), language }
}

#[cfg(test)]
mod tests {
    use speech::Recognition;
    use units::{Language, Pii};

    use super::{Transcript, joined, samples_of_wav};

    #[test]
    fn stretches_are_joined_and_the_language_is_that_of_most_words() {
        let heard = joined(vec![
            stretch("hi", Language::English),
            stretch("", Language::English),
            stretch("אשמח אם תחזרו אליי", Language::Hebrew),
        ]);
        assert_eq!(heard.text.reveal(), "hi אשמח אם תחזרו אליי");
        assert_eq!(heard.language, Some(Language::Hebrew));
        assert_eq!(joined(vec![stretch("", Language::English)]), Transcript::default());
    }

    #[test]
    fn what_is_no_sound_is_refused_with_what_was_expected() {
        let error = samples_of_wav(b"<html>").unwrap_err();
        assert!(error.to_string().contains("WAV") && !error.is_transient(), "{error}");
    }

    fn stretch(text: &str, language: Language) -> Recognition {
        let text = Pii::new(text.to_owned());
        Recognition { text, language, mean_log_probability: -0.1, no_speech_probability: 0.0 }
    }
}

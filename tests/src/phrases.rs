//! A language without words: each phrase is a tone of its own, so that a caller can say it and a recognizer, which
//! measures the tone, can understand it, however often and in whatever stretches it is asked.

use std::f32::consts::TAU;
use std::sync::Arc;

use speech::{Recognition, RecognizeError, RecognizeRequest, Recognizer};
use testcall::{CallerVoice, VoiceError};
use units::{Language, Pii};

/// The tone of the first phrase; each further one is a step higher. In hertz.
const FIRST_HZ: f32 = 300.0;
/// Between two phrases, in hertz: far more than the error of counting waves.
const STEP_HZ: f32 = 60.0;
/// How long a word takes, in samples at 8 kHz: 250 ms.
const WORD: usize = 2_000;
/// Silence that separates two phrases, in samples at 16 kHz: 100 ms.
const GAP: usize = 1_600;
/// What counts as a swing of the wave, of full scale.
const SWING: f32 = 0.05;

/// Phrases that can be said and understood.
#[derive(Clone, Debug)]
pub struct PhraseBook {
    phrases: Arc<[&'static str]>,
}

impl PhraseBook {
    /// Makes a book of at most 50 phrases.
    pub fn new(phrases: &[&'static str]) -> Self {
        Self { phrases: phrases.into() }
    }

    /// Returns a recognizer that understands the book, and nothing else.
    pub fn recognizer(&self) -> Box<dyn Recognizer> {
        Box::new(BookRecognizer { book: self.clone() })
    }

    fn understand(&self, audio: &[f32]) -> String {
        let mut texts = Vec::new();
        let mut swings: Vec<usize> = Vec::new();
        let mut is_up = false;
        for (at, sample) in audio.iter().enumerate() {
            if swings.last().is_some_and(|last| at - last > GAP) {
                texts.extend(self.phrase(&std::mem::take(&mut swings)));
            }
            if (is_up && *sample < -SWING) || (!is_up && *sample > SWING) {
                is_up = !is_up;
                swings.push(at);
            }
        }
        texts.extend(self.phrase(&swings));
        texts.join(" ")
    }

    #[expect(clippy::cast_precision_loss, reason = "a few seconds of samples")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and looked up afterwards")]
    fn phrase(&self, swings: &[usize]) -> Option<&'static str> {
        let (first, last) = (swings.first()?, swings.last()?);
        let seconds = (last - first) as f32 / 16_000.0;
        let hz = (swings.len() - 1) as f32 / 2.0 / seconds;
        let number = ((hz - FIRST_HZ) / STEP_HZ).round();
        if number < 0.0 { None } else { self.phrases.get(number as usize).copied() }
    }
}

impl CallerVoice for PhraseBook {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "within 16 bits")]
    fn speak(&self, text: &str, _language: Language) -> Result<Vec<i16>, VoiceError> {
        let number = self.phrases.iter().position(|phrase| *phrase == text).ok_or(VoiceError::Unknown)?;
        let step = TAU * (FIRST_HZ + STEP_HZ * number as f32) / 8_000.0;
        let samples = WORD * text.split_whitespace().count().max(2);
        Ok((0..samples).map(|n| (8_000.0 * (n as f32 * step).sin()) as i16).collect())
    }
}

struct BookRecognizer {
    book: PhraseBook,
}

impl Recognizer for BookRecognizer {
    fn recognize(
        &mut self,
        request: &RecognizeRequest,
        interim: &mut dyn FnMut(&str),
    ) -> Result<Recognition, RecognizeError> {
        let text = self.book.understand(&request.audio);
        if let Some((start, _)) = text.rsplit_once(' ') {
            interim(start);
        }
        let language = request.language.unwrap_or(Language::English);
        let no_speech_probability = if text.is_empty() { 0.99 } else { 0.01 };
        Ok(Recognition { text: Pii::new(text), language, mean_log_probability: -0.1, no_speech_probability })
    }

    fn model(&self) -> &'static str {
        "phrase book"
    }
}

#[cfg(test)]
mod tests {
    use testcall::CallerVoice as _;
    use units::Language;

    use super::PhraseBook;

    #[test]
    fn what_is_said_is_understood_also_two_phrases_with_a_pause() {
        let book = PhraseBook::new(&["dana levy", "about a flat", "thank you", "good bye now"]);
        let mut audio = Vec::new();
        for text in ["about a flat", "good bye now"] {
            for sample in book.speak(text, Language::English).unwrap() {
                audio.extend([f32::from(sample) / 32_768.0; 2]);
            }
            audio.extend(std::iter::repeat_n(0.0, 8_000));
        }
        assert_eq!(book.understand(&audio), "about a flat good bye now");
        assert_eq!(book.understand(&vec![0.0; 16_000]), "");
    }
}

//! Engines that follow a script: what is heard, said and detected is told beforehand.

use std::collections::VecDeque;
use std::time::Duration;

use units::{Language, Pii};

use crate::recognizer::{Recognition, RecognizeError, RecognizeRequest, Recognizer};
use crate::synthesizer::{Diacritizer, Flow, SynthesizeError, SynthesizeRequest, Synthesizer};
use crate::vad::Vad;

/// What a [`ScriptedRecognizer`] does with one request.
#[derive(Debug)]
pub enum Hears {
    /// Hears this text; all but the last word come as interim texts as well.
    Text(&'static str),
    /// Hears nothing.
    Silence,
    /// Fails.
    Fails,
    /// Panics, as a worker with a bug.
    Panics,
    /// Waits until something is sent, or the sender is dropped, then hears the text.
    Waits(std::sync::mpsc::Receiver<()>, &'static str),
}

/// Hears what its script says, request by request; silence when the script is over.
#[derive(Debug)]
pub struct ScriptedRecognizer {
    script: VecDeque<Hears>,
}

impl ScriptedRecognizer {
    /// Returns a recognizer with a script.
    pub fn new(script: impl IntoIterator<Item = Hears>) -> Self {
        Self { script: script.into_iter().collect() }
    }
}

impl Recognizer for ScriptedRecognizer {
    #[expect(clippy::panic, reason = "the script asks for it")]
    fn recognize(
        &mut self,
        request: &RecognizeRequest,
        interim: &mut dyn FnMut(&str),
    ) -> Result<Recognition, RecognizeError> {
        let text = match self.script.pop_front() {
            None | Some(Hears::Silence) => "",
            Some(Hears::Text(text)) => text,
            Some(Hears::Fails) => return Err(RecognizeError::Model("the script says so".into())),
            Some(Hears::Panics) => panic!("the script says so"),
            Some(Hears::Waits(until, text)) => {
                until.recv().unwrap_or_default();
                text
            }
        };
        for (end, _) in text.match_indices(' ') {
            interim(text.get(..end).unwrap_or_default());
        }
        let language = request.language.or_else(|| request.among.first().copied()).unwrap_or_default();
        let no_speech_probability = if text.is_empty() { 0.99 } else { 0.01 };
        Ok(Recognition { text: Pii::new(text.to_owned()), language, mean_log_probability: -0.1, no_speech_probability })
    }

    fn model(&self) -> &'static str {
        "scripted"
    }
}

/// Says a tone of 200 ms for each word, and a pause of 50 ms after it. The first word is 400 Hz in Hebrew and 500 Hz in
/// English, each further one 50 Hz higher.
#[derive(Clone, Debug, Default)]
pub struct ScriptedSynthesizer {
    said: Vec<SynthesizeRequest>,
}

impl ScriptedSynthesizer {
    /// Returns how long it speaks a text.
    pub fn duration(text: &str) -> Duration {
        let words = u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX);
        Duration::from_millis(250).saturating_mul(words)
    }

    /// Returns what it was asked to say.
    pub fn said(&self) -> &[SynthesizeRequest] {
        &self.said
    }
}

impl Synthesizer for ScriptedSynthesizer {
    fn synthesize(
        &mut self,
        request: &SynthesizeRequest,
        audio: &mut dyn FnMut(&[i16]) -> Flow,
    ) -> Result<(), SynthesizeError> {
        self.said.push(request.clone());
        let mut hz = match request.language {
            Language::Hebrew => 400.0,
            Language::English => 500.0,
        };
        for _ in request.text.split_whitespace() {
            let mut word = tone(hz);
            word.resize(2_000, 0);
            if audio(&word) == Flow::Stop {
                break;
            }
            hz += 50.0;
        }
        Ok(())
    }

    fn voice(&self) -> &'static str {
        "scripted"
    }
}

#[expect(clippy::cast_possible_truncation, reason = "within 16 bits")]
fn tone(hz: f32) -> Vec<i16> {
    let step = std::f32::consts::TAU * hz / 8_000.0;
    (0..1_600_u16).map(|n| (4_000.0 * (f32::from(n) * step).sin()) as i16).collect()
}

/// Takes loud windows for speech: its probability is 1 where the mean magnitude is at least 300, else 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct FakeVad;

impl Vad for FakeVad {
    fn window_len(&self) -> usize {
        256
    }

    fn probability(&mut self, window: &[i16]) -> f32 {
        let sum: u64 = window.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
        let count = u64::try_from(window.len()).unwrap_or(u64::MAX).max(1);
        if sum / count >= 300 { 1.0 } else { 0.0 }
    }

    fn reset(&mut self) {}
}

/// Puts a patah (a) under every letter that has no point, except the last of a word: not Hebrew, but pronounced.
#[derive(Clone, Copy, Debug, Default)]
pub struct FakeDiacritizer;

impl Diacritizer for FakeDiacritizer {
    fn diacritize(&mut self, text: &str) -> Result<String, SynthesizeError> {
        let mut pointed = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            pointed.push(c);
            let is_inner = chars.peek().is_some_and(|next| is_letter(*next));
            if is_letter(c) && is_inner {
                pointed.push('\u{5b7}');
            }
        }
        Ok(pointed)
    }
}

const fn is_letter(c: char) -> bool {
    matches!(c, '\u{5d0}'..='\u{5ea}')
}

//! Hearing: from samples to text.

use units::{Language, Pii};

/// Turns one stretch of a caller's speech into text.
///
/// An implementation owns its model session and runs on one thread at a time; [`crate::pool`] keeps several.
pub trait Recognizer: Send {
    /// Recognizes `request`, calling `interim` with the text so far as it grows (it may never be called).
    ///
    /// Silence and noise give an empty text, not an error.
    fn recognize(
        &mut self,
        request: &RecognizeRequest,
        interim: &mut dyn FnMut(&str),
    ) -> Result<Recognition, RecognizeError>;

    /// Recognizes like [`Recognizer::recognize`], and gives up soon after `_cancelled` says so; what it returns then is
    /// thrown away. Unless overridden, it runs to the end.
    fn recognize_unless(
        &mut self,
        request: &RecognizeRequest,
        _cancelled: &dyn Fn() -> bool,
        interim: &mut dyn FnMut(&str),
    ) -> Result<Recognition, RecognizeError> {
        self.recognize(request, interim)
    }

    /// Returns the name and version of the model, for the call log and `/readyz`.
    fn model(&self) -> &str;
}

/// What is to be recognized, and how.
#[derive(Clone, Debug)]
pub struct RecognizeRequest {
    /// Mono samples at 16 kHz in `-1.0..=1.0`, shape `[samples]`.
    pub audio: Vec<f32>,
    /// The language to hear, or `None` to let the model tell.
    pub language: Option<Language>,
    /// Languages the model may choose among when `language` is `None`.
    pub among: Vec<Language>,
    /// Words that are likely (the office's names), as running text; empty for none.
    pub prompt: String,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognition {
    /// The text, empty when there was no speech in it.
    pub text: Pii<String>,
    /// The language heard.
    pub language: Language,
    /// Mean log probability of the text's tokens; 0 is certain, below -1 is a guess.
    pub mean_log_probability: f32,
    /// Probability that there was no speech, `0.0..=1.0`.
    pub no_speech_probability: f32,
}

/// Why nothing could be recognized.
#[derive(Debug, thiserror::Error)]
pub enum RecognizeError {
    /// The queue before the recognizer is full.
    #[error("all recognizers are busy")]
    Busy,
    /// The audio cannot be used.
    #[error("unusable audio: {reason}")]
    Audio {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The model failed.
    #[error("the model failed")]
    Model(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The thread that recognized is gone.
    #[error("the recognizer's thread ended")]
    Gone,
}

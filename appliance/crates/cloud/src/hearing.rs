//! What a provider heard, in the words of the box.

use language::script::guess_language;
use speech::{Recognition, RecognizeRequest};
use units::{Language, Pii};

use crate::audio::Usage;

/// Shortest audio a provider takes, in samples at 8 kHz: 0.1 s. There is no word in less.
pub(crate) const MIN_SAMPLES: usize = 800;

/// A recognition, and what it took.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// What was heard.
    pub recognition: Recognition,
    /// What it took.
    pub cost: Usage,
}

/// How sure a provider is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Certainty {
    /// Mean log probability of the tokens.
    pub(crate) mean_log_probability: f32,
    /// Probability that nobody spoke.
    pub(crate) no_speech_probability: f32,
}

impl Certainty {
    /// What follows from a text alone: where there is none, nobody spoke.
    pub(crate) fn of_text(text: &str) -> Self {
        Self { mean_log_probability: 0.0, no_speech_probability: if text.is_empty() { 1.0 } else { 0.0 } }
    }
}

/// Puts together what was heard. `named` is the language the provider says it heard.
pub(crate) fn heard(
    request: &RecognizeRequest,
    text: &str,
    named: Option<Language>,
    certainty: Certainty,
    cost: Usage,
) -> Heard {
    let text = text.trim();
    let among = |language: &Language| request.among.is_empty() || request.among.contains(language);
    // The letters know better than the model's word: short Hebrew is often called something else.
    let spoken = guess_language(text).or(named).filter(among).or_else(|| request.among.first().copied());
    Heard {
        recognition: Recognition {
            text: Pii::new(text.to_owned()),
            language: request.language.or(spoken).unwrap_or_default(),
            mean_log_probability: certainty.mean_log_probability,
            no_speech_probability: certainty.no_speech_probability,
        },
        cost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(text: &str, named: Option<Language>, pinned: Option<Language>, among: &[Language]) -> Language {
        let request =
            RecognizeRequest { audio: Vec::new(), language: pinned, among: among.to_vec(), prompt: String::new() };
        heard(&request, text, named, Certainty::of_text(text), Usage::default()).recognition.language
    }

    #[test]
    fn the_language_is_pinned_or_told_by_the_letters() {
        use Language::{English, Hebrew};
        assert_eq!(language("שלום", None, None, &[]), Hebrew);
        assert_eq!(language("hello", Some(Hebrew), None, &[]), English);
        assert_eq!(language("12", Some(English), None, &[]), English);
        assert_eq!(language("hello", None, Some(Hebrew), &[]), Hebrew);
        assert_eq!(language("hello", None, None, &[Hebrew]), Hebrew);
        assert_eq!(language("", None, None, &[English, Hebrew]), English);
        assert_eq!(language("", None, None, &[]), Hebrew);
    }
}

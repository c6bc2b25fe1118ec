//! What the decoder is fed before it may speak: context, language, task; and what it says of the audio meanwhile.

use speech::RecognizeRequest;
use units::Language;

use crate::folder::Vocabulary;
use crate::tokenizer::Tokenizer;
use crate::whisper::model::{Encoded, State};
use crate::whisper::{WhisperError, WhisperRecognizer, scores};

/// Most tokens of context. Whisper takes 223; but a vocabulary of more than a few names makes short turns worse, and
/// each token costs time before the first word.
const MAX_CONTEXT: usize = 96;

/// A decoding that may begin.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) state: State,
    /// Scores of the first token of the text.
    pub(super) scores: Vec<f32>,
    pub(super) language: Language,
    pub(super) no_speech: f32,
    /// Tokens in the cache.
    pub(super) fed: usize,
}

/// Returns the languages the model may hear in this request.
pub(super) fn allowed(vocabulary: &Vocabulary, request: &RecognizeRequest) -> Vec<(Language, Option<u32>)> {
    let wanted = |language: Language| match request.language {
        Some(pinned) => language == pinned,
        None => request.among.is_empty() || request.among.contains(&language),
    };
    vocabulary.languages.iter().copied().filter(|(language, _)| wanted(*language)).collect()
}

/// Returns how many tokens of context a model with so many positions takes.
pub(super) fn max_context(positions: usize, trained: bool) -> usize {
    if trained { MAX_CONTEXT.min(positions / 4) } else { 0 }
}

/// Returns the last `most` tokens of the context: nothing where there is none or the model takes none.
pub(super) fn context(tokenizer: &Tokenizer, vocabulary: &Vocabulary, prompt: &str, most: usize) -> Vec<u32> {
    let prompt = prompt.trim();
    let Some(previous) = vocabulary.previous.filter(|_| most > 0 && !prompt.is_empty()) else {
        return Vec::new();
    };
    let tokens = tokenizer.encode(&format!(" {prompt}"));
    let last = tokens.len().saturating_sub(most);
    let mut context = vec![previous];
    context.extend(tokens.get(last..).unwrap_or_default());
    context
}

impl WhisperRecognizer {
    /// Feeds the prompt. With one language allowed that is one run; else the language is told after the first token.
    pub(super) fn open(
        &mut self,
        encoded: Encoded,
        allowed: &[(Language, Option<u32>)],
        context: &[u32],
    ) -> Result<Opening, WhisperError> {
        let mut tokens: Vec<i64> = context.iter().map(|token| i64::from(*token)).collect();
        let start_at = tokens.len();
        tokens.push(i64::from(self.vocabulary.start));
        let pinned = match allowed {
            [only] => Some(*only),
            _ => None,
        };
        if let Some((_, token)) = pinned {
            tokens.extend(self.after_start(token));
        }
        let cancel = std::sync::Arc::clone(&self.cancel);
        let options = &cancel.options;
        let (mut state, mut logits) =
            self.model.start(encoded, &tokens, options).map_err(|error| self.failed(error))?;
        let mut fed = tokens.len();
        let at_start = logits.row(start_at).map_err(|error| self.failed(error))?;
        let no_speech = self.vocabulary.no_speech.map_or(0.0, |token| scores::probability(at_start, token));
        let (language, mut last) = if let Some((language, _)) = pinned {
            (language, fed.saturating_sub(1))
        } else {
            let (language, token) = likeliest(at_start, allowed);
            for token in self.after_start(token) {
                (state, logits) = self.model.step(&state, token, options).map_err(|error| self.failed(error))?;
                fed = fed.saturating_add(1);
            }
            (language, 0)
        };
        // A model of one language and without timestamps has nothing after the start.
        if fed == start_at.saturating_add(1) {
            last = start_at;
        }
        let mut scores = logits.row(last).map_err(|error| self.failed(error))?.to_vec();
        scores::suppress(&mut scores, &self.vocabulary.suppressed);
        scores::suppress(&mut scores, &self.vocabulary.suppressed_first);
        Ok(Opening { state, scores, language, no_speech, fed })
    }

    /// Returns the tokens between the start and the text.
    fn after_start(&self, language: Option<u32>) -> Vec<i64> {
        let task = language.and(self.vocabulary.transcribe);
        [language, task, self.vocabulary.no_timestamps].into_iter().flatten().map(i64::from).collect()
    }
}

/// Returns the allowed language with the highest score.
fn likeliest(scores: &[f32], allowed: &[(Language, Option<u32>)]) -> (Language, Option<u32>) {
    let score = |token: Option<u32>| {
        let index = usize::try_from(token?).ok()?;
        scores.get(index).copied()
    };
    allowed
        .iter()
        .copied()
        .max_by(|a, b| {
            let (a, b) = (score(a.1).unwrap_or(f32::NEG_INFINITY), score(b.1).unwrap_or(f32::NEG_INFINITY));
            a.total_cmp(&b)
        })
        .unwrap_or_default()
}

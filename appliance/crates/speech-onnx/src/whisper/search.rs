//! Which token comes next: greedy or beam. Pure; what scores the tokens is an argument.

use std::ops::ControlFlow;

use crate::whisper::scores;

/// Scores the token after the ones so far.
pub(crate) trait Scorer {
    /// Where a decoding stands; cheap to clone.
    type State: Clone;
    /// Why there are no scores.
    type Error;

    /// Says `token` and writes the scores of what may follow into `scores`.
    fn step(&mut self, state: &Self::State, token: u32, scores: &mut Vec<f32>) -> Result<Self::State, Self::Error>;
}

/// What a search is bound by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The token that ends a text.
    pub(crate) end: u32,
    /// Most tokens of a text.
    pub(crate) max_tokens: usize,
}

/// A text in tokens, without its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) tokens: Vec<u32>,
    /// Sum of the log probabilities, the end's included where it was reached.
    pub(crate) log_probability: f32,
    /// The end was reached, by the model's own choice.
    pub(crate) ended: bool,
}

impl Found {
    /// Returns the mean log probability of the tokens and the end.
    pub(crate) fn mean(&self) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "a text has a few hundred tokens")]
        let count = self.tokens.len().saturating_add(1) as f32;
        self.log_probability / count
    }
}

/// Takes the most probable token each time. `seen` gets the tokens after each step and may end the search.
pub(crate) fn greedy<S: Scorer>(
    scorer: &mut S,
    first: (S::State, Vec<f32>),
    bounds: Bounds,
    mut seen: impl FnMut(&[u32]) -> ControlFlow<()>,
) -> Result<Found, S::Error> {
    let (mut state, mut row) = first;
    let mut found = Found::default();
    loop {
        let Some(token) = scores::best(&row) else {
            return Ok(found);
        };
        found.log_probability += scores::highest(&row) - scores::log_sum_exp(&row);
        if token == bounds.end {
            found.ended = true;
            return Ok(found);
        }
        if found.tokens.len() >= bounds.max_tokens {
            return Ok(found);
        }
        found.tokens.push(token);
        if seen(&found.tokens).is_break() {
            return Ok(found);
        }
        state = scorer.step(&state, token, &mut row)?;
    }
}

/// One text in the making.
struct Hypothesis<T> {
    found: Found,
    state: T,
    scores: Vec<f32>,
}

/// Follows the `width` most probable texts at once and returns the one with the best mean log probability.
pub(crate) fn beam<S: Scorer>(
    scorer: &mut S,
    first: (S::State, Vec<f32>),
    bounds: Bounds,
    width: usize,
    mut seen: impl FnMut(&[u32]) -> ControlFlow<()>,
) -> Result<Found, S::Error> {
    let mut alive = vec![Hypothesis { found: Found::default(), state: first.0, scores: first.1 }];
    let mut finished: Vec<Found> = Vec::new();
    for _ in 0..bounds.max_tokens {
        let mut candidates: Vec<(usize, u32, f32)> = Vec::new();
        for (index, hypothesis) in alive.iter().enumerate() {
            // One more than the width: the end may be among them and leaves the beam.
            for (token, log_probability) in scores::top(&hypothesis.scores, width.saturating_add(1)) {
                candidates.push((index, token, hypothesis.found.log_probability + log_probability));
            }
        }
        candidates.sort_by(|a, b| b.2.total_cmp(&a.2));
        let mut next = Vec::with_capacity(width);
        for (index, token, log_probability) in candidates {
            if next.len() >= width {
                break;
            }
            let Some(parent) = alive.get(index) else { continue };
            let mut found = Found { log_probability, ..parent.found.clone() };
            if token == bounds.end {
                found.ended = true;
                finished.push(found);
                continue;
            }
            found.tokens.push(token);
            next.push((index, token, found));
        }
        finished.sort_by(|a, b| b.mean().total_cmp(&a.mean()));
        finished.truncate(width);
        // Ends that are unlikely fill the list early; they count when nothing in the making is better.
        let best_in_making = next.iter().map(|(_, _, found)| found.mean()).fold(f32::NEG_INFINITY, f32::max);
        let settled = finished.first().is_some_and(|best| best.mean() >= best_in_making);
        if next.is_empty() || (finished.len() >= width && settled) {
            break;
        }
        let mut stepped = Vec::with_capacity(next.len());
        for (index, token, found) in next {
            let Some(parent) = alive.get(index) else { continue };
            let mut row = Vec::new();
            let state = scorer.step(&parent.state, token, &mut row)?;
            stepped.push(Hypothesis { found, state, scores: row });
        }
        alive = stepped;
        if alive.first().is_some_and(|best| seen(&best.found.tokens).is_break()) {
            break;
        }
    }
    if finished.is_empty() {
        finished.extend(alive.into_iter().map(|hypothesis| hypothesis.found));
    }
    Ok(finished.into_iter().max_by(|a, b| a.mean().total_cmp(&b.mean())).unwrap_or_default())
}

#[cfg(test)]
mod tests;

//! Scores of tokens: the best, their probabilities, and those that must not be said. Pure.

/// Differences above this do not change a sum of exponentials that anybody looks at: `exp(-20)` is 2e-9, times the
/// 51,865 tokens of Whisper 1e-4. Most tokens lie further away, and leaving them out saves a tenth of a step.
const NEGLIGIBLE: f32 = 20.0;

/// Returns the logarithm of the sum of the exponentials of `scores`.
pub(crate) fn log_sum_exp(scores: &[f32]) -> f32 {
    let most = highest(scores);
    if !most.is_finite() {
        return most;
    }
    let sum: f32 = scores.iter().map(|score| score - most).filter(|less| *less > -NEGLIGIBLE).map(f32::exp).sum();
    most + sum.ln()
}

/// Returns the highest score; scores that are no number count as lowest.
pub(crate) fn highest(scores: &[f32]) -> f32 {
    // Several accumulators let the compiler use wide registers.
    let mut lanes = [f32::NEG_INFINITY; 16];
    let chunks = scores.chunks_exact(lanes.len());
    let rest = chunks.remainder().iter().fold(f32::NEG_INFINITY, |most, score| most.max(*score));
    for chunk in chunks {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *lane = if *score > *lane { *score } else { *lane };
        }
    }
    lanes.iter().fold(rest, |most, lane| most.max(*lane))
}

/// Returns the first token with the highest score; `None` when no score is a number above negative infinity.
pub(crate) fn best(scores: &[f32]) -> Option<u32> {
    let most = highest(scores);
    if most == f32::NEG_INFINITY {
        return None;
    }
    let index = scores.iter().position(|score| *score >= most)?;
    u32::try_from(index).ok()
}

/// Returns the `count` best tokens and their log probabilities, the best first.
pub(crate) fn top(scores: &[f32], count: usize) -> Vec<(u32, f32)> {
    let total = log_sum_exp(scores);
    let mut top: Vec<(u32, f32)> = Vec::with_capacity(count.saturating_add(1));
    for (token, score) in (0_u32..).zip(scores) {
        let least = if top.len() < count { f32::NEG_INFINITY } else { top.last().map_or(f32::INFINITY, |last| last.1) };
        if *score > least {
            let place = top.partition_point(|(_, better)| *better >= *score);
            top.insert(place, (token, *score));
            top.truncate(count);
        }
    }
    for (_, score) in &mut top {
        *score -= total;
    }
    top
}

/// Makes tokens impossible.
pub(crate) fn suppress(scores: &mut [f32], tokens: &[u32]) {
    for token in tokens {
        if let Some(score) = usize::try_from(*token).ok().and_then(|token| scores.get_mut(token)) {
            *score = f32::NEG_INFINITY;
        }
    }
}

/// Returns the probability of `token`.
pub(crate) fn probability(scores: &[f32], token: u32) -> f32 {
    let score = usize::try_from(token).ok().and_then(|token| scores.get(token)).copied();
    score.map_or(0.0, |score| (score - log_sum_exp(scores)).exp().clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_best_where_everything_is_impossible() {
        assert_eq!(best(&[f32::NEG_INFINITY; 40]), None);
        assert_eq!(best(&[f32::NAN; 40]), None);
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn the_first_of_equals_is_best() {
        assert_eq!(best(&[0.0, 3.0, 3.0, 1.0]), Some(1));
    }

    proptest! {
        #[test]
        fn the_best_is_first_of_the_top(scores in proptest::collection::vec(-30.0_f32..30.0, 1..200), count in 1_usize..6) {
            let top = top(&scores, count);
            prop_assert_eq!(top.len(), count.min(scores.len()));
            prop_assert_eq!(Some(top[0].0), best(&scores));
            prop_assert!(top.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        }

        #[test]
        fn probabilities_add_up_to_one(scores in proptest::collection::vec(-30.0_f32..30.0, 1..200)) {
            let sum: f32 = (0_u32..).take(scores.len()).map(|token| probability(&scores, token)).sum();
            prop_assert!((sum - 1.0).abs() < 1e-3, "{sum}");
        }
    }
}

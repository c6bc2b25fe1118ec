//! Pairs two sequences in order, at the lowest cost.

/// What it costs to leave something alone, or to pair two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// It is as it should be.
    Nothing,
    /// It is not as it should be, but a pair all the same.
    Little,
    /// It should not be.
    Finding,
}

impl Cost {
    /// One finding costs more than any number of pairs that are not quite right.
    const fn weight(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Little => 1,
            Self::Finding => 1 << 32,
        }
    }
}

/// What is done with the first of what is left of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    LeaveLeft,
    LeaveRight,
    Pair,
}

/// Pairs things of a sequence of `left` things with things of one of `right`, both in order. Returns the pairs, by their
/// places, that cost least together with everything that is left alone; `pair` says `None` where two are no pair.
pub(super) fn align(
    left: usize,
    right: usize,
    leave_left: impl Fn(usize) -> Cost,
    leave_right: impl Fn(usize) -> Cost,
    pair: impl Fn(usize, usize) -> Option<Cost>,
) -> Vec<(usize, usize)> {
    // From the end: what the rest costs at least, and what to do first.
    let mut steps = vec![vec![(0_u64, Step::LeaveLeft); right + 1]; left + 1];
    let rest = |steps: &[Vec<(u64, Step)>], i: usize, j: usize| {
        steps.get(i).and_then(|row| row.get(j)).map_or(u64::MAX, |(cost, _)| *cost)
    };
    for i in (0..=left).rev() {
        for j in (0..=right).rev() {
            let paired = (i < left && j < right).then(|| pair(i, j)).flatten();
            let paired = paired.map(|cost| (cost.weight() + rest(&steps, i + 1, j + 1), Step::Pair));
            let without_left = (i < left).then(|| (leave_left(i).weight() + rest(&steps, i + 1, j), Step::LeaveLeft));
            let without_right =
                (j < right).then(|| (leave_right(j).weight() + rest(&steps, i, j + 1), Step::LeaveRight));
            let best = [paired, without_right, without_left].into_iter().flatten().min_by_key(|(cost, _)| *cost);
            if let (Some(best), Some(cell)) = (best, steps.get_mut(i).and_then(|row| row.get_mut(j))) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < left || j < right {
        match steps.get(i).and_then(|row| row.get(j)) {
            Some((_, Step::Pair)) => {
                pairs.push((i, j));
                (i, j) = (i + 1, j + 1);
            }
            Some((_, Step::LeaveRight)) => j += 1,
            Some((_, Step::LeaveLeft)) | None => i += 1,
        }
    }
    pairs
}

//! Matching of whole phrases against what was said.

use alloc::vec::Vec;

use crate::words::{Word, words};

/// Returns the words of a text as plain slices hold them.
pub(crate) fn spoken(text: &str) -> Vec<Word> {
    words(text)
}

/// Returns how many words the longest phrase of `list` takes at the start of `words`, or `None`.
pub(crate) fn longest(list: &[&str], words: &[Word]) -> Option<usize> {
    list.iter().filter_map(|phrase| starts(phrase, words)).max()
}

/// Returns how many words `phrase` takes at the start of `words`, or `None` where it is not there.
pub(crate) fn starts(phrase: &str, words: &[Word]) -> Option<usize> {
    let mut len = 0;
    for part in phrase.split(' ') {
        if words.get(len)?.text != part {
            return None;
        }
        len += 1;
    }
    Some(len)
}

/// Whether the words end in a phrase of `list`.
pub(crate) fn ends_in(list: &[&str], words: &[Word]) -> bool {
    list.iter().any(|phrase| {
        let len = phrase.split(' ').count();
        words.len().checked_sub(len).and_then(|at| words.get(at..)).is_some_and(|end| starts(phrase, end).is_some())
    })
}

/// Whether a phrase of `list` stands anywhere in the words.
pub(crate) fn contains(list: &[&str], words: &[Word]) -> bool {
    (0..words.len()).any(|at| words.get(at..).is_some_and(|rest| longest(list, rest).is_some()))
}

/// Covers the words with phrases of `wanted` and `fillers`. Returns how many of `wanted` there are, or `None` where
/// something else was said.
pub(crate) fn cover(words: &[Word], wanted: &[&str], fillers: &[&str]) -> Option<usize> {
    let mut found = 0;
    let mut at = 0;
    while let Some(rest) = words.get(at..).filter(|rest| !rest.is_empty()) {
        let wanted_len = longest(wanted, rest).unwrap_or(0);
        let filler_len = longest(fillers, rest).unwrap_or(0);
        if wanted_len == 0 && filler_len == 0 {
            return None;
        }
        if wanted_len >= filler_len {
            found += 1;
        }
        at += wanted_len.max(filler_len);
    }
    Some(found)
}

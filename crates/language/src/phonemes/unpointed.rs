//! A guess for words without points: better a wrong vowel than a silent word.

use alloc::vec::Vec;

use super::letters::{Letter, Point};

/// Puts guessed vowels on a word that has none, so that the rules can read it.
///
/// The letters that help reading are trusted (a vav is *o*, a yod *i*, a final he *a*); between the remaining
/// consonants an *a* goes where a syllable needs one.
pub(super) fn guess(letters: &mut [Letter]) {
    let len = letters.len();
    let bases: Vec<char> = letters.iter().map(|letter| letter.base).collect();
    let at = |i: usize| bases.get(i).copied();
    let is_mater = |i: usize| {
        i > 0
            && match at(i) {
                Some('ו') => at(i + 1) != Some('ו') && at(i - 1) != Some('ו'),
                Some('י') => i + 1 == len || !matches!(at(i + 1), Some('ו' | 'י')),
                Some('ה' | 'א') => i + 1 == len,
                _ => false,
            }
    };
    let mut open = false;
    for i in 0..len {
        if is_mater(i) {
            open = true;
            continue;
        }
        let Some(letter) = letters.get_mut(i) else { continue };
        if i == 0 && matches!(letter.base, 'ב' | 'כ' | 'פ') {
            letter.dagesh = true;
        }
        let next_is_mater = i + 1 < len && is_mater(i + 1);
        if next_is_mater {
            match at(i + 1) {
                Some('ו') => {}
                Some('י') => letter.point = Some(Point::Hiriq),
                _ => letter.point = Some(Point::Kamatz),
            }
            continue;
        }
        let last = i + 1 == len;
        if last && len > 1 {
            continue;
        }
        let consonants_left = (i + 1..len).take_while(|after| !is_mater(*after)).count();
        let word_ends = i + 1 + consonants_left == len;
        let guttural = matches!(letter.base, 'א' | 'ה' | 'ע');
        let needed = i == 0 || guttural || !open || (word_ends && consonants_left == 1);
        letter.point = Some(if needed { Point::Patah } else { Point::Shva });
        open = needed;
    }
}

//! How some words are to be read, whatever the diacritiser thinks of them.
//!
//! The network that points Hebrew (see the crate `speech-onnx`) reads a few words of every office wrongly: כן as
//! *kan*, אליכם as *elikhem*, עם as *am*, names as common words. Words of `data/readings.tsv` get their points
//! before the network sees the text, and it leaves pointed words alone.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

/// `word TAB word with points`, sorted; lines with `#` are remarks.
const READINGS: &str = include_str!("../data/readings.tsv");

/// Puts points on the words that the table knows. What carries points already, or is not in the table, stays.
pub fn point(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_mul(2));
    let mut rest = text;
    while let Some(start) = rest.find(is_of_word) {
        let (before, from_word) = rest.split_at(start);
        let length = from_word.find(|c| !is_of_word(c)).unwrap_or(from_word.len());
        let (word, after) = from_word.split_at(length);
        out.push_str(before);
        out.push_str(&reading(word).unwrap_or_else(|| word.to_owned()));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn reading(word: &str) -> Option<String> {
    entries().find(|(bare, _)| *bare == word).map(|(_, pointed)| pointed.to_owned())
}

fn entries() -> impl Iterator<Item = (&'static str, &'static str)> {
    READINGS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'))
}

/// Hebrew letters, their points, and the marks that stand inside a word.
const fn is_of_word(c: char) -> bool {
    matches!(c, '\u{591}'..='\u{5bd}' | '\u{5bf}'..='\u{5c2}' | '\u{5c4}'..='\u{5c7}' | 'א'..='ת' | '\u{5f3}' | '\u{5f4}' | '\'' | '"')
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn words_of_the_table_are_pointed_and_others_are_not() {
        assert_eq!(point("נחזור אליכם, כן?"), "נחזור אֲלֵיכֶם, כֵּן?");
        assert_eq!(point("כנסו"), "כנסו", "a longer word is another word");
        assert_eq!(point("כַּן"), "כַּן", "the owner's points stay");
        assert_eq!(point("call me אליכם 5"), "call me אֲלֵיכֶם 5");
        assert_eq!(point(""), "");
    }

    #[test]
    fn the_table_is_sorted_and_spells_each_word_as_it_is() {
        let words: Vec<(&str, &str)> = entries().collect();
        assert!(words.len() > 100, "{}", words.len());
        assert!(words.is_sorted_by(|a, b| a.0 < b.0));
        for (bare, pointed) in words {
            let spelled: String = pointed.chars().filter(|c| !matches!(c, '\u{591}'..='\u{5c7}')).collect();
            assert_eq!(spelled, bare);
            assert_ne!(pointed, bare, "no points");
        }
    }
}

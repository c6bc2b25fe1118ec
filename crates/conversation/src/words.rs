//! What the words of a transcript mean for taking turns: the one place where this crate meets `language`.

use language::completeness::Completeness as Sounds;
use language::{compare, completeness as by_words, digits, intent};
use units::Language;

/// Whether somebody who said this is likely to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// A whole sentence, or a whole number.
    Finished,
    /// It may be all, or not.
    Unsure,
    /// A dangling phrase, half a number, or a hesitation.
    Unfinished,
}

/// Returns whether somebody who said `text` is likely to go on. `expected` is how many digits are asked for, if any are:
/// then a number is complete when it has as many, or is a whole telephone number.
pub(crate) fn completeness(text: &str, language: Language, expected: Option<u8>) -> Completeness {
    let sounds = by_words::completeness(text, language);
    let run = digits::digits_in(text, language);
    if let Some(expected) = expected.filter(|_| run.ends_in_digit) {
        let whole = run.digits.reveal().chars().filter(char::is_ascii_digit).count() >= usize::from(expected);
        return if whole || sounds == Sounds::Finished { Completeness::Finished } else { Completeness::Unfinished };
    }
    match sounds {
        Sounds::Finished => Completeness::Finished,
        Sounds::Unclear => Completeness::Unsure,
        Sounds::Dangling(_) | Sounds::HalfNumber { .. } => Completeness::Unfinished,
    }
}

/// Words in a row that are taken for an echo when the agent is saying them: three. Fewer may be an answer.
const ECHO_MIN_WORDS: usize = 3;

/// Returns whether `text` is some words in a row of what is being said, long enough to be its echo.
pub(crate) fn is_part_of<'a>(text: &str, mut said: impl Iterator<Item = &'a str>) -> bool {
    let heard = compare::comparable(text);
    let is_in = |sentence: &str| compare::comparable(sentence).windows(heard.len()).any(|words| words == heard);
    heard.len() >= ECHO_MIN_WORDS && said.any(is_in)
}

pub(crate) use intent::{is_backchannel, is_goodbye, is_hesitation};

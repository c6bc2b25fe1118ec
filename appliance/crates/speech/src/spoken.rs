//! From written text to what the speech program is given.

use language::normalize::normalize;
use language::phonemes::{Token, espeak_input, foreign_words, phonemes};
use language::readings;
use units::Language;

use crate::synthesizer::{Diacritizer, SynthesizeError};

/// One run of the speech program: text for the voice of one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) language: Language,
    pub(crate) input: String,
}

/// Turns a sentence into runs. English words within Hebrew are spoken by the English voice.
pub(crate) fn runs(
    text: &str,
    language: Language,
    diacritizer: Option<&mut (dyn Diacritizer + 'static)>,
) -> Result<Vec<Run>, SynthesizeError> {
    let normal = normalize(text, language);
    match language {
        Language::English => Ok(english(&normal).into_iter().collect()),
        Language::Hebrew => {
            let normal = readings::point(&normal);
            let pointed = match diacritizer {
                Some(diacritizer) => diacritizer.diacritize(&finished(normal))?,
                None => normal,
            };
            Ok(hebrew(&phonemes(&pointed)))
        }
    }
}

/// Returns what the Hebrew voice is given for a sentence, for tests of the whole path from text to phonemes.
#[cfg(feature = "test-support")]
pub fn hebrew_input(text: &str, diacritizer: &mut (dyn Diacritizer + 'static)) -> Result<String, SynthesizeError> {
    let runs = runs(text, Language::Hebrew, Some(diacritizer))?;
    let hebrew = runs.into_iter().filter(|run| run.language == Language::Hebrew);
    Ok(hebrew.map(|run| run.input).collect::<Vec<_>>().join(" "))
}

/// Returns the text as a finished sentence: without a last full stop the diacritiser garbles the last word.
fn finished(mut text: String) -> String {
    let is_open = text.trim_end().chars().next_back().is_some_and(char::is_alphanumeric);
    let is_pointed = text.trim_end().ends_with(|c: char| ('\u{5b0}'..='\u{5c7}').contains(&c));
    if is_open || is_pointed {
        text.truncate(text.trim_end().len());
        text.push('.');
    }
    text
}

/// Returns the run of English text; nothing if there is nothing to pronounce.
fn english(text: &str) -> Option<Run> {
    // The program reads what stands in double brackets as phonemes.
    let input: String = text.chars().filter(|c| !matches!(c, '[' | ']')).collect();
    input.chars().any(char::is_alphanumeric).then_some(Run { language: Language::English, input })
}

fn hebrew(tokens: &[Token]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for stretch in tokens.chunk_by(|a, b| is_foreign(a) == is_foreign(b)) {
        if stretch.first().is_some_and(is_foreign) {
            let words: Vec<&str> = foreign_words(stretch);
            runs.extend(english(&words.join(" ")));
        } else {
            let input = one_by_one(&espeak_input(stretch));
            if input.contains('[') {
                runs.push(Run { language: Language::Hebrew, input });
            }
        }
    }
    runs
}

/// Puts every word into brackets of its own. The program takes about 800 bytes at once, and what a long stretch in
/// brackets has beyond that it would spell out.
fn one_by_one(input: &str) -> String {
    let mut out = String::with_capacity(input.len().saturating_mul(2));
    let mut open = false;
    for c in input.chars() {
        match c {
            '[' => open = true,
            ']' => open = false,
            _ => {}
        }
        if open && c == ' ' {
            out.push_str("]] [[");
        } else {
            out.push(c);
        }
    }
    out
}

const fn is_foreign(token: &Token) -> bool {
    matches!(token, Token::Foreign(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_text_cannot_open_phoneme_brackets() {
        let runs = runs("Call [[h@l'oU]] 5", Language::English, None).unwrap();
        assert_eq!(runs.len(), 1);
        assert!(!runs[0].input.contains(['[', ']']), "{runs:?}");
        assert!(runs[0].input.contains("five"), "{runs:?}");
    }

    #[test]
    fn hebrew_becomes_phonemes_and_loses_no_digit() {
        let runs = runs("שָׁלוֹם, 05.", Language::Hebrew, None).unwrap();
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].language, Language::Hebrew);
        for word in ["[[Sal'om]]", "[['efes]]", "am'eS]]"] {
            assert!(runs[0].input.contains(word), "{word} in {}", runs[0].input);
        }
    }

    #[test]
    fn foreign_words_within_hebrew_go_to_the_english_voice() {
        let runs = runs("שָׁלוֹם David שָׁלוֹם", Language::Hebrew, None).unwrap();
        let languages: Vec<Language> = runs.iter().map(|run| run.language).collect();
        assert_eq!(languages, [Language::Hebrew, Language::English, Language::Hebrew]);
    }

    #[test]
    fn every_word_is_in_brackets_of_its_own() {
        let runs = runs("שָׁלוֹם שָׁלוֹם, שָׁלוֹם.", Language::Hebrew, None).unwrap();
        assert_eq!(runs[0].input, "[[Sal'om]] [[Sal'om]], [[Sal'om]].");
    }

    #[test]
    fn nothing_to_pronounce_is_nothing_to_run() {
        for language in Language::ALL {
            for text in ["", " ", "...", "?!", "[[]]"] {
                assert_eq!(runs(text, language, None).unwrap(), [], "{text:?}");
            }
        }
    }
}

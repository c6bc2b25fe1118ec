//! What of a model's words reaches the caller, and what of the caller's reaches the model.
//!
//! A model can be talked into things. Whatever it is talked into, the voice says at most [`MAX_SENTENCES`] sentences and
//! [`MAX_CHARACTERS`] characters of plain text in a language of the form, and neither the rules nor the tools' names.

use language::phonemes::strip_niqqud;
use language::script::LetterCounts;
use units::Language;

use super::tools;
use crate::Form;
use crate::machine::shared::plain;

/// Sentences in one reply.
pub(super) const MAX_SENTENCES: usize = 6;
/// Characters in one reply: about 40 s of speech.
pub(super) const MAX_CHARACTERS: usize = 600;
/// Characters of the caller's words that the model is told: more than a minute of speech.
const MAX_CALLER: usize = 1_000;
/// A stretch of the rules of this many characters is no coincidence.
const LEAK: usize = 40;

/// Words by which a model speaks about itself instead of to the caller.
const CONFESSIONS: &[&str] = &[
    "my instructions",
    "my prompt",
    "system prompt",
    "system message",
    "the instructions i",
    "following instructions",
    "i was instructed",
    "i am instructed",
    "i have been instructed",
    "i was told to",
    "language model",
    "as an ai",
    "ההוראות שלי",
    "ההנחיות שלי",
    "ההוראות שקיבלתי",
    "ההנחיות שקיבלתי",
    "לפי ההוראות",
    "לפי ההנחיות",
    "על פי ההוראות",
    "על פי ההנחיות",
    "בהתאם להוראות",
    "בהתאם להנחיות",
    "הוראות המערכת",
    "הודעת המערכת",
    "הנחיות המערכת",
    "הפרומפט",
    "מודל שפה",
];

/// What becomes of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is said, so.
    Say(String, Language),
    /// Nothing is left of it, and nothing is missed.
    Empty,
    /// It is dropped: no caller of this form would understand it.
    Foreign,
    /// It is dropped: enough was said.
    TooMuch,
    /// It is dropped, and so is all that follows: the model was talked into something.
    Stop,
}

/// Watches one reply.
#[derive(Clone)]
pub(super) struct Guard {
    /// The rules, without anything but letters and digits.
    rules: String,
    /// The end of what was said, in the same form.
    tail: String,
    sentences: usize,
    characters: usize,
}

impl Guard {
    /// Returns a guard for a reply made under these rules.
    pub(super) fn new(rules: &str) -> Self {
        Self { rules: letters(rules), tail: String::new(), sentences: 0, characters: 0 }
    }

    /// Decides about the next sentence.
    pub(super) fn check(&mut self, sentence: &str, form: &Form, spoken: Language) -> Verdict {
        let said = format!("{} {}", self.tail, letters(sentence));
        if self.leaks(&said) || confesses(sentence, &said) {
            return Verdict::Stop;
        }
        let text = speakable(sentence);
        if !text.chars().any(char::is_alphanumeric) {
            return Verdict::Empty;
        }
        let Some(language) = language_of(&text, spoken).filter(|language| form.speaks(*language)) else {
            return Verdict::Foreign;
        };
        let characters = self.characters.saturating_add(text.chars().count());
        if self.sentences >= MAX_SENTENCES || characters > MAX_CHARACTERS {
            return Verdict::TooMuch;
        }
        self.sentences = self.sentences.saturating_add(1);
        self.characters = characters;
        let skip = said.chars().count().saturating_sub(LEAK.saturating_sub(1));
        self.tail = said.chars().skip(skip).collect();
        Verdict::Say(text, language)
    }

    /// Whether a stretch of the rules is in it. A leak that is spread over several sentences is one too.
    fn leaks(&self, said: &str) -> bool {
        let said: Vec<char> = said.trim().chars().collect();
        said.windows(LEAK).any(|stretch| self.rules.contains(&stretch.iter().collect::<String>()))
    }
}

fn confesses(sentence: &str, said: &str) -> bool {
    let raw = sentence.replace('\\', "").to_lowercase();
    tools::NAMES.iter().any(|name| raw.contains(name)) || CONFESSIONS.iter().any(|words| said.contains(words))
}

/// Returns the language a sentence is in: that of its letters, the one spoken where they are mixed or there are none,
/// `None` where most are of neither.
fn language_of(text: &str, spoken: Language) -> Option<Language> {
    let counts = LetterCounts::of(text);
    if counts.other > counts.hebrew.saturating_add(counts.latin) {
        return None;
    }
    Some(match (counts.hebrew, counts.latin) {
        (1.., 0) => Language::Hebrew,
        (0, 1..) => Language::English,
        (0, 0) | (1.., 1..) => spoken,
    })
}

/// Keeps letters and digits in lower case, with single spaces between, so that no punctuation hides a word.
fn letters(text: &str) -> String {
    let bare = strip_niqqud(&plain(text)).to_lowercase();
    let spaced: String = bare.chars().map(|letter| if letter.is_alphanumeric() { letter } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the caller's words as the model sees them: one line, bounded, without the marks by which some models tell
/// roles apart.
pub(super) fn caller_words(text: &str) -> String {
    let one_line = plain(text).replace("<|", " ").replace("|>", " ");
    let bounded: String = one_line.chars().take(MAX_CALLER).collect();
    bounded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns a text as the voice can say it: one line, without markup, pictures and addresses.
pub(super) fn speakable(text: &str) -> String {
    let lines = text.split(['\n', '\r']).map(without_marker);
    let line = plain(&lines.collect::<Vec<_>>().join(" "));
    let words: Vec<String> = without_targets(&line)
        .split_whitespace()
        .map(|word| without_marks(&without_address(word)))
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

/// Drops what marks a heading, a quotation or an entry of a list at the start of a line.
fn without_marker(line: &str) -> &str {
    let line = line.trim_start();
    let unmarked = line.trim_start_matches(['#', '>']);
    let unmarked = if unmarked.starts_with(char::is_whitespace) { unmarked.trim_start() } else { line };
    let marker = |mark: &str| unmarked.strip_prefix(mark);
    if let Some(rest) = ["- ", "* ", "+ ", "• ", "– ", "— "].into_iter().find_map(marker) {
        return rest.trim_start();
    }
    let number = unmarked.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let is_entry = (1..=2).contains(&unmarked.len().saturating_sub(number.len()));
    number.strip_prefix(". ").or_else(|| number.strip_prefix(") ")).filter(|_| is_entry).unwrap_or(unmarked)
}

/// Drops the targets of links, `[text](target)`.
fn without_targets(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        kept.push_str(before);
        kept.push(' ');
        rest = after.split_once(')').map_or("", |(_, behind)| behind);
    }
    kept.push_str(rest);
    kept
}

/// Drops a web address; the stop behind it stays.
fn without_address(word: &str) -> String {
    let lower = word.to_lowercase();
    let start = lower.find("://").map(|_| 0).or_else(|| lower.find("www."));
    if start.is_none() {
        return word.to_owned();
    }
    let body = word.trim_end_matches(['.', ',', '?', '!', ')']);
    word.get(body.len()..).unwrap_or_default().chars().filter(|letter| *letter != ')').collect()
}

/// Drops marks of emphasis, code and tables, brackets of links, and pictures. A star before digits stays: there are
/// telephone numbers that begin with one.
fn without_marks(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let is_kept = |at: usize, letter: char| match letter {
        '*' => is_star_number(&letters, at),
        '`' | '~' | '_' | '[' | ']' | '|' | '<' | '>' | '{' | '}' | '\\' => false,
        _ => !is_picture(letter),
    };
    let kept: String =
        letters.iter().enumerate().filter(|(at, letter)| is_kept(*at, **letter)).map(|(_, l)| *l).collect();
    if kept == "()" { String::new() } else { kept }
}

fn is_star_number(letters: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| letters.get(before));
    let behind = letters.get(at.saturating_add(1)..).unwrap_or_default();
    let digits = behind.iter().take_while(|letter| letter.is_ascii_digit()).count();
    before != Some(&'*') && digits > 0 && behind.get(digits) != Some(&'*')
}

/// Whether a character is an emoji, an arrow, a box or another picture.
const fn is_picture(letter: char) -> bool {
    matches!(
        letter,
        '\u{20e3}' | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{2500}'..='\u{27bf}'
            | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}'
    )
}

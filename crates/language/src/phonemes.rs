//! Hebrew with points (niqqud) to phonemes, by our own rules of modern Israeli reading.
//!
//! espeak-ng has no Hebrew vowels of its own, so it is given phonemes ([`espeak_input`]) made here: letters with
//! their points, then consonants and vowels, then the stress. A word without points is taken from a list of
//! common words or guessed, so that nothing is silent.
//!
//! A writer who wants another stress marks the stressed letter with an ole (U+05AB) or a meteg (U+05BD).
//!
//! **Invariant:** the mnemonics come from a fixed table; no character of the input reaches them.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

mod espeak;
mod letters;
mod rules;
mod stress;
mod unpointed;
mod words;

pub use espeak::{espeak_input, mnemonics};

/// A consonant of modern Hebrew, the sounds of loanwords among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consonant {
    /// Alef or ayin before a vowel inside a word.
    Glottal,
    /// Hard bet.
    B,
    /// Soft bet, or vav.
    V,
    /// Gimel.
    G,
    /// Gimel with geresh, as in ג׳ירפה.
    Dj,
    /// Dalet.
    D,
    /// He.
    H,
    /// Vav with geresh, as in English "w".
    W,
    /// Zayin.
    Z,
    /// Zayin with geresh, as in ז׳קט.
    Zh,
    /// Het, or soft kaf.
    Kh,
    /// Tet or tav.
    T,
    /// Yod.
    Y,
    /// Hard kaf, or kof.
    K,
    /// Lamed.
    L,
    /// Mem.
    M,
    /// Nun.
    N,
    /// Samekh, or sin.
    S,
    /// Hard pe.
    P,
    /// Soft pe.
    F,
    /// Tsadi.
    Ts,
    /// Tsadi with geresh, as in צ׳יפס.
    Ch,
    /// Resh.
    R,
    /// Shin.
    Sh,
}

/// One of the five vowels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vowel {
    /// As in שַׁבָּת.
    A,
    /// As in כֵּן.
    E,
    /// As in מִי.
    I,
    /// As in לֹא.
    O,
    /// As in הוּא.
    U,
}

/// One sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phoneme {
    /// A consonant.
    Consonant(Consonant),
    /// A vowel; each is the heart of a syllable.
    Vowel(Vowel),
}

/// A word as it is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpokenWord {
    phonemes: Vec<Phoneme>,
    stress: Option<usize>,
}

impl SpokenWord {
    /// Returns the sounds in order.
    pub fn phonemes(&self) -> &[Phoneme] {
        &self.phonemes
    }

    /// Returns which of the sounds is the stressed vowel, counted from 0.
    pub const fn stress(&self) -> Option<usize> {
        self.stress
    }
}

/// A break between words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// A comma, colon, semicolon or dash.
    Short,
    /// The end of a statement.
    Sentence,
    /// The end of a question.
    Question,
    /// The end of an exclamation.
    Exclamation,
}

/// What a text is made of for the voice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A Hebrew word.
    Word(SpokenWord),
    /// A break.
    Pause(Pause),
    /// A word in other letters or in digits, which these rules cannot read. It may hold personal data: not for logs.
    Foreign(String),
}

/// Reads a text: pointed Hebrew, words of other scripts, punctuation.
pub fn phonemes(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for piece in text.split(|c: char| c.is_whitespace() || matches!(c, '\u{5be}' | '-' | '\u{2010}' | '\u{2011}' | '/'))
    {
        push_piece(&mut tokens, piece);
    }
    tokens
}

/// Returns the words that [`mnemonics`] leaves out because they are not Hebrew.
pub fn foreign_words(tokens: &[Token]) -> Vec<&str> {
    tokens
        .iter()
        .filter_map(|token| match token {
            Token::Foreign(word) => Some(word.as_str()),
            Token::Word(_) | Token::Pause(_) => None,
        })
        .collect()
}

/// Returns the text without points, stress and cantillation marks.
pub fn strip_niqqud(text: &str) -> String {
    text.chars().filter(|c| !letters::is_mark(*c)).collect()
}

/// Whether `c` is one of the Hebrew letters, final forms among them.
pub(crate) const fn is_hebrew_letter(c: char) -> bool {
    letters::is_letter(c)
}

/// Whether `c` is a point or an accent on a Hebrew letter.
pub(crate) const fn is_hebrew_mark(c: char) -> bool {
    letters::is_mark(c)
}

fn push_piece(tokens: &mut Vec<Token>, piece: &str) {
    let mut word = String::new();
    for c in piece.chars() {
        match pause_of(c) {
            Some(pause) => {
                push_word(tokens, &word);
                word.clear();
                tokens.push(Token::Pause(pause));
            }
            None => word.push(c),
        }
    }
    push_word(tokens, &word);
}

const fn pause_of(c: char) -> Option<Pause> {
    Some(match c {
        ',' | ';' | ':' | '\u{2013}' | '\u{2014}' | '(' | ')' => Pause::Short,
        '.' | '\u{2026}' | '\u{5c3}' => Pause::Sentence,
        '?' => Pause::Question,
        '!' => Pause::Exclamation,
        _ => return None,
    })
}

fn push_word(tokens: &mut Vec<Token>, word: &str) {
    if word.chars().any(letters::is_letter) {
        if let Some(spoken) = speak(word) {
            tokens.push(Token::Word(spoken));
        }
    } else if word.chars().any(char::is_alphanumeric) {
        tokens.push(Token::Foreign(word.to_owned()));
    }
}

fn speak(word: &str) -> Option<SpokenWord> {
    let mut letters = letters::read(word);
    let pointed = letters.iter().any(|letter| !letter.is_bare());
    if !pointed {
        let listed = match letters.as_slice() {
            [only] => words::letter_name(only.base).map(str::to_owned),
            _ => words::point(word),
        };
        match listed {
            Some(listed) => letters = letters::read(&listed),
            None => unpointed::guess(&mut letters),
        }
    }
    letters::mend(&mut letters);
    let mut reading = rules::read(&letters);
    if reading.nuclei.is_empty() {
        unpointed::guess(&mut letters);
        reading = rules::read(&letters);
    }
    if reading.nuclei.is_empty()
        && let Some(first) = letters.first_mut()
    {
        first.point = Some(letters::Point::Patah);
        reading = rules::read(&letters);
    }
    if reading.phonemes.is_empty() {
        return None;
    }
    let stress = stress::place(&letters, &reading);
    Some(SpokenWord { phonemes: reading.phonemes, stress })
}

//! Phonemes as espeak-ng writes them (its Kirshenbaum-like mnemonics, voice `he`).

use alloc::string::String;

use super::{Consonant, Pause, Phoneme, SpokenWord, Token, Vowel};

/// Returns the mnemonics of all tokens, words parted by spaces and pauses as `_:`, without the brackets `[[ ]]`.
///
/// What stands in the result comes from a fixed table, so that it cannot close the brackets it is put into.
/// Foreign words are left out; see [`super::foreign_words`].
pub fn mnemonics(tokens: &[Token]) -> String {
    let mut out = String::new();
    for token in tokens {
        match token {
            Token::Word(word) => {
                separate(&mut out);
                push_word(&mut out, word);
            }
            Token::Pause(_) if !out.is_empty() && !out.ends_with(PAUSE) => {
                separate(&mut out);
                out.push_str(PAUSE);
            }
            Token::Pause(_) | Token::Foreign(_) => {}
        }
    }
    while out.ends_with(PAUSE) {
        out.truncate(out.len() - PAUSE.len());
        out.truncate(out.trim_end().len());
    }
    out
}

/// Returns a whole input for espeak-ng: runs of words in `[[ ]]`, between them the punctuation that shapes its melody.
pub fn espeak_input(tokens: &[Token]) -> String {
    let mut out = String::new();
    let mut open = false;
    for token in tokens {
        match token {
            Token::Word(word) => {
                if !open && !out.is_empty() {
                    out.push(' ');
                }
                out.push_str(if open { " " } else { "[[" });
                open = true;
                push_word(&mut out, word);
            }
            Token::Pause(pause) => {
                if core::mem::take(&mut open) {
                    out.push_str("]]");
                    out.push(match pause {
                        Pause::Short => ',',
                        Pause::Sentence => '.',
                        Pause::Question => '?',
                        Pause::Exclamation => '!',
                    });
                }
            }
            Token::Foreign(_) => {}
        }
    }
    if open {
        out.push_str("]]");
    }
    out
}

const PAUSE: &str = "_:";

fn separate(out: &mut String) {
    if !out.is_empty() {
        out.push(' ');
    }
}

fn push_word(out: &mut String, word: &SpokenWord) {
    for (i, phoneme) in word.phonemes.iter().enumerate() {
        if word.stress == Some(i) {
            out.push('\'');
        }
        out.push_str(mnemonic(*phoneme));
    }
}

const fn mnemonic(phoneme: Phoneme) -> &'static str {
    match phoneme {
        Phoneme::Vowel(vowel) => match vowel {
            Vowel::A => "a",
            Vowel::E => "e",
            Vowel::I => "i",
            Vowel::O => "o",
            Vowel::U => "u",
        },
        Phoneme::Consonant(consonant) => match consonant {
            Consonant::Glottal => "?",
            Consonant::B => "b",
            Consonant::V => "v",
            Consonant::G => "g",
            Consonant::Dj => "dZ",
            Consonant::D => "d",
            Consonant::H => "h",
            Consonant::W => "w",
            Consonant::Z => "z",
            Consonant::Zh => "Z",
            Consonant::Kh => "X",
            Consonant::T => "t",
            Consonant::Y => "j",
            Consonant::K => "k",
            Consonant::L => "l",
            Consonant::M => "m",
            Consonant::N => "n",
            Consonant::S => "s",
            Consonant::P => "p",
            Consonant::F => "f",
            Consonant::Ts => "ts",
            Consonant::Ch => "tS",
            Consonant::R => "Q",
            Consonant::Sh => "S",
        },
    }
}

//! Written text to spoken words.
//!
//! Everything a voice cannot read is turned into words: telephone numbers digit by digit, times, dates, money,
//! percentages, ranges, abbreviations, symbols, addresses of mail and web. Hebrew number words take the gender of
//! what they count and come with points; points the writer gave are kept.
//!
//! **Invariant:** no digit of any script remains.
//! **Invariant:** of punctuation only `. , ? ! : ;` remain, and geresh, gershayim and apostrophes inside words.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use units::Language;

use crate::compare::digit_of;
use crate::phonemes::strip_niqqud;

mod abbreviations;
mod english;
mod forms;
mod hebrew;
mod output;
mod symbols;

use forms::Form;
use output::Output;

/// Returns `text` as it is to be spoken: words and punctuation, parted by single spaces.
pub fn normalize(text: &str, language: Language) -> String {
    let mut scanner = Scanner {
        chars: fold(text),
        at: 0,
        out: Output::default(),
        language,
        prefix: String::new(),
        before: String::new(),
    };
    while scanner.at < scanner.chars.len() {
        let start = scanner.at;
        scanner.step();
        if scanner.at == start {
            scanner.at += 1;
        }
    }
    scanner.out.finish()
}

/// Digits of all scripts to ASCII, typed variants of quotes and spaces to one each, what is invisible away.
fn fold(text: &str) -> Vec<char> {
    let mut chars: Vec<char> = Vec::with_capacity(text.len());
    for c in text.chars() {
        let folded = match c {
            _ if digit_of(c).is_some() => digit_of(c).unwrap_or(' '),
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{5f4}' => '"',
            '\u{2018}' | '\u{2019}' | '\u{5f3}' | '\u{b4}' | '`' => '\'',
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{ad}' => {
                continue;
            }
            '\u{2010}' | '\u{2011}' | '\u{2012}' | '\u{2212}' | '\u{5be}' => '-',
            '\n' => '\n',
            _ if c.is_whitespace() || c.is_control() => ' ',
            _ => c,
        };
        if folded == '\'' && chars.last() == Some(&'\'') {
            chars.pop();
            chars.push('"');
        } else {
            chars.push(folded);
        }
    }
    chars
}

/// Walks over the text once, from left to right.
struct Scanner {
    chars: Vec<char>,
    at: usize,
    out: Output,
    language: Language,
    /// A Hebrew prefix (ב, ל, ה ...) written before a number, to be put on its first word.
    prefix: String,
    /// The word before, without points, for the number's gender.
    before: String,
}

impl Scanner {
    fn step(&mut self) {
        let Some(c) = self.peek(0) else { return };
        if c == '\n' {
            self.out.pause('.');
            self.at += 1;
        } else if c.is_whitespace() {
            self.at += 1;
        } else if !self.address() && !self.number() && !self.word() {
            self.symbol(c);
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn rest(&self) -> &[char] {
        self.chars.get(self.at..).unwrap_or_default()
    }

    fn say(&mut self, words: &str) {
        let prefix = core::mem::take(&mut self.prefix);
        if prefix.is_empty() {
            self.out.words(words);
        } else {
            let mut prefixed = hebrew::pointed_prefix(&prefix);
            prefixed.push_str(words);
            self.out.words(&prefixed);
        }
        self.before = strip_niqqud(words.rsplit(' ').next().unwrap_or_default());
    }

    /// An address of mail or web: a token of Latin letters with `@` or a dot inside.
    fn address(&mut self) -> bool {
        if self.at > 0 && self.chars.get(self.at - 1).is_some_and(|c| !c.is_whitespace() && !"(\"'-".contains(*c)) {
            return false;
        }
        let token: String = self.rest().iter().take_while(|c| !c.is_whitespace()).collect();
        let token = token.trim_end_matches(['.', ',', '?', '!', ':', ';', ')', '"', '\'']);
        let Some(spoken) = symbols::address(token, self.language) else { return false };
        self.at += token.chars().count();
        self.say(&spoken);
        true
    }

    fn number(&mut self) -> bool {
        let Some((form, len)) = forms::read(self.rest(), self.language) else { return false };
        let before = self.at.checked_sub(1).and_then(|at| self.chars.get(at)).copied();
        if len == 0 || (matches!(form, Form::Negative) && before.is_some_and(|c| !c.is_whitespace() && c != '(')) {
            return false;
        }
        let after: Vec<char> = self.rest().get(len..).unwrap_or_default().to_vec();
        let context = Context { before: self.before.clone(), after: &after, prefix: !self.prefix.is_empty() };
        let (words, used) = match self.language {
            Language::Hebrew => hebrew::speak(&form, &context),
            Language::English => english::speak(&form, &context),
        };
        self.at += len + used;
        self.say(&words);
        true
    }

    fn word(&mut self) -> bool {
        let token = symbols::word(self.rest());
        if token.is_empty() {
            return false;
        }
        let len = token.chars().count();
        let next = self.peek(len);
        let glued = self.rest().get(len..).unwrap_or_default();
        // "ב-10", "ב10", "מה-5": prefix letters that belong to a number.
        if self.language == Language::Hebrew && hebrew::is_prefix(&token) {
            let number = if next == Some('-') { glued.get(1..).unwrap_or_default() } else { glued };
            if number.first().is_some_and(|c| c.is_ascii_digit() || "$₪€£*+".contains(*c))
                && forms::read(number, self.language).is_some()
            {
                self.prefix.push_str(&strip_niqqud(&token));
                self.at += len + usize::from(next == Some('-'));
                return true;
            }
            if next == Some('-') {
                self.at += len + 1;
                self.say(&hebrew::pointed_prefix(&strip_niqqud(&token)));
                return true;
            }
        }
        if let Some((spoken, extra)) = abbreviations::days(&token, glued, &self.before) {
            self.at += len + extra;
            self.say(&spoken);
            return true;
        }
        if let Some((spoken, used)) = abbreviations::expand(&token, glued, self.language) {
            self.at += used;
            self.say(&spoken);
            return true;
        }
        self.at += len;
        self.say(&token);
        true
    }

    fn symbol(&mut self, c: char) {
        self.at += 1;
        match c {
            '.' | ',' | '?' | '!' | ':' | ';' => self.out.pause(c),
            '\u{2026}' => self.out.pause('.'),
            '(' | ')' | '\u{2013}' | '\u{2014}' | '[' | ']' | '|' => self.out.pause(','),
            _ => {
                let next = self.rest().iter().find(|c| !c.is_whitespace()).copied();
                if c == '&' && self.language == Language::Hebrew && next.is_some_and(crate::phonemes::is_hebrew_letter)
                {
                    self.prefix.push('ו');
                    self.at += self.rest().iter().take_while(|c| **c == ' ').count();
                    return;
                }
                if let Some(words) = symbols::name(c, self.language) {
                    self.say(words);
                }
            }
        }
    }
}

/// What stands around a number.
pub(crate) struct Context<'a> {
    /// The word before it, without points.
    before: String,
    /// The text after it.
    after: &'a [char],
    /// A Hebrew prefix is glued to it.
    prefix: bool,
}

impl Context<'_> {
    /// Returns the next word (without points) after blanks or a hyphen, and how many characters up to its end.
    fn next_word(&self) -> Option<(String, usize)> {
        let blanks = self.after.iter().take_while(|c| matches!(c, ' ' | '-')).count();
        let word = symbols::word(self.after.get(blanks..)?);
        (!word.is_empty()).then(|| (strip_niqqud(&word), blanks + word.chars().count()))
    }
}

/// Returns the number a string of ASCII digits means, or `None` where it is to be read digit by digit.
pub(crate) fn spoken_value(digits: &str) -> Option<u32> {
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    digits.parse().ok().filter(|value| *value <= crate::numbers::MAX_SPOKEN)
}

/// Returns the text of some characters.
pub(crate) fn text_of(chars: &[char]) -> String {
    chars.iter().collect::<String>().trim().to_owned()
}

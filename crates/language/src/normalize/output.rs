//! What has been normalised so far.

use alloc::string::String;

/// Spoken words with pauses between them.
#[derive(Default)]
pub(super) struct Output {
    text: String,
}

impl Output {
    /// Adds words, with one space before them.
    pub(super) fn words(&mut self, words: &str) {
        for word in words.split_whitespace() {
            if word.chars().all(is_pause) {
                if let Some(c) = word.chars().next() {
                    self.pause(c);
                }
                continue;
            }
            if !self.text.is_empty() {
                self.text.push(' ');
            }
            self.text.push_str(word);
        }
    }

    /// Adds a pause behind the last word; of two the stronger stays. At the start there is nothing to part.
    pub(super) fn pause(&mut self, pause: char) {
        match self.text.chars().next_back() {
            None => {}
            Some(last) if is_pause(last) && strength(pause) <= strength(last) => {}
            Some(last) if is_pause(last) => {
                self.text.pop();
                self.text.push(pause);
            }
            Some(_) => self.text.push(pause),
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

const fn is_pause(c: char) -> bool {
    matches!(c, '.' | ',' | '?' | '!' | ':' | ';')
}

const fn strength(c: char) -> u8 {
    match c {
        '?' => 4,
        '!' => 3,
        '.' => 2,
        ':' | ';' => 1,
        _ => 0,
    }
}

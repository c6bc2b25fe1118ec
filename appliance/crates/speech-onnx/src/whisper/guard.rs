//! Guards against text that nobody said. Pure.
//!
//! Whisper writes on silence and noise, and falls into loops. The first guard is the voice activity detector before
//! it; these are the ones behind: the no-speech probability, the certainty of the text, how well the text
//! compresses, and a loop detector that ends a decoding before it has run to its limit.

/// Limits beyond which a text is dropped.
///
/// The defaults are those published with Whisper, except `certain_no_speech`: on silence, noise and tones the
/// no-speech probability of the fixture model is 0.98, on speech below 0.01, and stopping before the first token
/// saves the whole decoding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guards {
    /// With this no-speech probability nothing is decoded at all. Default 0.9.
    pub certain_no_speech: f32,
    /// With this no-speech probability an uncertain text is dropped. Default 0.6.
    pub no_speech: f32,
    /// A text is uncertain below this mean log probability. Default -1.
    pub log_probability: f32,
    /// A text that compresses better than this is a loop. Default 2.4.
    pub compression: f32,
}

impl Default for Guards {
    fn default() -> Self {
        Self { certain_no_speech: 0.9, no_speech: 0.6, log_probability: -1.0, compression: 2.4 }
    }
}

/// Most tokens in a phrase that repeats.
pub(crate) const LONGEST_PHRASE: usize = 16;

/// A loop is a phrase said four times or more...
const REPEATS: usize = 4;

/// ...that fills this many tokens. A caller who says "no" ten times, or dictates ten equal digits, stays below.
const LOOP_TOKENS: usize = 24;

/// Returns the length of `tokens` before a loop they end in, counting one repetition as said.
pub(crate) fn before_loop(tokens: &[u32]) -> Option<usize> {
    (1..=LONGEST_PHRASE).find_map(|phrase| {
        let mut repeats = 1_usize;
        let mut chunks = tokens.rchunks_exact(phrase);
        let last = chunks.next()?;
        repeats = repeats.saturating_add(chunks.take_while(|chunk| *chunk == last).count());
        let looped = repeats.saturating_mul(phrase);
        (repeats >= REPEATS && looped >= LOOP_TOKENS)
            .then(|| tokens.len().saturating_sub(looped).saturating_add(phrase))
    })
}

/// Returns how many times smaller zlib makes the text.
///
/// Hebrew letters count as one byte each: in UTF-8 every second byte is the same, which would make any Hebrew
/// sentence look like a loop.
pub(crate) fn compression(text: &str) -> f32 {
    let bytes: Vec<u8> = text
        .chars()
        .map(|letter| match u32::from(letter) {
            code @ 0..=0x7F => code.to_le_bytes()[0],
            // ISO 8859-8 places them so.
            code @ 0x05D0..=0x05EA => code.saturating_sub(0x05D0 - 0xE0).to_le_bytes()[0],
            other => other.to_le_bytes()[0] | 0x80,
        })
        .collect();
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(&bytes, 6).len();
    #[expect(clippy::cast_precision_loss, reason = "texts are short")]
    let ratio = bytes.len() as f32 / packed.max(1) as f32;
    ratio
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_found_and_one_repetition_kept() {
        let mut tokens = vec![1, 2, 3];
        tokens.extend([7, 8, 9].repeat(8));
        assert_eq!(before_loop(&tokens), Some(6));
        assert_eq!(before_loop(&[5; 24]), Some(1));
    }

    #[test]
    fn a_caller_who_repeats_himself_is_no_loop() {
        assert_eq!(before_loop(&[5; 12]), None);
        assert_eq!(before_loop(&[1, 2].repeat(10)), None);
        assert_eq!(before_loop(&[]), None);
    }

    #[test]
    fn ordinary_sentences_compress_little_in_both_languages() {
        for text in [
            "אני רוצה לקבוע תור ליום שלישי בשעה עשר וחצי, קוראים לי דני כהן והמספר שלי אפס חמש ארבע אחת שתיים שלוש",
            "I would like to book an appointment for Tuesday at half past ten, my name is Danny and my number is",
            "לא לא לא לא כן כן כן כן",
            "five five five five five five five five five five",
        ] {
            assert!(compression(text) < 2.4, "{} in {text}", compression(text));
        }
    }

    #[test]
    fn a_loop_compresses_well() {
        assert!(compression(&"תודה שצפיתם ".repeat(12)) > 2.4);
        assert!(compression(&"thank you for watching ".repeat(8)) > 2.4);
    }
}

//! The voice when none is given, and the files it is sent in.

#![expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "samples stay below full scale")]

use std::f32::consts::TAU;

/// Telephone rate.
const RATE_HZ: f32 = 8_000.0;
/// Samples of one letter: 65 ms.
const LETTER_SAMPLES: usize = 520;
/// Samples of a fade at either end of a letter: 5 ms.
const FADE_SAMPLES: usize = 40;
/// A low male voice, in hertz.
const PITCH_HZ: f32 = 120.0;

/// Speaks: a vowel-like tone whose loudness and colour change with each letter; spaces and marks are silence.
pub(crate) fn tone(text: &str) -> Vec<i16> {
    let mut samples = Vec::new();
    for letter in text.chars() {
        if !letter.is_alphanumeric() {
            samples.extend(std::iter::repeat_n(0_i16, LETTER_SAMPLES));
            continue;
        }
        // Spreads neighbouring letters; the constant is Knuth's multiplicative hash.
        let spread = u32::from(letter).wrapping_mul(2_654_435_761) >> 24;
        let loudness = (0.25 + spread as f32 / 340.0) * 12_000.0;
        let formant_hz = 350.0 + 4.0 * spread as f32;
        samples.extend((0..LETTER_SAMPLES).map(|at| {
            let seconds = at as f32 / RATE_HZ;
            let edge = at.min(LETTER_SAMPLES - at).min(FADE_SAMPLES) as f32 / FADE_SAMPLES as f32;
            let wave = 0.6 * (TAU * PITCH_HZ * seconds).sin() + 0.4 * (TAU * formant_hz * seconds).sin();
            (wave * loudness * edge) as i16
        }));
    }
    samples
}

/// Returns a µ-law file as some tools write it: an extended format chunk, a fact and a comment before the audio, so
/// that the audio does not begin at byte 44.
pub(crate) fn mulaw_file(samples: &[i16]) -> Vec<u8> {
    const COMMENT: &[u8] = b"INFOISFT\x0e\0\0\0Fake cloud 1.0";
    let mut data = Vec::new();
    media::g711::Law::Mu.encode_into(samples, &mut data);
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut chunks = Vec::new();
    chunks.extend_from_slice(b"WAVEfmt \x12\0\0\0\x07\0\x01\0");
    chunks.extend_from_slice(&8_000_u32.to_le_bytes());
    chunks.extend_from_slice(&8_000_u32.to_le_bytes());
    chunks.extend_from_slice(b"\x01\0\x08\0\0\0fact\x04\0\0\0");
    chunks.extend_from_slice(&length.to_le_bytes());
    chunks.extend_from_slice(b"LIST");
    chunks.extend_from_slice(&u32::try_from(COMMENT.len()).unwrap_or_default().to_le_bytes());
    chunks.extend_from_slice(COMMENT);
    chunks.extend_from_slice(b"data");
    chunks.extend_from_slice(&length.to_le_bytes());
    chunks.append(&mut data);
    if !chunks.len().is_multiple_of(2) {
        chunks.push(0);
    }
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&u32::try_from(chunks.len()).unwrap_or(u32::MAX).to_le_bytes());
    file.append(&mut chunks);
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::wav::{Encoding, Wav};

    #[test]
    fn the_file_has_a_long_header_and_the_right_audio() {
        let samples = tone("a b");
        let file = mulaw_file(&samples);
        let wav = Wav::parse(&file).unwrap();
        assert_eq!((wav.spec().encoding, wav.data().len()), (Encoding::MuLaw, samples.len()));
        assert_ne!(&file[54..58], b"data", "the header is not of the length others expect");
    }
}

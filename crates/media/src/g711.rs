//! G.711: one byte per sample, µ-law (North America, Japan, the carrier's streams) or A-law (elsewhere).
//!
//! Decoding is a table, made when this is compiled, out of the definition in ITU-T G.711
//! (<https://www.itu.int/rec/T-REC-G.711>). Encoding works on 14 bits (µ-law) and 13 bits (A-law), as the reference
//! coder does; other coders round a few hundred inputs differently, which nobody can hear.

/// µ-law silence. Its twin `0x7f` is silence too (minus zero).
pub const MULAW_SILENCE: u8 = 0xff;
/// A-law has no zero; this is the smallest positive step.
pub const ALAW_SILENCE: u8 = 0xd5;

/// Sample for each µ-law byte.
pub static MULAW_TO_LINEAR: [i16; 256] = mulaw_table();
/// Sample for each A-law byte.
pub static ALAW_TO_LINEAR: [i16; 256] = alaw_table();

/// Which companding law a byte is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law.
    Mu,
    /// A-law.
    A,
}

impl Law {
    /// Returns the sample of one byte.
    pub fn decode(self, byte: u8) -> i16 {
        match self {
            Self::Mu => decode_mulaw(byte),
            Self::A => decode_alaw(byte),
        }
    }

    /// Returns the byte of one sample.
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => encode_mulaw(sample),
            Self::A => encode_alaw(sample),
        }
    }

    /// Returns the byte of silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => MULAW_SILENCE,
            Self::A => ALAW_SILENCE,
        }
    }

    /// Decodes bytes into samples, as many as the shorter of the two holds; returns how many.
    pub fn decode_slice(self, bytes: &[u8], samples: &mut [i16]) -> usize {
        for (sample, byte) in samples.iter_mut().zip(bytes) {
            *sample = self.decode(*byte);
        }
        bytes.len().min(samples.len())
    }

    /// Encodes samples into bytes, as many as the shorter of the two holds; returns how many.
    pub fn encode_slice(self, samples: &[i16], bytes: &mut [u8]) -> usize {
        for (byte, sample) in bytes.iter_mut().zip(samples) {
            *byte = self.encode(*sample);
        }
        bytes.len().min(samples.len())
    }

    /// Appends the samples of `bytes` to `samples`.
    pub fn decode_into(self, bytes: &[u8], samples: &mut Vec<i16>) {
        samples.extend(bytes.iter().map(|byte| self.decode(*byte)));
    }

    /// Appends the bytes of `samples` to `bytes`.
    pub fn encode_into(self, samples: &[i16], bytes: &mut Vec<u8>) {
        bytes.extend(samples.iter().map(|sample| self.encode(*sample)));
    }
}

/// Returns the sample of a µ-law byte, from -32124 to 32124.
pub fn decode_mulaw(byte: u8) -> i16 {
    MULAW_TO_LINEAR.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Returns the sample of an A-law byte, from -32256 to 32256.
pub fn decode_alaw(byte: u8) -> i16 {
    ALAW_TO_LINEAR.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Returns the µ-law byte of a sample. Samples beyond 32124 are clipped.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 13 bits, then masked to 7")]
pub const fn encode_mulaw(sample: i16) -> u8 {
    /// Largest magnitude in 14 bits that has a code, before the bias.
    const CLIP: i32 = 8_159;
    /// What makes the segments powers of two (132 in 16 bits).
    const BIAS: i32 = 33;

    let sample = (sample as i32) >> 2;
    let (magnitude, mask) = if sample < 0 { (-sample, 0x7f) } else { (sample, 0xff) };
    let magnitude = if magnitude > CLIP { CLIP } else { magnitude };
    let biased = (magnitude + BIAS) as u32;
    // 33..=63 is segment 0; each segment after it is twice as wide.
    let segment = biased.ilog2() - 5;
    if segment >= 8 {
        return 0x7f ^ mask;
    }
    let step = (biased >> (segment + 1)) & 0x0f;
    (((segment << 4) | step) as u8) ^ mask
}

/// Returns the A-law byte of a sample.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "13 bits, then masked to 7")]
pub const fn encode_alaw(sample: i16) -> u8 {
    let sample = (sample as i32) >> 3;
    let (magnitude, mask) = if sample < 0 { (-sample - 1, 0x55) } else { (sample, 0xd5) };
    let magnitude = magnitude as u32;
    // Segments 0 and 1 have the same step; from there each is twice as wide.
    let segment = if magnitude < 32 { 0 } else { magnitude.ilog2() - 4 };
    let shift = if segment < 2 { 1 } else { segment };
    let step = (magnitude >> shift) & 0x0f;
    (((segment << 4) | step) as u8) ^ mask
}

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler over 0..256")]
const fn mulaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let code = !(byte as u8);
        let segment = (code >> 4) & 0x07;
        let step = (code & 0x0f) as i32;
        let magnitude = (((step << 3) + 132) << segment) - 132;
        table[byte] = if code & 0x80 == 0 { magnitude as i16 } else { -magnitude as i16 };
        byte += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler over 0..256")]
const fn alaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let code = (byte as u8) ^ 0x55;
        let segment = (code >> 4) & 0x07;
        let step = ((code & 0x0f) as i32) << 4;
        let magnitude = if segment == 0 { step + 8 } else { (step + 0x108) << (segment - 1) };
        table[byte] = if code & 0x80 == 0 { -magnitude as i16 } else { magnitude as i16 };
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn decode_tables_are_the_published_ones() {
        let published = [
            (&MULAW_TO_LINEAR, "3dab54339e520bb2c924826e3b72a917a2b612e9fd12fc867500f1d983a75827"),
            (&ALAW_TO_LINEAR, "e04788d110e58ff8c70c93b8480190d973e3b67876b6119abbaec766cc75c174"),
        ];
        for (table, digest) in published {
            let bytes: Vec<u8> = table.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            assert_eq!(hex(&Sha256::digest(&bytes)), digest);
        }
    }

    #[test]
    fn mulaw_encoder_is_the_reference_coder_over_all_samples() {
        let bytes: Vec<u8> = (i16::MIN..=i16::MAX).map(encode_mulaw).collect();
        assert_eq!(hex(&Sha256::digest(&bytes)), "81d633c9e6972a18c74a58720b96cb8ca0bdd096d4060b646dd708c3b846019a");
    }

    #[test]
    fn every_byte_survives_a_round_trip_except_minus_zero() {
        for byte in 0..=u8::MAX {
            let expected = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(encode_mulaw(decode_mulaw(byte)), expected, "µ-law {byte:#x}");
            assert_eq!(encode_alaw(decode_alaw(byte)), byte, "A-law {byte:#x}");
        }
    }

    #[test]
    fn no_sample_moves_by_more_than_half_a_step() {
        for sample in -32_124..=32_124_i16 {
            let moved = (i32::from(sample) - i32::from(decode_mulaw(encode_mulaw(sample)))).abs();
            assert!(moved <= 515, "µ-law moved {sample} by {moved}");
            let moved = (i32::from(sample) - i32::from(decode_alaw(encode_alaw(sample)))).abs();
            assert!(moved <= 512, "A-law moved {sample} by {moved}");
        }
    }

    #[test]
    fn louder_is_never_encoded_as_quieter() {
        for law in [Law::Mu, Law::A] {
            let decoded: Vec<i16> = (i16::MIN..=i16::MAX).map(|sample| law.decode(law.encode(sample))).collect();
            assert!(decoded.is_sorted(), "{law:?}");
        }
    }

    #[test]
    fn slices_of_different_length_convert_what_both_have() {
        let mut samples = [1_i16; 4];
        assert_eq!(Law::Mu.decode_slice(&[0xff, 0x80], &mut samples), 2);
        assert_eq!(samples, [0, 32_124, 1, 1]);
        let mut bytes = [0_u8; 2];
        assert_eq!(Law::Mu.encode_slice(&[0, 32_124, 5], &mut bytes), 2);
        assert_eq!(bytes, [0xff, 0x80]);
    }

    fn hex(bytes: &[u8]) -> String {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap();
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

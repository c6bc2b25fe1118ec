//! The line's code, G.711 µ-law (ITU-T G.711, table 2).

/// Added to the magnitude before the segment is looked for.
const BIAS: u16 = 132;

/// The largest magnitude that does not overflow with the bias.
const CLIP: u16 = 32_635;

/// Returns samples as µ-law bytes.
pub(crate) fn encode(samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|sample| encode_one(*sample)).collect()
}

fn encode_one(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs().min(CLIP) + BIAS;
    let segment = 7 - u32::min(7, magnitude.leading_zeros() - 1 + u32::from(magnitude.leading_zeros() == 0));
    let step = (magnitude >> (segment + 3)) & 0x0f;
    !(sign | u8::try_from(segment << 4).unwrap_or(0x70) | u8::try_from(step).unwrap_or(0x0f))
}

/// Returns the sample a µ-law byte stands for.
pub(crate) fn decode(byte: u8) -> i16 {
    let byte = !byte;
    let segment = u32::from((byte >> 4) & 7);
    let magnitude = ((i16::from(byte & 0x0f) * 8 + 132) << segment) - 132;
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

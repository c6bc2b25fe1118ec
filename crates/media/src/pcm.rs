//! Samples as integers and as fractions, and two tracks in one.

/// Converts 16-bit samples to fractions of full scale, appending them.
pub fn to_f32(samples: &[i16], out: &mut Vec<f32>) {
    out.extend(samples.iter().map(|sample| f32::from(*sample) / 32_768.0));
}

/// Converts fractions of full scale to 16-bit samples, appending them. What is beyond full scale is clipped; what is
/// not a number is silence.
pub fn to_i16(samples: &[f32], out: &mut Vec<i16>) {
    out.extend(samples.iter().map(|sample| sample_to_i16(*sample)));
}

/// Converts one fraction of full scale.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and turns what is not a number into 0")]
pub fn sample_to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}

/// Weaves two tracks into stereo, appending it; the shorter one is filled up with silence.
pub fn interleave(left: &[i16], right: &[i16], out: &mut Vec<i16>) {
    let len = left.len().max(right.len());
    let full = |track: &[i16], index: usize| track.get(index).copied().unwrap_or_default();
    out.extend((0..len).flat_map(|index| [full(left, index), full(right, index)]));
}

/// Mixes interleaved channels down to one by averaging, appending it. An incomplete last group is dropped.
#[expect(clippy::cast_possible_truncation, reason = "the average of 16-bit samples is one")]
pub fn downmix(samples: &[i16], channels: u16, out: &mut Vec<i16>) {
    let channels = channels.max(1);
    out.extend(samples.chunks_exact(usize::from(channels)).map(|group| {
        let sum: i32 = group.iter().map(|sample| i32::from(*sample)).sum();
        (sum / i32::from(channels)) as i16
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_survive_being_fractions() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let (mut fractions, mut back) = (Vec::new(), Vec::new());
        to_f32(&all, &mut fractions);
        to_i16(&fractions, &mut back);
        assert_eq!(all, back);
    }

    #[test]
    fn what_is_no_sample_is_clipped_or_silent() {
        let mut out = Vec::new();
        to_i16(&[2.0, -2.0, f32::NAN, f32::INFINITY], &mut out);
        assert_eq!(out, [i16::MAX, i16::MIN, 0, i16::MAX]);
    }

    #[test]
    fn tracks_are_woven_and_mixed() {
        let (mut stereo, mut mono) = (Vec::new(), Vec::new());
        interleave(&[1, 3], &[5], &mut stereo);
        assert_eq!(stereo, [1, 5, 3, 0]);
        downmix(&stereo, 2, &mut mono);
        assert_eq!(mono, [3, 1]);
        downmix(&[i16::MIN, i16::MIN, 7], 2, &mut mono);
        assert_eq!(mono, [3, 1, i16::MIN]);
    }
}

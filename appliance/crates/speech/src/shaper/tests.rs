#![expect(clippy::cast_possible_truncation, reason = "sines within 16 bits")]

use media::level;
use proptest::prelude::*;

use super::*;

const TARGET: f32 = -20.0;

#[test]
fn loud_and_quiet_speech_come_out_at_one_level() {
    for amplitude in [1_500.0, 5_000.0, 12_000.0, 20_000.0] {
        let out = shape(&[tone(amplitude, 1_000.0, 44_100)], SampleRate::HZ_22050);
        let level = level::rms_dbfs(&out);
        assert!((level - TARGET).abs() < 1.0, "{level} of {amplitude}");
    }
}

#[test]
fn pauses_do_not_count_for_the_level() {
    let pieces = [tone(9_000.0, 800.0, 11_025), vec![0; 44_100], tone(9_000.0, 800.0, 11_025)];
    let out = shape(&pieces, SampleRate::HZ_22050);
    let level = level::rms_dbfs(&out[1_000..3_500]);
    assert!((level - TARGET).abs() < 1.0, "{level}");
}

#[test]
fn peaks_are_bent_and_never_clipped() {
    // One sample in a hundred is loud: the level is low, so that the gain would clip.
    let clicks: Vec<i16> = (0..44_100).map(|n| if n % 400 < 4 { 32_000 } else { 300 }).collect();
    let out = shape(&[clicks], SampleRate::HZ_22050);
    assert!(level::peak_dbfs(&out) < -0.8, "{}", level::peak_dbfs(&out));
}

#[test]
fn silence_before_goes_and_little_stays_behind() {
    let sound = 8_000;
    let out = shape(&[vec![0; 22_050], tone(9_000.0, 900.0, 22_050), vec![0; 44_100]], SampleRate::HZ_22050);
    let range = sound..sound + LEAD + TAIL + 100;
    assert!(range.contains(&out.len()), "{}", out.len());
    assert_eq!((out[0], *out.last().unwrap()), (0, 0));
}

#[test]
fn it_begins_and_ends_without_a_click() {
    let out = shape(&[tone(9_000.0, 900.0, 22_050)], SampleRate::HZ_22050);
    let steps = |part: &[i16]| part.windows(2).map(|w| w[0].abs_diff(w[1])).max().unwrap();
    // The filters ring a little where a tone sets in at once, as no voice does.
    let usual = steps(&out[2_000..4_000]) * 5 / 4;
    assert!(steps(&out[..100]) <= usual && steps(&out[out.len() - 100..]) <= usual);
    assert!(out[0].abs() < 100 && out.last().unwrap().abs() < 100);
}

#[test]
fn what_the_telephone_does_not_carry_is_taken_out() {
    let mixed = |hz| {
        let (voice, other) = (tone(6_000.0, 1_000.0, 44_100), tone(6_000.0, hz, 44_100));
        let both: Vec<i16> = voice.iter().zip(&other).map(|(a, b)| a + b).collect();
        level::rms_dbfs(&shape(&[both], SampleRate::HZ_22050)[4_000..12_000])
    };
    let alone = level::rms_dbfs(&shape(&[tone(6_000.0, 1_000.0, 44_100)], SampleRate::HZ_22050)[4_000..12_000]);
    // The level counts both, so what is taken out does not lower what stays.
    for hz in [50.0, 6_000.0] {
        assert!((mixed(hz) - alone).abs() < 0.5, "{hz} Hz");
    }
    let quiet = |hz| {
        let out = shape(&[tone(300.0, hz, 44_100)], SampleRate::HZ_22050);
        level::rms_dbfs(&out)
    };
    assert!(quiet(60.0) < quiet(1_000.0) - 20.0);
}

#[test]
fn silence_and_nothing_stay_nothing() {
    assert!(shape(&[], SampleRate::HZ_22050).is_empty());
    assert!(shape(&[vec![0; 30_000]], SampleRate::HZ_22050).is_empty());
}

proptest! {
    #[test]
    fn any_samples_in_any_pieces_stay_within_bounds(
        pieces in prop::collection::vec(prop::collection::vec(any::<i16>(), 0..3_000), 0..8),
        rate in prop::sample::select(vec![8_000_u32, 16_000, 22_050, 48_000]),
    ) {
        let out = shape(&pieces, SampleRate::new(rate).unwrap());
        let ceiling = pcm::sample_to_i16(CEILING);
        prop_assert!(out.iter().all(|sample| sample.unsigned_abs() <= ceiling.unsigned_abs()));
        let total: usize = pieces.iter().map(Vec::len).sum();
        prop_assert!(out.len() <= total * 8_000 / rate as usize + 2);
    }
}

fn shape(pieces: &[Vec<i16>], rate: SampleRate) -> Vec<i16> {
    let mut shaper = Shaper::new(rate, TARGET).unwrap();
    let mut out = Vec::new();
    for piece in pieces {
        shaper.push(piece, &mut out).unwrap();
    }
    shaper.finish(&mut out).unwrap();
    out
}

/// A tone at 22.05 kHz.
fn tone(amplitude: f32, hz: f32, len: u16) -> Vec<i16> {
    let step = std::f32::consts::TAU * hz / 22_050.0;
    (0..len).map(|n| (amplitude * (f32::from(n) * step).sin()) as i16).collect()
}

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "signals are made out of indexes"
)]

use proptest::prelude::*;

use super::*;

const RATES: [u32; 8] = [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 12_345];

#[test]
fn tones_of_a_voice_keep_their_level_and_their_place() {
    // 20 ms of 22.05 kHz are an odd number of samples: the filter's middle lies between two of them. The delay of the
    // sinc filter is cut to whole samples of the output.
    let cases = [(8_000, 16_000, 0.0), (16_000, 8_000, 0.0), (22_050, 8_000, 0.5), (24_000, 8_000, 0.0)];
    for (from, to, samples_off) in cases.into_iter().chain([(8_000, 12_345, 0.65)]) {
        for frequency_hz in [200.0, 1_000.0, 2_000.0, 3_000.0, 3_400.0] {
            let made = convert(&tone(frequency_hz, from, 1.0), rate(from), rate(to)).unwrap();
            let expected = tone(frequency_hz, to, 1.0);
            let (made, expected) = (middle(&made), middle(&expected));
            let off_db = power_db(made) - power_db(expected);
            assert!(off_db.abs() < 0.5, "{frequency_hz} Hz from {from} to {to} is off by {off_db} dB");
            let error: Vec<f32> = made.iter().zip(expected).map(|(a, b)| a - b).collect();
            let error_db = power_db(&error) - power_db(expected);
            let phase_off = std::f64::consts::TAU * frequency_hz * samples_off / f64::from(from);
            let allowed_db = 20.0 * (phase_off + 0.06).log10();
            assert!(error_db < allowed_db, "{frequency_hz} Hz from {from} to {to}: {error_db} dB of error");
        }
    }
}

#[test]
fn what_the_slower_rate_cannot_hold_is_gone() {
    for (from, to) in [(16_000, 8_000), (22_050, 8_000), (24_000, 8_000), (48_000, 8_000), (12_345, 8_000)] {
        for frequency_hz in [4_500.0, 5_000.0, 5_900.0] {
            let input = tone(frequency_hz, from, 1.0);
            let made = convert(&input, rate(from), rate(to)).unwrap();
            let left_db = power_db(middle(&made)) - power_db(middle(&input));
            assert!(left_db < -50.0, "{frequency_hz} Hz from {from} to {to} left {left_db} dB");
        }
    }
}

#[test]
fn images_above_the_telephone_band_are_not_made_up() {
    let made = convert(&tone(3_000.0, 8_000, 1.0), rate(8_000), rate(16_000)).unwrap();
    let image_db = goertzel_db(middle(&made), 5_000.0, 16_000) - goertzel_db(middle(&made), 3_000.0, 16_000);
    assert!(image_db < -50.0, "image at {image_db} dB");
}

#[test]
fn a_converter_can_be_used_again_after_its_end() {
    let input = tone(700.0, 22_050, 0.3);
    let mut resampler = Resampler::new(rate(22_050), rate(8_000)).unwrap();
    let mut runs = [Vec::new(), Vec::new()];
    for run in &mut runs {
        resampler.process(&input, run).unwrap();
        resampler.finish(run).unwrap();
    }
    let [first, second] = runs;
    assert_eq!(first, second);
}

#[test]
fn a_telephone_frame_comes_out_within_thirty_milliseconds() {
    let mut resampler = Resampler::new(rate(8_000), rate(16_000)).unwrap();
    let mut output = Vec::new();
    resampler.process_i16(&[1_000; 160], &mut output).unwrap();
    assert_eq!(output.len(), 160);
    resampler.process_i16(&[1_000; 160], &mut output).unwrap();
    assert_eq!(output.len(), 480);
    assert_eq!(resampler.delay(), Duration::from_millis(30));
}

#[test]
fn rates_that_are_no_audio_are_refused() {
    for hz in [1, 999, 400_000, u32::MAX] {
        assert!(matches!(Resampler::new(rate(hz), rate(8_000)), Err(ResampleError::Rate { .. })));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_length_is_exact_and_cutting_the_input_changes_nothing(
        from in 0_usize..RATES.len(),
        to in 0_usize..RATES.len(),
        len in 0_usize..6_000,
        cut in 1_usize..1_000,
    ) {
        let (from, to) = (RATES[from], RATES[to]);
        let input: Vec<f32> = tone(400.0, from, 1.0).into_iter().take(len).collect();
        let whole = convert(&input, rate(from), rate(to)).unwrap();
        let exact = (input.len() as u64 * u64::from(to)).div_ceil(u64::from(from));
        prop_assert_eq!(whole.len() as u64, exact);
        let mut resampler = Resampler::new(rate(from), rate(to)).unwrap();
        let mut pieces = Vec::new();
        for piece in input.chunks(cut) {
            resampler.process(piece, &mut pieces).unwrap();
        }
        resampler.finish(&mut pieces).unwrap();
        prop_assert_eq!(whole, pieces);
    }
}

fn rate(hz: u32) -> SampleRate {
    SampleRate::new(hz).unwrap()
}

fn tone(frequency_hz: f64, rate_hz: u32, seconds: f64) -> Vec<f32> {
    let step = frequency_hz * std::f64::consts::TAU / f64::from(rate_hz);
    let len = (seconds * f64::from(rate_hz)) as u32;
    (0..len).map(|n| ((f64::from(n) * step).sin() * 0.5) as f32).collect()
}

/// The part that no edge touches.
fn middle(samples: &[f32]) -> &[f32] {
    let quarter = samples.len() / 4;
    &samples[quarter..samples.len() - quarter]
}

fn power_db(samples: &[f32]) -> f64 {
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    10.0 * (energy / samples.len() as f64).max(1e-20).log10()
}

fn goertzel_db(samples: &[f32], frequency_hz: f64, rate_hz: u32) -> f64 {
    let step = frequency_hz * std::f64::consts::TAU / f64::from(rate_hz);
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in (0_u32..).zip(samples) {
        // A window, so that a strong tone does not leak into the place looked at.
        let window = 0.5 - 0.5 * (std::f64::consts::TAU * f64::from(n) / samples.len() as f64).cos();
        re += window * f64::from(*sample) * (step * f64::from(n)).cos();
        im += window * f64::from(*sample) * (step * f64::from(n)).sin();
    }
    10.0 * (re * re + im * im).max(1e-20).log10()
}

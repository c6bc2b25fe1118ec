use super::*;

#[test]
fn silence_has_one_value_everywhere() {
    let mel = LogMel::new(80).compute(&[], 5);
    assert_eq!(mel.len(), 400);
    assert!(mel.iter().all(|value| (*value - -1.5).abs() < 1e-6));
}

#[test]
fn silence_after_the_audio_is_the_same_as_silence_in_it() {
    let tone: Vec<f32> = (0..8_000).map(|i| (i as f32 * 0.3).sin() * 0.3).collect();
    let mut padded = tone.clone();
    padded.resize(16_000, 0.0);
    let mut front_end = LogMel::new(80);
    assert_eq!(front_end.compute(&tone, 100), front_end.compute(&padded, 100));
}

#[test]
fn a_tone_is_loudest_in_the_band_that_holds_it() {
    let tone: Vec<f32> =
        (0..16_000).map(|i| (i as f32 * 440.0 * 2.0 * std::f32::consts::PI / 16_000.0).sin()).collect();
    let mel = LogMel::new(80).compute(&tone, 100);
    let band = (0..80).max_by(|a, b| mel[a * 100 + 50].total_cmp(&mel[b * 100 + 50])).unwrap();
    let (low, high) = (mel_to_hertz(band as f64 * 45.245_640_471_924_965 / 81.0), 800.0);
    assert!((300.0..high).contains(&low), "band {band} starts at {low} Hz");
}

#[test]
fn every_filter_has_weight_with_80_and_128_bands() {
    for mels in [80, 128] {
        let filters = filters(mels);
        assert_eq!(filters.len(), mels);
        assert!(filters.iter().all(|filter| filter.weights.iter().sum::<f32>() > 0.0));
        assert!(filters.iter().all(|filter| filter.first + filter.weights.len() <= BINS));
    }
}

#[test]
fn the_edges_are_reflected_without_repeating_them() {
    assert_eq!(reflect(MARGIN, 1_000), 0);
    assert_eq!(reflect(MARGIN - 1, 1_000), 1);
    assert_eq!(reflect(0, 1_000), 200);
    assert_eq!(reflect(MARGIN + 999, 1_000), 999);
    assert_eq!(reflect(MARGIN + 1_000, 1_000), 998);
}

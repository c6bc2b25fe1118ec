//! The detector on real recordings, as they sound on the telephone: 8 kHz, µ-law, and back to 16 kHz.

use std::fs;
use std::path::Path;
use std::time::Duration;

use media::g711::Law;
use media::resample::convert_i16;
use speech::{EarshotVad, Segmenter, SegmenterConfig, SpeechEvent, Vad as _};
use units::{SampleCount, SampleRate};

use crate::support::shared;

/// Loudness from which on a frame of a recording counts as speech, over its noise.
const LOUD: i16 = 1_000;

#[test]
fn silence_and_noise_begin_no_speech() {
    assert_eq!(starts(&vec![0; 80_000]), 0);
    for amplitude in [30_u32, 300, 3_000, 10_000] {
        assert_eq!(starts(&noise(amplitude, 80_000)), 0, "noise of {amplitude}");
    }
}

#[test]
fn keys_begin_no_speech() {
    let Some(folder) = shared("speech/dtmf") else { return };
    for file in files(&folder) {
        let tone = telephone(&file);
        let keys: Vec<i16> = [vec![0; 4_000], tone, vec![0; 4_000]].concat();
        assert_eq!(starts(&keys), 0, "{}", file.display());
    }
    // Long presses of every pair, as exact sines.
    for low in [697.0, 770.0, 852.0, 941.0] {
        for high in [1_209.0, 1_336.0, 1_477.0] {
            let long = [vec![0; 4_000], pair(low, high), vec![0; 4_000]].concat();
            assert_eq!(starts(&long), 0, "{low} + {high}");
        }
    }
}

#[test]
fn speech_is_noticed_within_150_ms_of_its_first_sound() {
    let Some(folder) = shared("speech/he/yesno") else { return };
    let mut late: Vec<Duration> = Vec::new();
    let mut missed = 0;
    for file in files(&folder) {
        let samples = telephone(&file);
        let onset = onset(&samples);
        let first = events(&samples).into_iter().find_map(|event| match event {
            SpeechEvent::Started { detected, .. } => Some(detected.duration(SampleRate::HZ_16000)),
            SpeechEvent::Ended { .. } => None,
        });
        match first {
            Some(detected) => late.push(detected.saturating_sub(onset)),
            None => missed += 1,
        }
    }
    late.sort();
    let (median, most) = (late[late.len() / 2], late[late.len() * 9 / 10]);
    println!("{} files, {missed} missed, noticed after {median:?}, 90 % {most:?}, worst {:?}", late.len(), late.last());
    assert!(missed == 0 && median <= Duration::from_millis(120) && most <= Duration::from_millis(150));
}

#[test]
fn a_speech_is_mostly_speech_and_its_pauses_are_found() {
    let Some(file) = shared("speech/en/jfk.wav") else { return };
    let samples = telephone(&file);
    let (mut speech, mut open, mut stretches) = (0, None, 0);
    for event in events(&samples) {
        match event {
            SpeechEvent::Started { at, .. } => open = Some(at),
            SpeechEvent::Ended { at, .. } => {
                speech += at.saturating_sub(open.take().unwrap()).0;
                stretches += 1;
            }
        }
    }
    let share = speech * 50 / samples.len() as u64;
    println!("{share} % in {stretches} stretches");
    assert!((55..95).contains(&share) && (2..10).contains(&stretches));
}

#[test]
fn a_window_of_wrong_length_is_silence_and_a_reset_forgets() {
    let mut vad = EarshotVad::new();
    assert_eq!((vad.probability(&[]), vad.probability(&[9_000; 100])), (0.0, 0.0));
    let windows = noise(9_000, 2_560);
    let mut hear = || windows.chunks_exact(256).map(|window| vad.probability(window)).collect::<Vec<f32>>();
    let first = hear();
    let second = hear();
    vad.reset();
    let again: Vec<f32> = windows.chunks_exact(256).map(|window| vad.probability(window)).collect();
    assert_eq!(first, again);
    assert_ne!(first, second);
}

/// What the segmenter tells of 8 kHz samples.
fn events(samples: &[i16]) -> Vec<SpeechEvent> {
    let wide = convert_i16(samples, SampleRate::HZ_8000, SampleRate::HZ_16000).unwrap();
    let (mut vad, mut segmenter) = (EarshotVad::new(), Segmenter::new(SegmenterConfig::default()));
    for window in wide.chunks_exact(vad.window_len()) {
        let probability = vad.probability(window);
        segmenter.push(probability);
    }
    segmenter.finish();
    std::iter::from_fn(|| segmenter.poll_event()).collect()
}

fn starts(samples: &[i16]) -> usize {
    events(samples).iter().filter(|event| matches!(event, SpeechEvent::Started { .. })).count()
}

/// When the first sound is loud enough to be heard.
fn onset(samples: &[i16]) -> Duration {
    let first = samples.iter().position(|sample| sample.abs() > LOUD).unwrap();
    SampleCount(first as u64).duration(SampleRate::HZ_8000)
}

/// Reads a WAV file and makes it sound like the telephone.
fn telephone(file: &Path) -> Vec<i16> {
    let bytes = fs::read(file).unwrap();
    let wav = media::wav::Wav::parse(&bytes).unwrap();
    let samples = convert_i16(&wav.mono(), wav.spec().rate, SampleRate::HZ_8000).unwrap();
    let (mut mulaw, mut heard) = (Vec::new(), Vec::new());
    Law::Mu.encode_into(&samples, &mut mulaw);
    Law::Mu.decode_into(&mulaw, &mut heard);
    heard
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().filter_map(Result::ok).map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "wav")).collect()
}

/// White noise, the same every time.
fn noise(amplitude: u32, len: usize) -> Vec<i16> {
    let mut state = 0x2545_f491_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (f64::from(amplitude) * (f64::from(state) / f64::from(u32::MAX) * 2.0 - 1.0)) as i16
    })
    .take(len)
    .collect()
}

fn pair(low: f64, high: f64) -> Vec<i16> {
    let sine = |hz: f64, n: u32| (std::f64::consts::TAU * hz * f64::from(n) / 8_000.0).sin();
    (0..8_000).map(|n| (6_000.0 * (sine(low, n) + sine(high, n))) as i16).collect()
}

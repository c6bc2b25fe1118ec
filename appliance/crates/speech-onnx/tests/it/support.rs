//! Where things are, and audio for the tests.

use std::path::{Path, PathBuf};

use media::wav::Wav;
use speech::{RecognizeRequest, Recognizer as _};
use speech_onnx::{Runtime, WhisperRecognizer};
use units::{Language, SampleRate};

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// Returns the path in an environment variable, or the given one.
#[expect(clippy::disallowed_methods, reason = "tests are told where the data is")]
fn path_of(variable: &str, otherwise: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| root().join(otherwise), PathBuf::from)
}

/// Returns the ONNX Runtime library.
pub(crate) fn library() -> PathBuf {
    path_of("ORT_DYLIB_PATH", ".setup/onnxruntime/libonnxruntime.so")
}

/// Returns ONNX Runtime, or says that the test is skipped.
pub(crate) fn runtime() -> Option<Runtime> {
    let library = library();
    if !library.is_file() {
        println!("skipped: there is no {}; run `make setup`", library.display());
        return None;
    }
    Some(Runtime::load(&library).expect("the library loads"))
}

/// Returns a file or folder of the shared test data, or says that the test is skipped.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let path = path_of("KOLBOX_SHARED", "../shared").join("data").join(path);
    if !path.exists() {
        println!("skipped: there is no {}", path.display());
        return None;
    }
    Some(path)
}

/// Returns the diacritizer's model, or says that the test is skipped.
pub(crate) fn nakdimon() -> Option<PathBuf> {
    let path = path_of("KOLBOX_NAKDIMON", ".setup/nakdimon/nakdimon.onnx");
    if !path.is_file() {
        println!("skipped: there is no {}; run `make setup`", path.display());
        return None;
    }
    Some(path)
}

/// Returns a request to hear `audio`.
pub(crate) fn request(audio: Vec<f32>, language: Option<Language>) -> RecognizeRequest {
    RecognizeRequest { audio, language, among: Vec::new(), prompt: String::new() }
}

/// Returns the text heard in `audio`.
pub(crate) fn hear(recognizer: &mut WhisperRecognizer, audio: Vec<f32>, language: Option<Language>) -> String {
    let heard = recognizer.recognize(&request(audio, language), &mut |_| {}).expect("the audio is recognized");
    heard.text.into_revealed()
}

/// Returns noise of this amplitude, the same every time.
pub(crate) fn noise(samples: usize, amplitude: f32) -> Vec<f32> {
    let mut state = 12_345_u32;
    (0..samples)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) as f32 / 32_768.0 - 1.0) * amplitude
        })
        .collect()
}

/// Returns noise of the telephone band at 16 kHz, the same every time.
pub(crate) fn telephone_noise(seconds: usize, amplitude: f32) -> Vec<f32> {
    double(&noise(seconds * 8_000, amplitude))
}

/// Reads a WAV file of 8 kHz and returns it at 16 kHz, as the published results have it.
pub(crate) fn telephone(path: &Path) -> Vec<f32> {
    double(&samples(path))
}

/// Reads a WAV file of 8 kHz and returns it at 16 kHz, as calls have it.
pub(crate) fn call_audio(path: &Path) -> Vec<f32> {
    media::resample::convert(&samples(path), SampleRate::HZ_8000, SampleRate::HZ_16000).unwrap()
}

fn samples(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("the recording is there");
    let file = Wav::parse(&bytes).expect("it is a WAV file");
    assert_eq!(file.spec().rate, SampleRate::HZ_8000);
    let mut samples = Vec::new();
    media::pcm::to_f32(&file.mono(), &mut samples);
    samples
}

/// Doubles the sample rate with a Kaiser-windowed sinc.
///
/// Two of the 92 recordings lie so near a decision that the resampler decides what is heard. The published results
/// come from a filter that passes up to 3.65 kHz and stops at 4 kHz by 126 dB; this one is the same to 1e-7.
fn double(samples: &[f32]) -> Vec<f32> {
    const CUTOFF_HZ: f64 = 3_827.487_3;
    const BETA: f64 = 13.040_031;
    const HALF: f64 = 194.5;
    let reach = HALF as i64;
    let weight = |offset: i64| {
        let x = offset as f64;
        let angle = std::f64::consts::PI * 2.0 * CUTOFF_HZ * x / 16_000.0;
        let sinc = if offset == 0 { 1.0 } else { angle.sin() / angle };
        let window = bessel(BETA * (1.0 - (x / HALF).powi(2)).max(0.0).sqrt()) / bessel(BETA);
        4.0 * CUTOFF_HZ / 16_000.0 * sinc * window
    };
    let weights: Vec<f64> = (-reach..=reach).map(weight).collect();
    let len = samples.len() as i64;
    (0..len * 2)
        .map(|at| {
            let first = (at - reach).max(0).div_euclid(2) + (at - reach).max(0).rem_euclid(2);
            let last = (at + reach).div_euclid(2).min(len - 1);
            let sum: f64 = (first..=last)
                .map(|index| f64::from(samples[index as usize]) * weights[(2 * index - at + reach) as usize])
                .sum();
            sum as f32
        })
        .collect()
}

/// The modified Bessel function of order zero.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..60 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

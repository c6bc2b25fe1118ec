//! How well and how fast the model in the repository hears, on clips it never learned from.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use language::compare;
use media::g711::Law;
use media::pcm;
use media::wav::Wav;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use speech::RecognizeRequest;
use units::Language;

use super::{Row, percentile_ms};
use crate::config::{Environment, Recognizer, Synthesizer};
use crate::sound;
use crate::voice::Device;

/// Clips of noise and silence listened to.
const NOISES: u64 = 500;
/// Where the held-out clips lie, in the model's folder: one line a clip with file, language, kind and text.
const HELD_OUT: &str = "heldout/heldout.tsv";

/// Measures word error rate, empty answers to noise, and speed.
pub(super) fn measure() -> anyhow::Result<Vec<Row>> {
    let mut config = Recognizer::default();
    if let Some(path) = Environment::of_process().ort_dylib_path {
        config.onnxruntime = path;
    }
    let device = Device::new(&config, &Synthesizer::default());
    let mut recognizer = device.recognizer().map_err(anyhow::Error::from_boxed)?;
    let mut rows = Vec::new();
    let mut took = Vec::new();
    let clips = clips(&config.model)?;
    for language in Language::ALL {
        let (mut words, mut errors, mut count) = (0_usize, 0_usize, 0_usize);
        for clip in clips.iter().filter(|clip| clip.language == language) {
            let request = request(clip.audio.clone());
            let began = Instant::now();
            let heard = recognizer.recognize(&request, &mut |_| {})?;
            took.push(began.elapsed());
            let rate = compare::word_error_rate(&clip.text, heard.text.reveal());
            words += rate.reference_words;
            errors += rate.total();
            count += 1;
        }
        #[expect(clippy::cast_precision_loss, reason = "a few thousand words")]
        let rate = errors as f64 / words.max(1) as f64 * 100.0;
        rows.push(
            Row::new(format!("mini model, {language}: word error rate, {count} held-out clips"), rate, "%")
                .at_most(5.0),
        );
    }
    rows.push(Row::new("mini model: recognition of a held-out clip, p50", percentile_ms(&mut took, 0.5), "ms"));
    rows.push(Row::new("mini model: recognition of a held-out clip, p95", percentile_ms(&mut took, 0.95), "ms"));
    let mut empty = 0_u32;
    for seed in 0..NOISES {
        let heard = recognizer.recognize(&request(on_the_telephone(&noise(seed))?), &mut |_| {})?;
        empty += u32::from(heard.text.reveal().is_empty());
    }
    #[expect(clippy::cast_precision_loss, reason = "five hundred")]
    let share = f64::from(empty) / NOISES as f64 * 100.0;
    rows.push(Row::new(format!("mini model: empty answer to {NOISES} noises and silences"), share, "%").at_least(99.0));
    Ok(rows)
}

struct Clip {
    language: Language,
    text: String,
    audio: Vec<f32>,
}

fn clips(model: &Path) -> anyhow::Result<Vec<Clip>> {
    let list = model.join(HELD_OUT);
    let text = fs::read_to_string(&list).with_context(|| format!("{}: cannot be read", list.display()))?;
    let folder = list.parent().context("a list in a folder")?;
    let mut clips = Vec::new();
    for line in text.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, language, kind, text] = columns[..] else { continue };
        // Clips of noise have no language; noise is made here.
        let Ok(language) = language.parse() else { continue };
        if kind != "synthetic" {
            continue;
        }
        let bytes = fs::read(folder.join(file)).with_context(|| format!("{file}: cannot be read"))?;
        let audio = sound::for_recognizer(&sound::mono_8khz(&Wav::parse(&bytes)?)?)?;
        clips.push(Clip { language, text: text.to_owned(), audio });
    }
    Ok(clips)
}

fn request(audio: Vec<f32>) -> RecognizeRequest {
    RecognizeRequest { audio, language: None, among: Language::ALL.to_vec(), prompt: String::new() }
}

/// Returns a sound at 8 kHz as it comes over the telephone, for the recognizer.
fn on_the_telephone(fractions: &[f32]) -> anyhow::Result<Vec<f32>> {
    let mut samples = Vec::with_capacity(fractions.len());
    pcm::to_i16(fractions, &mut samples);
    let coded: Vec<i16> = samples.iter().map(|sample| Law::Mu.decode(Law::Mu.encode(*sample))).collect();
    Ok(sound::for_recognizer(&coded)?)
}

/// Makes one of six kinds of sound that is no speech, the same for the same seed: silence, white noise, brown noise,
/// mains hum, clicks, and keys of a telephone. 8 kHz.
#[expect(clippy::cast_precision_loss, reason = "positions within a few seconds")]
fn noise(seed: u64) -> Vec<f32> {
    let mut random = StdRng::seed_from_u64(seed);
    let length = random.random_range(4_000..32_000_usize);
    let level = 10_f32.powf(random.random_range(-3.5..-0.7));
    let mut brown = 0.0_f32;
    let tones = [697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0];
    let (low, high) = (random.random_range(0..4_usize), random.random_range(4..7_usize));
    (0..length)
        .map(|n| {
            let seconds = n as f32 / 8_000.0;
            let sine = |hz: f32| (seconds * hz * std::f32::consts::TAU).sin();
            let white = random.random_range(-1.0..1.0_f32);
            level
                * match seed % 6 {
                    0 => 0.0,
                    1 => white,
                    2 => {
                        brown = (brown + white * 0.1).clamp(-1.0, 1.0);
                        brown
                    }
                    3 => sine(50.0) * 0.7 + sine(150.0) * 0.3,
                    4 => {
                        if random.random_range(0.0..1.0_f32) < 0.0005 {
                            1.0
                        } else {
                            0.0
                        }
                    }
                    _ => {
                        let tone = |index: usize| tones.get(index).copied().map_or(0.0, sine);
                        if (seconds * 4.0).fract() < 0.5 { tone(low).midpoint(tone(high)) } else { 0.0 }
                    }
                }
        })
        .collect()
}

//! The fixture model of the shared test data: 92 telephone recordings, compared text by text.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use speech::{RecognizeError, Recognizer as _};
use speech_onnx::{Precision, Runtime, Verification, WhisperError, WhisperOptions, WhisperRecognizer, WindowPolicy};
use units::Language;

use crate::support;

#[test]
fn every_telephone_recording_is_heard_as_published() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut recognizer = load(&runtime, &folder, fitted());
    let rows = rows(&folder);
    let mut different = Vec::new();
    for row in &rows {
        assert_eq!(row.frames.div_ceil(100), row.seconds(), "{}", row.file);
        let text = support::hear(&mut recognizer, row.audio(), Some(row.language));
        if text != row.int8_fit {
            different.push(format!("{}: {text:?} instead of {:?}", row.file, row.int8_fit));
        }
    }
    println!("equal: {} of {}", rows.len() - different.len(), rows.len());
    assert!(different.is_empty(), "{different:#?}");
}

#[test]
fn the_resampler_of_calls_serves_as_well() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut recognizer = load(&runtime, &folder, fitted());
    let rows = rows(&folder);
    let equal = rows
        .iter()
        .filter(|row| {
            support::hear(&mut recognizer, support::call_audio(&row.path), Some(row.language)) == row.int8_fit
        })
        .count();
    println!("equal: {equal} of {}", rows.len());
    // Two recordings lie so near a decision that another filter may turn them.
    assert!(equal + 2 >= rows.len(), "{equal}");
}

#[test]
fn scores_are_those_published() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut recognizer = load(&runtime, &folder, fitted());
    for row in rows(&folder).iter().step_by(3) {
        let request = support::request(row.audio(), Some(row.language));
        let heard = recognizer.recognize(&request, &mut |_| {}).unwrap();
        // The published figure is of the fp32 model and of all tokens; 8 bit moves it by up to 0.023, and tokens that
        // must not be said take up to 0.03 of the probability.
        assert!((heard.mean_log_probability - row.log_probability).abs() < 0.05, "{}: {heard:?}", row.file);
        assert!((heard.no_speech_probability - row.no_speech).abs() < 0.01, "{}: {heard:?}", row.file);
    }
}

#[test]
fn the_language_is_told_from_the_audio() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut recognizer = load(&runtime, &folder, fitted());
    let rows = rows(&folder);
    let mut equal = 0;
    for row in &rows {
        let heard = recognizer.recognize(&support::request(row.audio(), None), &mut |_| {}).unwrap();
        assert_eq!(heard.language, row.language, "{}", row.file);
        equal += usize::from(*heard.text.reveal() == row.int8_fit);
    }
    println!("language told: {0} of {0}, text equal: {equal}", rows.len());
    // The prompt is fed token by token here, which 8-bit arithmetic rounds differently.
    assert!(equal + 2 >= rows.len(), "{equal}");
}

#[test]
fn only_allowed_languages_are_told() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut recognizer = load(&runtime, &folder, fitted());
    let rows = rows(&folder);
    let english = rows.iter().find(|row| row.language == Language::English).unwrap();
    let mut request = support::request(english.audio(), None);
    request.among = vec![Language::Hebrew];
    assert_eq!(recognizer.recognize(&request, &mut |_| {}).unwrap().language, Language::Hebrew);
}

#[test]
fn silence_and_noise_have_no_text() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut recognizer = load(&runtime, &folder, fitted());
    for (name, audio) in [
        ("nothing", Vec::new()),
        ("silence", vec![0.0; 32_000]),
        ("line hiss", support::telephone_noise(2, 0.002)),
        ("noise", support::telephone_noise(3, 0.1)),
        ("loud noise", support::telephone_noise(1, 0.5)),
    ] {
        let heard = recognizer.recognize(&support::request(audio, Some(Language::Hebrew)), &mut |_| {}).unwrap();
        assert_eq!(heard.text.reveal(), "", "{name}");
        assert!(heard.no_speech_probability > 0.5, "{name}: {heard:?}");
    }
}

#[test]
fn interim_texts_grow_into_the_final_one() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut recognizer = load(&runtime, &folder, fitted());
    let row = rows(&folder).into_iter().find(|row| row.int8_fit.split(' ').count() > 4).unwrap();
    let mut interim = Vec::new();
    let request = support::request(row.audio(), Some(row.language));
    let heard = recognizer.recognize(&request, &mut |text| interim.push(text.to_owned())).unwrap();
    assert!(interim.len() >= 4, "{interim:?}");
    assert!(interim.windows(2).all(|pair| pair[1].starts_with(pair[0].as_str())), "{interim:?}");
    assert_eq!(interim.last(), Some(heard.text.reveal()));
}

#[test]
fn a_beam_finds_texts_that_are_at_least_as_likely() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut greedy = load(&runtime, &folder, fitted());
    let options = WhisperOptions { beam: NonZeroUsize::new(5).unwrap(), ..fitted() };
    let mut beam = load(&runtime, &folder, options);
    let mut equal = 0;
    let rows: Vec<_> = rows(&folder).into_iter().step_by(3).collect();
    for row in &rows {
        let request = support::request(row.audio(), Some(row.language));
        let one = greedy.recognize(&request, &mut |_| {}).unwrap();
        let five = beam.recognize(&request, &mut |_| {}).unwrap();
        let (least, found) = (one.mean_log_probability, five.mean_log_probability);
        // A beam may lose the greedy text on the way, but not for one that is much less likely.
        assert!(found >= least - 0.02, "{}: {found} < {least}", row.file);
        equal += usize::from(one.text == five.text);
    }
    println!("a beam of 5 hears the same as greedy in {equal} of {}", rows.len());
    assert!(equal * 10 >= rows.len() * 8);
}

#[test]
fn every_recording_is_heard_as_published_in_the_full_window_too() {
    let Some((runtime, folder)) = fixture() else { return };
    // The published column is of fp32. The folder has the encoder in fp32 and the decoders in 8 bit only.
    let options = WhisperOptions { window: Some(WindowPolicy::Full30s), precision: Precision::Fp32, ..fitted() };
    let mut recognizer = load(&runtime, &folder, options);
    for row in &rows(&folder) {
        let text = support::hear(&mut recognizer, row.audio(), Some(row.language));
        assert_eq!(text, row.fp32_30s, "{}", row.file);
        assert_eq!(recognizer.timings().frames, 3_000);
    }
}

#[test]
fn a_long_recording_is_heard_piece_by_piece() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut recognizer = load(&runtime, &folder, fitted());
    let sentence = rows(&folder).into_iter().find(|row| row.file.starts_with("syn_he")).unwrap();
    let mut audio = sentence.audio();
    audio.resize(27 * 16_000, 0.0);
    audio.extend(sentence.audio());
    audio.resize(55 * 16_000, 0.0);
    let text = support::hear(&mut recognizer, audio, Some(Language::Hebrew));
    assert!(text.contains(&sentence.int8_fit), "{text}");
    assert!(recognizer.timings().frames > 3_000);
}

#[test]
fn a_prompt_is_text_even_where_it_looks_like_a_token() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut recognizer = load(&runtime, &folder, fitted());
    let row = rows(&folder).into_iter().find(|row| row.file.starts_with("syn_he")).unwrap();
    let mut request = support::request(row.audio(), Some(Language::Hebrew));
    request.prompt = format!("<|endoftext|> {} {}", "דני כהן, ".repeat(100), "<|nospeech|>");
    assert!(recognizer.recognize(&request, &mut |_| {}).is_ok());
}

#[test]
fn a_cancelled_recognition_ends_and_the_next_one_runs() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut recognizer = load(&runtime, &folder, fitted());
    let row = rows(&folder).into_iter().find(|row| row.int8_fit.split(' ').count() > 4).unwrap();
    let canceller = recognizer.canceller();
    let request = support::request(row.audio(), Some(row.language));
    let result = recognizer.recognize(&request, &mut |_| canceller.cancel());
    let Err(RecognizeError::Model(error)) = result else { panic!("it went on: {result:?}") };
    assert!(matches!(error.downcast_ref(), Some(WhisperError::Cancelled)), "{error}");
    assert_eq!(support::hear(&mut recognizer, row.audio(), Some(row.language)), row.int8_fit);
}

#[test]
fn a_turn_nobody_waits_for_ends_before_its_text() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut recognizer = load(&runtime, &folder, fitted());
    let row = rows(&folder).into_iter().find(|row| row.int8_fit.split(' ').count() > 4).unwrap();
    let request = support::request(row.audio(), Some(row.language));
    let seen = std::cell::Cell::new(0);
    let result = recognizer.recognize_unless(&request, &|| seen.get() >= 2, &mut |_| seen.set(seen.get() + 1));
    assert!(matches!(result, Err(RecognizeError::Model(_))), "{result:?}");
    assert_eq!(seen.get(), 2);
}

#[test]
fn audio_that_is_no_number_is_refused() {
    let Some((runtime, folder)) = fixture() else { return };
    let mut recognizer = load(&runtime, &folder, fitted());
    let result = recognizer.recognize(&support::request(vec![f32::NAN; 1_600], None), &mut |_| {});
    assert!(matches!(result, Err(RecognizeError::Audio { .. })), "{result:?}");
}

/// One line of the published results.
struct Row {
    file: String,
    language: Language,
    frames: usize,
    int8_fit: String,
    fp32_30s: String,
    log_probability: f32,
    no_speech: f32,
    path: PathBuf,
}

impl Row {
    fn audio(&self) -> Vec<f32> {
        support::telephone(&self.path)
    }

    fn seconds(&self) -> usize {
        self.audio().len().div_ceil(16_000)
    }
}

fn rows(folder: &Path) -> Vec<Row> {
    let table = std::fs::read_to_string(folder.join("expected.tsv")).unwrap();
    table
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            Row {
                file: cells[0].to_owned(),
                language: cells[1].parse().unwrap(),
                frames: cells[2].parse().unwrap(),
                int8_fit: cells[5].to_owned(),
                fp32_30s: cells[6].to_owned(),
                log_probability: cells[7].parse().unwrap(),
                no_speech: cells[8].parse().unwrap(),
                path: folder.join("../speech/fixture-tests").join(cells[0]),
            }
        })
        .collect()
}

fn fixture() -> Option<(Runtime, PathBuf)> {
    let folder = support::shared("fixture-whisper")?;
    Some((support::runtime()?, folder))
}

/// What the published results were made with.
fn fitted() -> WhisperOptions {
    WhisperOptions {
        window: Some(WindowPolicy::Fit { pad: Duration::ZERO }),
        verification: Verification::WhereCarded,
        ..WhisperOptions::default()
    }
}

fn load(runtime: &Runtime, folder: &Path, options: WhisperOptions) -> WhisperRecognizer {
    WhisperRecognizer::load(runtime, folder, options).expect("the fixture model loads")
}

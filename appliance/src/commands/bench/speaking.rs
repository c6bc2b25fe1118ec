//! How soon the voice speaks.

use std::time::{Duration, Instant};

use speech::{Flow, SynthesizeRequest, Synthesizer as _};
use units::Language;

use super::{Row, percentile_ms};
use crate::config::{Environment, Recognizer, Synthesizer};
use crate::voice::{Device, VoiceKind};

/// Sentences that nobody spoke before, one of each with every number put in.
const SENTENCES: usize = 40;

/// Measures the time to the first audio of new sentences in both languages.
pub(super) fn measure() -> anyhow::Result<Vec<Row>> {
    let mut recognizer = Recognizer::default();
    if let Some(path) = Environment::of_process().ort_dylib_path {
        recognizer.onnxruntime = path;
    }
    let device = Device::new(&recognizer, &Synthesizer::default());
    let mut voice = device.synthesizer(VoiceKind::Agent).map_err(anyhow::Error::from_boxed)?;
    let mut rows = Vec::new();
    for (language, words) in [
        (Language::Hebrew, "הפגישה נקבעה ליום שלישי בשעה 10:30, והמספר שלכם הוא 054-12345"),
        (Language::English, "The meeting is on Tuesday at 10:30, and your number is 054-12345"),
    ] {
        let mut waits: Vec<Duration> = Vec::new();
        for number in 10..10 + SENTENCES {
            let request = SynthesizeRequest { text: format!("{words}{number}."), language };
            let began = Instant::now();
            let mut first = None;
            voice.synthesize(&request, &mut |_| {
                first.get_or_insert_with(|| began.elapsed());
                Flow::Stop
            })?;
            waits.extend(first);
        }
        let name = format!("{language}: new sentence -> first audio");
        rows.push(Row::new(format!("{name}, p50"), percentile_ms(&mut waits, 0.5), "ms"));
        rows.push(Row::new(format!("{name}, max"), percentile_ms(&mut waits, 1.0), "ms").at_most(300.0));
    }
    rows.extend(cached(&device)?);
    Ok(rows)
}

/// Measures the time to the first audio of a sentence that was spoken before.
fn cached(device: &Device) -> anyhow::Result<Vec<Row>> {
    let folder = std::env::temp_dir().join(format!("kolbox-bench-{}", std::process::id()));
    let cache = device.cache(&folder);
    let mut voice = device.cached(&cache).map_err(anyhow::Error::from_boxed)?;
    let request = SynthesizeRequest {
        text: "לאיזה מספר טלפון לחזור אליכם?".to_owned(), language: Language::Hebrew
    };
    let mut waits: Vec<Duration> = Vec::new();
    for number in 0..=SENTENCES {
        let began = Instant::now();
        let mut first = None;
        voice.synthesize(&request, &mut |_| {
            first.get_or_insert_with(|| began.elapsed());
            Flow::Continue
        })?;
        // The first time fills the cache.
        if number > 0 {
            waits.extend(first);
        }
    }
    // Nothing was put on the disk unless the system made the folder.
    drop(std::fs::remove_dir_all(&folder));
    Ok(vec![Row::new("he: cached sentence -> first audio, max", percentile_ms(&mut waits, 1.0), "ms").at_most(150.0)])
}

//! Speaks a text into a WAV file: `speak [--language he|en] [-o FILE] [--repeat N] [TEXT]`, text also from standard input.
//!
//! Prints when the first audio came, and the level. Hebrew is spoken without a diacritizer here: give points.

use std::error::Error;
use std::io::Read as _;
use std::time::Instant;

use speech::{EspeakConfig, EspeakSynthesizer, Flow, SynthesizeRequest, Synthesizer as _};
use units::{Language, SampleRate};

#[expect(clippy::print_stdout, reason = "a program that prints")]
fn main() -> Result<(), Box<dyn Error>> {
    let (mut language, mut file, mut repeat, mut text) = (Language::Hebrew, None, 1_u32, String::new());
    let mut config = EspeakConfig::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or("a value is missing");
        match argument.as_str() {
            "--language" => language = value()?.parse()?,
            "--hebrew-voice" => config.hebrew.name = value()?,
            "--english-voice" => config.english.name = value()?,
            "--repeat" => repeat = value()?.parse()?,
            "-o" => file = Some(value()?),
            _ => text = argument,
        }
    }
    if text.is_empty() {
        std::io::stdin().read_to_string(&mut text)?;
    }
    let mut voice = EspeakSynthesizer::new(config, None);
    let request = SynthesizeRequest { text, language };
    let mut samples = Vec::new();
    for _ in 0..repeat.max(1) {
        samples.clear();
        let (started, mut first) = (Instant::now(), None);
        voice.synthesize(&request, &mut |more| {
            if !more.is_empty() {
                first.get_or_insert_with(|| started.elapsed());
            }
            samples.extend_from_slice(more);
            Flow::Continue
        })?;
        println!(
            "first audio {first:?}, whole {:?}, {} samples, {:?}",
            started.elapsed(),
            samples.len(),
            media::level::Level::of(&samples)
        );
    }
    if let Some(file) = file {
        std::fs::write(file, media::wav::encode_pcm16(&samples, 1, SampleRate::HZ_8000)?)?;
    }
    Ok(())
}

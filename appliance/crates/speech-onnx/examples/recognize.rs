//! Recognizes WAV files and says where the time went.
//!
//! ```text
//! cargo run --release -p speech-onnx --example recognize -- MODEL_DIR WAV... [--language he] [--beam N] [--threads N]
//!     [--window full|fit|SECONDS_OF_PAD] [--fp32] [--prompt TEXT] [--repeat N] [--library PATH] [--provider cpu|cuda|tensorrt]
//! ```
//!
//! The library is looked for in `ORT_DYLIB_PATH`, then in `.setup/onnxruntime/`. Prints what was said: for people at
//! a terminal only.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use media::wav::Wav;
use speech::{RecognizeRequest, Recognizer as _};
use speech_onnx::{Precision, Runtime, SessionSettings, Verification, WhisperOptions, WhisperRecognizer, WindowPolicy};
use units::{Language, SampleCount, SampleRate};

type Failure = Box<dyn std::error::Error>;

/// What was asked for on the command line.
struct Asked {
    library: PathBuf,
    model: PathBuf,
    files: Vec<PathBuf>,
    language: Option<Language>,
    prompt: String,
    repeat: usize,
    options: WhisperOptions,
}

fn main() -> Result<(), Failure> {
    let asked = parse(std::env::args().skip(1))?;
    let started = Instant::now();
    let runtime = Runtime::load(&asked.library)?;
    let mut recognizer = WhisperRecognizer::load(&runtime, &asked.model, asked.options)?;
    println!("{}: loaded in {:.0?}, {} MB resident", recognizer.model(), started.elapsed(), resident_mb());
    for file in &asked.files {
        let audio = read(file)?;
        let seconds = SampleCount(u64::try_from(audio.len())?).duration(SampleRate::HZ_16000);
        let request =
            RecognizeRequest { audio, language: asked.language, among: Vec::new(), prompt: asked.prompt.clone() };
        for _ in 0..asked.repeat {
            let started = Instant::now();
            let heard = recognizer.recognize(&request, &mut |_| {})?;
            let total = started.elapsed();
            let timings = recognizer.timings();
            let per_token = timings.decode / u32::try_from(timings.tokens).unwrap_or(0).saturating_add(1);
            println!(
                "{}  {:.2} s  [{}] {}\n    total {:.1?}: mel {:.1?}, encode {:.1?} ({} frames), prefill {:.1?}, \
                 {} tokens at {:.2?}; log probability {:.3}, no speech {:.3}",
                file.file_name().unwrap_or_default().to_string_lossy(),
                seconds.as_secs_f64(),
                heard.language,
                heard.text.reveal(),
                total,
                timings.mel,
                timings.encode,
                timings.frames,
                timings.prefill,
                timings.tokens,
                per_token,
                heard.mean_log_probability,
                heard.no_speech_probability,
            );
        }
    }
    println!("{} MB resident at the end", resident_mb());
    Ok(())
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Asked, Failure> {
    let mut places = Vec::new();
    let mut asked = Asked {
        library: library(),
        model: PathBuf::new(),
        files: Vec::new(),
        language: None,
        prompt: String::new(),
        repeat: 1,
        options: WhisperOptions { verification: Verification::WhereCarded, ..WhisperOptions::default() },
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--language" => asked.language = Some(value()?.parse()?),
            "--beam" => asked.options.beam = value()?.parse()?,
            "--threads" => {
                let threads: NonZeroUsize = value()?.parse()?;
                asked.options.session = SessionSettings { threads, ..asked.options.session };
            }
            "--provider" => asked.options.session.provider = value()?.parse()?,
            "--window" => asked.options.window = Some(window(&value()?)?),
            "--fp32" => asked.options.precision = Precision::Fp32,
            "--prompt" => asked.prompt = value()?,
            "--repeat" => asked.repeat = value()?.parse()?,
            "--library" => asked.library = value()?.into(),
            _ => places.push(PathBuf::from(word)),
        }
    }
    let mut places = places.into_iter();
    asked.model = places.next().ok_or("recognize MODEL_DIR WAV...")?;
    asked.files = places.collect();
    Ok(asked)
}

fn window(word: &str) -> Result<WindowPolicy, Failure> {
    Ok(match word {
        "full" => WindowPolicy::Full30s,
        "fit" => WindowPolicy::Fit { pad: Duration::ZERO },
        seconds => WindowPolicy::Fit { pad: Duration::try_from_secs_f64(seconds.parse()?)? },
    })
}

#[expect(clippy::disallowed_methods, reason = "this program has no configuration module")]
fn library() -> PathBuf {
    std::env::var_os("ORT_DYLIB_PATH")
        .map_or_else(|| PathBuf::from(".setup/onnxruntime/libonnxruntime.so"), PathBuf::from)
}

fn read(path: &Path) -> Result<Vec<f32>, Failure> {
    let bytes = std::fs::read(path)?;
    let file = Wav::parse(&bytes)?;
    let mut samples = Vec::new();
    media::pcm::to_f32(&file.mono(), &mut samples);
    Ok(media::resample::convert(&samples, file.spec().rate, SampleRate::HZ_16000)?)
}

/// Returns the memory of this process that is in use, where the system tells.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1_024
}

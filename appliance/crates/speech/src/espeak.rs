//! The voice of last resort, which needs no model: `espeak-ng`, run anew for each sentence.
//!
//! Starting it takes about 15 ms, so none are kept waiting. English is given as text, Hebrew as phonemes, since the
//! program cannot read Hebrew (no vowels, digits silent).

use std::path::PathBuf;
use std::time::{Duration, Instant};

use units::{Language, SampleRate};

use crate::child::{Output, Program};
use crate::shaper::Shaper;
use crate::spoken::{Run, runs};
use crate::synthesizer::{Diacritizer, Flow, SynthesizeError, SynthesizeRequest, Synthesizer};
use crate::wav_stream::WavStream;

/// How often it is asked whether anybody still listens, while the program is silent.
const ASK: Duration = Duration::from_millis(20);
/// Longest text of one sentence, in bytes: several minutes of speech.
const MAX_TEXT: usize = 8 * 1024;
/// Most audio of one run, in samples at its own rate: ten minutes at 22 kHz. More is a program gone wild.
const MAX_SAMPLES: usize = 600 * 22_050;

/// How `espeak-ng` is used.
#[derive(Clone, Debug, PartialEq)]
pub struct EspeakConfig {
    /// The program, looked for in `PATH` unless it holds a slash. Default `espeak-ng`.
    pub program: PathBuf,
    /// Longest wait for the first audio of a sentence. Default 2 s; usual is 20 ms.
    pub first_audio: Duration,
    /// Longest time for a whole sentence, in which its listener counts as well. Default 30 s.
    pub total: Duration,
    /// The Hebrew voice.
    pub hebrew: EspeakVoice,
    /// The English voice.
    pub english: EspeakVoice,
    /// Level of speech without its pauses, RMS in dBFS, `-60.0..=-6.0`. Default -20, which leaves room for peaks.
    pub level_dbfs: f32,
}

/// One voice of `espeak-ng`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EspeakVoice {
    /// Its name, with a variant after `+`. Defaults `he+Annie` and `en-us+Annie`: one speaker in both languages, and of
    /// all variants the one with the least crackle in the telephone's band. A variant that is not installed is left out
    /// by the program.
    pub name: String,
    /// Words per minute, `80..=450`.
    pub speed: u16,
    /// Pitch, `0..=99`.
    pub pitch: u8,
    /// Pause between words, in units of 10 ms.
    pub gap: u8,
}

impl Default for EspeakConfig {
    fn default() -> Self {
        Self {
            program: PathBuf::from("espeak-ng"),
            first_audio: Duration::from_secs(2),
            total: Duration::from_secs(30),
            hebrew: EspeakVoice { name: "he+Annie".to_owned(), speed: 145, pitch: 45, gap: 1 },
            english: EspeakVoice { name: "en-us+Annie".to_owned(), speed: 155, pitch: 45, gap: 0 },
            level_dbfs: -20.0,
        }
    }
}

impl EspeakConfig {
    const fn voice(&self, language: Language) -> &EspeakVoice {
        match language {
            Language::Hebrew => &self.hebrew,
            Language::English => &self.english,
        }
    }
}

/// Speaks with `espeak-ng`.
pub struct EspeakSynthesizer {
    config: EspeakConfig,
    diacritizer: Option<Box<dyn Diacritizer>>,
    description: String,
}

impl EspeakSynthesizer {
    /// Returns a voice. Without a diacritizer, Hebrew words without points are guessed at.
    pub fn new(config: EspeakConfig, diacritizer: Option<Box<dyn Diacritizer>>) -> Self {
        let describe = |voice: &EspeakVoice| format!("{} {}/{}/{}", voice.name, voice.speed, voice.pitch, voice.gap);
        let points = if diacritizer.is_some() { "pointed" } else { "guessed" };
        let (hebrew, english) = (describe(&config.hebrew), describe(&config.english));
        let description = format!("espeak-ng {hebrew} {points}, {english}, {} dBFS", config.level_dbfs);
        Self { config, diacritizer, description }
    }

    fn start(&self, run: &Run) -> Result<Program, SynthesizeError> {
        let voice = self.config.voice(run.language);
        let arguments = [
            "--stdin".to_owned(),
            "--stdout".to_owned(),
            "-b1".to_owned(),
            format!("-v{}", voice.name),
            format!("-s{}", voice.speed.clamp(80, 450)),
            format!("-p{}", voice.pitch.min(99)),
            format!("-g{}", voice.gap),
        ];
        let mut input = run.input.clone().into_bytes();
        input.push(b'\n');
        Program::start(&self.config.program, &arguments, input)
            .map_err(|source| SynthesizeError::Start { program: self.config.program.display().to_string(), source })
    }

    /// Speaks one run.
    fn speak(
        &self,
        run: &Run,
        started: Instant,
        audio: &mut dyn FnMut(&[i16]) -> Flow,
    ) -> Result<Flow, SynthesizeError> {
        let mut program = self.start(run)?;
        let begun = Instant::now();
        let (mut wav, mut shaper, mut count) = (WavStream::default(), None::<Shaper>, 0_usize);
        let (mut samples, mut ready) = (Vec::new(), Vec::new());
        loop {
            let bytes = match program.read(ASK).map_err(|error| failed(format!("its output: {}", error.kind())))? {
                Output::Bytes(bytes) => bytes,
                Output::End => break,
                Output::Nothing => Vec::new(),
            };
            samples.clear();
            ready.clear();
            if let Some(rate) = wav.push(&bytes, &mut samples).map_err(|error| failed(error.to_string()))? {
                self.shaper(&mut shaper, rate)?.push(&samples, &mut ready).map_err(|error| no_filter(&error))?;
            }
            count = count.saturating_add(samples.len());
            if audio(&ready) == Flow::Stop {
                return Ok(Flow::Stop);
            }
            self.check_time(begun, started, count)?;
        }
        let status = program.finish().map_err(|error| failed(format!("its end: {}", error.kind())))?;
        if !status.success() || count == 0 {
            let voice = &self.config.voice(run.language).name;
            return Err(failed(format!("{status} after {count} samples, voice '{voice}'")));
        }
        ready.clear();
        if let Some(shaper) = &mut shaper {
            shaper.finish(&mut ready).map_err(|error| no_filter(&error))?;
        }
        Ok(audio(&ready))
    }

    fn shaper<'a>(&self, shaper: &'a mut Option<Shaper>, rate: SampleRate) -> Result<&'a mut Shaper, SynthesizeError> {
        let made = match shaper.take() {
            Some(made) => made,
            None => Shaper::new(rate, self.config.level_dbfs).map_err(|error| no_filter(&error))?,
        };
        Ok(shaper.insert(made))
    }

    fn check_time(&self, begun: Instant, started: Instant, count: usize) -> Result<(), SynthesizeError> {
        let waited = begun.elapsed();
        if count == 0 && waited >= self.config.first_audio {
            return Err(SynthesizeError::Overdue { waited });
        }
        let waited = started.elapsed();
        if waited >= self.config.total {
            return Err(SynthesizeError::Overdue { waited });
        }
        if count > MAX_SAMPLES {
            return Err(failed("it does not stop speaking".to_owned()));
        }
        Ok(())
    }
}

impl Synthesizer for EspeakSynthesizer {
    fn synthesize(
        &mut self,
        request: &SynthesizeRequest,
        audio: &mut dyn FnMut(&[i16]) -> Flow,
    ) -> Result<(), SynthesizeError> {
        if request.text.len() > MAX_TEXT {
            return Err(SynthesizeError::Text(format!("more than {MAX_TEXT} bytes").into()));
        }
        let started = Instant::now();
        for run in runs(&request.text, request.language, self.diacritizer.as_deref_mut())? {
            if self.speak(&run, started, audio)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    fn voice(&self) -> &str {
        &self.description
    }
}

impl std::fmt::Debug for EspeakSynthesizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EspeakSynthesizer").field("config", &self.config).finish_non_exhaustive()
    }
}

const fn failed(reason: String) -> SynthesizeError {
    SynthesizeError::Failed { reason }
}

fn no_filter(error: &media::resample::ResampleError) -> SynthesizeError {
    failed(error.to_string())
}

//! Hearing and speaking: the engines of this device on their threads, and what becomes of a call without them.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use media::g711::Law;
use speech::{
    BoxError, EarshotVad, Flow, Job, PoolConfig, PromptCache, RecognizeError, RecognizeRequest, Recognizer,
    RecognizerPool, StartError, SynthesizeError, SynthesizeRequest, Synthesizer, SynthesizerPool, Vad,
};
use store::Weather;
use units::Language;

pub use speech::Heard;
use tokio::time::sleep;

use crate::app::Parts;
use crate::config::Config;
use crate::health::{Health, Part, PartState};

mod device;
mod prompts;

pub use self::device::{Device, VoiceKind};
pub use self::prompts::render as render_prompts;

/// Time between two looks at engines that are unwell.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Makes a worker for each thread; again after a worker panicked.
pub type Factory<T> = Box<dyn FnMut() -> Result<T, BoxError> + Send>;

/// The engines a box is built with: this device's, or a test's.
pub struct Engines {
    /// Hears.
    pub recognizer: Factory<Box<dyn Recognizer>>,
    /// Speaks every language.
    pub synthesizer: Factory<Box<dyn Synthesizer>>,
    /// Detects speech, one for each call.
    pub vad: Box<dyn Fn() -> Box<dyn Vad> + Send + Sync>,
    /// Where the synthesizers keep what they said, if they do.
    pub prompts: Option<Arc<PromptCache>>,
}

impl Engines {
    /// Returns the engines of this device: Whisper in ONNX, espeak-ng, Earshot.
    pub fn of_device(config: &Config) -> Self {
        let device = Arc::new(Device::new(&config.recognizer, &config.synthesizer));
        let hearing = Arc::clone(&device);
        let cache = device.cache(&config.store.path.join("prompts"));
        let prompts = Some(Arc::clone(&cache));
        Self {
            recognizer: Box::new(move || hearing.recognizer()),
            synthesizer: Box::new(move || Ok(Box::new(device.cached(&cache)?) as Box<dyn Synthesizer>)),
            vad: Box::new(|| Box::new(EarshotVad::new())),
            prompts,
        }
    }
}

/// What comes of a synthesis, as the telephone wants it.
#[derive(Debug)]
pub enum Spoken {
    /// The next piece, G.711 µ-law.
    Audio(Vec<u8>),
    /// The end.
    Done(Result<(), SynthesizeError>),
}

/// The engines on their threads. One that cannot be had is missing, and said to be in `/readyz`.
pub struct Voice {
    recognizers: Option<RecognizerPool>,
    synthesizers: Option<SynthesizerPool>,
    vad: Box<dyn Fn() -> Box<dyn Vad> + Send + Sync>,
    prompts: Option<Arc<PromptCache>>,
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Voice")
            .field("recognizers", &self.recognizers)
            .field("synthesizers", &self.synthesizers)
            .finish_non_exhaustive()
    }
}

impl Voice {
    /// Starts the threads and notes in `health` what works. Speech in each language is tried, not believed.
    pub fn start(config: &Config, engines: Engines, health: &Health) -> Self {
        let Engines { recognizer, synthesizer, vad, prompts } = engines;
        let hearing = pool_config("hear", config.recognizer.workers, config.recognizer.queue);
        let speaking = pool_config("speak", config.synthesizer.workers, config.synthesizer.queue);
        let recognizers = noted(RecognizerPool::start(hearing, recognizer), health, &[Part::Recognizer]);
        let both = [Part::SynthesizerHebrew, Part::SynthesizerEnglish];
        let synthesizers = noted(SynthesizerPool::start(speaking, synthesizer), health, &both);
        let voice = Self { recognizers, synthesizers, vad, prompts };
        if voice.synthesizers.is_some() {
            voice.try_speech(health, Part::SynthesizerHebrew, Language::Hebrew, "שלום");
            voice.try_speech(health, Part::SynthesizerEnglish, Language::English, "hello");
        }
        voice
    }

    /// Recognizes in the background; `on` is told what comes of it.
    pub fn recognize(
        &self,
        request: RecognizeRequest,
        on: impl FnMut(Heard) + Send + 'static,
    ) -> Result<Job, RecognizeError> {
        self.recognizers.as_ref().ok_or(RecognizeError::Gone)?.recognize(request, on)
    }

    /// Speaks in the background; `on` takes the audio and answers whether to go on.
    pub fn synthesize(
        &self,
        text: String,
        language: Language,
        mut on: impl FnMut(Spoken) -> bool + Send + 'static,
    ) -> Result<Job, SynthesizeError> {
        let pool = self.synthesizers.as_ref().ok_or(SynthesizeError::Gone)?;
        pool.synthesize(SynthesizeRequest { text, language }, move |spoken| {
            let goes_on = on(match spoken {
                speech::Spoken::Audio(samples) => {
                    let mut mulaw = Vec::with_capacity(samples.len());
                    Law::Mu.encode_into(&samples, &mut mulaw);
                    Spoken::Audio(mulaw)
                }
                speech::Spoken::Done(result) => Spoken::Done(result),
            });
            if goes_on { Flow::Continue } else { Flow::Stop }
        })
    }

    /// Speaks a whole text and returns its samples at 8 kHz. Blocks.
    pub fn speak(&self, text: &str, language: Language) -> Result<Vec<i16>, SynthesizeError> {
        let pool = self.synthesizers.as_ref().ok_or(SynthesizeError::Gone)?;
        pool.render(SynthesizeRequest { text: text.to_owned(), language })
    }

    /// Names sentences that repeat nothing a caller said: once spoken, they are kept on disk.
    pub fn keep_prompts(&self, sentences: &[(String, Language)]) {
        if let Some(prompts) = &self.prompts {
            let request =
                |(text, language): &(String, Language)| SynthesizeRequest { text: text.clone(), language: *language };
            prompts.add_prompts(sentences.iter().map(request));
        }
    }

    /// Returns where the synthesizers keep what they said, if they do.
    pub fn prompts(&self) -> Option<Arc<PromptCache>> {
        self.prompts.clone()
    }

    /// Returns whether sentences are kept that were named.
    pub fn keeps_prompts(&self) -> bool {
        self.prompts.is_some()
    }

    /// Returns a detector of speech for one call.
    pub fn vad(&self) -> Box<dyn Vad> {
        (self.vad)()
    }

    /// Returns who hears, thinks and speaks.
    pub fn weather(&self) -> Weather {
        Weather {
            recognize: self.recognizers.as_ref().map(|pool| pool.model().to_owned()),
            reply: Some("receptionist".to_owned()),
            synthesize: self.synthesizers.as_ref().map(|pool| pool.voice().to_owned()),
        }
    }

    /// Names the voice, so that what it rendered is rendered again when it changes.
    pub fn describe(&self) -> &str {
        self.synthesizers.as_ref().map_or("none", SynthesizerPool::voice)
    }

    /// Notes in `health` which languages can be spoken and whether anybody is left to hear. `text` differs from time to
    /// time, so that it is spoken and not taken from the cache.
    fn look(&self, health: &Health, text: &str) {
        if let Some(pool) = &self.recognizers
            && pool.metrics().workers == 0
        {
            health.set(Part::Recognizer, PartState::degraded("every recognizer failed too often; restart the box"));
        }
        if self.synthesizers.is_some() {
            self.try_speech(health, Part::SynthesizerHebrew, Language::Hebrew, text);
            self.try_speech(health, Part::SynthesizerEnglish, Language::English, text);
        }
    }

    fn try_speech(&self, health: &Health, part: Part, language: Language, text: &str) {
        let state = match self.speak(text, language) {
            Ok(samples) if samples.iter().any(|sample| sample.unsigned_abs() > 300) => PartState::Ok,
            Ok(_) => PartState::degraded("the voice is silent; install the Debian package 'espeak-ng'"),
            Err(error) => PartState::degraded(chain(&error)),
        };
        health.set(part, state);
    }
}

/// Looks after the engines until the program stops: at once when one failed on a call, and now and then while one is
/// said to be unwell, so that a voice that was repaired is used again.
///
/// # Cancellation safety
///
/// Dropped half way, a sentence is spoken for nobody.
pub async fn watch(parts: Arc<Parts>) {
    let mut number = 0_u32;
    while !parts.shutdown.is_cancelled() {
        tokio::select! {
            () = parts.shutdown.cancelled() => return,
            () = parts.voice_trouble.notified() => {}
            () = sleep(LOOK_EVERY), if !parts.can_converse() => {}
        }
        number = number.wrapping_add(1);
        let looking = Arc::clone(&parts);
        let looked = tokio::task::spawn_blocking(move || looking.voice.look(&looking.health, &number.to_string()));
        drop(looked.await);
    }
}

/// Notes in `health` whether threads started, and returns them if so.
fn noted<T>(started: Result<T, StartError>, health: &Health, parts: &[Part]) -> Option<T> {
    let state = match &started {
        Ok(_) => PartState::Ok,
        Err(error) => PartState::degraded(chain(error)),
    };
    for part in parts {
        health.set(*part, state.clone());
    }
    started.ok()
}

fn pool_config(name: &'static str, workers: NonZeroUsize, queue: NonZeroUsize) -> PoolConfig {
    PoolConfig::new(name, workers, queue)
}

/// Returns an error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

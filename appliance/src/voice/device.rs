//! The engines of this device: Whisper and the diacritiser in ONNX, espeak-ng.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use speech::{
    BoxError, CacheConfig, CachedSynthesizer, Diacritizer, EspeakConfig, EspeakSynthesizer, EspeakVoice, PromptCache,
    Recognizer, SynthesizeError,
};
use speech_onnx::{LoadError, Nakdimon, Runtime, SessionSettings, WhisperOptions, WhisperRecognizer};

use crate::config;

/// Makes engines from the paths of the configuration.
#[derive(Clone, Debug)]
pub struct Device {
    model: PathBuf,
    onnxruntime: PathBuf,
    threads: NonZeroUsize,
    nakdimon: PathBuf,
    espeak: EspeakConfig,
    cache_bytes: u64,
    /// Loaded when a voice first asks for it.
    diacritizer: Arc<Mutex<Option<SharedDiacritizer>>>,
}

/// One diacritiser for all voices of a device: it takes a sentence some milliseconds and 21 MB of memory.
#[derive(Clone, Debug)]
struct SharedDiacritizer(Arc<Mutex<Nakdimon>>);

impl Diacritizer for SharedDiacritizer {
    fn diacritize(&mut self, text: &str) -> Result<String, SynthesizeError> {
        // A panic leaves the graph as it was: it is only read.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).diacritize(text)
    }
}

/// Who is to be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceKind {
    /// The box.
    Agent,
    /// A caller of a test, who must not sound like the box.
    Caller,
    /// The stand-in for a cloud's voice, which must sound like neither.
    Cloud,
}

impl Device {
    /// Takes the paths of the configuration. Nothing is opened yet.
    pub fn new(recognizer: &config::Recognizer, synthesizer: &config::Synthesizer) -> Self {
        Self {
            model: recognizer.model.clone(),
            onnxruntime: recognizer.onnxruntime.clone(),
            threads: recognizer.threads,
            nakdimon: synthesizer.nakdimon.clone(),
            cache_bytes: synthesizer.cache_bytes,
            diacritizer: Arc::default(),
            espeak: EspeakConfig {
                program: synthesizer.program.clone(),
                first_audio: synthesizer.first_audio,
                ..EspeakConfig::default()
            },
        }
    }

    /// Loads the recognizer's model.
    pub fn recognizer(&self) -> Result<Box<dyn Recognizer>, BoxError> {
        // Without a model the library would take its memory for nothing.
        if !self.model.is_dir() {
            return Err(LoadError::Missing { path: self.model.clone(), wanted: "the recognizer's model" }.into());
        }
        let runtime = Runtime::load(&self.onnxruntime)?;
        let session = SessionSettings { threads: self.threads, ..SessionSettings::default() };
        let options = WhisperOptions { session, ..WhisperOptions::default() };
        Ok(Box::new(WhisperRecognizer::load(&runtime, &self.model, options)?))
    }

    /// Makes a voice. Without the diacritiser Hebrew is guessed at, which is worse but not silent.
    pub fn synthesizer(&self, kind: VoiceKind) -> Result<EspeakSynthesizer, BoxError> {
        let mut config = self.espeak.clone();
        match kind {
            VoiceKind::Agent => {}
            VoiceKind::Caller => {
                config.hebrew = caller(&config.hebrew, "he+m3");
                config.english = caller(&config.english, "en-gb+m3");
            }
            VoiceKind::Cloud => {
                config.hebrew = caller(&config.hebrew, "he+f4");
                config.english = caller(&config.english, "en-us+f4");
            }
        }
        Ok(EspeakSynthesizer::new(config, self.diacritizer()))
    }

    /// Opens the cache of rendered sentences, in `folder`.
    pub fn cache(&self, folder: &Path) -> Arc<PromptCache> {
        let folder = Some(folder.to_owned());
        Arc::new(PromptCache::new(CacheConfig { folder, disk_bytes: self.cache_bytes, ..CacheConfig::default() }))
    }

    /// Makes the agent's voice, which looks into `cache` first.
    pub fn cached(&self, cache: &Arc<PromptCache>) -> Result<CachedSynthesizer<EspeakSynthesizer>, BoxError> {
        Ok(CachedSynthesizer::new(self.synthesizer(VoiceKind::Agent)?, Arc::clone(cache)))
    }

    /// Returns the diacritiser, loaded before or now. One that failed to load is tried again for the next voice.
    fn diacritizer(&self) -> Option<Box<dyn Diacritizer>> {
        let mut shared = self.diacritizer.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.is_none() {
            match self.load_diacritizer() {
                Ok(nakdimon) => *shared = Some(SharedDiacritizer(Arc::new(Mutex::new(nakdimon)))),
                Err(error) => {
                    let error = &*error as &dyn std::error::Error;
                    tracing::warn!(error, "Hebrew is spoken without a diacritiser");
                }
            }
        }
        shared.clone().map(|shared| Box::new(shared) as Box<dyn Diacritizer>)
    }

    fn load_diacritizer(&self) -> Result<Nakdimon, BoxError> {
        if !self.nakdimon.is_file() {
            return Err(LoadError::Missing { path: self.nakdimon.clone(), wanted: "the Hebrew diacritiser" }.into());
        }
        let runtime = Runtime::load(&self.onnxruntime)?;
        Ok(Nakdimon::load(&runtime, &self.nakdimon, SessionSettings::default())?)
    }
}

/// Returns a voice of another speaker, at an unhurried speed.
fn caller(voice: &EspeakVoice, name: &str) -> EspeakVoice {
    EspeakVoice { name: name.to_owned(), speed: voice.speed.min(150), ..voice.clone() }
}

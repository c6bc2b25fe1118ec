//! The engines of this device: Whisper and the diacritiser in ONNX, espeak-ng.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use speech::{
    BoxError, CacheConfig, CachedSynthesizer, Diacritizer, EspeakConfig, EspeakSynthesizer, EspeakVoice, PromptCache,
    Recognizer,
};
use speech_onnx::{Nakdimon, Runtime, SessionSettings, WhisperOptions, WhisperRecognizer};

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
}

/// Who is to be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceKind {
    /// The box.
    Agent,
    /// A caller of a test, who must not sound like the box.
    Caller,
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
            espeak: EspeakConfig {
                program: synthesizer.program.clone(),
                first_audio: synthesizer.first_audio,
                ..EspeakConfig::default()
            },
        }
    }

    /// Loads the recognizer's model.
    pub fn recognizer(&self) -> Result<Box<dyn Recognizer>, BoxError> {
        let runtime = Runtime::load(&self.onnxruntime)?;
        let session = SessionSettings { threads: self.threads, ..SessionSettings::default() };
        let options = WhisperOptions { session, ..WhisperOptions::default() };
        Ok(Box::new(WhisperRecognizer::load(&runtime, &self.model, options)?))
    }

    /// Makes a voice. Without the diacritiser Hebrew is guessed at, which is worse but not silent.
    pub fn synthesizer(&self, kind: VoiceKind) -> Result<EspeakSynthesizer, BoxError> {
        let mut config = self.espeak.clone();
        if kind == VoiceKind::Caller {
            config.hebrew = caller(&config.hebrew, "he+m3");
            config.english = caller(&config.english, "en-gb+m3");
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

    fn diacritizer(&self) -> Option<Box<dyn Diacritizer>> {
        let loaded = Runtime::load(&self.onnxruntime)
            .map_err(BoxError::from)
            .and_then(|runtime| Ok(Nakdimon::load(&runtime, &self.nakdimon, SessionSettings::default())?));
        match loaded {
            Ok(nakdimon) => Some(Box::new(nakdimon)),
            Err(error) => {
                tracing::warn!(error = &*error as &dyn std::error::Error, "Hebrew is spoken without a diacritiser");
                None
            }
        }
    }
}

/// Returns a voice of another speaker, at an unhurried speed.
fn caller(voice: &EspeakVoice, name: &str) -> EspeakVoice {
    EspeakVoice { name: name.to_owned(), speed: voice.speed.min(150), ..voice.clone() }
}

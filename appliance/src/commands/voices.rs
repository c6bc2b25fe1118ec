//! The voices of a test: its callers', and the one of a cloud on this machine.

use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use speech::{EspeakSynthesizer, SynthesizeRequest, render};
use testcall::{CallerVoice, VoiceError};
use units::Language;

use crate::config::{Environment, Recognizer, Synthesizer};
use crate::voice::{Device, VoiceKind};

/// Speaks with this device's voice, as another speaker than the box.
pub(super) struct LocalVoice(Mutex<EspeakSynthesizer>);

impl LocalVoice {
    /// Returns the voice of callers.
    pub(super) fn of_callers(synthesizer: &Synthesizer) -> anyhow::Result<Self> {
        Self::of(VoiceKind::Caller, synthesizer)
    }

    /// Returns the voice of a cloud on this machine.
    pub(super) fn of_cloud(synthesizer: &Synthesizer) -> anyhow::Result<Self> {
        Self::of(VoiceKind::Cloud, synthesizer)
    }

    fn of(kind: VoiceKind, synthesizer: &Synthesizer) -> anyhow::Result<Self> {
        let mut recognizer = Recognizer::default();
        if let Some(path) = Environment::of_process().ort_dylib_path {
            recognizer.onnxruntime = path;
        }
        let voice = Device::new(&recognizer, synthesizer).synthesizer(kind);
        let voice = voice.map_err(anyhow::Error::from_boxed).context("no voice for the test")?;
        Ok(Self(Mutex::new(voice)))
    }
}

impl CallerVoice for LocalVoice {
    fn speak(&self, text: &str, language: Language) -> Result<Vec<i16>, VoiceError> {
        let mut voice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let request = SynthesizeRequest { text: text.to_owned(), language };
        render(&mut *voice, &request).map_err(|error| VoiceError::Synthesizer(error.into()))
    }
}

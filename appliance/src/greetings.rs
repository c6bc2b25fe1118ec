//! The recordings that the carrier plays: greeting, request for a message, thanks; in each language, as WAV and MP3.
//!
//! Rendered by the local voice at first start and whenever their text changes; the owner's own recordings take their
//! place. They lie in one folder, which is served as it is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use conversation::GreetingMode;
use media::wav::{self, Wav};
use receptionist::Form;
use sha2::{Digest as _, Sha256};
use units::{Language, SampleCount, SampleRate};

use crate::documents::Clip;
use crate::health::{Health, Part, PartState};
use crate::voice::Voice;

/// Longest recording of the owner's that is taken, in bytes: five minutes at 48 kHz, stereo.
const MAX_OWN_BYTES: u64 = 5 * 60 * 48_000 * 4;

/// The rendered recordings.
#[derive(Debug)]
pub struct Greetings {
    folder: PathBuf,
    durations: RwLock<BTreeMap<(Clip, Language), Duration>>,
    missing: RwLock<Vec<(Clip, Language)>>,
}

/// Why a recording is not there.
#[derive(Debug, thiserror::Error)]
pub enum GreetingError {
    /// A file cannot be read or written.
    #[error("{}: cannot be read or written", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The owner's recording is not usable.
    #[error("{}: expected a WAV file of at most five minutes: {reason}", file.display())]
    Own {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The voice failed.
    #[error("the voice cannot speak {language}")]
    Voice {
        /// The language.
        language: Language,
        /// Why not.
        #[source]
        source: speech::SynthesizeError,
    },
}

impl Greetings {
    /// Uses `folder`, which need not exist yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, durations: RwLock::default(), missing: RwLock::default() }
    }

    /// Returns the folder that is served.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the clips that could not be rendered.
    pub fn missing(&self) -> Vec<(Clip, Language)> {
        self.missing.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns a clip's samples, one channel at 8 kHz; `None` when it could not be rendered. Blocks.
    pub fn samples(&self, clip: Clip, language: Language) -> Option<Vec<i16>> {
        if self.missing().contains(&(clip, language)) {
            return None;
        }
        let bytes = fs::read(self.folder.join(clip.file_name(language, "wav"))).ok()?;
        crate::sound::mono_8khz(&Wav::parse(&bytes).ok()?).ok()
    }

    /// Returns how long the carrier plays before it opens the stream.
    pub fn duration(&self, language: Language, mode: GreetingMode) -> Duration {
        match mode {
            GreetingMode::Stream => Duration::ZERO,
            GreetingMode::Play => self.length(Clip::Greeting, language),
        }
    }

    /// Returns how long a clip is; zero when it could not be rendered.
    pub fn length(&self, clip: Clip, language: Language) -> Duration {
        let durations = self.durations.read().unwrap_or_else(PoisonError::into_inner);
        durations.get(&(clip, language)).copied().unwrap_or_default()
    }

    /// Renders whatever is missing or out of date, in every language of the form. Blocks.
    pub fn render(&self, form: &Form, own: Option<&Path>, voice: &Voice, health: &Health) {
        let mut why = Vec::new();
        for language in Language::ALL {
            for clip in Clip::ALL {
                if let Err(error) = self.render_clip(form, own, voice, clip, language) {
                    tracing::warn!(?clip, %language, error = &error as &dyn std::error::Error, "recording not rendered");
                    why.push(error.to_string());
                    self.missing.write().unwrap_or_else(PoisonError::into_inner).push((clip, language));
                }
            }
        }
        let state = why.first().map_or(PartState::Ok, |first| PartState::degraded(first.clone()));
        health.set(Part::Greetings, state);
    }

    fn render_clip(
        &self,
        form: &Form,
        own: Option<&Path>,
        voice: &Voice,
        clip: Clip,
        language: Language,
    ) -> Result<(), GreetingError> {
        let file = self.folder.join(clip.file_name(language, "wav"));
        let own = own.map(|folder| folder.join(clip.file_name(language, "wav"))).filter(|file| file.exists());
        let text = text_of(form, clip, language);
        let source = match &own {
            Some(own) => fs::metadata(own).map_or_else(|_| String::new(), |data| format!("{:?}", data.modified().ok())),
            None => format!("{} {text}", voice.describe()),
        };
        let stamp = Stamp { file: self.folder.join(clip.file_name(language, "stamp")), text: digest(&source) };
        if !(stamp.is_current() && file.exists()) {
            let samples = match &own {
                Some(own) => read_own(own)?,
                None => voice.speak(&text, language).map_err(|source| GreetingError::Voice { language, source })?,
            };
            self.write(&file, &samples)?;
            stamp.write();
        }
        self.note_duration(&file, clip, language)
    }

    /// Writes a clip as WAV, and as MP3 where the system has an encoder.
    fn write(&self, file: &Path, samples: &[i16]) -> Result<(), GreetingError> {
        let failed = |source| GreetingError::File { file: file.to_owned(), source };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let bytes =
            wav::encode_pcm16(samples, 1, SampleRate::HZ_8000).map_err(|error| failed(io::Error::other(error)))?;
        let part = file.with_extension("part");
        fs::write(&part, &bytes).and_then(|()| fs::rename(&part, file)).map_err(failed)?;
        match speech::wav_to_mp3(&bytes) {
            Ok(mp3) => fs::write(file.with_extension("mp3"), mp3).map_err(failed),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no MP3 of a recording; WAV is there");
                Ok(())
            }
        }
    }

    fn note_duration(&self, file: &Path, clip: Clip, language: Language) -> Result<(), GreetingError> {
        let failed = |source| GreetingError::File { file: file.to_owned(), source };
        // 16-bit mono, as written above; the header's few bytes are a few milliseconds.
        let samples = fs::metadata(file).map_err(failed)?.len() / 2;
        let duration = SampleCount(samples).duration(SampleRate::HZ_8000);
        self.durations.write().unwrap_or_else(PoisonError::into_inner).insert((clip, language), duration);
        Ok(())
    }
}

/// A note of what a rendered file was made of.
struct Stamp {
    file: PathBuf,
    text: String,
}

impl Stamp {
    fn is_current(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|text| text == self.text)
    }

    fn write(&self) {
        if let Err(error) = fs::write(&self.file, &self.text) {
            tracing::debug!(error = &error as &dyn std::error::Error, "the recording is rendered again at next start");
        }
    }
}

fn text_of(form: &Form, clip: Clip, language: Language) -> String {
    match clip {
        Clip::Greeting if form.speaks(language) => form.with_office(&form.greeting, language),
        Clip::Greeting
        | Clip::Fallback
        | Clip::Tone
        | Clip::Thanks
        | Clip::CalledBack
        | Clip::Consent
        | Clip::Recorded => clip.text(form.office.get(language), language),
    }
}

fn read_own(file: &Path) -> Result<Vec<i16>, GreetingError> {
    let wrong = |reason: String| GreetingError::Own { file: file.to_owned(), reason };
    let failed = |source| GreetingError::File { file: file.to_owned(), source };
    if fs::metadata(file).map_err(failed)?.len() > MAX_OWN_BYTES {
        return Err(wrong(format!("it is larger than {MAX_OWN_BYTES} bytes")));
    }
    let bytes = fs::read(file).map_err(failed)?;
    let sound = Wav::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
    crate::sound::mono_8khz(&sound).map_err(|error| wrong(error.to_string()))
}

fn digest(text: &str) -> String {
    let digits: Vec<String> = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

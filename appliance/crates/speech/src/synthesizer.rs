//! Speaking: from text to samples.

use std::time::Duration;

use units::Language;

/// Turns one sentence into speech.
pub trait Synthesizer: Send {
    /// Speaks `request`, handing over samples as they come through `audio` (mono, 8 kHz, signed 16 bit).
    ///
    /// `audio` answers whether to go on; after [`Flow::Stop`] the synthesizer returns soon and with `Ok`. It may be
    /// called with no samples, just for that answer.
    fn synthesize(
        &mut self,
        request: &SynthesizeRequest,
        audio: &mut dyn FnMut(&[i16]) -> Flow,
    ) -> Result<(), SynthesizeError>;

    /// Returns the name of the voice, for the call log and `/readyz`.
    fn voice(&self) -> &str;
}

/// What is to be said. It is written text (digits, times, phone numbers as people write them); the
/// synthesizer makes spoken text of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SynthesizeRequest {
    /// The sentence.
    pub text: String,
    /// The language it is in.
    pub language: Language,
}

/// Whether a synthesizer shall go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// More, please.
    Continue,
    /// Nobody listens any more.
    Stop,
}

/// Why a sentence could not be spoken.
#[derive(Debug, thiserror::Error)]
pub enum SynthesizeError {
    /// The queue before the synthesizer is full.
    #[error("all synthesizers are busy")]
    Busy,
    /// The speech program cannot be started.
    #[error("cannot start {program}; install the Debian package 'espeak-ng'")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The speech program did not finish in time and was killed.
    #[error("the speech program gave no audio for {waited:?}")]
    Overdue {
        /// How long it was waited for.
        waited: Duration,
    },
    /// The speech program failed or spoke something that is not audio.
    #[error("the speech program failed: {reason}")]
    Failed {
        /// What it said of itself, without the text it was given.
        reason: String,
    },
    /// The text could not be turned into something to speak.
    #[error("the text cannot be spoken")]
    Text(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The thread that spoke is gone.
    #[error("the synthesizer's thread ended")]
    Gone,
}

/// Puts vowel points on Hebrew text, so that it can be pronounced.
pub trait Diacritizer: Send {
    /// Returns `text` with niqqud. Text that already has niqqud keeps it, word by word.
    fn diacritize(&mut self, text: &str) -> Result<String, SynthesizeError>;
}

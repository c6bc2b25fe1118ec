//! Hearing and speaking on the device: the traits, the threads they run on, the voice that needs no model.
//!
//! | part | does |
//! |---|---|
//! | [`Recognizer`], [`Synthesizer`], [`Diacritizer`], [`Vad`] | what engines do; their ONNX kinds are in `speech-onnx` |
//! | [`RecognizerPool`], [`SynthesizerPool`], [`pool`] | named threads, one engine each, behind a bounded queue |
//! | [`EarshotVad`], [`Segmenter`] | where in the audio somebody speaks |
//! | [`EspeakSynthesizer`] | English and Hebrew by `espeak-ng`, a program of the system |
//! | [`PromptCache`], [`CachedSynthesizer`] | what was spoken once is not spoken again |
//! | [`render_wav`], [`wav_to_mp3`] | recordings for the carrier |
//!
//! The crate knows no calls, sockets or configuration files. Audio goes out at 8 kHz, as the telephone carries it.
//!
//! **Invariant:** nothing here makes a call wait for a place in a queue: a full queue is an answer.
//! **Invariant:** text reaches the speech program on its standard input only, never through a shell or in its
//! arguments, which everybody on the device can read.
//! **Invariant:** what is said and heard never stands in an error or a log.

mod biquad;
mod cache;
mod child;
mod detector;
mod espeak;
#[cfg(feature = "test-support")]
pub mod fakes;
mod mp3;
pub mod pool;
mod recognizer;
mod render;
mod segmenter;
mod shaper;
mod spoken;
mod synthesizer;
mod vad;
mod voicing;
mod wav_stream;

pub use crate::cache::{CacheConfig, CacheMetrics, CachedSynthesizer, PromptCache};
pub use crate::detector::EarshotVad;
pub use crate::espeak::{EspeakConfig, EspeakSynthesizer, EspeakVoice};
pub use crate::mp3::{Mp3Error, wav_to_mp3, wav_to_mp3_with};
pub use crate::pool::{
    BoxError, Heard, Job, PoolConfig, PoolMetrics, RecognizerPool, Spoken, StartError, SynthesizerPool,
};
pub use crate::recognizer::{Recognition, RecognizeError, RecognizeRequest, Recognizer};
pub use crate::render::{render, render_wav};
pub use crate::segmenter::{Segmenter, SegmenterConfig, SpeechEvent};
#[cfg(feature = "test-support")]
pub use crate::spoken::hebrew_input;
pub use crate::synthesizer::{Diacritizer, Flow, SynthesizeError, SynthesizeRequest, Synthesizer};
pub use crate::vad::Vad;

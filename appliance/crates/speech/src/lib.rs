//! Hearing and speaking on the device: the traits, the threads they run on, the voice that needs no model.

mod recognizer;
mod synthesizer;
mod vad;

pub use crate::recognizer::{Recognition, RecognizeError, RecognizeRequest, Recognizer};
pub use crate::synthesizer::{Diacritizer, Flow, SynthesizeError, SynthesizeRequest, Synthesizer};
pub use crate::vad::Vad;

//! Speech models on the device: the ONNX implementations of the traits in `speech`.
//!
//! * [`Runtime`] loads the ONNX Runtime library, once, with an error instead of an end where it cannot.
//! * [`WhisperRecognizer`] hears: log-mel front end, encoder, decoder with cache, greedy or beam search, guards.
//! * [`Nakdimon`] puts vowel points on Hebrew, so that it can be spoken.
//! * [`verify`] compares a model folder with the digests on its card.
//!
//! This is the only crate that names `ort`, and none of its types is in a public signature. It deliberately knows
//! no call, no configuration file and no download: paths and settings are arguments, and one object of each kind
//! belongs to one thread.
//!
//! **Invariant:** a missing, damaged or foreign library or model file is an error that names the file and says
//! what to do, never a panic.
//! **Invariant:** what was said appears in no log line and no error.
//! **Invariant:** the memory of a recognition is bound by the window of 30 s, not by the length of the audio.

mod card;
mod elf;
mod folder;
pub mod mel;
mod nakdimon;
mod runtime;
mod tokenizer;
mod whisper;

pub use crate::card::{CARD_FILE, Card, CardFile, CardWindow, sha256, verify};
pub use crate::folder::{LoadError, Precision};
pub use crate::nakdimon::{Nakdimon, NakdimonError};
pub use crate::runtime::{ParseProviderError, Provider, Runtime, RuntimeError, SessionSettings};
pub use crate::tokenizer::Tokenizer;
pub use crate::whisper::{
    Canceller, Guards, Timings, Verification, WhisperError, WhisperOptions, WhisperRecognizer, WindowPolicy,
};

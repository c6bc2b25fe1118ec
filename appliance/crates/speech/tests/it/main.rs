//! Speaking, keeping and detecting, with real programs and with ones that misbehave.

mod cache;
mod espeak;
mod mp3;
mod pools;
mod support;
mod vad;

//! Telephone audio: bytes to samples and back, in time.
//!
//! The carrier sends G.711 bytes in messages of any length, marked with milliseconds; recognizers want 16 kHz samples
//! without holes; voices speak at 22.05 kHz; recordings are WAV files. This crate does the arithmetic between these.
//! It does not know JSON, sockets, files, clocks or calls, and it does not decide what speech is.
//!
//! | module | does |
//! |---|---|
//! | [`g711`] | µ-law and A-law to 16-bit samples and back |
//! | [`framing`] | pieces of any length to frames of equal length |
//! | [`gaps`] | puts audio where its timestamp says: silence into holes, repetitions out |
//! | [`resample`] | between any two sample rates, streaming |
//! | [`level`] | loudness, peaks, clipping, clicks |
//! | [`dtmf`] | keys heard as tones in the audio |
//! | [`pcm`] | 16-bit and floating point samples, two tracks in one |
//! | [`voice_note`] | Opus in Ogg, decoded within bounds |
//! | [`wav`] | RIFF files, read by chunks, written whole or as they grow |
//!
//! Samples are `i16`, or `f32` from -1 to 1. Everything keeps its remainder between calls, so that cutting the same
//! audio differently gives the same result.
//!
//! **Invariant:** no input makes this crate panic, and no buffer in it grows with the length of a call.

pub mod dtmf;
pub mod framing;
pub mod g711;
pub mod gaps;
pub mod level;
pub mod pcm;
pub mod resample;
pub mod voice_note;
pub mod wav;

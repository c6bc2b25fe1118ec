//! RIFF/WAVE files.
//!
//! Read by chunks, as headers come in many lengths (a µ-law file of one tool has 58 bytes before the audio, of another
//! 92). Written whole, or as they grow: the header is right after each [`WavBuilder::patches`], so that a recording
//! survives a power cut up to its last patch.
//!
//! Format: <https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html>.

mod read;
mod write;

use units::SampleRate;

pub use self::read::{MAX_WAV_BYTES, ReadError, Wav};
pub use self::write::{TooLongError, WavBuilder, encode_mulaw, encode_pcm16};

/// How the samples of a file are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Unsigned 8 bits.
    Pcm8,
    /// Signed 16 bits.
    Pcm16,
    /// Signed 24 bits.
    Pcm24,
    /// Signed 32 bits.
    Pcm32,
    /// 32-bit floating point, full scale is 1.
    Float32,
    /// G.711 A-law.
    ALaw,
    /// G.711 µ-law.
    MuLaw,
}

impl Encoding {
    /// Returns the format tag in the file.
    pub const fn tag(self) -> u16 {
        match self {
            Self::Pcm8 | Self::Pcm16 | Self::Pcm24 | Self::Pcm32 => 1,
            Self::Float32 => 3,
            Self::ALaw => 6,
            Self::MuLaw => 7,
        }
    }

    /// Returns bytes per sample.
    pub const fn sample_bytes(self) -> u16 {
        match self {
            Self::Pcm8 | Self::ALaw | Self::MuLaw => 1,
            Self::Pcm16 => 2,
            Self::Pcm24 => 3,
            Self::Pcm32 | Self::Float32 => 4,
        }
    }

    const fn of(tag: u16, bits: u16) -> Option<Self> {
        match (tag, bits) {
            (1, 8) => Some(Self::Pcm8),
            (1, 16) => Some(Self::Pcm16),
            (1, 24) => Some(Self::Pcm24),
            (1, 32) => Some(Self::Pcm32),
            (3, 32) => Some(Self::Float32),
            (6, 8) => Some(Self::ALaw),
            (7, 8) => Some(Self::MuLaw),
            _ => None,
        }
    }
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WavSpec {
    /// Encoding of a sample.
    pub encoding: Encoding,
    /// Channels, from 1 to 8; samples of one moment stand together.
    pub channels: u16,
    /// Samples per second of each channel.
    pub rate: SampleRate,
}

#[cfg(test)]
mod tests;

//! The reader.

use units::{SampleCount, SampleRate};

use super::{Encoding, WavSpec};
use crate::g711::Law;
use crate::pcm;

/// Longest file read, in bytes: two hours of a 16-bit mono telephone call, half an hour of stereo at 44.1 kHz.
pub const MAX_WAV_BYTES: usize = 256 * 1_024 * 1_024;

/// Most channels.
const MAX_CHANNELS: u16 = 8;
/// Most chunks looked at before the audio.
const MAX_CHUNKS: usize = 64;
/// Format tag whose real tag stands further behind.
const EXTENSIBLE: u16 = 0xfffe;

/// Why bytes are not a WAV file we can play.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is longer than the limit.
    #[error("file of {bytes} bytes, expected at most {MAX_WAV_BYTES}")]
    TooLarge {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// It does not begin as a WAV file does.
    #[error("not a WAV file, expected 'RIFF', a length and 'WAVE'")]
    NotWav,
    /// A chunk that is needed is not there.
    #[error("no '{chunk}' chunk")]
    NoChunk {
        /// Name of the chunk.
        chunk: &'static str,
    },
    /// The format chunk is shorter than 16 bytes.
    #[error("'fmt ' chunk of {bytes} bytes, expected at least 16")]
    ShortFormat {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// An encoding we do not know.
    #[error("encoding {tag} with {bits} bits, expected PCM, 32-bit float, A-law or µ-law")]
    Encoding {
        /// The format tag.
        tag: u16,
        /// Bits per sample.
        bits: u16,
    },
    /// No channels, or too many.
    #[error("{channels} channels, expected 1 to {MAX_CHANNELS}")]
    Channels {
        /// How many it says it has.
        channels: u16,
    },
    /// A sample rate of zero.
    #[error("sample rate is 0")]
    Rate,
}

/// A WAV file in memory, not yet decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wav<'a> {
    spec: WavSpec,
    data: &'a [u8],
}

impl<'a> Wav<'a> {
    /// Finds format and audio in a file.
    ///
    /// A length that goes beyond the end of the file means "to the end": programs that write into a pipe do not know
    /// it. The audio is cut to whole samples of all channels.
    pub fn parse(file: &'a [u8]) -> Result<Self, ReadError> {
        if file.len() > MAX_WAV_BYTES {
            return Err(ReadError::TooLarge { bytes: file.len() });
        }
        let Some((&[b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'], mut rest)) =
            file.split_first_chunk::<12>()
        else {
            return Err(ReadError::NotWav);
        };
        let mut spec = None;
        for _ in 0..MAX_CHUNKS {
            let Some((&[a, b, c, d, l0, l1, l2, l3], body)) = rest.split_first_chunk::<8>() else { break };
            let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
            let content = body.get(..length).unwrap_or(body);
            match &[a, b, c, d] {
                b"fmt " => spec = Some(parse_format(content)?),
                b"data" => {
                    let spec = spec.ok_or(ReadError::NoChunk { chunk: "fmt " })?;
                    return Ok(Self { spec, data: whole_groups(content, spec) });
                }
                _ => {}
            }
            // Chunks start at even places.
            let next = length.saturating_add(length % 2);
            rest = body.get(next..).unwrap_or_default();
        }
        Err(ReadError::NoChunk { chunk: if spec.is_some() { "data" } else { "fmt " } })
    }

    /// Returns what the file holds.
    pub const fn spec(&self) -> WavSpec {
        self.spec
    }

    /// Returns the encoded audio: for a µ-law file, just what the carrier plays.
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Returns the length of each channel.
    pub fn frames(&self) -> SampleCount {
        let group = usize::from(self.spec.encoding.sample_bytes().saturating_mul(self.spec.channels)).max(1);
        SampleCount(u64::try_from(self.data.len() / group).unwrap_or(u64::MAX))
    }

    /// Decodes the audio, channels interleaved.
    pub fn samples(&self) -> Vec<i16> {
        match self.spec.encoding {
            Encoding::Pcm8 => self.data.iter().map(|byte| (i16::from(*byte) - 128) << 8).collect(),
            Encoding::Pcm16 => self.data.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect(),
            Encoding::Pcm24 => {
                self.data.as_chunks().0.iter().map(|[_, low, high]| i16::from_le_bytes([*low, *high])).collect()
            }
            Encoding::Pcm32 => {
                self.data.as_chunks().0.iter().map(|[_, _, low, high]| i16::from_le_bytes([*low, *high])).collect()
            }
            Encoding::Float32 => {
                self.data.as_chunks().0.iter().map(|bytes| pcm::sample_to_i16(f32::from_le_bytes(*bytes))).collect()
            }
            Encoding::ALaw => self.data.iter().map(|byte| Law::A.decode(*byte)).collect(),
            Encoding::MuLaw => self.data.iter().map(|byte| Law::Mu.decode(*byte)).collect(),
        }
    }

    /// Decodes the audio, channels mixed into one.
    pub fn mono(&self) -> Vec<i16> {
        if self.spec.channels == 1 {
            return self.samples();
        }
        let mut mono = Vec::new();
        pcm::downmix(&self.samples(), self.spec.channels, &mut mono);
        mono
    }
}

/// Reads a format chunk of any length.
fn parse_format(content: &[u8]) -> Result<WavSpec, ReadError> {
    let Some((&[t0, t1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1], rest)) = content.split_first_chunk::<16>()
    else {
        return Err(ReadError::ShortFormat { bytes: content.len() });
    };
    let mut tag = u16::from_le_bytes([t0, t1]);
    let bits = u16::from_le_bytes([b0, b1]);
    // The extension: its length, valid bits, speakers, and an identifier that begins with the real tag.
    if tag == EXTENSIBLE
        && let Some(&[_, _, _, _, _, _, _, _, s0, s1]) = rest.first_chunk::<10>()
    {
        tag = u16::from_le_bytes([s0, s1]);
    }
    let encoding = Encoding::of(tag, bits).ok_or(ReadError::Encoding { tag, bits })?;
    let channels = u16::from_le_bytes([c0, c1]);
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(ReadError::Channels { channels });
    }
    let rate = SampleRate::new(u32::from_le_bytes([r0, r1, r2, r3])).ok_or(ReadError::Rate)?;
    Ok(WavSpec { encoding, channels, rate })
}

/// Returns the content without an incomplete group of samples at its end.
fn whole_groups(content: &[u8], spec: WavSpec) -> &[u8] {
    let group = usize::from(spec.encoding.sample_bytes().saturating_mul(spec.channels)).max(1);
    content.get(..content.len() - content.len() % group).unwrap_or_default()
}

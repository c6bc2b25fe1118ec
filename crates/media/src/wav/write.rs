//! The writer.

use units::SampleRate;

use super::{Encoding, WavSpec};
use crate::g711::Law;

/// Most bytes of audio in a file, as the lengths in it have 32 bits; 37 hours of stereo telephone.
const MAX_DATA_BYTES: u32 = u32::MAX - 128;

/// The file would be longer than its header can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a WAV file cannot hold more than {MAX_DATA_BYTES} bytes of audio")]
pub struct TooLongError;

/// Writes a file piece by piece, without doing the writing: the bytes to append and to overwrite are handed out.
///
/// Append [`WavBuilder::header`], then what [`WavBuilder::append`] makes; now and then, and at the end, overwrite what
/// [`WavBuilder::patches`] says.
#[derive(Clone, Debug)]
pub struct WavBuilder {
    spec: WavSpec,
    data_bytes: u32,
}

impl WavBuilder {
    /// Returns a builder of 16-bit files.
    pub const fn pcm16(channels: u16, rate: SampleRate) -> Self {
        Self::new(WavSpec { encoding: Encoding::Pcm16, channels, rate })
    }

    /// Returns a builder of µ-law files.
    pub const fn mulaw(channels: u16, rate: SampleRate) -> Self {
        Self::new(WavSpec { encoding: Encoding::MuLaw, channels, rate })
    }

    const fn new(spec: WavSpec) -> Self {
        Self { spec, data_bytes: 0 }
    }

    /// Returns a builder with room for two bytes.
    #[cfg(test)]
    pub(super) const fn almost_full(channels: u16, rate: SampleRate) -> Self {
        Self { data_bytes: MAX_DATA_BYTES - 2, ..Self::pcm16(channels, rate) }
    }

    /// Returns the header of a file that holds what was appended so far.
    #[must_use]
    pub fn header(&self) -> Vec<u8> {
        let format = self.format();
        let mut header = Vec::with_capacity(64);
        header.extend_from_slice(b"RIFF");
        header.extend_from_slice(&self.riff_length().to_le_bytes());
        header.extend_from_slice(b"WAVEfmt ");
        header.extend_from_slice(&u32::try_from(format.len()).unwrap_or_default().to_le_bytes());
        header.extend_from_slice(&format);
        if self.has_fact() {
            header.extend_from_slice(b"fact\x04\0\0\0");
            header.extend_from_slice(&self.frames().to_le_bytes());
        }
        header.extend_from_slice(b"data");
        header.extend_from_slice(&self.data_bytes.to_le_bytes());
        header
    }

    /// Appends the bytes of samples (channels interleaved) to `out`, and counts them.
    ///
    /// # Errors
    ///
    /// When the file is full; nothing is appended then.
    pub fn append(&mut self, samples: &[i16], out: &mut Vec<u8>) -> Result<(), TooLongError> {
        let bytes = samples.len().saturating_mul(usize::from(self.spec.encoding.sample_bytes()));
        let bytes = u32::try_from(bytes).map_err(|_error| TooLongError)?;
        let data_bytes = self.data_bytes.checked_add(bytes).ok_or(TooLongError)?;
        if data_bytes > MAX_DATA_BYTES {
            return Err(TooLongError);
        }
        self.data_bytes = data_bytes;
        match self.spec.encoding {
            Encoding::MuLaw => Law::Mu.encode_into(samples, out),
            Encoding::ALaw => Law::A.encode_into(samples, out),
            Encoding::Pcm8 | Encoding::Pcm16 | Encoding::Pcm24 | Encoding::Pcm32 | Encoding::Float32 => {
                out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
            }
        }
        Ok(())
    }

    /// Returns places in the file and the bytes that belong there now, so that the header says the right lengths.
    #[must_use]
    pub fn patches(&self) -> Vec<(u64, [u8; 4])> {
        let data_at = if self.has_fact() { 54 } else { 40 };
        let mut patches = vec![(4, self.riff_length().to_le_bytes())];
        if self.has_fact() {
            patches.push((46, self.frames().to_le_bytes()));
        }
        patches.push((data_at, self.data_bytes.to_le_bytes()));
        patches
    }

    /// Returns the length of the header, in bytes: where the audio begins.
    pub const fn header_len(&self) -> u64 {
        if self.has_fact() { 58 } else { 44 }
    }

    /// Returns how many bytes of audio were appended.
    pub const fn data_bytes(&self) -> u32 {
        self.data_bytes
    }

    /// Everything but PCM says how long it is a second time.
    const fn has_fact(&self) -> bool {
        self.spec.encoding.tag() != 1
    }

    /// Returns the content of the format chunk.
    fn format(&self) -> Vec<u8> {
        let WavSpec { encoding, channels, rate } = self.spec;
        let group = encoding.sample_bytes().saturating_mul(channels);
        let mut format = Vec::with_capacity(18);
        format.extend_from_slice(&encoding.tag().to_le_bytes());
        format.extend_from_slice(&channels.to_le_bytes());
        format.extend_from_slice(&rate.hz().to_le_bytes());
        format.extend_from_slice(&rate.hz().saturating_mul(u32::from(group)).to_le_bytes());
        format.extend_from_slice(&group.to_le_bytes());
        format.extend_from_slice(&encoding.sample_bytes().saturating_mul(8).to_le_bytes());
        if self.has_fact() {
            format.extend_from_slice(&[0, 0]);
        }
        format
    }

    /// Returns the length of everything behind the first eight bytes.
    fn riff_length(&self) -> u32 {
        let header = u32::try_from(self.header_len()).unwrap_or_default();
        self.data_bytes.saturating_add(header).saturating_sub(8)
    }

    /// Returns the length of each channel.
    fn frames(&self) -> u32 {
        let group = u32::from(self.spec.encoding.sample_bytes().saturating_mul(self.spec.channels));
        self.data_bytes.checked_div(group).unwrap_or_default()
    }
}

/// Returns a whole 16-bit file.
pub fn encode_pcm16(samples: &[i16], channels: u16, rate: SampleRate) -> Result<Vec<u8>, TooLongError> {
    whole(WavBuilder::pcm16(channels, rate), samples)
}

/// Returns a whole µ-law file.
pub fn encode_mulaw(samples: &[i16], channels: u16, rate: SampleRate) -> Result<Vec<u8>, TooLongError> {
    whole(WavBuilder::mulaw(channels, rate), samples)
}

fn whole(mut builder: WavBuilder, samples: &[i16]) -> Result<Vec<u8>, TooLongError> {
    let mut data = Vec::new();
    builder.append(samples, &mut data)?;
    let mut file = builder.header();
    file.append(&mut data);
    Ok(file)
}

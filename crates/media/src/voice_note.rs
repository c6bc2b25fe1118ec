//! Voice notes: Opus in Ogg (RFC 7845, RFC 6716), as telephones record what is spoken into a message.
//!
//! The file comes from outside. A few bytes of Opus can say two minutes of silence a hundred times over, so what is
//! decoded is bounded by its length in time, whatever the file says of itself.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ogg::reading::{PacketReader, PageParsingOptions};
use ropus::{Channels, DecodeMode, Decoder};
use units::SampleRate;

/// The rate of what is decoded: what the recognizer wants, and what Opus can be decoded to directly.
pub const RATE: SampleRate = SampleRate::HZ_16000;

/// Samples of [`RATE`] in the longest packet there is: 120 ms (RFC 6716, section 2.1.4).
const MAX_PACKET: usize = 1_920;

/// Samples that a page counts for one of ours: it counts at 48 kHz.
const GRANULES_PER_SAMPLE: u64 = 3;

/// Packets that cannot be decoded, of which each is left out, until the whole file is taken for damaged.
const MAX_DAMAGED: usize = 50;

/// Why a voice note cannot be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoiceNoteError {
    /// It is not Ogg, or its first packet is not the head of an Opus stream.
    #[error("not Opus in Ogg")]
    Format,
    /// More than two channels, or a version of the format made after this was written.
    #[error("{channels} channels of Opus version {version}, expected one or two of version 0 to 15")]
    Unsupported {
        /// How many channels.
        channels: u8,
        /// Which version.
        version: u8,
    },
    /// It lasts longer than may be decoded.
    #[error("lasts more than {} s", limit.as_secs())]
    TooLong {
        /// The limit.
        limit: Duration,
    },
    /// There is too little in it that can be decoded.
    #[error("damaged")]
    Damaged,
}

/// Decodes a voice note to one channel of [`RATE`], in `-1.0..=1.0`.
///
/// What is damaged in the middle is left out, and a file that was cut is decoded as far as it goes. A second stream in
/// the same file is not looked at.
///
/// # Errors
///
/// When there is nothing to hear, or more than `limit`. No memory is used beyond the file and the audio of `limit`.
pub fn decode(file: &[u8], limit: Duration) -> Result<Vec<f32>, VoiceNoteError> {
    // The decoder is of others' making, and the bytes are anybody's: if it has a fault, the note is damaged, no more.
    catch_unwind(AssertUnwindSafe(|| decode_trusting(file, limit))).unwrap_or(Err(VoiceNoteError::Damaged))
}

fn decode_trusting(file: &[u8], limit: Duration) -> Result<Vec<f32>, VoiceNoteError> {
    // Damage shows when a packet is decoded, and costs that packet only, not its page.
    let mut options = PageParsingOptions::default();
    options.verify_checksum = false;
    let mut packets = PacketReader::new_with_page_parse_opts(Cursor::new(file), options);
    let first = packets.read_packet().ok().flatten().ok_or(VoiceNoteError::Format)?;
    let head = Head::read(&first.data)?;
    let serial = first.stream_serial();
    let mut decoding = Decoding::new(&head, limit)?;
    let mut is_after_tags = false;
    while let Ok(Some(packet)) = packets.read_packet() {
        if packet.stream_serial() != serial {
            continue;
        }
        // The second packet holds names of songs.
        if !std::mem::replace(&mut is_after_tags, true) {
            continue;
        }
        decoding.packet(&packet.data)?;
        if packet.last_in_stream() {
            decoding.end_at(packet.absgp_page());
            break;
        }
    }
    decoding.finish()
}

/// What the first packet says (RFC 7845, section 5.1).
struct Head {
    channels: u8,
    /// Samples at 48 kHz that come before the first to be heard.
    pre_skip: u16,
    /// What to multiply samples by.
    gain: f32,
}

impl Head {
    fn read(packet: &[u8]) -> Result<Self, VoiceNoteError> {
        let rest = packet.strip_prefix(b"OpusHead").ok_or(VoiceNoteError::Format)?;
        let [version, channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, ..] = *rest else {
            return Err(VoiceNoteError::Format);
        };
        if version > 15 || !(1..=2).contains(&channels) {
            return Err(VoiceNoteError::Unsupported { channels, version });
        }
        let decibels = f32::from(i16::from_le_bytes([gain_low, gain_high])) / 256.0;
        let pre_skip = u16::from_le_bytes([skip_low, skip_high]);
        Ok(Self { channels, pre_skip, gain: 10_f32.powf(decibels.clamp(-60.0, 60.0) / 20.0) })
    }
}

struct Decoding {
    decoder: Decoder,
    /// One packet's samples.
    scratch: Vec<i16>,
    samples: Vec<f32>,
    /// Samples still to be dropped at the start.
    skip: usize,
    pre_skip: u64,
    gain: f32,
    limit: Duration,
    max_samples: usize,
    damaged: usize,
}

impl Decoding {
    fn new(head: &Head, limit: Duration) -> Result<Self, VoiceNoteError> {
        // Two channels are mixed by the decoder.
        let channels = head.channels;
        let decoder = Decoder::new(RATE.hz(), Channels::Mono)
            .map_err(|_never_for_these| VoiceNoteError::Unsupported { channels, version: 1 })?;
        let pre_skip = u64::from(head.pre_skip);
        Ok(Self {
            decoder,
            scratch: vec![0; MAX_PACKET],
            samples: Vec::new(),
            skip: usize::from(head.pre_skip) / 3,
            pre_skip,
            gain: head.gain,
            limit,
            max_samples: usize::try_from(limit.as_millis()).unwrap_or(usize::MAX).saturating_mul(16),
            damaged: 0,
        })
    }

    fn packet(&mut self, packet: &[u8]) -> Result<(), VoiceNoteError> {
        // An empty packet asks the decoder to make something up.
        let decoded = if packet.is_empty() {
            None
        } else {
            self.decoder.decode(packet, &mut self.scratch, DecodeMode::Normal).ok()
        };
        let Some(audio) = decoded.and_then(|count| self.scratch.get(..count)) else {
            self.damaged += 1;
            return if self.damaged > MAX_DAMAGED { Err(VoiceNoteError::Damaged) } else { Ok(()) };
        };
        let skipped = self.skip.min(audio.len());
        self.skip -= skipped;
        if self.samples.len() + (audio.len() - skipped) > self.max_samples {
            return Err(VoiceNoteError::TooLong { limit: self.limit });
        }
        let heard = audio.iter().skip(skipped);
        self.samples.extend(heard.map(|sample| (f32::from(*sample) / 32_768.0 * self.gain).clamp(-1.0, 1.0)));
        Ok(())
    }

    /// The stream ends at this position of 48 kHz, `pre_skip` included; what the last packet holds beyond is padding.
    fn end_at(&mut self, position: u64) {
        let whole = position.saturating_sub(self.pre_skip) / GRANULES_PER_SAMPLE;
        let whole = usize::try_from(whole).unwrap_or(usize::MAX);
        // Only a packet's worth is padding; a page that counts from somewhere else is not believed.
        if self.samples.len().saturating_sub(whole) <= MAX_PACKET {
            self.samples.truncate(whole);
        }
    }

    fn finish(self) -> Result<Vec<f32>, VoiceNoteError> {
        if self.samples.is_empty() { Err(VoiceNoteError::Damaged) } else { Ok(self.samples) }
    }
}

#[cfg(test)]
mod tests;

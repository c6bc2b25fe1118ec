//! Recordings as MP3, by the program `lame`.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::child::{Output, Program};

/// Longest time to encode a greeting; usual is 50 ms.
const PATIENCE: Duration = Duration::from_secs(30);
/// 16 kHz, as some players know no MP3 at 8 kHz; 48 kbit/s mono are more than telephone audio needs.
const ARGUMENTS: [&str; 9] = ["--quiet", "-m", "m", "--resample", "16", "-b", "48", "-", "-"];

/// Why there is no MP3.
#[derive(Debug, thiserror::Error)]
pub enum Mp3Error {
    /// The encoder cannot be started.
    #[error("cannot start {program}; install the Debian package 'lame'")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Its output cannot be read.
    #[error("the encoder's output cannot be read")]
    Read(#[source] io::Error),
    /// It took too long and was killed.
    #[error("the encoder did not finish in {PATIENCE:?}")]
    Overdue,
    /// It failed.
    #[error("the encoder failed: {reason}")]
    Failed {
        /// Its exit status.
        reason: String,
    },
}

/// Returns a WAV file as MP3. Blocks while `lame` runs.
pub fn wav_to_mp3(wav: &[u8]) -> Result<Vec<u8>, Mp3Error> {
    wav_to_mp3_with(Path::new("lame"), wav)
}

/// Returns a WAV file as MP3, made by a program that takes the options of `lame`.
pub fn wav_to_mp3_with(program: &Path, wav: &[u8]) -> Result<Vec<u8>, Mp3Error> {
    let started = Instant::now();
    let mut encoder = Program::start(program, ARGUMENTS, wav.to_vec())
        .map_err(|source| Mp3Error::Start { program: program.display().to_string(), source })?;
    let mut mp3 = Vec::new();
    loop {
        match encoder.read(PATIENCE.saturating_sub(started.elapsed())).map_err(Mp3Error::Read)? {
            Output::Bytes(bytes) => mp3.extend_from_slice(&bytes),
            Output::Nothing => return Err(Mp3Error::Overdue),
            Output::End => break,
        }
    }
    let status = encoder.finish().map_err(Mp3Error::Read)?;
    if !status.success() || mp3.is_empty() {
        return Err(Mp3Error::Failed { reason: format!("{status}, {} bytes", mp3.len()) });
    }
    Ok(mp3)
}

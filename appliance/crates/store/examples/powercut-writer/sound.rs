//! Recordings whose samples follow from their number.

use std::fs;

use store::{RecordingFormat, RecordingName, Recordings};

use crate::{Outcome, rows, say};

/// Samples written at once: 100 ms.
const CHUNK: u64 = 800;
/// Bytes of a WAV header.
const HEADER_LEN: usize = 44;

/// Names the recording of a number.
pub(crate) fn name(number: u64) -> Outcome<RecordingName> {
    Ok(RecordingName::call(rows::call_id(number)?))
}

/// Makes a recording of so many chunks and returns the size of its file.
pub(crate) fn make(recordings: &Recordings, number: u64, chunks: u64) -> Outcome<u64> {
    let mut writer = recordings.create(name(number)?, RecordingFormat::PHONE)?;
    for chunk in 0..chunks {
        let samples: Vec<i16> = (chunk * CHUNK..(chunk + 1) * CHUNK).map(|index| sample(number, index)).collect();
        writer.write(&samples)?;
    }
    Ok(writer.finish()?.byte_count)
}

/// Prints every finished recording. Returns the numbers, oldest first.
pub(crate) fn print_all(recordings: &Recordings) -> Outcome<Vec<u64>> {
    let mut found = Vec::new();
    for (name, _) in recordings.list()? {
        let number = name.call.as_str().trim_start_matches("CA").parse()?;
        let bytes = fs::read(recordings.path(&name))?;
        let state = if is_whole(&bytes, number) { "whole" } else { "torn" };
        say(&format!("sound {number} {} {state}", bytes.len()))?;
        found.push(number);
    }
    found.sort_unstable();
    Ok(found)
}

/// Tells whether the file is as long as its header says and holds the samples of its number, from the first on.
fn is_whole(bytes: &[u8], number: u64) -> bool {
    let Some((head, data)) = bytes.split_at_checked(HEADER_LEN) else { return false };
    let announced = head.last_chunk::<4>().map(|len| u32::from_le_bytes(*len));
    let samples = data.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair));
    announced == u32::try_from(data.len()).ok()
        && head.starts_with(b"RIFF")
        && (0..).zip(samples).all(|(index, found)| found == sample(number, index))
}

/// One sample, never zero: a hole in a file is zeros.
fn sample(number: u64, index: u64) -> i16 {
    let mixed = number.wrapping_mul(40_503).wrapping_add(index.wrapping_mul(13)) % 30_000;
    i16::try_from(mixed).unwrap_or_default().saturating_add(1)
}

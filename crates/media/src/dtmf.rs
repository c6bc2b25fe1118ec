//! Keys heard as tones in the audio.
//!
//! The carrier reports keys by message; this is for audio that comes without: recordings, and callers behind an
//! exchange that passes tones through. Each key is two tones at once (ITU-T Q.23). Energy at the eight frequencies is
//! measured by Goertzel's method over 20 ms; a key counts when two pieces in a row agree, as Q.24 asks for 40 ms.

use std::f32::consts::TAU;

/// Samples looked at together: 20 ms at 8 kHz.
const BLOCK: usize = 160;
/// Sample rate, in hertz.
const RATE_HZ: f32 = 8_000.0;
/// The row's tone, in hertz.
const ROWS_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// The column's tone, in hertz.
const COLUMNS_HZ: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// Labels by row and column.
const KEYS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// Weakest pair of tones, as the mean square of full scale: about -36 dBFS.
const MIN_POWER: f32 = 2.5e-4;
/// The pair's share of all energy. Speech spreads wider.
const MIN_SHARE: f32 = 0.75;
/// How much stronger one tone of the pair may be, in power: 9 dB.
const MAX_TWIST: f32 = 8.0;
/// Pieces in a row that have to agree, to begin and to end a key.
const AGREE: u8 = 2;

/// Finds keys in 8 kHz audio.
#[derive(Clone, Debug)]
pub struct Detector {
    block: Vec<i16>,
    candidate: Option<char>,
    agreed: u8,
    current: Option<char>,
}

impl Detector {
    /// Returns a detector that heard nothing yet.
    pub fn new() -> Self {
        Self { block: Vec::with_capacity(BLOCK), candidate: None, agreed: 0, current: None }
    }

    /// Listens on, and hands the label of each key (`0`-`9`, `*`, `#`, `A`-`D`) to `sink` once, when it is sure of it.
    pub fn push(&mut self, mut samples: &[i16], mut sink: impl FnMut(char)) {
        while !samples.is_empty() {
            let missing = BLOCK.saturating_sub(self.block.len());
            let (head, tail) = samples.split_at_checked(missing).unwrap_or((samples, &[]));
            self.block.extend_from_slice(head);
            samples = tail;
            if self.block.len() == BLOCK {
                let heard = key_of(&self.block);
                self.block.clear();
                if let Some(key) = self.hear(heard) {
                    sink(key);
                }
            }
        }
    }

    /// Takes what one piece sounds like; returns a key when it begins.
    fn hear(&mut self, heard: Option<char>) -> Option<char> {
        self.agreed = if heard == self.candidate { self.agreed.saturating_add(1) } else { 1 };
        self.candidate = heard;
        if self.agreed < AGREE || heard == self.current {
            return None;
        }
        self.current = heard;
        heard
    }
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the key that 20 ms sound like.
fn key_of(block: &[i16]) -> Option<char> {
    let total = block.iter().map(|sample| (f32::from(*sample) / 32_768.0).powi(2)).sum::<f32>();
    let (row, row_power) = strongest(&ROWS_HZ, block)?;
    let (column, column_power) = strongest(&COLUMNS_HZ, block)?;
    let is_loud = total >= MIN_POWER * block_len();
    let is_pair = row_power + column_power >= MIN_SHARE * total;
    let is_even = row_power <= MAX_TWIST * column_power && column_power <= MAX_TWIST * row_power;
    if !(is_loud && is_pair && is_even) {
        return None;
    }
    KEYS.get(row).and_then(|row| row.get(column)).copied()
}

/// Returns which of the frequencies is the strongest, and its energy in the piece.
fn strongest(frequencies_hz: &[f32; 4], block: &[i16]) -> Option<(usize, f32)> {
    let energies = frequencies_hz.iter().map(|frequency_hz| energy_at(*frequency_hz, block)).enumerate();
    energies.max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// Returns the energy of a sine of this frequency in the piece (Goertzel).
fn energy_at(frequency_hz: f32, block: &[i16]) -> f32 {
    let coefficient = 2.0 * (TAU * frequency_hz / RATE_HZ).cos();
    let (mut before, mut last) = (0.0_f32, 0.0_f32);
    for sample in block {
        let next = f32::from(*sample) / 32_768.0 + coefficient * last - before;
        (before, last) = (last, next);
    }
    let power = last * last + before * before - coefficient * last * before;
    power * 2.0 / block_len()
}

/// The length of a piece, for arithmetic.
const fn block_len() -> f32 {
    160.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_heard_once_through_mulaw_noise_and_twist() {
        for (row, keys) in KEYS.iter().enumerate() {
            for (column, key) in keys.iter().enumerate() {
                let mut audio = vec![0; 333];
                audio.extend(pair(ROWS_HZ[row], COLUMNS_HZ[column], 6_000.0, 3_000.0, 800));
                audio.extend(vec![0; 800]);
                for sample in &mut audio {
                    *sample = crate::g711::decode_mulaw(crate::g711::encode_mulaw(*sample));
                }
                assert_eq!(heard(&audio), key.to_string());
            }
        }
    }

    #[test]
    fn the_same_key_twice_is_two_keys() {
        let mut audio = Vec::new();
        for _ in 0..2 {
            audio.extend(pair(770.0, 1_336.0, 8_000.0, 8_000.0, 640));
            audio.extend([0; 640]);
        }
        assert_eq!(heard(&audio), "55");
    }

    #[test]
    fn single_tones_whistles_and_short_blips_are_no_keys() {
        for (low, high) in [(697.0, 1_900.0), (500.0, 1_209.0), (440.0, 480.0)] {
            assert_eq!(heard(&pair(low, high, 8_000.0, 8_000.0, 4_000)), "", "{low} and {high}");
        }
        assert_eq!(heard(&pair(697.0, 1_209.0, 8_000.0, 0.0, 4_000)), "");
        assert_eq!(heard(&pair(697.0, 1_209.0, 8_000.0, 8_000.0, 200)), "");
        assert_eq!(heard(&pair(697.0, 1_209.0, 100.0, 100.0, 4_000)), "");
    }

    #[test]
    fn recorded_keys_are_heard() {
        let Some(folder) = recordings() else { return };
        let mut seen = 0;
        for (name, key) in ('0'..='9')
            .map(|digit| (digit.to_string(), digit))
            .chain([("star".to_owned(), '*'), ("pound".to_owned(), '#')])
        {
            let file = std::fs::read(folder.join(format!("dtmf-{name}.wav"))).unwrap();
            let wav = crate::wav::Wav::parse(&file).unwrap();
            let audio = crate::resample::convert_i16(&wav.mono(), wav.spec().rate, units::SampleRate::HZ_8000).unwrap();
            let heard = heard(&audio);
            assert!(!heard.is_empty() && heard.chars().all(|c| c == key), "{name} was heard as {heard:?}");
            seen += 1;
        }
        assert_eq!(seen, 12);
    }

    fn heard(audio: &[i16]) -> String {
        let mut detector = Detector::default();
        let mut keys = String::new();
        audio.chunks(77).for_each(|piece| detector.push(piece, |key| keys.push(key)));
        keys
    }

    fn pair(low_hz: f32, high_hz: f32, low: f32, high: f32, len: u16) -> Vec<i16> {
        let sine = |hz: f32, n: f32| (TAU * hz * n / RATE_HZ).sin();
        (0..len)
            .map(f32::from)
            .map(|n| crate::pcm::sample_to_i16((low * sine(low_hz, n) + high * sine(high_hz, n)) / 32_768.0))
            .collect()
    }

    /// Where recordings of keys lie, if they do.
    #[expect(clippy::disallowed_methods, reason = "tests find their data by it")]
    fn recordings() -> Option<std::path::PathBuf> {
        let default = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
        let shared = std::env::var_os("KOLBOX_SHARED").map_or(default, Into::into);
        let folder = shared.join("data/speech/dtmf");
        if !folder.is_dir() {
            println!("skipped: no recordings at {}", folder.display());
            return None;
        }
        Some(folder)
    }
}

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{VoiceNoteError, decode};

const TONE: &[u8] = include_bytes!("../../../../tests/data/voice-notes/tone-300.ogg");
const STEREO: &[u8] = include_bytes!("../../../../tests/data/voice-notes/stereo-440.ogg");
const HEBREW: &[u8] = include_bytes!("../../../../tests/data/voice-notes/hebrew.ogg");
const LIMIT: Duration = Duration::from_mins(10);

#[test]
fn a_tone_is_heard_as_long_as_it_was_and_as_high() {
    let samples = decode(TONE, LIMIT).unwrap();
    assert_eq!(samples.len(), 24_000, "1.5 s, without what was put before and behind");
    check_tone(&samples, 300.0);
}

#[test]
fn two_channels_at_48_khz_in_long_packets_become_one_at_16_khz() {
    let samples = decode(STEREO, LIMIT).unwrap();
    assert_eq!(samples.len(), 11_200);
    check_tone(&samples, 440.0);
}

#[test]
fn speech_is_neither_silent_nor_clipped() {
    let samples = decode(HEBREW, LIMIT).unwrap();
    let loudest = samples.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
    assert!((0.05..1.0).contains(&loudest), "{loudest}");
}

#[test]
fn a_file_that_was_cut_is_heard_as_far_as_it_goes() {
    let whole = decode(TONE, LIMIT).unwrap();
    let cut = decode(&TONE[..TONE.len() * 3 / 4], LIMIT).unwrap();
    assert!(cut.len() > 5_000 && cut.len() < whole.len(), "{}", cut.len());
    for end in [0, 1, 26, 40, 60] {
        assert!(decode(&TONE[..end], LIMIT).is_err(), "{end}");
    }
}

#[test]
fn what_is_not_opus_is_refused_by_name() {
    assert_eq!(decode(b"RIFF....WAVEfmt ", LIMIT), Err(VoiceNoteError::Format));
    let mut many = TONE.to_vec();
    many[28 + 9] = 6;
    assert_eq!(decode(&many, LIMIT), Err(VoiceNoteError::Unsupported { channels: 6, version: 1 }));
}

#[test]
fn what_lasts_too_long_is_refused() {
    let limit = Duration::from_secs(1);
    assert_eq!(decode(TONE, limit), Err(VoiceNoteError::TooLong { limit }));
}

#[test]
fn a_small_file_that_says_hours_of_nothing_is_refused_as_soon_as_it_is_too_long() {
    // A packet of two bytes says 48 frames of 2.5 ms; a page holds 255 of them, in 537 bytes.
    let mut file = TONE.to_vec();
    let second_page = 28 + 19;
    let tags = second_page + 27 + usize::from(file[second_page + 26]);
    let tags_len: usize = file[second_page + 27..tags].iter().map(|len| usize::from(*len)).sum();
    file.truncate(tags + tags_len);
    for page in 2..2_000_u32 {
        let mut bytes = b"OggS\0\0".to_vec();
        bytes.extend(u64::from(page).to_le_bytes());
        bytes.extend_from_slice(&TONE[14..18]);
        bytes.extend(page.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.push(255);
        bytes.extend([2; 255]);
        bytes.extend([0x83, 48].repeat(255));
        file.extend(bytes);
    }
    assert!(file.len() < 2_000_000);
    assert_eq!(decode(&file, LIMIT), Err(VoiceNoteError::TooLong { limit: LIMIT }));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_use_more_than_the_limit(bytes in vec(any::<u8>(), 0..2_000)) {
        check_bounded(&bytes);
    }

    #[test]
    fn no_damage_makes_it_panic_or_use_more_than_the_limit(
        stereo in any::<bool>(),
        damage in vec((any::<Index>(), any::<u8>()), 1..40),
        cut in any::<Index>(),
    ) {
        let mut bytes = if stereo { STEREO.to_vec() } else { TONE.to_vec() };
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let end = bytes.len() - cut.index(bytes.len() / 4);
        check_bounded(&bytes[..end]);
    }
}

fn check_bounded(bytes: &[u8]) {
    let limit = Duration::from_secs(2);
    if let Ok(samples) = decode(bytes, limit) {
        assert!(samples.len() <= 32_000);
        assert!(samples.iter().all(|sample| (-1.0..=1.0).contains(sample)));
    }
}

/// Checks loudness and pitch, the first and last 50 ms aside.
#[expect(clippy::cast_precision_loss, reason = "a few thousand samples")]
fn check_tone(samples: &[f32], hz: f32) {
    let middle = &samples[800..samples.len() - 800];
    let power = middle.iter().map(|sample| sample * sample).sum::<f32>() / middle.len() as f32;
    assert!((0.1..0.25).contains(&power.sqrt()), "{}", power.sqrt());
    let crossings = middle.windows(2).filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0)).count();
    let heard = crossings as f32 / 2.0 / (middle.len() as f32 / 16_000.0);
    assert!((heard - hz).abs() < 5.0, "{heard}");
}

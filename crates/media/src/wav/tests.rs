#![expect(clippy::cast_possible_truncation, reason = "the files are small")]

use proptest::prelude::*;
use units::SampleCount;

use super::*;
use crate::g711::Law;

#[test]
fn a_mulaw_file_with_extra_chunks_gives_just_its_audio() {
    // As a cloud voice answers: format of 18 bytes, a fact chunk, a list chunk of odd length, then audio.
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x12\0\0\0\x07\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0\0\0".to_vec();
    file.extend_from_slice(b"fact\x04\0\0\0\x04\0\0\0LIST\x05\0\0\0INFOx\0data\x04\0\0\0\xff\x7f\x80\x00");
    let wav = Wav::parse(&file).unwrap();
    assert_eq!(wav.spec(), WavSpec { encoding: Encoding::MuLaw, channels: 1, rate: SampleRate::HZ_8000 });
    assert_eq!(wav.data(), [0xff, 0x7f, 0x80, 0x00]);
    assert_eq!(wav.samples(), [0, 0, 32_124, -32_124]);
    assert_eq!(wav.frames(), SampleCount(4));
}

#[test]
fn a_file_from_a_pipe_ends_where_it_ends() {
    // espeak-ng does not know the length when it writes the header.
    for length in [0x7fff_f000_u32, u32::MAX] {
        let mut file = encode_pcm16(&[1, -2, 3], 1, SampleRate::HZ_22050).unwrap();
        file.splice(40..44, length.to_le_bytes());
        file.push(9);
        assert_eq!(Wav::parse(&file).unwrap().samples(), [1, -2, 3]);
    }
}

#[test]
fn every_encoding_is_decoded_to_the_same_loudness() {
    let half: [(u16, u16, &[u8]); 7] = [
        (1, 8, &[0xc0]),
        (1, 16, &[0x00, 0x40]),
        (1, 24, &[0x00, 0x00, 0x40]),
        (1, 32, &[0x00, 0x00, 0x00, 0x40]),
        (3, 32, &[0x00, 0x00, 0x00, 0x3f]),
        (6, 8, &[Law::A.encode(16_384)]),
        (7, 8, &[Law::Mu.encode(16_384)]),
    ];
    for (tag, bits, bytes) in half {
        let file = file_of(tag, bits, 1, bytes);
        let samples = Wav::parse(&file).unwrap().samples();
        assert_eq!(samples.len(), 1);
        assert!((i32::from(samples[0]) - 16_384).abs() <= 512, "tag {tag}, {bits} bits: {samples:?}");
    }
}

#[test]
fn an_extensible_format_is_what_its_extension_says() {
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x28\0\0\0\xfe\xff\x02\0\x80\x3e\0\0\0\xfa\0\0\x04\0\x10\0".to_vec();
    file.extend_from_slice(b"\x16\0\x10\0\x03\0\0\0\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
    file.extend_from_slice(b"data\x08\0\0\0\x02\0\x04\0\xfe\xff\xfc\xff");
    let wav = Wav::parse(&file).unwrap();
    assert_eq!((wav.spec().encoding, wav.spec().channels), (Encoding::Pcm16, 2));
    assert_eq!(wav.mono(), [3, -3]);
}

#[test]
fn what_is_no_file_is_refused_by_name() {
    let good = encode_pcm16(&[0; 4], 1, SampleRate::HZ_8000).unwrap();
    let (no_format, no_data) = (good[..12].to_vec(), good[..36].to_vec());
    let short = [&good[..12], b"fmt \x08\0\0\0\x01\0\x01\0\x40\x1f\0\0"].concat();
    let cases = [
        (b"OggS".to_vec(), ReadError::NotWav),
        (no_format, ReadError::NoChunk { chunk: "fmt " }),
        (no_data, ReadError::NoChunk { chunk: "data" }),
        (short, ReadError::ShortFormat { bytes: 8 }),
        (file_of(2, 4, 1, &[0]), ReadError::Encoding { tag: 2, bits: 4 }),
        (file_of(1, 16, 0, &[0]), ReadError::Channels { channels: 0 }),
        (file_of(1, 16, 900, &[0]), ReadError::Channels { channels: 900 }),
    ];
    for (file, error) in cases {
        assert_eq!(Wav::parse(&file), Err(error));
    }
}

#[test]
fn a_growing_file_is_right_after_each_patch() {
    for mut builder in [WavBuilder::pcm16(2, SampleRate::HZ_8000), WavBuilder::mulaw(2, SampleRate::HZ_8000)] {
        let mut file = builder.header();
        assert_eq!(file.len() as u64, builder.header_len());
        for round in 1..=3_u64 {
            let mut bytes = Vec::new();
            builder.append(&[0, 32_124, -32_124, 0], &mut bytes).unwrap();
            file.append(&mut bytes);
            for (at, patch) in builder.patches() {
                file.splice(at as usize..at as usize + 4, patch);
            }
            assert_eq!(file[..builder.header_len() as usize], builder.header());
            let wav = Wav::parse(&file).unwrap();
            assert_eq!(wav.frames(), SampleCount(2 * round));
            assert_eq!(wav.samples()[..4], [0, 32_124, -32_124, 0]);
        }
        assert_eq!(u32::from_le_bytes([file[4], file[5], file[6], file[7]]) as usize, file.len() - 8);
    }
}

#[test]
fn a_full_file_refuses_more_instead_of_lying_about_its_length() {
    let mut builder = WavBuilder::almost_full(1, SampleRate::HZ_8000);
    let mut out = Vec::new();
    assert_eq!(builder.append(&[1], &mut out), Ok(()));
    assert_eq!(builder.append(&[1], &mut out), Err(TooLongError));
    assert_eq!(out.len(), 2);
}

proptest! {
    #[test]
    fn nothing_that_looks_like_a_file_makes_the_reader_panic(
        mut noise in proptest::collection::vec(any::<u8>(), 0..200),
        whole in any::<bool>(),
    ) {
        if whole {
            noise.splice(0..0, b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".iter().copied());
        }
        if let Ok(wav) = Wav::parse(&noise) {
            prop_assert!(wav.samples().len() <= noise.len());
        }
    }

    #[test]
    fn what_is_written_is_read_back(samples in proptest::collection::vec(any::<i16>(), 0..500), stereo in any::<bool>()) {
        let channels = if stereo { 2 } else { 1 };
        let whole = samples.len() - samples.len() % usize::from(channels);
        let file = encode_pcm16(&samples, channels, SampleRate::HZ_16000).unwrap();
        let wav = Wav::parse(&file).unwrap();
        prop_assert_eq!(wav.spec().channels, channels);
        prop_assert_eq!(wav.samples(), &samples[..whole]);
        for cut in 0..file.len().min(60) {
            prop_assert!(Wav::parse(&file[..cut]).is_ok_and(|wav| wav.samples().is_empty() || cut > 44) || cut < 44);
        }
    }
}

/// A file of one chunk of audio.
fn file_of(tag: u16, bits: u16, channels: u16, data: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    for number in [tag, channels] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.extend_from_slice(&8_000_u32.to_le_bytes());
    file.extend_from_slice(&[0; 6]);
    file.extend_from_slice(&bits.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&(data.len() as u32).to_le_bytes());
    file.extend_from_slice(data);
    file
}

//! Logs: written, read, torn, damaged, replayed.

mod scenes;

use std::borrow::Cow;
use std::path::Path;

use conversation::{Config, HangupReason, Input, Output};
use proptest::prelude::*;
use units::{CallTime, Language, SampleCount, TurnId, UtteranceId};

use crate::player::{ReplayError, WakeUps, replay};
use crate::{Frame, Opened, ReadError, Reader, Record, encode};
use scenes::{SCENES, record};

#[test]
fn the_same_log_replays_to_the_same_decisions_a_thousand_times_with_wake_ups_at_random() {
    for (name, scene) in SCENES {
        let log = record(scene);
        for seed in 0..1_000 {
            let report =
                replay(&log, WakeUps::Random { seed }).unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
            assert!(report.ended && report.decisions > 5, "{name}: {report}");
        }
        assert_eq!(replay(&log, WakeUps::Never).unwrap(), replay(&log, WakeUps::OnTime).unwrap());
    }
}

#[test]
fn samples_of_the_format_are_still_written_byte_for_byte_and_still_replay() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    for (name, scene) in SCENES {
        let file = folder.join(format!("{name}.log"));
        let log = record(scene);
        let Ok(sample) = std::fs::read(&file) else {
            std::fs::write(&file, &log).unwrap();
            panic!("{name}.log was missing and is written now: look at it, and run this again");
        };
        assert!(sample == log, "{name}.log differs: if that is meant, remove it and run this again");
        let report = replay(&sample, WakeUps::OnTime).unwrap();
        assert!(report.ended && report.torn.is_none(), "{name}: {report}");
    }
}

#[test]
fn a_decision_that_differs_is_found_and_its_words_are_not_shown() {
    let log = record(SCENES[0].1);
    let changed = rewrite(&log, |record| {
        let Record::Decided { at, output: Output::Said { turn, who, text, language, began, interrupted } } = record
        else {
            return record;
        };
        let text = text.map(|text| format!("{text} חיים"));
        Record::Decided { at, output: Output::Said { turn, who, text, language, began, interrupted } }
    });
    let error = replay(&changed, WakeUps::OnTime).unwrap_err().to_string();
    assert!(error.contains("other words than in the log") && !error.contains("חיים"), "{error}");

    let changed = rewrite(&log, |record| {
        let Record::Decided { at, output: Output::Hangup { .. } } = record else { return record };
        Record::Decided { at, output: Output::Hangup { reason: HangupReason::CallLimit } }
    });
    let error = replay(&changed, WakeUps::OnTime).unwrap_err().to_string();
    assert!(error.contains("the log has \"") && error.contains("hang up: CallLimit"), "{error}");
}

#[test]
fn a_decision_too_many_or_too_few_is_found() {
    let log = record(SCENES[0].1);
    let extra = Record::Decided { at: CallTime::from_millis(1), output: Output::Ended };
    let longer = [log.clone(), encode(extra).unwrap()].concat();
    let Err(ReplayError::Diverged(divergence)) = replay(&longer, WakeUps::OnTime) else { panic!("not found") };
    assert_eq!(divergence.actual, None);

    let mut dropped = false;
    let shorter = rewrite_all(&log, |record| {
        let first_recognition = !dropped && matches!(record, Record::Decided { output: Output::Recognize { .. }, .. });
        dropped |= first_recognition;
        (!first_recognition).then_some(record)
    });
    assert!(matches!(replay(&shorter, WakeUps::OnTime), Err(ReplayError::Diverged(_))));
}

#[test]
fn a_log_torn_at_any_byte_keeps_the_whole_records_before_and_replays() {
    let log = record(SCENES[3].1);
    let whole: Vec<Record<'_>> = Reader::new(&log).map(Result::unwrap).collect();
    let ends: Vec<usize> = whole
        .iter()
        .scan(0, |end, record| {
            *end += encode(record.clone()).unwrap().len();
            Some(*end)
        })
        .collect();
    for cut in 0..log.len() {
        let mut reader = Reader::new(&log[..cut]);
        let read: Vec<Record<'_>> = reader.by_ref().map(Result::unwrap).collect();
        let kept = ends.iter().filter(|end| **end <= cut).count();
        assert!(read == whole[..kept], "cut at {cut}");
        let begin = if kept == 0 { 0 } else { ends[kept - 1] };
        assert_eq!(reader.torn(), (begin < cut).then_some(begin), "cut at {cut}");
        assert_eq!(replay(&log[..cut], WakeUps::OnTime).is_ok(), kept > 0, "cut at {cut}");
    }
}

#[test]
fn any_flipped_byte_is_noticed() {
    let log = record(SCENES[3].1);
    let whole = Reader::new(&log).count();
    for index in 0..log.len() {
        let mut flipped = log.clone();
        flipped[index] ^= 0x20;
        let mut reader = Reader::new(&flipped);
        let read: Vec<_> = reader.by_ref().collect();
        let error = read.iter().find_map(|record| record.as_ref().err());
        let noticed = error.is_some_and(|error| matches!(error, ReadError::Damaged { .. }));
        let cut = reader.torn().is_some() && read.len() == whole - 1;
        assert!(noticed || cut, "byte {index}: {error:?}");
    }
}

#[test]
fn what_is_no_log_is_said_to_be_none() {
    for bytes in [&b""[..], b"hello\n", b"{}\n", b"\n", &vec![0; 300_000], &[0xff; 100]] {
        assert!(replay(bytes, WakeUps::OnTime).is_err());
    }
    let frame = Record::Frame { at: CallTime::ZERO, frame: Frame::Audio(Cow::Borrowed(b"abc")) };
    assert!(matches!(replay(&encode(frame).unwrap(), WakeUps::OnTime), Err(ReplayError::Read(ReadError::NotALog))));
    let mut opened = Opened::new("test", Config::default());
    opened.format = 2;
    let error = replay(&encode(Record::Opened(Box::new(opened))).unwrap(), WakeUps::OnTime).unwrap_err();
    assert_eq!(error.to_string(), "the call log has format 2, this program reads up to 1");
}

#[test]
fn kinds_of_a_later_version_are_skipped_and_counted() {
    let opened = encode(Record::Opened(Box::new(Opened::new("test", Config::default())))).unwrap();
    let line = r#"{"kind":"weather","payload_length":3,"payload_crc":"352441c2""#;
    let later = format!("{line},\"crc\":\"{}\"}}\nabc", crate::record::crc(line.as_bytes())).into_bytes();
    let report = replay(&[opened, later].concat(), WakeUps::OnTime).unwrap();
    assert_eq!((report.unknown, report.records), (1, 1));
}

#[test]
fn a_record_too_long_is_refused_by_the_writer() {
    let audio = vec![0xff; crate::MAX_PAYLOAD + 1];
    assert!(encode(Record::Frame { at: CallTime::ZERO, frame: Frame::Audio(audio.into()) }).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_is_read_back(records in prop::collection::vec(a_record(), 0..20), cut in any::<prop::sample::Index>()) {
        let mut log = encode(Record::Opened(Box::new(Opened::new("test", Config::default())))).unwrap();
        let mut ends = vec![log.len()];
        for record in &records {
            log.extend(encode(record.clone()).unwrap());
            ends.push(log.len());
        }
        let read: Result<Vec<Record<'_>>, _> = Reader::new(&log).skip(1).collect();
        prop_assert_eq!(read.unwrap(), &records[..]);

        let cut = cut.index(log.len());
        let read: Result<Vec<Record<'_>>, _> = Reader::new(&log[..cut]).skip(1).collect();
        let kept = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
        prop_assert_eq!(read.unwrap(), &records[..kept]);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(replay(&bytes, WakeUps::OnTime).is_err());
    }

    #[test]
    fn no_messages_make_the_player_panic(inputs in prop::collection::vec(a_record(), 0..40)) {
        let mut log = encode(Record::Opened(Box::new(Opened::new("test", Config::default())))).unwrap();
        let inputs = inputs.into_iter().filter(|record| !matches!(record, Record::Decided { .. }));
        log.extend(inputs.flat_map(|record| encode(record).unwrap()));
        prop_assert!(replay(&log, WakeUps::OnTime).is_ok());
    }
}

fn a_record() -> impl Strategy<Value = Record<'static>> {
    let at = any::<u64>().prop_map(CallTime::from_micros);
    let kind = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|audio| Kind::Frame(Frame::Audio(audio.into()))),
        ".*".prop_map(|message: String| Kind::Frame(Frame::Message(message.into()))),
        (any::<u32>(), ".*").prop_map(|(turn, text)| {
            Kind::Perceived(Input::ReplySentence { turn: TurnId(turn), text: text.into(), language: Language::Hebrew })
        }),
        (any::<u32>(), any::<u64>(), any::<bool>()).prop_map(|(id, samples, last)| {
            let (utterance, samples) = (UtteranceId(id), SampleCount(samples));
            Kind::Perceived(Input::Synthesized { utterance, samples, last })
        }),
        (any::<u64>(), any::<u64>()).prop_map(|(at, detected)| {
            Kind::Perceived(Input::SpeechStarted { at: SampleCount(at), detected: SampleCount(detected) })
        }),
        Just(Kind::Perceived(Input::StreamStarted { greeting: conversation::GreetingMode::Stream })),
        any::<u32>().prop_map(|id| Kind::Decided(Output::Release { utterance: UtteranceId(id) })),
        ".*".prop_map(|text: String| {
            let (utterance, turn) = (UtteranceId(1), TurnId(1));
            Kind::Decided(Output::Synthesize { utterance, turn, text: text.into(), language: Language::English })
        }),
    ];
    (at, kind).prop_map(|(at, kind)| match kind {
        Kind::Frame(frame) => Record::Frame { at, frame },
        Kind::Perceived(input) => Record::Perceived { at, input },
        Kind::Decided(output) => Record::Decided { at, output },
    })
}

#[derive(Clone, Debug)]
enum Kind {
    Frame(Frame<'static>),
    Perceived(Input),
    Decided(Output),
}

fn rewrite<'a>(log: &'a [u8], change: impl Fn(Record<'a>) -> Record<'a>) -> Vec<u8> {
    rewrite_all(log, |record| Some(change(record)))
}

fn rewrite_all<'a>(log: &'a [u8], mut change: impl FnMut(Record<'a>) -> Option<Record<'a>>) -> Vec<u8> {
    Reader::new(log).filter_map(|record| change(record.unwrap())).flat_map(|record| encode(record).unwrap()).collect()
}

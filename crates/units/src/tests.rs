use alloc::format;
use core::time::Duration;

use crate::{CallId, CallTime, Language, Pii, SampleCount, SampleRate};

#[test]
fn call_time_is_cut_to_microseconds_so_that_it_survives_the_log() {
    let time = CallTime::from_duration(Duration::from_nanos(1_999));
    assert_eq!(time, CallTime::from_micros(1));
    assert_eq!(CallTime::from_duration(Duration::MAX).as_micros(), u64::MAX);
}

#[test]
fn arithmetic_at_the_edges_saturates() {
    let end = CallTime::from_micros(u64::MAX);
    assert_eq!(end.saturating_add(Duration::from_secs(1)), end);
    assert_eq!(CallTime::ZERO.saturating_since(end), Duration::ZERO);
    assert_eq!(SampleCount(u64::MAX).saturating_add(SampleCount(1)), SampleCount(u64::MAX));
    assert_eq!(SampleCount(1).saturating_sub(SampleCount(2)), SampleCount::ZERO);
    assert_eq!(SampleCount::from_duration(Duration::MAX, SampleRate::HZ_16000).0, u64::MAX);
}

#[test]
fn a_frame_is_160_samples_and_20_milliseconds() {
    let frame = SampleCount::from_duration(Duration::from_millis(20), SampleRate::HZ_8000);
    assert_eq!(frame, SampleCount(160));
    assert_eq!(frame.duration(SampleRate::HZ_8000), Duration::from_millis(20));
}

#[test]
fn call_ids_are_safe_in_file_names() {
    for bad in ["", "../etc", "CA 1", "CA/1", &"a".repeat(65), "שלום"] {
        assert!(bad.parse::<CallId>().is_err(), "{bad:?} was accepted");
    }
    assert!("CA0123456789abcdef0123456789abcdef".parse::<CallId>().is_ok());
}

#[test]
fn language_tags_and_the_withdrawn_hebrew_code_are_understood() {
    for (text, language) in
        [("he", Language::Hebrew), ("he-IL", Language::Hebrew), ("iw", Language::Hebrew), ("EN_us", Language::English)]
    {
        assert_eq!(text.parse(), Ok(language));
    }
    assert!("hex".parse::<Language>().is_err());
}

#[test]
fn personal_data_does_not_show() {
    let number = Pii::new("0541234567");
    assert_eq!(format!("{number:?} {number}"), "[pii] [pii]");
    assert_eq!(number.map(str::len).reveal(), &10);
}

//! Whatever comes in, the answer is a document or an error that says where.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{batch, device, up};
use crate::limits::{MAX_QUARANTINED_LEN, MAX_RECEIVED_LEN, MAX_UNPACKED_LEN};
use crate::{
    DecodeError, Desired, Document, EventBatch, Presence, ReceivedBatch, Reported, SeqRange, Skipped, Stream, Topic,
    Watermark, decode, decode_batch, encode,
};

fn topic() -> Topic {
    up("office-17", Stream::Calls)
}

fn received(value: &Value) -> Result<ReceivedBatch, DecodeError> {
    decode_batch(&topic(), value.to_string().as_bytes())
}

fn good() -> Value {
    serde_json::to_value(batch(&[1, 2, 3, 4])).unwrap()
}

fn error(payload: &[u8]) -> DecodeError {
    let salvaging = decode_batch(&topic(), payload).unwrap_err();
    let strict = decode::<EventBatch>(&topic(), payload).unwrap_err();
    assert_eq!(salvaging.cause(), strict.cause(), "{salvaging} and {strict}");
    salvaging
}

/// An error with its sources, as it is logged.
fn chain(error: &DecodeError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

#[test]
fn payloads_that_are_no_documents_are_told_apart() {
    assert!(matches!(error(b""), DecodeError::Empty));
    assert!(matches!(error(b"hello"), DecodeError::UnknownEncoding { first: b'h' }));
    assert!(matches!(error(b"[1]"), DecodeError::UnknownEncoding { first: b'[' }));
    assert!(matches!(error(b"{\"v\":1,"), DecodeError::NotJson { line: 1, column: 7 }));
    assert!(matches!(error(b"{} x"), DecodeError::NotJson { .. }));
    assert!(matches!(error(b"{\"v\":1,\xFF}"), DecodeError::NotUtf8 { at: 7 }));
    assert!(matches!(error(&[0x28, 0xB5, 0x2F, 0xFD, 1, 2, 3]), DecodeError::Compressed(_)));
    assert!(matches!(error(&[0x28, 0xB5]), DecodeError::UnknownEncoding { .. }));
}

#[test]
fn a_payload_of_a_megabyte_is_refused_by_its_length() {
    let payload = format!("{{\"v\":1,\"x\":\"{}\"}}", "a".repeat(1 << 20));
    assert!(matches!(error(payload.as_bytes()), DecodeError::TooLong { len } if len == payload.len()));
    let mut just_fits = payload.into_bytes();
    just_fits.truncate(MAX_RECEIVED_LEN);
    assert!(matches!(error(&just_fits), DecodeError::NotJson { .. }));
}

#[test]
fn a_zstd_bomb_is_stopped() {
    let bomb = zstd::bulk::compress(&vec![b' '; 512 << 20], 3).unwrap();
    assert!(bomb.len() < MAX_RECEIVED_LEN, "{}", bomb.len());
    assert!(matches!(error(&bomb), DecodeError::UnfoldsTooFar | DecodeError::Compressed(_)));
    // Small windows, and frames behind frames, so that only the count of bytes can stop it.
    let frame = zstd::bulk::compress(&vec![b' '; MAX_UNPACKED_LEN / 2], 3).unwrap();
    assert!(matches!(error(&frame.repeat(1000)), DecodeError::UnfoldsTooFar));
}

#[test]
fn a_frame_that_wants_a_large_window_is_refused() {
    use std::io::Write as _;
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(b"{}").unwrap();
    assert!(matches!(error(&encoder.finish().unwrap()), DecodeError::Compressed(_)));
}

#[test]
fn nesting_without_end_is_refused() {
    for payload in [
        format!("{{\"v\":1,\"x\":{}", "[".repeat(100_000)),
        format!("{{\"v\":1,\"x\":{}1{}}}", "[".repeat(50_000), "]".repeat(50_000)),
    ] {
        let error = decode::<EventBatch>(&topic(), payload.as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::NotJson { .. }), "{error}");
        assert!(decode_batch(&topic(), payload.as_bytes()).is_err());
    }
}

#[test]
fn versions_that_never_were_and_later_ones_are_two_errors() {
    for unknown in [json!(null), json!(0), json!(-1), json!("1"), json!(1.5), json!({})] {
        let mut value = good();
        value["v"] = unknown;
        assert!(matches!(error(value.to_string().as_bytes()), DecodeError::UnknownVersion(_)), "{value}");
    }
    assert!(matches!(error(b"{}"), DecodeError::UnknownVersion(_)));
    // What else is in it does not matter: it may look quite different.
    assert!(matches!(error(b"{\"v\":2,\"events\":\"elsewhere\"}"), DecodeError::FutureVersion { found: 2 }));
    assert_eq!(error(b"{\"v\":2}").to_string(), "a payload of version 2, expected at most 1");
}

#[test]
fn another_device_or_stream_than_the_topic_is_refused() {
    let payload = encode(&batch(&[1])).unwrap();
    let other_device = decode_batch(&up("office-18", Stream::Calls), &payload).unwrap_err();
    assert!(matches!(other_device, DecodeError::WrongDevice { .. }), "{other_device}");
    let other_stream = decode_batch(&up("office-17", Stream::Logs), &payload).unwrap_err();
    assert!(matches!(other_stream, DecodeError::WrongStream { .. }), "{other_stream}");

    let birth = encode(&Presence::birth(device("office-17"), 1, 1)).unwrap();
    let error = decode::<Presence>(&Topic::Presence { device: device("office-18") }, &birth).unwrap_err();
    assert_eq!(error.cause(), "wrong_device");
    let watermark = encode(&Watermark::new(device("office-17"), Stream::Calls, 1, 1)).unwrap();
    let ack = Topic::Ack { device: device("office-17"), stream: Stream::Logs };
    assert_eq!(decode::<Watermark>(&ack, &watermark).unwrap_err().cause(), "wrong_stream");
    let command = encode(&crate::CommandStatus::new("c1".parse().unwrap(), crate::CommandState::Running)).unwrap();
    let status = Topic::CommandStatus { device: device("office-17"), command: "c2".parse().unwrap() };
    assert_eq!(decode::<crate::CommandStatus>(&status, &command).unwrap_err().cause(), "wrong_command");
}

#[test]
fn an_error_says_what_where_and_what_was_expected_but_not_the_value() {
    let secret = "0501234567";
    let mut value = good();
    value["epoch"] = json!(secret);
    let error = error(value.to_string().as_bytes());
    assert_eq!(
        chain(&error),
        "a payload with a wrong field: epoch: expected a whole number from 0 to 2^53 - 1, found other text of 10 bytes"
    );
    let mut value = good();
    value["events"][2]["kind"] = json!(secret);
    let received = received(&value).unwrap();
    assert_eq!(
        received.bad[0].fault.to_string(),
        "events[2].kind: expected 1 to 64 of a-z, 0-9, '_', '-' and '.', the first a letter, found other text of 10 bytes"
    );
    assert!(!format!("{received:?}").contains(secret));
}

#[test]
fn every_field_of_an_envelope_is_checked() {
    for (field, wrong) in [
        ("device", json!("a/b")),
        ("device", json!(7)),
        ("stream", json!("faxes")),
        ("epoch", json!(-1)),
        ("boot", json!(1_u64 << 53)),
        ("skipped", json!([{ "from": 2, "to": 1, "reason": "cap" }])),
        ("skipped", json!([{ "from": 0, "to": 1, "reason": "cap" }])),
        ("skipped", json!("none")),
        ("events", json!({})),
        ("events", json!(null)),
        ("sent_at_ms", json!("now")),
        ("x", json!("\0")),
    ] {
        let mut value = good();
        value[field] = wrong.clone();
        assert!(matches!(error(value.to_string().as_bytes()), DecodeError::Field(_)), "{field}: {wrong}");
    }
    for field in ["device", "stream", "epoch", "boot", "events"] {
        let mut value = good();
        value.as_object_mut().unwrap().remove(field);
        assert!(matches!(error(value.to_string().as_bytes()), DecodeError::Field(_)), "{field}");
    }
    let mut many = good();
    many["events"] = json!(vec![0; 1025]);
    assert_eq!(error(many.to_string().as_bytes()).cause(), "wrong_field");
    let mut many = good();
    many["skipped"] = json!(vec![json!({ "from": 9, "to": 9, "reason": "cap" }); 65]);
    assert_eq!(error(many.to_string().as_bytes()).cause(), "wrong_field");
}

#[test]
fn a_poison_event_is_set_aside_and_the_others_are_taken() {
    let poisons = [
        ("kind", "\"\""),
        ("kind", "7"),
        ("id", "\"not a uuid\""),
        ("mono_ms", "-1"),
        ("wall_ms", "null"),
        ("time_synced", "1"),
        ("data", "\"\\ud800\""),
        ("data", "1e999"),
        ("data", "\"\\u0000\""),
        ("data", "{\"\\u0000\":1}"),
        ("other", "\"\\u0000\""),
        ("seq", "\"2\""),
        ("seq", "0"),
        ("seq", "18446744073709551615"),
        ("seq", "1e999"),
    ];
    for (field, poison) in poisons {
        let mut value = good();
        value["events"][1][field] = json!("POISON");
        let payload = value.to_string().replace("\"POISON\"", poison);
        let received = decode_batch(&topic(), payload.as_bytes()).unwrap();
        let seqs: Vec<u64> = received.batch.events.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, [1, 3, 4], "{field}: {poison}");
        let [bad] = received.bad.as_slice() else { panic!("{field}: {poison}: {received:?}") };
        assert_eq!((bad.place, bad.seq), (1, Some(2)), "{field}: {poison}");
        assert!(bad.fault.path.starts_with("events[1]"), "{}", bad.fault);
        assert!(bad.raw.reveal().contains(poison), "{field}: {poison}");
        assert_eq!(received.gaps, [], "{field}: {poison}");
    }
}

#[test]
fn events_that_are_no_objects_or_too_deep_or_too_long_are_set_aside() {
    let deep = format!("{{\"seq\":2,\"data\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let long = format!("{{\"seq\":2,\"data\":\"{}\"}}", "\u{5D0}".repeat(40_000));
    for poison in ["7", "null", "[]", "\"x\"", "{}", &deep, &long] {
        let mut value = good();
        value["events"][1] = json!("POISON");
        let payload = value.to_string().replace("\"POISON\"", poison);
        let received = decode_batch(&topic(), payload.as_bytes()).unwrap();
        assert_eq!(received.batch.events.len(), 3);
        assert_eq!(received.bad[0].seq, Some(2));
        assert!(received.bad[0].raw.reveal().len() <= MAX_QUARANTINED_LEN);
    }
}

#[test]
fn a_wild_number_costs_one_event_and_not_those_behind_it() {
    let check = |seqs: &[u64], good: &[u64], gaps: &[SeqRange]| {
        let received = received(&serde_json::to_value(batch(seqs)).unwrap()).unwrap();
        let kept: Vec<u64> = received.batch.events.iter().map(|event| event.seq).collect();
        assert_eq!(kept, good, "{seqs:?}");
        assert_eq!(received.bad.len(), seqs.len() - good.len(), "{seqs:?}");
        assert_eq!(received.gaps, gaps, "{seqs:?}");
    };
    check(&[1, 2, 3], &[1, 2, 3], &[]);
    // Back to the start, and twice the same: the number is that of another event, so there is nothing to pass over.
    check(&[5, 6, 1, 7], &[5, 6, 7], &[]);
    check(&[5, 6, 6, 7], &[5, 6, 7], &[]);
    // The wild one stands where 8 is missing.
    check(&[7, 9000, 9, 10], &[7, 9, 10], &[]);
    check(&[9000, 1, 2, 3], &[1, 2, 3], &[]);
    check(&[1, 2, 6, 7], &[1, 2, 6, 7], &[SeqRange { from: 3, to: 5 }]);
}

#[test]
fn an_announced_gap_is_no_gap_and_its_numbers_are_given_to_no_bad_event() {
    let mut spoilt = batch(&[1, 2, 6]);
    spoilt.skipped = vec![Skipped::new(SeqRange { from: 3, to: 5 }, Skipped::CAP)];
    assert_eq!(received(&serde_json::to_value(&spoilt).unwrap()).unwrap().gaps, []);
    let mut value = serde_json::to_value(&spoilt).unwrap();
    value["events"][2] = json!(null);
    let received = received(&value).unwrap();
    assert_eq!((received.bad.len(), received.bad[0].seq), (1, None));
}

#[test]
fn a_batch_of_nothing_but_an_announced_gap_is_read() {
    let mut empty = batch(&[]);
    empty.skipped = vec![Skipped::new(SeqRange { from: 3, to: 5 }, Skipped::DISK)];
    let received = received(&serde_json::to_value(&empty).unwrap()).unwrap();
    assert_eq!((received.batch.first(), received.batch.last()), (Some(3), Some(5)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), magic in any::<bool>()) {
        let mut payload = if magic { vec![0x28, 0xB5, 0x2F, 0xFD] } else { b"{".to_vec() };
        payload.extend(bytes);
        prop_assert!(decode_batch(&topic(), &payload).is_err());
        prop_assert!(decode::<Reported>(&topic(), &payload).is_err());
    }

    #[test]
    fn a_flipped_byte_gives_a_document_or_an_error(place in 0..1_000_000_usize, byte in any::<u8>(), compressed in any::<bool>()) {
        let whole = batch(&[1, 2, 3, 4, 5, 6, 7, 8]);
        let mut payload = if compressed { encode(&whole).unwrap() } else { serde_json::to_vec(&whole).unwrap() };
        let len = payload.len();
        payload[place % len] = byte;
        if let Ok(received) = decode_batch(&topic(), &payload) {
            // Spoilt zstd may unfold to anything.
            prop_assert!(compressed || received.batch.events.len() + received.bad.len() == 8);
            let rising: Vec<u64> = received.batch.events.iter().map(|event| event.seq).collect();
            prop_assert!(rising.is_sorted_by(|one, other| one < other));
        }
    }

    #[test]
    fn documents_of_any_json_are_read_or_refused(value in any_json()) {
        let payload = json!({ "v": 1, "version": value, "config": value, "boot": value, "disk": value, "outbox": value }).to_string();
        for again in [again::<Desired>(payload.as_bytes()), again::<Reported>(payload.as_bytes())].into_iter().flatten() {
            prop_assert!(again);
        }
    }
}

/// Returns whether what was read is read the same again, or nothing when it is refused.
fn again<D: Document + PartialEq>(payload: &[u8]) -> Option<bool> {
    let topic = Topic::Desired { device: device("a") };
    let document: D = decode(&topic, payload).ok()?;
    let written = encode(&document).unwrap();
    Some(decode::<D>(&topic, &written).unwrap() == document)
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0..9_u64).prop_map(Value::from),
        "[a-z\\PC]{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,11}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

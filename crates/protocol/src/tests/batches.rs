use proptest::prelude::*;

use super::{device, event, event_of_len, up};
use crate::limits::{MAX_DATA_LEN, MAX_NUMBER, MAX_SENT_LEN};
use crate::{
    BatchBuilder, BatchLimits, BatchSource, BuildError, EventBatch, EventId, Kind, NewEvent, NewEventError, SeqRange,
    Skipped, Stamp, Stream, decode_batch, encode,
};

fn source(next_seq: u64) -> BatchSource {
    BatchSource { device: device("office-17"), stream: Stream::Calls, epoch: 3, next_seq }
}

fn builder(limits: BatchLimits) -> BatchBuilder {
    BatchBuilder::new(source(1), limits)
}

/// Something that happens to a builder: an event of so many bytes in one of two runs, or a gap of so many numbers.
#[derive(Clone, Debug)]
enum Step {
    Event { len: usize, boot: u64 },
    Gap { len: u64 },
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_000_usize, 1..3_u64).prop_map(|(len, boot)| Step::Event { len, boot }),
        1 => (1..20_u64).prop_map(|len| Step::Gap { len }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_hold_everything_once_in_order_and_within_limits(
        steps in prop::collection::vec(a_step(), 1..120),
        max_events in 1..20_usize,
        max_len in 1_000..20_000_usize,
    ) {
        let mut builder = builder(BatchLimits { max_events, max_len });
        let mut batches = Vec::new();
        let mut boots = Vec::new();
        for step in steps {
            let seq = builder.next_seq();
            batches.extend(match step {
                Step::Event { len, boot } => {
                    boots.push((seq, boot));
                    builder.push(boot, event_of_len(seq, len)).unwrap()
                }
                Step::Gap { len } => {
                    builder.skip(1, Skipped::new(SeqRange { from: seq, to: seq + len - 1 }, Skipped::CAP)).unwrap()
                }
            });
        }
        batches.extend(builder.finish());
        let mut next = 1;
        let mut sent = Vec::new();
        for batch in &batches {
            prop_assert_eq!(batch.first(), Some(next));
            prop_assert_eq!(batch.gaps(), []);
            next = batch.last().unwrap() + 1;
            sent.extend(batch.events.iter().map(|event| (event.seq, batch.boot)));
            prop_assert!(batch.events.len() <= max_events);
            let len = serde_json::to_vec(batch).unwrap().len();
            prop_assert!(len <= max_len || batch.events.len() == 1, "{} bytes", len);
            let received = decode_batch(&up("office-17", Stream::Calls), &encode(batch).unwrap()).unwrap();
            prop_assert_eq!(&received.batch, batch);
            prop_assert_eq!(received.bad, []);
        }
        prop_assert_eq!(next, builder.next_seq());
        prop_assert_eq!(sent, boots);
    }
}

#[test]
fn a_number_that_does_not_follow_is_refused_and_changes_nothing() {
    let mut builder = builder(BatchLimits::default());
    builder.push(5, event(1)).unwrap();
    for seq in [1, 3] {
        let error = builder.push(5, event(seq)).unwrap_err();
        assert!(matches!(error, BuildError::OutOfOrder { expected: 2, .. }), "{error}");
    }
    let error = builder.skip(5, Skipped::new(SeqRange { from: 2, to: 1 }, Skipped::CAP)).unwrap_err();
    assert!(matches!(error, BuildError::EmptyGap { from: 2, to: 1, .. }), "{error}");
    builder.push(5, event(2)).unwrap();
    assert_eq!(builder.finish().unwrap().events.len(), 2);
    assert_eq!(builder.finish(), None);
}

#[test]
fn the_default_limits_are_those_of_the_design() {
    let mut builder = builder(BatchLimits::default());
    let mut full: Vec<EventBatch> = Vec::new();
    for seq in 1..=65 {
        full.extend(builder.push(5, event(seq)).unwrap());
        assert_eq!(builder.is_full(), seq == 64, "{seq}");
    }
    assert_eq!(full.len(), 1);
    assert_eq!(full[0].events.len(), 64);
}

#[test]
fn the_longest_event_fits_a_publish_even_if_it_cannot_be_compressed() {
    // Bytes that look random, as text: zstd finds nothing in them.
    let mut state = 1_u64;
    let noise: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b' ' + 1 + u8::try_from(state >> 33 & 0x3F).unwrap())
    })
    .filter(|c| !matches!(c, '"' | '\\'))
    .take(MAX_DATA_LEN - 2)
    .collect();
    let id = EventId::from_random_bytes([7; 16]);
    let stamp = Stamp { boot: MAX_NUMBER, mono_ms: MAX_NUMBER, wall_ms: MAX_NUMBER, time_synced: false };
    let event = NewEvent::raw(Stream::Logs, Kind::LOG_LINE, id, stamp, noise.into()).unwrap().numbered(1);
    let mut builder = builder(BatchLimits { max_events: 64, max_len: usize::MAX });
    assert_eq!(builder.push(MAX_NUMBER, event.clone()).unwrap(), None);
    let batch = builder.finish().unwrap();
    let payload = encode(&batch).unwrap();
    assert!(payload.len() <= MAX_SENT_LEN, "{}", payload.len());
    let received = decode_batch(&up("office-17", Stream::Calls), &payload).unwrap();
    assert_eq!(received.batch.events, [event]);
}

#[test]
fn an_event_is_refused_when_it_is_made_rather_than_when_it_is_sent() {
    let id = EventId::from_random_bytes([7; 16]);
    let make = |stamp, data| NewEvent::raw(Stream::Logs, Kind::LOG_LINE, id, stamp, data);
    let error = make(Stamp::default(), "x".repeat(MAX_DATA_LEN).into()).unwrap_err();
    assert!(matches!(error, NewEventError::TooLong { len, .. } if len == MAX_DATA_LEN + 2), "{error}");
    let error = make(Stamp { wall_ms: MAX_NUMBER + 1, ..Stamp::default() }, 1.into()).unwrap_err();
    assert!(matches!(error, NewEventError::Stamp { .. }), "{error}");
    let event = make(Stamp::default(), serde_json::json!({ "a\0": ["b\0", 1] })).unwrap();
    assert_eq!(*event.data.reveal(), serde_json::json!({ "a\u{FFFD}": ["b\u{FFFD}", 1] }));
}

#[test]
fn a_full_batch_shrinks_on_the_wire() {
    let mut builder = builder(BatchLimits::default());
    for seq in 1..=64 {
        builder.push(5, event_of_len(seq, 200)).unwrap();
    }
    let batch = builder.finish().unwrap();
    let json = serde_json::to_vec(&batch).unwrap().len();
    let payload = encode(&batch).unwrap().len();
    assert!(payload * 4 < json, "{payload} of {json} bytes");
}

use std::borrow::Cow;
use std::time::Duration;

use proptest::prelude::*;
use units::{CallId, Pii};

use super::*;
use crate::id::{AccountId, Digit, StreamId};

const CONNECTED: &str = r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#;

/// As the carrier sends it: numbers are text, except in the media format.
const START: &str = r#"{"event":"start","sequenceNumber":"1","start":{"accountSid":"AC0f0e0d0c0b0a09080706050403020100",
    "streamSid":"MZ00112233445566778899aabbccddeeff","callSid":"CA00112233445566778899aabbccddeeff","tracks":["inbound"],
    "mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},
    "customParameters":{"token":"s3cret","caller":"+972541234567"}},"streamSid":"MZ00112233445566778899aabbccddeeff"}"#;

const DTMF: &str = r#"{"event":"dtmf","streamSid":"MZ00112233445566778899aabbccddeeff","sequenceNumber":"5",
    "dtmf":{"track":"inbound_track","digit":"7"}}"#;

const MARK: &str = r#"{"event":"mark","sequenceNumber":"4","streamSid":"MZ00112233445566778899aabbccddeeff",
    "mark":{"name":"3:12"}}"#;

const STOP: &str = r#"{"event":"stop","sequenceNumber":"9","streamSid":"MZ00112233445566778899aabbccddeeff",
    "stop":{"accountSid":"AC0f0e0d0c0b0a09080706050403020100","callSid":"CA00112233445566778899aabbccddeeff"}}"#;

#[test]
fn every_frame_of_the_carrier_is_read() {
    let InboundFrame::Connected(connected) = parse(CONNECTED) else { panic!("not connected") };
    assert_eq!((&*connected.protocol, &*connected.version), ("Call", "1.0.0"));
    let InboundFrame::Start(start) = parse(START) else { panic!("not start") };
    assert_eq!(start.call_id.as_str(), "CA00112233445566778899aabbccddeeff");
    assert_eq!((start.sequence, &start.format), (1, &MediaFormat::mulaw_8khz()));
    assert_eq!((start.parameter("token"), start.parameter("other")), (Some("s3cret"), None));
    let text = media_text(2, 20, &[0xff; 160]);
    let InboundFrame::Media(media) = parse(&text) else { panic!("not media") };
    assert_eq!((media.track, media.chunk, media.timestamp_ms), (MediaTrack::Inbound, 2, 20));
    let mut audio = vec![1, 2, 3];
    media.decode(&mut audio).unwrap();
    assert_eq!(audio, [0xff; 160]);
    let InboundFrame::Dtmf(dtmf) = parse(DTMF) else { panic!("not dtmf") };
    assert_eq!(dtmf.digit.label(), '7');
    let InboundFrame::Mark(mark) = parse(MARK) else { panic!("not a mark") };
    assert_eq!(mark.name, "3:12");
    let InboundFrame::Stop(stop) = parse(STOP) else { panic!("not stop") };
    assert_eq!((stop.sequence, stop.call_id.is_some()), (9, true));
}

#[test]
fn numbers_may_be_numbers_slashes_may_be_escaped_and_padding_may_lack() {
    let text = r#"{"event":"media","sequenceNumber":3,"streamSid":"MZ1","future":{"a":[1]},
        "media":{"track":"inbound","chunk":2,"timestamp":40,"payload":"\/\/8"}}"#;
    let InboundFrame::Media(media) = parse(text) else { panic!("not media") };
    let mut audio = Vec::new();
    media.decode(&mut audio).unwrap();
    assert_eq!((audio.as_slice(), media.sequence, media.timestamp_ms), (&[0xff, 0xff][..], 3, 40));
}

#[test]
fn a_frame_without_escapes_is_not_copied() {
    let text = media_text(2, 20, &[0x7f; 160]);
    let InboundFrame::Media(media) = parse(&text) else { panic!("not media") };
    assert!(matches!((media.payload, media.stream_id), (Cow::Borrowed(_), Cow::Borrowed(_))));
}

#[test]
fn what_is_no_frame_is_refused_with_its_reason() {
    let missing = |event, field| FrameError::MissingField { event, field };
    let bad = |event, field, expected| FrameError::BadField { event, field, expected };
    let id = "1 to 64 ASCII letters, digits, '-' or '_'";
    let cases = [
        ("", FrameError::NotJson { line: 1, column: 0 }),
        ("hello", FrameError::NotJson { line: 1, column: 1 }),
        (r#"{"event":"media""#, FrameError::NotJson { line: 1, column: 16 }),
        (r#"{"media":{}}"#, FrameError::NoEvent),
        (r#"{"event":null}"#, FrameError::NoEvent),
        (r#"{"event":7}"#, FrameError::WrongType { line: 1, column: 10 }),
        (r#"{"event":"stop","event":"stop"}"#, FrameError::WrongType { line: 1, column: 23 }),
        (r#"{"event":"dance"}"#, FrameError::UnknownEvent { event: "dance".to_owned() }),
        (r#"{"event":"media","streamSid":"MZ1"}"#, missing("media", "sequenceNumber")),
        (r#"{"event":"media","sequenceNumber":"1"}"#, missing("media", "streamSid")),
        (r#"{"event":"media","sequenceNumber":"1","streamSid":"MZ1"}"#, missing("media", "media")),
        (
            r#"{"event":"media","sequenceNumber":"1","streamSid":"MZ1","media":{"track":"sideways"}}"#,
            bad("media", "media.track", "'inbound' or 'outbound'"),
        ),
        (
            r#"{"event":"media","sequenceNumber":"1","streamSid":"MZ1","media":{"track":"inbound","chunk":"1","timestamp":"0"}}"#,
            missing("media", "media.payload"),
        ),
        (r#"{"event":"media","sequenceNumber":"-1"}"#, FrameError::WrongType { line: 1, column: 38 }),
        (r#"{"event":"start","sequenceNumber":"1"}"#, missing("start", "start")),
        (
            r#"{"event":"start","sequenceNumber":"1","start":{"mediaFormat":{},"streamSid":"M Z"}}"#,
            bad("start", "streamSid", id),
        ),
        (r#"{"event":"mark","sequenceNumber":"1","streamSid":"MZ1"}"#, missing("mark", "mark")),
        (
            r#"{"event":"dtmf","sequenceNumber":"1","streamSid":"MZ1","dtmf":{"digit":"55"}}"#,
            bad("dtmf", "dtmf.digit", "one of 0-9, *, #, A-D"),
        ),
        (r#"{"event":"stop"}"#, missing("stop", "streamSid")),
    ];
    for (text, error) in cases {
        assert_eq!(InboundFrame::parse(text), Err(error), "{text}");
    }
    let huge = format!(r#"{{"event":"{}"}}"#, "x".repeat(10 * 1_024 * 1_024));
    assert!(matches!(InboundFrame::parse(&huge), Err(FrameError::TooLarge { .. })));
    let nested = "[".repeat(60_000);
    assert!(InboundFrame::parse(&nested).is_err());
}

#[test]
fn a_payload_that_is_not_base64_is_refused_and_leaves_no_audio() {
    for payload in ["!!!!", "AAA=A", "א", "A"] {
        let text = format!(
            r#"{{"event":"media","sequenceNumber":"1","streamSid":"MZ1","media":{{"track":"inbound","chunk":"1","timestamp":"0","payload":"{payload}"}}}}"#
        );
        let InboundFrame::Media(media) = parse(&text) else { panic!("not media") };
        let mut audio = vec![1, 2, 3];
        assert!(matches!(media.decode(&mut audio), Err(FrameError::Base64 { .. })), "{payload}");
        assert!(audio.is_empty());
    }
}

#[test]
fn frames_to_the_carrier_have_exactly_their_fields() {
    let stream_id = stream("MZ1");
    let media = OutboundFrame::Media { stream_id: stream_id.clone(), audio: Cow::Borrowed(&[0xff, 0x7f]) };
    assert_eq!(media.encode(), r#"{"event":"media","streamSid":"MZ1","media":{"payload":"/38="}}"#);
    let mark = OutboundFrame::Mark { stream_id: stream_id.clone(), name: "a\"b".into() };
    assert_eq!(mark.encode(), r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"a\"b"}}"#);
    let clear = OutboundFrame::Clear { stream_id };
    assert_eq!(clear.encode(), r#"{"event":"clear","streamSid":"MZ1"}"#);
    for frame in [media, mark, clear] {
        assert_eq!(OutboundFrame::parse(&frame.encode()).unwrap(), frame);
    }
}

#[test]
fn a_field_too_many_or_too_few_is_refused_as_the_carrier_does() {
    for text in [
        r#"{"event":"clear"}"#,
        r#"{"event":"clear","streamSid":"MZ1","sequenceNumber":"1"}"#,
        r#"{"event":"media","streamSid":"MZ1","media":{"payload":"","track":"outbound"}}"#,
        r#"{"event":"media","streamSid":"MZ1","media":{}}"#,
        r#"{"event":"media","streamSid":"MZ1","media":{"payload":"?"}}"#,
        r#"{"event":"mark","streamSid":"","mark":{"name":"x"}}"#,
        r#"{"event":"stop","streamSid":"MZ1"}"#,
        r#"{"streamSid":"MZ1"}"#,
        "[]",
        "not json",
    ] {
        assert!(OutboundFrame::parse(text).is_err(), "{text}");
    }
    let long = OutboundFrame::Mark { stream_id: stream("MZ1"), name: "x".repeat(300).into() };
    assert!(matches!(OutboundFrame::parse(&long.encode()), Err(OutboundFrameError::MarkName { bytes: 300 })));
}

#[test]
fn keys_tokens_and_audio_do_not_show() {
    let shown = format!("{:?} {:?} {:?}", parse(START), parse(DTMF), parse(&media_text(1, 0, b"secret")));
    for hidden in ["s3cret", "+972541234567", "'7'", "\"7\"", "c2Vj"] {
        assert!(!shown.contains(hidden), "{hidden} in {shown}");
    }
}

#[test]
fn a_whole_stream_in_order_is_accepted() {
    let mut guard = StreamGuard::new(GuardConfig::default(), Some(call("CA00112233445566778899aabbccddeeff")));
    for (ms, text) in
        [(0, CONNECTED), (1, START), (21, &media_text(2, 0, &[0; 160])), (41, MARK), (61, DTMF), (81, STOP)]
    {
        assert_eq!(check(&mut guard, ms, text), Verdict::Accept, "{text}");
    }
    assert_eq!((guard.counters().ignored(), guard.counters().media, guard.counters().frames), (0, 1, 6));
    assert_eq!(check(&mut guard, 100, MARK), Verdict::Ignore(IgnoreReason::AfterStop));
    assert_eq!(guard.stream_id(), None);
}

#[test]
fn frames_out_of_place_are_ignored_and_counted() {
    let mut guard = StreamGuard::new(GuardConfig::default(), None);
    assert_eq!(check(&mut guard, 0, &media_text(2, 0, &[])), Verdict::Ignore(IgnoreReason::BeforeStart));
    assert_eq!(check(&mut guard, 0, CONNECTED), Verdict::Accept);
    assert_eq!(check(&mut guard, 0, CONNECTED), Verdict::Ignore(IgnoreReason::SecondConnected));
    assert_eq!(check(&mut guard, 0, START), Verdict::Accept);
    assert_eq!(check(&mut guard, 0, START), Verdict::Ignore(IgnoreReason::SecondStart));
    let other = media_text(2, 0, &[]).replace("MZ00", "MZ99");
    assert_eq!(check(&mut guard, 0, &other), Verdict::Ignore(IgnoreReason::OtherStream));
    let outbound = media_text(2, 0, &[]).replace("inbound", "outbound");
    assert_eq!(check(&mut guard, 0, &outbound), Verdict::Ignore(IgnoreReason::OutboundTrack));
    let broken = FrameError::Binary;
    assert_eq!(guard.check_malformed(Duration::ZERO, &broken), Verdict::Ignore(IgnoreReason::Malformed));
    let counters = *guard.counters();
    assert_eq!((counters.out_of_place, counters.other_stream, counters.outbound, counters.malformed), (3, 1, 1, 1));
    assert_eq!(counters.ignored(), 6);
}

#[test]
fn repeated_frames_are_ignored_missing_ones_counted_and_a_new_numbering_followed() {
    let mut guard = started();
    for (sequence, verdict) in [
        (2, Verdict::Accept),
        (2, Verdict::Ignore(IgnoreReason::Repeated)),
        (6, Verdict::Accept),
        (5, Verdict::Ignore(IgnoreReason::Repeated)),
        (5_000, Verdict::Accept),
        (3, Verdict::Accept),
        (4, Verdict::Accept),
    ] {
        assert_eq!(check(&mut guard, sequence, &media_text(sequence, 0, &[0; 8])), verdict, "{sequence}");
    }
    assert_eq!((guard.counters().repeated, guard.counters().missing), (2, 3 + 4_993));
}

#[test]
fn another_call_or_another_encoding_closes_the_stream() {
    let mut guard = StreamGuard::new(GuardConfig::default(), Some(call("CA2")));
    assert_eq!(check(&mut guard, 0, START), Verdict::Close(CloseReason::OtherCall));
    for (from, to) in [("8000", "16000"), ("audio/x-mulaw", "audio/l16"), ("\"channels\":1", "\"channels\":2")] {
        let mut guard = StreamGuard::new(GuardConfig::default(), None);
        let verdict = check(&mut guard, 0, &START.replace(from, to));
        assert_eq!(verdict, Verdict::Close(CloseReason::UnsupportedFormat));
        assert_eq!(CloseReason::UnsupportedFormat.close_code(), 1_003);
    }
}

#[test]
fn ten_thousand_frames_a_second_are_a_flood() {
    let mut guard = started();
    let closed_at = (2..20_000_u64).find(|n| {
        let frame = media_text(*n, 0, &[0; 8]);
        let verdict = guard.check(Duration::from_micros(n * 100), &parse(&frame));
        verdict == Verdict::Close(CloseReason::FrameFlood)
    });
    assert!(closed_at.is_some_and(|n| n < 2_000), "{closed_at:?}");
}

#[test]
fn audio_faster_than_time_is_a_flood_unless_it_is_allowed() {
    for (max_audio_lead, is_closed) in [(Some(Duration::from_secs(30)), true), (None, false)] {
        let mut guard = StreamGuard::new(GuardConfig { max_audio_lead, ..GuardConfig::default() }, None);
        assert_eq!(check(&mut guard, 0, START), Verdict::Accept);
        let verdicts: Vec<Verdict> =
            (2..10).map(|n| check(&mut guard, n * 20, &media_text(n, 0, &vec![0; 40_000]))).collect();
        assert_eq!(verdicts.contains(&Verdict::Close(CloseReason::AudioFlood)), is_closed);
    }
}

#[test]
fn a_call_of_hours_and_a_network_that_stalls_are_no_flood() {
    let mut guard = started();
    for n in 2..200_000_u64 {
        // Every minute nothing arrives for ten seconds; then all of it at once.
        let sent_ms = n * 20;
        let arrived_ms = if sent_ms % 60_000 < 10_000 { sent_ms - sent_ms % 60_000 + 10_000 } else { sent_ms };
        let media = InboundFrame::Media(Media {
            sequence: n,
            stream_id: STREAM.into(),
            track: MediaTrack::Inbound,
            chunk: n,
            timestamp_ms: sent_ms,
            payload: Cow::Borrowed(SILENCE_BASE64),
        });
        assert_eq!(guard.check(Duration::from_millis(arrived_ms), &media), Verdict::Accept, "frame {n}");
    }
}

#[test]
fn too_many_ignored_frames_close_the_stream() {
    let mut guard = StreamGuard::new(GuardConfig { max_ignored: 3, ..GuardConfig::default() }, None);
    for _ in 0..3 {
        let verdict = guard.check_malformed(Duration::ZERO, &FrameError::NoEvent);
        assert_eq!(verdict, Verdict::Ignore(IgnoreReason::Malformed));
    }
    let verdict = guard.check_malformed(Duration::ZERO, &FrameError::NoEvent);
    assert_eq!(verdict, Verdict::Close(CloseReason::TooManyIgnored));
    assert_eq!(CloseReason::TooManyIgnored.close_code(), 1_008);
}

proptest! {
    #[test]
    fn what_the_carrier_writes_the_box_reads(frame in inbound_frame()) {
        let text = frame.encode();
        prop_assert_eq!(InboundFrame::parse(&text), Ok(frame));
    }

    #[test]
    fn the_length_of_audio_is_known_before_it_is_decoded(audio in proptest::collection::vec(any::<u8>(), 0..500)) {
        let text = media_text(1, 0, &audio);
        let InboundFrame::Media(media) = parse(&text) else { panic!("not media") };
        prop_assert_eq!(media.audio_len(), audio.len());
    }

    #[test]
    fn what_the_box_writes_the_carrier_reads(audio in proptest::collection::vec(any::<u8>(), 0..2_000), name in "\\PC{0,60}") {
        let stream_id = stream("MZ1");
        let frames = [
            OutboundFrame::Media { stream_id: stream_id.clone(), audio: audio.into() },
            OutboundFrame::Mark { stream_id, name: name.into() },
        ];
        for frame in frames {
            prop_assert_eq!(OutboundFrame::parse(&frame.encode()).ok(), Some(frame));
        }
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in "\\PC{0,80}", cut in 0_usize..700, flip in any::<char>()) {
        for whole in [text.as_str(), START, MARK, DTMF, STOP] {
            let at = (0..=cut.min(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
            let (head, tail) = whole.split_at(at);
            for text in [whole.to_owned(), head.to_owned(), format!("{head}{flip}{tail}")] {
                if let Ok(frame) = InboundFrame::parse(&text) {
                    let mut guard = started();
                    let verdict = guard.check(Duration::MAX, &frame);
                    prop_assert_eq!(matches!(verdict, Verdict::Ignore(_)), guard.counters().ignored() > 0);
                }
                prop_assert!(OutboundFrame::parse(&text).is_err());
            }
        }
    }

    #[test]
    fn no_order_of_frames_makes_the_guard_miscount(
        frames in proptest::collection::vec((any::<u64>(), inbound_frame()), 0..60),
    ) {
        let mut guard = StreamGuard::new(GuardConfig::default(), None);
        let mut ignored = 0;
        for (micros, frame) in &frames {
            if let Verdict::Ignore(_) = guard.check(Duration::from_micros(*micros), frame) {
                ignored += 1;
            }
        }
        prop_assert_eq!(guard.counters().ignored(), ignored);
        prop_assert_eq!(guard.counters().frames, frames.len() as u64);
    }
}

const STREAM: &str = "MZ00112233445566778899aabbccddeeff";
const SILENCE_BASE64: &str = "/////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////w==";

fn parse(text: &str) -> InboundFrame<'_> {
    InboundFrame::parse(text).unwrap()
}

fn check(guard: &mut StreamGuard, now_ms: u64, text: &str) -> Verdict {
    guard.check(Duration::from_millis(now_ms), &parse(text))
}

fn started() -> StreamGuard {
    let mut guard = StreamGuard::new(GuardConfig::default(), None);
    assert_eq!(check(&mut guard, 0, START), Verdict::Accept);
    guard
}

fn media_text(sequence: u64, timestamp_ms: u64, audio: &[u8]) -> String {
    use base64::Engine as _;
    let payload = base64::engine::general_purpose::STANDARD.encode(audio);
    let media = Media {
        sequence,
        stream_id: STREAM.into(),
        track: MediaTrack::Inbound,
        chunk: sequence,
        timestamp_ms,
        payload: payload.into(),
    };
    InboundFrame::Media(media).encode()
}

fn call(text: &str) -> CallId {
    text.parse().unwrap()
}

fn stream(text: &str) -> StreamId {
    text.parse().unwrap()
}

fn inbound_frame() -> impl Strategy<Value = InboundFrame<'static>> {
    let id = || "[A-Za-z0-9_-]{1,40}";
    let connected = ("\\PC{0,9}", "\\PC{0,9}").prop_map(|(protocol, version)| {
        InboundFrame::Connected(Connected { protocol: protocol.into(), version: version.into() })
    });
    let start = (any::<u64>(), id(), id(), id(), proptest::collection::btree_map("\\PC{0,9}", "\\PC{0,20}", 0..4))
        .prop_map(|(sequence, stream_id, call_id, account, parameters)| {
            InboundFrame::Start(Start {
                sequence,
                stream_id: stream(&stream_id),
                call_id: call(&call_id),
                account: account.parse::<AccountId>().unwrap(),
                format: MediaFormat::mulaw_8khz(),
                parameters: parameters.into_iter().map(|(name, value)| (name, Pii::new(value))).collect(),
            })
        });
    let media = (any::<u64>(), "\\PC{0,40}", any::<bool>(), any::<u64>(), any::<u64>(), "[A-Za-z0-9+/]{0,99}")
        .prop_map(|(sequence, stream_id, is_inbound, chunk, timestamp_ms, payload)| {
            let track = if is_inbound { MediaTrack::Inbound } else { MediaTrack::Outbound };
            let (stream_id, payload) = (stream_id.into(), payload.into());
            InboundFrame::Media(Media { sequence, stream_id, track, chunk, timestamp_ms, payload })
        });
    let dtmf = (any::<u64>(), id(), "[0-9*#A-D]").prop_map(|(sequence, stream_id, digit)| {
        InboundFrame::Dtmf(Dtmf { sequence, stream_id: stream(&stream_id), digit: digit.parse::<Digit>().unwrap() })
    });
    let mark = (any::<u64>(), id(), "\\PC{0,30}").prop_map(|(sequence, stream_id, name)| {
        InboundFrame::Mark(Mark { sequence, stream_id: stream(&stream_id), name: name.into() })
    });
    let stop = (any::<u64>(), id(), proptest::option::of(id())).prop_map(|(sequence, stream_id, call_id)| {
        let call_id = call_id.map(|text| call(&text));
        InboundFrame::Stop(Stop { sequence, stream_id: stream(&stream_id), call_id })
    });
    prop_oneof![connected, start, media, dtmf, mark, stop]
}

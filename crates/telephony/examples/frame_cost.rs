//! Measures what one frame of a media stream costs: `cargo run --release -p telephony --example frame_cost`.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures time and prints it")]

use std::borrow::Cow;
use std::hint::black_box;
use std::time::{Duration, Instant};

use base64::Engine as _;
use telephony::stream::{
    GuardConfig, InboundFrame, Media, MediaFormat, MediaTrack, Start, StreamGuard, Verdict, write_media,
};
use telephony::{AccountId, Params, Signer, StreamId, Verifier};
use units::CallId;

/// Repetitions of each measurement.
const TIMES: u32 = 200_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let stream_id: StreamId = "MZ00112233445566778899aabbccddeeff".parse()?;
    let payload = base64::engine::general_purpose::STANDARD.encode([0x55; 160]);
    let mut media = Media {
        sequence: 2,
        stream_id: Cow::Borrowed(stream_id.as_str()),
        track: MediaTrack::Inbound,
        chunk: 1,
        timestamp_ms: 20,
        payload: Cow::Borrowed(&payload),
    };
    let text = InboundFrame::Media(media.clone()).encode();
    let mut audio = Vec::new();
    report("parse a media frame", || {
        black_box(InboundFrame::parse(black_box(&text)).is_ok());
    });
    report("parse and decode a media frame", || {
        if let Ok(InboundFrame::Media(media)) = InboundFrame::parse(black_box(&text)) {
            black_box(media.decode(&mut audio).is_ok());
        }
    });
    let mut out = String::new();
    report("write a media frame", || write_media(&mut out, &stream_id, black_box(&[0x55; 160])));

    let mut guard = StreamGuard::new(GuardConfig { max_audio_lead: None, ..GuardConfig::default() }, None);
    let account: AccountId = "AC1".parse()?;
    let call_id: CallId = "CA1".parse()?;
    let (format, parameters) = (MediaFormat::mulaw_8khz(), Vec::new());
    let start = Start { sequence: 1, stream_id: stream_id.clone(), call_id, account, format, parameters };
    let mut now = Duration::ZERO;
    let mut accepted = u32::from(guard.check(now, &InboundFrame::Start(start)) == Verdict::Accept);
    let mut frame = InboundFrame::Media(media.clone());
    report("check a media frame", || {
        now += Duration::from_millis(20);
        media.sequence += 1;
        if let InboundFrame::Media(next) = &mut frame {
            next.sequence = media.sequence;
        }
        accepted += u32::from(guard.check(now, &frame) == Verdict::Accept);
    });
    println!("{accepted} of {} frames accepted", TIMES + 1);

    let mut params = Params::new();
    (0..40).for_each(|n| params.push(format!("Parameter{n}"), "a value of a usual length"));
    let (url, key) = ("https://box.example.org/webhook/incoming_call", "0123456789abcdef0123456789abcdef".parse()?);
    let signature = Signer::new(telephony::AuthKey::clone(&key)).sign(url, &params);
    let verifier = Verifier::new(telephony::AuthKey::clone(&key)).with_secondary(key);
    report("verify a webhook of 40 parameters with two keys", || {
        black_box(verifier.verify(url, &params, Some(&signature)).is_ok());
    });
    Ok(())
}

fn report(what: &str, mut work: impl FnMut()) {
    let started = Instant::now();
    (0..TIMES).for_each(|_| work());
    println!("{what}: {:.2} µs", started.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES));
}

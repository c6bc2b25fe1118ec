//! Frames of a media stream.
//!
//! An input is a stream: a frame on each line. In front of it may stand how many milliseconds after the one before it
//! came; 20 if nothing does. A line that is not UTF-8 stands for a binary message.

use std::time::Duration;

use telephony::stream::{
    CloseReason, FrameError, GuardConfig, InboundFrame, MAX_FRAME_BYTES, Media, OutboundFrame, StreamGuard, Verdict,
};

use crate::{MARK, assert_nothing_personal};

/// Limits that short inputs reach too.
const TIGHT: GuardConfig = GuardConfig {
    frames_per_second: 10,
    burst_frames: 5,
    max_audio_lead: Some(Duration::from_secs(1)),
    max_ignored: 3,
};

/// Most lines looked at, so that one input stays quick.
const MAX_LINES: usize = 2_000;

/// Reads bytes as a stream of frames, seen from both sides, and lets two guards judge them.
pub fn media_frame(bytes: &[u8]) {
    let mut watched = [GuardConfig::default(), TIGHT].map(Watched::new);
    let mut now = Duration::ZERO;
    for line in bytes.split(|byte| *byte == b'\n').take(MAX_LINES) {
        let (pause, frame) = match std::str::from_utf8(line) {
            Ok(line) => {
                let (pause, text) = split_pause(line);
                read_outbound(text);
                (pause, read_inbound(text))
            }
            Err(_) => (Duration::from_millis(20), Err(FrameError::Binary)),
        };
        now = now.saturating_add(pause);
        for watched in &mut watched {
            watched.check(now, frame.as_ref());
        }
    }
}

/// Takes the pause off a line.
fn split_pause(line: &str) -> (Duration, &str) {
    let text = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = line.strip_suffix(text).unwrap_or_default();
    (Duration::from_millis(digits.parse().unwrap_or(20)), text)
}

/// Parses a frame of the carrier; what is taken is written and read the same.
fn read_inbound(text: &str) -> Result<InboundFrame<'_>, FrameError> {
    let frame = InboundFrame::parse(text);
    match &frame {
        Ok(frame) => {
            assert!(text.len() <= MAX_FRAME_BYTES);
            let written = frame.encode();
            // Escapes may make it longer than what came.
            if written.len() <= MAX_FRAME_BYTES {
                assert_eq!(InboundFrame::parse(&written).as_ref(), Ok(frame));
            }
            if let InboundFrame::Media(media) = frame {
                decode(media);
            }
        }
        Err(FrameError::UnknownEvent { event }) => assert!(event.chars().count() <= 32),
        Err(_) => {}
    }
    hidden(text, &frame);
    // It has to be told without a panic what the conversation makes of it, too.
    drop(replay::input_of(text));
    frame
}

/// What a call was started with does not show: it has a secret in it, and a number.
fn hidden(text: &str, frame: &Result<InboundFrame<'_>, FrameError>) {
    if !format!("{frame:?}").contains(MARK) {
        let personal = format!("\"customParameters\":{{\"x\":\"{MARK}\",\"");
        let marked = text.replace("\"customParameters\":{\"", &personal);
        assert_nothing_personal(&format!("{:?}", InboundFrame::parse(&marked)));
    }
}

/// Decodes audio: as many bytes as were foretold, or none.
fn decode(media: &Media<'_>) {
    let mut buffer = vec![1, 2, 3];
    match media.decode(&mut buffer) {
        Ok(()) => assert_eq!(buffer.len(), media.audio_len()),
        Err(error) => assert!(buffer.is_empty() && matches!(error, FrameError::Base64 { .. })),
    }
}

/// Parses a frame of the box; what is taken is written and read the same.
fn read_outbound(text: &str) {
    if let Ok(frame) = OutboundFrame::parse(text) {
        let written = frame.encode();
        if written.len() <= MAX_FRAME_BYTES {
            assert_eq!(OutboundFrame::parse(&written).ok(), Some(frame));
        }
    }
}

/// A guard and what it ought to have counted.
struct Watched {
    config: GuardConfig,
    guard: StreamGuard,
    frames: u64,
    media: u64,
    ignored: u64,
    passed: u64,
    audio: Duration,
    is_closed: bool,
}

impl Watched {
    fn new(config: GuardConfig) -> Self {
        let guard = StreamGuard::new(config, None);
        Self { config, guard, frames: 0, media: 0, ignored: 0, passed: 0, audio: Duration::ZERO, is_closed: false }
    }

    /// Has a frame judged, and judges the guard. A stream that was closed gets no more frames.
    fn check(&mut self, now: Duration, frame: Result<&InboundFrame<'_>, &FrameError>) {
        if self.is_closed {
            return;
        }
        let was_started = self.guard.stream_id().is_some();
        let verdict = match frame {
            Ok(frame) => self.guard.check(now, frame),
            Err(error) => self.guard.check_malformed(now, error),
        };
        self.frames += 1;
        match verdict {
            Verdict::Accept => self.accepted(now, frame, was_started),
            Verdict::Ignore(_) => self.ignored += 1,
            Verdict::Close(reason) => {
                self.is_closed = true;
                assert!(matches!(reason.close_code(), 1_003 | 1_008));
                if reason == CloseReason::TooManyIgnored {
                    assert_eq!(self.ignored, self.config.max_ignored);
                    self.ignored += 1;
                }
            }
        }
        let counters = self.guard.counters();
        assert_eq!((counters.frames, counters.media), (self.frames, self.media));
        // A frame that closes the stream may have been counted as ignored, or not.
        assert_eq!(counters.ignored(), self.ignored);
        assert!(self.ignored <= self.config.max_ignored + 1);
        self.passed += u64::from(!self.is_closed);
        let rate = u128::from(self.config.frames_per_second);
        let allowed = u128::from(self.config.burst_frames) + now.as_millis() * rate / 1_000 + 1;
        assert!(u128::from(self.passed) <= allowed, "{} frames by {now:?}", self.passed);
    }

    /// Checks a frame that was believed.
    fn accepted(&mut self, now: Duration, frame: Result<&InboundFrame<'_>, &FrameError>, was_started: bool) {
        let frame = frame.expect("what cannot be read is not believed");
        match frame {
            InboundFrame::Connected(_) | InboundFrame::Start(_) => assert!(!was_started),
            InboundFrame::Media(_) | InboundFrame::Dtmf(_) | InboundFrame::Mark(_) | InboundFrame::Stop(_) => {
                assert!(was_started);
            }
        }
        let is_over = matches!(frame, InboundFrame::Connected(_) | InboundFrame::Stop(_));
        assert_eq!(self.guard.stream_id().is_none(), is_over);
        if let InboundFrame::Media(media) = frame {
            self.media += 1;
            let bytes = u64::try_from(media.audio_len()).unwrap_or(u64::MAX);
            self.audio += Duration::from_micros(bytes * 125);
            let lead = self.config.max_audio_lead.unwrap_or(Duration::MAX);
            assert!(self.audio <= now.saturating_add(lead), "{:?} of audio by {now:?}", self.audio);
        }
    }
}

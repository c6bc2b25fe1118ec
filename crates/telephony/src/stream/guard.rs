//! Which frames of a stream to believe.

use std::time::Duration;

use units::CallId;

use super::inbound::{FrameError, InboundFrame, Media, MediaFormat, MediaTrack, Start};
use crate::id::StreamId;

/// A sequence number that falls back by this much is a new numbering, not a repetition: losing the caller's voice for
/// the rest of the call would be worse than hearing twenty seconds again.
const RENUMBERED_BY: u64 = 1_000;

/// Limits of a [`StreamGuard`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardConfig {
    /// Frames per second that are taken for ever. Default 500, ten times what a call needs.
    pub frames_per_second: u32,
    /// Frames that may come at once on top of that, as after a network stall. Default 1,500, 30 s of audio.
    pub burst_frames: u32,
    /// How much more audio than time may come, or `None` for no limit. Default 30 s.
    pub max_audio_lead: Option<Duration>,
    /// Frames ignored or malformed after which the stream is closed. Default 1,000.
    pub max_ignored: u64,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            frames_per_second: 500,
            burst_frames: 1_500,
            max_audio_lead: Some(Duration::from_secs(30)),
            max_ignored: 1_000,
        }
    }
}

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Act on it.
    Accept,
    /// Drop it; the call goes on.
    Ignore(IgnoreReason),
    /// Close the stream.
    Close(CloseReason),
}

/// Why a frame is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IgnoreReason {
    /// It could not be parsed.
    Malformed,
    /// It came before `start`.
    BeforeStart,
    /// A second `connected`, or one after `start`.
    SecondConnected,
    /// A second `start`.
    SecondStart,
    /// It came after `stop`.
    AfterStop,
    /// It names another stream.
    OtherStream,
    /// Its sequence number was there already, or a later one was.
    Repeated,
    /// It has what the caller hears, not what the caller says.
    OutboundTrack,
}

/// Why a stream is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// More frames came than any call has.
    FrameFlood,
    /// More audio came than time went by.
    AudioFlood,
    /// Too many frames had to be ignored.
    TooManyIgnored,
    /// `start` names a call other than the one that was let in.
    OtherCall,
    /// The audio is not µ-law, 8 kHz, one channel.
    UnsupportedFormat,
}

impl CloseReason {
    /// Returns the WebSocket close code: 1003 for what we cannot take, else 1008
    /// (<https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1>).
    pub const fn close_code(self) -> u16 {
        match self {
            Self::UnsupportedFormat => 1_003,
            Self::FrameFlood | Self::AudioFlood | Self::TooManyIgnored | Self::OtherCall => 1_008,
        }
    }
}

/// What came on a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounters {
    /// Frames of all kinds.
    pub frames: u64,
    /// Media frames accepted.
    pub media: u64,
    /// Frames that could not be parsed.
    pub malformed: u64,
    /// Frames of another stream.
    pub other_stream: u64,
    /// Frames out of place: before `start`, after `stop`, a second `start`.
    pub out_of_place: u64,
    /// Frames that came again.
    pub repeated: u64,
    /// Media frames of the outbound track.
    pub outbound: u64,
    /// Sequence numbers that never came.
    pub missing: u64,
}

impl StreamCounters {
    /// Returns how many frames were ignored.
    pub const fn ignored(&self) -> u64 {
        self.malformed
            .saturating_add(self.other_stream)
            .saturating_add(self.out_of_place)
            .saturating_add(self.repeated)
            .saturating_add(self.outbound)
    }
}

/// Where a stream stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Fresh,
    Connected,
    Started { stream_id: StreamId },
    Stopped,
}

/// Checks the frames of one WebSocket: identity, order, rate. Pure: it is told the time.
#[derive(Clone, Debug)]
pub struct StreamGuard {
    config: GuardConfig,
    expected_call: Option<CallId>,
    phase: Phase,
    last_sequence: u64,
    counters: StreamCounters,
    /// Frames that may still come at once, in thousandths.
    allowance_milli: u64,
    last_arrival: Option<Duration>,
    started: Duration,
    audio_bytes: u64,
}

impl StreamGuard {
    /// Returns a guard for a new WebSocket. With `expected_call`, a `start` of another call closes it.
    pub fn new(config: GuardConfig, expected_call: Option<CallId>) -> Self {
        let allowance_milli = u64::from(config.burst_frames).saturating_mul(1_000);
        Self {
            config,
            expected_call,
            phase: Phase::Fresh,
            last_sequence: 0,
            counters: StreamCounters::default(),
            allowance_milli,
            last_arrival: None,
            started: Duration::ZERO,
            audio_bytes: 0,
        }
    }

    /// Judges a frame that arrived at `now` (time since any fixed moment).
    pub fn check(&mut self, now: Duration, frame: &InboundFrame<'_>) -> Verdict {
        if let Some(reason) = self.count_arrival(now) {
            return Verdict::Close(reason);
        }
        let verdict = self.judge(now, frame);
        match verdict {
            Verdict::Ignore(reason) => self.ignore(reason),
            Verdict::Accept | Verdict::Close(_) => verdict,
        }
    }

    /// Judges a message that is not a frame.
    pub fn check_malformed(&mut self, now: Duration, _error: &FrameError) -> Verdict {
        if let Some(reason) = self.count_arrival(now) {
            return Verdict::Close(reason);
        }
        self.ignore(IgnoreReason::Malformed)
    }

    /// Returns what came so far.
    pub const fn counters(&self) -> &StreamCounters {
        &self.counters
    }

    /// Returns the stream, once it started and until it stopped.
    pub const fn stream_id(&self) -> Option<&StreamId> {
        match &self.phase {
            Phase::Started { stream_id } => Some(stream_id),
            Phase::Fresh | Phase::Connected | Phase::Stopped => None,
        }
    }

    /// Counts a frame against the rate.
    fn count_arrival(&mut self, now: Duration) -> Option<CloseReason> {
        self.counters.frames = self.counters.frames.saturating_add(1);
        let elapsed = now.saturating_sub(self.last_arrival.unwrap_or(now));
        self.last_arrival = Some(self.last_arrival.map_or(now, |last| last.max(now)));
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let earned = micros.saturating_mul(u64::from(self.config.frames_per_second)) / 1_000;
        let most = u64::from(self.config.burst_frames).saturating_mul(1_000);
        self.allowance_milli = self.allowance_milli.saturating_add(earned).min(most);
        match self.allowance_milli.checked_sub(1_000) {
            Some(left) => {
                self.allowance_milli = left;
                None
            }
            None => Some(CloseReason::FrameFlood),
        }
    }

    fn judge(&mut self, now: Duration, frame: &InboundFrame<'_>) -> Verdict {
        match (&self.phase, frame) {
            (Phase::Stopped, _) => Verdict::Ignore(IgnoreReason::AfterStop),
            (Phase::Fresh, InboundFrame::Connected(_)) => {
                self.phase = Phase::Connected;
                Verdict::Accept
            }
            (_, InboundFrame::Connected(_)) => Verdict::Ignore(IgnoreReason::SecondConnected),
            (Phase::Started { .. }, InboundFrame::Start(_)) => Verdict::Ignore(IgnoreReason::SecondStart),
            (Phase::Fresh | Phase::Connected, InboundFrame::Start(start)) => self.start(now, start),
            (Phase::Fresh | Phase::Connected, _) => Verdict::Ignore(IgnoreReason::BeforeStart),
            (Phase::Started { stream_id }, frame) => {
                if frame.stream_id() != Some(stream_id.as_str()) {
                    return Verdict::Ignore(IgnoreReason::OtherStream);
                }
                self.follow(now, frame)
            }
        }
    }

    fn start(&mut self, now: Duration, start: &Start) -> Verdict {
        if self.expected_call.as_ref().is_some_and(|expected| *expected != start.call_id) {
            return Verdict::Close(CloseReason::OtherCall);
        }
        if start.format != MediaFormat::mulaw_8khz() {
            return Verdict::Close(CloseReason::UnsupportedFormat);
        }
        self.phase = Phase::Started { stream_id: start.stream_id.clone() };
        self.last_sequence = start.sequence;
        self.started = now;
        Verdict::Accept
    }

    /// Judges a frame of the running stream.
    fn follow(&mut self, now: Duration, frame: &InboundFrame<'_>) -> Verdict {
        let sequence = frame.sequence().unwrap_or_default();
        let back = self.last_sequence.checked_sub(sequence);
        if back.is_some_and(|back| back < RENUMBERED_BY) {
            return Verdict::Ignore(IgnoreReason::Repeated);
        }
        let skipped = sequence.saturating_sub(self.last_sequence).saturating_sub(1);
        self.counters.missing = self.counters.missing.saturating_add(skipped);
        self.last_sequence = sequence;
        match frame {
            InboundFrame::Media(media) => self.media(now, media),
            InboundFrame::Stop(_) => {
                self.phase = Phase::Stopped;
                Verdict::Accept
            }
            InboundFrame::Dtmf(_) | InboundFrame::Mark(_) => Verdict::Accept,
            InboundFrame::Connected(_) | InboundFrame::Start(_) => Verdict::Ignore(IgnoreReason::SecondStart),
        }
    }

    fn media(&mut self, now: Duration, media: &Media<'_>) -> Verdict {
        if media.track == MediaTrack::Outbound {
            return Verdict::Ignore(IgnoreReason::OutboundTrack);
        }
        let bytes = u64::try_from(media.audio_len()).unwrap_or(u64::MAX);
        self.audio_bytes = self.audio_bytes.saturating_add(bytes);
        // One byte is a sample at 8 kHz.
        let audio = Duration::from_micros(self.audio_bytes.saturating_mul(125));
        let elapsed = now.saturating_sub(self.started);
        if self.config.max_audio_lead.is_some_and(|lead| audio.saturating_sub(elapsed) > lead) {
            return Verdict::Close(CloseReason::AudioFlood);
        }
        self.counters.media = self.counters.media.saturating_add(1);
        Verdict::Accept
    }

    /// Counts an ignored frame; too many close the stream.
    fn ignore(&mut self, reason: IgnoreReason) -> Verdict {
        let counter = match reason {
            IgnoreReason::Malformed => &mut self.counters.malformed,
            IgnoreReason::OtherStream => &mut self.counters.other_stream,
            IgnoreReason::Repeated => &mut self.counters.repeated,
            IgnoreReason::OutboundTrack => &mut self.counters.outbound,
            IgnoreReason::BeforeStart
            | IgnoreReason::SecondConnected
            | IgnoreReason::SecondStart
            | IgnoreReason::AfterStop => &mut self.counters.out_of_place,
        };
        *counter = counter.saturating_add(1);
        if self.counters.ignored() > self.config.max_ignored {
            Verdict::Close(CloseReason::TooManyIgnored)
        } else {
            Verdict::Ignore(reason)
        }
    }
}

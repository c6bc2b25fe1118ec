//! Media stream frames: the JSON messages on the WebSocket of one call, both directions, seen from both sides.
//!
//! | direction | read by | written by |
//! |---|---|---|
//! | carrier to box | [`InboundFrame::parse`] | [`InboundFrame::encode`] |
//! | box to carrier | [`OutboundFrame::parse`] | [`OutboundFrame::encode`], [`write_media`] |
//!
//! What the box reads is lenient: unknown fields are skipped, numbers may be text or numbers. What the box writes is
//! exact: the carrier refuses a message with a field too many (error 31951), and so does our reader of it.
//! [`StreamGuard`] then decides which well-formed frames to believe.
//!
//! Format: <https://www.twilio.com/docs/voice/media-streams/websocket-messages>.

mod encode;
mod guard;
mod inbound;
mod outbound;

pub use self::guard::{CloseReason, GuardConfig, IgnoreReason, StreamCounters, StreamGuard, Verdict};
pub use self::inbound::{
    Connected, Dtmf, FrameError, InboundFrame, MAX_FRAME_BYTES, Mark, Media, MediaFormat, MediaTrack, Start, Stop,
};
pub use self::outbound::{MAX_MARK_NAME_BYTES, OutboundFrame, OutboundFrameError, write_media};

#[cfg(test)]
mod tests;

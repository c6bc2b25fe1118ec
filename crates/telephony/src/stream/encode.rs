//! Frames as the carrier writes them: for our own carrier and for tests.

use serde::Serialize;
use units::CallId;

use super::inbound::{InboundFrame, Media, MediaTrack, Start};

impl InboundFrame<'_> {
    /// Writes the frame as the carrier does, numbers as text. For our own carrier and for tests.
    #[must_use]
    pub fn encode(&self) -> String {
        let json = match self {
            Self::Connected(connected) => {
                serde_json::json!({"event": "connected", "protocol": connected.protocol, "version": connected.version})
            }
            Self::Start(start) => start_json(start),
            Self::Media(media) => return encode_media(media),
            Self::Dtmf(dtmf) => serde_json::json!({
                "event": "dtmf", "streamSid": dtmf.stream_id.as_str(), "sequenceNumber": dtmf.sequence.to_string(),
                "dtmf": {"track": "inbound_track", "digit": dtmf.digit.label().to_string()},
            }),
            Self::Mark(mark) => serde_json::json!({
                "event": "mark", "sequenceNumber": mark.sequence.to_string(), "streamSid": mark.stream_id.as_str(),
                "mark": {"name": mark.name},
            }),
            Self::Stop(stop) => serde_json::json!({
                "event": "stop", "sequenceNumber": stop.sequence.to_string(), "streamSid": stop.stream_id.as_str(),
                "stop": {"callSid": stop.call_id.as_ref().map(CallId::as_str)},
            }),
        };
        json.to_string()
    }
}

fn start_json(start: &Start) -> serde_json::Value {
    let parameters: serde_json::Map<String, serde_json::Value> =
        start.parameters.iter().map(|(name, value)| (name.clone(), value.reveal().as_str().into())).collect();
    serde_json::json!({
        "event": "start", "sequenceNumber": start.sequence.to_string(), "streamSid": start.stream_id.as_str(),
        "start": {
            "accountSid": start.account.as_str(), "streamSid": start.stream_id.as_str(),
            "callSid": start.call_id.as_str(), "tracks": ["inbound"],
            "mediaFormat": {
                "encoding": start.format.encoding, "sampleRate": start.format.sample_rate_hz,
                "channels": start.format.channels,
            },
            "customParameters": parameters,
        },
    })
}

/// Writes a media frame without building a tree first: the carrier sends 50 a second.
fn encode_media(media: &Media<'_>) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Frame<'a> {
        event: &'static str,
        sequence_number: String,
        stream_sid: &'a str,
        media: Body<'a>,
    }
    #[derive(Serialize)]
    struct Body<'a> {
        track: &'static str,
        chunk: String,
        timestamp: String,
        payload: &'a str,
    }
    let track = match media.track {
        MediaTrack::Inbound => "inbound",
        MediaTrack::Outbound => "outbound",
    };
    let frame = Frame {
        event: "media",
        sequence_number: media.sequence.to_string(),
        stream_sid: &media.stream_id,
        media: Body {
            track,
            chunk: media.chunk.to_string(),
            timestamp: media.timestamp_ms.to_string(),
            payload: &media.payload,
        },
    };
    serde_json::to_string(&frame).unwrap_or_default()
}

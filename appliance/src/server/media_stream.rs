//! The media stream's WebSocket: handshake, admission, and then a call's task.
//!
//! A socket has to show a one-time token within `START_PATIENCE`, as the last segment of its path or as a parameter
//! of its `start` frame; a handshake that carries a signature must carry the right one. Until then it costs little:
//! no engine, no record, and only so many at once.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _, future, stream};
use routing::{Ending, Event};
use telephony::signature::SIGNATURE_HEADER;
use telephony::stream::{CloseReason, GuardConfig, InboundFrame, MAX_FRAME_BYTES, Start, StreamGuard, Verdict};
use tokio::time::{Instant, timeout_at};

use crate::app::Parts;
use crate::call::{self, Admitted};
use crate::config::StreamSignature;
use crate::documents::TOKEN_PARAMETER;
use crate::metrics::ReasonLabel;
use crate::switchboard::Caller;

/// Bytes read from a media socket at once. The socket's library writes zeros over as many before each read, fifty times a
/// second: ten of a caller's frames are enough, its own 128 KiB drive everything else out of the processor's cache.
const READ_BYTES: usize = 4 * 1_024;
/// Longest wait for the `start` frame of an open socket.
const START_PATIENCE: Duration = Duration::from_secs(5);
/// Close code for a socket that is not let in (RFC 6455 section 7.4.1, policy violation).
const POLICY_VIOLATION: u16 = 1_008;

pub(super) async fn without_token(
    State(parts): State<Arc<Parts>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    open(parts, uri.path(), None, &headers, upgrade)
}

pub(super) async fn with_token(
    State(parts): State<Arc<Parts>>,
    OriginalUri(uri): OriginalUri,
    Path(token): Path<String>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    open(parts, uri.path(), Some(token), &headers, upgrade)
}

/// Answers the handshake, or refuses it.
fn open(
    parts: Arc<Parts>,
    path: &str,
    token: Option<String>,
    headers: &HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let signature = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
    let is_asked = parts.config.carrier.stream_signature == StreamSignature::Required;
    if signature.is_some() || is_asked {
        let url = parts.config.http.public_url.stream(path);
        if parts.verifier.verify_stream(&url, signature).is_err() {
            return refuse(&parts, "signature", StatusCode::FORBIDDEN);
        }
    }
    let is_known = token.as_ref().is_some_and(|token| parts.switchboard.is_waiting(parts.clock.now(), token));
    if token.is_some() && !is_known {
        return refuse(&parts, "token", StatusCode::FORBIDDEN);
    }
    let places = if is_known { &parts.sockets } else { &parts.strangers };
    let Ok(place) = Arc::clone(places).try_acquire_owned() else {
        return refuse(&parts, "too_many", StatusCode::SERVICE_UNAVAILABLE);
    };
    let tasks = parts.tasks.clone();
    let upgrade =
        upgrade.max_message_size(MAX_FRAME_BYTES).max_frame_size(MAX_FRAME_BYTES).read_buffer_size(READ_BYTES);
    upgrade.on_upgrade(move |socket| {
        tasks.track_future(async move {
            serve(parts, socket, token).await;
            drop(place);
        })
    })
}

fn refuse(parts: &Parts, reason: &'static str, status: StatusCode) -> Response {
    parts.metrics.streams_refused.get_or_create(&ReasonLabel { reason }).inc();
    tracing::warn!(reason, "media stream refused");
    status.into_response()
}

/// Admits the socket and serves its call. A panic in the call's task is a bug of ours: it ends that call, which
/// falls into voicemail, and no other.
async fn serve(parts: Arc<Parts>, mut socket: WebSocket, token: Option<String>) {
    let (caller, start, guard) = match admit(&parts, &mut socket, token).await {
        Ok(admitted) => admitted,
        Err(reason) => {
            parts.metrics.streams_refused.get_or_create(&ReasonLabel { reason }).inc();
            tracing::warn!(reason, "media stream refused");
            close(&mut socket, POLICY_VIOLATION, reason).await;
            return;
        }
    };
    let call = caller.call.clone();
    parts.metrics.calls_active.inc();
    let (sink, stream) = socket.split();
    let frames = pin!(text_frames(stream));
    let carrier = pin!(sink.with(|text: String| future::ready(Ok::<_, axum::Error>(Message::Text(text.into())))));
    let admitted = Admitted { caller, stream: start.stream_id, guard };
    let served = AssertUnwindSafe(call::serve(Arc::clone(&parts), admitted, frames, carrier)).catch_unwind().await;
    if served.is_err() {
        parts.metrics.calls_panicked.inc();
        tracing::error!(call_id = %call, "the call's task ended in a bug; the caller is asked for a message");
        let ended = Event::StreamEnded { ending: Ending::Voicemail };
        parts.switchboard.end(parts.clock.now(), &call, ended, None);
    }
    parts.metrics.calls_active.dec();
}

/// Waits for the `start` frame and checks the token. Returns why not as a word to count under.
async fn admit(
    parts: &Parts,
    socket: &mut WebSocket,
    token: Option<String>,
) -> Result<(Caller, Start, StreamGuard), &'static str> {
    let opened = Instant::now();
    let mut guard = StreamGuard::new(GuardConfig::default(), None);
    loop {
        let message = match timeout_at(opened + START_PATIENCE, socket.recv()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(_)) | None) => return Err("gone"),
            Err(_elapsed) => return Err("no_start"),
        };
        let Message::Text(text) = message else { continue };
        let verdict = match InboundFrame::parse(&text) {
            Ok(frame) => match (guard.check(opened.elapsed(), &frame), frame) {
                (Verdict::Accept, InboundFrame::Start(start)) => {
                    let token = token.or_else(|| start.parameter(TOKEN_PARAMETER).map(str::to_owned));
                    let token = token.ok_or("no_token")?;
                    let now = parts.clock.now();
                    let caller = parts.switchboard.connect(now, &start.call_id, &token);
                    return Ok((caller.map_err(|_error| "token")?, start, guard));
                }
                (verdict, _) => verdict,
            },
            Err(error) => guard.check_malformed(opened.elapsed(), &error),
        };
        if let Verdict::Close(reason) = verdict {
            return Err(close_word(reason));
        }
    }
}

/// Returns the text frames of a socket. A binary frame is handed on as an empty text, which no frame is, so that it is
/// counted and ignored like any other malformed one.
fn text_frames(stream: stream::SplitStream<WebSocket>) -> impl stream::Stream<Item = String> {
    stream.take_while(|message| future::ready(message.is_ok())).filter_map(|message| {
        future::ready(match message {
            Ok(Message::Text(text)) => Some(text.as_str().to_owned()),
            Ok(Message::Binary(_)) => Some(String::new()),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_)) | Err(_) => None,
        })
    })
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    // The other end may be gone already.
    drop(socket.send(Message::Close(Some(frame))).await);
}

fn close_word(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::FrameFlood | CloseReason::AudioFlood => "flood",
        CloseReason::TooManyIgnored => "garbage",
        CloseReason::OtherCall => "other_call",
        CloseReason::UnsupportedFormat => "format",
    }
}

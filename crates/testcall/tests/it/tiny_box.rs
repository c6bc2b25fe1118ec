//! A box that does what a test tells it, and writes down what the carrier did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use telephony::stream::{InboundFrame, OutboundFrame};
use telephony::webhook::{Method, WebhookRequest};
use telephony::{AuthKey, Params, PublicUrl, StreamId, Verifier};
use testcall::{Carrier, CarrierConfig, Pace, ToneVoice};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The auth token both sides know.
pub(crate) const TOKEN: &str = "correct horse";

/// What the box does on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnStream {
    /// Says something of 400 ms with a mark behind it, and hangs up when the mark comes back.
    SpeakAndClose,
    /// Says something of 10 s; clears when the caller is heard, then says 200 ms more and closes at its mark.
    BeInterrupted,
    /// Reads and says nothing.
    Listen,
    /// Sends what the carrier does not understand, then closes.
    TalkNonsense,
    /// Answers the handshake with 403.
    Refuse,
}

/// A request as the box got it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) believed: bool,
}

#[derive(Debug)]
struct Shared {
    base: PublicUrl,
    pages: BTreeMap<&'static str, String>,
    on_stream: OnStream,
    seen: Mutex<Vec<Seen>>,
    frames: Mutex<Vec<String>>,
}

/// The box and a carrier that can ring it.
pub(crate) struct Setting {
    pub(crate) carrier: Carrier,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Setting {
    /// Starts both. `pages` are the verbs answered by path; any other path gets an empty document. `{base}` in a
    /// page is the box's URL, `{stream}` that of its stream.
    pub(crate) async fn new(pages: &[(&'static str, &str)], on_stream: OnStream) -> Self {
        Self::with(pages, on_stream, |_| {}).await
    }

    /// The same with another configuration of the carrier.
    pub(crate) async fn with(
        pages: &[(&'static str, &str)],
        on_stream: OnStream,
        configure: impl FnOnce(&mut CarrierConfig),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // The carrier is told a public name and where to connect: what it signs and what it dials differ.
        let base: PublicUrl = "https://box.example".parse().unwrap();
        let pages = pages
            .iter()
            .map(|(path, verbs)| {
                let verbs = verbs.replace("{base}", base.as_str()).replace("{stream}", &base.stream("/stream"));
                (*path, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{verbs}</Response>"))
            })
            .collect();
        let shared =
            Arc::new(Shared { base: base.clone(), pages, on_stream, seen: Mutex::default(), frames: Mutex::default() });
        let router = Router::new()
            .route("/sound.wav", get(sound))
            .route("/stream", get(stream))
            .fallback(post(page).get(page))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let mut config = CarrierConfig::for_box(base, TOKEN);
        config.connect_to = Some(address);
        config.pace = Pace::AsFastAsPossible;
        configure(&mut config);
        let carrier = Carrier::start(config, Arc::new(ToneVoice)).await.unwrap();
        Self { carrier, shared, server }
    }

    /// Stops both and returns the requests, in order, and the text frames of the stream.
    pub(crate) async fn end(self) -> (Vec<Seen>, Vec<String>) {
        self.carrier.stop().await.unwrap();
        self.server.abort();
        drop(self.server.await);
        let seen = self.shared.seen.lock().unwrap().clone();
        let frames = self.shared.frames.lock().unwrap().clone();
        (seen, frames)
    }
}

async fn page(
    State(shared): State<Arc<Shared>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let request = WebhookRequest {
        method: Method::Post,
        path_and_query: uri.path_and_query().unwrap().as_str(),
        content_type: header("content-type"),
        signature: header("x-twilio-signature"),
        idempotency_token: header("i-twilio-idempotency-token"),
        body: &body,
    };
    let verifier = Verifier::new(AuthKey::new(TOKEN).unwrap());
    let believed = verifier.verify_webhook(&shared.base, &request).is_ok();
    let params = Params::parse(&body).unwrap();
    let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    shared.seen.lock().unwrap().push(Seen { path: uri.path().to_owned(), params, believed });
    if !believed {
        return StatusCode::FORBIDDEN.into_response();
    }
    let empty = "<Response/>".to_owned();
    let document = shared.pages.get(uri.path()).unwrap_or(&empty);
    ([("content-type", "text/xml; charset=utf-8")], document.clone()).into_response()
}

/// One second of a tone at 16 kHz.
async fn sound() -> Response {
    let samples = (0..16_000_u32).map(|n| if (n / 16).is_multiple_of(2) { 8_000_i16 } else { -8_000 });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + u32::try_from(data.len()).unwrap()).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend([1_u16, 1].map(u16::to_le_bytes).concat());
    wav.extend([16_000_u32, 32_000].map(u32::to_le_bytes).concat());
    wav.extend([2_u16, 16].map(u16::to_le_bytes).concat());
    wav.extend(b"data");
    wav.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    wav.extend(data);
    ([("content-type", "audio/wav")], wav).into_response()
}

async fn stream(State(shared): State<Arc<Shared>>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let signature = headers.get("x-twilio-signature").and_then(|value| value.to_str().ok());
    let verifier = Verifier::new(AuthKey::new(TOKEN).unwrap());
    let believed = verifier.verify_stream(&shared.base.stream("/stream"), signature).is_ok();
    if shared.on_stream == OnStream::Refuse || !believed {
        return StatusCode::FORBIDDEN.into_response();
    }
    upgrade.on_upgrade(move |socket| async move { converse(&shared, socket).await })
}

async fn converse(shared: &Shared, mut socket: WebSocket) {
    let mut sid: Option<StreamId> = None;
    let mut cleared = false;
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        shared.frames.lock().unwrap().push(text.to_string());
        let Ok(frame) = InboundFrame::parse(&text) else { continue };
        match (frame, shared.on_stream) {
            (InboundFrame::Start(start), on_stream) => {
                sid = Some(start.stream_id.clone());
                greet(&mut socket, &start.stream_id, on_stream).await;
                if on_stream == OnStream::TalkNonsense {
                    return close(socket).await;
                }
            }
            (InboundFrame::Media(media), OnStream::BeInterrupted) if !cleared => {
                let mut audio = Vec::new();
                media.decode(&mut audio).unwrap();
                // Anything outside the segment around zero is the caller's tone.
                if audio.iter().any(|byte| byte & 0x70 != 0x70) {
                    cleared = true;
                    let stream_id = sid.clone().unwrap();
                    send(&mut socket, &OutboundFrame::Clear { stream_id: stream_id.clone() }).await;
                    say(&mut socket, &stream_id, 1_600, "sorry").await;
                }
            }
            (InboundFrame::Mark(mark), OnStream::SpeakAndClose | OnStream::BeInterrupted) if mark.name != "long" => {
                return close(socket).await;
            }
            _ => {}
        }
    }
}

/// Says goodbye and reads to the end, so that nothing is cut off.
async fn close(mut socket: WebSocket) {
    if socket.send(Message::Close(None)).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

async fn greet(socket: &mut WebSocket, sid: &StreamId, on_stream: OnStream) {
    match on_stream {
        OnStream::SpeakAndClose => say(socket, sid, 3_200, "done").await,
        OnStream::BeInterrupted => say(socket, sid, 80_000, "long").await,
        OnStream::TalkNonsense => {
            for message in [
                Message::text("{}"),
                Message::text("not json"),
                Message::binary(vec![1, 2, 3]),
                Message::text(OutboundFrame::Clear { stream_id: "MZother".parse().unwrap() }.encode()),
            ] {
                socket.send(message).await.unwrap();
            }
        }
        OnStream::Listen | OnStream::Refuse => {}
    }
}

/// Says a loud buzz in two messages of odd length, with a mark behind it.
async fn say(socket: &mut WebSocket, sid: &StreamId, samples: usize, mark: &str) {
    let audio = vec![0_u8; samples];
    let (one, other) = audio.split_at(samples / 3);
    // The carrier takes 64 kB in one message, as base64.
    for part in one.chunks(30_000).chain(other.chunks(30_000)) {
        send(socket, &OutboundFrame::Media { stream_id: sid.clone(), audio: part.into() }).await;
    }
    send(socket, &OutboundFrame::Mark { stream_id: sid.clone(), name: mark.into() }).await;
}

async fn send(socket: &mut WebSocket, frame: &OutboundFrame<'_>) {
    socket.send(Message::text(frame.encode())).await.unwrap();
}

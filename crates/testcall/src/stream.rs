//! `<Connect><Stream>`: the WebSocket of a call, seen from the carrier.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use telephony::markup::{Connect, Stream};
use telephony::signature::SIGNATURE_HEADER;
use telephony::stream::{
    Connected, Dtmf, InboundFrame, Mark, Media, MediaFormat, MediaTrack, OutboundFrame, OutboundFrameError, Start, Stop,
};
use telephony::{AccountId, Digit, Params, StreamId};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use units::CallId;

use crate::api::CallUpdate;
use crate::ask::{method_of, resolve};
use crate::call::{Interrupted, LiveCall, Next};
use crate::caller::{Caller, WhenDone};
use crate::http::BoxClient;
use crate::playout::{FRAME, FRAME_SAMPLES, MULAW_SILENCE, Playout};
use crate::report::{Happened, StreamEnd, StreamReport};
use crate::script::{Injected, Injection, ParameterFault, Signing};
use crate::sid::{iso_8601, new_id};

/// The longest the box may take to open a stream.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// The longest one message may wait for the box to read it. Behind it the socket counts as broken.
pub const SEND_DEADLINE: Duration = Duration::from_secs(10);

/// The longest the box may take to answer a closing frame.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// When the second socket is opened, in stream time, and how long it is watched, on the clock.
const SECOND_SOCKET_AFTER: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A media stream while it is open.
struct LiveStream {
    sid: StreamId,
    sink: SplitSink<Socket, Message>,
    source: SplitStream<Socket>,
    playout: Playout,
    caller: Caller,
    agent_heard: bool,
    sequence: u64,
    chunk: u64,
    frames: u32,
    injections: Vec<Injection>,
    second: Option<JoinHandle<bool>>,
    report: StreamReport,
}

/// What the loop of a stream woke up for.
enum Woken {
    Frame,
    Message(Option<Result<Message, tungstenite::Error>>),
    Update(CallUpdate),
}

/// Why a stream could not be opened.
#[derive(Debug)]
struct Refused {
    status: Option<u16>,
    code: u32,
    reason: String,
}

/// How a stream ended, and what that means for the call.
struct Closed {
    end: StreamEnd,
    interrupted: Option<Interrupted>,
}

impl LiveCall<'_> {
    /// Carries out `<Connect>`: opens the stream, carries audio until it ends, goes on with the action.
    pub(crate) async fn connect(&mut self, connect: &Connect, document: &str) -> Result<Next, Interrupted> {
        let sid: StreamId = new_id("MZ");
        if let Some(late_by) = self.script.faults.late_stream {
            self.quiet(late_by).await?;
        }
        match self.open(&connect.stream, &sid).await {
            Err(refused) => {
                self.note(Happened::StreamRefused(refused.status));
                self.warn(refused.code, &refused.reason);
                self.keep_stream(StreamReport { stream_sid: sid.to_string(), ..StreamReport::default() });
                self.tell_stream(&connect.stream, &sid, "stream-error", Some(&refused.reason));
            }
            Ok(socket) => {
                let closed = self.carry(socket, &connect.stream, &sid).await;
                self.note(Happened::StreamClosed(closed.end));
                self.tell_stream(&connect.stream, &sid, "stream-stopped", None);
                if let Some(interrupted) = closed.interrupted {
                    return Err(interrupted);
                }
            }
        }
        let Some(action) = &connect.action else { return Ok(Next::Verb) };
        Ok(Next::Fetch { url: resolve(document, action), method: method_of(connect.method), extra: Params::new() })
    }

    /// Opens the socket and says hello.
    async fn open(&mut self, stream: &Stream, sid: &StreamId) -> Result<LiveStream, Refused> {
        if self.script.faults.refuse_stream {
            return Err(Refused { status: None, code: 31_902, reason: "connection refused".to_owned() });
        }
        let signing = self.script.faults.signature;
        let socket = dial(&self.exchange.client, &stream.url, signing).await?;
        let (sink, source) = socket.split();
        let caller = Caller::new(self.steps.pop_front().unwrap_or_default(), WhenDone::HangUp);
        let mut live = LiveStream {
            sid: sid.clone(),
            sink,
            source,
            playout: Playout::new(self.script.faults.mark_echo),
            caller,
            agent_heard: false,
            sequence: 1,
            chunk: 1,
            frames: 0,
            injections: self.script.faults.injections.clone(),
            second: None,
            report: StreamReport { stream_sid: sid.to_string(), ..StreamReport::default() },
        };
        self.note(Happened::StreamOpened);
        live.report.started = Some(self.line.position());
        let parameters = changed(&stream.parameters, self.script.faults.parameters);
        let mut hello = vec![connected()];
        if self.script.faults.media_before_start {
            hello.push(live.media(&[MULAW_SILENCE; FRAME_SAMPLES], sid));
        }
        hello.push(start(sid, &self.sid, &self.exchange.config.account_sid, &parameters));
        for message in hello {
            if live.send(Message::text(message)).await.is_err() {
                return Err(Refused { status: Some(101), code: 31_903, reason: "broken pipe".to_owned() });
            }
        }
        self.tell_stream(stream, sid, "stream-started", None);
        Ok(live)
    }

    /// Carries audio until the stream ends.
    async fn carry(&mut self, mut live: LiveStream, stream: &Stream, sid: &StreamId) -> Closed {
        let closed = loop {
            let woken = tokio::select! {
                biased;
                // What the box asked for over REST comes before what it did when that was answered.
                Some(update) = self.updates.recv() => Woken::Update(update),
                message = live.source.next() => Woken::Message(message),
                () = self.pacer.next_frame(live.caller.waits_for_other_side()) => Woken::Frame,
            };
            let closed = match woken {
                Woken::Message(message) => self.hear_box(&mut live, message).await,
                Woken::Frame => {
                    self.pacer.frame_done();
                    self.stream_frame(&mut live, stream).await
                }
                Woken::Update(update) => {
                    self.note(Happened::RestUpdate);
                    let interrupted = Some(Interrupted::ByUpdate(update));
                    Some(Closed { end: StreamEnd::RestUpdate, interrupted })
                }
            };
            if let Some(closed) = closed {
                break closed;
            }
        };
        let report = self.part(live, closed.end, sid).await;
        self.keep_stream(report);
        closed
    }

    /// One frame of stream time in both directions. `Some` when that was the last.
    async fn stream_frame(&mut self, live: &mut LiveStream, stream: &Stream) -> Option<Closed> {
        let faults = &self.script.faults;
        let now = FRAME.saturating_mul(live.frames);
        if faults.drop_socket_after.is_some_and(|after| now >= after) {
            return Some(Closed { end: StreamEnd::DroppedByScript, interrupted: None });
        }
        if faults.second_socket && live.second.is_none() && now >= SECOND_SOCKET_AFTER {
            live.second = Some(self.second_socket(stream));
        }
        let played = live.playout.tick();
        let start = self.line.position();
        let caller = live.caller.tick(live.agent_heard);
        self.note_caller(start, &caller.notes);
        if caller.hangs_up || self.caller_hangs_up_now() {
            self.note(Happened::CallerHungUp);
            return Some(Closed { end: StreamEnd::CallerHungUp, interrupted: Some(Interrupted::ByCaller) });
        }
        live.agent_heard = self.advance(&caller.frame, &played.frame);
        if live.exchange_frame(&caller.frame, self.script.faults.wrong_stream_sid, now).await.is_err() {
            return Some(Closed { end: StreamEnd::Broken, interrupted: None });
        }
        if let Some(key) = caller.key {
            self.note(Happened::Key);
            if live.send_key(key).await.is_err() {
                return Some(Closed { end: StreamEnd::Broken, interrupted: None });
            }
        }
        self.echo_marks(live, played.marks).await
    }

    /// Takes one message of the box. `Some` when the stream is over.
    async fn hear_box(
        &mut self,
        live: &mut LiveStream,
        message: Option<Result<Message, tungstenite::Error>>,
    ) -> Option<Closed> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return None,
            Some(Ok(Message::Binary(_))) => {
                self.malformed(live, 31_950, "binary frame");
                return None;
            }
            Some(Ok(Message::Close(close))) => {
                let code = close.map(|close| close.code.into());
                return Some(Closed { end: StreamEnd::ClosedByBox(code), interrupted: None });
            }
            Some(Err(_)) | None => return Some(Closed { end: StreamEnd::Broken, interrupted: None }),
        };
        let frame = match OutboundFrame::parse(&text) {
            Ok(frame) => frame,
            Err(error) => {
                self.malformed(live, 31_951, &why(&error));
                return None;
            }
        };
        match frame {
            OutboundFrame::Media { stream_id, audio } if stream_id == live.sid => {
                live.report.media_received += 1;
                if !live.playout.push_audio(audio.into_owned()) {
                    self.warn_once(31_931, "more than ten minutes of audio queued");
                }
                None
            }
            OutboundFrame::Mark { stream_id, name } if stream_id == live.sid => {
                live.report.marks += 1;
                self.note(Happened::Mark(name.clone().into_owned()));
                let marks = live.playout.push_mark(name.into_owned());
                self.echo_marks(live, marks).await
            }
            OutboundFrame::Clear { stream_id } if stream_id == live.sid => {
                let dropped_ms = live.playout.queued_samples() as u64 / 8;
                self.clears.push(self.line.position());
                self.note(Happened::Clear(dropped_ms));
                let marks = live.playout.clear();
                self.echo_marks(live, marks).await
            }
            OutboundFrame::Media { .. } | OutboundFrame::Mark { .. } | OutboundFrame::Clear { .. } => {
                self.malformed(live, 31_951, "streamSid of another stream");
                None
            }
        }
    }

    async fn echo_marks(&mut self, live: &mut LiveStream, marks: Vec<String>) -> Option<Closed> {
        for name in marks {
            if live.send_mark(&name).await.is_err() {
                return Some(Closed { end: StreamEnd::Broken, interrupted: None });
            }
            self.note(Happened::MarkEchoed(name));
        }
        None
    }

    fn malformed(&mut self, live: &mut LiveStream, code: u32, text: &str) {
        live.report.malformed += 1;
        self.warn_once(code, text);
    }

    /// These warnings come once per stream.
    fn warn_once(&mut self, code: u32, text: &str) {
        if !self.report.has_warning(code) {
            self.warn(code, text);
        }
    }

    /// Closes the stream in the way of `end` and returns its figures.
    async fn part(&mut self, mut live: LiveStream, end: StreamEnd, sid: &StreamId) -> StreamReport {
        if let Some(second) = live.second.take() {
            live.report.second_socket_kept = second.await.ok();
        }
        match end {
            StreamEnd::CallerHungUp | StreamEnd::RestUpdate => {
                let stop = live.stop(&self.sid);
                if live.send(Message::text(stop)).await.is_ok() {
                    live.close().await;
                }
            }
            StreamEnd::ClosedByBox(_) => live.close().await,
            StreamEnd::Broken => self.warn(31_921, format!("stream {sid} broke")),
            StreamEnd::DroppedByScript => {}
        }
        let mut report = std::mem::take(&mut live.report);
        report.samples_received = live.playout.received_samples();
        report.samples_cleared = live.playout.cleared_samples();
        report.clears = live.playout.clears();
        report
    }

    /// Writes down a stream's figures; the last is the one looked at first.
    fn keep_stream(&mut self, report: StreamReport) {
        self.report.earlier_streams.extend(self.report.stream.replace(report));
    }

    /// Tells the box how the stream does.
    fn tell_stream(&mut self, stream: &Stream, sid: &StreamId, event: &str, error: Option<&str>) {
        let Some(url) = &stream.status_callback else { return };
        let mut params = Params::new()
            .with("AccountSid", self.exchange.config.account_sid.as_str())
            .with("CallSid", self.sid.as_str())
            .with("StreamSid", sid.as_str())
            .with("StreamName", stream.name.as_deref().unwrap_or(sid.as_str()))
            .with("StreamEvent", event)
            .with("Timestamp", iso_8601(SystemTime::now()));
        if let Some(error) = error {
            params.push("StreamError", error);
        }
        self.call_back(stream.status_callback_method, url, params);
    }

    /// Opens another socket for the same call and watches whether the box keeps it.
    fn second_socket(&self, stream: &Stream) -> JoinHandle<bool> {
        let (client, signing, url) = (self.exchange.client.clone(), self.script.faults.signature, stream.url.clone());
        let hello = [
            connected(),
            start(
                &new_id("MZ"),
                &self.sid,
                &self.exchange.config.account_sid,
                &changed(&stream.parameters, self.script.faults.parameters),
            ),
        ];
        tokio::spawn(async move {
            let Ok(mut socket) = dial(&client, &url, signing).await else { return false };
            for message in hello {
                if socket.send(Message::text(message)).await.is_err() {
                    return false;
                }
            }
            let closed = async {
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_close() {
                        return;
                    }
                }
            };
            tokio::time::timeout(SECOND_SOCKET_AFTER, closed).await.is_err()
        })
    }
}

impl Drop for LiveStream {
    fn drop(&mut self) {
        if let Some(second) = &self.second {
            second.abort();
        }
    }
}

impl LiveStream {
    /// Sends the caller's frame, and what does not belong there.
    async fn exchange_frame(
        &mut self,
        caller: &[u8; FRAME_SAMPLES],
        wrong_sid: bool,
        now: Duration,
    ) -> Result<(), tungstenite::Error> {
        let sid = if wrong_sid { new_id("MZ") } else { self.sid.clone() };
        let media = self.media(caller, &sid);
        self.frames += 1;
        self.send(Message::text(media)).await?;
        self.report.frames_sent += 1;
        let (due, later) = std::mem::take(&mut self.injections).into_iter().partition(|i: &Injection| i.after <= now);
        self.injections = later;
        let due: Vec<Injection> = due;
        for injection in due {
            for _ in 0..injection.times {
                let message = match &injection.frame {
                    Injected::Text(text) => Message::text(text.clone()),
                    Injected::LongText(bytes) => Message::text(" ".repeat(*bytes)),
                    Injected::Binary(bytes) => Message::binary(vec![0; *bytes]),
                    Injected::Media => {
                        let sid = self.sid.clone();
                        Message::text(self.media(&[MULAW_SILENCE; FRAME_SAMPLES], &sid))
                    }
                };
                self.send(message).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), tungstenite::Error> {
        match tokio::time::timeout(SEND_DEADLINE, self.sink.send(message)).await {
            Ok(sent) => sent,
            Err(_) => Err(tungstenite::Error::AlreadyClosed),
        }
    }

    async fn send_key(&mut self, digit: Digit) -> Result<(), tungstenite::Error> {
        let dtmf = Dtmf { sequence: self.next_sequence(), stream_id: self.sid.clone(), digit };
        self.send(Message::text(InboundFrame::Dtmf(dtmf).encode())).await
    }

    async fn send_mark(&mut self, name: &str) -> Result<(), tungstenite::Error> {
        let mark = Mark { sequence: self.next_sequence(), stream_id: self.sid.clone(), name: name.into() };
        self.send(Message::text(InboundFrame::Mark(mark).encode())).await
    }

    /// Says goodbye and waits until the box has done so too.
    async fn close(&mut self) {
        let goodbye = async {
            if self.sink.send(Message::Close(None)).await.is_ok() {
                while let Some(Ok(_)) = self.source.next().await {}
            }
        };
        if tokio::time::timeout(CLOSE_DEADLINE, goodbye).await.is_err() {
            tracing::debug!("the box did not close the stream in time");
        }
    }

    fn media(&mut self, audio: &[u8], sid: &StreamId) -> String {
        let media = Media {
            sequence: self.next_sequence(),
            stream_id: sid.as_str().into(),
            track: MediaTrack::Inbound,
            chunk: self.chunk,
            timestamp_ms: u64::try_from(FRAME.saturating_mul(self.frames).as_millis()).unwrap_or(u64::MAX),
            payload: STANDARD.encode(audio).into(),
        };
        self.chunk += 1;
        InboundFrame::Media(media).encode()
    }

    fn stop(&mut self, call_id: &CallId) -> String {
        let stop = Stop { sequence: self.next_sequence(), stream_id: self.sid.clone(), call_id: Some(call_id.clone()) };
        InboundFrame::Stop(stop).encode()
    }

    /// Counts from 2: `start` was 1.
    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

fn connected() -> String {
    InboundFrame::Connected(Connected { protocol: "Call".into(), version: "1.0.0".into() }).encode()
}

fn start(sid: &StreamId, call_id: &CallId, account: &AccountId, parameters: &[(String, String)]) -> String {
    InboundFrame::Start(Start {
        sequence: 1,
        stream_id: sid.clone(),
        call_id: call_id.clone(),
        account: account.clone(),
        format: MediaFormat::mulaw_8khz(),
        parameters: parameters.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect(),
    })
    .encode()
}

fn changed(parameters: &[(String, String)], fault: ParameterFault) -> Vec<(String, String)> {
    match fault {
        ParameterFault::None => parameters.to_vec(),
        ParameterFault::Missing => Vec::new(),
        ParameterFault::Changed => {
            parameters.iter().map(|(name, value)| (name.clone(), value.chars().rev().collect())).collect()
        }
    }
}

/// Opens the socket at `url`, signed as the carrier does it: over the URL of the markup.
async fn dial(client: &BoxClient, url: &str, signing: Signing) -> Result<Socket, Refused> {
    let handshake = async {
        // The carrier drops a query before it dials.
        let url = url.split('?').next().unwrap_or_default();
        let mut request = url.into_client_request().map_err(|error| bad_url(&error.to_string()))?;
        if let Some(signature) = client.stream_signature(url, signing) {
            let value = HeaderValue::from_str(&signature).map_err(|error| bad_url(&error.to_string()))?;
            request.headers_mut().insert(SIGNATURE_HEADER, value);
        }
        let secure = request.uri().scheme_str() == Some("wss");
        let tcp = match client.address_of(url) {
            Some(address) => return plain(connect(address).await?, request).await,
            None => connect_by_name(&request, secure).await?,
        };
        if secure {
            let (socket, _) =
                tokio_tungstenite::client_async_tls(request, tcp).await.map_err(|error| refused(&error))?;
            return Ok(socket);
        }
        plain(tcp, request).await
    };
    match tokio::time::timeout(HANDSHAKE_DEADLINE, handshake).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refused { status: None, code: 31_901, reason: "connect timeout".to_owned() }),
    }
}

async fn plain(tcp: TcpStream, request: Request) -> Result<Socket, Refused> {
    let tcp = MaybeTlsStream::Plain(tcp);
    let (socket, _) = tokio_tungstenite::client_async(request, tcp).await.map_err(|error| refused(&error))?;
    Ok(socket)
}

async fn connect(address: SocketAddr) -> Result<TcpStream, Refused> {
    let tcp = TcpStream::connect(address).await.map_err(|error| refused(&error.into()))?;
    tcp.set_nodelay(true).map_err(|error| refused(&error.into()))?;
    Ok(tcp)
}

async fn connect_by_name(request: &Request, secure: bool) -> Result<TcpStream, Refused> {
    let host = request.uri().host().ok_or_else(|| bad_url("no host"))?;
    let port = request.uri().port_u16().unwrap_or(if secure { 443 } else { 80 });
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let tcp = TcpStream::connect((bare, port)).await.map_err(|error| refused(&error.into()))?;
    tcp.set_nodelay(true).map_err(|error| refused(&error.into()))?;
    Ok(tcp)
}

fn bad_url(reason: &str) -> Refused {
    Refused { status: None, code: 31_923, reason: reason.to_owned() }
}

fn refused(error: &tungstenite::Error) -> Refused {
    let tungstenite::Error::Http(response) = error else {
        return Refused { status: None, code: 31_902, reason: error.to_string() };
    };
    let status = response.status().as_u16();
    Refused { status: Some(status), code: 31_920, reason: format!("handshake answered with {status}") }
}

/// Says what is wrong with a message, with its cause.
fn why(error: &OutboundFrameError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

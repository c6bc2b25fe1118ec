//! A media stream by hand.

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use telephony::signature::SIGNATURE_HEADER;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use units::CallId;

use crate::running::{ACCOUNT, TestBox};
use crate::wait::PATIENCE;

/// What came from the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// A frame.
    Text(String),
    /// The end; the code, if the box gave one.
    Closed(Option<u16>),
}

/// A WebSocket to the box that sends whatever a test wants.
#[derive(Debug)]
pub struct Socket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
    stream: String,
    sequence: u64,
    timestamp: u64,
}

impl Socket {
    /// Opens a socket. `Err` in the result is the HTTP status of a refusal.
    pub async fn open(target: &TestBox, path: &str, signature: Option<&str>) -> anyhow::Result<Result<Self, u16>> {
        let mut request = format!("ws://{}{path}", target.address).into_client_request()?;
        if let Some(signature) = signature {
            request.headers_mut().insert(SIGNATURE_HEADER, signature.parse()?);
        }
        match connect_async(request).await {
            Ok((socket, _response)) => {
                let stream = format!("MZ{:032x}", target.address.port());
                Ok(Ok(Self { inner: socket, stream, sequence: 0, timestamp: 0 }))
            }
            Err(Error::Http(response)) => Ok(Err(response.status().as_u16())),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a socket at the usual path, without a signature.
    pub async fn plain(target: &TestBox) -> anyhow::Result<Self> {
        let opened = Self::open(target, "/ws/twilio-media", None).await?;
        opened.map_err(|status| anyhow::anyhow!("the handshake was answered {status}"))
    }

    /// Sends a text frame. A socket that the box closed takes it too, to nowhere.
    pub async fn send(&mut self, text: impl Into<String>) -> anyhow::Result<()> {
        self.give(Message::text(text.into())).await
    }

    /// Sends a binary frame.
    pub async fn send_binary(&mut self, bytes: Vec<u8>) -> anyhow::Result<()> {
        self.give(Message::Binary(Bytes::from(bytes))).await
    }

    /// Sends `connected` and `start`, with the token if there is one.
    pub async fn start(&mut self, call: &CallId, token: Option<&str>) -> anyhow::Result<()> {
        self.send(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#).await?;
        let parameters = token.map_or_else(|| "{}".to_owned(), |token| format!(r#"{{"token":"{token}"}}"#));
        let (number, stream) = (self.next_number(), self.stream.clone());
        self.send(format!(
            r#"{{"event":"start","sequenceNumber":"{number}","start":{{"accountSid":"{ACCOUNT}","streamSid":"{stream}","callSid":"{call}","tracks":["inbound"],"mediaFormat":{{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}},"customParameters":{parameters}}},"streamSid":"{stream}"}}"#
        ))
        .await
    }

    /// Sends a frame of about 20 ms of silence: 159 bytes `0xff`, µ-law's zero.
    pub async fn silence(&mut self) -> anyhow::Result<()> {
        let payload = "/".repeat(212);
        self.media(&self.stream.clone(), &payload).await
    }

    /// Sends a media frame with this payload under this stream's name.
    pub async fn media(&mut self, stream: &str, payload: &str) -> anyhow::Result<()> {
        let (number, timestamp) = (self.next_number(), self.timestamp);
        self.timestamp += 20;
        self.send(format!(
            r#"{{"event":"media","sequenceNumber":"{number}","media":{{"track":"inbound","chunk":"{number}","timestamp":"{timestamp}","payload":"{payload}"}},"streamSid":"{stream}"}}"#
        ))
        .await
    }

    /// Returns the stream's name.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// Returns the next frame of the box, or the end.
    pub async fn next(&mut self) -> anyhow::Result<Came> {
        loop {
            let message = timeout(PATIENCE, self.inner.next()).await.context("the box says nothing")?;
            match message {
                Some(Ok(Message::Text(text))) => return Ok(Came::Text(text.as_str().to_owned())),
                Some(Ok(Message::Close(frame))) => return Ok(Came::Closed(frame.map(|frame| frame.code.into()))),
                Some(Err(_)) | None => return Ok(Came::Closed(None)),
                Some(Ok(_)) => {}
            }
        }
    }

    /// Reads until the box closes and returns the code, if it gave one.
    pub async fn closed(&mut self) -> anyhow::Result<Option<u16>> {
        loop {
            if let Came::Closed(code) = self.next().await? {
                return Ok(code);
            }
        }
    }

    /// Reads until the box speaks.
    pub async fn spoken_to(&mut self) -> anyhow::Result<()> {
        loop {
            match self.next().await? {
                Came::Text(text) if text.contains(r#""media""#) => return Ok(()),
                Came::Text(_) => {}
                Came::Closed(code) => anyhow::bail!("the box closed the stream ({code:?})"),
            }
        }
    }

    async fn give(&mut self, message: Message) -> anyhow::Result<()> {
        match timeout(PATIENCE, self.inner.send(message)).await.context("the box does not read")? {
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) | Error::Protocol(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn next_number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

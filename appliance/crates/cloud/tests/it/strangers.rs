//! Servers that are not what they should be, byte by byte, and one of somebody's own.

use std::net::SocketAddr;
use std::time::Duration;

use cloud::CloudError;
use cloud::openai::{Chat, ChatEvent, Finish, Settings, Speech, Transcriber, probe};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;
use units::Language;
use weather::FailureKind;

use crate::support::{SAID, client, question, turn};

/// How a body goes on.
enum Then {
    End,
    /// The same again and again, for as long as somebody reads.
    Again,
}

/// Answers one request with these bytes; returns where, and the request once it is there.
async fn serve(head: &'static str, body: Vec<u8>, then: Then) -> (Settings, oneshot::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let (sender, request) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let received = request_of(&mut stream).await;
        drop(sender.send(received));
        let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        while stream.write_all(&body).await.is_ok() && matches!(then, Then::Again) {}
        // Whoever is not read to the end is told so by a reset, which would take the answer with it.
        drop(timeout(Duration::from_secs(1), stream.read_to_end(&mut Vec::new())).await);
    });
    (Settings { base_url: format!("http://{address}/v1/"), key: None }, request)
}

/// Reads a request: its head, and as much of a body as it announces.
async fn request_of(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0_usize) {
                return text;
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap() == 0 {
            return text;
        }
    }
}

const JSON: &str = "200 OK\r\ncontent-type: application/json";
const EVENTS: &str = "200 OK\r\nContent-Type: text/event-stream; charset=utf-8";

async fn reply(settings: Settings) -> (String, Result<Finish, CloudError>) {
    let mut said = String::new();
    let mut on = |event| {
        if let ChatEvent::Text(text) = event {
            said.push_str(&text);
        }
    };
    let end = Chat::new(client(), settings, "local".to_owned()).reply(&question("hello"), &mut on).await;
    (said, end.map(|end| end.finish))
}

#[tokio::test]
async fn answers_without_end_are_given_up() {
    let (settings, _) = serve(JSON, vec![b' '; 9_999], Then::Again).await;
    let error = probe(&client(), &settings).await.unwrap_err();
    assert!(matches!(error, CloudError::TooLong { limit: 262_144 }), "{error}");

    let (settings, _) = serve("200 OK\r\ncontent-type: audio/pcm", vec![0; 9_999], Then::Again).await;
    let speech = Speech::new(client(), settings, "tts-1".to_owned(), "alloy".to_owned());
    let error = speech.synthesize("Hello.", Language::English).await.unwrap_err();
    assert!(matches!(error, CloudError::TooLong { limit: 4_194_304 }), "{error}");

    let (settings, _) = serve(EVENTS, vec![b'x'; 9_999], Then::Again).await;
    let error = reply(settings).await.1.unwrap_err();
    assert!(matches!(error, CloudError::TooLong { limit: 65_536 }), "{error}");
    assert_eq!(error.failure().kind, FailureKind::Malformed);

    let endless = b"data: {\"choices\":[{\"delta\":{\"content\":\"again and again \"}}]}\n\n".to_vec();
    let (settings, _) = serve(EVENTS, endless, Then::Again).await;
    assert!(matches!(reply(settings).await.1.unwrap_err(), CloudError::TooLong { limit: 65_536 }));

    let endless = b"data: {\"type\":\"transcript.text.delta\",\"delta\":\"again and again \"}\n\n".to_vec();
    let (settings, _) = serve(EVENTS, endless, Then::Again).await;
    let transcriber = Transcriber::new(client(), settings, "gpt-4o-transcribe".to_owned());
    assert!(matches!(transcriber.transcribe(&turn(SAID, None), &mut |_| {}).await, Err(CloudError::TooLong { .. })));
}

#[tokio::test]
async fn dropping_a_request_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings { base_url: format!("http://{}", listener.local_addr().unwrap()), key: None };
    let http = client();
    let mut stream = tokio::select! {
        result = probe(&http, &settings) => panic!("nobody answered: {result:?}"),
        stream = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            request_of(&mut stream).await;
            stream
        } => stream,
    };
    let closed = timeout(Duration::from_secs(5), stream.read(&mut [0; 8])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_server_of_ones_own_is_asked_for_no_more_than_it_knows() {
    let events = "\r: warming up\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"Shal\"}}],\"usage\":null,\"error\":null}\r\n\r\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"om\"},\"finish_reason\":\"stop\"}]}\n\n";
    let (settings, request) = serve(EVENTS, events.into(), Then::End).await;
    let (said, end) = reply(settings).await;
    assert_eq!((said.as_str(), end.unwrap()), ("Shalom", Finish::Stop));
    let request = request.await.unwrap();
    assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1"));
    assert!(request.contains("\"max_tokens\":200"));
    for unknown in ["uthorization", "obfuscation", "max_completion_tokens", "tools"] {
        assert!(!request.contains(unknown), "{unknown}");
    }
}

#[tokio::test]
async fn a_reply_without_an_end_is_cut() {
    for rest in ["", "data: [DONE]\n\n", "data: {\"choices\":[{\"delta\":{\"content\":\"lost\"}}]}"] {
        let body = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"Half a\"}}}}]}}\n\n{rest}");
        let (settings, _) = serve(EVENTS, body.into(), Then::End).await;
        let (said, end) = reply(settings).await;
        assert_eq!((said.as_str(), end.unwrap_err().failure().kind), ("Half a", FailureKind::Cut));
    }
}

#[tokio::test]
async fn a_call_that_is_not_whole_is_not_made() {
    let piece = "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":\
        {\"name\":\"hang_up\",\"arguments\":\"{\\\"now\\\"\"}}]}}]}";
    for (finish, expected) in [("length", Ok(Finish::Length)), ("tool_calls", Err(FailureKind::Malformed))] {
        let body =
            format!("data: {piece}\n\ndata: {{\"choices\":[{{\"delta\":null,\"finish_reason\":\"{finish}\"}}]}}\n\n");
        let (settings, _) = serve(EVENTS, body.into(), Then::End).await;
        let mut calls = 0;
        let chat = Chat::new(client(), settings, "local".to_owned());
        let mut on = |event| calls += usize::from(matches!(event, ChatEvent::Call(_)));
        let end = chat.reply(&question("hello"), &mut on).await;
        assert_eq!(end.map(|end| end.finish).map_err(|error| error.failure().kind), expected);
        assert_eq!(calls, 0);
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_http_is_cut() {
    let (settings, _) = serve("nonsense", Vec::new(), Then::End).await;
    let kind = probe(&client(), &settings).await.unwrap_err().failure().kind;
    assert!(matches!(kind, FailureKind::Cut), "{kind:?}");
}

#[tokio::test]
async fn an_error_whose_body_stalls_is_still_that_error() {
    let head = "403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: 99";
    let (settings, _) = serve(head, b"{".to_vec(), Then::End).await;
    let error = probe(&client(), &settings).await.unwrap_err();
    assert!(matches!(error, CloudError::Forbidden { .. }), "{error}");
}

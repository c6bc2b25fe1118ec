//! Answers, and how they go out with their faults.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::behaviour::{Behaviour, Fault, Service};
use crate::cloud::Shared;

/// Lets what was sent before a cut reach the other side.
const BEFORE_CUT: Duration = Duration::from_millis(20);
/// Where a captive portal sends people.
const PORTAL: &str = "http://portal.invalid/login";
/// What a captive portal shows.
const PORTAL_PAGE: &str = "<!DOCTYPE html><html><head><title>Welcome</title></head>\
    <body><form action=\"/login\"><input name=\"room\"><button>Connect</button></form></body></html>";

/// What a service answers.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    content_type: &'static str,
    content: Content,
    headers: Vec<(HeaderName, String)>,
}

#[derive(Clone, Debug)]
enum Content {
    Whole(Bytes),
    /// The data of each event.
    Events(Vec<String>),
}

impl Answer {
    /// A JSON answer.
    pub(crate) fn json(value: &Value) -> Self {
        Self::with(StatusCode::OK, "application/json", value.to_string())
    }

    /// Bytes of some type.
    pub(crate) fn bytes(content_type: &'static str, bytes: Vec<u8>) -> Self {
        Self::with(StatusCode::OK, content_type, bytes)
    }

    /// An event stream.
    pub(crate) fn events(events: Vec<String>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: "text/event-stream; charset=utf-8",
            content: Content::Events(events),
            headers: Vec::new(),
        }
    }

    /// An error in the shape of the service's provider; `reason` is `OpenAI`'s `code` and Google's `status`.
    pub(crate) fn error(service: Service, status: StatusCode, reason: &str, message: &str) -> Self {
        let body = if service.is_google() {
            json!({"error": {"code": status.as_u16(), "message": message, "status": reason}})
        } else {
            json!({"error": openai_error(status, reason, message)})
        };
        Self::with(status, "application/json", body.to_string())
    }

    /// 400 with a message.
    pub(crate) fn bad_request(service: Service, message: &str) -> Self {
        let reason = if service.is_google() { "INVALID_ARGUMENT" } else { "invalid_value" };
        Self::error(service, StatusCode::BAD_REQUEST, reason, message)
    }

    /// 401 as a wrong key gets it.
    pub(crate) fn unauthorized(service: Service) -> Self {
        let (reason, message) = if service.is_google() {
            ("UNAUTHENTICATED", "Request had invalid authentication credentials.")
        } else {
            ("invalid_api_key", "Incorrect API key provided.")
        };
        Self::error(service, StatusCode::UNAUTHORIZED, reason, message)
    }

    fn with(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type, content: Content::Whole(body.into()), headers: Vec::new() }
    }

    fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn openai_error(status: StatusCode, code: &str, message: &str) -> Value {
    let kind = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
    json!({"message": message, "type": kind, "param": null, "code": code})
}

/// Returns what a service with `fault` answers whatever it is asked, or `None` where the fault needs a right answer.
pub(crate) fn instead(service: Service, fault: Fault) -> Option<Answer> {
    let error = |status, openai, google, message| {
        Answer::error(service, status, if service.is_google() { google } else { openai }, message)
    };
    Some(match fault {
        Fault::Unauthorized => Answer::unauthorized(service),
        Fault::Forbidden => {
            let message = "The caller does not have permission.";
            error(StatusCode::FORBIDDEN, "unsupported_country_region_territory", "PERMISSION_DENIED", message)
        }
        Fault::TooMany { retry_after } => too_many(service, retry_after),
        Fault::Internal => internal(service),
        Fault::Unavailable => {
            let message = "The service is currently unavailable.";
            error(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "UNAVAILABLE", message)
        }
        Fault::Html => Answer::bytes("text/html; charset=utf-8", PORTAL_PAGE.into()),
        Fault::Redirect => {
            Answer::with(StatusCode::FOUND, "text/html; charset=utf-8", PORTAL_PAGE).header(LOCATION, PORTAL)
        }
        Fault::Filtered if service != Service::Chat => {
            let message = "Your request was rejected by the safety system.";
            error(StatusCode::BAD_REQUEST, "content_policy_violation", "INVALID_ARGUMENT", message)
        }
        Fault::SlowFirstByte
        | Fault::StallAfterHeaders
        | Fault::StallMidStream
        | Fault::CutMidStream
        | Fault::TruncatedJson
        | Fault::WrongContentType
        | Fault::Filtered
        | Fault::ErrorInStream => return None,
    })
}

fn internal(service: Service) -> Answer {
    let reason = if service.is_google() { "INTERNAL" } else { "internal_error" };
    let message = "The server had an error while processing your request.";
    Answer::error(service, StatusCode::INTERNAL_SERVER_ERROR, reason, message)
}

fn too_many(service: Service, retry_after: Option<Duration>) -> Answer {
    let reason = if service.is_google() { "RESOURCE_EXHAUSTED" } else { "rate_limit_exceeded" };
    let answer = Answer::error(service, StatusCode::TOO_MANY_REQUESTS, reason, "Rate limit reached for requests.");
    let Some(wait) = retry_after else { return answer };
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    let answer = answer.header(RETRY_AFTER, seconds.to_string());
    if service.is_google() {
        return answer;
    }
    answer.header(HeaderName::from_static("retry-after-ms"), wait.as_millis().to_string())
}

/// Makes the response of an answer, with the service's fault in it.
pub(crate) fn deliver(shared: &Arc<Shared>, service: Service, behaviour: Behaviour, mut answer: Answer) -> Response {
    let has_events = matches!(answer.content, Content::Events(_));
    if answer.status.is_success() {
        match behaviour.fault {
            Some(Fault::WrongContentType) => answer.content_type = "text/plain",
            Some(Fault::TruncatedJson) if !has_events => answer = truncated(&answer),
            Some(Fault::ErrorInStream) if !has_events => answer = internal(service),
            _ => {}
        }
    }
    let length = match &answer.content {
        Content::Whole(bytes) => Some(bytes.len()),
        Content::Events(_) => None,
    };
    let body = if answer.status.is_success() {
        body(shared, service, behaviour, answer.content)
    } else {
        match answer.content {
            Content::Whole(bytes) => Body::from(bytes),
            Content::Events(_) => Body::empty(),
        }
    };
    let mut response = (answer.status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    let mut values = answer.headers;
    values.push((DATE, httpdate::fmt_http_date(shared.now())));
    values.extend(length.map(|length| (CONTENT_LENGTH, length.to_string())));
    for (name, value) in values {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    response
}

/// Returns the first half of a JSON answer; of other answers, half an error.
fn truncated(answer: &Answer) -> Answer {
    let whole = match &answer.content {
        Content::Whole(bytes) if answer.content_type == "application/json" => bytes.clone(),
        Content::Whole(_) | Content::Events(_) => Bytes::from_static(b"{\"error\": {\"message\": \"The ser"),
    };
    let half = if answer.content_type == "application/json" { whole.slice(..whole.len() / 2) } else { whole };
    Answer::with(answer.status, "application/json", half)
}

fn body(shared: &Arc<Shared>, service: Service, behaviour: Behaviour, content: Content) -> Body {
    match content {
        Content::Events(events) => {
            let events = events.into_iter().map(|event| Bytes::from(format!("data: {event}\n\n"))).collect();
            if behaviour.fault == Some(Fault::StallAfterHeaders) {
                return Body::from_stream(stream::pending::<Result<Bytes, io::Error>>());
            }
            Body::from_stream(faulty_events(Arc::clone(shared), service, events))
        }
        Content::Whole(bytes) => match behaviour.fault {
            Some(Fault::StallAfterHeaders) => Body::from_stream(stream::pending::<Result<Bytes, io::Error>>()),
            Some(fault @ (Fault::StallMidStream | Fault::CutMidStream)) => Body::from_stream(half_then(&bytes, fault)),
            _ => Body::from(bytes),
        },
    }
}

/// Sends half of the bytes, then stands still or breaks.
fn half_then(bytes: &Bytes, fault: Fault) -> impl Stream<Item = Result<Bytes, io::Error>> + use<> {
    let half = bytes.slice(..bytes.len() / 2);
    stream::unfold(Some(half), move |half| async move {
        match half {
            Some(half) => Some((Ok(half), None)),
            None => Some((Err(stall_or_cut(fault).await), None)),
        }
    })
}

async fn stall_or_cut(fault: Fault) -> io::Error {
    if fault == Fault::StallMidStream {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(BEFORE_CUT).await;
    io::Error::from(io::ErrorKind::ConnectionReset)
}

/// Sends events, and looks before each of them what shall go wrong by now.
fn faulty_events(
    shared: Arc<Shared>,
    service: Service,
    events: Vec<Bytes>,
) -> impl Stream<Item = Result<Bytes, io::Error>> {
    let last = events.len().saturating_sub(1);
    let start = (events.into_iter(), 0_usize);
    stream::unfold(start, move |(mut events, sent)| {
        let behaviour = shared.behaviour(service);
        async move {
            let event = events.next();
            if sent < behaviour.after_items.min(last) {
                return event.map(|event| (Ok(event), (events, sent + 1)));
            }
            let end = (Vec::new().into_iter(), 0);
            match (behaviour.fault, event) {
                (Some(fault @ (Fault::StallMidStream | Fault::CutMidStream)), _) => {
                    Some((Err(stall_or_cut(fault).await), end))
                }
                (Some(Fault::ErrorInStream), Some(_)) => {
                    let message = "The server had an error while processing your request.";
                    let error = openai_error(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message);
                    Some((Ok(Bytes::from(format!("data: {}\n\n", json!({"error": error})))), end))
                }
                (Some(Fault::TruncatedJson), Some(event)) => {
                    let mut half = event.slice(..event.len() / 2).to_vec();
                    half.extend_from_slice(b"\n\n");
                    Some((Ok(Bytes::from(half)), end))
                }
                (_, event) => event.map(|event| (Ok(event), (events, sent + 1))),
            }
        }
    })
}

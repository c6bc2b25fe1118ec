//! Around every request: what goes wrong on purpose, and what is written down.

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use telephony::Params;
use units::Pii;

use super::{Api, Scissors, problem};
use crate::rest::{Asked, RestCall, RestFault};

/// The longest body that is read, in bytes.
const LONGEST_BODY: usize = 1024 * 1024;

/// Lets a request go wrong if a test says so, and writes it down.
pub(super) async fn watch(
    State(api): State<Api>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LONGEST_BODY).await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, 20_001, "the body is too long");
    };
    let fault = kind_of(&parts.method, parts.uri.path()).and_then(|kind| api.take_fault(kind));
    let mut asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        form: Pii::new(Params::parse(&body).unwrap_or_default()),
        signed_in: api.signed_in(&parts.headers),
        fault,
        status: None,
    };
    let request = Request::from_parts(parts, Body::from(body));
    let response = match fault {
        None => next.run(request).await,
        Some(RestFault::TooManyRequests { retry_after_s }) => too_many(retry_after_s),
        Some(RestFault::Fails { status, done }) => {
            if done {
                drop(next.run(request).await);
            }
            fails(status)
        }
        Some(RestFault::Html) => {
            ([(CONTENT_TYPE, "text/html")], "<!doctype html><title>Log in</title>").into_response()
        }
        Some(RestFault::CutAfter | RestFault::CutBefore) => {
            if fault == Some(RestFault::CutAfter) {
                drop(next.run(request).await);
            }
            scissors.cut();
            api.note_asked(asked);
            return StatusCode::OK.into_response();
        }
        Some(RestFault::Silent) => {
            api.note_asked(asked);
            api.shared.stopping.cancelled().await;
            scissors.cut();
            return StatusCode::OK.into_response();
        }
    };
    asked.status = Some(response.status().as_u16());
    api.note_asked(asked);
    response
}

fn too_many(retry_after_s: Option<u32>) -> Response {
    let mut response = problem(StatusCode::TOO_MANY_REQUESTS, 20_429, "too many requests");
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn fails(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    problem(status, if status == StatusCode::SERVICE_UNAVAILABLE { 20_503 } else { 20_500 }, "something went wrong")
}

/// Returns what kind of request this is.
fn kind_of(method: &Method, path: &str) -> Option<RestCall> {
    let mut parts = path.trim_start_matches("/2010-04-01/Accounts/").split('/').skip(1);
    let (what, has_name, has_more) = (parts.next()?, parts.next().is_some(), parts.next().is_some());
    match (what, has_name, has_more, method == Method::DELETE) {
        ("Calls.json", ..) => Some(RestCall::CreateCall),
        ("Calls", true, ..) => Some(RestCall::UpdateCall),
        ("Recordings", true, _, false) => Some(RestCall::FetchRecording),
        ("Recordings", true, _, true) => Some(RestCall::DeleteRecording),
        ("Messages.json", ..) => Some(RestCall::SendMessage),
        ("Messages", true, true, false) => Some(RestCall::FetchMedia),
        ("Messages", true, true, true) => Some(RestCall::DeleteMedia),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::kind_of;
    use crate::rest::RestCall;

    #[test]
    fn each_request_is_known_by_method_and_path() {
        let kind = |method, rest: &str| kind_of(&method, &format!("/2010-04-01/Accounts/AC1/{rest}"));
        assert_eq!(kind(Method::POST, "Calls.json"), Some(RestCall::CreateCall));
        assert_eq!(kind(Method::POST, "Calls/CA1.json"), Some(RestCall::UpdateCall));
        assert_eq!(kind(Method::GET, "Recordings/RE1.wav"), Some(RestCall::FetchRecording));
        assert_eq!(kind(Method::DELETE, "Recordings/RE1.json"), Some(RestCall::DeleteRecording));
        assert_eq!(kind(Method::POST, "Messages.json"), Some(RestCall::SendMessage));
        assert_eq!(kind(Method::GET, "Messages/MM1/Media/ME1"), Some(RestCall::FetchMedia));
        assert_eq!(kind(Method::DELETE, "Messages/MM1/Media/ME1"), Some(RestCall::DeleteMedia));
        assert_eq!(kind(Method::GET, "Balance.json"), None);
    }
}

//! Each fault is what it claims to be.

use std::time::Duration;

use fakes::{Behaviour, Cloud, Fault, Service};
use http::StatusCode;
use reqwest::Response;
use tokio::time::timeout;

use crate::support::{SILENCE, ask, config, events};

async fn with(service: Service, fault: Fault) -> Response {
    with_behaviour(service, Behaviour::faulty(fault)).await.1
}

async fn with_behaviour(service: Service, behaviour: Behaviour) -> (Cloud, Response) {
    let cloud = Cloud::start(config()).await.unwrap();
    cloud.set(service, behaviour);
    let response = ask(&cloud, service).await.unwrap();
    (cloud, response)
}

/// Returns what comes of a body before it stands still or breaks, and whether it broke.
async fn until_it_ends(mut response: Response) -> (String, Option<bool>) {
    let mut body = Vec::new();
    loop {
        match timeout(SILENCE, response.chunk()).await {
            Err(_elapsed) => return (String::from_utf8(body).unwrap(), None),
            Ok(Err(_broken)) => return (String::from_utf8(body).unwrap(), Some(true)),
            Ok(Ok(None)) => return (String::from_utf8(body).unwrap(), Some(false)),
            Ok(Ok(Some(piece))) => body.extend_from_slice(&piece),
        }
    }
}

#[tokio::test]
async fn statuses_are_the_providers() {
    let expected = [
        (Fault::Unauthorized, 401, "invalid_api_key", "UNAUTHENTICATED"),
        (Fault::Forbidden, 403, "unsupported_country_region_territory", "PERMISSION_DENIED"),
        (Fault::TooMany { retry_after: None }, 429, "rate_limit_exceeded", "RESOURCE_EXHAUSTED"),
        (Fault::Internal, 500, "internal_error", "INTERNAL"),
        (Fault::Unavailable, 503, "overloaded", "UNAVAILABLE"),
    ];
    let cloud = Cloud::start(config()).await.unwrap();
    for (fault, status, openai, google) in expected {
        for service in Service::ALL {
            cloud.set(service, Behaviour::faulty(fault));
            let response = ask(&cloud, service).await.unwrap();
            assert_eq!(response.status().as_u16(), status);
            let body = crate::support::json_of(response).await;
            let reason = if service.is_google() { "/error/status" } else { "/error/code" };
            let expected = if service.is_google() { google } else { openai };
            assert_eq!(body.pointer(reason).unwrap(), expected, "{service:?}");
        }
    }
}

#[tokio::test]
async fn too_many_says_when_to_come_again() {
    let wait = Some(Duration::from_millis(1_200));
    let response = with(Service::Chat, Fault::TooMany { retry_after: wait }).await;
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(response.headers()["retry-after-ms"], "1200");
}

#[tokio::test]
async fn a_portal_answers_instead() {
    let response = with(Service::Models, Fault::Html).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let response = with(Service::GoogleSpeak, Fault::Redirect).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(response.headers()["location"], "http://portal.invalid/login");
}

#[tokio::test]
async fn the_first_byte_is_slow() {
    let cloud = Cloud::start(config()).await.unwrap();
    cloud.set(Service::Chat, Behaviour::faulty(Fault::SlowFirstByte));
    assert!(timeout(SILENCE, ask(&cloud, Service::Chat)).await.is_err());
    cloud.set(Service::Chat, Behaviour::slow(Duration::from_millis(50)));
    let asked = std::time::Instant::now();
    assert!(ask(&cloud, Service::Chat).await.unwrap().status().is_success());
    assert!(asked.elapsed() >= Duration::from_millis(50));
    assert_eq!(cloud.requests(Service::Chat), 2);
}

#[tokio::test]
async fn bodies_stall_before_their_first_byte() {
    for service in Service::ALL {
        let (_cloud, response) = with_behaviour(service, Behaviour::faulty(Fault::StallAfterHeaders)).await;
        assert_eq!(until_it_ends(response).await, (String::new(), None), "{service:?}");
    }
}

#[tokio::test]
async fn streams_stall_and_break_after_so_many_events() {
    for (fault, broke) in [(Fault::StallMidStream, None), (Fault::CutMidStream, Some(true))] {
        let behaviour = Behaviour { after_items: 2, ..Behaviour::faulty(fault) };
        let (_cloud, response) = with_behaviour(Service::Chat, behaviour).await;
        let (body, ended) = until_it_ends(response).await;
        assert_eq!((events(&body).len(), ended), (2, broke), "{fault:?}");
    }
}

#[tokio::test]
async fn streams_break_before_their_last_event_at_the_latest() {
    let behaviour = Behaviour { after_items: 1_000, ..Behaviour::faulty(Fault::CutMidStream) };
    let (_cloud, response) = with_behaviour(Service::Chat, behaviour).await;
    let (body, ended) = until_it_ends(response).await;
    assert_eq!(ended, Some(true));
    assert!(!body.contains("[DONE]"));
}

#[tokio::test]
async fn other_bodies_stall_and_break_in_their_middle() {
    for (fault, broke) in [(Fault::StallMidStream, None), (Fault::CutMidStream, Some(true))] {
        let (_cloud, whole) = with_behaviour(Service::Models, Behaviour::default()).await;
        let whole = whole.text().await.unwrap();
        let (_cloud, response) = with_behaviour(Service::Models, Behaviour::faulty(fault)).await;
        let (body, ended) = until_it_ends(response).await;
        assert_eq!((body.as_str(), ended), (&whole[..whole.len() / 2], broke), "{fault:?}");
    }
}

#[tokio::test]
async fn json_is_truncated_in_a_complete_answer() {
    for service in [Service::Models, Service::GoogleSpeak, Service::GoogleHear, Service::Chat, Service::Transcribe] {
        let (_cloud, response) = with_behaviour(service, Behaviour::faulty(Fault::TruncatedJson)).await;
        let (body, ended) = until_it_ends(response).await;
        assert_eq!(ended, Some(false));
        let json = body.trim_end();
        let json = json.strip_prefix("data: ").unwrap_or(json);
        assert!(serde_json::from_str::<serde_json::Value>(json).is_err_and(|error| error.is_eof()), "{service:?}");
    }
}

#[tokio::test]
async fn the_content_type_is_wrong_and_the_body_right() {
    let response = with(Service::Models, Fault::WrongContentType).await;
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert!(response.text().await.unwrap().contains("whisper-1"));
}

#[tokio::test]
async fn content_is_filtered() {
    let (_cloud, response) = with_behaviour(Service::Chat, Behaviour::faulty(Fault::Filtered)).await;
    assert!(until_it_ends(response).await.0.contains("\"finish_reason\":\"content_filter\""));
    let response = with(Service::Speech, Fault::Filtered).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_error_comes_among_the_events() {
    for service in [Service::Chat, Service::Transcribe] {
        let behaviour = Behaviour { after_items: 1, ..Behaviour::faulty(Fault::ErrorInStream) };
        let (_cloud, response) = with_behaviour(service, behaviour).await;
        let (body, ended) = until_it_ends(response).await;
        assert_eq!(ended, Some(false));
        let events = events(&body);
        assert_eq!(events.len(), 2);
        assert!(events[1].starts_with("{\"error\":"), "{service:?}");
    }
}

#[tokio::test]
async fn stopping_breaks_connections_and_refuses_new_ones() {
    let (cloud, response) = with_behaviour(Service::Chat, Behaviour::faulty(Fault::StallMidStream)).await;
    let again = crate::support::request(&cloud, Service::Chat);
    cloud.stop().await;
    assert_eq!(until_it_ends(response).await.1, Some(true));
    assert!(again.send().await.unwrap_err().is_connect());
}

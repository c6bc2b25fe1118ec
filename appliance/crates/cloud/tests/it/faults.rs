//! Each fault of each service is recognized for what it is.

use std::time::{Duration, Instant};

use cloud::CloudError;
use fakes::{Behaviour, Cloud, Fault, Service};
use tokio::time::timeout;
use weather::FailureKind;

use crate::support::{SILENCE, USED, ask, start};

/// Returns the kind of failure that a fault makes of a service.
async fn kind(cloud: &Cloud, service: Service, behaviour: Behaviour) -> FailureKind {
    cloud.set(service, behaviour);
    ask(cloud, service).await.1.unwrap_err().failure().kind
}

#[tokio::test]
async fn without_faults_everything_works() {
    let cloud = start().await;
    for service in USED {
        ask(&cloud, service).await.1.unwrap();
        assert_eq!(cloud.requests(service), 1);
    }
}

#[tokio::test]
async fn statuses_mean_the_same_everywhere() {
    let cloud = start().await;
    let expected = [
        (Fault::Unauthorized, FailureKind::Unauthorized),
        (Fault::Forbidden, FailureKind::Forbidden),
        (Fault::TooMany { retry_after: None }, FailureKind::RateLimited),
        (Fault::Internal, FailureKind::Server),
        (Fault::Unavailable, FailureKind::Server),
        (Fault::Redirect, FailureKind::Intercepted),
        (Fault::Html, FailureKind::Intercepted),
        (Fault::WrongContentType, FailureKind::Intercepted),
        (Fault::CutMidStream, FailureKind::Cut),
        (Fault::ErrorInStream, FailureKind::Server),
    ];
    for (fault, expected) in expected {
        for service in USED {
            assert_eq!(kind(&cloud, service, Behaviour::faulty(fault)).await, expected, "{service:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn json_that_is_not_whole_is_malformed() {
    let cloud = start().await;
    for service in USED {
        let kind = kind(&cloud, service, Behaviour::faulty(Fault::TruncatedJson)).await;
        let expected = if service == Service::Speech { FailureKind::Intercepted } else { FailureKind::Malformed };
        assert_eq!(kind, expected, "{service:?}");
    }
}

#[tokio::test]
async fn filters_are_told_from_mistakes() {
    let cloud = start().await;
    for service in [Service::Transcribe, Service::Chat, Service::Speech] {
        let kind = kind(&cloud, service, Behaviour::faulty(Fault::Filtered)).await;
        assert_eq!(kind, FailureKind::Filtered, "{service:?}");
    }
}

#[tokio::test]
async fn how_long_to_stay_away_is_passed_on() {
    let cloud = start().await;
    let wait = Duration::from_millis(1_200);
    for (service, expected) in [(Service::Chat, wait), (Service::GoogleSpeak, Duration::from_secs(2))] {
        cloud.set(service, Behaviour::faulty(Fault::TooMany { retry_after: Some(wait) }));
        let failure = ask(&cloud, service).await.1.unwrap_err().failure();
        assert_eq!((failure.kind, failure.retry_after), (FailureKind::RateLimited, Some(expected)));
    }
}

#[tokio::test]
async fn stalls_last_until_the_future_is_dropped() {
    for fault in [Fault::SlowFirstByte, Fault::StallAfterHeaders, Fault::StallMidStream] {
        let cloud = start().await;
        for service in USED {
            cloud.set(service, Behaviour::faulty(fault));
        }
        let started = Instant::now();
        let stalled = USED.map(|service| async move { (service, fault) });
        let waits = stalled.map(|stalled| async {
            let (service, fault) = stalled.await;
            assert!(timeout(SILENCE, ask(&cloud, service)).await.is_err(), "{service:?} {fault:?}");
        });
        futures_util::future::join_all(waits).await;
        assert!(started.elapsed() >= SILENCE);
        // What was dropped is behind us: the same service works at once.
        cloud.set(Service::Chat, Behaviour::default());
        ask(&cloud, Service::Chat).await.1.unwrap();
    }
}

#[tokio::test]
async fn what_came_before_a_break_was_handed_over() {
    let cloud = start().await;
    for (service, expected) in [(Service::Chat, "I "), (Service::Transcribe, "אני רוצה ")] {
        for fault in [Fault::CutMidStream, Fault::ErrorInStream, Fault::TruncatedJson] {
            cloud.set(service, Behaviour { after_items: 2, ..Behaviour::faulty(fault) });
            let (text, result) = ask(&cloud, service).await;
            assert!(result.is_err());
            assert_eq!(text, expected, "{service:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_reply_is_whole_when_only_its_usage_is_missing() {
    let cloud = start().await;
    // Role, two words and the end; then usage.
    for fault in [Fault::CutMidStream, Fault::StallMidStream] {
        cloud.set(Service::Chat, Behaviour { after_items: 4, ..Behaviour::faulty(fault) });
        let (text, result) = ask(&cloud, Service::Chat).await;
        result.unwrap();
        assert_eq!(text, "I see.");
    }
}

#[tokio::test]
async fn a_provider_that_stops_is_cut_and_then_refuses() {
    let cloud = start().await;
    cloud.set(Service::Chat, Behaviour::faulty(Fault::StallMidStream));
    let gone = crate::support::settings(&cloud);
    let (asked, ()) = tokio::join!(ask(&cloud, Service::Chat), async {
        while cloud.requests(Service::Chat) == 0 {
            tokio::task::yield_now().await;
        }
        cloud.kill();
    });
    assert_eq!(asked.1.unwrap_err().failure().kind, FailureKind::Cut);
    cloud.stop().await;
    let error = cloud::openai::probe(&crate::support::client(), &gone).await.unwrap_err();
    assert_eq!(error.failure().kind, FailureKind::Refused);
    assert!(matches!(error, CloudError::Connection { .. }));
}

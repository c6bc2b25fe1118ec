//! Places without a provider.

use cloud::openai::{Settings, probe};
use cloud::{Http, http_trusting};
use fakes::{BadPlace, Nowhere};
use tokio::time::timeout;
use weather::FailureKind;

use crate::support::{SILENCE, client};

async fn kind(http: &Http, url: String) -> FailureKind {
    probe(http, &Settings { base_url: url, key: None }).await.unwrap_err().failure().kind
}

#[tokio::test]
async fn each_place_has_its_own_failure() {
    let places = [
        (BadPlace::Refused, FailureKind::Refused),
        (BadPlace::DnsFailure, FailureKind::Resolve),
        (BadPlace::TlsFailure, FailureKind::Tls),
    ];
    for (place, expected) in places {
        let nowhere = Nowhere::start(place).await.unwrap();
        assert_eq!(kind(&client(), nowhere.url()).await, expected, "{place:?}");
    }
}

#[tokio::test]
async fn certificates_out_of_their_time_blame_the_clock() {
    for place in [BadPlace::TlsExpired, BadPlace::TlsNotYetValid] {
        let nowhere = Nowhere::start(place).await.unwrap();
        let http = http_trusting(&[nowhere.certificate().unwrap()]).unwrap();
        assert_eq!(kind(&http, nowhere.url()).await, FailureKind::Clock, "{place:?}");
    }
}

#[tokio::test]
async fn an_address_without_a_route_is_unroutable() {
    // 240.0.0.0/4 is reserved (RFC 1112); Linux does not send to it.
    let kind = kind(&client(), "http://255.255.255.255:9/v1".to_owned()).await;
    assert!(matches!(kind, FailureKind::Unroutable), "{kind:?}");
}

#[tokio::test]
async fn connecting_to_the_black_hole_is_given_up() {
    let nowhere = Nowhere::start(BadPlace::BlackHole).await.unwrap();
    assert!(timeout(SILENCE, kind(&client(), nowhere.url())).await.is_err(), "nothing is known so early");
    assert_eq!(kind(&client(), nowhere.url()).await, FailureKind::TimedOut);
}

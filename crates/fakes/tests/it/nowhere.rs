//! Places without a server.

use std::time::{Duration, Instant};

use fakes::{BadPlace, Nowhere};

use crate::support::{client, client_with};

/// Returns the whole chain of what went wrong.
async fn failure(client: &reqwest::Client, nowhere: &Nowhere) -> (reqwest::Error, String) {
    let error = client.get(nowhere.url()).send().await.unwrap_err();
    let chain = format!("{error:?}");
    (error, chain)
}

#[tokio::test]
async fn the_port_refuses() {
    let nowhere = Nowhere::start(BadPlace::Refused).await.unwrap();
    for _ in 0..3 {
        let (error, chain) = failure(&client(), &nowhere).await;
        assert!(error.is_connect() && chain.contains("ConnectionRefused"), "{chain}");
    }
}

#[tokio::test]
async fn the_name_does_not_exist() {
    let nowhere = Nowhere::start(BadPlace::DnsFailure).await.unwrap();
    let (error, chain) = failure(&client(), &nowhere).await;
    assert!(error.is_connect() && chain.contains("dns error"), "{chain}");
}

#[tokio::test]
async fn certificates_are_bad_for_their_own_reasons() {
    let nowhere = Nowhere::start(BadPlace::TlsFailure).await.unwrap();
    let (_, chain) = failure(&client(), &nowhere).await;
    assert!(chain.contains("UnknownIssuer") || chain.contains("CaUsedAsEndEntity"), "{chain}");
    for (place, reason) in [(BadPlace::TlsExpired, "Expired"), (BadPlace::TlsNotYetValid, "NotValidYet")] {
        let nowhere = Nowhere::start(place).await.unwrap();
        let certificate = reqwest::Certificate::from_der(nowhere.certificate().unwrap()).unwrap();
        let client = client_with(|builder| builder.tls_certs_only([certificate]));
        let (_, chain) = failure(&client, &nowhere).await;
        assert!(chain.contains(reason), "{chain}");
    }
}

#[tokio::test]
async fn connecting_to_the_black_hole_never_ends() {
    let nowhere = Nowhere::start(BadPlace::BlackHole).await.unwrap();
    let wait = Duration::from_millis(300);
    for _ in 0..3 {
        let client = client_with(|builder| builder.connect_timeout(wait).timeout(2 * wait));
        let started = Instant::now();
        let (error, chain) = failure(&client, &nowhere).await;
        assert!(error.is_timeout() && started.elapsed() >= wait, "{chain}");
    }
}

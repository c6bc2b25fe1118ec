//! Mosquitto keeps the same rules, by the files of the example.

use std::collections::BTreeSet;
use std::fs;

use protocol::{DEVICE_PUBLISHES, DEVICE_SUBSCRIBES};

use super::client::{Client, Connect};
use super::mosquitto::Mosquitto;
use super::{example, rules, topic};

/// Asks rules of a Mosquitto of its own each.
macro_rules! keeps {
    ($($rule:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $rule() {
            let mosquitto = Mosquitto::start();
            rules::$rule(&mosquitto.place).await;
        }
    )*};
}

keeps!(
    a_device_and_the_gateway_reach_each_other,
    a_device_cannot_publish_for_another,
    a_device_hears_nothing_of_another,
    a_device_cannot_take_over_the_session_of_another,
    a_device_cannot_leave_a_will_for_another,
    strangers_are_refused,
    a_will_waits_and_is_forgotten_when_the_device_is_back,
    workers_share,
    documents_are_kept,
);

#[tokio::test]
async fn a_device_named_like_the_gateways_user_has_no_more_than_any_other() {
    let mosquitto = Mosquitto::start();
    let place = &mosquitto.place;
    let device = place.device(&place.worker_username).await;
    assert!(device.publish(&topic("box-b", "ack/calls"), "forged").await.is_err());
    device.publish(&topic(&place.worker_username, "up/calls"), "own").await.unwrap();
}

#[tokio::test]
async fn two_workers_of_one_user_are_two_clients() {
    let mosquitto = Mosquitto::start();
    let place = &mosquitto.place;
    let first = place.worker("w0").await;
    let _second = place.worker("w1").await;
    first.publish(&topic("box-a", "ack/calls"), "still here").await.unwrap();
}

#[tokio::test]
async fn a_certificate_with_a_wildcard_for_a_name_opens_nothing() {
    let mosquitto = Mosquitto::start();
    let place = &mosquitto.place;
    let other = place.device("box-b").await;
    for name in ["+", "#"] {
        let identity = place.authority.device(name);
        let connect = Connect::new("box-a").tls(place.device_port, &place.authority, Some(&identity));
        let Ok(mut device) = Client::connect(connect).await else { continue };
        assert!(device.publish(&topic("box-b", "up/calls"), "forged").await.is_err(), "{name}");
        let _either = device.subscribe("kolbox/v1/+/ack/+").await;
        let worker = place.worker("w").await;
        worker.publish(&topic("box-b", "ack/calls"), "of b").await.unwrap();
        // Whatever was on its way to the stranger comes before the broker's goodbye to it.
        let again = Connect::new("box-a").tls(place.device_port, &place.authority, Some(&identity));
        let _again = Client::connect(again).await.unwrap();
        device.end().await;
        assert_eq!(device.left(), 0, "{name} was sent what is of another");
    }
    other.disconnect().await;
}

#[test]
fn the_examples_lists_are_the_protocols() {
    let rules = |file: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(example(file)).unwrap();
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    };
    let writes = DEVICE_PUBLISHES.map(|below| format!("pattern write kolbox/v1/%u/{below}"));
    let reads = DEVICE_SUBSCRIBES.map(|below| format!("pattern read kolbox/v1/%u/{below}"));
    assert_eq!(rules("mosquitto-postgres/devices.acl"), writes.into_iter().chain(reads).collect());

    let told = DEVICE_SUBSCRIBES.map(|below| format!("topic write kolbox/v1/+/{below}"));
    let kept = ["presence", "state/reported", "cmd/+/status"].map(|below| format!("topic write kolbox/v1/+/{below}"));
    let reads = ["user gateway".to_owned(), "topic read kolbox/v1/#".to_owned()];
    assert_eq!(rules("mosquitto-postgres/workers.acl"), told.into_iter().chain(kept).chain(reads).collect());
}

//! What must hold of any broker.
//!
//! That something does not arrive is shown by what does: a message that the broker took later, and that must be the
//! first to come.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::authority::Authority;
use super::client::{Client, Connect};
use super::{Place, topic};

/// What devices publish.
const OWNED: [&str; 4] = ["up/calls", "presence", "state/reported", "cmd/c1/status"];

/// What devices are told.
const TOLD: [&str; 3] = ["ack/calls", "state/desired", "cmd/c1/request"];

/// A device and the gateway reach each other.
pub(super) async fn a_device_and_the_gateway_reach_each_other(place: &Place) {
    let (mut device, mut worker) = (place.device("box-a").await, place.worker("w").await);
    worker.subscribe("$share/ingest/kolbox/v1/+/up/+").await.unwrap();
    for below in ["presence", "state/reported", "cmd/+/status"] {
        worker.subscribe(&topic("+", below)).await.unwrap();
    }
    for below in OWNED {
        device.publish(&topic("box-a", below), "from the device").await.unwrap();
        assert_eq!(worker.next().await, (topic("box-a", below), "from the device".to_owned()));
    }
    for below in ["ack/+", "state/desired", "cmd/+/request"] {
        device.subscribe(&topic("box-a", below)).await.unwrap();
    }
    for below in TOLD {
        worker.publish(&topic("box-a", below), "from the gateway").await.unwrap();
        assert_eq!(device.next().await, (topic("box-a", below), "from the gateway".to_owned()));
    }
}

/// What a device publishes for another is refused and reaches nobody.
pub(super) async fn a_device_cannot_publish_for_another(place: &Place) {
    let (device, mut worker) = (place.device("box-a").await, place.worker("w").await);
    let mut other = place.device("box-b").await;
    worker.subscribe("kolbox/v1/#").await.unwrap();
    for below in ["ack/+", "state/desired", "cmd/+/request"] {
        other.subscribe(&topic("box-b", below)).await.unwrap();
    }
    for below in OWNED.iter().chain(&TOLD) {
        for name in ["box-b", "box-", "box-a-b", "gateway"] {
            let told = device.publish(&topic(name, below), "forged").await;
            assert!(told.is_err(), "{name}/{below} was taken");
            let told = device.retain(&topic(name, below), "forged").await;
            assert!(told.is_err(), "{name}/{below} was kept");
        }
    }
    for below in TOLD {
        assert!(device.publish(&topic("box-a", below), "forged").await.is_err(), "{below} is the gateway's");
    }
    device.publish(&topic("box-a", "up/calls"), "own").await.unwrap();
    assert_eq!(worker.next().await, (topic("box-a", "up/calls"), "own".to_owned()));
    worker.publish(&topic("box-b", "ack/calls"), "true").await.unwrap();
    assert_eq!(other.next().await, (topic("box-b", "ack/calls"), "true".to_owned()));
}

/// Whatever a device subscribes to, nothing of another's comes, retained or live.
pub(super) async fn a_device_hears_nothing_of_another(place: &Place) {
    let worker = place.worker("w").await;
    let other = place.device("box-b").await;
    worker.retain(&topic("box-b", "ack/calls"), "of b").await.unwrap();
    worker.retain(&topic("box-b", "state/desired"), "of b").await.unwrap();
    other.retain(&topic("box-b", "presence"), "of b").await.unwrap();

    let mut device = place.device("box-a").await;
    let of_all = TOLD.iter().chain(&OWNED).flat_map(|below| [topic("box-b", below), topic("+", below)]);
    let wide = ["#", "+/#", "kolbox/#", "kolbox/v1/#", "kolbox/v1/+/#", "kolbox/v1/box-b/#", "+/+/+/+/+", "+/+/+/+"];
    let shared = ["$share/ingest/kolbox/v1/+/up/+", "$share/g/#", "$share/g/kolbox/v1/box-b/ack/+"];
    for filter in of_all.chain(wide.iter().chain(&shared).map(|filter| (*filter).to_owned())) {
        // Refused by the embedded broker, empty on Mosquitto: both are as good.
        let _either = device.subscribe(&filter).await;
    }
    device.subscribe(&topic("box-a", "ack/+")).await.unwrap();

    for below in TOLD {
        worker.publish(&topic("box-b", below), "of b").await.unwrap();
    }
    for below in OWNED {
        other.publish(&topic("box-b", below), "of b").await.unwrap();
    }
    worker.publish(&topic("box-a", "ack/calls"), "of a").await.unwrap();
    assert_eq!(device.next().await, (topic("box-a", "ack/calls"), "of a".to_owned()));
}

/// Under another's client id a device gets neither that one's session nor its messages, and does not disturb it.
pub(super) async fn a_device_cannot_take_over_the_session_of_another(place: &Place) {
    let worker = place.worker("w").await;
    let other = place.device_as("box-b", Connect::new("box-b").persistent(60)).await;
    other.subscribe(&topic("box-b", "ack/+")).await.unwrap();
    other.disconnect().await;
    worker.publish(&topic("box-b", "ack/calls"), "of b").await.unwrap();

    let own = place.authority.device("box-a");
    let thief = Connect::new("box-b").persistent(60).tls(place.device_port, &place.authority, Some(&own));
    // Refused by the embedded broker; Mosquitto gives it a session of its own.
    if let Ok(mut thief) = Client::connect(thief).await {
        assert!(!thief.session_present(), "another's session was given away");
        thief.subscribe(&topic("box-a", "ack/+")).await.unwrap();
        worker.publish(&topic("box-a", "ack/calls"), "of a").await.unwrap();
        assert_eq!(thief.next().await, (topic("box-a", "ack/calls"), "of a".to_owned()));
    }

    let mut other = place.device_as("box-b", Connect::new("box-b").persistent(60)).await;
    assert!(other.session_present(), "the session was disturbed");
    assert_eq!(other.next().await, (topic("box-b", "ack/calls"), "of b".to_owned()));
}

/// A will for another's topic is never published.
pub(super) async fn a_device_cannot_leave_a_will_for_another(place: &Place) {
    let mut worker = place.worker("w").await;
    worker.subscribe("kolbox/v1/#").await.unwrap();
    let identity = place.authority.device("box-a");
    let forger = Connect::new("box-a").will(&topic("box-b", "presence"), "forged", 0).tls(
        place.device_port,
        &place.authority,
        Some(&identity),
    );
    // Mosquitto refuses the connection, the embedded broker the will.
    drop(Client::connect(forger).await);
    // The forger's connection under the same id is gone for good once a second one is served.
    let again = place.device("box-a").await;
    again.publish(&topic("box-a", "up/calls"), "own").await.unwrap();
    assert_eq!(worker.next().await, (topic("box-a", "up/calls"), "own".to_owned()));
}

/// Only a certificate of the devices' authority, in its time, gets in.
pub(super) async fn strangers_are_refused(place: &Place) {
    let stranger = Authority::new();
    let (of_stranger, expired) = (stranger.device("box-a"), place.authority.expired("box-a"));
    for (identity, who) in
        [(None, "no certificate"), (Some(&of_stranger), "a wrong authority"), (Some(&expired), "expired")]
    {
        let connect = Connect::new("box-a").tls(place.device_port, &place.authority, identity);
        assert!(Client::connect(connect).await.is_err(), "{who} got in");
    }
    // A server's certificate is of the same authority, and no client's.
    let server = place.authority.server();
    let connect = Connect::new("broker.example").tls(place.device_port, &place.authority, Some(&server));
    assert!(Client::connect(connect).await.is_err(), "a server got in as a device");
    // The device, in turn, refuses a broker of another authority.
    let own = place.authority.device("box-a");
    let connect = Connect::new("box-a").tls(place.device_port, &stranger, Some(&own));
    assert!(Client::connect(connect).await.is_err(), "a device trusted a strange broker");
    // The workers' door is closed to those without the password, and to a device that names itself.
    for (username, password) in
        [(place.worker_username.as_str(), "wrong"), ("box-a", ""), ("box-a", &place.worker_password)]
    {
        let connect = Connect::new("gateway.w").plain(place.worker_port).credentials(username, password);
        assert!(Client::connect(connect).await.is_err(), "{username} got in by the workers' door");
    }
    assert!(Client::connect(Connect::new("gateway.w").plain(place.worker_port)).await.is_err(), "nobody got in");
    place.device("box-a").await;
}

/// A will waits for its delay, and is forgotten when the device is back in time.
pub(super) async fn a_will_waits_and_is_forgotten_when_the_device_is_back(place: &Place) {
    const DELAY_S: u32 = 2;
    let mut worker = place.worker("w").await;
    worker.subscribe(&topic("+", "presence")).await.unwrap();
    let with_will = |name: &str| Connect::new(name).persistent(60).will(&topic(name, "presence"), "gone", DELAY_S);

    let gone_and_back = place.device_as("box-a", with_will("box-a")).await;
    drop(gone_and_back);
    let back = place.device_as("box-a", with_will("box-a")).await;
    let gone = place.device_as("box-b", with_will("box-b")).await;
    let since = Instant::now();
    drop(gone);
    // The will of the one that came back would have been due first.
    assert_eq!(worker.next().await, (topic("box-b", "presence"), "gone".to_owned()));
    // Brokers count whole seconds.
    assert!(since.elapsed() > Duration::from_secs(u64::from(DELAY_S) - 1), "{:?}", since.elapsed());
    // A will is kept like any document.
    let mut late = place.worker("late").await;
    late.subscribe(&topic("+", "presence")).await.unwrap();
    let kept = late.next_publish().await;
    assert!(kept.retain && &*kept.payload == b"gone");
    back.disconnect().await;
}

/// Workers that share a subscription get each message once between them, and each gets some.
pub(super) async fn workers_share(place: &Place) {
    const BATCHES: usize = 40;
    let mut workers = [place.worker("w0").await, place.worker("w1").await];
    for worker in &workers {
        worker.subscribe("$share/ingest/kolbox/v1/+/up/+").await.unwrap();
    }
    let device = place.device("box-a").await;
    for n in 0..BATCHES {
        device.publish(&topic("box-a", "up/calls"), &n.to_string()).await.unwrap();
    }
    let [one, two] = &mut workers;
    let (mut by_one, mut by_two) = (Vec::new(), Vec::new());
    while by_one.len() + by_two.len() < BATCHES {
        tokio::select! {
            (_, payload) = one.next() => by_one.push(payload),
            (_, payload) = two.next() => by_two.push(payload),
        }
    }
    assert!(!by_one.is_empty() && !by_two.is_empty(), "{} and {}", by_one.len(), by_two.len());
    let all: BTreeSet<String> = by_one.into_iter().chain(by_two).collect();
    assert_eq!(all.len(), BATCHES, "a batch came twice");
}

/// Retained documents are kept for those who come later, replaced, and cleared.
pub(super) async fn documents_are_kept(place: &Place) {
    let worker = place.worker("w").await;
    worker.retain(&topic("box-a", "state/desired"), "first").await.unwrap();
    worker.retain(&topic("box-a", "state/desired"), "second").await.unwrap();
    worker.retain(&topic("box-a", "cmd/c1/request"), "to be cleared").await.unwrap();
    worker.retain(&topic("box-a", "cmd/c1/request"), "").await.unwrap();
    let mut device = place.device("box-a").await;
    device.subscribe(&topic("box-a", "cmd/+/request")).await.unwrap();
    device.subscribe(&topic("box-a", "state/desired")).await.unwrap();
    let kept = device.next_publish().await;
    assert!(kept.retain, "a kept document says that it was kept");
    assert_eq!((&*kept.topic, &*kept.payload), (topic("box-a", "state/desired").as_bytes(), b"second".as_slice()));
}

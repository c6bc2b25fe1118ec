//! The embedded broker.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gateway::broker::{
    Broker, EmbeddedConfig, Listeners, MAX_CONNECTIONS_OF_DEVICE, MAX_KEEP_ALIVE_S, WORKER_USERNAME, WorkerCredential,
};
use protocol::limits::MAX_RECEIVED_LEN;
use rumqttc::{ConnectReturnCode, ConnectionError, PubAckReason, PublishOptions};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::authority::Authority;
use super::client::{Client, Connect, tls_config};
use super::{DEADLINE, Place, example, rules, topic};

/// CONNECT of MQTT 5, clean start, keep-alive 60 s, client id "box-a".
const CONNECT: &[u8] = b"\x10\x12\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x05box-a";

/// An embedded broker that runs.
struct Embedded {
    place: Place,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
    _files: TempDir,
}

/// What a test changes.
struct Settings {
    max_devices: usize,
    messages_per_second: u32,
    documents: Vec<(String, &'static str)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_devices: 16, messages_per_second: 500, documents: Vec::new() }
    }
}

impl Embedded {
    async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    async fn start_with(settings: Settings) -> Self {
        let (authority, files) = (Authority::new(), TempDir::new().unwrap());
        let mut config = config(files.path(), &authority);
        config.max_devices = settings.max_devices;
        config.messages_per_second = settings.messages_per_second;
        Self::start_from(&config, settings.documents, authority, files).await
    }

    async fn start_from(
        config: &EmbeddedConfig,
        documents: Vec<(String, &'static str)>,
        authority: Authority,
        files: TempDir,
    ) -> Self {
        let credential = WorkerCredential::new([7; 32]);
        let listeners = Listeners::bind(config).await.unwrap();
        let broker = Broker::build(config, listeners, credential.clone()).unwrap();
        for (topic, payload) in documents {
            assert!(broker.retain(&topic, payload.as_bytes().to_vec()).await, "{topic} is not the gateway's");
        }
        let place = Place {
            authority,
            device_port: broker.device_address().port(),
            worker_port: broker.worker_address().port(),
            worker_username: WORKER_USERNAME.to_owned(),
            worker_password: credential.password().to_owned(),
        };
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(broker.run(shutdown.clone()));
        Self { place, shutdown, running, _files: files }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(DEADLINE, self.running).await.expect("an end").unwrap();
    }
}

/// Writes the files of a broker and returns its configuration, on free ports.
fn config(files: &Path, authority: &Authority) -> EmbeddedConfig {
    let server = authority.server();
    fs::write(files.join("server.pem"), server.certificate).unwrap();
    fs::write(files.join("server.key"), server.key).unwrap();
    fs::write(files.join("authority.pem"), authority.pem()).unwrap();
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    EmbeddedConfig {
        listen: free,
        worker_listen: free,
        certificate: files.join("server.pem"),
        key: files.join("server.key"),
        device_authority: files.join("authority.pem"),
        max_devices: 16,
        session_expiry: Duration::from_mins(10),
        messages_per_second: 500,
    }
}

/// Asks rules of a broker of its own each.
macro_rules! keeps {
    ($($rule:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $rule() {
            let embedded = Embedded::start().await;
            rules::$rule(&embedded.place).await;
            embedded.stop().await;
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
async fn a_filter_of_another_device_is_refused_and_not_only_empty() {
    let embedded = Embedded::start().await;
    let device = embedded.place.device("box-a").await;
    for filter in
        ["#", "kolbox/v1/#", "kolbox/v1/box-b/ack/+", "kolbox/v1/+/ack/calls", "$share/g/kolbox/v1/box-a/ack/+"]
    {
        assert!(device.subscribe(filter).await.is_err(), "{filter} was granted");
    }
    embedded.stop().await;
}

#[tokio::test]
async fn a_client_id_that_is_not_the_certificates_is_refused_with_the_reason() {
    let embedded = Embedded::start().await;
    let place = &embedded.place;
    let own = place.authority.device("box-a");
    for client_id in ["box-b", "gateway.w", "box-a.2"] {
        let connect = Connect::new(client_id).tls(place.device_port, &place.authority, Some(&own));
        assert_eq!(refusal(connect).await, ConnectReturnCode::ClientIdentifierNotValid, "{client_id}");
    }
    let connect =
        Connect::new("box-a").plain(place.worker_port).credentials(&place.worker_username, &place.worker_password);
    assert_eq!(refusal(connect).await, ConnectReturnCode::ClientIdentifierNotValid, "a worker as a device");
    embedded.stop().await;
}

#[tokio::test]
async fn a_certificate_that_names_no_device_is_refused() {
    let embedded = Embedded::start().await;
    let place = &embedded.place;
    for name in ["Box-A", "gateway.worker", "box a", "kolbox/v1", "+", "#", "-box"] {
        let identity = place.authority.device(name);
        let connect = Connect::new(name).tls(place.device_port, &place.authority, Some(&identity));
        assert!(Client::connect(connect).await.is_err(), "{name} got in");
    }
    let nameless = place.authority.nameless();
    let connect = Connect::new("box-a").tls(place.device_port, &place.authority, Some(&nameless));
    assert!(Client::connect(connect).await.is_err(), "one without a name got in");
    embedded.stop().await;
}

#[tokio::test]
async fn a_device_that_would_never_be_missed_is_refused() {
    let embedded = Embedded::start().await;
    let place = &embedded.place;
    let own = place.authority.device("box-a");
    for keep_alive_s in [0, MAX_KEEP_ALIVE_S + 1] {
        let connect =
            Connect::new("box-a").keep_alive(keep_alive_s).tls(place.device_port, &place.authority, Some(&own));
        assert_eq!(refusal(connect).await, ConnectReturnCode::ImplementationSpecificError, "{keep_alive_s} s");
    }
    embedded.stop().await;
}

#[tokio::test]
async fn mqtt_3_is_refused() {
    // CONNECT of MQTT 3.1.1, clean session, keep-alive 60 s, client id "box-a".
    const CONNECT_3: &[u8] = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05box-a";
    // CONNACK of MQTT 3.1.1: unacceptable protocol version.
    const REFUSED: [u8; 4] = [0x20, 0x02, 0x00, 0x01];
    let embedded = Embedded::start().await;
    let mut stream = raw_device(&embedded.place).await;
    stream.write_all(CONNECT_3).await.unwrap();
    let mut answer = [0; 4];
    timeout(DEADLINE, stream.read_exact(&mut answer)).await.expect("an answer").unwrap();
    assert_eq!(answer, REFUSED);
    embedded.stop().await;
}

#[tokio::test]
async fn those_who_never_finish_a_handshake_keep_no_device_out() {
    let embedded = Embedded::start_with(Settings { max_devices: 2, ..Settings::default() }).await;
    let mut silent = Vec::new();
    for _ in 0..32 {
        silent.push(TcpStream::connect(("127.0.0.1", embedded.place.device_port)).await.unwrap());
    }
    embedded.place.device("box-a").await;
    drop(silent);
    embedded.stop().await;
}

#[tokio::test]
async fn one_device_with_many_connections_keeps_no_other_out() {
    let settings = Settings { max_devices: MAX_CONNECTIONS_OF_DEVICE + 1, ..Settings::default() };
    let embedded = Embedded::start_with(settings).await;
    // The two that are too many are closed, and before those are that never send a CONNECT, after 10 s.
    let mut silent = JoinSet::new();
    for _ in 0..MAX_CONNECTIONS_OF_DEVICE + 2 {
        let mut stream = raw_device(&embedded.place).await;
        silent.spawn(async move { stream.read_u8().await.is_err() });
    }
    for _ in 0..2 {
        let ended = timeout(Duration::from_secs(8), silent.join_next()).await.expect("a closed connection");
        assert!(ended.unwrap().unwrap(), "the broker spoke first");
    }
    embedded.place.device("box-b").await;
    embedded.stop().await;
}

#[tokio::test]
async fn a_full_broker_refuses_one_more_and_takes_it_when_there_is_room() {
    let embedded = Embedded::start_with(Settings { max_devices: 2, ..Settings::default() }).await;
    let place = &embedded.place;
    let (first, _second) = (place.device("box-a").await, place.device("box-b").await);
    let third = place.authority.device("box-c");
    let connect = || Connect::new("box-c").tls(place.device_port, &place.authority, Some(&third));
    assert!(Client::connect(connect()).await.is_err(), "there was room for a third");
    first.disconnect().await;
    // The place is free a moment after the goodbye.
    let taken = async { while Client::connect(connect()).await.is_err() {} };
    timeout(DEADLINE, taken).await.expect("room");
    embedded.stop().await;
}

#[tokio::test]
async fn a_flood_is_refused_with_a_reason_and_the_others_are_heard() {
    let embedded = Embedded::start_with(Settings { messages_per_second: 10, ..Settings::default() }).await;
    let (flooding, quiet) = (embedded.place.device("box-a").await, embedded.place.device("box-b").await);
    let mut refused = 0;
    for n in 0..50 {
        if let Err(reason) = flooding.publish(&topic("box-a", "up/logs"), &n.to_string()).await {
            assert_eq!(reason, PubAckReason::QuotaExceeded);
            refused += 1;
        }
    }
    assert!(refused > 0, "a flood passed");
    quiet.publish(&topic("box-b", "up/calls"), "one").await.unwrap();
    embedded.stop().await;
}

#[tokio::test]
async fn a_packet_that_is_too_large_ends_that_connection_only() {
    // PUBLISH, QoS 1, with 1 MiB to follow.
    const PUBLISH: &[u8] = b"\x32\x80\x80\x40\x00\x18kolbox/v1/box-a/up/calls\x00\x01\x00";
    const PUBACK: u8 = 0x40;
    let embedded = Embedded::start().await;
    let other = embedded.place.device("box-b").await;
    let mut stream = raw_device(&embedded.place).await;
    stream.write_all(CONNECT).await.unwrap();
    read_connack(&mut stream).await;
    // The broker need not read it to the end; how much is written does not matter.
    drop(stream.write_all(&[PUBLISH, &vec![b' '; 1024 * 1024]].concat()).await);
    let mut said = Vec::new();
    drop(timeout(DEADLINE, stream.read_to_end(&mut said)).await.expect("an end"));
    assert!(!said.contains(&PUBACK), "it was taken: {said:?}");
    other.publish(&topic("box-b", "up/calls"), "still here").await.unwrap();
    embedded.stop().await;
}

#[tokio::test]
async fn the_longest_payload_that_the_ingest_looks_at_passes_whole() {
    let embedded = Embedded::start().await;
    let (device, mut worker) = (embedded.place.device("box-a").await, embedded.place.worker("w").await);
    worker.subscribe("kolbox/v1/#").await.unwrap();
    let longest = vec![b' '; MAX_RECEIVED_LEN];
    device.publish_with(&topic("box-a", "up/calls"), longest, PublishOptions::at_least_once()).await.unwrap();
    assert_eq!(worker.next_publish().await.payload.len(), MAX_RECEIVED_LEN);
    embedded.stop().await;
}

#[tokio::test]
async fn documents_put_back_before_the_start_are_there_for_the_first_device() {
    let documents = ["ack/calls", "state/desired", "cmd/c1/request"].map(|below| (topic("box-a", below), "kept"));
    let embedded = Embedded::start_with(Settings { documents: documents.to_vec(), ..Settings::default() }).await;
    let mut device = embedded.place.device("box-a").await;
    for (below, told) in
        [("ack/+", "ack/calls"), ("state/desired", "state/desired"), ("cmd/+/request", "cmd/c1/request")]
    {
        device.subscribe(&topic("box-a", below)).await.unwrap();
        let kept = device.next_publish().await;
        assert!(kept.retain && &*kept.topic == topic("box-a", told).as_bytes() && &*kept.payload == b"kept", "{below}");
    }
    embedded.stop().await;
}

#[tokio::test]
async fn only_documents_of_the_protocol_are_put_back() {
    let (authority, files) = (Authority::new(), TempDir::new().unwrap());
    let config = config(files.path(), &authority);
    let listeners = Listeners::bind(&config).await.unwrap();
    let broker = Broker::build(&config, listeners, WorkerCredential::new([1; 32])).unwrap();
    for topic in ["kolbox/v1/box-a/up/calls", "kolbox/v1/+/state/desired", "elsewhere", ""] {
        assert!(!broker.retain(topic, b"x".to_vec()).await, "{topic}");
    }
}

#[tokio::test]
async fn a_broker_that_stops_says_so() {
    // DISCONNECT with the reason "server shutting down" and no properties.
    const GOODBYE: [&[u8]; 2] = [b"\xe0\x01\x8b", b"\xe0\x02\x8b\x00"];
    let embedded = Embedded::start().await;
    let mut device = raw_device(&embedded.place).await;
    device.write_all(CONNECT).await.unwrap();
    read_connack(&mut device).await;
    let mut worker = embedded.place.worker("w").await;
    embedded.stop().await;
    let mut said = Vec::new();
    // The broker closes without TLS's own goodbye, which is an error to rustls.
    drop(timeout(DEADLINE, device.read_to_end(&mut said)).await.expect("an end"));
    assert!(GOODBYE.contains(&said.as_slice()), "{said:x?}");
    worker.end().await;
}

#[tokio::test]
async fn files_that_are_missing_or_wrong_are_named() {
    let (authority, files) = (Authority::new(), TempDir::new().unwrap());
    let good = config(files.path(), &authority);
    fs::write(files.path().join("empty.pem"), "").unwrap();
    let of_another = authority.server();
    fs::write(files.path().join("another.key"), of_another.key).unwrap();
    let cases = [
        (EmbeddedConfig { certificate: files.path().join("none.pem"), ..good.clone() }, "none.pem"),
        (
            EmbeddedConfig { key: files.path().join("empty.pem"), ..good.clone() },
            "empty.pem does not hold a private key",
        ),
        (
            EmbeddedConfig { device_authority: files.path().join("empty.pem"), ..good.clone() },
            "empty.pem does not hold a",
        ),
        (EmbeddedConfig { key: files.path().join("another.key"), ..good.clone() }, "is not usable"),
    ];
    for (config, expected) in cases {
        let listeners = Listeners::bind(&config).await.unwrap();
        let Err(error) = Broker::build(&config, listeners, WorkerCredential::new([1; 32])) else {
            panic!("{expected}")
        };
        let told = std::error::Error::source(&error).unwrap().to_string();
        assert!(told.contains(expected), "{told}");
    }
}

#[tokio::test]
async fn the_example_for_one_machine_serves_a_device() {
    let table: toml::Table = fs::read_to_string(example("one-machine/gateway.toml")).unwrap().parse().unwrap();
    let of_example: EmbeddedConfig = table["broker"].clone().try_into().unwrap();
    let (authority, files) = (Authority::new(), TempDir::new().unwrap());
    let of_test = config(files.path(), &authority);
    let config = EmbeddedConfig {
        listen: of_test.listen,
        certificate: of_test.certificate,
        key: of_test.key,
        device_authority: of_test.device_authority,
        ..of_example
    };
    assert!(config.worker_listen.ip().is_loopback(), "the workers' door has no TLS");
    let embedded = Embedded::start_from(&config, Vec::new(), authority, files).await;
    rules::a_device_and_the_gateway_reach_each_other(&embedded.place).await;
    embedded.stop().await;
}

#[test]
fn a_credential_is_not_shown() {
    let credential = WorkerCredential::new([0xab; 32]);
    assert_eq!(credential.password(), "ab".repeat(32));
    assert!(!format!("{credential:?}").contains("ab"), "{credential:?}");
}

/// Returns a connection of `box-a` on which nothing was said yet.
async fn raw_device(place: &Place) -> TlsStream<TcpStream> {
    let own = place.authority.device("box-a");
    let socket = TcpStream::connect(("127.0.0.1", place.device_port)).await.unwrap();
    let connector = TlsConnector::from(Arc::new(tls_config(place.authority.pem(), Some(&own))));
    connector.connect(ServerName::try_from("127.0.0.1").unwrap(), socket).await.unwrap()
}

/// Reads the broker's answer to [`CONNECT`] off a stream: type, length below 128, and so many bytes.
async fn read_connack(stream: &mut TlsStream<TcpStream>) {
    let mut connack = [0; 2];
    timeout(DEADLINE, stream.read_exact(&mut connack)).await.expect("an answer").unwrap();
    let mut rest = vec![0; usize::from(connack[1])];
    timeout(DEADLINE, stream.read_exact(&mut rest)).await.expect("the rest of it").unwrap();
}

/// Returns how a connection is refused.
async fn refusal(connect: Connect) -> ConnectReturnCode {
    match Client::connect(connect).await {
        Err(ConnectionError::ConnectionRefused(reason)) => reason,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was let in"),
    }
}

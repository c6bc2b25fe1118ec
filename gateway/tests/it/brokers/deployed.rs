//! The examples of `deploy/` with the gateway in them, with other paths and ports.

use std::fs;
use std::path::Path;
use std::process::Command;

use gateway::app::App;
use gateway::config::{Config, DatabaseUrl};
use gateway::db::Database;
use protocol::{Stream, Topic, Watermark, decode, encode};
use rumqttc::PublishOptions;
use sea_query::{Expr, Query};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::authority::Identity;
use super::client::{Client, Connect, tls_config};
use super::mosquitto::Mosquitto;
use super::{DEADLINE, example, topic};
use crate::devices::batch;
use crate::servers::Postgres;

/// Folder that the examples' files stand in when they are installed.
const INSTALLED: &str = "/etc/kolbox-gateway";
/// Where the API of the examples listens.
const API: (&str, &str) = ("127.0.0.1:8090", "127.0.0.1:0");

#[test]
fn each_example_is_a_configuration_that_the_gateway_takes() {
    for (folder, has_own_broker, brokers, is_on_postgres) in
        [("one-machine", true, 0, false), ("mosquitto-postgres", false, 1, true), ("cluster", false, 3, true)]
    {
        let files = TempDir::new().unwrap();
        let config = load(&files, folder, &[]);
        assert_eq!((config.broker.is_some(), config.mqtt.servers.len()), (has_own_broker, brokers), "{folder}");
        assert_eq!(matches!(config.database.url, DatabaseUrl::Postgres(_)), is_on_postgres, "{folder}");
        assert!(config.mqtt.servers.iter().all(|server| server.tls || server.host == "127.0.0.1"), "{folder}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_machine_with_the_certificates_of_the_script_stores_what_a_device_sends() {
    let files = TempDir::new().unwrap();
    let made =
        Command::new("sh").arg(example("certificates.sh")).arg(files.path()).args(["127.0.0.1", "box-1"]).status();
    assert!(made.expect("a shell").success(), "certificates.sh, with Debian's package openssl");
    let here = files.path().to_str().unwrap();
    let config =
        load(&files, "one-machine", &[API, ("/var/lib/kolbox-gateway", here), ("0.0.0.0:8883", "127.0.0.1:0")]);
    let running = Running::start(config).await;
    let read = |name: &str| fs::read_to_string(files.path().join(name)).unwrap();
    let identity = Identity { certificate: read("box-1.pem"), key: read("box-1.key") };
    let tls = tls_config(&read("servers-authority.pem"), Some(&identity));
    let connect = Connect::new("box-1").tls_by(running.device_port.unwrap(), tls);
    check_stores(Client::connect(connect).await.unwrap()).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_and_postgresql_with_their_files_store_what_a_device_sends() {
    let settings = fs::read_to_string(example("mosquitto-postgres/kolbox-postgresql.conf")).unwrap();
    let (mosquitto, postgres, files) = (Mosquitto::start(), Postgres::start_with(&settings), TempDir::new().unwrap());
    let place = &mosquitto.place;
    let worker_port = format!("127.0.0.1:{}", place.worker_port);
    let database = postgres.database("kolbox");
    let changes =
        [API, ("postgres://kolbox@127.0.0.1/kolbox", database.as_str()), ("127.0.0.1:1883", worker_port.as_str())];
    fs::write(files.path().join("mqtt.password"), &place.worker_password).unwrap();
    let config = load(&files, "mosquitto-postgres", &changes);
    assert_eq!(config.mqtt.username.as_deref(), Some(place.worker_username.as_str()));
    let running = Running::start(config).await;
    let mut select = Query::select();
    select.expr(Expr::cust("current_setting('wal_compression')"));
    let (compression,): (String,) = running.database.row(&select).await.unwrap().unwrap();
    assert_ne!(compression, "off", "the file of the example is not in force");
    check_stores(place.device("box-1").await).await;
    running.stop().await;
}

/// Sends three events as `box-1` and waits for their watermark.
async fn check_stores(mut device: Client) {
    device.subscribe(&topic("box-1", "ack/+")).await.unwrap();
    let payload = encode(&batch("box-1", 1, 3)).unwrap();
    device.publish_with(&topic("box-1", "up/calls"), payload, PublishOptions::at_least_once()).await.unwrap();
    let told = device.next_publish().await;
    let topic = Topic::Ack { device: "box-1".parse().unwrap(), stream: Stream::Calls };
    assert_eq!(decode::<Watermark>(&topic, &told.payload).unwrap().through, 3);
}

/// Loads the configuration of an example whose files are in `files`. Each of `changes` has to be in it.
fn load(files: &TempDir, folder: &str, changes: &[(&str, &str)]) -> Config {
    let here = files.path().to_str().unwrap();
    let mut text = fs::read_to_string(example(folder).join("gateway.toml")).unwrap();
    assert!(text.contains(INSTALLED), "{folder}");
    text = text.replace(INSTALLED, here);
    for (of_example, of_test) in changes {
        assert!(text.contains(of_example), "the example no longer says {of_example:?}");
        text = text.replace(of_example, of_test);
    }
    for secret in ["mqtt.password", "database.password"] {
        let path = files.path().join(secret);
        if !path.exists() {
            fs::write(path, "a password of a test").unwrap();
        }
    }
    let file = files.path().join("gateway.toml");
    fs::write(&file, text).unwrap();
    Config::load(Path::new(&file)).unwrap()
}

/// A gateway in this process.
struct Running {
    database: Database,
    device_port: Option<u16>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Starts it, and waits until every part of it is well.
    async fn start(config: Config) -> Self {
        let app = App::build(config).await.unwrap();
        let (database, health, stop) = (app.database(), app.health(), CancellationToken::new());
        let device_port = app.device_address().map(|address| address.port());
        let task = tokio::spawn(app.run(stop.clone()));
        let ready = async {
            while !health.is_ready() {
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(DEADLINE, ready).await.is_ok(), "{:?}", health.readiness());
        Self { database, device_port, stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(DEADLINE, self.task).await.expect("an end").unwrap().unwrap();
    }
}

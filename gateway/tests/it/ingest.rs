//! From a device over a real broker into the database and back as a watermark.

use std::sync::Arc;

use gateway::config::Ingest;
use gateway::db::Database;
use gateway::health::{Health, Part};
use gateway::ingest::sequences::MAX_AHEAD;
use gateway::ingest::worker::Worker;
use gateway::metrics::Metrics;
use gateway::mqtt::Connector;
use protocol::limits::MAX_BATCHES_UNDER_WAY;
use sea_query::{Expr, Query};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::devices::{Device, SOON};
use crate::servers::{Mosquitto, Postgres, config, open, sqlite_url};

struct Running {
    task: JoinHandle<()>,
    stop: CancellationToken,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

impl Running {
    async fn start(port: u16, database: &Database, place: usize) -> Self {
        Self::start_with(port, database, place, "").await
    }

    async fn start_with(port: u16, database: &Database, place: usize, more: &str) -> Self {
        let config = config(&format!("[mqtt]\nservers = ['mqtt://127.0.0.1:{port}']\nname = 'test'\n{more}"));
        let health = Arc::new(Health::starting([Part::Worker(place)]));
        let metrics = Arc::new(Metrics::new());
        let stop = CancellationToken::new();
        let worker = Worker {
            place,
            connector: Connector::new(&config.mqtt).unwrap(),
            database: database.clone(),
            config: Ingest::default(),
            metrics: Arc::clone(&metrics),
            health: Arc::clone(&health),
        };
        let task = tokio::spawn(worker.run(stop.clone()));
        let running = Self { task, stop, metrics, health };
        running.wait_until_ready().await;
        running
    }

    async fn wait_until_ready(&self) {
        let ready = async {
            while !self.health.is_ready() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, ready).await.unwrap_or_else(|_| panic!("{:?}", self.health.readiness()));
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(SOON, self.task).await.unwrap().unwrap();
    }
}

async fn events(database: &Database) -> i64 {
    let mut select = Query::select();
    select.expr(Expr::cust("count(*)")).from("events");
    database.row::<(i64,)>(&select).await.unwrap().unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_stored_and_its_watermark_comes_back() {
    let (mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let database = open(&sqlite_url(folder.path())).await;
    let running = Running::start(mosquitto.port, &database, 0).await;
    let mut device = Device::connect("box-1", mosquitto.port).await;
    device.send(1, 10).await;
    device.wait_for_watermark(10).await;
    assert_eq!(events(&database).await, 10);
    device.send(1, 12).await;
    device.wait_for_watermark(12).await;
    assert_eq!(events(&database).await, 12);
    assert_eq!(running.metrics.duplicates.get(), 10);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_share_the_stream_of_one_device_on_postgresql() {
    let (mosquitto, postgres) = (Mosquitto::start(), Postgres::start());
    let database = open(&postgres.database("shared")).await;
    let (one, two) =
        (Running::start(mosquitto.port, &database, 0).await, Running::start(mosquitto.port, &database, 1).await);
    let mut device = Device::connect("box-1", mosquitto.port).await;
    // As much at once as the protocol allows, so that what one worker has is often ahead of what the other has.
    let window = u64::try_from(MAX_BATCHES_UNDER_WAY).unwrap();
    for batch in 1..=12 * window {
        device.send(batch * 10 - 9, batch * 10).await;
        if batch % window == 0 {
            device.wait_for_watermark(batch * 10).await;
        }
    }
    assert_eq!(events(&database).await, i64::try_from(12 * window * 10).unwrap());
    assert!(one.metrics.messages.get() > 0 && two.metrics.messages.get() > 0, "one worker did it all");
    assert_eq!((one.metrics.deferred.get(), two.metrics.deferred.get()), (0, 0), "left to the device");
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_too_many_holes_before_it_is_left_to_the_device() {
    let (mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let database = open(&sqlite_url(folder.path())).await;
    let running = Running::start(mosquitto.port, &database, 0).await;
    let mut device = Device::connect("box-1", mosquitto.port).await;
    // Every second number: no batch touches another.
    let last = u64::try_from(MAX_AHEAD).unwrap() * 2 + 2;
    for seq in (2..=last).step_by(2) {
        device.send(seq, seq).await;
    }
    for seq in (1..last).step_by(2) {
        device.send(seq, seq).await;
    }
    device.wait_for_watermark(last - 1).await;
    assert_eq!(running.metrics.deferred.get(), 1);
    device.send(last, last).await;
    device.wait_for_watermark(last).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_while_the_worker_was_away_is_stored_when_it_is_back() {
    let (mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let database = open(&sqlite_url(folder.path())).await;
    Running::start(mosquitto.port, &database, 0).await.stop().await;
    let mut device = Device::connect("box-1", mosquitto.port).await;
    device.send(1, 5).await;
    device.send(6, 9).await;
    let running = Running::start(mosquitto.port, &database, 0).await;
    device.wait_for_watermark(9).await;
    assert_eq!(events(&database).await, 9);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_was_killed_is_found_again() {
    let (mut mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let database = open(&sqlite_url(folder.path())).await;
    let running = Running::start(mosquitto.port, &database, 0).await;
    mosquitto.kill();
    mosquitto.start_again();
    running.wait_until_ready().await;
    let mut device = Device::connect("box-1", mosquitto.port).await;
    device.send(1, 3).await;
    device.wait_for_watermark(3).await;
    running.stop().await;
}

/// Mosquitto 2.0.11 delivers all it has queued at the first acknowledgements, whatever the receive maximum says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_floods_the_worker_costs_no_message() {
    let (mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let database = open(&sqlite_url(folder.path())).await;
    let running = Running::start_with(mosquitto.port, &database, 0, "receive_maximum = 4\n").await;
    let mut device = Device::connect("box-1", mosquitto.port).await;
    for seq in 1..=900 {
        device.send(seq, seq).await;
    }
    device.wait_for_watermark(900).await;
    assert_eq!((events(&database).await, running.metrics.messages.get()), (900, 900));
    running.stop().await;
}

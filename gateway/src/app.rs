//! Builds every part of the gateway from its configuration and owns the order in which they start and stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Listeners, WORKER_USERNAME, WorkerCredential};
use crate::clock::now_ms;
use crate::config::{Config, Secret, Server};
use crate::db::Database;
use crate::fleet::control::{self, Control};
use crate::fleet::store::all_gone;
use crate::health::{Health, Part, PartState};
use crate::housekeeping;
use crate::http::changes::{Door, Hub};
use crate::http::{self, Shared};
use crate::ingest::worker::Worker;
use crate::metrics::Metrics;
use crate::mqtt::Connector;

/// Longest wait for requests under way when nothing new is taken any more.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// Longest wait for workers to store what they have and say goodbye. More than they allow themselves for either.
const LAST_EVENTS: Duration = Duration::from_secs(15);

/// The gateway, built and listening, not yet serving.
pub struct App {
    config: Config,
    database: Database,
    listener: TcpListener,
    broker: Option<Broker>,
    connector: Connector,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    wake: Arc<Notify>,
    hub: (Hub, Door),
}

impl App {
    /// Opens the database, binds every address and reads every certificate. Nothing is answered or taken in yet.
    pub async fn build(mut config: Config) -> anyhow::Result<Self> {
        let database = Database::open(&config.database).await.context("cannot open the database")?;
        let mut write = database.write().await?;
        write.make_days(now_ms()).await.context("cannot make tables for the next days")?;
        write.commit().await?;
        let listener = TcpListener::bind(config.http.listen)
            .await
            .with_context(|| format!("cannot listen on {} (http.listen)", config.http.listen))?;
        let broker = embedded(&mut config, &database).await?;
        let connector = Connector::new(&config.mqtt).context("cannot connect to brokers as configured")?;
        let workers = (0..config.ingest.workers.get()).flat_map(|place| [Part::Worker(place), Part::Watermarks(place)]);
        let health = Arc::new(Health::starting([Part::Database, Part::Control].into_iter().chain(workers)));
        health.set(Part::Database, PartState::Ok);
        let metrics = Arc::new(Metrics::new());
        let hub = Hub::new(database.clone(), Arc::clone(&metrics), config.limits.followers);
        Ok(Self { config, database, listener, broker, connector, health, metrics, wake: Arc::default(), hub })
    }

    /// Returns where the API listens.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listener.local_addr().context("the listener has no address")
    }

    /// Returns where devices connect, if the broker is embedded.
    pub fn device_address(&self) -> Option<SocketAddr> {
        self.broker.as_ref().map(Broker::device_address)
    }

    /// Returns how every part is.
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// Returns the database, for tests and tools in the same process.
    pub fn database(&self) -> Database {
        self.database.clone()
    }

    /// Serves until `shutdown` is cancelled. Then requests under way are answered, workers store what they have and
    /// tell it, and only then the broker goes and the database is closed.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, what was not acknowledged comes again.
    pub async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let address = self.address()?;
        let Self { config, database, listener, broker, connector, health, metrics, wake, hub } = self;
        tracing::info!(%address, workers = config.ingest.workers, "serving");
        let (hub, door) = hub;
        let (broker_stop, mut brokers) = (CancellationToken::new(), JoinSet::new());
        if let Some(broker) = broker {
            brokers.spawn(broker.run(broker_stop.clone()));
        }
        let mut tasks = JoinSet::new();
        for place in 0..config.ingest.workers.get() {
            let worker = Worker {
                place,
                connector: connector.clone(),
                database: database.clone(),
                config: config.ingest.clone(),
                metrics: Arc::clone(&metrics),
                health: Arc::clone(&health),
            };
            tasks.spawn(worker.run(shutdown.clone()));
        }
        let control =
            Control { connector, database: database.clone(), health: Arc::clone(&health), wake: Arc::clone(&wake) };
        tasks.spawn(control.run(shutdown.clone()));
        tasks.spawn(hub.run(shutdown.clone()));
        let chores =
            housekeeping::run(database.clone(), config.retention.clone(), Arc::clone(&health), shutdown.clone());
        tasks.spawn(chores);
        let shared = Shared::new(database.clone(), health, metrics, wake, door, &config.limits);
        let service = http::router(shared, &config.limits).into_make_service_with_connect_info::<SocketAddr>();
        let server = axum::serve(listener, service).with_graceful_shutdown(shutdown.clone().cancelled_owned());
        let served = until_answered(server.into_future(), &mut tasks, &shutdown).await;
        shutdown.cancel();
        let ended = timeout(LAST_EVENTS, async { while tasks.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!(left = tasks.len(), "parts did not end in time");
            tasks.shutdown().await;
        }
        broker_stop.cancel();
        while brokers.join_next().await.is_some() {}
        database.close().await;
        tracing::info!("stopped");
        served
    }
}

/// Waits until the gateway shall stop and requests are answered, or a part ends that never should.
async fn until_answered(
    server: impl Future<Output = std::io::Result<()>>,
    tasks: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut server = std::pin::pin!(server);
    tokio::select! {
        served = &mut server => return served.context("the listener failed"),
        Some(ended) = tasks.join_next(), if !shutdown.is_cancelled() => {
            if !shutdown.is_cancelled() {
                ended.context("a part of the gateway ended by a panic")?;
                anyhow::bail!("a part of the gateway ended by itself");
            }
        }
        () = shutdown.cancelled() => {}
    }
    timeout(LAST_ANSWERS, server).await.unwrap_or(Ok(())).context("the listener failed")
}

/// Builds the embedded broker with the documents that stand in the database, and points the workers at it.
async fn embedded(config: &mut Config, database: &Database) -> anyhow::Result<Option<Broker>> {
    let Some(embedded) = &config.broker else { return Ok(None) };
    let listeners = Listeners::bind(embedded).await.context("cannot listen for devices (broker.listen)")?;
    let credential = WorkerCredential::new(rand::random());
    config.mqtt.username = Some(WORKER_USERNAME.to_owned());
    config.mqtt.password = Some(Secret::new(credential.password()));
    let broker = Broker::build(embedded, listeners, credential).context("cannot start the broker")?;
    let address = broker.worker_address();
    config.mqtt.servers = vec![Server { host: address.ip().to_string(), port: address.port(), tls: false }];
    let mut write = database.write().await?;
    let gone = all_gone(&mut write, now_ms()).await.context("cannot note who is connected")?;
    write.commit().await?;
    tracing::debug!(gone, "devices were connected when the broker ended last");
    for (topic, payload) in control::documents(database, now_ms()).await? {
        broker.retain(&topic, payload).await;
    }
    Ok(Some(broker))
}

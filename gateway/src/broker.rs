//! The embedded MQTT 5 broker: one process serves a small fleet without a broker of its own.
//!
//! Devices come over TLS with a certificate whose common name is their id; the gateway's own workers come over a plain
//! socket of the same machine with a [`WorkerCredential`], by the same client code that speaks to an external broker.
//! Who may do what is [`acl::allowed`], a pure function. Each connection has its own copy of the question, with the
//! identity in it, so that none can be mistaken for another.
//!
//! Sessions, queues and retained documents live in memory. After a restart the documents that the gateway owns
//! (watermarks, desired state, open commands) are put back from the database with [`Broker::retain`] before the first
//! device is let in; a device publishes its own documents again when it finds its session gone, and what a device sent
//! and no worker had stored comes again from its outbox. So nothing here needs a disk.
//!
//! The gateway runs [`Broker::run`] until its token is cancelled. Everything is bounded: connections, handshakes under
//! way, packets, queues, retained documents, messages per second.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mqtt5::broker::BrokerConfig;
use mqtt5::broker::auth::AuthProvider;
use mqtt5::broker::client_handler::ClientHandler;
use mqtt5::broker::resource_monitor::{ResourceLimits, ResourceMonitor};
use mqtt5::broker::router::MessageRouter;
use mqtt5::broker::storage::client_queue::QueueLimits;
use mqtt5::broker::storage::{DynamicStorage, MemoryBackend, StorageBackend as _};
use mqtt5::broker::sys_topics::BrokerStats;
use mqtt5::broker::tls_acceptor::TlsStreamWrapper;
use mqtt5::broker::transport::BrokerTransport;
use mqtt5::packet::publish::PublishPacket;
use protocol::limits::MAX_RECEIVED_LEN;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, broadcast};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub mod acl;
mod admission;
mod certificate;
mod places;
mod tls;

pub use admission::{MAX_KEEP_ALIVE_S, WORKER_CLIENT_PREFIX, WORKER_USERNAME, WorkerCredential};
pub use certificate::{CertificateError, device_of};
pub use places::MAX_CONNECTIONS_OF_DEVICE;
pub use tls::TlsError;

use acl::{Action, Identity, allowed};
use admission::Admission;
use places::Places;

/// Longest packet taken, in bytes: the longest payload that the ingest looks at, and room for what goes around it.
const MAX_PACKET_BYTES: usize = MAX_RECEIVED_LEN + 4 * 1024;

/// Messages and bytes that wait for one session. The workers' share one limit with the devices': a fleet that comes back
/// after an hour fills theirs.
const QUEUE_LIMITS: QueueLimits = QueueLimits { max_messages: 8_192, max_bytes: 64 * 1024 * 1024 };

/// Retained documents for each device admitted: six watermarks, presence, two states and commands with their status.
const RETAINED_PER_DEVICE: usize = 64;

/// Subscriptions of one session: a device has 3, a worker 10.
const MAX_SUBSCRIPTIONS: usize = 32;

/// Publishes that a device may have under way unacknowledged, either way. It needs four batches in each of six streams.
const DEVICE_WINDOW: u16 = 64;

/// Publishes that a worker may have under way unacknowledged, either way. A worker acknowledges a transaction at once.
const WORKER_WINDOW: u16 = 1_024;

/// Messages handed to one connection ahead of its socket, before they wait in its queue.
const LANE_CAPACITY: usize = 256;

/// TLS handshakes under way at once. They hold no place of an admitted device, so that strangers keep none out.
const MAX_HANDSHAKES: usize = 256;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections of workers at once.
const MAX_WORKERS: usize = 64;

/// How often sessions past their expiry are dropped.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// How long connections get to say goodbye when the broker stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause after an accept that failed, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the embedded broker is set up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedConfig {
    /// The address for devices, TLS only. Default all addresses, port 8883.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The address for the gateway's own workers, without TLS. Default a free port of the loopback, and there is no
    /// reason for another in production.
    #[serde(default = "default_worker_listen")]
    pub worker_listen: SocketAddr,
    /// The broker's certificate chain, PEM.
    pub certificate: PathBuf,
    /// The key of the certificate, PEM.
    pub key: PathBuf,
    /// The authority, or several, that signs device certificates, PEM. Use it for nothing else.
    pub device_authority: PathBuf,
    /// Devices connected at once. Default 2,000.
    #[serde(default = "default_max_devices")]
    pub max_devices: usize,
    /// Longest life of a session without a connection. Default 1 day.
    #[serde(default = "default_session_expiry", with = "humantime_serde")]
    pub session_expiry: Duration,
    /// Messages that one device may send in a second; those above are refused with "quota exceeded". Default 500.
    #[serde(default = "default_messages_per_second")]
    pub messages_per_second: u32,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 8883))
}

fn default_worker_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

const fn default_max_devices() -> usize {
    2_000
}

const fn default_session_expiry() -> Duration {
    Duration::from_hours(24)
}

const fn default_messages_per_second() -> u32 {
    500
}

/// The sockets that the broker listens on, bound by the caller.
#[derive(Debug)]
pub struct Listeners {
    /// For devices, who speak TLS.
    pub devices: TcpListener,
    /// For the gateway's own workers, who do not.
    pub workers: TcpListener,
}

impl Listeners {
    /// Binds both.
    ///
    /// # Errors
    ///
    /// Where an address is taken or not this machine's.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; what was bound is closed.
    pub async fn bind(config: &EmbeddedConfig) -> io::Result<Self> {
        Ok(Self {
            devices: TcpListener::bind(config.listen).await?,
            workers: TcpListener::bind(config.worker_listen).await?,
        })
    }
}

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A certificate, a key or an authority is missing or wrong.
    #[error("the broker has no TLS")]
    Tls(#[from] TlsError),
    /// A listener has no address.
    #[error("a listener of the broker has no address")]
    Address(#[source] io::Error),
}

/// The broker, listening and not yet serving: see [`Broker::run`].
pub struct Broker {
    listeners: Listeners,
    device_address: SocketAddr,
    worker_address: SocketAddr,
    acceptor: TlsAcceptor,
    credential: WorkerCredential,
    hub: Hub,
}

/// What every connection shares.
#[derive(Clone)]
struct Hub {
    router: Arc<MessageRouter>,
    storage: Arc<DynamicStorage>,
    stats: Arc<BrokerStats>,
    of_devices: Terms,
    of_workers: Terms,
    handshakes: Arc<Semaphore>,
    devices: Places,
    workers: Arc<Semaphore>,
    goodbye: broadcast::Sender<()>,
}

/// What one kind of client is granted.
#[derive(Clone)]
struct Terms {
    config: Arc<BrokerConfig>,
    limits: Arc<ResourceMonitor>,
}

impl Broker {
    /// Makes a broker of sockets that listen already. Connections wait in them until [`Self::run`].
    ///
    /// # Errors
    ///
    /// Where the TLS files are missing or wrong.
    pub fn build(
        config: &EmbeddedConfig,
        listeners: Listeners,
        credential: WorkerCredential,
    ) -> Result<Self, StartError> {
        let acceptor = TlsAcceptor::from(Arc::new(tls::server_config(config)?));
        Ok(Self {
            device_address: listeners.devices.local_addr().map_err(StartError::Address)?,
            worker_address: listeners.workers.local_addr().map_err(StartError::Address)?,
            listeners,
            acceptor,
            credential,
            hub: Hub::new(config),
        })
    }

    /// Returns where devices connect.
    pub const fn device_address(&self) -> SocketAddr {
        self.device_address
    }

    /// Returns where the gateway's own workers connect, with [`WORKER_USERNAME`], the credential and a client id that
    /// starts with [`WORKER_CLIENT_PREFIX`].
    pub const fn worker_address(&self) -> SocketAddr {
        self.worker_address
    }

    /// Puts a document of the gateway in place before anyone is let in. An empty payload removes it. Returns whether
    /// the topic is one that the gateway writes.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; the document is then in place or not.
    pub async fn retain(&self, topic: &str, payload: Vec<u8>) -> bool {
        if !allowed(&Identity::Worker, Action::Publish, topic) {
            return false;
        }
        let mut document = PublishPacket::new(topic, payload, mqtt5::QoS::AtLeastOnce);
        document.retain = true;
        self.hub.router.route_message(&document, None).await;
        true
    }

    /// Serves until `shutdown` is cancelled, then tells every client that the server goes, and waits for at most 5 s.
    ///
    /// # Cancellation safety
    ///
    /// If dropped half way every connection is closed without a goodbye.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { listeners, acceptor, credential, hub, device_address, worker_address } = self;
        tracing::info!(%device_address, %worker_address, "the embedded broker is serving");
        let mut connections = JoinSet::new();
        let mut sweep = interval(SWEEP_INTERVAL);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listeners.devices.accept() => match accepted {
                    Ok((socket, peer)) => hub.meet_device(socket, peer, &acceptor, &shutdown, &mut connections),
                    Err(error) => pause_after(&error).await,
                },
                accepted = listeners.workers.accept() => match accepted {
                    Ok((socket, peer)) => hub.meet_worker(socket, peer, credential.clone(), &shutdown, &mut connections),
                    Err(error) => pause_after(&error).await,
                },
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::warn!(%error, "a broker connection ended by a panic");
                    }
                }
                _ = sweep.tick() => hub.sweep().await,
            }
        }
        // Nobody listens where nobody is connected.
        let told = hub.goodbye.send(()).unwrap_or_default();
        let all_ended = async { while connections.join_next().await.is_some() {} };
        if timeout(DRAIN_TIMEOUT, all_ended).await.is_err() {
            tracing::warn!(left = connections.len(), "broker connections did not end in time");
        }
        connections.shutdown().await;
        tracing::info!(told, "the embedded broker stopped");
    }
}

impl Hub {
    fn new(config: &EmbeddedConfig) -> Self {
        let storage = Arc::new(DynamicStorage::Memory(MemoryBackend::with_queue_limits(QUEUE_LIMITS)));
        let router = MessageRouter::with_storage(Arc::clone(&storage))
            .with_retained_limits(config.max_devices.saturating_mul(RETAINED_PER_DEVICE), MAX_RECEIVED_LEN);
        let (goodbye, _) = broadcast::channel(1);
        Self {
            router: Arc::new(router),
            storage,
            stats: Arc::new(BrokerStats::new()),
            of_devices: Terms::new(config, DEVICE_WINDOW, config.messages_per_second),
            of_workers: Terms::new(config, WORKER_WINDOW, 0),
            handshakes: Arc::new(Semaphore::new(MAX_HANDSHAKES)),
            devices: Places::new(config.max_devices),
            workers: Arc::new(Semaphore::new(MAX_WORKERS)),
            goodbye,
        }
    }

    /// Starts a device's connection: handshake, then MQTT.
    fn meet_device(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        acceptor: &TlsAcceptor,
        shutdown: &CancellationToken,
        connections: &mut JoinSet<()>,
    ) {
        let Ok(handshake) = Arc::clone(&self.handshakes).try_acquire_owned() else {
            tracing::debug!(%peer, "refused a connection: too many handshakes under way");
            return;
        };
        let (hub, acceptor, shutdown) = (self.clone(), acceptor.clone(), shutdown.clone());
        connections.spawn(async move {
            send_at_once(&socket);
            let shaken = tokio::select! {
                () = shutdown.cancelled() => return,
                shaken = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)) => shaken,
            };
            let stream = match shaken {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return tracing::debug!(%peer, %error, "a TLS handshake failed"),
                Err(_elapsed) => return tracing::debug!(%peer, "a TLS handshake took too long"),
            };
            drop(handshake);
            let device = match device_of(stream.get_ref().1.peer_certificates()) {
                Ok(device) => device,
                Err(error) => return tracing::warn!(%peer, %error, "refused a certificate"),
            };
            let _place = match hub.devices.take(&device) {
                Ok(place) => place,
                Err(error) => return tracing::warn!(device = device.as_str(), %error, "refused a device"),
            };
            let transport = BrokerTransport::tls(TlsStreamWrapper::new(stream));
            hub.serve(transport, peer, Admission::Device(device), &hub.of_devices, &shutdown).await;
        });
    }

    /// Starts a worker's connection.
    fn meet_worker(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        credential: WorkerCredential,
        shutdown: &CancellationToken,
        connections: &mut JoinSet<()>,
    ) {
        let Ok(place) = Arc::clone(&self.workers).try_acquire_owned() else {
            tracing::warn!(%peer, "refused a worker: the broker is full");
            return;
        };
        let (hub, shutdown) = (self.clone(), shutdown.clone());
        connections.spawn(async move {
            send_at_once(&socket);
            let transport = BrokerTransport::tcp(socket);
            hub.serve(transport, peer, Admission::Worker(credential), &hub.of_workers, &shutdown).await;
            drop(place);
        });
    }

    /// Speaks MQTT with a peer until it or the broker goes.
    async fn serve(
        &self,
        transport: BrokerTransport,
        peer: SocketAddr,
        admission: Admission,
        terms: &Terms,
        shutdown: &CancellationToken,
    ) {
        let goodbye = self.goodbye.subscribe();
        if shutdown.is_cancelled() {
            // The goodbye may have been said before it was listened for.
            return;
        }
        let admission: Arc<dyn AuthProvider> = Arc::new(admission);
        let handler = ClientHandler::new(
            transport,
            peer,
            Arc::clone(&terms.config),
            Arc::clone(&self.router),
            admission,
            Some(Arc::clone(&self.storage)),
            Arc::clone(&self.stats),
            Arc::clone(&terms.limits),
            goodbye,
        );
        if let Err(error) = Box::pin(handler.run()).await {
            tracing::debug!(%peer, %error, "a broker connection ended");
        }
    }

    /// Drops what has expired.
    async fn sweep(&self) {
        if let Err(error) = self.storage.cleanup_expired().await {
            tracing::warn!(%error, "the broker could not drop what has expired");
        }
        self.router.sweep_sessions().await;
    }
}

impl Terms {
    /// Returns the terms for clients that may have `window` publishes under way and send `messages_per_second`, 0 for
    /// any number. Connections are counted in this module, not by the library.
    fn new(config: &EmbeddedConfig, window: u16, messages_per_second: u32) -> Self {
        let mut broker = BrokerConfig::new()
            .with_bind_addresses(Vec::new())
            .with_session_expiry(config.session_expiry)
            .with_max_packet_size(MAX_PACKET_BYTES)
            .with_maximum_qos(1)
            .with_max_subscriptions_per_client(MAX_SUBSCRIPTIONS)
            .with_client_channel_capacity(LANE_CAPACITY)
            .with_max_outbound_inflight(window)
            .with_sys_topics_enabled(false);
        broker.topic_alias_maximum = 0;
        broker.server_receive_maximum = Some(window);
        let limits = ResourceLimits {
            max_connections: usize::MAX,
            max_connections_per_ip: usize::MAX,
            max_message_rate_per_client: messages_per_second,
            max_bandwidth_per_client: 0,
            max_connection_rate: u32::MAX,
            rate_limit_window: Duration::from_secs(1),
        };
        Self { config: Arc::new(broker), limits: Arc::new(ResourceMonitor::new(limits)) }
    }
}

/// Acknowledgements are small and waited for: they do not wait to be sent together.
fn send_at_once(socket: &TcpStream) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "a socket kept its delay");
    }
}

async fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "the broker could not accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

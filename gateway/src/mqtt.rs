//! Connections to a broker: how they are set up, and how long to wait before the next try.

use std::future::{Future, ready};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    AckMode, AsyncClient, EventLoop, IncomingPacketSizeLimit, MqttOptions, NetworkOptions, PersistedAckMode,
    PersistedSession, SessionStore, SessionStoreError, SessionStoreKey, TlsConfiguration, Transport,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::broker::WORKER_CLIENT_PREFIX;
use crate::config::{Mqtt, Server};

/// How often each side shows that it is there, in seconds.
const KEEP_ALIVE_S: u16 = 30;
/// Longest wait for a connection, in seconds.
const CONNECT_TIMEOUT_S: u64 = 10;
/// Longest packet taken, in bytes: four times the longest payload that is looked at, so that one that is too long is
/// counted and set aside. Brokers drop what is longer still, instead of us dropping the connection.
const MAX_PACKET: u32 = 1_056 * 1_024;
/// Publishes under way to the broker at once. The library looks at each of them whenever something happens.
const OUTGOING_IN_FLIGHT: u16 = 64;
/// Requests written at once. The library's default is one, a system call for each acknowledgement.
const REQUEST_BATCH: usize = 256;
/// First and longest wait before the next try to connect.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Why no connection can be set up. Found at start.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate or key cannot be read.
    #[error("{}: expected certificates or a key in PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The system has no authorities.
    #[error("the system has no certificate authorities; name one in mqtt.authority")]
    NoAuthorities,
    /// The certificates do not go together.
    #[error("the certificates for the broker cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// Makes connections to the configured brokers.
#[derive(Clone, Debug)]
pub struct Connector {
    servers: Vec<Server>,
    name: String,
    credentials: Option<(String, String)>,
    tls: Option<Arc<ClientConfig>>,
    session_expiry: Duration,
    receive_maximum: u16,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Takes in what devices send; its session outlives a restart.
    Worker(usize),
    /// Tells the watermarks of a worker.
    Watermarks(usize),
    /// Tells devices what is wished of them, and reads what the broker kept of them.
    Control,
}

impl Connector {
    /// Reads what the configuration names.
    pub fn new(config: &Mqtt) -> Result<Self, TlsError> {
        let tls = if config.servers.iter().any(|server| server.tls) { Some(Arc::new(tls(config)?)) } else { None };
        let password = config.password.as_ref().map(|password| password.expose().to_owned()).unwrap_or_default();
        Ok(Self {
            servers: config.servers.clone(),
            name: config.name.clone().unwrap_or_default(),
            credentials: config.username.clone().map(|username| (username, password)),
            tls,
            session_expiry: config.session_expiry,
            receive_maximum: config.receive_maximum.get(),
        })
    }

    /// Returns how many messages may be under way to a connection.
    pub fn receive_maximum(&self) -> usize {
        usize::from(self.receive_maximum)
    }

    /// Makes a connection, not yet connected, to the broker whose turn it is. `requests` is how many requests may wait
    /// in it.
    pub fn connect(
        &self,
        purpose: Purpose,
        attempt: usize,
        requests: usize,
    ) -> Option<(AsyncClient, EventLoop, &Server)> {
        let first = match purpose {
            Purpose::Worker(place) | Purpose::Watermarks(place) => place,
            Purpose::Control => 0,
        };
        let server = self.servers.get(first.wrapping_add(attempt).checked_rem(self.servers.len())?)?;
        let id = match purpose {
            Purpose::Worker(place) => format!("{WORKER_CLIENT_PREFIX}{}.{place}", self.name),
            Purpose::Watermarks(place) => format!("{WORKER_CLIENT_PREFIX}{}.{place}.watermarks", self.name),
            Purpose::Control => format!("{WORKER_CLIENT_PREFIX}{}.control", self.name),
        };
        let mut options = MqttOptions::new(id, (server.host.clone(), server.port));
        options
            .set_keep_alive(KEEP_ALIVE_S)
            .set_receive_maximum(Some(self.receive_maximum))
            .set_outgoing_inflight_upper_limit(OUTGOING_IN_FLIGHT)
            .set_max_request_batch(REQUEST_BATCH)
            .set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(MAX_PACKET));
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(CONNECT_TIMEOUT_S);
        options.set_network_options(network);
        match purpose {
            Purpose::Worker(_) => {
                let expiry = u32::try_from(self.session_expiry.as_secs()).unwrap_or(u32::MAX - 1);
                options
                    .set_clean_start(false)
                    .set_session_expiry_interval(Some(expiry))
                    .set_ack_mode(AckMode::Manual)
                    .set_session_store(NothingUnderWay { expiry });
            }
            Purpose::Watermarks(_) | Purpose::Control => {
                options.set_clean_start(true);
            }
        }
        if let Some((username, password)) = &self.credentials {
            options.set_credentials(username.clone(), password.clone());
        }
        if let Some(tls) = self.tls.as_ref().filter(|_| server.tls) {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(tls))));
        }
        let (client, events) = AsyncClient::builder(options).capacity(requests).build();
        Some((client, events, server))
    }
}

/// What a worker has under way when its process or its connection begins: nothing.
///
/// The client library resumes a session of the broker only if it has its own half of it. Ours is empty by design: what
/// was under way to us comes again, and watermarks that were under way from us are told again.
#[derive(Debug)]
struct NothingUnderWay {
    expiry: u32,
}

type Stored<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

impl SessionStore for NothingUnderWay {
    fn load<'a>(&'a self, key: &'a SessionStoreKey) -> Stored<'a, Option<PersistedSession>> {
        let session = PersistedSession {
            format_version: 1,
            client_id: key.client_id().to_owned(),
            clean_start: false,
            session_expiry_interval: Some(self.expiry),
            outgoing_inflight_upper_limit: Some(OUTGOING_IN_FLIGHT),
            ack_mode: PersistedAckMode::Manual,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(ready(Ok(Some(session))))
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> Stored<'a, ()> {
        Box::pin(ready(Ok(())))
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> Stored<'a, ()> {
        Box::pin(ready(Ok(())))
    }
}

/// Returns how long to wait before try number `attempt`, from 0: twice as long each time, a random part of it off, so
/// that many gateways do not come back at once. `random` is from 0 to 1.
pub fn back_off(attempt: usize, random: f64) -> Duration {
    let (first, longest) = BACK_OFF;
    let doublings = u32::try_from(attempt.min(16)).unwrap_or(16);
    let full = first.saturating_mul(2_u32.saturating_pow(doublings)).min(longest);
    full.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0)
}

fn tls(config: &Mqtt) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    match &config.authority {
        Some(path) => roots.add_parsable_certificates(certificates(path)?),
        None => roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    };
    if roots.is_empty() {
        return Err(TlsError::NoAuthorities);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .with_root_certificates(roots);
    match (&config.certificate, &config.key) {
        (Some(certificate), Some(key)) => {
            let pem = |source| TlsError::Pem { path: key.clone(), source };
            let key = PrivateKeyDer::from_pem_file(key).map_err(pem)?;
            builder.with_client_auth_cert(certificates(certificate)?, key).map_err(TlsError::Unusable)
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { path: path.to_owned(), source };
    CertificateDer::pem_file_iter(path).map_err(pem)?.collect::<Result<_, _>>().map_err(pem)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::back_off;

    #[test]
    fn waits_grow_to_half_a_minute_and_are_spread_over_half_of_themselves() {
        assert_eq!(back_off(0, 0.0), Duration::from_millis(500));
        assert_eq!(back_off(0, 1.0), Duration::from_millis(250));
        assert_eq!(back_off(3, 0.0), Duration::from_secs(4));
        assert_eq!(back_off(900, 0.0), Duration::from_secs(30));
        assert_eq!(back_off(900, 1.0), Duration::from_secs(15));
    }
}

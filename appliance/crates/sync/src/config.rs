//! How the device is connected.

use std::sync::Arc;
use std::time::Duration;

use protocol::DeviceId;
use rustls::ClientConfig;

use crate::link::LinkConfig;
use crate::mqtt::Broker;
use crate::outbox::OutboxConfig;

/// How the device is connected.
#[derive(Clone, Debug)]
pub struct SyncConfig {
    /// The device's name: of its topics, its certificate and its MQTT client.
    pub device: DeviceId,
    /// The brokers, in turn.
    pub brokers: Vec<Broker>,
    /// Certificates and key, for brokers with TLS.
    pub tls: Option<Arc<ClientConfig>>,
    /// The number of this run of the program.
    pub boot: u64,
    /// The program's name and version, for the birth.
    pub software: String,
    /// How the link behaves.
    pub link: LinkConfig,
    /// How the outbox behaves.
    pub outbox: OutboxConfig,
    /// How often the broker hears of us at least. 30 s: half of what mobile networks forget a connection in.
    pub keep_alive: Duration,
    /// How long the broker remembers the session. A day: it has not to hoard for a device that is gone.
    pub session_expiry: Duration,
    /// How long after a break the broker tells of it. 30 s: a device that is back by then was not away.
    pub will_delay: Duration,
    /// How often the reported state is published when nothing happens. 5 min.
    pub report_every: Duration,
}

impl SyncConfig {
    /// Makes the usual configuration.
    pub fn new(device: DeviceId, brokers: Vec<Broker>, boot: u64) -> Self {
        let link = LinkConfig::new(brokers.len());
        Self {
            device,
            brokers,
            tls: None,
            boot,
            software: String::new(),
            link,
            outbox: OutboxConfig::default(),
            keep_alive: Duration::from_secs(30),
            session_expiry: Duration::from_hours(24),
            will_delay: Duration::from_secs(30),
            report_every: Duration::from_mins(5),
        }
    }
}

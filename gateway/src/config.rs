//! Configuration: one file, and the secrets it names. The only reader of files and variables.
//!
//! Everything is parsed into types that cannot be wrong before anything is bound or opened. What is wrong is named with
//! file, line, field and what was expected ([`ConfigError`]), and ends the program with exit code 64.

mod load;
mod secret;

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::broker::EmbeddedConfig;

pub use self::load::{ConfigError, DatabaseUrl, Server};
pub use self::secret::Secret;

/// Exit code for wrong usage or configuration (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Everything the gateway can be told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The API.
    #[serde(default)]
    pub http: Http,
    /// Where everything is kept.
    #[serde(default)]
    pub database: Database,
    /// The embedded broker; without it, [`Mqtt::servers`] names one.
    #[serde(default)]
    pub broker: Option<EmbeddedConfig>,
    /// How the gateway's workers reach a broker.
    #[serde(default)]
    pub mqtt: Mqtt,
    /// How events are taken in.
    #[serde(default)]
    pub ingest: Ingest,
    /// How long things are kept.
    #[serde(default)]
    pub retention: Retention,
    /// How much is accepted.
    #[serde(default)]
    pub limits: Limits,
}

/// The API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port to listen on, without TLS: what ends TLS stands in front. Default `127.0.0.1:8090`; port 0 takes
    /// a free one.
    pub listen: SocketAddr,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8090)) }
    }
}

/// Where everything is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://USER@HOST/NAME`. Default `sqlite:var/kolbox-gateway/gateway.db`. Several gateways
    /// share a `PostgreSQL`, never a file.
    #[serde(deserialize_with = "load::from_text")]
    pub url: DatabaseUrl,
    /// A file with the password for `PostgreSQL`. Default: none, or what the address holds.
    pub password_file: Option<PathBuf>,
    /// Connections at once. Default 8: one for each worker, the rest for the API.
    pub connections: NonZeroU32,
    /// The password itself, filled in when the configuration is loaded; never read from the file.
    #[serde(skip)]
    pub password: Option<Secret>,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: DatabaseUrl::Sqlite(PathBuf::from("var/kolbox-gateway/gateway.db")),
            password_file: None,
            connections: NonZeroU32::MIN.saturating_add(7),
            password: None,
        }
    }
}

/// How the gateway's workers reach a broker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mqtt {
    /// The brokers, `mqtt://HOST:PORT` or `mqtts://HOST:PORT`, tried in turn. Any MQTT 5 broker with shared subscriptions
    /// will do. Default none: the embedded one is used.
    pub servers: Vec<Server>,
    /// What the client ids start with: `gateway.NAME.0` and so on. It must differ between gateways on one broker, or
    /// they throw each other out. Default: the machine's name.
    pub name: Option<String>,
    /// The user name at the broker. Default none: the certificate, if any, says who we are.
    pub username: Option<String>,
    /// A file with the password for that user.
    pub password_file: Option<PathBuf>,
    /// The authority that signed the brokers' certificates, PEM. Default: the system's.
    pub authority: Option<PathBuf>,
    /// Our certificate chain for the brokers, PEM.
    pub certificate: Option<PathBuf>,
    /// The key of that certificate, PEM.
    pub key: Option<PathBuf>,
    /// How long a broker keeps what comes for a worker that is away. Default 2 min: long enough for a restart, short
    /// enough that messages for a worker that was taken away for good soon go to the others.
    #[serde(with = "humantime_serde")]
    pub session_expiry: Duration,
    /// Messages under way to one worker that are not committed yet. Default 512: one transaction's worth.
    pub receive_maximum: NonZeroU16,
    /// The password itself, filled in when the configuration is loaded; never read from the file.
    #[serde(skip)]
    pub password: Option<Secret>,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            name: None,
            username: None,
            password_file: None,
            authority: None,
            certificate: None,
            key: None,
            session_expiry: Duration::from_mins(2),
            receive_maximum: NonZeroU16::MIN.saturating_add(511),
            password: None,
        }
    }
}

/// How events are taken in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ingest {
    /// Workers, each with a connection to the broker and to the database. Default 2; more help `PostgreSQL` only.
    pub workers: NonZeroUsize,
    /// Messages in one transaction at most. Default 512.
    pub batch_messages: NonZeroUsize,
    /// Longest wait for more messages before a transaction begins. Default 20 ms.
    #[serde(with = "humantime_serde")]
    pub linger: Duration,
    /// Silence after which a transaction begins at once. Default 2 ms: a broker that lets few messages be under way
    /// (Mosquitto's default is 20) sends no more before these are committed.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
}

impl Default for Ingest {
    fn default() -> Self {
        Self {
            workers: NonZeroUsize::MIN.saturating_add(1),
            batch_messages: NonZeroUsize::MIN.saturating_add(511),
            linger: Duration::from_millis(20),
            idle: Duration::from_millis(2),
        }
    }
}

/// How long things are kept, from when the gateway got them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Events of calls, messages, leads and audit. Default 400 days.
    #[serde(with = "humantime_serde")]
    pub records: Duration,
    /// Events of logs and metrics. Default 14 days.
    #[serde(with = "humantime_serde")]
    pub diagnostics: Duration,
    /// Quarantined messages. Default 14 days.
    #[serde(with = "humantime_serde")]
    pub quarantine: Duration,
    /// Commands that are over. Default 90 days.
    #[serde(with = "humantime_serde")]
    pub commands: Duration,
    /// The audit of the API. Default 400 days.
    #[serde(with = "humantime_serde")]
    pub audit: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self { records: DAY * 400, diagnostics: DAY * 14, quarantine: DAY * 14, commands: DAY * 90, audit: DAY * 400 }
    }
}

/// How much is accepted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests of one address or token per second, on average. Default 50; bursts of twice as many pass.
    pub requests_per_second: NonZeroU32,
    /// Largest body of a request in bytes. Default 65,536.
    pub body_bytes: usize,
    /// Readers that follow changes live, at once. Default 64.
    pub followers: NonZeroUsize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: NonZeroU32::MIN.saturating_add(49),
            body_bytes: 64 * 1024,
            followers: NonZeroUsize::MIN.saturating_add(63),
        }
    }
}

#[cfg(test)]
mod tests;

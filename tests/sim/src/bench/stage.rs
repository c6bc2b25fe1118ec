//! The servers of a stage, each in a folder of its own, gone with it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rig::{Gateway, Mosquitto, Postgres, free_port};
use serde::Serialize;
use tempfile::TempDir;

use crate::machine::{self, Load};
use crate::tls::{DeviceTls, TlsFiles, TrialAuthority};

/// The example's settings for Mosquitto, with which it is measured.
const MOSQUITTO: &str = include_str!("../../../../gateway/deploy/mosquitto-postgres/mosquitto.conf");
/// The example's settings for `PostgreSQL`, with which it is measured.
const POSTGRES: &str = include_str!("../../../../gateway/deploy/mosquitto-postgres/kolbox-postgresql.conf");
/// What of the example's settings belongs to doors and folders, which a stage has of its own.
const OWN_SETTINGS: [&str; 4] = ["per_listener_settings", "persistence", "persistence_location", "log_dest"];

/// Where the events of a stage are.
enum Servers {
    External { postgres: Box<Postgres>, _mosquitto: Box<Mosquitto> },
    Embedded { tls: Arc<DeviceTls>, _folder: TempDir },
}

/// Servers that run.
pub(super) struct Stage {
    gateway: Gateway,
    servers: Servers,
    broker: String,
    workers: usize,
}

/// What the programs of a stage took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Programs {
    /// The gateway; with the embedded broker and database, these too.
    pub gateway: Share,
    /// The broker, when it is a program of its own.
    pub broker: Share,
    /// The database, when it is a program of its own.
    pub database: Share,
    /// The simulator.
    pub simulator: Share,
    /// Processor time of everything else on the machine, in seconds.
    pub others_cpu_s: f64,
}

/// The gateway's transactions since it began, all workers together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Commits {
    /// How many there were.
    pub count: f64,
    /// How long they took, in seconds.
    pub seconds: f64,
    /// How many messages they held.
    pub messages: f64,
}

impl Commits {
    /// Reads them from the text of `/metrics`; what is not there is none.
    fn parse(metrics: &str) -> Self {
        let figure = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix("kolbox_gateway_commit_")?.strip_prefix(name));
            line.and_then(|figure| figure.trim().parse().ok()).unwrap_or(0.0)
        };
        Self { count: figure("seconds_count "), seconds: figure("seconds_sum "), messages: figure("messages_sum ") }
    }

    /// Returns what was done since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            count: self.count - before.count,
            seconds: self.seconds - before.seconds,
            messages: self.messages - before.messages,
        }
    }
}

/// What one program took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Share {
    /// Processor time, in seconds.
    pub cpu_s: f64,
    /// Memory, in bytes; pages shared with others by their share.
    pub memory_bytes: u64,
}

impl Share {
    fn since(self, before: Self) -> Self {
        Self { cpu_s: self.cpu_s - before.cpu_s, ..self }
    }
}

impl From<Load> for Share {
    fn from(load: Load) -> Self {
        Self { cpu_s: load.cpu_s, memory_bytes: load.memory }
    }
}

impl Programs {
    /// Returns what was taken since `before`, and the memory as it is now.
    pub(super) fn since(self, before: &Self) -> Self {
        Self {
            gateway: self.gateway.since(before.gateway),
            broker: self.broker.since(before.broker),
            database: self.database.since(before.database),
            simulator: self.simulator.since(before.simulator),
            others_cpu_s: self.others_cpu_s - before.others_cpu_s,
        }
    }
}

impl Stage {
    /// Starts Mosquitto, `PostgreSQL` and a gateway with so many workers.
    pub(super) fn external(program: &Path, workers: usize) -> anyhow::Result<Self> {
        let settings = postgres_settings(POSTGRES);
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let mut postgres = Postgres::start_with(&settings)?;
        let mosquitto = Mosquitto::start_with(&mosquitto_settings(MOSQUITTO))?;
        let database = postgres.database(DATABASE)?;
        // A connection for each worker, and for what else there is.
        let config = format!(
            "[database]\nurl = '{database}'\nconnections = {}\n[mqtt]\nservers = ['{}']\nname = 'bench'\n\
             [ingest]\nworkers = {workers}\n",
            workers + 6,
            mosquitto.url()
        );
        let mut gateway = Gateway::start(program, &config)?;
        gateway.wait_until_ready()?;
        let broker = mosquitto.url();
        Ok(Self {
            gateway,
            servers: Servers::External { postgres: Box::new(postgres), _mosquitto: Box::new(mosquitto) },
            broker,
            workers,
        })
    }

    /// Starts a gateway with the embedded broker and database, and certificates for it.
    pub(super) fn embedded(program: &Path, devices: u32) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let at = |name: &str| folder.path().join(name);
        let authority = TrialAuthority::new()?;
        let server = authority.server("127.0.0.1")?;
        for (name, text) in [
            ("authority.pem", authority.certificate()),
            ("authority.key", &authority.key()),
            ("server.pem", &server.certificate),
            ("server.key", &server.key),
        ] {
            std::fs::write(at(name), text).with_context(|| format!("cannot write {}", at(name).display()))?;
        }
        let files =
            TlsFiles { brokers: at("authority.pem"), devices: at("authority.pem"), devices_key: at("authority.key") };
        let tls = Arc::new(DeviceTls::new(&files)?);
        let port = free_port()?;
        let shown = |name: &str| at(name).display().to_string();
        let config = format!(
            "[database]\nurl = 'sqlite:{}'\n[broker]\nlisten = '127.0.0.1:{port}'\ncertificate = '{}'\nkey = '{}'\n\
             device_authority = '{}'\nmax_devices = {}\n[mqtt]\nname = 'bench'\n",
            shown("gateway.db"),
            shown("server.pem"),
            shown("server.key"),
            shown("authority.pem"),
            devices.saturating_mul(2),
        );
        let mut gateway = Gateway::start(program, &config)?;
        gateway.wait_until_ready()?;
        let broker = format!("mqtts://127.0.0.1:{port}");
        // As many as the gateway has by default.
        Ok(Self { gateway, servers: Servers::Embedded { tls, _folder: folder }, broker, workers: DEFAULT_WORKERS })
    }

    pub(super) fn name(&self) -> &'static str {
        match self.servers {
            Servers::External { .. } => "Mosquitto + PostgreSQL, no TLS",
            Servers::Embedded { .. } => "embedded broker + SQLite, TLS",
        }
    }

    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    pub(super) fn broker(&self) -> &str {
        &self.broker
    }

    pub(super) fn tls(&self) -> Option<Arc<DeviceTls>> {
        match &self.servers {
            Servers::External { .. } => None,
            Servers::Embedded { tls, .. } => Some(Arc::clone(tls)),
        }
    }

    /// Asks how many events are stored: `PostgreSQL` itself, or, of `SQLite`, the gateway's count of committed events.
    pub(super) fn stored_events(&mut self) -> anyhow::Result<u64> {
        let text = match &self.servers {
            Servers::External { postgres, .. } => postgres.query(DATABASE, "SELECT count(*) FROM events")?,
            Servers::Embedded { .. } => {
                let answer = self.gateway.get("/metrics")?;
                let line = answer.body.lines().find_map(|line| line.strip_prefix(STORED));
                line.context("/metrics does not say how many events are stored")?.to_owned()
            }
        };
        text.trim().parse().context("expected a number of events")
    }

    /// Asks the gateway for its transactions.
    pub(super) fn commits(&self) -> anyhow::Result<Commits> {
        Ok(Commits::parse(&self.gateway.get("/metrics")?.body))
    }

    /// Reads what every program took until now.
    pub(super) fn programs() -> anyhow::Result<Programs> {
        let [gateway, broker, database] =
            ["kolbox-gateway", "mosquitto", "postgres"].map(|name| machine::load(Some(name)).map(Share::from));
        let (gateway, broker, database) = (gateway?, broker?, database?);
        let simulator = Share::from(machine::load(None)?);
        let ours = [gateway, broker, database, simulator].iter().map(|share| share.cpu_s).sum::<f64>();
        Ok(Programs { gateway, broker, database, simulator, others_cpu_s: machine::busy_s()? - ours })
    }

    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        self.gateway.stop()?;
        Ok(())
    }
}

/// The database's name.
const DATABASE: &str = "bench";
/// What the gateway's counter of events is called.
const STORED: &str = "kolbox_gateway_events_stored_total ";
/// How many workers a gateway has that is not told.
const DEFAULT_WORKERS: usize = 2;

/// Returns what of the example holds for the whole broker: what stands before its first door.
fn mosquitto_settings(example: &str) -> String {
    let before = example.lines().take_while(|line| !line.starts_with("listener"));
    let is_setting = |line: &&str| {
        let name = line.split(' ').next().unwrap_or_default();
        !name.is_empty() && !name.starts_with('#') && !OWN_SETTINGS.contains(&name)
    };
    before.filter(is_setting).map(|line| format!("{line}\n")).collect::<Vec<_>>().concat()
}

/// Returns the example's settings, `name=value` each.
fn postgres_settings(example: &str) -> Vec<String> {
    let lines = example.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(" = ")).map(|(name, value)| format!("{name}={value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_read_from_the_metrics() {
        let text = "# HELP x\nkolbox_gateway_commit_seconds_sum 1.5\nkolbox_gateway_commit_seconds_count 30\n\
                    kolbox_gateway_commit_messages_sum 900.0\nkolbox_gateway_commit_messages_count 30\n";
        let commits = Commits::parse(text);
        assert_eq!(commits, Commits { count: 30.0, seconds: 1.5, messages: 900.0 });
        assert_eq!(Commits::parse(""), Commits::default());
    }

    #[test]
    fn the_examples_settings_are_taken_but_for_doors_and_folders() {
        let mosquitto = mosquitto_settings(MOSQUITTO);
        assert!(mosquitto.contains("max_inflight_messages ") && mosquitto.contains("max_queued_messages "));
        for not in ["#", "persistence", "listener", "certfile", "per_listener"] {
            assert!(!mosquitto.contains(not), "{not} in {mosquitto}");
        }
        let postgres = postgres_settings(POSTGRES);
        assert!(postgres.contains(&"fsync=on".to_owned()) && postgres.contains(&"synchronous_commit=on".to_owned()));
    }
}

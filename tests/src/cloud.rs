//! The gateway's program and its API.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use appliance::carrier::http_client;
use appliance::config::Config;
use http::Method;
use reqwest::Client;
use rig::{Gateway, Mosquitto, beside_current_program, free_port};
use serde_json::Value;
use tempfile::TempDir;

use crate::wait::{PATIENCE, wait_until};

/// The name of the box at the gateway.
pub const DEVICE: &str = "box-1";

/// What makes certificates for a trial.
const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/deploy/certificates.sh");

/// A gateway: a process with `SQLite`, between a box and whoever asks its API.
#[derive(Debug)]
pub struct Cloud {
    /// The process.
    pub gateway: Gateway,
    broker: Broker,
    folder: TempDir,
    client: Client,
    token: String,
}

/// The broker that it takes events from.
#[derive(Debug)]
enum Broker {
    /// One of its own, which boxes reach on this port with certificates.
    Embedded(u16),
    /// Another program, here.
    External(String),
}

impl Cloud {
    /// Starts one that takes events from `mosquitto`, and waits until it is ready.
    pub fn on(mosquitto: &Mosquitto) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let broker = format!("[mqtt]\nservers = ['{}']\nname = 'test'\n", mosquitto.url());
        Self::start(folder, &broker, Broker::External(mosquitto.url()))
    }

    /// Starts one with a broker of its own, and waits until it is ready.
    pub fn embedded() -> anyhow::Result<Self> {
        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        let made = Command::new("sh").arg(CERTIFICATES).arg(folder.path()).args(["127.0.0.1", DEVICE]).status()?;
        ensure!(made.success(), "no certificates: is Debian's package openssl there?");
        let file = |name: &str| folder.path().join(name).display().to_string();
        let broker = format!(
            "[broker]\nlisten = '127.0.0.1:{port}'\ncertificate = '{}'\nkey = '{}'\ndevice_authority = '{}'\n",
            file("server.pem"),
            file("server.key"),
            file("devices-authority.pem"),
        );
        Self::start(folder, &broker, Broker::Embedded(port))
    }

    fn start(folder: TempDir, config: &str, broker: Broker) -> anyhow::Result<Self> {
        let program = beside_current_program("kolbox-gateway")?;
        let database = folder.path().join("gateway.db");
        // Tests ask more often than people.
        let limits = "[limits]\nrequests_per_second = 1000\n";
        let config = format!("[database]\nurl = 'sqlite:{}'\n{limits}{config}", database.display());
        let mut gateway = Gateway::start_in(folder.path(), &program, &config)?;
        gateway.wait_until_ready()?;
        let token = make_token(&program, folder.path())?;
        let client = http_client().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { gateway, broker, folder, client, token })
    }

    /// Starts the gateway again, and waits until it is ready.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.gateway.start_again()?;
        Ok(self.gateway.wait_until_ready()?)
    }

    /// Returns what connects a box to this gateway.
    pub fn connected(&self) -> impl FnOnce(&mut Config) + Send + 'static {
        let file = |name: &str| -> PathBuf { self.folder.path().join(name) };
        let files = [file("servers-authority.pem"), file("box-1.pem"), file("box-1.key")];
        let (address, with_tls) = match &self.broker {
            Broker::External(url) => (url.clone(), false),
            Broker::Embedded(port) => (format!("mqtts://127.0.0.1:{port}"), true),
        };
        move |config| {
            config.sync.brokers = address.parse().into_iter().collect();
            config.sync.device = DEVICE.parse().ok();
            if with_tls {
                let [ca, certificate, key] = files;
                (config.sync.ca, config.sync.certificate, config.sync.key) = (Some(ca), Some(certificate), Some(key));
            }
        }
    }

    /// Asks the API, below `/api/v1/devices/box-1`, and returns status and body.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<(u16, Value)> {
        let url = format!("http://127.0.0.1:{}/api/v1/devices/{DEVICE}{path}", self.gateway.port());
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.json().await.unwrap_or(Value::Null)))
    }

    /// Asks until the answer is as wanted, and returns it.
    pub async fn wait(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        let waited = wait_until(path, async || {
            last = self.ask(Method::GET, path, None).await.ok()?.1;
            wanted(&last).then(|| last.clone())
        })
        .await;
        waited.with_context(|| format!("the last answer was {last}"))
    }

    /// Wishes a log level, where `version` wishes were made before.
    pub async fn wish(&self, version: u64, log_level: &str) -> anyhow::Result<()> {
        let wish = serde_json::json!({ "expected_version": version, "config": { "log_level": log_level } });
        let (status, body) = self.ask(Method::PUT, "/desired", Some(wish)).await?;
        ensure!(status == 200, "{status}: {body}");
        Ok(())
    }

    /// Gives a command that may be begun for `ttl`.
    pub async fn command(&self, id: &str, kind: &str, ttl: &str) -> anyhow::Result<()> {
        let command = serde_json::json!({ "id": id, "kind": kind, "ttl": ttl });
        let (status, body) = self.ask(Method::POST, "/commands", Some(command)).await?;
        ensure!(status == 201, "{status}: {body}");
        Ok(())
    }

    /// Waits until a command is in `state`, and returns what is said of it.
    pub async fn outcome(&self, id: &str, state: &str) -> anyhow::Result<String> {
        let command = self
            .wait(&format!("/commands/{id}"), |command| command.get("state").is_some_and(|found| found == state))
            .await?;
        Ok(command.get("detail").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// Returns the events of a stream as the gateway has them.
    pub async fn events(&self, stream: &str) -> anyhow::Result<Vec<Value>> {
        let (_, body) = self.ask(Method::GET, &format!("/events?stream={stream}&limit=500"), None).await?;
        Ok(body.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
    }
}

fn make_token(program: &Path, folder: &Path) -> anyhow::Result<String> {
    let arguments = ["token", "create", "--name", "test", "--role", "admin", "--config"];
    let output = Command::new(program).args(arguments).arg(folder.join("gateway.toml")).output()?;
    ensure!(output.status.success(), "no token: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

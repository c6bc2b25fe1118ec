//! A gateway started as a program of its own beside the demo's box: embedded broker, a file for a database, and
//! certificates made for this one run, as a box in an office has them.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use protocol::{DeviceId, Stream};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::arrived::{ArrivedEvent, ArrivedStream};
use super::boxed::{LOOK_EVERY, Process};
use crate::carrier::http_client;
use crate::development::free_address;

/// Longest wait for it to be ready.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// Events read at once.
const PAGE: usize = 500;
/// Name of the program.
const PROGRAM: &str = "kolbox-gateway";

/// A running gateway.
pub(super) struct RunningGateway {
    device: DeviceId,
    /// Where devices connect.
    broker: SocketAddr,
    api: String,
    token: String,
    client: Client,
    child: Process,
    folder: PathBuf,
}

/// A page of the API.
#[derive(Debug, Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

impl RunningGateway {
    /// Starts `program` with its files in `folder`, which is made, for one device, and waits until it is ready.
    pub(super) async fn start(program: &Path, folder: &Path, device: DeviceId) -> anyhow::Result<Self> {
        let folder = std::env::current_dir()?.join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("cannot write to {}", folder.display()))?;
        write_certificates(&folder, &device)?;
        let (listen, broker) = (free_address()?, free_address()?);
        let config = folder.join("gateway.toml");
        fs::write(&config, configuration(&folder, listen, broker))?;
        let token = make_token(program, &config)?;
        let log = folder.join("gateway.log");
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new(program)
            .args(["run", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::from(out.try_clone()?))
            .stderr(Stdio::from(out))
            .spawn()
            .context("cannot start the gateway")?;
        let client = http_client().timeout(Duration::from_secs(5)).build()?;
        let api = format!("http://{listen}");
        let mut running = Self { device, broker, api, token, client, child: Process(child), folder };
        running.wait_until_ready().await?;
        Ok(running)
    }

    /// Returns the part of a box's configuration that connects it to this gateway.
    pub(super) fn sync_table(&self) -> String {
        let file = |name: &str| quoted(&self.folder.join(name));
        format!(
            "[sync]\nbrokers = [\"mqtts://{}\"]\ndevice = \"{}\"\nca = {}\ncertificate = {}\nkey = {}\n",
            self.broker,
            self.device,
            file("servers-authority.pem"),
            file("device.pem"),
            file("device.key"),
        )
    }

    /// Asks how far each stream of the device is stored.
    pub(super) async fn streams(&self) -> anyhow::Result<Vec<ArrivedStream>> {
        self.get("streams").await
    }

    /// Asks for the device's events of a stream, in the order of their numbers.
    pub(super) async fn events(&self, stream: Stream) -> anyhow::Result<Vec<ArrivedEvent>> {
        let mut events = Vec::new();
        self.each_event(stream, |event| events.push(event.clone())).await?;
        Ok(events)
    }

    /// Gives each of the device's events of a stream to `take`, in the order of their numbers, and keeps none.
    pub(super) async fn each_event(&self, stream: Stream, mut take: impl FnMut(&ArrivedEvent)) -> anyhow::Result<()> {
        let mut after = String::new();
        loop {
            let page: Page<ArrivedEvent> = self.get(&format!("events?stream={stream}&limit={PAGE}{after}")).await?;
            page.items.iter().for_each(&mut take);
            let Some(next) = page.next else { return Ok(()) };
            after = format!("&after={next}");
        }
    }

    /// Sends it a signal: one that makes it stand still, or go on.
    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.0.id()).ok().and_then(Pid::from_raw).context("no process")?;
        kill_process(pid, signal).context("cannot signal the gateway")
    }

    /// Tells it to stop, and waits until it has.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.child.stop("the gateway", &self.folder.join("gateway.log")).await
    }

    async fn get<T: DeserializeOwned>(&self, what: &str) -> anyhow::Result<T> {
        let url = format!("{}/api/v1/devices/{}/{what}", self.api, self.device);
        let response = self.client.get(url).bearer_auth(&self.token).send().await.context("the gateway's API")?;
        let status = response.status();
        let text = response.text().await?;
        if !status.is_success() {
            bail!("the gateway answered {status} for {what}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("the gateway's answer for {what}"))
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let url = format!("{}/readyz", self.api);
        loop {
            if self.client.get(&url).send().await.is_ok_and(|response| response.status().is_success()) {
                return Ok(());
            }
            let log = self.folder.join("gateway.log");
            if let Some(status) = self.child.0.try_wait()? {
                bail!("the gateway ended by itself ({status}); its log is {}", log.display());
            }
            if began.elapsed() > START_PATIENCE {
                bail!("the gateway is not ready after {START_PATIENCE:?}; its log is {}", log.display());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Returns the program that lies beside this one.
pub(super) fn beside_this_program() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("cannot find this program")?;
    let program = this.with_file_name(PROGRAM);
    if !program.is_file() {
        bail!(
            "{} is not there; name {PROGRAM} with --gateway, or leave it out with --without-gateway",
            program.display()
        );
    }
    Ok(program)
}

fn configuration(folder: &Path, listen: SocketAddr, broker: SocketAddr) -> String {
    let file = |name: &str| quoted(&folder.join(name));
    let database = toml::Value::String(format!("sqlite:{}", folder.join("gateway.db").display()));
    format!(
        "# Generated for a demo or a benchmark.\n[http]\nlisten = \"{listen}\"\n\n[database]\nurl = {database}\n\n[broker]\n\
         listen = \"{broker}\"\ncertificate = {}\nkey = {}\ndevice_authority = {}\n\n[limits]\n\
         requests_per_second = 1000\n",
        file("server.pem"),
        file("server.key"),
        file("devices-authority.pem"),
    )
}

/// Has the program make a token that may read events.
fn make_token(program: &Path, config: &Path) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(["token", "create", "--name", "demo", "--role", "operator", "--scopes", "fleet:read,events:read"])
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        bail!("the gateway makes no token: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout).context("the token")?.trim().to_owned())
}

/// Makes two authorities, a certificate for the broker and one for the device, and writes what each side needs. The
/// authorities' keys are not written: nobody signs with them again.
fn write_certificates(folder: &Path, device: &DeviceId) -> anyhow::Result<()> {
    let (servers, devices) = (Authority::new("Servers of the demo")?, Authority::new("Devices of the demo")?);
    let mut of_server = leaf("demo broker", ExtendedKeyUsagePurpose::ServerAuth);
    of_server.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
    let of_device = leaf(device.as_str(), ExtendedKeyUsagePurpose::ClientAuth);
    fs::write(folder.join("servers-authority.pem"), &servers.pem)?;
    fs::write(folder.join("devices-authority.pem"), &devices.pem)?;
    for (name, authority, params) in [("server", &servers, of_server), ("device", &devices, of_device)] {
        let key = KeyPair::generate()?;
        fs::write(folder.join(format!("{name}.pem")), params.signed_by(&key, &authority.issuer)?.pem())?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(folder.join(format!("{name}.key")))?;
        file.write_all(key.serialize_pem().as_bytes())?;
    }
    Ok(())
}

/// Signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }
}

fn leaf(common_name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params
}

/// Returns a path as a TOML string.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}

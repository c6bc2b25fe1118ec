//! A box started as a program of its own on loopback, for the demo and the benchmarks: real process, real signals.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use testcall::{CallerVoice, Carrier, CarrierConfig, Pace};
use tokio::net::TcpListener;

use crate::carrier::http_client;
use crate::config::{Config, Environment};
use crate::development::{Development, free_address};

/// Longest wait for a box to answer after it was started: the first start renders every recording.
const START_PATIENCE: Duration = Duration::from_mins(2);
/// Longest wait for a box to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What is in a folder that was ours.
const OURS: [&str; 2] = ["kolbox.toml", "gateway"];

/// A running box with its carrier.
pub(super) struct RunningBox {
    pub(super) config: Config,
    pub(super) carrier: Carrier,
    pub(super) client: Client,
    child: Process,
    log: PathBuf,
}

/// How a box is started.
pub(super) struct Start<'a> {
    /// Folder of its state; see [`empty`].
    pub(super) folder: &'a Path,
    /// More of its configuration, as TOML tables.
    pub(super) extra: &'a str,
    /// Who speaks for callers.
    pub(super) voice: Arc<dyn CallerVoice>,
    /// How fast calls run.
    pub(super) pace: Pace,
    /// Whether calls are recorded, in `calls` under the folder.
    pub(super) record: bool,
    /// What it hears and speaks with.
    pub(super) models: Models,
}

/// What a box hears and speaks with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Models {
    /// What is installed under the current folder.
    Installed,
    /// Nothing but the speech program: no recognizer, no diacritiser.
    None,
}

impl RunningBox {
    /// Starts a box and its carrier, and waits until the box answers.
    pub(super) async fn start(start: Start<'_>) -> anyhow::Result<Self> {
        let Start { folder, extra, voice, pace, record, models } = start;
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.context("no free port")?;
        let api_url = format!("http://{}", listener.local_addr()?);
        let current = std::env::current_dir()?;
        let folder = current.join(folder);
        let root = match models {
            Models::Installed => current,
            Models::None => folder.join("no-models"),
        };
        let listen = free_address()?;
        let development = Development { folder: &folder, root: &root, listen, carrier_api_url: Some(&api_url), extra };
        let file = development.write().with_context(|| format!("cannot write to {}", folder.display()))?;
        let config = Config::load(&file, &Environment::of_process())?;
        let key = config.carrier.auth_tokens.first().context("no key")?.expose().to_owned();
        let mut carrier = CarrierConfig::for_box(config.http.public_url.clone(), key);
        carrier.account_sid = config.carrier.account_sid.as_deref().unwrap_or_default().parse()?;
        carrier.pace = pace;
        if record {
            let calls = folder.join("calls");
            fs::create_dir_all(&calls).with_context(|| format!("cannot write to {}", calls.display()))?;
            carrier.audio_folder = Some(calls);
        }
        let carrier = Carrier::start_on(listener, carrier, voice)?;
        let log = folder.join("box.log");
        let child = Process(spawn(&file, &log)?);
        let client = http_client().timeout(Duration::from_secs(5)).build()?;
        let mut running = Self { config, carrier, client, child, log };
        running.wait_until("/healthz", START_PATIENCE, |_| true).await?;
        Ok(running)
    }

    /// Asks the box for `path` until the answer is 200 and satisfies `is_there`, and returns it.
    pub(super) async fn wait_until(
        &mut self,
        path: &str,
        patience: Duration,
        is_there: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        let began = Instant::now();
        let url = self.config.http.public_url.webhook(path);
        loop {
            if let Ok(response) = self.client.get(&url).send().await
                && response.status().is_success()
                && let Ok(text) = response.text().await
                && is_there(&text)
            {
                return Ok(text);
            }
            if let Some(status) = self.child.0.try_wait()? {
                bail!("the box ended by itself ({status}); its log is {}", self.log.display());
            }
            if began.elapsed() > patience {
                bail!("the box did not get there in {patience:?}; its log is {}", self.log.display());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the box has rendered what it says on every call; until then its voice is at work without a caller.
    pub(super) async fn wait_until_rendered(&mut self) -> anyhow::Result<String> {
        let rendered = |metrics: &str| metrics.lines().any(|line| line == "kolbox_prompts_rendered 1");
        self.wait_until("/metrics", START_PATIENCE, rendered).await
    }

    /// Returns the number of the box's process.
    pub(super) fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Tells the box to stop as systemd does, and waits until it has.
    pub(super) async fn stop(self) -> anyhow::Result<Config> {
        self.child.stop("the box", &self.log).await?;
        self.carrier.stop().await?;
        Ok(self.config)
    }
}

/// Empties a folder that a box was started in before; one with anything else in it is left alone.
pub(super) fn empty(folder: &Path) -> anyhow::Result<()> {
    let is_ours = OURS.iter().any(|name| folder.join(name).exists());
    if folder.exists() && !is_ours && folder.read_dir()?.next().is_some() {
        bail!("{} is in use for something else; name a folder of its own with --folder", folder.display());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    Ok(())
}

/// Lets a box be started again in its folder with another configuration; its state stays.
pub(super) fn forget_config(folder: &Path) -> anyhow::Result<()> {
    let file = folder.join("kolbox.toml");
    fs::remove_file(&file).with_context(|| format!("{} cannot be removed", file.display()))
}

/// A process that does not outlive whoever started it.
pub(super) struct Process(pub(super) Child);

impl Process {
    /// Tells it to stop as systemd does, and waits until it has. `what` and `log` are for people.
    pub(super) async fn stop(mut self, what: &str, log: &Path) -> anyhow::Result<()> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).context("no process")?;
        kill_process(pid, Signal::TERM).with_context(|| format!("cannot stop {what}"))?;
        let began = Instant::now();
        while self.0.try_wait()?.is_none() {
            if began.elapsed() > STOP_PATIENCE {
                bail!("{what} did not stop in {STOP_PATIENCE:?}; its log is {}", log.display());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After a proper end it is gone already, and both are errors that say so.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn spawn(config: &Path, log: &Path) -> anyhow::Result<Child> {
    let out = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let program = std::env::current_exe().context("cannot find this program")?;
    Command::new(program)
        .args(["run", "--config"])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::from(out.try_clone()?))
        .stderr(Stdio::from(out))
        .spawn()
        .context("cannot start the box")
}

//! The command `run`: from arguments to a summary.

use std::future::pending;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::behaviour::{Group, Script, ScriptError};
use crate::cli::Run;
use crate::fleet::{Fleet, FleetConfig, outbox_config};
use crate::machine;
use crate::report::{Summary, progress};
use crate::tls::{DeviceTls, TlsFiles};
use crate::wire::{Order, Wiring};

/// The longest script that is read, in bytes.
const MAX_SCRIPT_LEN: u64 = 1024 * 1024;

/// What is given for TLS does not fit the broker's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mqtts:// needs --ca, --device-authority and --device-authority-key, and mqtt:// has no use for them")]
pub struct WrongUsage;

/// Lives as the arguments say; returns how it came out.
pub async fn run(arguments: &Run) -> anyhow::Result<Summary> {
    let seed = arguments.seed.unwrap_or_else(rand::random);
    let config = fleet(arguments, seed)?;
    machine::raise_open_files(u64::from(config.script.devices()))?;
    let before = machine::load(None)?.memory;
    let fleet = Fleet::start(&config)?;
    let mut say = Say { json: arguments.json, last: fleet.figures(), connected_most: 0 };
    let interrupted = async { tokio::signal::ctrl_c().await.is_ok() };
    tokio::pin!(interrupted);
    let lasting = async {
        match arguments.duration {
            Some(duration) => fleet.wait_for(duration).await,
            None => pending().await,
        }
    };
    tokio::select! {
        () = lasting => {}
        _ = &mut interrupted => {}
        _never = say.each_second(&fleet) => {}
    }
    fleet.tell(Order::Rest);
    let drained = timeout(arguments.drain, fleet.wait_until(arguments.drain, |figures| figures.waiting() == 0));
    tokio::select! {
        _ = drained => {}
        _never = say.each_second(&fleet) => {}
    }
    let figures = fleet.figures();
    let load = machine::load(None)?;
    let mut summary = Summary::new(seed, fleet.size(), fleet.age().as_secs_f64(), &figures);
    summary.connected_most = say.connected_most.max(figures.connected);
    summary.memory_bytes = load.memory;
    summary.memory_per_device_bytes = load.memory.saturating_sub(before).checked_div(fleet.size()).unwrap_or(0);
    summary.cpu_s = load.cpu_s;
    fleet.close().await;
    Ok(summary)
}

/// Reads what the arguments name, and checks it.
fn fleet(arguments: &Run, seed: u64) -> anyhow::Result<FleetConfig> {
    let script = match &arguments.script {
        Some(path) => Script::parse(path, &read_script(path)?)?,
        None => one_group(arguments)?,
    };
    let files = match (&arguments.ca, &arguments.device_authority, &arguments.device_authority_key) {
        (Some(brokers), Some(devices), Some(key)) => {
            Some(TlsFiles { brokers: brokers.clone(), devices: devices.clone(), devices_key: key.clone() })
        }
        _ => None,
    };
    if files.is_some() != arguments.broker.tls {
        return Err(WrongUsage.into());
    }
    let password = arguments
        .password_file
        .as_ref()
        .map(|path| std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display())));
    let password = password.transpose()?.map(|text| text.trim_end().to_owned());
    let outbox = outbox_config();
    Ok(FleetConfig {
        script,
        wiring: Wiring {
            broker: arguments.broker.clone(),
            credentials: arguments.username.clone().zip(password),
            keep_alive: arguments.keep_alive,
            session_expiry: arguments.session_expiry,
            will_delay: arguments.will_delay,
            max_unanswered: outbox.max_unanswered,
        },
        tls: files.map(|files| DeviceTls::new(&files)).transpose()?.map(Arc::new),
        seed,
        wall_ms: wall_ms(),
        connects_per_second: arguments.connect_rate,
        outbox,
    })
}

fn one_group(arguments: &Run) -> Result<Script, ScriptError> {
    let Run { name, devices, behaviour, .. } = arguments;
    let script = Script { group: vec![Group { name: name.clone(), devices: *devices, behaviour: behaviour.clone() }] };
    script.check()?;
    Ok(script)
}

fn read_script(path: &Path) -> anyhow::Result<String> {
    let len = std::fs::metadata(path).with_context(|| format!("{}: cannot be read", path.display()))?.len();
    anyhow::ensure!(len <= MAX_SCRIPT_LEN, "{}: longer than {MAX_SCRIPT_LEN} bytes", path.display());
    std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))
}

/// Returns the time in milliseconds since 1970.
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

/// Prints the lines of the seconds.
struct Say {
    json: bool,
    last: crate::tally::Figures,
    connected_most: u64,
}

impl Say {
    /// Prints a line each second, for ever.
    async fn each_second(&mut self, fleet: &Fleet) -> ! {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        seconds.tick().await;
        loop {
            seconds.tick().await;
            let figures = fleet.figures();
            self.connected_most = self.connected_most.max(figures.connected);
            let line = progress(fleet.age(), &(&figures - &self.last), &figures);
            self.last = figures;
            // Whoever listened has gone away; the devices go on.
            if self.json {
                drop(writeln!(std::io::stderr(), "{line}"));
            } else {
                drop(writeln!(std::io::stdout(), "{line}"));
            }
        }
    }
}

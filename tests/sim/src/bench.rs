//! The command `bench`: what one gateway stores, on real brokers and databases, with thousands of devices connected.
//!
//! A stage is a set of servers, started for it alone, and a fleet that stays connected. In each stage the load is changed:
//! first every device has one message under way at any time, which finds out what can be stored at most; then a fixed
//! load at random moments, which shows how long a device waits. A figure is counted from watermarks, which a gateway
//! tells after the commit; at the end of a stage the database is asked whether it has as many events.

mod stage;
mod table;

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use self::stage::Stage;
use crate::behaviour::{Behaviour, Group, Pace, Script};
use crate::cli::Bench;
use crate::fleet::{Fleet, FleetConfig, outbox_config};
use crate::machine;
use crate::run::wall_ms;
use crate::wire::{Order, Wiring};

pub use self::stage::{Commits, Programs, Share};

/// Devices that are to be connected at once (the design, section 8).
pub const TARGET_DEVICES: u64 = 10_000;
/// Events that are to be stored per second (the design, section 8).
pub const TARGET_EVENTS_PER_S: f64 = 5_000.0;

/// Longest wait until every device is connected.
const CONNECT: Duration = Duration::from_mins(3);
/// Longest wait until what is under way is stored.
const SETTLE: Duration = Duration::from_mins(2);
/// How long a load lasts before it is measured.
const WARM_UP: Duration = Duration::from_secs(4);
/// Quiet after the connects: births and reports are stored.
const CALM: Duration = Duration::from_secs(5);

/// A load.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Load {
    /// One message of each device under way at any time.
    Saturated,
    /// So many events per second in all, at random moments.
    Fixed(f64),
}

/// What one load came to.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Broker and database.
    pub servers: &'static str,
    /// Workers of the gateway.
    pub workers: usize,
    /// Devices connected while it was measured.
    pub connected: u64,
    /// Events that a device puts in one message.
    pub burst: u32,
    /// Events per second that were offered; nothing when as many as were stored.
    pub offered_per_s: Option<f64>,
    /// Events per second that watermarks covered.
    pub stored_per_s: f64,
    /// From publish to watermark, in milliseconds.
    pub p50_ms: Option<f64>,
    /// From publish to watermark, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Seconds that were measured.
    pub seconds: f64,
    /// Processor time while it was measured, and memory at its end.
    pub programs: Programs,
    /// The gateway's transactions while it was measured.
    pub commits: Commits,
    /// Events sent again because no watermark came.
    pub sent_again: u64,
}

/// What came of all stages.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// Processors of the machine.
    pub processors: usize,
    /// Every load.
    pub rows: Vec<Row>,
    /// Sentences about what did not come out as it must: events missing, devices that did not connect.
    pub wrong: Vec<String>,
}

impl Outcome {
    /// Returns the exit code: 0 when nothing was lost, whatever the figures.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.wrong.is_empty())
    }
}

/// Measures everything the arguments ask for, and prints it as it comes.
pub async fn bench(arguments: &Bench) -> anyhow::Result<Outcome> {
    let devices = arguments.devices.max(arguments.embedded_devices);
    // The broker has a socket for each device as well, in its own process.
    machine::raise_open_files(u64::from(devices))?;
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut outcome = Outcome { processors, ..Outcome::default() };
    let program = match &arguments.gateway {
        Some(program) => program.clone(),
        None => rig::beside_current_program("kolbox-gateway")?,
    };
    say(arguments, &table::head(processors));
    if !arguments.embedded_only {
        for workers in &arguments.workers {
            let stage = Stage::external(&program, *workers)?;
            run_stage(arguments, stage, arguments.devices, &mut outcome).await?;
        }
    }
    if !arguments.external_only {
        let stage = Stage::embedded(&program, arguments.embedded_devices)?;
        run_stage(arguments, stage, arguments.embedded_devices, &mut outcome).await?;
    }
    say(arguments, &table::foot(&outcome));
    Ok(outcome)
}

/// Lets a fleet live on a stage, under one load after the other.
async fn run_stage(arguments: &Bench, mut stage: Stage, devices: u32, outcome: &mut Outcome) -> anyhow::Result<()> {
    let fleet = Fleet::start(&fleet_config(arguments, &stage, devices)?)?;
    let all = u64::from(devices);
    let is_connected = fleet.wait_until(CONNECT, |figures| figures.connected >= all).await;
    let took = fleet.age();
    if !is_connected {
        outcome.wrong.push(format!("{} of {devices} devices connected within {CONNECT:?}", fleet.figures().connected));
    }
    say(arguments, &table::stage(&stage, fleet.figures().connected, took));
    fleet.wait_for(CALM).await;
    for burst in &arguments.bursts {
        let most = measure(arguments, &stage, &fleet, *burst, Load::Saturated, outcome).await?;
        let mut loads = vec![Load::Fixed(most / 2.0)];
        if most >= TARGET_EVENTS_PER_S {
            loads.insert(0, Load::Fixed(TARGET_EVENTS_PER_S));
        }
        for load in loads {
            measure(arguments, &stage, &fleet, *burst, load, outcome).await?;
        }
    }
    let figures = fleet.figures();
    let stored = stage.stored_events()?;
    if stored != figures.stored || figures.waiting() > 0 {
        outcome.wrong.push(format!(
            "{}, {} workers: {} events made, {} covered by watermarks, {stored} in the database",
            stage.name(),
            stage.workers(),
            figures.made,
            figures.stored
        ));
    }
    fleet.close().await;
    stage.stop()?;
    Ok(())
}

/// Measures one load, lets it end, and returns how many events per second were stored.
async fn measure(
    arguments: &Bench,
    stage: &Stage,
    fleet: &Fleet,
    burst: u32,
    load: Load,
    outcome: &mut Outcome,
) -> anyhow::Result<f64> {
    #[expect(clippy::cast_precision_loss, reason = "there are at most some ten thousand devices")]
    let devices = fleet.size() as f64;
    fleet.tell(Order::Pace(match load {
        Load::Saturated => Pace::Saturate { burst },
        Load::Fixed(events_per_second) => Pace::Rate { events_per_second: events_per_second / devices, burst },
    }));
    fleet.wait_for(WARM_UP).await;
    let (taken, committed) = (Stage::programs()?, stage.commits()?);
    let (began, before) = (fleet.age(), fleet.figures());
    fleet.wait_for(arguments.each).await;
    let seconds = fleet.age().saturating_sub(began).as_secs_f64();
    let since = &fleet.figures() - &before;
    let (programs, commits) = (Stage::programs()?.since(&taken), stage.commits()?.since(committed));
    fleet.tell(Order::Rest);
    #[expect(clippy::cast_precision_loss, reason = "events of some seconds")]
    let stored_per_s = since.stored as f64 / seconds;
    let ms = |share| since.quantile(share).map(|time| time.as_secs_f64() * 1_000.0);
    let row = Row {
        servers: stage.name(),
        workers: stage.workers(),
        connected: since.connected,
        burst,
        offered_per_s: if let Load::Fixed(offered) = load { Some(offered) } else { None },
        stored_per_s,
        p50_ms: ms(0.5),
        p99_ms: ms(0.99),
        seconds,
        programs,
        commits,
        sent_again: since.sent_again,
    };
    say(arguments, &table::row(&row));
    outcome.rows.push(row);
    if !fleet.wait_until(SETTLE, |figures| figures.waiting() == 0).await {
        outcome.wrong.push(format!("{} events were not stored {SETTLE:?} after a load", fleet.figures().waiting()));
    }
    Ok(stored_per_s)
}

fn fleet_config(arguments: &Bench, stage: &Stage, devices: u32) -> anyhow::Result<FleetConfig> {
    let behaviour = Behaviour { rate: 0.0, ..Behaviour::default() };
    let script = Script { group: vec![Group { name: "bench".parse()?, devices, behaviour }] };
    script.check()?;
    let outbox = outbox_config();
    Ok(FleetConfig {
        script,
        wiring: Wiring {
            broker: stage.broker().parse().context("the broker's address")?,
            credentials: None,
            keep_alive: Duration::from_secs(30),
            session_expiry: Duration::from_mins(10),
            will_delay: Duration::from_secs(30),
            max_unanswered: outbox.max_unanswered,
        },
        tls: stage.tls(),
        seed: arguments.seed,
        wall_ms: wall_ms(),
        connects_per_second: arguments.connect_rate,
        outbox,
    })
}

fn say(arguments: &Bench, text: &str) {
    // Whoever listened has gone away; the figures are still counted.
    if arguments.json {
        drop(std::io::stderr().write_all(text.as_bytes()));
    } else {
        drop(std::io::stdout().write_all(text.as_bytes()));
    }
}

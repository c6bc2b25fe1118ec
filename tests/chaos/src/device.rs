//! A device of the campaign: the real store and the real link, and facts that come by themselves.
//!
//! It is one process, so that it can be killed. On its standard input it is told `quiet` when nothing new shall come; when
//! that input ends, so does the device. On its standard output it says what it promises ([`Said`]).

mod emit;
mod link;

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use anyhow::Context as _;
use appliance::archive::Archive;
use appliance::clock::Clock;
use appliance::health::{Health, PartState};
use store::{Recordings, Store, StoreConfig};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use self::emit::Emitter;
use crate::cli::{Broken, DeviceOptions};
use crate::promise::Said;

/// Time between two looks at what is not covered yet, when nothing new comes any more.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Is a device until its standard input ends.
pub(crate) fn run(options: &DeviceOptions) -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter(EnvFilter::new("info")).with_writer(std::io::stderr).init();
    let clock = Clock::start();
    let archive = open(&options.folder, clock)?;
    let store = archive.store().context("the store is open")?;
    tracing::info!(report = ?store.report(), heads = ?store.outbox_heads(), "the store is open");
    if store.report().lost_hint() {
        say(&[Said::Damaged])?;
    }
    let stop = CancellationToken::new();
    let (told, orders) = mpsc::sync_channel(1);
    let emitter = Emitter::new(&archive, clock, options.seed, options.broken == Some(Broken::PromiseEarly))?;
    std::thread::scope(|scope| {
        let until_told = stop.clone();
        scope.spawn(move || {
            listen(&told);
            until_told.cancel();
        });
        let archive = &archive;
        scope.spawn(move || {
            if let Err(error) = tell(emitter, archive, &orders) {
                tracing::error!(error = format!("{error:#}"), "nothing is emitted any more");
                // When nobody listens, the standard input ends as well.
                drop(say(&[Said::Failed]));
            }
        });
        link::run(options, archive, &stop)
    })
}

/// Passes orders on until there are no more.
fn listen(told: &SyncSender<()>) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if line == "quiet" && told.send(()).is_err() {
            return;
        }
    }
}

fn open(folder: &Path, clock: Clock) -> anyhow::Result<Archive> {
    let config = StoreConfig { now_wall_ms: clock.wall_ms(), ..StoreConfig::new(folder) };
    let store = Store::open(&config)?;
    let (recordings, _) = Recordings::open(folder, 0).context("cannot open the recordings")?;
    Ok(Archive::new(store, recordings, PartState::Ok, Arc::new(Health::default())))
}

/// Emits and promises until `orders` says quiet, then says what is left until `orders` ends.
fn tell(mut emitter: Emitter<'_>, archive: &Archive, orders: &Receiver<()>) -> anyhow::Result<()> {
    loop {
        match orders.recv_timeout(emitter.pause()) {
            Err(RecvTimeoutError::Timeout) => say(&emitter.emit()?)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(()) => break,
        }
    }
    say(&emitter.finish()?)?;
    let mut said = None;
    while orders.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Disconnected) {
        let waiting = waiting(archive);
        if said != Some(waiting) {
            say(&[Said::Waiting(waiting)])?;
            said = Some(waiting);
        }
    }
    Ok(())
}

/// Returns how many events no watermark covers.
fn waiting(archive: &Archive) -> u64 {
    let heads = archive.store().map(Store::outbox_heads).unwrap_or_default();
    heads.iter().map(|head| head.next.saturating_sub(head.through.saturating_add(1))).sum()
}

fn say(lines: &[Said]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}").context("nobody listens")?;
    }
    out.flush().context("nobody listens")
}

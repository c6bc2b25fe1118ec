//! The real link with the real store, with times so short that a campaign sees each of them pass.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use appliance::archive::Archive;
use appliance::sync::store::ArchiveStore;
use protocol::{CommandId, CommandRequest, Desired, Reported, Stream};
use sync::inbox::CommandRow;
use sync::link::LinkConfig;
use sync::outbox::{Head, OutboxConfig, OutboxStore, OutboxStoreError, Slice, Wanted};
use sync::{Host, HostFuture, InboxStore, SavedInbox, SyncConfig, SyncStatus};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::cli::{Broken, DeviceOptions};

/// Runs the link until `stop`.
pub(super) fn run(options: &DeviceOptions, archive: &Archive, stop: &CancellationToken) -> anyhow::Result<()> {
    let store = archive.store().context("the store is open")?;
    let woken = Arc::new(Notify::new());
    let wake = Arc::clone(&woken);
    store.on_events(move || wake.notify_one());
    let config = config(options, store.report().run);
    let kept = ArchiveStore(archive.clone());
    let host = Arc::new(NoHost);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        if options.broken == Some(Broken::RemoveSent) {
            sync::run(config, Arc::new(Careless(kept)), host, woken, stop.clone()).await;
        } else {
            sync::run(config, Arc::new(kept), host, woken, stop.clone()).await;
        }
    });
    Ok(())
}

/// Returns the usual configuration with all times a tenth to a sixtieth of what they are: faults come by the second.
fn config(options: &DeviceOptions, run: u64) -> SyncConfig {
    let usual = SyncConfig::new(options.name.clone(), vec![options.broker.clone()], run);
    SyncConfig {
        software: "chaos".to_owned(),
        link: LinkConfig {
            min_backoff: Duration::from_millis(50),
            max_backoff: Duration::from_secs(1),
            patience: Duration::from_secs(2),
            settled: Duration::from_secs(2),
            ..usual.link
        },
        outbox: OutboxConfig {
            resend_after: Duration::from_secs(1),
            max_resend_after: Duration::from_secs(5),
            hold: Duration::from_millis(100),
            max_hold: Duration::from_secs(1),
            remove_after: Duration::from_millis(300),
            ..usual.outbox
        },
        keep_alive: Duration::from_secs(2),
        will_delay: Duration::from_secs(2),
        report_every: Duration::from_secs(5),
        ..usual
    }
}

/// A program that has nothing to say of itself and does nothing for anybody.
#[derive(Debug)]
struct NoHost;

impl Host for NoHost {
    fn wall_ms(&self) -> Option<u64> {
        None
    }

    fn apply(&self, _: &Desired) -> Result<(), String> {
        Ok(())
    }

    fn report(&self) -> Reported {
        Reported::new(0, 0)
    }

    fn refuses(&self, request: &CommandRequest) -> Option<String> {
        Some(format!("nobody does '{}' here", request.kind))
    }

    fn execute(&self, request: CommandRequest) -> HostFuture {
        Box::pin(std::future::ready(Err(format!("nobody does '{}' here", request.kind))))
    }

    fn on_status(&self, status: &SyncStatus) {
        tracing::debug!(?status, "status");
    }
}

/// The store of a device that breaks the promise: what was sent is removed when more is read, watermark or not.
#[derive(Debug)]
struct Careless(ArchiveStore);

impl OutboxStore for Careless {
    fn heads(&self) -> Vec<Head> {
        self.0.heads()
    }

    fn slice(&self, wanted: Wanted) -> Result<Slice, OutboxStoreError> {
        self.0.acknowledge(wanted.stream, wanted.epoch, wanted.after)?;
        self.0.slice(wanted)
    }

    fn acknowledge(&self, stream: Stream, epoch: u64, through: u64) -> Result<(), OutboxStoreError> {
        self.0.acknowledge(stream, epoch, through)
    }

    fn begin_epoch(&self, stream: Stream, at_least: u64) -> Result<(), OutboxStoreError> {
        self.0.begin_epoch(stream, at_least)
    }
}

impl InboxStore for Careless {
    fn load(&self) -> Result<SavedInbox, OutboxStoreError> {
        self.0.load()
    }

    fn save_desired(&self, desired: &Desired) -> Result<(), OutboxStoreError> {
        self.0.save_desired(desired)
    }

    fn remember(&self, row: &CommandRow) -> Result<(), OutboxStoreError> {
        self.0.remember(row)
    }

    fn forget(&self, id: &CommandId) -> Result<(), OutboxStoreError> {
        self.0.forget(id)
    }
}

//! The link to the gateway: what the crate `sync` needs of the box, and what the box tells besides calls.

mod host;
pub mod store;

use std::sync::Arc;
use std::time::Duration;

use ::sync::tls::client_config;
use ::sync::{SyncConfig, SyncStatus};
use protocol::{Extra, LogLevel, LogLine, MetricsSample, NewEvent, Reported, Stamp};
use rand::RngExt as _;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::host::BoxHost;
use self::store::ArchiveStore;
use crate::app::Parts;
use crate::archive::Archive;
use crate::events::Events;
use crate::health::{Part, PartState};
use crate::logging::{Entry, LogTap};
use crate::vitals;

/// Log lines in one commit.
const LINES: usize = 64;
/// How long no line is stored after the store failed: each try logs lines of its own.
const AFTER_FAILURE: Duration = Duration::from_secs(30);
/// How often the machine is looked at.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// Looks between two samples of the figures.
const SAMPLE_EVERY: u32 = 5;
/// Shortest time between two times that losses are told. While a stream is full each commit of it loses something, and
/// what tells of losses is never dropped itself.
const LOSSES_EVERY: Duration = Duration::from_mins(10);

/// Connects to the gateway, where one is configured, until `stop`; the program has then nothing more to tell.
///
/// # Cancellation safety
///
/// Dropped half way, the gateway hears of it from the broker. Nothing is lost.
pub async fn run(parts: Arc<Parts>, tap: Option<LogTap>, stop: CancellationToken) {
    let Some(config) = configured(&parts) else { return };
    let woken = Arc::new(Notify::new());
    if let Some(store) = parts.archive.store() {
        let woken = Arc::clone(&woken);
        store.on_events(move || woken.notify_one());
    }
    let host = Arc::new(BoxHost::new(Arc::clone(&parts), tap.as_ref().map(LogTap::control)));
    let store = Arc::new(ArchiveStore(parts.archive.clone()));
    let link = ::sync::run(config, store, Arc::clone(&host), woken, stop.clone());
    tokio::join!(link, forward_lines(&parts, tap, &stop), look_at_machine(&parts, &host, &stop));
}

/// Returns how to connect, or says in `/readyz` why there is no link.
fn configured(parts: &Parts) -> Option<SyncConfig> {
    let settings = &parts.config.sync;
    if !settings.is_on() {
        parts.health.set(Part::Sync, PartState::disabled("sync.brokers names no broker; nothing is told to a gateway"));
        return None;
    }
    let device = settings.device.clone()?;
    if parts.archive.store().is_none() {
        parts.health.set(Part::Sync, PartState::degraded("there is no store to send from"));
        return None;
    }
    let tls = match settings.tls_files().map(|files| client_config(&files, built())) {
        None => None,
        Some(Ok(tls)) => Some(tls),
        Some(Err(error)) => {
            let why = format!(
                "{:#}; put the files of sync.ca, sync.certificate and sync.key in order",
                anyhow::Error::new(error)
            );
            parts.health.set(Part::Sync, PartState::degraded(why));
            return None;
        }
    };
    let config = SyncConfig::new(device, settings.brokers.clone(), parts.events.run());
    Some(SyncConfig { tls, software: crate::SOFTWARE.to_owned(), ..config })
}

/// Returns when the program was built, since 1970: no certificate that matters was made later than it is used.
fn built() -> Duration {
    humantime::parse_rfc3339(env!("KOLBOX_BUILD_TIME"))
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .unwrap_or_default()
}

/// Stores log lines to be sent.
async fn forward_lines(parts: &Parts, tap: Option<LogTap>, stop: &CancellationToken) {
    let Some(mut tap) = tap else { return };
    let mut entries = Vec::with_capacity(LINES);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            more = tap.recv(&mut entries, LINES) => if !more { return },
        }
        let lost = tap.take_lost();
        if lost > 0 {
            entries.push(Entry { line: lost_lines(lost), at: std::time::Instant::now() });
        }
        if !store_lines(parts, &entries).await {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(Instant::now() + AFTER_FAILURE) => {}
            }
        }
        entries.clear();
    }
}

fn lost_lines(count: u64) -> LogLine {
    LogLine {
        level: LogLevel::Warn,
        target: module_path!().to_owned(),
        message: "log lines came too fast and were lost".to_owned(),
        call: None,
        fields: [("count".to_owned(), count.into())].into(),
        extra: Extra::default(),
    }
}

/// Stores lines as events, stamped with when they were logged. Returns whether that went well; it logs nothing itself.
async fn store_lines(parts: &Parts, entries: &[Entry]) -> bool {
    let mut batch = ::store::Batch::new();
    batch.unhurried();
    for entry in entries {
        let ago = u64::try_from(entry.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let now = parts.events.stamp();
        let stamp = Stamp { mono_ms: now.mono_ms.saturating_sub(ago), wall_ms: now.wall_ms.saturating_sub(ago), ..now };
        let id = protocol::EventId::from_random_bytes(rand::rng().random());
        if let Ok(event) = NewEvent::new(id, stamp, &entry.line) {
            batch.emit(event);
        }
    }
    parts.archive.commit(batch).await.is_ok()
}

/// Looks at the machine now and then, and tells the figures that change.
async fn look_at_machine(parts: &Arc<Parts>, host: &BoxHost, stop: &CancellationToken) {
    let mut next = Instant::now();
    let mut next_losses = next;
    for look in 0_u32.. {
        let folder = parts.config.store.path.clone();
        let read = tokio::task::spawn_blocking(move || vitals::read(&folder, Reported::new(0, 0))).await;
        if let Ok(report) = read {
            if look % SAMPLE_EVERY == 0 {
                sample(parts, &report).await;
            }
            host.set_vitals(report);
        }
        if next_losses <= Instant::now() && tell_losses(&parts.archive, &parts.events).await {
            next_losses = Instant::now() + LOSSES_EVERY;
        }
        next += LOOK_EVERY;
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(next) => {}
        }
    }
}

/// Tells which events were dropped since this was told last. Returns whether there was anything to tell.
async fn tell_losses(archive: &Archive, events: &Events) -> bool {
    let drops = archive.store().map(::store::Store::outbox_drops).unwrap_or_default();
    let mut batch = ::store::Batch::new();
    for drop in &drops {
        events.outbox_lost(&mut batch, drop);
    }
    if batch.is_empty() {
        return false;
    }
    match archive.commit(batch).await {
        Ok(()) => {
            for ::store::OutboxDrop { stream, from, to, cause, .. } in drops {
                tracing::warn!(%stream, from, to, ?cause, "events were dropped for want of room");
            }
            true
        }
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "losses not told yet");
            false
        }
    }
}

async fn sample(parts: &Parts, report: &Reported) {
    #[expect(clippy::cast_precision_loss, reason = "figures of a machine are far below 2^53")]
    let figure = |value: u64| value as f64;
    let mut values = std::collections::BTreeMap::new();
    let mut put = |name: &str, value: Option<f64>| {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            values.insert(name.to_owned(), value);
        }
    };
    put("cpu_temperature_c", report.temperature_c);
    put("disk_free_bytes", report.disk.as_ref().map(|disk| figure(disk.free_bytes)));
    put("memory_available_bytes", report.memory.as_ref().map(|memory| figure(memory.available_bytes)));
    put("uptime_ms", report.uptime_ms.map(figure));
    put("calls_active", u64::try_from(parts.metrics.calls_active.get()).ok().map(figure));
    put("voicemails", Some(figure(parts.metrics.voicemails.get())));
    let mut batch = ::store::Batch::new();
    batch.unhurried();
    parts.events.put(&mut batch, &MetricsSample { values, extra: Extra::default() });
    if let Err(error) = parts.archive.commit(batch).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "figures not kept");
    }
}

/// Says in `/readyz` and `/metrics` how the link stands.
fn tell(parts: &Parts, status: &SyncStatus) {
    parts.health.set(Part::Sync, state_of(status));
    let metrics = &parts.metrics;
    metrics.sync_up.set(i64::from(matches!(status.link, ::sync::LinkStatus::Up(_))));
    for stream in &status.streams {
        let dropped = parts.archive.store().map_or(0, |store| {
            let loss = store.outbox_loss(stream.stream);
            loss.dropped.saturating_add(loss.damaged)
        });
        metrics.outbox(stream.stream.as_str(), stream.waiting, stream.bytes, dropped);
    }
}

fn state_of(status: &SyncStatus) -> PartState {
    let refused = status.streams.iter().find_map(|stream| Some((stream.stream, stream.refused?)));
    match (&status.link, refused) {
        (::sync::LinkStatus::Up(_), None) => PartState::Ok,
        (::sync::LinkStatus::Up(broker), Some((stream, refusal))) => {
            PartState::degraded(format!("{broker} refuses the stream {stream} ({refusal:?}); it is kept"))
        }
        (::sync::LinkStatus::Down(trouble), _) => {
            let why = trouble.map_or("not connected yet", ::sync::link::Trouble::as_str);
            PartState::degraded(format!("no connection to the gateway's broker ({why}); what is to be told is kept"))
        }
    }
}

#[cfg(test)]
mod tests;

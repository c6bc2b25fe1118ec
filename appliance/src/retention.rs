//! Lets go of what is old, so that there is always room for the next message.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use store::{CallRecord, RetentionRule, StoreError, plan_retention};
use tokio::time::{Instant, sleep_until};

use crate::app::Parts;
use crate::archive::Archive;
use crate::messages;

/// First look after the start, when calls that wait have been answered.
const FIRST: Duration = Duration::from_mins(1);
/// Time between two looks.
const EVERY: Duration = Duration::from_hours(1);
/// Age at which a call is over, whatever was told of it: the carrier lets none last longer.
const LONGEST_CALL: Duration = Duration::from_hours(24);
/// How long a webhook's name is kept; the carrier repeats within minutes.
const WEBHOOKS_MS: u64 = 24 * 60 * 60 * 1_000;
/// Names of webhooks kept at least.
const MIN_WEBHOOKS: usize = 10_000;
/// Call logs kept, two of a call: about 100 kB for each conversation without audio, 1 kB for its course.
const MAX_CALL_LOGS: usize = 2_000;
/// Bytes of call logs kept.
const MAX_CALL_LOG_BYTES: u64 = 1 << 30;

/// Looks now and then until the program stops.
///
/// # Cancellation safety
///
/// Dropped half way, what was not let go of is let go of at the next look.
pub async fn run(parts: Arc<Parts>) {
    let mut next = Instant::now() + FIRST;
    loop {
        tokio::select! {
            () = parts.shutdown.cancelled() => return,
            () = sleep_until(next) => {}
        }
        next += EVERY;
        let now_wall_ms = parts.clock.wall_ms();
        let logs = parts.config.store.path.join("calls");
        let looked = parts.archive.blocking(move |archive| {
            prune_call_logs(&logs);
            drop_old(archive, now_wall_ms)
        });
        if let Some(Err(error)) = looked.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "old recordings not let go of");
        }
        end_lost_calls(&parts, LONGEST_CALL).await;
        messages::trim(&parts, messages::KeptFiles::default()).await;
    }
}

/// Ends calls that came in so long ago or longer and of whose end the carrier never told, as when the address for that is
/// not set at the number. Whoever has a call in hand ends it.
///
/// # Cancellation safety
///
/// Dropped half way, they are ended all the same.
pub async fn end_lost_calls(parts: &Arc<Parts>, age: Duration) {
    let (known, alone) = (Arc::clone(parts), parts.end_lock.alone().await);
    let ended = parts.archive.blocking(move |archive| {
        let Some(store) = archive.store() else { return Ok(0) };
        // What is open is of this run, whose clock never jumps.
        let now = known.clock.now();
        let is_lost = |call: &CallRecord| {
            now.saturating_sub(Duration::from_millis(call.started_monotonic_ms)) >= age
                && !known.switchboard.is_in_hand(&call.call)
        };
        // Its turns were told when its stream ended.
        let ended = store.close_interrupted_calls(is_lost, |batch, call| known.events.call_ended(batch, call));
        drop(alone);
        ended
    });
    match ended.await {
        Some(Ok(0)) | None => {}
        Some(Ok(count)) => tracing::warn!(count, "calls ended of whose end the carrier never told"),
        Some(Err(error)) => tracing::warn!(error = &error as &dyn std::error::Error, "lost calls not ended"),
    }
}

fn drop_old(archive: &Archive, now_wall_ms: u64) -> Result<(), StoreError> {
    let (Some(store), Some(recordings)) = (archive.store(), archive.recordings()) else { return Ok(()) };
    let held = store.held_recordings(recordings)?;
    let free_bytes = recordings.free_bytes().unwrap_or(u64::MAX);
    let plan = plan_retention(&RetentionRule::default(), now_wall_ms, free_bytes, &held);
    let dropped = store.drop_planned(&plan, recordings)?;
    let webhooks = store.trim_webhook_keys(now_wall_ms.saturating_sub(WEBHOOKS_MS), MIN_WEBHOOKS)?;
    tracing::info!(?dropped, webhooks, "looked for what is old");
    Ok(())
}

/// Removes the oldest call logs beyond the limits. One that cannot be removed is tried again at the next look.
fn prune_call_logs(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut logs: Vec<(SystemTime, u64, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .filter(|(_, _, path)| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    let (mut kept, mut bytes, mut removed) = (0_usize, 0_u64, 0_usize);
    for (_, len, path) in logs.iter().rev() {
        bytes = bytes.saturating_add(*len);
        if kept < MAX_CALL_LOGS && bytes <= MAX_CALL_LOG_BYTES {
            kept += 1;
        } else if fs::remove_file(path).is_ok() {
            removed += 1;
        }
    }
    if removed > 0 {
        tracing::info!(removed, "old call logs removed");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{MAX_CALL_LOGS, prune_call_logs};

    #[test]
    fn as_many_logs_are_kept_as_may_be_and_other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..MAX_CALL_LOGS + 5 {
            fs::write(folder.path().join(format!("CA{number}.log")), "x").unwrap();
        }
        fs::write(folder.path().join("notes.txt"), "x").unwrap();
        prune_call_logs(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), MAX_CALL_LOGS + 1);
    }
}

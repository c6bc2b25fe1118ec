//! Calls customers who asked for it, within the hours in which that may be done.
//!
//! What is to be called stands in the store, and a try is noted there before the carrier is asked: a box that dies
//! meanwhile does not ring twice.

use std::sync::Arc;
use std::time::Duration;

use carrier::{CallEvent, CarrierError, CreateCall, Instructions, MachineDetection, StatusCallback, WaitFor};
use routing::Answerer;
use routing::call_back::{CallBack, Config, Outcome};
use store::{Batch, CallBackRow, CallBacks as Table, CommitError, EncodeError, Query};
use telephony::markup::HttpMethod;
use telephony::wire::Address;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep_until};
use units::{CallId, Language, Pii};

use crate::app::Parts;

/// Call-backs looked at, the oldest first; more than that wait behind them.
const MAX_LOOKED_AT: usize = 1_000;
/// Longest time between two looks: the wall clock may be set meanwhile.
const LOOK: Duration = Duration::from_mins(1);
/// Time between two calls; the carrier places one a second by default.
const BETWEEN: Duration = Duration::from_secs(1);
/// Wait after a carrier that could not be asked.
const AGAIN: Duration = Duration::from_mins(1);

/// Who changes a row holds this; who waits for one to change is told.
#[derive(Debug, Default)]
pub struct CallBacks {
    changing: Mutex<()>,
    changed: Notify,
}

/// A customer who wants to be called.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The number, in E.164.
    pub number: Pii<String>,
    /// The language to speak.
    pub language: Language,
    /// Why.
    pub reason: Pii<String>,
    /// Not before this moment, in milliseconds since 1970.
    pub not_before_ms: u64,
}

/// Adds to `batch` that somebody wants to be called, and returns the name of the call-back and its row. When the batch is
/// committed, [`wake`] the worker.
///
/// # Errors
///
/// When it cannot be written.
pub fn add(parts: &Parts, batch: &mut Batch, wanted: Wanted) -> Result<(String, CallBackRow), EncodeError> {
    let asked_wall_ms = parts.clock.wall_ms();
    let id = format!("{asked_wall_ms:013}-{:08x}", rand::random::<u32>());
    let progress = CallBack::new(wanted.not_before_ms.max(asked_wall_ms));
    let Wanted { number, language, reason, .. } = wanted;
    let row = CallBackRow { number, language, reason, asked_wall_ms, progress: json(&progress), call: None };
    batch.put::<Table>(&id, &row)?;
    Ok((id, row))
}

/// Lets the worker look at once.
pub fn wake(parts: &Parts) {
    parts.call_backs.changed.notify_one();
}

/// Takes a call-back back; `None` when there is none of that name, `Some(false)` when it is too late.
///
/// # Errors
///
/// When it cannot be kept.
pub async fn cancel(parts: &Parts, id: &str) -> Result<Option<bool>, CommitError> {
    let mut is_canceled = false;
    let known = change(parts, id, |_, progress| {
        is_canceled = progress.cancel();
        is_canceled
    });
    let known = known.await?.is_some();
    Ok(known.then_some(is_canceled))
}

/// Notes who picked up, and returns whom and in what language; `None` when nobody asked for this call.
///
/// # Errors
///
/// When it cannot be kept.
pub async fn picked_up(
    parts: &Parts,
    id: &str,
    call: &CallId,
    answerer: Answerer,
) -> Result<Option<CallBackRow>, CommitError> {
    note(parts, id, Some(call), Outcome::PickedUp(answerer)).await
}

/// Notes that the call is over.
///
/// # Errors
///
/// When it cannot be kept.
pub async fn over(parts: &Parts, id: &str, call: &CallId, was_answered: bool) -> Result<(), CommitError> {
    note(parts, id, Some(call), Outcome::Over { was_answered }).await?;
    wake(parts);
    Ok(())
}

/// Calls customers until the program stops.
///
/// # Cancellation safety
///
/// Dropped half way, a call that was being placed becomes uncertain.
pub async fn run(parts: Arc<Parts>) {
    let (Some(from), Some(_)) = (&parts.config.call_backs.from, &parts.carrier) else { return };
    let from = Address::of(from.reveal());
    while !parts.shutdown.is_cancelled() {
        let now_ms = parts.clock.wall_ms();
        let next = next(&parts).await;
        let wait = next.as_ref().map_or(LOOK, |(_, due)| Duration::from_millis(due.saturating_sub(now_ms)).min(LOOK));
        if let Some((id, _)) = next.filter(|(_, due)| *due <= now_ms) {
            place(&parts, &id, &from).await;
        }
        tokio::select! {
            () = parts.shutdown.cancelled() => {}
            () = parts.call_backs.changed.notified(), if !wait.is_zero() => {}
            () = sleep_until(Instant::now() + wait.max(BETWEEN)) => {}
        }
    }
}

/// Returns the call-back that is due first, and when.
async fn next(parts: &Parts) -> Option<(String, u64)> {
    let oldest = Query::<Table>::all().limit(MAX_LOOKED_AT);
    let rows = parts.archive.blocking(move |archive| archive.store()?.query(&oldest).ok()).await.flatten()?;
    let due = rows.into_iter().filter_map(|(id, row)| Some((id, permitted(parts, progress(&row)?.due_ms()?)?)));
    due.min_by_key(|(_, due)| *due)
}

/// Returns the first moment from `due_ms` on at which a customer may be called.
fn permitted(parts: &Parts, due_ms: u64) -> Option<u64> {
    let Some(calendar) = &parts.calendar else { return Some(due_ms) };
    let from_ms = due_ms.max(parts.clock.wall_ms());
    let from = jiff::Timestamp::from_millisecond(i64::try_from(from_ms).ok()?).ok()?;
    u64::try_from(calendar.next_call(from)?.as_millisecond()).ok()
}

/// Begins a try, and asks the carrier.
async fn place(parts: &Parts, id: &str, from: &Address) {
    let now_ms = parts.clock.wall_ms();
    let mut begun = None;
    let kept = change(parts, id, |row, progress| {
        if progress.begin(now_ms) {
            begun = Some(row.clone());
        }
        true
    });
    // A try that could not be noted is not begun.
    let (Ok(_), Some(row), Some(carrier)) = (kept.await, begun, &parts.carrier) else { return };
    let answer = carrier.create_call(&call(parts, id, &row, from)).await;
    let (call, outcome) = match &answer {
        Ok(call) => (Some(call), Outcome::Placed),
        Err(CarrierError::Uncertain) => (None, Outcome::NoAnswer),
        Err(error) if error.is_transient() => (None, Outcome::NotYet(error.retry_after().unwrap_or(AGAIN))),
        Err(_) => (None, Outcome::Refused),
    };
    match &answer {
        Ok(call) => tracing::info!(call_id = %call, "customer called back"),
        Err(error) => tracing::warn!(error = error as &dyn std::error::Error, "customer not called back"),
    }
    if let Err(error) = note(parts, id, call, outcome).await {
        tracing::error!(error = &error as &dyn std::error::Error, "what came of a call-back is not kept");
    }
}

fn call(parts: &Parts, id: &str, row: &CallBackRow, from: &Address) -> CreateCall {
    let base = &parts.config.http.public_url;
    let answer = Instructions::Url { url: base.webhook(&format!("/webhook/call_back/{id}")), method: HttpMethod::Post };
    let mut call = CreateCall::new(Address::of(row.number.reveal()), from.clone(), answer);
    let url = base.webhook(&format!("/webhook/call_back_status/{id}"));
    call.status = Some(StatusCallback { url, events: vec![CallEvent::Completed] });
    call.ring_for_s = u32::try_from(parts.config.call_backs.ring.as_secs()).ok();
    // With a machine, until its greeting is over: word can be left then.
    call.machine_detection = Some(MachineDetection::new(WaitFor::MessageEnd));
    call
}

async fn note(
    parts: &Parts,
    id: &str,
    call: Option<&CallId>,
    outcome: Outcome,
) -> Result<Option<CallBackRow>, CommitError> {
    let wanted = &parts.config.call_backs;
    let (config, now_ms) = (Config { tries: wanted.tries.get(), wait: wanted.wait }, parts.clock.wall_ms());
    change(parts, id, |row, progress| {
        let is_named = call.is_some_and(|call| row.call.as_ref() != Some(call));
        if is_named {
            row.call = call.cloned();
        }
        progress.note(config, now_ms, outcome) || is_named
    })
    .await
}

/// Changes a row, one after the other; `None` when there is none. `work` says whether it is to be kept.
async fn change(
    parts: &Parts,
    id: &str,
    work: impl FnOnce(&mut CallBackRow, &mut CallBack) -> bool,
) -> Result<Option<CallBackRow>, CommitError> {
    let _changing = parts.call_backs.changing.lock().await;
    let Some(mut row) = get(parts, id).await else { return Ok(None) };
    let Some(mut progress) = progress(&row) else { return Ok(None) };
    if work(&mut row, &mut progress) {
        row.progress = json(&progress);
        put(parts, id, &row).await?;
    }
    Ok(Some(row))
}

/// Returns a call-back by its name.
pub async fn get(parts: &Parts, id: &str) -> Option<CallBackRow> {
    let id = id.to_owned();
    parts.archive.blocking(move |archive| archive.store()?.get::<Table>(&id).ok().flatten()).await.flatten()
}

/// Returns where a call-back stands.
pub fn progress(row: &CallBackRow) -> Option<CallBack> {
    serde_json::from_value(row.progress.clone()).ok()
}

fn json(progress: &CallBack) -> serde_json::Value {
    serde_json::to_value(progress).unwrap_or_default()
}

async fn put(parts: &Parts, id: &str, row: &CallBackRow) -> Result<(), CommitError> {
    let mut batch = Batch::new();
    batch.put::<Table>(&id.to_owned(), row)?;
    parts.archive.commit(batch).await
}

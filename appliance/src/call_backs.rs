//! Calls customers who asked for it, within the hours in which that may be done.
//!
//! What is to be called stands in the store, and a try is noted there before the carrier is asked: a box that dies
//! meanwhile does not ring twice. Those that are not over are kept in memory too, in the order in which they are due, so
//! that a look costs the same however many customers were called before.
//!
//! **Invariant:** whatever is in the store and not over is in memory once its commit is done, whoever waits for it.
//! What is in memory only was not committed, and is forgotten when it is looked for.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use calendar::Calendar;
use carrier::{CallEvent, CarrierError, CreateCall, Instructions, MachineDetection, StatusCallback, WaitFor};
use routing::call_back::{CallBack, Config, Outcome, State};
use routing::{Agenda, Answerer};
use store::{Batch, CallBackRow, CallBacks as Table, CommitError, EncodeError, Query, ReadError};
use telephony::markup::HttpMethod;
use telephony::wire::Address;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep_until};
use units::{CallId, Language, Pii};

use crate::app::Parts;

/// Call-backs that may wait at once.
const MAX_OPEN: usize = 10_000;
/// Rows read at once at the start.
const PAGE: usize = 1_000;
/// Longest time between two looks: the wall clock may be set meanwhile.
const LOOK: Duration = Duration::from_mins(1);
/// Time between two calls; the carrier places one a second by default.
const BETWEEN: Duration = Duration::from_secs(1);
/// Wait after a carrier that could not be asked.
const AGAIN: Duration = Duration::from_mins(1);

/// Who changes a row holds this; who waits for one to change is told.
#[derive(Debug)]
pub struct CallBacks {
    hours: Calendar,
    changing: Arc<Mutex<()>>,
    open: Arc<Open>,
}

impl CallBacks {
    /// Calls customers within the call-back hours of this calendar.
    pub fn new(hours: Calendar) -> Self {
        Self { hours, changing: Arc::default(), open: Arc::default() }
    }
}

/// Those that are not over.
#[derive(Debug, Default)]
struct Open {
    agenda: std::sync::Mutex<Agenda>,
    changed: Notify,
}

impl Open {
    fn agenda(&self) -> MutexGuard<'_, Agenda> {
        // A change of the agenda is whole before anything in it can panic.
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, id: &str, progress: Option<CallBack>) {
        self.agenda().set(id, progress.and_then(|progress| progress.due_ms()));
    }
}

/// A call-back whose row is being written: as it is then in memory too, from the moment on at which this is dropped.
#[derive(Debug)]
pub struct Noting {
    open: Arc<Open>,
    id: String,
    progress: CallBack,
}

impl Drop for Noting {
    fn drop(&mut self) {
        self.open.set(&self.id, Some(self.progress));
        self.open.changed.notify_one();
    }
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

/// Returns whether as many call-backs wait as may.
pub fn is_full(parts: &Parts) -> bool {
    parts.call_backs.open.agenda().len() >= MAX_OPEN
}

/// Adds to `batch` that somebody wants to be called, and returns the name of the call-back and its row. The batch is
/// committed with [`crate::archive::Archive::commit_holding`] the last value.
///
/// # Errors
///
/// When it cannot be written.
pub fn add(parts: &Parts, batch: &mut Batch, wanted: Wanted) -> Result<(String, CallBackRow, Noting), EncodeError> {
    let asked_wall_ms = parts.clock.wall_ms();
    let id = format!("{asked_wall_ms:013}-{:08x}", rand::random::<u32>());
    let progress = CallBack::new(wanted.not_before_ms.max(asked_wall_ms));
    let Wanted { number, language, reason, .. } = wanted;
    let row = CallBackRow { number, language, reason, asked_wall_ms, progress: json(&progress), call: None };
    batch.put::<Table>(&id, &row)?;
    let noting = Noting { open: Arc::clone(&parts.call_backs.open), id: id.clone(), progress };
    Ok((id, row, noting))
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

/// Notes who picked up, and returns whom and in what language; `None` when nobody asked for this call. `name` is that of
/// the try, as in the addresses the carrier was given.
///
/// # Errors
///
/// When it cannot be kept.
pub async fn picked_up(
    parts: &Parts,
    name: &str,
    call: &CallId,
    answerer: Answerer,
) -> Result<Option<CallBackRow>, CommitError> {
    let Some(of) = Try::named(name) else { return Ok(None) };
    note(parts, of, Some(call), Outcome::PickedUp(answerer)).await
}

/// Notes that the call is over. `name` is that of the try.
///
/// # Errors
///
/// When it cannot be kept.
pub async fn over(parts: &Parts, name: &str, call: &CallId, was_answered: bool) -> Result<(), CommitError> {
    let Some(of) = Try::named(name) else { return Ok(()) };
    let row = note(parts, of, Some(call), Outcome::Over).await?;
    let waits =
        row.and_then(|row| progress(&row)).is_some_and(|progress| matches!(progress.state, State::Waiting { .. }));
    if waits && was_answered {
        tracing::info!(call_id = %call, "a customer answered and was not spoken to; called again later");
    }
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
    let mut is_loaded = false;
    while !parts.shutdown.is_cancelled() {
        is_loaded = is_loaded || load(&parts).await;
        let next = next(&parts);
        let wait = next.as_ref().map_or(LOOK, |(_, wait)| LOOK.min(*wait));
        if let Some((id, _)) = next.filter(|(_, wait)| wait.is_zero()) {
            place(&parts, &id, &from).await;
        }
        tokio::select! {
            () = parts.shutdown.cancelled() => {}
            () = parts.call_backs.open.changed.notified(), if !wait.is_zero() => {}
            () = sleep_until(Instant::now() + wait.max(BETWEEN)) => {}
        }
    }
}

/// Finds what the run before this one left; returns whether that could be read. Nobody changes a row meanwhile.
async fn load(parts: &Parts) -> bool {
    let _changing = parts.call_backs.changing.lock().await;
    let open = Arc::clone(&parts.call_backs.open);
    let reading = parts.archive.blocking(move |archive| {
        let store = archive.store()?;
        let mut query = Query::<Table>::all().limit(PAGE);
        loop {
            let rows = store.query(&query).ok()?;
            for (id, row) in &rows {
                open.set(id, progress(row));
            }
            let Some((last, _)) = rows.last().filter(|_| rows.len() == PAGE) else { return Some(()) };
            query = Query::<Table>::all().limit(PAGE).after(last);
        }
    });
    reading.await.flatten().is_some()
}

/// Returns the call-back that is due first, and how long it has to wait: what is due sooner may be placed sooner.
fn next(parts: &Parts) -> Option<(String, Duration)> {
    let (id, due_ms) = {
        let agenda = parts.call_backs.open.agenda();
        let (id, due_ms) = agenda.next()?;
        (id.to_owned(), due_ms)
    };
    let now_ms = parts.clock.is_set().then(|| parts.clock.wall_ms());
    Some((id, wait(&parts.call_backs.hours, now_ms, due_ms)?))
}

/// Returns how long a customer who is due has to wait for an hour at which customers may be called; `None` when there is
/// none, or nobody knows what time it is.
fn wait(hours: &Calendar, now_ms: Option<u64>, due_ms: u64) -> Option<Duration> {
    let now_ms = now_ms?;
    let from = jiff::Timestamp::from_millisecond(i64::try_from(due_ms.max(now_ms)).ok()?).ok()?;
    let permitted_ms = u64::try_from(hours.next_call(from)?.as_millisecond()).ok()?;
    Some(Duration::from_millis(permitted_ms.saturating_sub(now_ms)))
}

/// One try of a call-back. Its name is in the addresses the carrier is given, so that what comes late or twice of one try is
/// not taken for the next, even while nobody knows the carrier's name of its call.
#[derive(Clone, Copy, Debug)]
struct Try<'a> {
    id: &'a str,
    /// From 1.
    number: u32,
}

impl<'a> Try<'a> {
    fn named(name: &'a str) -> Option<Self> {
        let (id, number) = name.rsplit_once('.')?;
        Some(Self { id, number: number.parse().ok()? })
    }

    fn name(self) -> String {
        format!("{}.{}", self.id, self.number)
    }
}

/// Begins a try, and asks the carrier.
async fn place(parts: &Parts, id: &str, from: &Address) {
    let now_ms = parts.clock.wall_ms();
    let mut begun = None;
    let kept = change(parts, id, |row, progress| {
        if progress.begin(now_ms) {
            row.call = None;
            begun = Some((row.clone(), progress.tries));
        }
        true
    });
    let kept = kept.await;
    // A try that could not be noted is not begun.
    let (Ok(_), Some((row, number)), Some(carrier)) = (kept, begun, &parts.carrier) else {
        put_off(parts, id, now_ms);
        return;
    };
    let of = Try { id, number };
    let answer = carrier.create_call(&call(parts, of, &row, from)).await;
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
    if let Err(error) = note(parts, of, call, outcome).await {
        tracing::error!(error = &error as &dyn std::error::Error, "what came of a call-back is not kept");
    }
}

/// Keeps one that is due and cannot be begun from being looked at all the time.
fn put_off(parts: &Parts, id: &str, now_ms: u64) {
    let mut agenda = parts.call_backs.open.agenda();
    if agenda.next().is_some_and(|(next, due_ms)| next == id && due_ms <= now_ms) {
        agenda.set(id, Some(now_ms.saturating_add(u64::try_from(AGAIN.as_millis()).unwrap_or(u64::MAX))));
    }
}

fn call(parts: &Parts, of: Try<'_>, row: &CallBackRow, from: &Address) -> CreateCall {
    let (base, name) = (&parts.config.http.public_url, of.name());
    let url = base.webhook(&format!("/webhook/call_back/{name}"));
    let answer = Instructions::Url { url, method: HttpMethod::Post };
    let mut call = CreateCall::new(Address::of(row.number.reveal()), from.clone(), answer);
    let url = base.webhook(&format!("/webhook/call_back_status/{name}"));
    call.status = Some(StatusCallback { url, events: vec![CallEvent::Completed] });
    call.ring_for_s = u32::try_from(parts.config.call_backs.ring.as_secs()).ok();
    // With a machine, until its greeting is over: word can be left then.
    call.machine_detection = Some(MachineDetection::new(WaitFor::MessageEnd));
    call
}

async fn note(
    parts: &Parts,
    of: Try<'_>,
    call: Option<&CallId>,
    outcome: Outcome,
) -> Result<Option<CallBackRow>, CommitError> {
    let wanted = &parts.config.call_backs;
    let (config, now_ms) = (Config { tries: wanted.tries.get(), wait: wanted.wait }, parts.clock.wall_ms());
    change(parts, of.id, |row, progress| {
        if of.number != progress.tries {
            return false;
        }
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
    let changing = Arc::clone(&parts.call_backs.changing).lock_owned().await;
    let open = &parts.call_backs.open;
    let mut row = match read(parts, id).await {
        Some(Ok(Some(row))) => row,
        // Nothing was committed under this name.
        None | Some(Ok(None)) => {
            open.set(id, None);
            return Ok(None);
        }
        Some(Err(_)) => return Ok(None),
    };
    let before = progress(&row);
    open.set(id, before);
    let Some(mut progress) = before else { return Ok(None) };
    if work(&mut row, &mut progress) {
        row.progress = json(&progress);
        let mut batch = Batch::new();
        batch.put::<Table>(&id.to_owned(), &row)?;
        let noting = Noting { open: Arc::clone(open), id: id.to_owned(), progress };
        // Whoever asked may be gone before the disk has confirmed it; the next one waits for that all the same.
        if let Err(error) = parts.archive.commit_holding(batch, (noting, changing)).await {
            open.set(id, before);
            return Err(error);
        }
    }
    Ok(Some(row))
}

/// Returns a call-back by its name.
pub async fn get(parts: &Parts, id: &str) -> Option<CallBackRow> {
    read(parts, id).await?.ok().flatten()
}

/// Reads a row; `None` without a store.
async fn read(parts: &Parts, id: &str) -> Option<Result<Option<CallBackRow>, ReadError>> {
    let id = id.to_owned();
    parts.archive.blocking(move |archive| Some(archive.store()?.get::<Table>(&id))).await.flatten()
}

/// Returns where a call-back stands.
pub fn progress(row: &CallBackRow) -> Option<CallBack> {
    serde_json::from_value(row.progress.clone()).ok()
}

fn json(progress: &CallBack) -> serde_json::Value {
    serde_json::to_value(progress).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use calendar::Calendar;

    use super::wait;
    use crate::config::Config;

    const SMALLEST: &str = "[http]\npublic_url = 'https://office.example.org'\n[carrier]\n";

    fn hours(tables: &str) -> Calendar {
        let config = Config::parse(Path::new("kolbox.toml"), &format!("{SMALLEST}{tables}")).unwrap();
        Calendar::new(&config.call_back_calendar()).unwrap()
    }

    fn ms(moment: &str) -> u64 {
        u64::try_from(moment.parse::<jiff::Timestamp>().unwrap().as_millisecond()).unwrap()
    }

    fn check(hours: &Calendar, now: &str, permitted: &str) {
        let waited = Duration::from_millis(ms(permitted) - ms(now));
        assert_eq!(wait(hours, Some(ms(now)), 0), Some(waited), "at {now}");
    }

    #[test]
    fn without_hours_customers_are_called_by_day_and_never_on_a_day_of_rest() {
        for hours in [hours(""), hours("[calendar]\ncity = 'haifa'\n")] {
            check(&hours, "2026-11-22T12:00:00+02:00", "2026-11-22T12:00:00+02:00");
            check(&hours, "2026-11-23T03:00:00+02:00", "2026-11-23T09:00:00+02:00");
            check(&hours, "2026-11-23T19:00:00+02:00", "2026-11-24T09:00:00+02:00");
            // Friday afternoon and the Sabbath.
            check(&hours, "2026-11-20T12:00:00+02:00", "2026-11-22T09:00:00+02:00");
            check(&hours, "2026-11-21T12:00:00+02:00", "2026-11-22T09:00:00+02:00");
            // Yom Kippur, a Monday.
            check(&hours, "2026-09-21T12:00:00+03:00", "2026-09-22T09:00:00+03:00");
        }
    }

    #[test]
    fn the_offices_hours_hold_for_calls_and_those_for_calls_before_them() {
        let office = hours("[calendar.hours]\nsunday = ['20:00-21:00']\n");
        check(&office, "2026-11-22T12:00:00+02:00", "2026-11-22T20:00:00+02:00");
        let calls =
            hours("[calendar.hours]\nsunday = ['20:00-21:00']\n[calendar.call_back]\nmonday = ['10:00-11:00']\n");
        check(&calls, "2026-11-22T12:00:00+02:00", "2026-11-23T10:00:00+02:00");
    }

    #[test]
    fn nobody_is_called_while_nobody_knows_what_time_it_is() {
        assert_eq!(wait(&hours(""), None, 0), None);
    }
}

//! Messages callers left: fetched from the carrier until they are here, then transcribed.
//!
//! What has to be fetched stands in the store, so that a message that was acknowledged is fetched after a restart too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use media::wav::Wav;
use speech::RecognizeError;
use store::{Batch, Order, Query, RecordingError, RecordingName, VoicemailKey, VoicemailRecord, Voicemails};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use units::Pii;

use crate::app::Parts;
use crate::call::ear::Ear;
use crate::events::Events;
use crate::sound;
use crate::voice::Heard;

/// Messages that may wait to be noticed by the worker; those beyond are found in the store at the next start.
const REQUESTS: usize = 64;
/// First wait after a failed fetch; doubled each time.
const FIRST_BACK_OFF: Duration = Duration::from_secs(2);
/// Longest wait between two fetches.
const MAX_BACK_OFF: Duration = Duration::from_mins(30);
/// Messages looked through for ones to fetch, the newest first.
const MAX_LOOKED_AT: usize = 10_000;

/// A message to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Which.
    pub key: VoicemailKey,
}

/// Where requests to fetch are handed in.
#[derive(Clone, Debug)]
pub struct Mailbox {
    requests: mpsc::Sender<Fetch>,
}

/// The worker's end.
#[derive(Debug)]
pub struct Requests(mpsc::Receiver<Fetch>);

impl Mailbox {
    /// Makes both ends.
    pub fn new() -> (Self, Requests) {
        let (requests, receiver) = mpsc::channel(REQUESTS);
        (Self { requests }, Requests(receiver))
    }

    /// Asks for a message to be fetched. Never waits: when too many wait, it is found in the store later.
    pub fn request(&self, fetch: Fetch) {
        if self.requests.try_send(fetch).is_err() {
            tracing::warn!("many messages to fetch; this one is fetched after the next start");
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Try {
    at: Instant,
    number: u32,
}

/// Fetches messages until the program stops.
///
/// # Cancellation safety
///
/// Dropped half way, what was not fetched is fetched after the next start.
pub async fn run(parts: Arc<Parts>, mut requests: Requests) {
    let now = Instant::now();
    let mut waiting: BTreeMap<VoicemailKey, Try> =
        unfetched(&parts).await.into_iter().map(|key| (key, Try { at: now, number: 1 })).collect();
    loop {
        let due = waiting.iter().min_by_key(|(_, attempt)| attempt.at).map(|(key, attempt)| (key.clone(), *attempt));
        let wake = due.as_ref().map_or_else(|| Instant::now() + MAX_BACK_OFF, |(_, attempt)| attempt.at);
        tokio::select! {
            () = parts.shutdown.cancelled() => return,
            Some(fetch) = requests.0.recv() => {
                waiting.entry(fetch.key).or_insert(Try { at: Instant::now(), number: 1 });
            }
            () = sleep_until(wake) => {
                let Some((key, attempt)) = due else {
                    // Whatever did not fit into the queue is found in the store.
                    let at = Instant::now();
                    waiting.extend(unfetched(&parts).await.into_iter().map(|key| (key, Try { at, number: 1 })));
                    continue;
                };
                waiting.remove(&key);
                let fetched = tokio::select! {
                    () = parts.shutdown.cancelled() => return,
                    fetched = fetch(&parts, &key) => fetched,
                };
                if fetched == Err(true) {
                    let wait = FIRST_BACK_OFF.saturating_mul(1 << attempt.number.min(12)).min(MAX_BACK_OFF);
                    waiting.insert(key, Try { at: Instant::now() + wait, number: attempt.number.saturating_add(1) });
                }
            }
        }
    }
}

async fn unfetched(parts: &Parts) -> Vec<VoicemailKey> {
    let found = parts.archive.blocking(|archive| archive.store()?.query(&newest()).ok()).await;
    let rows = found.flatten().unwrap_or_default();
    rows.into_iter().filter(|(_, row)| needs_work(row)).map(|(key, _)| key).collect()
}

fn newest() -> Query<Voicemails> {
    Query::all().order(Order::Descending).limit(MAX_LOOKED_AT)
}

/// Returns whether a message is still to be fetched or transcribed.
fn needs_work(row: &VoicemailRecord) -> bool {
    row.source.is_some() && (row.recording.is_none() || row.transcript.is_none())
}

/// Fetches and transcribes one message. `Err(true)` when it is worth another try.
async fn fetch(parts: &Arc<Parts>, key: &VoicemailKey) -> Result<(), bool> {
    let id = key.clone();
    let row = parts.archive.blocking(move |archive| archive.store()?.get::<Voicemails>(&id).ok().flatten()).await;
    let Some(mut record) = row.flatten() else { return Err(false) };
    let (Some(carrier), Some(source)) = (&parts.carrier, &record.source) else { return Err(false) };
    let wav = carrier.recording(source).await.map_err(|error| {
        let call_id = &key.call;
        tracing::warn!(%call_id, error = &error as &dyn std::error::Error, "message not fetched yet");
        error.is_transient()
    })?;
    let wav = Arc::new(wav);
    keep(parts, &mut record, Arc::clone(&wav)).await?;
    record.transcript = Some(Pii::new(transcribe(parts, wav).await?));
    // From here on the message is ours alone; when retention takes the recording, it is not fetched again.
    record.source = None;
    put(parts, &record, Events::voicemail_transcribed).await?;
    parts.metrics.messages_fetched.inc();
    tracing::info!(call_id = %key.call, "message fetched");
    Ok(())
}

/// Puts the audio on the disk and notes it in `record`.
async fn keep(parts: &Parts, record: &mut VoicemailRecord, wav: Arc<Vec<u8>>) -> Result<(), bool> {
    let name = RecordingName::of_message(&record.key);
    match parts.archive.import(name.clone(), wav).await {
        Some(Ok(finished)) => {
            record.duration_ms = u64::try_from(finished.duration.as_millis()).unwrap_or(u64::MAX);
            record.digest = Some(finished.digest);
        }
        // Written by a try that could not note it any more.
        Some(Err(RecordingError::Exists { .. })) => {}
        Some(Err(error)) => {
            tracing::warn!(call_id = %name.call, error = &error as &dyn std::error::Error, "message not kept yet");
            return Err(true);
        }
        None => return Err(true),
    }
    record.recording = Some(name);
    put(parts, record, Events::voicemail_saved).await
}

/// Writes a record and what the gateway is told of it.
async fn put(
    parts: &Parts,
    record: &VoicemailRecord,
    tell: fn(&Events, &mut Batch, &VoicemailRecord),
) -> Result<(), bool> {
    let mut batch = Batch::new();
    batch.put::<Voicemails>(&record.key, record).map_err(|_error| false)?;
    tell(&parts.events, &mut batch, record);
    parts.archive.commit(batch).await.map_err(|error| error.is_transient())
}

/// Returns what is said in a message, as far as anybody can tell. `Err(true)` when it is worth another try.
async fn transcribe(parts: &Arc<Parts>, wav: Arc<Vec<u8>>) -> Result<String, bool> {
    let vad = parts.voice.vad();
    // A long message takes a while to look through; calls go on meanwhile.
    let stretches = tokio::task::spawn_blocking(move || {
        let sound = Wav::parse(&wav).ok()?;
        Ear::new(vad).stretches(&sound::mono_8khz(&sound).ok()?).ok()
    });
    let Some(stretches) = stretches.await.ok().flatten() else { return Ok(String::new()) };
    let mut texts = Vec::new();
    for audio in stretches {
        let (sender, mut results) = mpsc::channel(1);
        let request = parts.recognize_request(audio);
        let submitted = parts.voice.recognize(request, move |heard| {
            if let Heard::Done(result) = heard {
                // The worker has stopped with the program.
                drop(sender.try_send(result));
            }
        });
        match submitted {
            Ok(_job) => {}
            Err(RecognizeError::Busy) => return Err(true),
            Err(_) => return Ok(texts.join(" ")),
        }
        if let Some(Ok(recognition)) = results.recv().await
            && !recognition.text.reveal().is_empty()
        {
            texts.push(recognition.text.into_revealed());
        }
    }
    Ok(texts.join(" "))
}

//! Carries a plan out: many messages of many devices in one transaction.

use std::collections::HashMap;
use std::ops::{AddAssign, Range};

use protocol::limits::{MAX_NUMBER, MAX_QUARANTINED_LEN};
use protocol::{EventId, Watermark};
use sea_query::{OnConflict, Query};
use uuid::Uuid;

use super::plan::{self, Batch, Plan, Quarantined, StreamKey, StreamPlan};
use super::sequences::Sequences;
use super::wire::{Incoming, Message, chain};
use crate::db::hot::{EventRow, Key, StreamUpdate};
use crate::db::{Database, DbError, Write};
use crate::fleet;

/// Quarantined messages stored by one transaction at most; more are counted only. A flood of rubbish must not become a
/// flood of rows.
const MAX_QUARANTINED: usize = 64;

/// A message and what it means.
#[derive(Debug)]
pub struct Received {
    /// It.
    pub message: Message,
    /// What it means.
    pub incoming: Incoming,
}

/// What a transaction did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How far each touched stream is stored now.
    pub watermarks: Vec<Watermark>,
    /// How much of what.
    pub counts: Counts,
}

/// How much a transaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events stored.
    pub stored: u64,
    /// Events that were there before.
    pub duplicates: u64,
    /// Events left to the device to send again.
    pub deferred: u64,
    /// Messages and events set aside.
    pub quarantined: u64,
    /// Numbers recorded as lost.
    pub lost: u64,
    /// Changes of what is known of devices.
    pub changes: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.deferred += other.deferred;
        self.quarantined += other.quarantined;
        self.lost += other.lost;
        self.changes += other.changes;
    }
}

/// Stores what `received` means. When this returns without an error all of it is on disk or set aside.
///
/// What the database refuses as such is narrowed down by halves and set aside, so that no message holds up another.
///
/// # Errors
///
/// Only what may go away by itself: nothing is known to be stored then, and the same may be given again.
///
/// # Cancellation safety
///
/// Dropped half way, some of it may be stored; giving it again is harmless.
pub async fn store(database: &Database, received: &[Received], now_ms: i64) -> Result<Outcome, DbError> {
    let mut outcome = Outcome::default();
    // A stack of what is left to do; splitting never makes it deeper than the logarithm of the messages.
    let whole = 0..received.len();
    let mut left: Vec<Range<usize>> = Vec::from([whole]);
    while let Some(range) = left.pop() {
        let part = received.get(range.clone()).unwrap_or_default();
        let error = match transact(database, part, now_ms).await {
            Ok(done) => {
                outcome.watermarks.extend(done.watermarks);
                outcome.counts += done.counts;
                continue;
            }
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => error,
        };
        if let [alone] = part {
            tracing::warn!(
                error = chain(&error),
                topic = alone.message.topic,
                "set aside a message that cannot be stored"
            );
            let done = set_aside(database, alone, &error, now_ms).await?;
            outcome.watermarks.extend(done.watermarks);
            outcome.counts += done.counts;
        } else {
            let middle = range.start + part.len() / 2;
            left.push(middle..range.end);
            left.push(range.start..middle);
        }
    }
    Ok(outcome)
}

async fn transact(database: &Database, received: &[Received], now_ms: i64) -> Result<Outcome, DbError> {
    let batches: Vec<(usize, &Batch)> = received
        .iter()
        .enumerate()
        .filter_map(|(place, received)| match &received.incoming {
            Incoming::Events(batch) => Some((place, batch)),
            Incoming::Presence(_)
            | Incoming::Reported(..)
            | Incoming::Status(..)
            | Incoming::Cleared
            | Incoming::Refused(_) => None,
        })
        .collect();
    let mut quarantined: Vec<Quarantined> =
        received.iter().enumerate().filter_map(|(place, received)| refusal(place, received)).collect();
    let mut write = database.write().await?;
    let mut outcome = Outcome::default();
    if !batches.is_empty() {
        let known = known_streams(&mut write, &batches, now_ms).await?;
        let mut plan = plan::plan(&batches, known);
        store_plan(&mut write, &mut plan, now_ms).await?;
        quarantined.append(&mut plan.quarantined);
        outcome.counts.deferred = plan.deferred;
        outcome.counts.lost = plan.losses.iter().map(|loss| loss.to - loss.from + 1).fold(0, u64::saturating_add);
        for stream in &plan.streams {
            outcome.counts.stored += stream.stored;
            outcome.counts.duplicates += stream.duplicates;
            outcome.watermarks.push(watermark(stream));
        }
    }
    outcome.counts.changes = fleet::store::apply(&mut write, received.iter().map(|it| &it.incoming), now_ms).await?;
    outcome.counts.quarantined = u64::try_from(quarantined.len()).unwrap_or(u64::MAX);
    store_quarantined(&mut write, received, &quarantined, now_ms).await?;
    write.commit().await?;
    Ok(outcome)
}

fn refusal(place: usize, received: &Received) -> Option<Quarantined> {
    let Incoming::Refused(refused) = &received.incoming else { return None };
    let Message { payload, len, .. } = &received.message;
    Some(Quarantined { message: place, reason: refused.reason.clone(), len: *len, bytes: payload.to_vec() })
}

async fn known_streams(
    write: &mut Write,
    batches: &[(usize, &Batch)],
    now_ms: i64,
) -> Result<Vec<(StreamKey, Sequences)>, DbError> {
    let keys = plan::keys(batches.iter().map(|(_, batch)| *batch));
    let rows = write.lock_streams(&keys.iter().map(key_of).collect::<Vec<_>>(), now_ms).await?;
    let bad = |what: String| DbError::Row { table: "streams", what };
    let mut known = Vec::with_capacity(rows.len());
    for row in rows {
        let key = usize::try_from(row.place).ok().and_then(|place| keys.get(place));
        let key = key.ok_or_else(|| bad(format!("place {}", row.place)))?;
        let watermark = u64::try_from(row.watermark).map_err(|_negative| bad("a negative watermark".to_owned()))?;
        let sequences = Sequences::from_row(watermark, &row.ahead).map_err(|error| bad(error.to_string()))?;
        known.push((key.clone(), sequences));
    }
    Ok(known)
}

async fn store_plan(write: &mut Write, plan: &mut Plan<'_>, now_ms: i64) -> Result<(), DbError> {
    // The ordinary case has nothing to look up.
    let look_up = plan.to_look_up();
    let mut stored = HashMap::new();
    if !look_up.is_empty() {
        let keys: Vec<StreamKey> = plan.streams.iter().map(|stream| stream.key.clone()).collect();
        let asked: Vec<(Key<'_>, i64)> =
            look_up.iter().filter_map(|seen| Some((key_of(keys.get(seen.stream)?), number(seen.event.seq)))).collect();
        for (place, id) in write.event_ids(&asked).await? {
            if let Some(seen) = usize::try_from(place).ok().and_then(|place| look_up.get(place)) {
                stored.insert((seen.stream, seen.event.seq), EventId::from_bytes(id.into_bytes()));
            }
        }
    }
    plan.judge(&stored);
    let streams = &plan.streams;
    let rows: Vec<EventRow<'_>> = plan
        .events
        .iter()
        .filter_map(|(place, boot, event)| {
            Some(EventRow {
                key: key_of(&streams.get(*place)?.key),
                seq: number(event.seq),
                id: Uuid::from_bytes(*event.id.as_bytes()),
                kind: &event.kind,
                boot: number(*boot),
                mono_ms: number(event.mono_ms),
                wall_ms: number(event.wall_ms),
                time_synced: event.time_synced,
                data: &event.data,
            })
        })
        .collect();
    let made = write.insert_events(&rows, now_ms).await?;
    if made != u64::try_from(rows.len()).unwrap_or(u64::MAX) {
        tracing::warn!(made, expected = rows.len(), "events were there that their stream did not know of");
    }
    store_losses(write, plan, now_ms).await?;
    let updates: Vec<StreamUpdate<'_>> = streams.iter().map(update).collect();
    write.update_streams(&updates, now_ms).await
}

fn update(stream: &StreamPlan) -> StreamUpdate<'_> {
    StreamUpdate {
        key: key_of(&stream.key),
        watermark: number(stream.sequences.watermark()),
        max_seq: number(stream.sequences.greatest()),
        ahead: stream.sequences.ahead(),
        stored: number(stream.stored),
        duplicates: number(stream.duplicates),
    }
}

async fn store_losses(write: &mut Write, plan: &Plan<'_>, now_ms: i64) -> Result<(), DbError> {
    if plan.losses.is_empty() {
        return Ok(());
    }
    let mut insert = Query::insert();
    insert.into_table("losses").columns(["device", "stream", "epoch", "from_seq", "to_seq", "reason", "received_ms"]);
    for loss in &plan.losses {
        let Some(stream) = plan.streams.get(loss.stream) else { continue };
        let key = key_of(&stream.key);
        insert.values_panic([
            key.device.into(),
            key.stream.into(),
            key.epoch.into(),
            number(loss.from).into(),
            number(loss.to).into(),
            loss.reason.as_ref().into(),
            now_ms.into(),
        ]);
    }
    insert.on_conflict(OnConflict::new().do_nothing().to_owned());
    write.execute(&insert).await.map(drop)
}

async fn store_quarantined(
    write: &mut Write,
    received: &[Received],
    quarantined: &[Quarantined],
    now_ms: i64,
) -> Result<(), DbError> {
    if quarantined.is_empty() {
        return Ok(());
    }
    let mut insert = Query::insert();
    insert.into_table("quarantine").columns(["device", "topic", "reason", "size_bytes", "payload", "received_ms"]);
    for it in quarantined.iter().take(MAX_QUARANTINED) {
        let topic = received.get(it.message).map_or("", |received| received.message.topic.as_str());
        let device = topic.parse::<protocol::Topic>().map(|topic| topic.device().to_string()).unwrap_or_default();
        insert.values_panic([
            device.into(),
            shown(topic).into(),
            shown(&it.reason).into(),
            i64::try_from(it.len).unwrap_or(i64::MAX).into(),
            it.bytes.get(..it.bytes.len().min(MAX_QUARANTINED_LEN)).unwrap_or_default().to_vec().into(),
            now_ms.into(),
        ]);
    }
    write.execute(&insert).await.map(drop)
}

/// Sets a message aside that the database refuses, and passes its numbers over, so that its stream goes on.
async fn set_aside(database: &Database, received: &Received, error: &DbError, now_ms: i64) -> Result<Outcome, DbError> {
    let message = &received.message;
    let quarantined = Quarantined {
        message: 0,
        reason: format!("the database refuses it: {}", chain(error)),
        len: message.len,
        bytes: message.payload.to_vec(),
    };
    let mut write = database.write().await?;
    let mut outcome = Outcome::default();
    if let Incoming::Events(batch) = &received.incoming {
        let gap = |seq| plan::Gap { from: seq, to: seq, reason: "refused".into() };
        let mut skipped = batch.skipped.clone();
        skipped.extend(batch.events.iter().map(|event| gap(event.seq)));
        skipped.extend(batch.poison.iter().filter_map(|poison| poison.seq).map(gap));
        let passed = Batch { skipped, events: Vec::new(), poison: Vec::new(), ..batch.clone() };
        let batches = [(0, &passed)];
        let known = known_streams(&mut write, &batches, now_ms).await?;
        let mut plan = plan::plan(&batches, known);
        store_plan(&mut write, &mut plan, now_ms).await?;
        outcome.counts.lost = plan.losses.iter().map(|loss| loss.to - loss.from + 1).sum();
        outcome.watermarks = plan.streams.iter().map(watermark).collect();
    }
    outcome.counts.quarantined = 1;
    store_quarantined(&mut write, std::slice::from_ref(received), &[quarantined], now_ms).await?;
    write.commit().await?;
    Ok(outcome)
}

fn watermark(stream: &StreamPlan) -> Watermark {
    let StreamKey { device, stream: name, epoch } = stream.key.clone();
    Watermark::new(device, name, epoch, stream.sequences.watermark())
}

fn key_of(key: &StreamKey) -> Key<'_> {
    Key { device: key.device.as_str(), stream: key.stream.as_str(), epoch: number(key.epoch) }
}

/// Numbers of the protocol are at most 2^53 - 1 and counts are small, so that nothing is cut here.
fn number(number: u64) -> i64 {
    debug_assert!(number <= MAX_NUMBER, "{number} is beyond what the protocol allows");
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns text that every database takes, and no more of it than is worth keeping.
fn shown(text: &str) -> String {
    const MAX_SHOWN: usize = 512;
    text.chars().filter(|c| *c != '\0').take(MAX_SHOWN).collect()
}

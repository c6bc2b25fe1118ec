//! What is thrown away, and when: a plan made without IO, and the thin act.

use std::time::Duration;

use units::CallId;

use crate::batch::Batch;
use crate::commit::CommitError;
use crate::query::{Query, ReadError};
use crate::recordings::{RecordingName, Recordings};
use crate::store::{Store, StoreError};
use crate::tables::{Calls, CallsByTime, FormKey, Forms, TurnKey, Turns, Voicemails};

/// How long things are kept and how much space they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionRule {
    /// The oldest recording kept.
    pub recordings_for: Duration,
    /// The space all recordings may take, in bytes.
    pub recording_bytes: u64,
    /// Space on the disk to be free after the plan is carried out, in bytes; recordings make room.
    pub free_bytes: u64,
    /// The oldest call, with its turns and forms, and the oldest voicemail kept.
    pub calls_for: Duration,
}

impl Default for RetentionRule {
    /// 90 days and 2 GiB of recordings, 64 MiB free, 400 days of calls: a year and the month to look back on it.
    fn default() -> Self {
        Self {
            recordings_for: Duration::from_hours(90 * 24),
            recording_bytes: 2 * 1024 * 1024 * 1024,
            free_bytes: 64 * 1024 * 1024,
            calls_for: Duration::from_hours(400 * 24),
        }
    }
}

/// A recording there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub name: RecordingName,
    /// When it was made, in milliseconds since 1970; zero if no row knows it, which makes it the first to go.
    pub made_wall_ms: u64,
    /// Its size, in bytes.
    pub byte_count: u64,
    /// Whether it is a message that the owner has not listened to. Those go last when space is short.
    pub unheard: bool,
}

/// Why something is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// It is too old.
    Age,
    /// Recordings take too much space, or the disk is too full.
    Space,
}

/// What to throw away, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionPlan {
    /// The recordings.
    pub recordings: Vec<(RecordingName, DropReason)>,
    /// Calls and voicemails from before this time go, in milliseconds since 1970.
    pub calls_before_wall_ms: u64,
}

/// Plans what to throw away.
///
/// `free_bytes` is what is free on the disk. By age first; then, while recordings take too much or too little is
/// free, the oldest one, heard before unheard. A clock that is far in the past throws nothing away by age.
pub fn plan_retention(rule: &RetentionRule, now_wall_ms: u64, free_bytes: u64, held: &[Held]) -> RetentionPlan {
    let oldest = now_wall_ms.saturating_sub(millis(rule.recordings_for));
    let mut plan = RetentionPlan {
        recordings: Vec::new(),
        calls_before_wall_ms: now_wall_ms.saturating_sub(millis(rule.calls_for)),
    };
    let mut left: Vec<&Held> = Vec::new();
    let mut free = free_bytes;
    for recording in held {
        if recording.made_wall_ms < oldest {
            free = free.saturating_add(recording.byte_count);
            plan.recordings.push((recording.name.clone(), DropReason::Age));
        } else {
            left.push(recording);
        }
    }
    left.sort_by_key(|recording| (recording.unheard, recording.made_wall_ms));
    let mut taken = left.iter().fold(0_u64, |sum, recording| sum.saturating_add(recording.byte_count));
    for recording in left {
        if taken <= rule.recording_bytes && free >= rule.free_bytes {
            break;
        }
        taken = taken.saturating_sub(recording.byte_count);
        free = free.saturating_add(recording.byte_count);
        plan.recordings.push((recording.name.clone(), DropReason::Space));
    }
    plan
}

/// What was thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Recordings, because of their age.
    pub recordings_by_age: usize,
    /// Recordings, because of space.
    pub recordings_by_space: usize,
    /// Bytes of recordings.
    pub bytes: u64,
    /// Calls, with their turns and forms.
    pub calls: usize,
    /// Voicemails.
    pub voicemails: usize,
}

/// Calls dropped in one commit.
const CALLS_AT_ONCE: usize = 64;

impl Store {
    /// Lists the recordings with what the rows know about them.
    pub fn held_recordings(&self, recordings: &Recordings) -> Result<Vec<Held>, StoreError> {
        let mut messages = std::collections::BTreeMap::new();
        for (key, row) in self.query(&Query::<Voicemails>::all().limit(usize::MAX))? {
            let name = row.recording.unwrap_or_else(|| RecordingName::of_message(&key));
            messages.insert(name, (key.received_wall_ms, row.state == crate::VoicemailState::New));
        }
        let listed = recordings.list().map_err(|source| ReadError::Database { table: "recordings", source })?;
        let mut held = Vec::with_capacity(listed.len());
        for (name, byte_count) in listed {
            let (made_wall_ms, unheard) = match messages.get(&name) {
                Some(&found) => found,
                None => (self.get::<Calls>(&name.call)?.map_or(0, |call| call.started_wall_ms), false),
            };
            held.push(Held { name, made_wall_ms, byte_count, unheard });
        }
        Ok(held)
    }

    /// Carries out a plan and says what went. Blocks.
    ///
    /// Files go before the rows that name them would: a row without its file is shown as such, a file without a row
    /// would be kept for nobody.
    pub fn drop_planned(&self, plan: &RetentionPlan, recordings: &Recordings) -> Result<Dropped, StoreError> {
        let mut dropped = Dropped::default();
        for (name, reason) in &plan.recordings {
            match recordings.remove(name) {
                Ok(Some(byte_count)) => {
                    dropped.bytes = dropped.bytes.saturating_add(byte_count);
                    let counter = match reason {
                        DropReason::Age => &mut dropped.recordings_by_age,
                        DropReason::Space => &mut dropped.recordings_by_space,
                    };
                    *counter = counter.saturating_add(1);
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(recording = %name, %error, "recording could not be dropped"),
            }
        }
        dropped.calls = self.drop_calls(plan.calls_before_wall_ms)?;
        dropped.voicemails = self.drop_voicemails(plan.calls_before_wall_ms)?;
        Ok(dropped)
    }

    fn drop_calls(&self, before_wall_ms: u64) -> Result<usize, StoreError> {
        let mut count = 0_usize;
        loop {
            let mut batch = Batch::new();
            for (key, ()) in self.query(&Query::<CallsByTime>::all().limit(CALLS_AT_ONCE))? {
                if key.started_wall_ms < before_wall_ms {
                    self.put_drop_of_call(&mut batch, &key.call)?;
                    batch.delete::<CallsByTime>(&key).map_err(CommitError::from)?;
                    count = count.saturating_add(1);
                }
            }
            if batch.is_empty() {
                return Ok(count);
            }
            self.commit(batch)?;
        }
    }

    fn put_drop_of_call(&self, batch: &mut Batch, call: &CallId) -> Result<(), StoreError> {
        for turn in self.turns(call)? {
            let key = TurnKey { call: call.clone(), turn: turn.turn };
            batch.delete::<Turns>(&key).map_err(CommitError::from)?;
        }
        for (key, _) in self.query(&Query::<Forms>::of_call(call))? {
            let key: FormKey = key;
            batch.delete::<Forms>(&key).map_err(CommitError::from)?;
        }
        batch.delete::<Calls>(call).map_err(CommitError::from)?;
        Ok(())
    }

    fn drop_voicemails(&self, before_wall_ms: u64) -> Result<usize, StoreError> {
        let mut batch = Batch::new();
        for (key, _) in self.query(&Query::<Voicemails>::all().limit(usize::MAX))? {
            if key.received_wall_ms < before_wall_ms {
                batch.delete::<Voicemails>(&key).map_err(CommitError::from)?;
            }
        }
        let count = batch.len();
        if count > 0 {
            self.commit(batch)?;
        }
        Ok(count)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

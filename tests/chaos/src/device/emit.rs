//! Facts with their events, of several streams, some in one commit.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use appliance::archive::Archive;
use appliance::clock::Clock;
use appliance::events::Events;
use protocol::{
    AuditEntry, CallEnded, CallStarted, EventData, EventId, Extra, FormRecord, LogLevel, LogLine, NewEvent, Stream,
    VoicemailSaved, Weather, Word,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use store::{
    Batch, CallOutcome, CallRecord, FormKey, FormRow, Forms, Store, VoicemailKey, VoicemailPath, VoicemailRecord,
    Voicemails,
};
use units::{CallId, Language, Pii};

use crate::promise::{Promise, Said};

/// Time between two commits, in milliseconds.
const PAUSE: std::ops::RangeInclusive<u64> = 5..=60;

/// Makes facts and commits them.
#[derive(Debug)]
pub(super) struct Emitter<'a> {
    store: &'a Store,
    events: Events,
    rng: StdRng,
    /// Of this run.
    commits: u64,
    /// Whether events are promised before their commit, and this one waits for its turn.
    early: Option<Batch>,
}

/// A batch, and the identities of the events in it that are promised, in order.
#[derive(Default)]
struct Facts {
    batch: Batch,
    told: Vec<(Stream, EventId)>,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(archive: &'a Archive, clock: Clock, seed: u64, is_early: bool) -> anyhow::Result<Self> {
        let store = archive.store().context("the store is open")?;
        let run = store.report().run;
        Ok(Self {
            store,
            events: Events::new(run, clock, true),
            rng: StdRng::seed_from_u64(seed ^ run),
            commits: 0,
            early: is_early.then(Batch::new),
        })
    }

    /// Returns how long to wait before the next commit.
    pub(super) fn pause(&mut self) -> Duration {
        Duration::from_millis(self.rng.random_range(PAUSE))
    }

    /// Commits some facts and returns what is promised by it: all that the disk has confirmed.
    pub(super) fn emit(&mut self) -> anyhow::Result<Vec<Said>> {
        self.commits += 1;
        let facts = self.facts()?;
        if let Some(waits) = &mut self.early {
            // The promise is broken on purpose: this goes to the disk with the next commit.
            let before = std::mem::replace(waits, facts.batch);
            self.store.commit(before).context("cannot commit")?;
            return Ok(self.numbered(&facts.told, 0));
        }
        self.store.commit(facts.batch).context("cannot commit")?;
        let promised = self.numbered(&facts.told, facts.told.len());
        ensure!(promised.len() == facts.told.len(), "a stream has no number for an event that was committed");
        Ok(promised)
    }

    /// Commits what waits.
    pub(super) fn finish(&mut self) -> anyhow::Result<Vec<Said>> {
        if let Some(waits) = self.early.take() {
            self.store.commit(waits).context("cannot commit")?;
        }
        Ok(Vec::new())
    }

    /// Returns the promises of events that have their numbers already, when `committed` is how many there are, or will
    /// get the next ones. Nobody else numbers events of these streams.
    fn numbered(&self, told: &[(Stream, EventId)], committed: usize) -> Vec<Said> {
        let heads = self.store.outbox_heads();
        let promise = |(place, (stream, id)): (usize, &(Stream, EventId))| {
            // A stream has no epoch before its first event is committed.
            let head = heads.iter().find(|head| head.stream == *stream && head.open)?;
            let of_stream = |count: usize| {
                let events = told.get(..count).unwrap_or_default();
                u64::try_from(events.iter().filter(|(other, _)| other == stream).count()).unwrap_or(u64::MAX)
            };
            let seq = head.next.saturating_add(of_stream(place)).saturating_sub(of_stream(committed));
            Some(Said::Promised(Promise { stream: *stream, epoch: head.epoch, seq, id: *id }))
        };
        told.iter().enumerate().filter_map(promise).collect()
    }

    fn facts(&mut self) -> anyhow::Result<Facts> {
        let call: CallId = format!("CA{}x{}", self.events.run(), self.commits).parse()?;
        let mut facts = Facts::default();
        match self.rng.random_range(0..10) {
            0..=4 => self.call(&mut facts, &call)?,
            5..=6 => self.message(&mut facts, &call)?,
            7 => self.lead(&mut facts, &call)?,
            8 => self.audit(&mut facts)?,
            _ => {
                self.call(&mut facts, &call)?;
                self.message(&mut facts, &call)?;
                self.lead(&mut facts, &call)?;
                self.audit(&mut facts)?;
            }
        }
        // Of the streams that may lose events: in the same commits, and not promised.
        let line = LogLine {
            level: LogLevel::Warn,
            target: "chaos".to_owned(),
            message: "something was committed".to_owned(),
            call: Some(call),
            fields: [("commit".to_owned(), self.commits.into())].into(),
            extra: Extra::default(),
        };
        facts.batch.emit(NewEvent::new(new_id(), self.events.stamp(), &line)?);
        Ok(facts)
    }

    fn call(&mut self, facts: &mut Facts, call: &CallId) -> anyhow::Result<()> {
        let stamp = self.events.stamp();
        let (from, to) = (self.number(), self.number());
        let record = CallRecord {
            outcome: CallOutcome::Completed,
            duration_ms: Some(61_000),
            turns: 3,
            ..CallRecord::started(call.clone(), from.clone(), to.clone(), stamp.wall_ms)
        };
        facts.batch.put_call(&record)?;
        self.put(facts, &CallStarted { call: call.clone(), from, to, extra: Extra::default() })?;
        let ended = CallEnded {
            call: call.clone(),
            outcome: Word::known("completed"),
            duration_ms: 61_000,
            turns: 3,
            language: Language::Hebrew,
            weather: Weather::default(),
            recording: None,
            cost_micros: None,
            extra: Extra::default(),
        };
        self.put(facts, &ended)
    }

    fn message(&mut self, facts: &mut Facts, call: &CallId) -> anyhow::Result<()> {
        let key = VoicemailKey { received_wall_ms: self.events.stamp().wall_ms, call: call.clone() };
        let caller = self.number();
        let received = VoicemailRecord::received(key.clone(), caller.clone(), VoicemailPath::CarrierAction);
        let record = VoicemailRecord { duration_ms: 7_000, ..received };
        facts.batch.put::<Voicemails>(&key, &record)?;
        let saved = VoicemailSaved {
            voicemail: key.to_string(),
            call: call.clone(),
            caller,
            duration_ms: 7_000,
            recording: None,
            digest: None,
            extra: Extra::default(),
        };
        self.put(facts, &saved)
    }

    fn lead(&mut self, facts: &mut Facts, call: &CallId) -> anyhow::Result<()> {
        let record = Pii::new(json!({ "v": 1, "name": "דני כהן", "reason": "תור לבדיקה" }));
        let row = FormRow {
            call: call.clone(),
            form: "plain-office".to_owned(),
            saved_wall_ms: self.events.stamp().wall_ms,
            complete: true,
            record: record.clone(),
        };
        facts.batch.put::<Forms>(&FormKey { call: call.clone(), form: row.form.clone() }, &row)?;
        self.put(
            facts,
            &FormRecord { call: call.clone(), form: row.form, complete: true, record, extra: Extra::default() },
        )
    }

    fn audit(&mut self, facts: &mut Facts) -> anyhow::Result<()> {
        let entry = AuditEntry {
            actor: Pii::new("chaos".to_owned()),
            action: Word::known("record.made"),
            target: Some(self.commits.to_string()),
            detail: None,
            extra: Extra::default(),
        };
        self.put(facts, &entry)
    }

    fn put<D: EventData>(&mut self, facts: &mut Facts, data: &D) -> anyhow::Result<()> {
        let id = new_id();
        facts.batch.emit(NewEvent::new(id, self.events.stamp(), data)?);
        facts.told.push((D::STREAM, id));
        Ok(())
    }

    fn number(&mut self) -> Pii<String> {
        Pii::new(format!("05{:08}", self.rng.random_range(0..100_000_000_u32)))
    }
}

/// Identities are not of the seed: two runs of a device must never make the same.
fn new_id() -> EventId {
    EventId::from_random_bytes(rand::rng().random())
}

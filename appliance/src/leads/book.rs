//! Reads what a change of a lead is made of, and writes all that comes of it in one commit.

use std::sync::{Mutex, PoisonError};

use leads::change::{MAX_WAITING, delivery};
use leads::{Edit, Entry, Fact, Lead, LeadId, Queue, Send, Waiting};
use rand::RngExt as _;
use store::{
    Batch, CommitError, Deliveries, DeliveryKey, EncodeError, LeadHistory, LeadHistoryKey, Leads as LeadRows,
    LeadsByPhone, Query, Store, StoreError,
};

use crate::clock::Clock;

/// Entries of one lead's history that are kept; the oldest goes first.
const MAX_HISTORY: u32 = 500;

/// What came of a change.
#[derive(Clone, Debug)]
pub struct Written {
    /// The lead as it is now.
    pub lead: Lead,
    /// Whether it is new.
    pub is_new: bool,
}

/// The rows of leads, for one who changes them alone.
pub(super) struct Book<'a> {
    pub(super) store: &'a Store,
    pub(super) queue: &'a Mutex<Queue>,
    pub(super) clock: Clock,
    pub(super) delivers: bool,
}

impl Book<'_> {
    /// Makes a fact part of a lead. One that is part of it already changes nothing, one that tells more takes the place of
    /// the one of its name.
    pub(super) fn fold(
        &self,
        fact: &Fact,
        also: impl FnOnce(&mut Batch, &Written) -> Result<(), EncodeError>,
    ) -> Result<Written, StoreError> {
        let fact = fact.clone().bounded();
        let now_wall_ms = self.clock.wall_ms();
        let found = self.lead_of(&fact)?;
        let is_new = found.is_none();
        let mut lead = found.unwrap_or_else(|| Lead::begun(LeadId::new(now_wall_ms, chance()), &fact));
        let key = LeadHistoryKey::of(lead.id, &fact);
        let entry = Entry::Told(fact.clone());
        let before = if is_new { None } else { self.store.get::<LeadHistory>(&key)? };
        let mut batch = Batch::new();
        // What tells nothing may have come back, or been waiting, behind what told more.
        if before.as_ref().is_some_and(|before| *before == entry || fact.tells_nothing()) {
            let written = Written { lead, is_new };
            put(also(&mut batch, &written))?;
            self.store.commit(batch)?;
            return Ok(written);
        }
        if before.is_none() {
            lead.fold(&fact, now_wall_ms);
            self.count_entry(&mut batch, &mut lead)?;
        } else {
            lead.take_in(&fact, now_wall_ms);
        }
        if is_new && let Some(phone) = &lead.phone {
            put(batch.put::<LeadsByPhone>(phone.reveal(), &lead.id))?;
        }
        self.write(batch, Written { lead, is_new }, &key, &entry, also)
    }

    /// Changes a lead by hand, unless `check` refuses.
    pub(super) fn edit<E>(
        &self,
        lead: LeadId,
        edit: &Edit,
        by: &str,
        check: impl FnOnce(Option<&Lead>) -> Result<(), E>,
    ) -> Result<Result<Written, E>, StoreError> {
        let found = self.store.get::<LeadRows>(&lead)?;
        if let Err(refused) = check(found.as_ref()) {
            return Ok(Err(refused));
        }
        let Some(mut lead) = found else { return Err(StoreError::Commit(CommitError::Conflict)) };
        let at_wall_ms = self.clock.wall_ms();
        if !lead.edit(edit, at_wall_ms) {
            return Ok(Ok(Written { lead, is_new: false }));
        }
        let mut batch = Batch::new();
        self.count_entry(&mut batch, &mut lead)?;
        let id = lead.version.to_string();
        let key = LeadHistoryKey { lead: lead.id, at_wall_ms, kind: "edit".to_owned(), id };
        let entry = Entry::Edited { by: by.to_owned(), at_wall_ms, edit: edit.clone() };
        self.write(batch, Written { lead, is_new: false }, &key, &entry, |_, _| Ok(())).map(Ok)
    }

    /// Returns the lead of the person a fact is of.
    fn lead_of(&self, fact: &Fact) -> Result<Option<Lead>, StoreError> {
        let Some(phone) = fact.phone() else { return Ok(None) };
        let Some(id) = self.store.get::<LeadsByPhone>(&phone)? else { return Ok(None) };
        Ok(self.store.get::<LeadRows>(&id)?)
    }

    /// Makes room for one more entry of a lead's history.
    fn count_entry(&self, batch: &mut Batch, lead: &mut Lead) -> Result<(), StoreError> {
        if lead.history < MAX_HISTORY {
            lead.history = lead.history.saturating_add(1);
            return Ok(());
        }
        for (oldest, _) in self.store.query(&Query::<LeadHistory>::of_lead(lead.id).limit(1))? {
            put(batch.delete::<LeadHistory>(&oldest))?;
        }
        Ok(())
    }

    fn write(
        &self,
        mut batch: Batch,
        written: Written,
        key: &LeadHistoryKey,
        entry: &Entry,
        also: impl FnOnce(&mut Batch, &Written) -> Result<(), EncodeError>,
    ) -> Result<Written, StoreError> {
        let lead = &written.lead;
        put(batch.put::<LeadRows>(&lead.id, lead))?;
        put(batch.put::<LeadHistory>(key, entry))?;
        put(also(&mut batch, &written))?;
        let merged = if self.delivers { self.put_delivery(&mut batch, lead, entry)? } else { None };
        self.store.commit(batch)?;
        if self.delivers {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(merged) = merged {
                queue.forget(Send { lead: merged.lead, sequence: merged.sequence });
            }
            queue.add(self.clock.now(), Send { lead: lead.id, sequence: lead.version }, 0);
        }
        Ok(written)
    }

    /// Adds the delivery of a change. Returns the one that it takes the place of, where too many wait.
    fn put_delivery(&self, batch: &mut Batch, lead: &Lead, entry: &Entry) -> Result<Option<Waiting>, StoreError> {
        let waiting = self.store.query(&Query::<Deliveries>::of_lead(lead.id))?;
        let merged = (waiting.len() >= MAX_WAITING).then(|| waiting.into_iter().next_back()).flatten();
        let merged = merged.map(|(_, row)| row);
        let row = delivery(lead, entry, merged.as_ref(), chance());
        let row = put(row.map_err(|source| EncodeError::Unwritable { table: "deliveries", source }))?;
        put(batch.put::<Deliveries>(&DeliveryKey { lead: lead.id, sequence: row.sequence }, &row))?;
        if let Some(merged) = &merged {
            put(batch.delete::<Deliveries>(&DeliveryKey { lead: lead.id, sequence: merged.sequence }))?;
        }
        Ok(merged)
    }
}

fn chance() -> u32 {
    rand::rng().random()
}

fn put<T>(result: Result<T, EncodeError>) -> Result<T, StoreError> {
    result.map_err(|error| StoreError::Commit(error.into()))
}

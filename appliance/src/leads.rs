//! Leads: what calls, voicemails and messages tell of people, made into one lead each and delivered to the office's CRM.
//!
//! Whoever learns something puts it into the commit of the thing it comes from ([`put_fact`]), and wakes the worker
//! afterwards ([`Leads::notify`]). The worker takes fact by fact: lead, history, delivery and the end of the fact are one
//! commit, so each is folded exactly once whatever is killed when. What the API changes goes the same way. Another worker
//! delivers what waits; nothing on the path of a call waits for it.

mod book;
mod deliver;
mod facts;
mod keep;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leads::{Edit, Fact, Lead, LeadId, Outcome, Queue, Send};
use store::{Batch, CommitError, Deliveries, EncodeError, LeadFactKey, LeadFacts, Query, StoreError};
use tokio::sync::{Notify, OwnedMutexGuard};

pub use self::book::Written;
pub(crate) use self::deliver::run as deliver;
pub use self::facts::{of_form, put_call, put_voicemail};
pub(crate) use self::keep::run as keep;

use self::book::Book;
use crate::archive::Archive;
use crate::clock::Clock;

/// Deliveries on their way at once.
const MAX_IN_FLIGHT: usize = 4;
/// Rows read at once where all are gone through.
const SLICE: usize = 200;

/// What the workers share with those who tell them something. One for the program.
#[derive(Debug)]
pub struct Leads {
    told: Notify,
    to_deliver: Notify,
    /// Held by whoever changes leads: what a change is made of is read before.
    writer: Arc<tokio::sync::Mutex<()>>,
    queue: Arc<Mutex<Queue>>,
    clock: Clock,
    delivers: bool,
}

impl Leads {
    /// Makes it; `delivers` tells whether there is a CRM.
    pub fn new(clock: Clock, delivers: bool) -> Self {
        Self {
            told: Notify::new(),
            to_deliver: Notify::new(),
            writer: Arc::default(),
            queue: Arc::new(Mutex::new(Queue::new(MAX_IN_FLIGHT))),
            clock,
            delivers,
        }
    }

    /// Wakes the worker: facts were committed.
    pub fn notify(&self) {
        self.told.notify_one();
    }

    /// Makes a fact part of its person's lead, in one commit with what `also` adds to it. `None` when the store cannot be
    /// used.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, it is done all the same.
    pub async fn fold(
        &self,
        archive: &Archive,
        fact: Fact,
        also: impl FnOnce(&mut Batch, &Written) -> Result<(), EncodeError> + std::marker::Send + 'static,
    ) -> Result<Written, StoreError> {
        self.write(archive, move |book| book.fold(&fact, also)).await
    }

    /// Changes a lead by hand, with the token `by`. `check` sees it as it is and may refuse.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, it is done all the same.
    pub async fn edit<E: std::marker::Send + 'static>(
        &self,
        archive: &Archive,
        lead: LeadId,
        edit: Edit,
        by: String,
        check: impl FnOnce(Option<&Lead>) -> Result<(), E> + std::marker::Send + 'static,
    ) -> Result<Result<Written, E>, StoreError> {
        self.write(archive, move |book| book.edit(lead, &edit, &by, check)).await
    }

    /// Runs `work` alone, on a thread that may wait for the disk.
    async fn write<T: std::marker::Send + 'static>(
        &self,
        archive: &Archive,
        work: impl FnOnce(&Book<'_>) -> Result<T, StoreError> + std::marker::Send + 'static,
    ) -> Result<T, StoreError> {
        let guard = Arc::clone(&self.writer).lock_owned().await;
        let (queue, clock, delivers) = (Arc::clone(&self.queue), self.clock, self.delivers);
        let done = archive.blocking(move |archive| {
            let _guard: OwnedMutexGuard<()> = guard;
            let store = archive.store().ok_or(StoreError::Commit(CommitError::Closed))?;
            work(&Book { store, queue: &queue, clock, delivers })
        });
        let done = done.await.unwrap_or(Err(StoreError::Commit(CommitError::Closed)));
        self.to_deliver.notify_one();
        done
    }

    /// Lets the next change of a lead be delivered at once.
    pub fn hurry(&self, lead: LeadId) {
        self.locked(|queue, now| queue.hurry(now, lead));
        self.to_deliver.notify_one();
    }

    /// Returns how many changes wait for the CRM.
    pub fn waiting(&self) -> usize {
        self.locked(|queue, _| queue.waiting())
    }

    /// Takes in what waits in the store, after a start.
    fn load(&self, archive: &Archive) -> Result<(), StoreError> {
        let Some(store) = archive.store() else { return Ok(()) };
        let mut query = Query::<Deliveries>::all().limit(SLICE);
        loop {
            let rows = store.query(&query)?;
            self.locked(|queue, now| {
                for (key, row) in &rows {
                    queue.add(now, Send { lead: key.lead, sequence: key.sequence }, row.attempts);
                }
            });
            let Some((last, _)) = rows.last().filter(|_| rows.len() == SLICE) else { return Ok(()) };
            query = Query::all().limit(SLICE).after(last);
        }
    }

    fn next(&self) -> Option<Send> {
        self.locked(Queue::next)
    }

    fn done(&self, send: Send, outcome: Outcome) {
        let chance = rand::RngExt::random(&mut rand::rng());
        self.locked(|queue, now| queue.done(now, send, outcome, chance));
    }

    fn wake(&self) -> Option<Duration> {
        self.locked(|queue, now| queue.wake().map(|due| due.saturating_sub(now)))
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Queue, Duration) -> T) -> T {
        work(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner), self.clock.now())
    }
}

/// Adds a fact to the commit of the thing it comes from. The same time and source make one fact, however often it is
/// put.
///
/// # Errors
///
/// None that a fact can cause: what is too long is cut.
pub fn put_fact(batch: &mut Batch, fact: &Fact) -> Result<(), EncodeError> {
    let fact = fact.clone().bounded();
    batch.put::<LeadFacts>(&LeadFactKey::of(&fact), &fact)
}

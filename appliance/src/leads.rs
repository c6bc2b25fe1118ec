//! Leads: what calls, voicemails and messages tell of people.
//!
//! Whoever learns something puts it into the commit of the thing it comes from ([`put_fact`]), and wakes the worker
//! afterwards ([`Leads::notify`]).

use leads::Fact;
use store::{Batch, EncodeError, LeadFactKey, LeadFacts};
use tokio::sync::Notify;

/// What the worker shares with those who tell it something. One for the program.
#[derive(Debug, Default)]
pub struct Leads {
    told: Notify,
}

impl Leads {
    /// Wakes the worker: facts were committed.
    pub fn notify(&self) {
        self.told.notify_one();
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

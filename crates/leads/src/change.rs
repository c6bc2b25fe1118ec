//! A change of a lead, as it is delivered to the office's CRM.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use units::Pii;

use crate::id::LeadId;
use crate::lead::Lead;
use crate::view::{Entry, EntryView, LeadView};

/// Changes of one lead that wait at most; those beyond are merged into the newest.
pub const MAX_WAITING: usize = 32;

/// The body of a delivery, as JSON. Its bytes are made once: a repetition has the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// The idempotency key, the same as in the header `Idempotency-Key`.
    pub id: String,
    /// The number of the change among those of this lead; rises, with gaps where changes were merged.
    pub sequence: u64,
    /// The first change that this delivery tells of: less than `sequence` where changes were merged into it because too
    /// many waited.
    pub from_sequence: u64,
    /// When the change was made, in milliseconds since 1970.
    pub at_wall_ms: u64,
    /// What was changed last: `created`, `told` or `edited`.
    pub change: String,
    /// What made the change.
    pub entry: EntryView,
    /// The lead as it is after the change.
    pub lead: LeadView,
}

/// A delivery as it waits. Stored as JSON; fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The lead.
    pub lead: LeadId,
    /// The number of the change.
    pub sequence: u64,
    /// The first change it tells of.
    pub from_sequence: u64,
    /// The idempotency key.
    pub key: String,
    /// When it was made, in milliseconds since 1970.
    pub made_wall_ms: u64,
    /// The bytes to send.
    pub body: Pii<String>,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
    /// How the last try went.
    #[serde(default)]
    pub last: Option<Failure>,
}

/// How a try went that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When, in milliseconds since 1970.
    pub at_wall_ms: u64,
    /// The status the receiver answered; none when it did not answer.
    #[serde(default)]
    pub status: Option<u16>,
}

/// Makes the delivery of a change: `lead` as it is now, and the entry of its history that made it so. `merged` is the
/// newest delivery that still waits, where too many do; it is replaced.
///
/// # Errors
///
/// None that a lead can cause.
pub fn delivery(
    lead: &Lead,
    entry: &Entry,
    merged: Option<&Waiting>,
    chance: u32,
) -> Result<Waiting, serde_json::Error> {
    let change = match entry {
        Entry::Told(_) if lead.version == 1 => "created",
        Entry::Told(_) => "told",
        Entry::Edited { .. } => "edited",
    };
    // Chance, because a store that was reset may count from one again.
    let key = format!("{}-{}-{chance:08x}", lead.id, lead.version);
    let from_sequence = merged.map_or(lead.version, |merged| merged.from_sequence);
    let body = Delivery {
        id: key.clone(),
        sequence: lead.version,
        from_sequence,
        at_wall_ms: lead.changed_wall_ms,
        change: change.to_owned(),
        entry: EntryView::of(entry),
        lead: LeadView::of(lead),
    };
    Ok(Waiting {
        lead: lead.id,
        sequence: lead.version,
        from_sequence,
        key,
        made_wall_ms: lead.changed_wall_ms,
        body: Pii::new(serde_json::to_string(&body)?),
        attempts: 0,
        last: None,
    })
}

//! What the box remembers: typed tables on disk, and the recordings beside them.
//!
//! Calls, turns, filled forms, voicemails and the webhook requests already answered are rows of tables in sled
//! 0.34.7; recordings are plain files. This crate is the only one that names sled, and no type of sled's is in its
//! public signatures. It deliberately does not know calls as they happen, carriers, the network or configuration
//! files, and it never reads a clock to decide anything: times come in with the rows.
//!
//! A [`Store`] is opened on a folder. What belongs together is put into one [`Batch`] and committed at once:
//! [`Store::commit`] waits, [`Store::submit`] calls back. sled's own `flush` asks the kernel to start writing but
//! does not wait for the disk, so a commit ends with a real `fsync` of the database file. One thread of the store
//! does this for everybody who waits: however many callers commit at the same time, they share one `fsync`.
//!
//! All tables live in one sled tree, told apart by the first byte of the key. One tree means that one
//! `apply_batch`, which sled recovers all or nothing, covers rows of several tables; transactions over several
//! trees would need closures that may run twice, and a root to lose for each tree.
//!
//! Every value is a frame: magic, version, table, key, commit number, CRC-32, JSON. A row can therefore be
//! recognized in the raw bytes of a database. This is done before every opening, because sled opens a damaged log
//! without a word and leaves out what lies behind the damage: what is missing is put back, and what was deleted is not,
//! because the living are counted then (`census`). When opening fails, panics or takes too long, the database is moved
//! to `quarantine/` and what can be recognized is copied into a new one. The [`OpenReport`] says so either way.
//!
//! Events for the gateway are part of a batch ([`Batch::emit`]) and get their numbers where it is committed; see
//! [`Store::outbox_slice`].
//!
//! **Invariant:** a commit is acknowledged only after `fsync` of the file its rows are in.
//! **Invariant:** all rows of a batch survive a power cut, or none.
//! **Invariant:** what was deleted stays deleted, whatever the log still holds, unless what tells of it is damaged itself.
//! **Invariant:** opening ends within a bounded time and deletes no database it could not read.
//! **Invariant:** a database written by a newer format is left exactly as it is; an empty one is opened beside it.

mod batch;
mod census;
mod commit;
mod disk;
mod engine;
mod frame;
mod key;
mod layout;
mod messages;
mod opening;
mod outbox;
mod query;
mod recordings;
mod records;
mod retention;
mod salvage;
mod store;
mod tables;
#[cfg(test)]
mod tests;

pub use crate::batch::{Batch, EncodeError};
pub use crate::commit::CommitError;
#[cfg(any(test, feature = "test-support"))]
pub use crate::disk::FaultyDisk;
pub use crate::disk::{Disk, RealDisk};
pub use crate::key::TableKey;
pub use crate::messages::{
    Author, ConversationId, ConversationRow, Delivery, FileRow, FileState, MessageByIdRow, MessageKey, MessageRow,
    NoticeRow, OutgoingKey, OutgoingRow, Said, Thought, Transcript,
};
pub use crate::opening::{OpenError, OpenReport, Opened};
pub use crate::outbox::{DropCause, OutboxDrop, OutboxHead, OutboxLimits, OutboxLoss, OutboxSlice, SkipCause, Skipped};
pub use crate::query::{Order, Query, ReadError};
pub use crate::recordings::{
    FinishedRecording, ParseRecordingNameError, RecordingError, RecordingFormat, RecordingKind, RecordingName,
    RecordingWriter, Recordings, RecoveredRecordings,
};
pub use crate::records::{
    ApiAnswerRow, BlockedRow, CallBackRow, CallOutcome, CallRecord, CarrierCopy, FormRow, MetaRow, SpendingRow,
    TurnLatencies, TurnRow, VoicemailKey, VoicemailPath, VoicemailRecord, VoicemailState, Weather, WebhookRow,
};
pub use crate::retention::{DropReason, Dropped, Held, RetentionPlan, RetentionRule, plan_retention};
pub use crate::store::{Rows, Store, StoreConfig, StoreError};
pub use crate::tables::{
    ApiAnswers, Blocked, CallBacks, CallByTimeKey, Calls, CallsByTime, Conversations, Delivered, Deliveries,
    DeliveryKey, FormKey, Forms, Inbox, LeadFactKey, LeadFacts, LeadHistory, LeadHistoryKey, Leads, LeadsByPhone,
    Messages, MessagesById, Meta, Outgoing, Spendings, Table, TurnKey, Turns, Voicemails, WebhookKeys,
};

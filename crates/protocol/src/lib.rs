//! What device and gateway tell each other: topics, envelopes, versions.
//!
//! Device and gateway are never upgraded together. So every envelope carries its version `v`; fields a release does not
//! know are kept and written again where they were; kinds of events it does not know are carried on; a version above its
//! own is refused with a reason, and the sender keeps what it has until the other side is upgraded.
//!
//! A [`Topic`] says where a message goes and who may send it, a [`wire::Document`] is what its payload holds.
//! [`encode`] and [`decode`] go between documents and bytes; [`decode_batch`] reads batches of events, takes the good
//! ones and lists the bad. [`BatchBuilder`] makes batches. [`Presence::is_stale`], [`Desired::follow`],
//! [`CommandState::step`] and [`CommandRequest::remaining_ms`] are the rules both sides keep, as pure functions.
//!
//! It deliberately knows no MQTT library, database, disk or clock: bytes come in and go out, time is an argument.
//!
//! **Invariant:** whatever the bytes, reading returns documents and errors; it never panics, and takes no more memory
//! than the bounds in [`limits`] allow.
//! **Invariant:** no name of a device leads out of its own subtree, and no device may publish for another.
//! **Invariant:** what was read is written again with nothing missing.
//! **Invariant:** neither an error nor `Debug` shows personal data; an error shows no value at all, only names.

mod batch;
mod command;
mod data;
mod desired;
mod event;
mod fault;
mod fields;
pub mod limits;
mod name;
mod presence;
mod reported;
mod salvage;
mod topic;
mod watermark;
pub mod wire;

#[cfg(test)]
mod tests;

pub use crate::batch::{
    BadEvent, BatchBuilder, BatchLimits, BatchSource, BuildError, EventBatch, ReceivedBatch, SeqRange, Skipped,
};
pub use crate::command::{
    CommandRequest, CommandState, CommandStatus, Seen, StatusVerdict, TRANSITIONS, TransitionError,
};
pub use crate::data::{
    AuditEntry, CallEnded, CallStarted, CallTurn, FormRecord, Latencies, LogLine, MetricsSample, OutboxLost,
    StoreReset, VoicemailSaved, VoicemailTranscribed, Weather,
};
pub use crate::desired::{Desired, DeviceConfig, LogLevel, VersionConflict};
pub use crate::event::{Event, EventData, Kind, NewEvent, NewEventError, Stamp};
pub use crate::fault::{Fault, Found};
pub use crate::fields::{Extra, V1, VERSION};
pub use crate::name::{CommandId, DeviceId, EventId, ParseNameError, Word};
pub use crate::presence::Presence;
pub use crate::reported::{CallCounts, DesiredRejected, Disk, Memory, OutboxReport, Reported, Throttling};
pub use crate::salvage::decode_batch;
pub use crate::topic::{
    DEVICE_PUBLISHES, DEVICE_SUBSCRIBES, INGEST_GROUP, ParseTopicError, Party, Stream, Topic, device_filters,
    device_may_publish, device_may_subscribe, ingest_filters, mosquitto_acl, snapshot_filters,
};
pub use crate::watermark::{Watermark, next_epoch};
pub use crate::wire::{Address, DecodeError, Document, EncodeError, decode, encode};

//! The tables: which key leads to which row.

use leads::{Entry, Fact, Lead, LeadId, Source, SourceKind, Waiting};
use serde::Serialize;
use serde::de::DeserializeOwned;
use units::{CallId, TurnId};

use crate::key::{TableKey, call_prefix, split_call, split_number};
use crate::messages::{
    ConversationId, ConversationRow, MessageByIdRow, MessageKey, MessageRow, OutgoingKey, OutgoingRow,
};
use crate::records::{
    ApiAnswerRow, BlockedRow, CallBackRow, CallRecord, FormRow, MetaRow, SpendingRow, TurnRow, VoicemailKey,
    VoicemailRecord, WebhookRow,
};

/// A table: a type that only names key, row and number.
///
/// Rows are stored as JSON. A release must read what the one before it wrote and the other way round, so fields are
/// only ever added, with `#[serde(default)]`, and unknown ones are ignored.
pub trait Table {
    /// The first byte of all keys of the table. Never reused for another table. `1..=31` are this crate's, and 8
    /// is the outbox's.
    const ID: u8;
    /// The name in errors and logs.
    const NAME: &'static str;
    /// What a row is found by.
    type Key: TableKey;
    /// What is kept.
    type Row: Serialize + DeserializeOwned;
}

macro_rules! table {
    ($(#[$doc:meta])* $name:ident = $id:literal, $text:literal, $key:ty => $row:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl Table for $name {
            const ID: u8 = $id;
            const NAME: &'static str = $text;
            type Key = $key;
            type Row = $row;
        }
    };
}

table!(
    /// What the store knows about itself, by name.
    Meta = 1, "meta", String => MetaRow
);
table!(
    /// Calls, by their id. Write them with [`Batch::put_call`](crate::Batch::put_call), which keeps
    /// [`CallsByTime`] in step.
    Calls = 2, "calls", CallId => CallRecord
);
table!(
    /// Calls in the order in which they came in; the rows are empty.
    CallsByTime = 3, "calls_by_time", CallByTimeKey => ()
);
table!(
    /// What was said, by call and turn.
    Turns = 4, "turns", TurnKey => TurnRow
);
table!(
    /// Filled forms, by call and form.
    Forms = 5, "form_records", FormKey => FormRow
);
table!(
    /// Voicemails, in the order in which they came in.
    Voicemails = 6, "voicemails", VoicemailKey => VoicemailRecord
);
table!(
    /// Webhook requests that were acted on, by the carrier's idempotency token.
    WebhookKeys = 7, "webhook_keys", String => WebhookRow
);

table!(
    /// What the gateway wished and commanded, by name, so that a command is not begun twice.
    Inbox = 9, "inbox", String => serde_json::Value
);

table!(
    /// What the cloud cost, by day (UTC, counted from 1970).
    Spendings = 10, "spendings", u64 => SpendingRow
);

table!(
    /// Customers to be called back, by the moment at which they asked and a number that tells them apart.
    CallBacks = 19, "call_backs", String => CallBackRow
);

table!(
    /// Numbers that are not wanted, in E.164.
    Blocked = 20, "blocked", String => BlockedRow
);

table!(
    /// What was told of people and is not folded into a lead yet, in the order in which it was told.
    LeadFacts = 11, "lead_facts", LeadFactKey => Fact
);

table!(
    /// People the office heard of, by name: in the order in which they were first heard of.
    Leads = 12, "leads", LeadId => Lead
);
table!(
    /// What was told of each and changed by hand, in the order of its times.
    LeadHistory = 13, "lead_history", LeadHistoryKey => Entry
);
table!(
    /// Changes of leads that the office's CRM does not have.
    Deliveries = 14, "deliveries", DeliveryKey => Waiting
);
table!(
    /// The newest change of each lead that the CRM has. A delivery up to it that still waits was put back by a salvage.
    Delivered = 25, "delivered", LeadId => u64
);
table!(
    /// What the API answered to requests with an idempotency key, by a digest of that key.
    ApiAnswers = 23, "api_answers", String => ApiAnswerRow
);
table!(
    /// Leads by telephone number, in E.164.
    LeadsByPhone = 24, "leads_by_phone", String => LeadId
);

table!(
    /// Conversations by text message, by their two addresses.
    Conversations = 15, "conversations", ConversationId => ConversationRow
);
table!(
    /// Text messages, by conversation and in the order in which they came or were written.
    Messages = 16, "messages", MessageKey => MessageRow
);
table!(
    /// What is still to be done with messages, and the requests that were made.
    Outgoing = 17, "outgoing", OutgoingKey => OutgoingRow
);
table!(
    /// Text messages, by the provider's name for the provider and the message, `twilio:SM…`.
    MessagesById = 18, "messages_by_id", String => MessageByIdRow
);

impl TableKey for LeadId {
    fn encode(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::from_bytes(bytes)
    }
}

/// Splits a lead's name off the front.
fn split_lead(bytes: &[u8]) -> Option<(LeadId, &[u8])> {
    let (lead, rest) = bytes.split_at_checked(12)?;
    Some((LeadId::from_bytes(lead)?, rest))
}

/// Key of [`LeadHistory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadHistoryKey {
    /// The lead.
    pub lead: LeadId,
    /// When, in milliseconds since 1970.
    pub at_wall_ms: u64,
    /// What kind of entry: the word for a source's kind, or `edit`.
    pub kind: String,
    /// Its name among its kind.
    pub id: String,
}

impl LeadHistoryKey {
    /// Returns the key of a fact in the history of a lead.
    pub fn of(lead: LeadId, fact: &Fact) -> Self {
        let Source { kind, id } = &fact.source;
        Self { lead, at_wall_ms: fact.at_wall_ms, kind: kind.as_str().to_owned(), id: id.clone() }
    }
}

impl TableKey for LeadHistoryKey {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.lead.encode();
        bytes.extend(self.at_wall_ms.encode());
        bytes.extend_from_slice(self.kind.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(self.id.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (lead, rest) = split_lead(bytes)?;
        let (at_wall_ms, rest) = split_number(rest)?;
        let (kind, id) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
        Some(Self { lead, at_wall_ms, kind: kind.to_owned(), id: id.to_owned() })
    }
}

/// Key of [`Deliveries`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryKey {
    /// The lead.
    pub lead: LeadId,
    /// The number of the change.
    pub sequence: u64,
}

impl TableKey for DeliveryKey {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.lead.encode();
        bytes.extend(self.sequence.encode());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (lead, rest) = split_lead(bytes)?;
        Some(Self { lead, sequence: u64::decode(rest)? })
    }
}

/// Key of [`LeadFacts`]: a fact told twice is one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadFactKey {
    /// When it was told, in milliseconds since 1970.
    pub at_wall_ms: u64,
    /// What told it.
    pub source: Source,
}

impl LeadFactKey {
    /// Returns the key of a fact.
    pub fn of(fact: &Fact) -> Self {
        Self { at_wall_ms: fact.at_wall_ms, source: fact.source.clone() }
    }
}

impl TableKey for LeadFactKey {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.at_wall_ms.encode();
        bytes.extend_from_slice(self.source.kind.as_str().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(self.source.id.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (at_wall_ms, rest) = split_number(bytes)?;
        let (kind, id) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
        Some(Self { at_wall_ms, source: Source { kind: SourceKind::of(kind), id: id.to_owned() } })
    }
}

/// Key of [`CallsByTime`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallByTimeKey {
    /// When the call came in, in milliseconds since 1970.
    pub started_wall_ms: u64,
    /// The call.
    pub call: CallId,
}

impl TableKey for CallByTimeKey {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.started_wall_ms.encode();
        bytes.extend(self.call.encode());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (started_wall_ms, rest) = split_number(bytes)?;
        Some(Self { started_wall_ms, call: CallId::decode(rest)? })
    }
}

/// Key of [`Turns`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnKey {
    /// The call.
    pub call: CallId,
    /// The turn within it.
    pub turn: TurnId,
}

impl TableKey for TurnKey {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = call_prefix(&self.call);
        bytes.extend_from_slice(&self.turn.0.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (call, rest) = split_call(bytes)?;
        Some(Self { call, turn: TurnId(u32::from_be_bytes(rest.try_into().ok()?)) })
    }
}

/// Key of [`Forms`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormKey {
    /// The call.
    pub call: CallId,
    /// The form's name, as in its file.
    pub form: String,
}

impl TableKey for FormKey {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = call_prefix(&self.call);
        bytes.extend_from_slice(self.form.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (call, rest) = split_call(bytes)?;
        Some(Self { call, form: String::decode(rest)? })
    }
}

impl TableKey for VoicemailKey {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.received_wall_ms.encode();
        bytes.extend(self.call.encode());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (received_wall_ms, rest) = split_number(bytes)?;
        Some(Self { received_wall_ms, call: CallId::decode(rest)? })
    }
}

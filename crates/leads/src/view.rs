//! A lead and its history as programs of the office see them: in answers of the API and in deliveries.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use units::Pii;

use crate::fact::{Fact, SourceKind};
use crate::lead::{Edit, Lead};

/// A person the office heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Lead")]
pub struct LeadView {
    /// Its name; the same for ever.
    pub id: String,
    /// The number of the change that made it what it is; rises.
    pub version: u64,
    /// The telephone number it is recognized by, in E.164; null for callers who withhold theirs.
    #[schemars(with = "Option<String>")]
    pub phone: Option<Pii<String>>,
    /// The number to call back, as it was said.
    #[schemars(with = "Option<String>")]
    pub callback: Option<Pii<String>>,
    /// What this person is called.
    #[schemars(with = "Option<String>")]
    pub name: Option<Pii<String>>,
    /// The language spoken or written last: `he` or `en`.
    pub language: Option<String>,
    /// What is known, by the id of the form's field.
    #[schemars(with = "BTreeMap<String, String>")]
    pub fields: BTreeMap<String, Pii<String>>,
    /// `new`, `contacted`, `done` or `dropped`. Somebody who is heard of again is `new` again.
    pub state: String,
    /// What the office noted.
    #[schemars(with = "String")]
    pub note: Pii<String>,
    /// When this person was first heard of.
    pub first_seen_wall_ms: u64,
    /// When this person was last heard of.
    pub last_seen_wall_ms: u64,
    /// When anything was changed last.
    pub changed_wall_ms: u64,
    /// How much was told by each kind of source: `call`, `voicemail`, `message`, `web`, `manual`.
    pub sources: BTreeMap<String, u32>,
}

impl LeadView {
    /// Shows a lead.
    pub fn of(lead: &Lead) -> Self {
        let value = |told: &crate::lead::Told| told.value.clone();
        Self {
            id: lead.id.to_string(),
            version: lead.version,
            phone: lead.phone.clone(),
            callback: lead.callback.as_ref().map(value),
            name: lead.name.as_ref().map(value),
            language: lead.language.map(|language| language.code().to_owned()),
            fields: lead.fields.iter().map(|(id, told)| (id.clone(), told.value.clone())).collect(),
            state: lead.state.as_str().to_owned(),
            note: lead.note.clone(),
            first_seen_wall_ms: lead.first_seen_wall_ms,
            last_seen_wall_ms: lead.last_seen_wall_ms,
            changed_wall_ms: lead.changed_wall_ms,
            sources: lead.sources.iter().map(|(kind, count)| (kind.as_str().to_owned(), *count)).collect(),
        }
    }
}

/// An entry of a lead's history. Stored as JSON; fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// Something was told.
    Told(Fact),
    /// Somebody changed it by hand.
    Edited {
        /// The token it was changed with.
        by: String,
        /// When, in milliseconds since 1970.
        at_wall_ms: u64,
        /// What was changed.
        edit: Edit,
    },
}

/// Something that was told of a person, or changed by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LeadEntry")]
pub struct EntryView {
    /// When.
    pub at_wall_ms: u64,
    /// What told it: `call`, `voicemail`, `message`, `web`, `manual`; `edit` for a change by hand.
    pub source: String,
    /// Its name among its kind: the call's, the voicemail's, the message's; the token's for a change by hand.
    pub source_id: String,
    /// The name that was told.
    #[schemars(with = "Option<String>")]
    pub name: Option<Pii<String>>,
    /// The number to call back that was told.
    #[schemars(with = "Option<String>")]
    pub callback: Option<Pii<String>>,
    /// The fields that were told.
    #[schemars(with = "BTreeMap<String, String>")]
    pub fields: BTreeMap<String, Pii<String>>,
    /// What was said or written; for a change by hand the note.
    #[schemars(with = "Option<String>")]
    pub text: Option<Pii<String>>,
    /// The state it was put into by hand.
    pub state: Option<String>,
}

impl EntryView {
    /// Shows an entry.
    pub fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Told(fact) => Self {
                at_wall_ms: fact.at_wall_ms,
                source: fact.source.kind.as_str().to_owned(),
                source_id: fact.source.id.clone(),
                name: fact.name.clone(),
                callback: fact.callback.clone(),
                fields: fact.fields.clone(),
                text: fact.text.clone(),
                state: None,
            },
            Entry::Edited { by, at_wall_ms, edit } => Self {
                at_wall_ms: *at_wall_ms,
                source: "edit".to_owned(),
                source_id: by.clone(),
                name: edit.name.clone(),
                callback: None,
                fields: BTreeMap::new(),
                text: edit.note.clone(),
                state: edit.state.map(|state| state.as_str().to_owned()),
            },
        }
    }

    /// Returns the kind of source, if something was told.
    pub fn told_by(&self) -> Option<SourceKind> {
        Some(SourceKind::of(&self.source)).filter(|kind| *kind != SourceKind::Unknown)
    }
}

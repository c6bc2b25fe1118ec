//! What came of a call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use units::{Language, Pii};

/// What the office wanted to know, as far as the caller said it.
///
/// Written as JSON by the store and the gateway; fields are only ever added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormRecord {
    /// The version of this record's format, [`FormRecord::VERSION`] when written by this release.
    pub version: u32,
    /// The form's name.
    pub form: String,
    /// The language spoken last.
    pub language: Language,
    /// How it ended.
    #[serde(default)]
    pub outcome: Outcome,
    /// How many turns the caller took.
    #[serde(default)]
    pub turns: u32,
    /// Whether every required field has a value.
    #[serde(default)]
    pub complete: bool,
    /// What is known, by the field's id.
    #[serde(default)]
    pub fields: BTreeMap<String, FieldRecord>,
}

impl FormRecord {
    /// The version of the format this release writes.
    pub const VERSION: u32 = 1;
}

/// What is known of one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldRecord {
    /// The value.
    pub value: Pii<Value>,
    /// Whether the caller heard it back and agreed.
    #[serde(default)]
    pub confirmed: bool,
    /// Where it came from.
    #[serde(default)]
    pub source: Source,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Value {
    /// What the caller said: a name, a reason, a time.
    Text(String),
    /// A phone number: digits, with a leading `+` if it is international.
    Phone(String),
    /// A number, in the field's own unit.
    Number(f64),
    /// The id of a choice.
    Choice(String),
    /// Yes or no.
    YesNo(bool),
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The caller said it.
    #[default]
    Said,
    /// The caller pressed it.
    Keyed,
    /// It is the number the call came from, and the caller agreed to it.
    CallerId,
    /// A word of a newer release.
    #[serde(other)]
    Unknown,
}

/// How it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has not ended, or the caller hung up.
    #[default]
    Open,
    /// Everything asked was answered.
    Completed,
    /// The caller said goodbye before that.
    Goodbye,
    /// The caller was asked for a free message.
    Voicemail,
    /// The caller asked for a person.
    Transfer,
    /// The caller said nothing.
    Silent,
    /// A word of a newer release.
    #[serde(other)]
    Unknown,
}

//! What one call, voicemail or message told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use units::{Language, Pii};

use crate::text::clip;

/// Bytes of a source's name that are kept.
pub const MAX_SOURCE_LEN: usize = 256;
/// Fields of one fact that are kept.
pub const MAX_FIELDS: usize = 40;
/// Bytes of a field's name that are kept.
pub const MAX_FIELD_NAME_LEN: usize = 64;
/// Bytes of a field's value, a name or a number that are kept.
pub const MAX_VALUE_LEN: usize = 500;
/// Bytes of a text that are kept.
pub const MAX_TEXT_LEN: usize = 4_000;

/// What one source told about a person, at one time. Stored as JSON; fields are only ever added.
///
/// The time and the source are a fact's name: told twice, it is one fact. A source that tells again of something new
/// does so at a later time. Where the first fact told nothing but that somebody was there, one of the same name that tells
/// more takes its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What told it.
    pub source: Source,
    /// When, in milliseconds since 1970. The source's own time, so that repeating it makes the same fact.
    pub at_wall_ms: u64,
    /// The caller's or sender's address as the carrier gave it; empty when withheld.
    #[serde(default)]
    pub address: Pii<String>,
    /// The number under which this person wants to be called back, as it was said.
    #[serde(default)]
    pub callback: Option<Pii<String>>,
    /// What this person is called.
    #[serde(default)]
    pub name: Option<Pii<String>>,
    /// The language spoken or written.
    #[serde(default)]
    pub language: Option<Language>,
    /// The form that was filled, by its name.
    #[serde(default)]
    pub form: Option<String>,
    /// Whether the form is complete.
    #[serde(default)]
    pub complete: bool,
    /// What is known, by the field's id. A choice is its id, a number its decimal digits, yes and no are those words.
    #[serde(default)]
    pub fields: BTreeMap<String, Pii<String>>,
    /// What was said or written, where it is one text: a voicemail's transcript, a message.
    #[serde(default)]
    pub text: Option<Pii<String>>,
}

/// What told a fact.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// Its kind.
    pub kind: SourceKind,
    /// Its name among its kind: a call, a voicemail, a message.
    pub id: String,
}

impl std::fmt::Debug for Source {
    /// Shows the kind only: a message's name can hold a number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// The form filled in a call.
    Call,
    /// A message left after the tone.
    Voicemail,
    /// A text message or voice note.
    Message,
    /// A form on the office's web site, or a program of the office.
    Web,
    /// Somebody in the office wrote it down.
    Manual,
    /// A word of a newer release.
    #[serde(other)]
    Unknown,
}

impl SourceKind {
    /// Returns the word for it, as in rows and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Voicemail => "voicemail",
            Self::Message => "message",
            Self::Web => "web",
            Self::Manual => "manual",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word; [`SourceKind::Unknown`] for any other.
    pub fn of(word: &str) -> Self {
        let all = [Self::Call, Self::Voicemail, Self::Message, Self::Web, Self::Manual];
        all.into_iter().find(|kind| kind.as_str() == word).unwrap_or(Self::Unknown)
    }
}

impl Fact {
    /// Makes a fact that tells nothing yet but that somebody was there.
    pub fn new(source: Source, at_wall_ms: u64, address: Pii<String>) -> Self {
        Self {
            source,
            at_wall_ms,
            address,
            callback: None,
            name: None,
            language: None,
            form: None,
            complete: false,
            fields: BTreeMap::new(),
            text: None,
        }
    }

    /// Tells whether nothing is known of the person but the address.
    pub fn tells_nothing(&self) -> bool {
        let is_blank = |text: &Option<Pii<String>>| text.as_ref().is_none_or(|text| text.reveal().trim().is_empty());
        is_blank(&self.callback) && is_blank(&self.name) && is_blank(&self.text) && self.fields.is_empty()
    }

    /// Cuts everything to what is kept, so that a fact always fits into a row.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let short = |text: Pii<String>| text.map(|text| clip(&text, MAX_VALUE_LEN));
        self.source.id = clip(&self.source.id, MAX_SOURCE_LEN);
        self.address = short(self.address);
        self.callback = self.callback.map(short);
        self.name = self.name.map(short);
        self.form = self.form.map(|form| clip(&form, MAX_FIELD_NAME_LEN));
        let fields = self.fields.into_iter().take(MAX_FIELDS);
        self.fields = fields.map(|(id, value)| (clip(&id, MAX_FIELD_NAME_LEN), short(value))).collect();
        self.text = self.text.map(|text| text.map(|text| clip(&text, MAX_TEXT_LEN)));
        self
    }
}

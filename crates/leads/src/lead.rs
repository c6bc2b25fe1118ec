//! One person, as far as the office knows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use units::{Language, Pii};

use crate::fact::{Fact, MAX_FIELDS, MAX_VALUE_LEN, SourceKind};
use crate::id::LeadId;
use crate::phone::{e164, national};
use crate::text::{clip, folded};

/// Bytes of a note that are kept.
pub const MAX_NOTE_LEN: usize = 2_000;
/// Digits a search needs before it looks at numbers.
const MIN_DIGITS: usize = 3;

/// What the office has done about a lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadState {
    /// Nothing yet, or something was told since.
    #[default]
    New,
    /// Somebody has spoken with this person.
    Contacted,
    /// It is settled.
    Done,
    /// Nothing will come of it.
    Dropped,
    /// A word of a newer release.
    #[serde(other)]
    Unknown,
}

impl LeadState {
    /// The states a lead can be put into.
    pub const ALL: [Self; 4] = [Self::New, Self::Contacted, Self::Done, Self::Dropped];

    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Contacted => "contacted",
            Self::Done => "done",
            Self::Dropped => "dropped",
            Self::Unknown => "unknown",
        }
    }
}

/// Something told, and when: what was told last counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What.
    pub value: Pii<String>,
    /// When, in milliseconds since 1970.
    pub at_wall_ms: u64,
}

/// One person, as far as the office knows. Stored as JSON; fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// Its name.
    pub id: LeadId,
    /// Rises by one with each change: the number of the change that made it what it is.
    pub version: u64,
    /// The number it is recognized by, in E.164; none for callers who withhold theirs and leave no other.
    #[serde(default)]
    pub phone: Option<Pii<String>>,
    /// The number under which this person wants to be called back.
    #[serde(default)]
    pub callback: Option<Told>,
    /// What this person is called.
    #[serde(default)]
    pub name: Option<Told>,
    /// The language spoken or written last.
    #[serde(default)]
    pub language: Option<Language>,
    /// What is known, by the field's id.
    #[serde(default)]
    pub fields: BTreeMap<String, Told>,
    /// What the office has done about it.
    #[serde(default)]
    pub state: LeadState,
    /// What the office noted.
    #[serde(default)]
    pub note: Pii<String>,
    /// When this person was first heard of, in milliseconds since 1970.
    pub first_seen_wall_ms: u64,
    /// When this person was last heard of, in milliseconds since 1970.
    pub last_seen_wall_ms: u64,
    /// When anything was changed last, in milliseconds since 1970.
    #[serde(default)]
    pub changed_wall_ms: u64,
    /// How much was told by each kind of source.
    #[serde(default)]
    pub sources: BTreeMap<SourceKind, u32>,
    /// Entries of its history that are kept.
    #[serde(default)]
    pub history: u32,
}

/// What the office changes about a lead by hand. What is not given stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// What was done about it.
    #[serde(default)]
    pub state: Option<LeadState>,
    /// The note, in place of the one before.
    #[serde(default)]
    pub note: Option<Pii<String>>,
    /// What this person is called.
    #[serde(default)]
    pub name: Option<Pii<String>>,
}

impl Fact {
    /// Returns the number that tells whose fact it is: the caller's, else the one left to be called back.
    pub fn phone(&self) -> Option<String> {
        e164(self.address.reveal()).or_else(|| self.callback.as_ref().and_then(|number| e164(number.reveal())))
    }
}

impl Lead {
    /// Makes the lead of somebody nobody has heard of; fold the fact into it afterwards.
    pub fn begun(id: LeadId, fact: &Fact) -> Self {
        Self {
            id,
            version: 0,
            phone: fact.phone().map(Pii::new),
            callback: None,
            name: None,
            language: None,
            fields: BTreeMap::new(),
            state: LeadState::New,
            note: Pii::default(),
            first_seen_wall_ms: fact.at_wall_ms,
            last_seen_wall_ms: fact.at_wall_ms,
            changed_wall_ms: 0,
            sources: BTreeMap::new(),
            history: 0,
        }
    }

    /// Takes in what was told: of each thing what was told last counts, in whatever order facts come in. Somebody who is
    /// heard of again is new again.
    pub fn fold(&mut self, fact: &Fact, now_wall_ms: u64) {
        if fact.at_wall_ms >= self.last_seen_wall_ms || self.version == 0 {
            self.state = LeadState::New;
        }
        let count = self.sources.entry(fact.source.kind).or_default();
        *count = count.saturating_add(1);
        self.take_in(fact, now_wall_ms);
    }

    /// Takes in a fact that tells more in place of one that was folded: nobody is heard of again.
    pub fn take_in(&mut self, fact: &Fact, now_wall_ms: u64) {
        let fact = fact.clone().bounded();
        let at_wall_ms = fact.at_wall_ms;
        if at_wall_ms >= self.last_seen_wall_ms {
            self.language = fact.language.or(self.language);
        }
        let told = |value: Pii<String>| Told { value, at_wall_ms };
        for (slot, value) in [(&mut self.name, fact.name), (&mut self.callback, fact.callback)] {
            newest(slot, value.filter(|value| !value.reveal().trim().is_empty()).map(told));
        }
        for (id, value) in fact.fields {
            let mut slot = self.fields.remove(&id);
            newest(&mut slot, Some(told(value)));
            self.fields.extend(slot.map(|told| (id, told)));
        }
        while self.fields.len() > MAX_FIELDS {
            let oldest = self.fields.iter().min_by_key(|(id, told)| (told.at_wall_ms, *id)).map(|(id, _)| id.clone());
            oldest.and_then(|id| self.fields.remove(&id));
        }
        self.first_seen_wall_ms = self.first_seen_wall_ms.min(at_wall_ms);
        self.last_seen_wall_ms = self.last_seen_wall_ms.max(at_wall_ms);
        self.changed(now_wall_ms);
    }

    /// Changes it by hand. Returns whether anything is different.
    pub fn edit(&mut self, edit: &Edit, now_wall_ms: u64) -> bool {
        let before = self.clone();
        self.state = edit.state.unwrap_or(self.state);
        if let Some(note) = &edit.note {
            self.note = Pii::new(clip(note.reveal(), MAX_NOTE_LEN));
        }
        if let Some(name) = &edit.name {
            let value = Pii::new(clip(name.reveal(), MAX_VALUE_LEN));
            let is_other = self.name.as_ref().is_none_or(|told| told.value != value);
            if is_other {
                self.name = Some(Told { value, at_wall_ms: now_wall_ms });
            }
        }
        let differs = *self != before;
        if differs {
            self.changed(now_wall_ms);
        }
        differs
    }

    fn changed(&mut self, now_wall_ms: u64) {
        self.version = self.version.saturating_add(1);
        self.changed_wall_ms = now_wall_ms;
    }
}

/// Keeps what was told last; of two at the same time the greater, so that the order they come in does not matter.
fn newest(slot: &mut Option<Told>, told: Option<Told>) {
    let Some(told) = told else { return };
    let is_newer = |now: &Told| (told.at_wall_ms, told.value.reveal()) > (now.at_wall_ms, now.value.reveal());
    if slot.as_ref().is_none_or(is_newer) {
        *slot = Some(told);
    }
}

/// What somebody looks for.
#[derive(Clone, Debug)]
pub struct Search {
    words: Pii<Vec<String>>,
    digits: Pii<String>,
}

impl Search {
    /// Reads what was typed: words, each of which has to be in the lead, or a part of a telephone number.
    pub fn new(text: &str) -> Self {
        let looks_like_a_number = text.chars().all(|c| c.is_ascii_digit() || "+-.() /".contains(c));
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let digits = if looks_like_a_number && digits.len() >= MIN_DIGITS { digits } else { String::new() };
        let words = folded(text).split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        Self { words: Pii::new(words), digits: Pii::new(digits) }
    }

    /// Tells whether a lead is among what is looked for.
    pub fn finds(&self, lead: &Lead) -> bool {
        let digits = self.digits.reveal();
        if !digits.is_empty() && numbers(lead).any(|number| number.contains(digits.as_str())) {
            return true;
        }
        let told = lead.name.iter().chain(lead.callback.iter()).chain(lead.fields.values());
        let mut text: Vec<String> = told.map(|told| folded(told.value.reveal())).collect();
        text.push(folded(lead.note.reveal()));
        text.extend(numbers(lead));
        self.words.reveal().iter().all(|word| text.iter().any(|text| text.contains(word.as_str())))
    }
}

/// Returns the digits of each number, as it is dialled at home and from abroad.
fn numbers(lead: &Lead) -> impl Iterator<Item = String> {
    let callback = lead.callback.as_ref().and_then(|told| e164(told.value.reveal()));
    lead.phone.iter().map(|phone| phone.reveal().clone()).chain(callback).flat_map(|number| {
        let abroad = number.trim_start_matches('+').to_owned();
        national(&number).into_iter().chain([abroad])
    })
}

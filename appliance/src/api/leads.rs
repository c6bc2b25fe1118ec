//! `/api/leads`: people the office heard of.

mod list;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::leads::phone::e164;
use ::leads::{Edit, Fact, Lead, LeadId, LeadState, LeadView, Source, SourceKind};
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use rand::RngExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::Leads as LeadRows;
use units::{Language, Pii};

use super::once::{Once, Reply};
use super::reply::{Answer, ETag, single};
use super::request::{Conditions, Json, Path};
use super::token::hex;
use super::{Caller, Operation, Problem, Scope};
use crate::app::Parts;

/// The longest text taken, in bytes; what a lead keeps may be less.
const MAX_TEXT_LEN: usize = 4_000;

/// Somebody to be remembered: by hand, or from a form on the office's web site.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewLead {
    /// The telephone number, as people write it. A person whose number is known already gets no second lead.
    #[schemars(with = "Option<String>")]
    #[serde(default)]
    phone: Option<Pii<String>>,
    /// What this person is called.
    #[schemars(with = "Option<String>")]
    #[serde(default)]
    name: Option<Pii<String>>,
    /// What is known, by the id of the form's field.
    #[schemars(with = "BTreeMap<String, String>")]
    #[serde(default)]
    fields: BTreeMap<String, Pii<String>>,
    /// What this person said or wrote.
    #[schemars(with = "Option<String>")]
    #[serde(default)]
    text: Option<Pii<String>>,
    /// The language spoken or written.
    #[serde(default)]
    language: Option<LanguageWord>,
    /// Who tells it.
    #[serde(default)]
    source: NewSource,
}

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Language")]
pub(super) enum LanguageWord {
    /// Hebrew.
    He,
    /// English.
    En,
}

impl From<LanguageWord> for Language {
    fn from(word: LanguageWord) -> Self {
        match word {
            LanguageWord::He => Self::Hebrew,
            LanguageWord::En => Self::English,
        }
    }
}

/// Who tells of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NewSource {
    /// Somebody in the office.
    #[default]
    Manual,
    /// A form on the office's web site, or a program.
    Web,
}

/// A change of a lead by hand. What is not given stays as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LeadChange {
    /// What was done about it.
    #[serde(default)]
    state: Option<StateWord>,
    /// The note, in place of the one before.
    #[schemars(with = "Option<String>")]
    #[serde(default)]
    note: Option<Pii<String>>,
    /// What this person is called.
    #[schemars(with = "Option<String>")]
    #[serde(default)]
    name: Option<Pii<String>>,
}

/// What the office has done about a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LeadState")]
pub(super) enum StateWord {
    /// Nothing yet, or something was told since.
    New,
    /// Somebody has spoken with this person.
    Contacted,
    /// It is settled.
    Done,
    /// Nothing will come of it.
    Dropped,
}

impl From<StateWord> for LeadState {
    fn from(word: StateWord) -> Self {
        match word {
            StateWord::New => Self::New,
            StateWord::Contacted => Self::Contacted,
            StateWord::Done => Self::Done,
            StateWord::Dropped => Self::Dropped,
        }
    }
}

pub(super) fn operations() -> Vec<Operation> {
    let mut operations = list::operations();
    operations.extend([
        Operation::post("/leads", "put_lead", "Remembers a person, or adds to one known.", Scope::LeadsWrite, create)
            .takes::<NewLead>()
            .answers::<LeadView>(201, "The new lead.")
            .answers::<LeadView>(200, "The lead that was known already, with what was added.")
            .once(),
        Operation::get("/leads/{id}", "lead", "Returns a lead.", Scope::LeadsRead, read)
            .answers::<LeadView>(200, "The lead.")
            .conditional(),
        Operation::patch("/leads/{id}", "change_lead", "Changes a lead by hand.", Scope::LeadsWrite, change)
            .takes::<LeadChange>()
            .answers::<LeadView>(200, "The lead as it is now.")
            .conditional(),
    ]);
    operations
}

async fn create(State(parts): State<Arc<Parts>>, once: Once, body: Json<NewLead>) -> Answer {
    if let Some(before) = once.before(&parts, &body.digest).await? {
        return Ok(before);
    }
    let (digest, now_wall_ms) = (body.digest, parts.clock.wall_ms());
    let fact = fact_of(body.value, now_wall_ms)?;
    let keeping = once.clone();
    let kept_digest = digest.clone();
    let written = parts.leads.fold(&parts.archive, fact, move |batch, written| {
        keeping.keep(batch, &kept_digest, now_wall_ms, &reply(&written.lead, written.is_new))
    });
    match written.await.map_err(Problem::from) {
        Ok(written) => Ok(reply(&written.lead, written.is_new).response()),
        // Another request with the same key was faster.
        Err(problem) if problem.status() == StatusCode::CONFLICT => {
            once.before(&parts, &digest).await?.ok_or_else(Problem::conflict)
        }
        Err(problem) => Err(problem),
    }
}

fn reply(lead: &Lead, is_new: bool) -> Reply {
    Reply {
        status: if is_new { StatusCode::CREATED } else { StatusCode::OK },
        location: Some(format!("/api/leads/{}", lead.id)),
        etag: Some(etag(lead)),
        body: serde_json::to_string(&LeadView::of(lead)).unwrap_or_default(),
    }
}

fn fact_of(body: NewLead, now_wall_ms: u64) -> Result<Fact, Problem> {
    let too_long = |text: &Pii<String>| text.reveal().len() > MAX_TEXT_LEN;
    if body.text.as_ref().is_some_and(too_long) {
        return Err(Problem::bad_field("text", format!("expected at most {MAX_TEXT_LEN} bytes")));
    }
    let name = body.name.filter(|name| !name.reveal().trim().is_empty());
    if body.phone.is_none() && name.is_none() {
        return Err(Problem::bad_field("phone", "expected a telephone number or a name"));
    }
    if body.phone.as_ref().is_some_and(|phone| e164(phone.reveal()).is_none()) {
        let expected = "expected a telephone number such as '054-123-4567' or '+972541234567'";
        return Err(Problem::bad_field("phone", expected));
    }
    let kind = match body.source {
        NewSource::Manual => SourceKind::Manual,
        NewSource::Web => SourceKind::Web,
    };
    let source = Source { kind, id: hex(&rand::rng().random::<[u8; 12]>()) };
    let mut fact = Fact::new(source, now_wall_ms, body.phone.unwrap_or_default());
    fact.name = name;
    fact.fields = body.fields;
    fact.text = body.text;
    fact.language = body.language.map(Language::from);
    Ok(fact)
}

async fn read(State(parts): State<Arc<Parts>>, Path(id): Path<String>, conditions: Conditions) -> Answer {
    let id = lead_id(&id)?;
    let found = parts.archive.blocking(move |archive| archive.store().map(|store| store.get::<LeadRows>(&id))).await;
    let lead = found.flatten().ok_or_else(Problem::no_store)??.ok_or_else(|| Problem::not_found("lead"))?;
    Ok(single(&conditions, &etag(&lead), &LeadView::of(&lead)))
}

async fn change(
    State(parts): State<Arc<Parts>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    conditions: Conditions,
    body: Json<LeadChange>,
) -> Answer {
    let id = lead_id(&id)?;
    let LeadChange { state, note, name } = body.value;
    for (field, text) in [("note", &note), ("name", &name)] {
        if text.as_ref().is_some_and(|text| text.reveal().len() > MAX_TEXT_LEN / 2) {
            return Err(Problem::bad_field(field, format!("expected at most {} bytes", MAX_TEXT_LEN / 2)));
        }
    }
    let edit = Edit { state: state.map(LeadState::from), note, name };
    let check = move |lead: Option<&Lead>| match lead {
        Some(lead) => conditions.check(&etag(lead)),
        None => Err(Problem::not_found("lead")),
    };
    let written = parts.leads.edit(&parts.archive, id, edit, caller.token, check).await??;
    Ok(single(&Conditions::default(), &etag(&written.lead), &LeadView::of(&written.lead)))
}

fn lead_id(text: &str) -> Result<LeadId, Problem> {
    text.parse().map_err(|_no_name| Problem::not_found("lead"))
}

/// A lead's version changes with each of its changes.
fn etag(lead: &Lead) -> ETag {
    ETag::new(format_args!("{}-{}", lead.id, lead.version))
}

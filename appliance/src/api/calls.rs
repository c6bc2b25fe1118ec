//! `/api/calls`: who called, what was said, what the office wanted to know.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use store::{CallByTimeKey, CallRecord, Calls, FormRow, Forms, TurnRow};
use units::{CallId, Pii};

use super::reply::{Answer, ETag, Page, single};
use super::request::{Conditions, Paging, Path, Query};
use super::{Operation, Problem, Scope};
use crate::app::Parts;

/// A call.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Call")]
struct CallView {
    /// The carrier's name for it.
    id: String,
    /// The caller's number as the carrier gave it; empty when withheld.
    #[schemars(with = "String")]
    from: Pii<String>,
    /// The office's number that was called.
    #[schemars(with = "String")]
    to: Pii<String>,
    /// When it came in.
    started_wall_ms: u64,
    /// How long it lasted, in milliseconds; null while it goes on.
    duration_ms: Option<u64>,
    /// How it ended: `in_progress`, `completed`, `voicemail`, `transferred`, `caller_hung_up`, `silent`, `refused`,
    /// `failed`, `interrupted`, or a word of a newer release.
    outcome: String,
    /// The language spoken last: `he` or `en`.
    language: String,
    /// How many turns the caller took.
    turns: u32,
    /// What the cloud asked for it, in millionths of a dollar.
    cost_micros: u64,
    /// Whether there is a recording.
    is_recorded: bool,
}

/// A call with all that was said.
#[derive(Debug, Serialize, JsonSchema)]
struct CallDetail {
    /// The call.
    call: CallView,
    /// What was said, in order.
    turns: Vec<TurnView>,
    /// The forms, as far as they were filled.
    forms: Vec<FormView>,
}

/// What the caller said and the agent answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Turn")]
struct TurnView {
    /// Its number; zero is what the agent says before the caller said anything.
    turn: u32,
    /// What the caller said.
    #[schemars(with = "String")]
    caller: Pii<String>,
    /// What the agent answered, as far as the caller heard it.
    #[schemars(with = "String")]
    agent: Pii<String>,
    /// The language of the answer: `he` or `en`.
    language: String,
    /// Whether the caller interrupted the answer.
    is_interrupted: bool,
}

/// What the office wanted to know.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FilledForm")]
struct FormView {
    /// The form's name.
    form: String,
    /// Whether every required field is there.
    is_complete: bool,
    /// The record: `fields` holds what is known by the field's id.
    #[schemars(with = "Value")]
    record: Pii<Value>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/calls", "list_calls", "Lists calls, the newest first.", Scope::CallsRead, list)
            .pages::<CallView>(),
        Operation::get("/calls/{id}", "call", "Returns a call with all that was said.", Scope::CallsRead, read)
            .answers::<CallDetail>(200, "The call.")
            .conditional(),
    ]
}

/// Where a call stands in the list.
struct Place(CallByTimeKey);

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (time, call) = text.split_once('-').ok_or(())?;
        let started_wall_ms = time.parse().map_err(drop)?;
        Ok(Self(CallByTimeKey { started_wall_ms, call: call.parse().map_err(drop)? }))
    }
}

async fn list(State(parts): State<Arc<Parts>>, asked: OriginalUri, Query(paging): Query<Paging>) -> Answer {
    let (count, before) = (paging.count()?, paging.cursor::<Place>()?);
    let found = parts.archive.blocking(move |archive| {
        let store = archive.store()?;
        Some(store.recent_calls(before.as_ref().map(|place| &place.0), count.saturating_add(1)))
    });
    let records = found.await.flatten().ok_or_else(Problem::no_store)??;
    let views = records.iter().map(view).collect();
    Ok(Page::of(views, count, |call: &CallView| format!("{}-{}", call.started_wall_ms, call.id)).answer(&asked))
}

async fn read(State(parts): State<Arc<Parts>>, Path(id): Path<String>, conditions: Conditions) -> Answer {
    let id: CallId = id.parse().map_err(|_no_id| Problem::not_found("call"))?;
    let found = parts.archive.blocking(move |archive| {
        let Some(store) = archive.store() else { return Err(Problem::no_store()) };
        let Some(record) = store.get::<Calls>(&id)? else { return Err(Problem::not_found("call")) };
        let forms = store.query(&store::Query::<Forms>::of_call(&id))?;
        Ok((record, store.turns(&id)?, forms))
    });
    let (record, turns, forms) = found.await.ok_or_else(Problem::internal)??;
    let detail = CallDetail {
        call: view(&record),
        turns: turns.into_iter().map(turn_view).collect(),
        forms: forms.into_iter().map(|(_, row)| form_view(row)).collect(),
    };
    Ok(single(&conditions, &ETag::of(&detail), &detail))
}

fn view(record: &CallRecord) -> CallView {
    let outcome = serde_json::to_value(record.outcome).ok();
    CallView {
        id: record.call.to_string(),
        from: record.from.clone(),
        to: record.to.clone(),
        started_wall_ms: record.started_wall_ms,
        duration_ms: record.duration_ms,
        outcome: outcome.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default(),
        language: record.language.code().to_owned(),
        turns: record.turns,
        cost_micros: record.cost_micros,
        is_recorded: record.recording.is_some(),
    }
}

fn turn_view(row: TurnRow) -> TurnView {
    TurnView {
        turn: row.turn.0,
        caller: row.caller,
        agent: row.agent,
        language: row.language.code().to_owned(),
        is_interrupted: row.interrupted,
    }
}

fn form_view(row: FormRow) -> FormView {
    FormView { form: row.form, is_complete: row.complete, record: row.record }
}

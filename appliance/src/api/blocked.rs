//! `/api/blocked-numbers`: who is not wanted.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Batch, Blocked, BlockedRow, Query as StoreQuery};
use telephony::wire::Address;
use units::Pii;

use super::problem::Problem;
use super::reply::{Answer, Page};
use super::request::{Json, Paging, Path, Query};
use super::{Operation, Scope};
use crate::app::Parts;

/// Longest note, in characters.
const MAX_NOTE: usize = 500;

/// Why a number is not wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BlockedNumberNote")]
struct NoteView {
    /// Why, in a few words.
    #[serde(default)]
    #[schemars(length(max = 500))]
    note: String,
}

/// A number that is not wanted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BlockedNumber")]
struct BlockedView {
    /// The number, in E.164.
    number: String,
    /// Since when, in milliseconds since 1970.
    since_wall_ms: u64,
    /// Why.
    note: String,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get(
            "/blocked-numbers",
            "list_blocked_numbers",
            "Lists the numbers that are not wanted.",
            Scope::SettingsRead,
            list,
        )
        .pages::<BlockedView>(),
        Operation::put(
            "/blocked-numbers/{number}",
            "block_number",
            "Puts a number on the list. It finds the line busy, or voicemail, as configured.",
            Scope::SettingsWrite,
            block,
        )
        .takes::<NoteView>()
        .answers::<BlockedView>(200, "It is on the list."),
        Operation::delete(
            "/blocked-numbers/{number}",
            "unblock_number",
            "Takes a number off the list.",
            Scope::SettingsWrite,
            unblock,
        )
        .answers_with(204, "It is not on the list.", ""),
    ]
}

async fn list(State(parts): State<Arc<Parts>>, Query(paging): Query<Paging>, asked: OriginalUri) -> Answer {
    let (count, after) = (paging.count()?, paging.cursor::<String>()?);
    let mut query = StoreQuery::<Blocked>::all().limit(count.saturating_add(1));
    if let Some(after) = after {
        query = query.after(&after);
    }
    let rows = parts.archive.blocking(move |archive| archive.store().map(|store| store.query(&query))).await.flatten();
    let rows = rows.ok_or_else(Problem::no_store)?.map_err(|_unreadable| Problem::internal())?;
    let items = rows.into_iter().map(|(number, row)| view(number, row)).collect();
    Ok(Page::of(items, count, |item: &BlockedView| item.number.clone()).answer(&asked))
}

async fn block(
    State(parts): State<Arc<Parts>>,
    Path(number): Path<String>,
    Json { value, .. }: Json<NoteView>,
) -> Answer {
    let number = e164(&number)?;
    if value.note.chars().count() > MAX_NOTE {
        return Err(Problem::bad_field("note", format!("expected at most {MAX_NOTE} characters")));
    }
    let row = BlockedRow { since_wall_ms: parts.clock.wall_ms(), note: Pii::new(value.note) };
    let mut batch = Batch::new();
    batch.put::<Blocked>(&number, &row)?;
    parts.archive.commit(batch).await?;
    Ok(axum::Json(view(number, row)).into_response())
}

async fn unblock(State(parts): State<Arc<Parts>>, Path(number): Path<String>) -> Answer {
    let number = e164(&number)?;
    let mut batch = Batch::new();
    batch.delete::<Blocked>(&number)?;
    parts.archive.commit(batch).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn e164(text: &str) -> Result<String, Problem> {
    let Address::Phone(number) = Address::of(text) else {
        return Err(Problem::bad_field("number", "expected a number in E.164, '+' and 3 to 15 digits"));
    };
    Ok(number)
}

fn view(number: String, row: BlockedRow) -> BlockedView {
    BlockedView { number, since_wall_ms: row.since_wall_ms, note: row.note.into_revealed() }
}

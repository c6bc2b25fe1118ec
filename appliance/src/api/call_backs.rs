//! `/api/call-backs`: customers who want to be called.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use routing::call_back::State as Stands;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Batch, CallBackRow, CallBacks, CommitError, Order, Query as StoreQuery};
use telephony::wire::Address;
use units::{Language, Pii};

use super::once::{Once, Reply};
use super::problem::Problem;
use super::reply::{Answer, ETag, Page, single};
use super::request::{Conditions, Json, Paging, Path, Query};
use super::{Operation, Scope};
use crate::app::Parts;
use crate::call_backs::{self, Wanted};

/// Longest reason, in characters.
const MAX_REASON: usize = 500;

/// A customer who wants to be called.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CallBackWanted")]
struct WantedView {
    /// The number to call, in E.164.
    #[schemars(regex(pattern = r"^\+[1-9][0-9]{2,14}$"))]
    number: String,
    /// The language to speak: `he` or `en`. Default the office's.
    #[serde(default)]
    language: Option<String>,
    /// Why, in a few words.
    #[serde(default)]
    #[schemars(length(max = 500))]
    reason: String,
    /// Not before this moment, in milliseconds since 1970. Default at once, if the hours allow it.
    #[serde(default)]
    not_before_wall_ms: u64,
}

/// A customer to be called, and what came of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CallBack")]
struct CallBackView {
    /// Its id.
    id: String,
    /// The number.
    number: String,
    /// The language.
    language: &'static str,
    /// Why.
    reason: String,
    /// When it was asked for, in milliseconds since 1970.
    asked_wall_ms: u64,
    /// `waiting`, `calling`, `reached`, `word_left`, `failed`, `canceled`, or `uncertain`: the carrier may have placed the
    /// call, nothing more was heard of it, and it is not tried again.
    state: &'static str,
    /// Not before this moment, while it waits, in milliseconds since 1970. The hours may make it later.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before_wall_ms: Option<u64>,
    /// How often the customer was rung.
    tries: u32,
    /// The last call.
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<String>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/call-backs", "list_call_backs", "Lists call-backs, the newest first.", Scope::CallsRead, list)
            .pages::<CallBackView>(),
        Operation::post(
            "/call-backs",
            "ask_call_back",
            "Asks for a customer to be called, within the call-back hours.",
            Scope::CallsWrite,
            ask,
        )
        .takes::<WantedView>()
        .answers::<CallBackView>(201, "It will be called.")
        .once(),
        Operation::get("/call-backs/{id}", "call_back", "Tells how a call-back stands.", Scope::CallsRead, one)
            .answers::<CallBackView>(200, "How it stands."),
        Operation::post(
            "/call-backs/{id}/cancel",
            "cancel_call_back",
            "Takes a call-back back that still waits.",
            Scope::CallsWrite,
            cancel,
        )
        .answers::<CallBackView>(200, "It will not be called."),
    ]
}

async fn list(State(parts): State<Arc<Parts>>, Query(paging): Query<Paging>, asked: OriginalUri) -> Answer {
    let (count, after) = (paging.count()?, paging.cursor::<String>()?);
    let mut query = StoreQuery::<CallBacks>::all().order(Order::Descending).limit(count.saturating_add(1));
    if let Some(after) = after {
        query = query.before(&after);
    }
    let rows = parts.archive.blocking(move |archive| archive.store().map(|store| store.query(&query))).await.flatten();
    let rows = rows.ok_or_else(Problem::no_store)?.map_err(|_unreadable| Problem::internal())?;
    let items = rows.into_iter().filter_map(|(id, row)| view(id, &row)).collect();
    Ok(Page::of(items, count, |item: &CallBackView| item.id.clone()).answer(&asked))
}

async fn ask(State(parts): State<Arc<Parts>>, once: Once, body: Json<WantedView>) -> Answer {
    if let Some(before) = once.before(&parts, &body.digest).await? {
        return Ok(before);
    }
    let wanted = wanted(&parts, body.value)?;
    let mut batch = Batch::new();
    let (id, row, noting) = call_backs::add(&parts, &mut batch, wanted)?;
    let view = view(id, &row).ok_or_else(Problem::internal)?;
    let reply = Reply {
        status: StatusCode::CREATED,
        location: Some(format!("/api/call-backs/{}", view.id)),
        etag: Some(ETag::of(&view)),
        body: serde_json::to_string(&view).unwrap_or_default(),
    };
    once.keep(&mut batch, &body.digest, parts.clock.wall_ms(), &reply)?;
    match parts.archive.commit_holding(batch, noting).await {
        Ok(()) => Ok(reply.response()),
        // Another request with the same key was faster.
        Err(CommitError::Conflict) => once.before(&parts, &body.digest).await?.ok_or_else(Problem::conflict),
        Err(error) => Err(error.into()),
    }
}

fn wanted(parts: &Parts, body: WantedView) -> Result<Wanted, Problem> {
    let Address::Phone(number) = Address::of(&body.number) else {
        return Err(Problem::bad_field("number", "expected a number in E.164, '+' and 3 to 15 digits"));
    };
    let language = match body.language.as_deref().map(str::parse::<Language>) {
        Some(Ok(language)) => language,
        None => parts.language,
        Some(Err(_)) => return Err(Problem::bad_field("language", "expected 'he' or 'en'")),
    };
    if body.reason.chars().count() > MAX_REASON {
        return Err(Problem::bad_field("reason", format!("expected at most {MAX_REASON} characters")));
    }
    if parts.config.call_backs.from.is_none() || parts.carrier.is_none() {
        return Err(Problem::refused("no-call-backs", "This box calls nobody")
            .detail("set call_backs.from and carrier.account_sid in the configuration"));
    }
    if call_backs::is_full(parts) {
        return Err(Problem::too_many().detail("as many call-backs wait as may"));
    }
    let not_before_ms = body.not_before_wall_ms;
    Ok(Wanted { number: Pii::new(number), language, reason: Pii::new(body.reason), not_before_ms })
}

async fn one(State(parts): State<Arc<Parts>>, Path(id): Path<String>, conditions: Conditions) -> Answer {
    let row = call_backs::get(&parts, &id).await.and_then(|row| view(id, &row));
    let row = row.ok_or_else(|| Problem::not_found("call-back"))?;
    Ok(single(&conditions, &ETag::of(&row), &row))
}

async fn cancel(State(parts): State<Arc<Parts>>, Path(id): Path<String>) -> Answer {
    match call_backs::cancel(&parts, &id).await? {
        None => Err(Problem::not_found("call-back")),
        Some(false) => Err(Problem::conflict().detail("it does not wait any more")),
        Some(true) => {
            let row = call_backs::get(&parts, &id).await.and_then(|row| view(id, &row));
            Ok(axum::Json(row.ok_or_else(Problem::internal)?).into_response())
        }
    }
}

fn view(id: String, row: &CallBackRow) -> Option<CallBackView> {
    let progress = call_backs::progress(row)?;
    let not_before_wall_ms =
        if let Stands::Waiting { not_before_ms } = progress.state { Some(not_before_ms) } else { None };
    Some(CallBackView {
        id,
        number: row.number.reveal().clone(),
        language: row.language.code(),
        reason: row.reason.reveal().clone(),
        asked_wall_ms: row.asked_wall_ms,
        state: word(progress.state),
        not_before_wall_ms,
        tries: progress.tries,
        call: row.call.as_ref().map(ToString::to_string),
    })
}

const fn word(state: Stands) -> &'static str {
    match state {
        Stands::Waiting { .. } => "waiting",
        Stands::Calling { .. } => "calling",
        Stands::Reached => "reached",
        Stands::WordLeft => "word_left",
        Stands::Failed => "failed",
        Stands::Uncertain => "uncertain",
        Stands::Canceled => "canceled",
    }
}

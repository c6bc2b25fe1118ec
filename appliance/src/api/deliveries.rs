//! `/api/deliveries`: changes of leads that the office's CRM does not have.

use std::sync::Arc;

use ::leads::{LeadId, Waiting};
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Deliveries, DeliveryKey};

use super::reply::{Answer, Page};
use super::request::{Path, Query, count, cursor};
use super::{Operation, Problem, Scope};
use crate::app::Parts;

/// Rows read at once.
const SLICE: usize = 200;

/// A change of a lead that waits to be delivered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WaitingDelivery")]
struct DeliveryView {
    /// Its name.
    id: String,
    /// The lead.
    lead: String,
    /// The number of the change among those of this lead.
    sequence: u64,
    /// The first change it tells of; less than `sequence` where changes were merged.
    from_sequence: u64,
    /// The idempotency key it is sent with.
    idempotency_key: String,
    /// How it stands.
    state: DeliveryState,
    /// How often it was tried.
    attempts: u32,
    /// The HTTP status of the last try, if there was an answer.
    last_status: Option<u16>,
    /// When it was tried last.
    last_wall_ms: Option<u64>,
    /// When the change was made.
    made_wall_ms: u64,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DeliveryState {
    /// Not tried yet: it waits for the one before it, or for its turn.
    Waiting,
    /// The receiver answered something else than 2xx; it is tried again.
    Refused,
    /// The receiver did not answer; it is tried again.
    Unreachable,
}

/// Which deliveries.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct DeliveriesQuery {
    /// Only those that stand so.
    state: Option<DeliveryState>,
    /// How many items at most.
    #[schemars(range(min = 1, max = 200), extend("default" = 50))]
    limit: Option<u32>,
    /// Where to go on: what `next` of the page before said.
    after: Option<String>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get(
            "/deliveries",
            "list_deliveries",
            "Lists changes of leads that the CRM does not have, by lead.",
            Scope::LeadsRead,
            list,
        )
        .query::<DeliveriesQuery>()
        .pages::<DeliveryView>(),
        Operation::post(
            "/deliveries/{id}/retry",
            "retry_delivery",
            "Tries at once to deliver the changes of the same lead, in their order.",
            Scope::LeadsWrite,
            retry,
        )
        .answers::<DeliveryView>(202, "It is tried."),
    ]
}

/// Names a delivery, as in answers.
#[derive(Clone, Copy)]
struct Place(DeliveryKey);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0.lead, self.0.sequence)
    }
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (lead, sequence) = text.split_once('-').ok_or(())?;
        let lead: LeadId = lead.parse().map_err(drop)?;
        Ok(Self(DeliveryKey { lead, sequence: sequence.parse().map_err(drop)? }))
    }
}

fn view(row: &Waiting) -> DeliveryView {
    let last_status = row.last.as_ref().and_then(|last| last.status);
    DeliveryView {
        id: Place(DeliveryKey { lead: row.lead, sequence: row.sequence }).to_string(),
        lead: row.lead.to_string(),
        sequence: row.sequence,
        from_sequence: row.from_sequence,
        idempotency_key: row.key.clone(),
        state: match (&row.last, last_status) {
            (None, _) => DeliveryState::Waiting,
            (Some(_), Some(_)) => DeliveryState::Refused,
            (Some(_), None) => DeliveryState::Unreachable,
        },
        attempts: row.attempts,
        last_status,
        last_wall_ms: row.last.as_ref().map(|last| last.at_wall_ms),
        made_wall_ms: row.made_wall_ms,
    }
}

async fn list(State(parts): State<Arc<Parts>>, asked: OriginalUri, Query(query): Query<DeliveriesQuery>) -> Answer {
    let count = count(query.limit)?;
    let after = cursor::<Place>(query.after.as_deref())?.map(|place| place.0);
    let found = parts.archive.blocking(move |archive| {
        let Some(store) = archive.store() else { return Err(Problem::no_store()) };
        let (mut views, mut after) = (Vec::new(), after);
        while views.len() <= count {
            let mut rows = store::Query::<Deliveries>::all().limit(SLICE);
            if let Some(after) = &after {
                rows = rows.after(after);
            }
            let rows = store.query(&rows)?;
            let fits = |view: &DeliveryView| query.state.is_none_or(|state| state == view.state);
            views.extend(rows.iter().map(|(_, row)| view(row)).filter(fits));
            let Some((last, _)) = rows.last().filter(|_| rows.len() == SLICE) else { break };
            after = Some(*last);
        }
        Ok(views)
    });
    let views = found.await.ok_or_else(Problem::internal)??;
    Ok(Page::of(views, count, |view| view.id.clone()).answer(&asked))
}

async fn retry(State(parts): State<Arc<Parts>>, Path(id): Path<String>) -> Answer {
    let key = id.parse::<Place>().map_err(|()| Problem::not_found("delivery"))?.0;
    let found = parts.archive.blocking(move |archive| archive.store().map(|store| store.get::<Deliveries>(&key))).await;
    let row = found.flatten().ok_or_else(Problem::no_store)??.ok_or_else(|| Problem::not_found("delivery"))?;
    parts.leads.hurry(row.lead);
    Ok((StatusCode::ACCEPTED, axum::Json(view(&row))).into_response())
}

//! Lists of leads: pages, the history of one, the table for spreadsheets.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ::leads::csv::{Column, Table};
use ::leads::{EntryView, Lead, LeadId, LeadState, LeadView, Search};
use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, State};
use axum::http::header;
use axum::response::IntoResponse as _;
use futures_util::stream;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use schemars::JsonSchema;
use serde::Deserialize;
use store::{LeadHistory, LeadHistoryKey, Leads as LeadRows, Order, ReadError, Store};
use units::Language;

use super::{LanguageWord, StateWord, lead_id};
use crate::api::reply::{Answer, Page};
use crate::api::request::{Paging, Path, Query, count, cursor};
use crate::api::{Operation, Problem, Scope};
use crate::app::Parts;

/// Rows read at once.
const SLICE: usize = 200;
/// What tells a spreadsheet that a file is UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Which leads.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct LeadsQuery {
    /// Words that all have to be in name, fields or note, or a part of a telephone number.
    q: Option<String>,
    /// Only those in this state.
    state: Option<StateWord>,
    /// How many items at most.
    #[schemars(range(min = 1, max = 200), extend("default" = 50))]
    limit: Option<u32>,
    /// Where to go on: what `next` of the page before said.
    after: Option<String>,
}

/// Which leads, and how the table looks.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct TableQuery {
    /// Words that all have to be in name, fields or note, or a part of a telephone number.
    q: Option<String>,
    /// Only those in this state.
    state: Option<StateWord>,
    /// The language of the first line; the box's own when it is not given.
    language: Option<LanguageWord>,
    /// Whether the file begins with a byte order mark, which Excel needs to read Hebrew.
    bom: bool,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/leads", "list_leads", "Lists leads, the newest first.", Scope::LeadsRead, list)
            .query::<LeadsQuery>()
            .pages::<LeadView>(),
        Operation::get("/leads.csv", "export_leads", "Exports leads as CSV.", Scope::LeadsRead, export)
            .query::<TableQuery>()
            .answers_with(200, "A line each, the newest first (RFC 4180, UTF-8).", "text/csv"),
        Operation::get(
            "/leads/{id}/history",
            "lead_history",
            "Lists what was told of a person and changed by hand, the newest first.",
            Scope::LeadsRead,
            history,
        )
        .pages::<EntryView>(),
    ]
}

/// Which leads are wanted.
#[derive(Clone, Debug)]
struct Wanted {
    search: Option<Search>,
    state: Option<LeadState>,
}

impl Wanted {
    fn new(text: Option<&str>, state: Option<StateWord>) -> Self {
        let text = text.filter(|text| !text.trim().is_empty());
        Self { search: text.map(Search::new), state: state.map(LeadState::from) }
    }

    fn fits(&self, lead: &Lead) -> bool {
        self.state.is_none_or(|state| state == lead.state) && self.search.as_ref().is_none_or(|s| s.finds(lead))
    }

    /// Reads one slice of leads, the newest first, and returns those that fit, and where the next slice begins.
    fn slice(&self, store: &Store, before: Option<LeadId>) -> Result<(Vec<Lead>, Option<LeadId>), ReadError> {
        let mut query = store::Query::<LeadRows>::all().order(Order::Descending).limit(SLICE);
        if let Some(before) = before {
            query = query.before(&before);
        }
        let rows = store.query(&query)?;
        let next = rows.last().map(|(id, _)| *id).filter(|_| rows.len() == SLICE);
        Ok((rows.into_iter().map(|(_, lead)| lead).filter(|lead| self.fits(lead)).collect(), next))
    }
}

async fn list(State(parts): State<Arc<Parts>>, asked: OriginalUri, Query(query): Query<LeadsQuery>) -> Answer {
    let count = count(query.limit)?;
    let after = cursor::<LeadId>(query.after.as_deref())?;
    let wanted = Wanted::new(query.q.as_deref(), query.state);
    let found = parts.archive.blocking(move |archive| {
        let Some(store) = archive.store() else { return Err(Problem::no_store()) };
        let (mut leads, mut before) = (Vec::new(), after);
        while leads.len() <= count {
            let (more, next) = wanted.slice(store, before)?;
            leads.extend(more);
            let Some(next) = next else { break };
            before = Some(next);
        }
        leads.truncate(count.saturating_add(1));
        Ok(leads)
    });
    let leads = found.await.ok_or_else(Problem::internal)??;
    let views = leads.iter().map(LeadView::of).collect();
    Ok(Page::of(views, count, |lead: &LeadView| lead.id.clone()).answer(&asked))
}

async fn export(State(parts): State<Arc<Parts>>, Query(query): Query<TableQuery>) -> Answer {
    if parts.archive.store().is_none() {
        return Err(Problem::no_store());
    }
    let language = query.language.map_or(parts.language, Language::from);
    let columns = parts.form.fields.iter();
    let columns =
        columns.map(|field| Column { id: field.id.clone(), label: field.label.get(language).to_owned() }).collect();
    let table = Arc::new(Table::new(language, columns));
    let wanted = Wanted::new(query.q.as_deref(), query.state);
    let first = format!("{}{}", if query.bom { BYTE_ORDER_MARK } else { "" }, table.head());
    let zone = parts.config.office.timezone.clone().unwrap_or(TimeZone::UTC);
    // What is read when a slice cannot be: the connection breaks, so that nobody takes the table for whole.
    let slices = stream::try_unfold(Some(None), move |place: Option<Option<LeadId>>| {
        let (parts, table, wanted, zone) = (Arc::clone(&parts), Arc::clone(&table), wanted.clone(), zone.clone());
        async move {
            let Some(before) = place else { return Ok(None) };
            let read = parts.archive.blocking(move |archive| archive.store().map(|s| wanted.slice(s, before)));
            let (leads, next) = read
                .await
                .flatten()
                .ok_or_else(|| std::io::Error::other("no store"))?
                .map_err(std::io::Error::other)?;
            let lines: String = leads.iter().map(|lead| table.line(lead, |at| day(at, &zone))).collect();
            Ok::<_, std::io::Error>(Some((Bytes::from(lines), next.map(Some))))
        }
    });
    let head = stream::once(async move { Ok(Bytes::from(first)) });
    let body = Body::from_stream(futures_util::StreamExt::chain(head, slices));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"leads.csv\""),
    ];
    Ok((headers, body).into_response())
}

/// Writes a time as an office reads it, in its own time zone.
fn day(at_wall_ms: u64, zone: &TimeZone) -> String {
    let at = i64::try_from(at_wall_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
    let local: Zoned = at.to_zoned(zone.clone());
    local.strftime("%Y-%m-%d %H:%M").to_string()
}

/// Where an entry stands in the history of its lead.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    at_wall_ms: u64,
    kind: String,
    id: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.at_wall_ms, self.kind, self.id)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '/');
        let (Some(at), Some(kind), Some(id)) = (parts.next(), parts.next(), parts.next()) else { return Err(()) };
        Ok(Self { at_wall_ms: at.parse().map_err(drop)?, kind: kind.to_owned(), id: id.to_owned() })
    }
}

async fn history(
    State(parts): State<Arc<Parts>>,
    asked: OriginalUri,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer {
    let (lead, count, after) = (lead_id(&id)?, paging.count()?, paging.cursor::<Place>()?);
    let found = parts.archive.blocking(move |archive| {
        let Some(store) = archive.store() else { return Err(Problem::no_store()) };
        if store.get::<LeadRows>(&lead)?.is_none() {
            return Err(Problem::not_found("lead"));
        }
        let mut query = store::Query::<LeadHistory>::of_lead(lead).order(Order::Descending);
        if let Some(Place { at_wall_ms, kind, id }) = after {
            query = query.before(&LeadHistoryKey { lead, at_wall_ms, kind, id });
        }
        Ok(store.query(&query.limit(count.saturating_add(1)))?)
    });
    let rows = found.await.ok_or_else(Problem::internal)??;
    let place = |key: &LeadHistoryKey| Place { at_wall_ms: key.at_wall_ms, kind: key.kind.clone(), id: key.id.clone() };
    let next = rows.get(count.saturating_sub(1)).filter(|_| rows.len() > count).map(|(key, _)| place(key));
    let items = rows.iter().take(count).map(|(_, entry)| EntryView::of(entry)).collect();
    let next = next.map(|place| crate::api::reply::write_cursor(&place));
    Ok(Page { items, next }.answer(&asked))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::{Place, day};

    #[test]
    fn a_place_in_a_history_is_read_back_and_nothing_else_is() {
        let place = Place { at_wall_ms: 5, kind: "message".to_owned(), id: "wamid/x/y".to_owned() };
        assert_eq!(place.to_string().parse(), Ok(place));
        assert!("5/call".parse::<Place>().is_err() && "x/call/CA".parse::<Place>().is_err());
    }

    #[test]
    fn times_are_those_of_the_offices_clock() {
        let zone = TimeZone::get("Asia/Jerusalem").unwrap();
        assert_eq!(day(1_795_000_000_000, &zone), "2026-11-18 13:06");
        assert_eq!(day(0, &TimeZone::UTC), "1970-01-01 00:00");
    }
}

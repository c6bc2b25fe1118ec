//! Events, what was lost, what was set aside, and who did what.

use axum::Json;
use axum::extract::{Path, State};
use protocol::{DeviceId, Stream};
use sea_query::{Expr, ExprTrait as _, Order, Query};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::FromRow;
use uuid::Uuid;

use super::auth::{Allowed, AuditRead, EventsRead, FleetRead};
use super::page::{Asked, Page, Paging, name, raw};
use super::{App, Problem};

/// A row of `events`.
#[derive(Debug, FromRow)]
struct EventRow {
    epoch: i64,
    seq: i64,
    id: Uuid,
    kind: String,
    boot: i64,
    mono_ms: i64,
    wall_ms: i64,
    time_synced: bool,
    received_ms: i64,
    data: String,
}

/// An event.
#[derive(Debug, Serialize)]
pub(super) struct Event {
    epoch: i64,
    seq: i64,
    id: String,
    kind: String,
    boot: i64,
    mono_ms: i64,
    wall_ms: i64,
    time_synced: bool,
    received_ms: i64,
    data: Box<RawValue>,
}

/// Which events.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    stream: String,
    limit: Option<u32>,
    after: Option<String>,
    kind: Option<String>,
}

/// A row of `losses`.
#[derive(Debug, Serialize, FromRow)]
pub(super) struct Loss {
    stream: String,
    epoch: i64,
    from_seq: i64,
    to_seq: i64,
    reason: String,
    received_ms: i64,
}

/// A row of `quarantine`.
#[derive(Debug, FromRow)]
struct QuarantineRow {
    id: i64,
    device: String,
    topic: String,
    reason: String,
    size_bytes: i64,
    payload: Vec<u8>,
    received_ms: i64,
}

/// Something set aside.
#[derive(Debug, Serialize)]
pub(super) struct Quarantined {
    id: i64,
    device: String,
    topic: String,
    reason: String,
    size_bytes: i64,
    /// Its beginning, as text.
    payload: String,
    received_ms: i64,
}

/// Something done.
#[derive(Debug, FromRow)]
struct AuditRow {
    id: i64,
    at_ms: i64,
    actor: String,
    action: String,
    target: String,
    detail: String,
}

/// Something done, as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct Deed {
    id: i64,
    at_ms: i64,
    actor: String,
    action: String,
    target: String,
    detail: Box<RawValue>,
}

/// Whose.
#[derive(Debug, Deserialize)]
pub(super) struct Whose {
    device: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

pub(super) async fn get_events(
    State(app): State<App>,
    _: Allowed<EventsRead>,
    Path(device): Path<String>,
    Asked(which): Asked<Which>,
) -> Result<Json<Page<Event>>, Problem> {
    let device: DeviceId = name(&device, "device")?;
    let stream: Stream = name(&which.stream, "stream")?;
    let paging = Paging::new(which.limit, which.after);
    let mut select = Query::select();
    select
        .columns(["epoch", "seq", "id", "kind", "boot", "mono_ms", "wall_ms", "time_synced", "received_ms", "data"])
        .from("events")
        .and_where(Expr::col("device").eq(device.as_str()))
        .and_where(Expr::col("stream").eq(stream.as_str()))
        .order_by("epoch", Order::Asc)
        .order_by("seq", Order::Asc)
        .limit(paging.rows()?);
    if let Some(after) = &paging.after {
        let wrong = || Problem::bad_request("after: expected a cursor");
        let (epoch, seq) = after.split_once('-').ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<i64>().map_err(|_not_a_number| wrong());
        let behind = Expr::tuple([Expr::col("epoch"), Expr::col("seq")])
            .gt(Expr::tuple([Expr::val(number(epoch)?), Expr::val(number(seq)?)]));
        select.and_where(behind);
    }
    if let Some(kind) = which.kind {
        select.and_where(Expr::col("kind").eq(kind));
    }
    let rows: Vec<EventRow> = app.database.rows(&select).await?;
    let events = rows.into_iter().map(|row| Event {
        epoch: row.epoch,
        seq: row.seq,
        id: row.id.to_string(),
        kind: row.kind,
        boot: row.boot,
        mono_ms: row.mono_ms,
        wall_ms: row.wall_ms,
        time_synced: row.time_synced,
        received_ms: row.received_ms,
        data: raw(row.data),
    });
    Ok(paging.page(events.collect(), |event| format!("{}-{}", event.epoch, event.seq)))
}

pub(super) async fn get_losses(
    State(app): State<App>,
    _: Allowed<FleetRead>,
    Path(device): Path<String>,
) -> Result<Json<Vec<Loss>>, Problem> {
    /// Losses shown at most, the latest first.
    const MOST: u64 = 500;
    let device: DeviceId = name(&device, "device")?;
    let mut select = Query::select();
    select
        .columns(["stream", "epoch", "from_seq", "to_seq", "reason", "received_ms"])
        .from("losses")
        .and_where(Expr::col("device").eq(device.as_str()))
        .order_by("received_ms", Order::Desc)
        .limit(MOST);
    Ok(Json(app.database.rows(&select).await?))
}

pub(super) async fn get_quarantine(
    State(app): State<App>,
    _: Allowed<EventsRead>,
    Asked(whose): Asked<Whose>,
) -> Result<Json<Page<Quarantined>>, Problem> {
    let paging = Paging::new(whose.limit, whose.after);
    let mut select = Query::select();
    select
        .columns(["id", "device", "topic", "reason", "size_bytes", "payload", "received_ms"])
        .from("quarantine")
        .order_by("id", Order::Asc)
        .limit(paging.rows()?);
    if let Some(after) = paging.after_number()? {
        select.and_where(Expr::col("id").gt(after));
    }
    if let Some(device) = whose.device {
        select.and_where(Expr::col("device").eq(device));
    }
    let rows: Vec<QuarantineRow> = app.database.rows(&select).await?;
    let items = rows.into_iter().map(|row| Quarantined {
        id: row.id,
        device: row.device,
        topic: row.topic,
        reason: row.reason,
        size_bytes: row.size_bytes,
        payload: String::from_utf8_lossy(&row.payload).into_owned(),
        received_ms: row.received_ms,
    });
    Ok(paging.page(items.collect(), |item| item.id.to_string()))
}

pub(super) async fn get_audit(
    State(app): State<App>,
    _: Allowed<AuditRead>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<Deed>>, Problem> {
    let mut select = Query::select();
    select
        .columns(["id", "at_ms", "actor", "action", "target", "detail"])
        .from("audit")
        .order_by("id", Order::Asc)
        .limit(paging.rows()?);
    if let Some(after) = paging.after_number()? {
        select.and_where(Expr::col("id").gt(after));
    }
    let rows: Vec<AuditRow> = app.database.rows(&select).await?;
    let deeds = rows.into_iter().map(|row| Deed {
        id: row.id,
        at_ms: row.at_ms,
        actor: row.actor,
        action: row.action,
        target: row.target,
        detail: raw(row.detail),
    });
    Ok(paging.page(deeds.collect(), |deed| deed.id.to_string()))
}

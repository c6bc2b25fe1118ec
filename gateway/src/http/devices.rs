//! Devices, their streams and their tags.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::{DeviceId, Word};
use sea_query::{Expr, ExprTrait as _, OnConflict, Order, Query, SelectStatement};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use sqlx::FromRow;

use super::auth::{Allowed, FleetRead, FleetWrite};
use super::page::{Asked, Page, Paging, name, raw};
use super::{App, Problem};
use crate::audit::{self, Deed};
use crate::clock::now_ms;
use crate::db::{Database, DbError};

/// A row of `devices`.
#[derive(Debug, FromRow)]
pub struct DeviceRow {
    id: String,
    first_seen_ms: i64,
    online: bool,
    boot: i64,
    connected_seq: i64,
    presence_ms: i64,
    software: Option<String>,
    reported: Option<String>,
    reported_ms: i64,
    desired_applied: i64,
}

/// A device.
#[derive(Debug, Serialize)]
pub struct Device {
    id: String,
    first_seen_ms: i64,
    online: bool,
    presence_ms: i64,
    boot: i64,
    connected_seq: i64,
    software: Option<String>,
    reported_ms: i64,
    desired_version_applied: i64,
    tags: Vec<String>,
    groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reported: Option<Box<RawValue>>,
}

/// Which devices.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    limit: Option<u32>,
    after: Option<String>,
    group: Option<String>,
    tag: Option<String>,
    online: Option<bool>,
}

/// A row of `streams`.
#[derive(Debug, Serialize, FromRow)]
pub(super) struct StreamState {
    stream: String,
    epoch: i64,
    watermark: i64,
    max_seq: i64,
    ahead: String,
    stored: i64,
    duplicates: i64,
    updated_ms: i64,
}

const COLUMNS: [&str; 10] = [
    "id",
    "first_seen_ms",
    "online",
    "boot",
    "connected_seq",
    "presence_ms",
    "software",
    "reported",
    "reported_ms",
    "desired_applied",
];

/// Rows of `streams` of one device shown at most: six streams, and the outboxes of its past.
const MOST_STREAMS: u64 = 200;

/// Makes the query of devices in the order of their names.
fn select() -> SelectStatement {
    let mut select = Query::select();
    select.columns(COLUMNS).from("devices").order_by("id", Order::Asc);
    select
}

/// Reads one device in full, for the API and the command line.
pub async fn show(database: &Database, id: &DeviceId) -> Result<Option<Device>, DbError> {
    let mut select = select();
    select.and_where(Expr::col("id").eq(id.as_str()));
    let Some(row) = database.row::<DeviceRow>(&select).await? else { return Ok(None) };
    let mut devices = with_labels(database, vec![row], true).await?;
    Ok(devices.pop())
}

/// Reads a page of devices, for the API and the command line.
pub async fn list(database: &Database, after: Option<&str>, limit: u64) -> Result<Vec<Device>, DbError> {
    let mut select = select();
    select.limit(limit);
    if let Some(after) = after {
        select.and_where(Expr::col("id").gt(after));
    }
    with_labels(database, database.rows(&select).await?, false).await
}

async fn with_labels(database: &Database, rows: Vec<DeviceRow>, in_full: bool) -> Result<Vec<Device>, DbError> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let labels = async |table: &'static str, column: &'static str| {
        let mut select = Query::select();
        select
            .columns(["device", column])
            .from(table)
            .and_where(Expr::col("device").is_in(ids.clone()))
            .order_by(column, Order::Asc);
        database.rows::<(String, String)>(&select).await
    };
    let (tags, groups) = (labels("tags", "tag").await?, labels("group_members", "name").await?);
    let of = |labels: &[(String, String)], id: &str| -> Vec<String> {
        labels.iter().filter(|(device, _)| device == id).map(|(_, label)| label.clone()).collect()
    };
    let device = |row: DeviceRow| Device {
        tags: of(&tags, &row.id),
        groups: of(&groups, &row.id),
        id: row.id,
        first_seen_ms: row.first_seen_ms,
        online: row.online,
        presence_ms: row.presence_ms,
        boot: row.boot,
        connected_seq: row.connected_seq,
        software: row.software,
        reported_ms: row.reported_ms,
        desired_version_applied: row.desired_applied,
        reported: row.reported.filter(|_| in_full).map(raw),
    };
    Ok(rows.into_iter().map(device).collect())
}

impl Device {
    /// Returns its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns one line for people.
    pub fn line(&self) -> String {
        let state = if self.online { "online" } else { "offline" };
        let software = self.software.as_deref().unwrap_or("-");
        format!("{:<32} {state:<8} {software:<16} {}", self.id, self.tags.join(","))
    }
}

pub(super) async fn get_devices(
    State(app): State<App>,
    _: Allowed<FleetRead>,
    Asked(which): Asked<Which>,
) -> Result<Json<Page<Device>>, Problem> {
    let paging = Paging::new(which.limit, which.after.clone());
    let mut select = select();
    select.limit(paging.rows()?);
    if let Some(after) = &which.after {
        select.and_where(Expr::col("id").gt(after.as_str()));
    }
    if let Some(online) = which.online {
        select.and_where(Expr::col("online").eq(online));
    }
    let labelled = |table: &'static str, column: &'static str, label: &str| {
        let mut members = Query::select();
        members.column("device").from(table).and_where(Expr::col(column).eq(label));
        members
    };
    if let Some(group) = &which.group {
        select.and_where(Expr::col("id").in_subquery(labelled("group_members", "name", group)));
    }
    if let Some(tag) = &which.tag {
        select.and_where(Expr::col("id").in_subquery(labelled("tags", "tag", tag)));
    }
    let devices = with_labels(&app.database, app.database.rows(&select).await?, false).await?;
    Ok(paging.page(devices, |device| device.id.clone()))
}

pub(super) async fn get_device(
    State(app): State<App>,
    _: Allowed<FleetRead>,
    Path(device): Path<String>,
) -> Result<Json<Device>, Problem> {
    let id: DeviceId = name(&device, "device")?;
    show(&app.database, &id).await?.map(Json).ok_or_else(|| Problem::not_found("device"))
}

pub(super) async fn get_streams(
    State(app): State<App>,
    _: Allowed<FleetRead>,
    Path(device): Path<String>,
) -> Result<Json<Vec<StreamState>>, Problem> {
    let id: DeviceId = name(&device, "device")?;
    let mut select = Query::select();
    select
        .columns(["stream", "epoch", "watermark", "max_seq", "ahead", "stored", "duplicates", "updated_ms"])
        .from("streams")
        .and_where(Expr::col("device").eq(id.as_str()))
        .order_by("stream", Order::Asc)
        .order_by("epoch", Order::Desc)
        .limit(MOST_STREAMS);
    Ok(Json(app.database.rows(&select).await?))
}

pub(super) async fn put_tag(
    State(app): State<App>,
    allowed: Allowed<FleetWrite>,
    Path((device, tag)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (id, tag): (DeviceId, Word) = (name(&device, "device")?, name(&tag, "tag")?);
    let mut insert = Query::insert();
    insert
        .into_table("tags")
        .columns(["device", "tag"])
        .values_panic([id.as_str().into(), tag.as_str().into()])
        .on_conflict(OnConflict::new().do_nothing().to_owned());
    let deed = Deed { actor: &allowed.caller.actor(), action: "tag.add", target: id.as_str() };
    let mut write = app.database.write().await?;
    match write.execute(&insert).await {
        Err(error) if error.is_missing_reference() => return Err(Problem::not_found("device")),
        done => done?,
    };
    audit::write_down(&mut write, deed, &json!({ "tag": tag.as_str() }), now_ms()).await?;
    write.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_tag(
    State(app): State<App>,
    allowed: Allowed<FleetWrite>,
    Path((device, tag)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (id, tag): (DeviceId, Word) = (name(&device, "device")?, name(&tag, "tag")?);
    let mut delete = Query::delete();
    delete
        .from_table("tags")
        .and_where(Expr::col("device").eq(id.as_str()))
        .and_where(Expr::col("tag").eq(tag.as_str()));
    let deed = Deed { actor: &allowed.caller.actor(), action: "tag.remove", target: id.as_str() };
    let mut write = app.database.write().await?;
    if write.execute(&delete).await? == 0 {
        return Err(Problem::not_found("tag"));
    }
    audit::write_down(&mut write, deed, &json!({ "tag": tag.as_str() }), now_ms()).await?;
    write.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

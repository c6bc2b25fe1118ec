//! What is known of devices, in the database: read under lock, judged by pure code, written in one statement.

use std::collections::BTreeMap;

use protocol::{CommandState, CommandStatus, DeviceId, Presence, Reported, StatusVerdict};
use sea_query::{Expr, ExprTrait as _, LockType, OnConflict, Order, Query};
use serde_json::json;
use sqlx::FromRow;

use super::device::{Change, Known};
use crate::db::{DbError, Write};
use crate::ingest::wire::Incoming;

/// Columns of `devices` that this module writes, in the order of [`values`].
const COLUMNS: [&str; 12] = [
    "id",
    "first_seen_ms",
    "online",
    "boot",
    "connected_seq",
    "presence_ms",
    "software",
    "reported",
    "reported_boot",
    "reported_version",
    "reported_ms",
    "desired_applied",
];

/// Changes written in one statement: four parameters each, 32,766 allowed by `SQLite`.
const CHANGES_AT_ONCE: usize = 1_000;

/// A row of `devices`.
#[derive(Debug, FromRow)]
struct DeviceRow {
    id: String,
    online: bool,
    boot: i64,
    connected_seq: i64,
    presence_ms: i64,
    software: Option<String>,
    reported: Option<String>,
    reported_boot: i64,
    reported_version: i64,
    reported_ms: i64,
    desired_applied: i64,
}

/// Something that changed, for those who follow live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRow {
    /// What: `presence`, `reported`, `desired`, `command`.
    pub kind: &'static str,
    /// Whose.
    pub device: String,
    /// More of it: JSON.
    pub data: String,
}

/// Applies what devices say of themselves; returns how many changes that made.
pub async fn apply<'a>(
    write: &mut Write,
    incoming: impl Iterator<Item = &'a Incoming>,
    now_ms: i64,
) -> Result<u64, DbError> {
    let mut said: BTreeMap<&DeviceId, Vec<Said<'a>>> = BTreeMap::new();
    let mut statuses: Vec<(&DeviceId, &CommandStatus)> = Vec::new();
    for it in incoming {
        match it {
            Incoming::Presence(presence) => said.entry(&presence.device).or_default().push(Said::Presence(presence)),
            Incoming::Reported(device, reported) => said.entry(device).or_default().push(Said::Reported(reported)),
            Incoming::Status(device, status) => statuses.push((device, status)),
            Incoming::Events(_) | Incoming::Cleared | Incoming::Refused(_) => {}
        }
    }
    let mut changes = Vec::new();
    if !said.is_empty() {
        changes.extend(apply_said(write, &said, now_ms).await?);
    }
    for (device, status) in statuses {
        changes.extend(apply_status(write, device, status, now_ms).await?);
    }
    note_changes(write, &changes, now_ms).await?;
    Ok(u64::try_from(changes.len()).unwrap_or(u64::MAX))
}

/// Notes that no device is connected: a broker that was in this program's memory is gone, and took the wills with it.
/// Returns how many were thought to be. Each says by its next birth that it is back.
pub async fn all_gone(write: &mut Write, now_ms: i64) -> Result<u64, DbError> {
    let mut select = Query::select();
    select.columns(["id", "software"]).from("devices").and_where(Expr::col("online").eq(true));
    select.order_by("id", Order::Asc).lock(LockType::Update);
    let rows: Vec<(String, Option<String>)> = write.rows(&select).await?;
    let mut update = Query::update();
    update.table("devices").value("online", false).value("presence_ms", now_ms);
    update.and_where(Expr::col("online").eq(true));
    write.execute(&update).await?;
    let gone: Vec<ChangeRow> = rows
        .into_iter()
        .map(|(device, software)| {
            let data = json!({ "online": false, "software": software }).to_string();
            ChangeRow { kind: "presence", device, data }
        })
        .collect();
    for some in gone.chunks(CHANGES_AT_ONCE) {
        note_changes(write, some, now_ms).await?;
    }
    Ok(u64::try_from(gone.len()).unwrap_or(u64::MAX))
}

enum Said<'a> {
    Presence(&'a Presence),
    Reported(&'a Reported),
}

async fn apply_said(
    write: &mut Write,
    said: &BTreeMap<&DeviceId, Vec<Said<'_>>>,
    now_ms: i64,
) -> Result<Vec<ChangeRow>, DbError> {
    let mut known = known_devices(write, said.keys().copied(), now_ms).await?;
    let mut changes = Vec::new();
    let mut changed = Vec::new();
    for device in &mut known {
        let before = changes.len();
        for it in said.get(&device.id).into_iter().flatten() {
            match it {
                Said::Presence(presence) => {
                    if device.hear(presence, now_ms) == Some(Change::Presence) {
                        let data = json!({ "online": device.online, "software": device.software });
                        changes.push(change("presence", &device.id, &data));
                    }
                }
                Said::Reported(reported) => {
                    let json = serde_json::to_string(reported).unwrap_or_default();
                    if device.read(reported, json, now_ms) == Some(Change::Reported) {
                        let data = json!({ "software": device.software, "desired_applied": device.desired_applied });
                        changes.push(change("reported", &device.id, &data));
                    }
                }
            }
        }
        if changes.len() > before {
            changed.push(&*device);
        }
    }
    if !changed.is_empty() {
        let mut upsert = Query::insert();
        upsert.into_table("devices").columns(COLUMNS);
        for device in changed {
            upsert.values_panic(values(device, now_ms));
        }
        let mut updated = COLUMNS.to_vec();
        updated.retain(|column| !["id", "first_seen_ms"].contains(column));
        upsert.on_conflict(OnConflict::column("id").update_columns(updated).to_owned());
        write.execute(&upsert).await?;
    }
    Ok(changes)
}

/// Makes rows for those that have none, and locks all in the order of their names.
async fn known_devices(
    write: &mut Write,
    ids: impl Iterator<Item = &DeviceId> + Clone,
    now_ms: i64,
) -> Result<Vec<Known>, DbError> {
    let mut select = Query::select();
    select
        .columns(COLUMNS.iter().copied().filter(|column| *column != "first_seen_ms"))
        .from("devices")
        .and_where(Expr::col("id").is_in(ids.clone().map(DeviceId::as_str)))
        .order_by("id", Order::Asc)
        .lock(LockType::Update);
    let mut rows: Vec<DeviceRow> = write.rows(&select).await?;
    if rows.len() < ids.clone().count() {
        let mut insert = Query::insert();
        insert.into_table("devices").columns(["id", "first_seen_ms"]);
        for id in ids {
            insert.values_panic([id.as_str().into(), now_ms.into()]);
        }
        insert.on_conflict(OnConflict::new().do_nothing().to_owned());
        write.execute(&insert).await?;
        rows = write.rows(&select).await?;
    }
    rows.into_iter().map(known).collect()
}

fn known(row: DeviceRow) -> Result<Known, DbError> {
    let bad = |what: String| DbError::Row { table: "devices", what };
    let number = |value: i64| u64::try_from(value).map_err(|_negative| bad("a negative number".to_owned()));
    Ok(Known {
        id: row.id.parse().map_err(|error| bad(format!("a name: {error}")))?,
        online: row.online,
        boot: number(row.boot)?,
        connected_seq: number(row.connected_seq)?,
        presence_ms: row.presence_ms,
        software: row.software,
        reported: row.reported,
        reported_at: (number(row.reported_boot)?, number(row.reported_version)?),
        reported_ms: row.reported_ms,
        desired_applied: number(row.desired_applied)?,
    })
}

fn values(device: &Known, now_ms: i64) -> [Expr; 12] {
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    [
        device.id.as_str().into(),
        now_ms.into(),
        device.online.into(),
        number(device.boot).into(),
        number(device.connected_seq).into(),
        device.presence_ms.into(),
        device.software.clone().map(without_nul).into(),
        device.reported.clone().into(),
        number(device.reported_at.0).into(),
        number(device.reported_at.1).into(),
        device.reported_ms.into(),
        number(device.desired_applied).into(),
    ]
}

async fn apply_status(
    write: &mut Write,
    device: &DeviceId,
    status: &CommandStatus,
    now_ms: i64,
) -> Result<Option<ChangeRow>, DbError> {
    let mut select = Query::select();
    select
        .column("state")
        .from("commands")
        .and_where(Expr::col("device").eq(device.as_str()))
        .and_where(Expr::col("id").eq(status.id.as_str()))
        .lock(LockType::Update);
    let Some((state,)): Option<(String,)> = write.row(&select).await? else {
        // A status of a command that was cleared long ago, or of another gateway's database.
        return Ok(None);
    };
    let state: CommandState =
        state.parse().map_err(|_unknown| DbError::Row { table: "commands", what: "an unknown state".to_owned() })?;
    match state.judge(status.state) {
        StatusVerdict::News => {}
        StatusVerdict::Repeat | StatusVerdict::Stale => return Ok(None),
    }
    let mut update = Query::update();
    update
        .table("commands")
        .value("state", status.state.as_str())
        .value("detail", without_nul(status.detail.clone().unwrap_or_default()))
        .value("changed_ms", now_ms)
        .and_where(Expr::col("device").eq(device.as_str()))
        .and_where(Expr::col("id").eq(status.id.as_str()));
    if status.state.is_final() {
        // The retained request is to be cleared now.
        update.value("published", false);
    }
    write.execute(&update).await?;
    let data = json!({ "id": status.id.as_str(), "state": status.state.as_str() });
    Ok(Some(change("command", device, &data)))
}

/// Appends what changed, for those who follow live.
pub async fn note_changes(write: &mut Write, changes: &[ChangeRow], now_ms: i64) -> Result<(), DbError> {
    if changes.is_empty() {
        return Ok(());
    }
    write.lock_changes().await?;
    let mut insert = Query::insert();
    insert.into_table("changes").columns(["at_ms", "kind", "device", "data"]);
    for it in changes {
        insert.values_panic([now_ms.into(), it.kind.into(), it.device.as_str().into(), it.data.as_str().into()]);
    }
    write.execute(&insert).await.map(drop)
}

/// Makes a change of a device.
pub fn change(kind: &'static str, device: &DeviceId, data: &serde_json::Value) -> ChangeRow {
    ChangeRow { kind, device: device.to_string(), data: data.to_string() }
}

/// `PostgreSQL` has no place for NUL in text.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}

//! What is wished of a device.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::{Desired, DeviceConfig, DeviceId};
use sea_query::{Expr, ExprTrait as _, LockType, OnConflict, Query};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::auth::{Allowed, FleetRead, FleetWrite};
use super::page::{Body, name, raw};
use super::{App, Problem};
use crate::audit::{self, Deed};
use crate::clock::now_ms;
use crate::db::DbError;
use crate::fleet::store::{change, note_changes};

/// A wish as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct Wish {
    version: i64,
    config: Box<RawValue>,
    changed_ms: i64,
    changed_by: String,
    /// Whether the broker has it.
    published: bool,
}

/// A change of a wish.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWish {
    /// The version that is changed; 0 where there is none yet.
    expected_version: u64,
    /// The whole of what is wished.
    config: DeviceConfig,
}

pub(super) async fn get_desired(
    State(app): State<App>,
    _: Allowed<FleetRead>,
    Path(device): Path<String>,
) -> Result<Json<Wish>, Problem> {
    let id: DeviceId = name(&device, "device")?;
    let mut select = Query::select();
    select
        .columns(["version", "config", "changed_ms", "changed_by", "published_version"])
        .from("desired")
        .and_where(Expr::col("device").eq(id.as_str()));
    let row: Option<(i64, String, i64, String, i64)> = app.database.row(&select).await?;
    let (version, config, changed_ms, changed_by, published) = row.ok_or_else(|| Problem::not_found("wish"))?;
    Ok(Json(Wish { version, config: raw(config), changed_ms, changed_by, published: published == version }))
}

pub(super) async fn put_desired(
    State(app): State<App>,
    allowed: Allowed<FleetWrite>,
    Path(device): Path<String>,
    Body(wish): Body<NewWish>,
) -> Result<(StatusCode, Json<serde_json::Value>), Problem> {
    let id: DeviceId = name(&device, "device")?;
    let now = now_ms();
    let actor = allowed.caller.actor();
    let mut write = app.database.write().await?;
    // The device's row is locked, because the wish may have none yet.
    let mut lock = Query::select();
    lock.column("id").from("devices").and_where(Expr::col("id").eq(id.as_str())).lock(LockType::Update);
    if write.row::<(String,)>(&lock).await?.is_none() {
        return Err(Problem::not_found("device"));
    }
    let mut select = Query::select();
    select.columns(["version", "config"]).from("desired").and_where(Expr::col("device").eq(id.as_str()));
    let current = write.row::<(i64, String)>(&select).await?.map(known).transpose()?;
    let next = Desired::follow(current.as_ref(), wish.expected_version, wish.config).map_err(|conflict| {
        Problem::new(StatusCode::CONFLICT, "somebody else changed it", conflict.to_string())
            .with("current_version", conflict.current)
    })?;
    let config = serde_json::to_string(&next.config).map_err(|error| Problem::bad_request(error.to_string()))?;
    let version = i64::try_from(next.version).unwrap_or(i64::MAX);
    let mut upsert = Query::insert();
    upsert
        .into_table("desired")
        .columns(["device", "version", "config", "changed_ms", "changed_by"])
        .values_panic([id.as_str().into(), version.into(), config.into(), now.into(), actor.as_str().into()])
        .on_conflict(
            OnConflict::column("device").update_columns(["version", "config", "changed_ms", "changed_by"]).to_owned(),
        );
    write.execute(&upsert).await?;
    let deed = Deed { actor: &actor, action: "desired.change", target: id.as_str() };
    audit::write_down(&mut write, deed, &json!({ "version": version, "config": next.config }), now).await?;
    note_changes(&mut write, &[change("desired", &id, &json!({ "version": version }))], now).await?;
    write.commit().await?;
    app.wake.notify_one();
    Ok((StatusCode::OK, Json(json!({ "version": version }))))
}

fn known((version, config): (i64, String)) -> Result<Desired, DbError> {
    let bad = |what: String| DbError::Row { table: "desired", what };
    let config = serde_json::from_str(&config).map_err(|error| bad(error.to_string()))?;
    let version = u64::try_from(version).map_err(|_negative| bad("a negative version".to_owned()))?;
    Ok(Desired { version, ..Desired::first(config) })
}

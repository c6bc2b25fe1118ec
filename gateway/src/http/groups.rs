//! Groups of devices.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::{DeviceId, Word};
use sea_query::{Expr, ExprTrait as _, OnConflict, Order, Query};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;

use super::auth::{Allowed, FleetRead, FleetWrite};
use super::page::{Asked, Body, Page, Paging, name};
use super::{App, Problem};
use crate::audit::{self, Deed};
use crate::clock::now_ms;

/// Longest description, in characters.
const MAX_DESCRIPTION: usize = 500;

/// A group.
#[derive(Debug, Serialize, FromRow)]
pub(super) struct Group {
    name: String,
    description: String,
    created_ms: i64,
}

/// A group to make or change.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewGroup {
    #[serde(default)]
    description: String,
}

pub(super) async fn get_groups(
    State(app): State<App>,
    _: Allowed<FleetRead>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<Group>>, Problem> {
    let mut select = Query::select();
    select
        .columns(["name", "description", "created_ms"])
        .from("groups")
        .order_by("name", Order::Asc)
        .limit(paging.rows()?);
    if let Some(after) = &paging.after {
        select.and_where(Expr::col("name").gt(after.as_str()));
    }
    Ok(paging.page(app.database.rows(&select).await?, |group: &Group| group.name.clone()))
}

pub(super) async fn put_group(
    State(app): State<App>,
    allowed: Allowed<FleetWrite>,
    Path(group): Path<String>,
    Body(new): Body<NewGroup>,
) -> Result<StatusCode, Problem> {
    let group: Word = name(&group, "group")?;
    if new.description.chars().count() > MAX_DESCRIPTION || new.description.contains('\0') {
        return Err(Problem::bad_request(format!("description: expected at most {MAX_DESCRIPTION} characters")));
    }
    let now = now_ms();
    let mut upsert = Query::insert();
    upsert
        .into_table("groups")
        .columns(["name", "description", "created_ms"])
        .values_panic([group.as_str().into(), new.description.into(), now.into()])
        .on_conflict(OnConflict::column("name").update_column("description").to_owned());
    let deed = Deed { actor: &allowed.caller.actor(), action: "group.change", target: group.as_str() };
    let mut write = app.database.write().await?;
    write.execute(&upsert).await?;
    audit::write_down(&mut write, deed, &json!({}), now).await?;
    write.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_group(
    State(app): State<App>,
    allowed: Allowed<FleetWrite>,
    Path(group): Path<String>,
) -> Result<StatusCode, Problem> {
    let group: Word = name(&group, "group")?;
    let mut delete = Query::delete();
    delete.from_table("groups").and_where(Expr::col("name").eq(group.as_str()));
    let deed = Deed { actor: &allowed.caller.actor(), action: "group.remove", target: group.as_str() };
    let mut write = app.database.write().await?;
    if write.execute(&delete).await? == 0 {
        return Err(Problem::not_found("group"));
    }
    audit::write_down(&mut write, deed, &json!({}), now_ms()).await?;
    write.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn put_member(
    State(app): State<App>,
    allowed: Allowed<FleetWrite>,
    Path((group, device)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (group, device): (Word, DeviceId) = (name(&group, "group")?, name(&device, "device")?);
    let mut insert = Query::insert();
    insert
        .into_table("group_members")
        .columns(["name", "device"])
        .values_panic([group.as_str().into(), device.as_str().into()])
        .on_conflict(OnConflict::new().do_nothing().to_owned());
    let deed = Deed { actor: &allowed.caller.actor(), action: "group.add", target: device.as_str() };
    let mut write = app.database.write().await?;
    match write.execute(&insert).await {
        Err(error) if error.is_missing_reference() => return Err(Problem::not_found("group or device")),
        done => done?,
    };
    audit::write_down(&mut write, deed, &json!({ "group": group.as_str() }), now_ms()).await?;
    write.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_member(
    State(app): State<App>,
    allowed: Allowed<FleetWrite>,
    Path((group, device)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (group, device): (Word, DeviceId) = (name(&group, "group")?, name(&device, "device")?);
    let mut delete = Query::delete();
    delete
        .from_table("group_members")
        .and_where(Expr::col("name").eq(group.as_str()))
        .and_where(Expr::col("device").eq(device.as_str()));
    let deed = Deed { actor: &allowed.caller.actor(), action: "group.take_out", target: device.as_str() };
    let mut write = app.database.write().await?;
    if write.execute(&delete).await? == 0 {
        return Err(Problem::not_found("member"));
    }
    audit::write_down(&mut write, deed, &json!({ "group": group.as_str() }), now_ms()).await?;
    write.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

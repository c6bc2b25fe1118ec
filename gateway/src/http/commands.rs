//! Commands.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::{CommandId, CommandRequest, CommandState, DeviceId, Word};
use sea_query::{Expr, ExprTrait as _, Order, Query};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::FromRow;

use super::auth::{Allowed, CommandsWrite, FleetRead};
use super::page::{Asked, Body, Page, Paging, name};
use super::{App, Problem};
use crate::audit::{self, Deed};
use crate::clock::now_ms;
use crate::fleet::store::{change, note_changes};

/// How long a command may be begun, unless told otherwise.
const DEFAULT_TTL: Duration = Duration::from_mins(15);
/// The shortest and the longest such time.
const TTL: (Duration, Duration) = (Duration::from_secs(5), Duration::from_hours(7 * 24));
/// Commands of one device that are not over, at most: each is a retained document.
const MAX_OPEN: i64 = 16;
/// Longest arguments, in bytes of JSON.
const MAX_ARGS: usize = 4 * 1024;

/// A command. Its arguments are not shown: they may hold a telephone number.
#[derive(Debug, Serialize, FromRow)]
pub(super) struct Command {
    id: String,
    kind: String,
    state: String,
    detail: String,
    issued_ms: i64,
    issued_by: String,
    expires_ms: i64,
    changed_ms: i64,
}

/// A command to give.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCommand {
    kind: Word,
    #[serde(default)]
    args: Map<String, Value>,
    #[serde(default, with = "humantime_serde")]
    ttl: Option<Duration>,
    /// A name made by the caller, so that asking twice gives one command.
    #[serde(default)]
    id: Option<CommandId>,
}

const COLUMNS: [&str; 8] = ["id", "kind", "state", "detail", "issued_ms", "issued_by", "expires_ms", "changed_ms"];

pub(super) async fn get_commands(
    State(app): State<App>,
    _: Allowed<FleetRead>,
    Path(device): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<Command>>, Problem> {
    let id: DeviceId = name(&device, "device")?;
    let mut select = Query::select();
    select
        .columns(COLUMNS)
        .from("commands")
        .and_where(Expr::col("device").eq(id.as_str()))
        .order_by("id", Order::Asc)
        .limit(paging.rows()?);
    if let Some(after) = &paging.after {
        select.and_where(Expr::col("id").gt(after.as_str()));
    }
    Ok(paging.page(app.database.rows(&select).await?, |command: &Command| command.id.clone()))
}

pub(super) async fn get_command(
    State(app): State<App>,
    _: Allowed<FleetRead>,
    Path((device, command)): Path<(String, String)>,
) -> Result<Json<Command>, Problem> {
    let (device, command): (DeviceId, CommandId) = (name(&device, "device")?, name(&command, "command")?);
    let mut select = Query::select();
    select
        .columns(COLUMNS)
        .from("commands")
        .and_where(Expr::col("device").eq(device.as_str()))
        .and_where(Expr::col("id").eq(command.as_str()));
    app.database.row(&select).await?.map(Json).ok_or_else(|| Problem::not_found("command"))
}

pub(super) async fn post_command(
    State(app): State<App>,
    allowed: Allowed<CommandsWrite>,
    Path(device): Path<String>,
    Body(command): Body<NewCommand>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let device: DeviceId = name(&device, "device")?;
    let ttl = command.ttl.unwrap_or(DEFAULT_TTL);
    if !CommandRequest::KINDS.contains(&command.kind) {
        let known = CommandRequest::KINDS.map(|kind| kind.to_string()).join(", ");
        return Err(Problem::bad_request(format!("kind: expected one of {known}")));
    }
    if ttl < TTL.0 || ttl > TTL.1 {
        return Err(Problem::bad_request("ttl: expected 5s to 7days"));
    }
    let args = Value::Object(command.args).to_string();
    if args.len() > MAX_ARGS {
        return Err(Problem::bad_request(format!("args: expected at most {MAX_ARGS} bytes")));
    }
    let id = match command.id {
        Some(id) => id,
        None => name(&uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string(), "id")?,
    };
    let now = now_ms();
    let expires = now.saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
    let actor = allowed.caller.actor();
    let mut write = app.database.write().await?;
    let mut open = Query::select();
    open.expr(Expr::cust("count(*)"))
        .from("commands")
        .and_where(Expr::col("device").eq(device.as_str()))
        .and_where(Expr::col("state").is_in(["requested", "accepted", "running"]));
    if write.row::<(i64,)>(&open).await?.is_some_and(|(open,)| open >= MAX_OPEN) {
        let detail = format!("the device has {MAX_OPEN} commands that are not over");
        return Err(Problem::new(StatusCode::CONFLICT, "too many commands", detail));
    }
    let mut insert = Query::insert();
    insert
        .into_table("commands")
        .columns(["device", "id", "kind", "args", "state", "issued_ms", "issued_by", "expires_ms", "changed_ms"])
        .values_panic([
            device.as_str().into(),
            id.as_str().into(),
            command.kind.as_str().into(),
            args.into(),
            CommandState::Requested.as_str().into(),
            now.into(),
            actor.as_str().into(),
            expires.into(),
            now.into(),
        ]);
    match write.execute(&insert).await {
        Err(error) if error.is_missing_reference() => return Err(Problem::not_found("device")),
        Err(error) if error.is_conflict() => {
            let detail = "the device has a command of this name";
            return Err(Problem::new(StatusCode::CONFLICT, "given before", detail).with("id", id.as_str()));
        }
        done => done?,
    };
    let deed = Deed { actor: &actor, action: "command.give", target: device.as_str() };
    audit::write_down(&mut write, deed, &json!({ "id": id.as_str(), "kind": command.kind.as_str() }), now).await?;
    let data = json!({ "id": id.as_str(), "state": CommandState::Requested.as_str() });
    note_changes(&mut write, &[change("command", &device, &data)], now).await?;
    write.commit().await?;
    app.wake.notify_one();
    Ok((StatusCode::CREATED, Json(json!({ "id": id.as_str(), "state": "requested", "expires_ms": expires }))))
}

//! Tokens: made, seen, revoked. The command line makes the first one.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use sea_query::{Expr, ExprTrait as _, Order, Query};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;

use super::auth::{Allowed, Role, Scope, TokenText, TokensWrite};
use super::page::{Asked, Body, Page, Paging};
use super::{App, Problem};
use crate::audit::{self, Deed};
use crate::clock::now_ms;
use crate::db::{Database, DbError};

/// Longest name, in characters.
const MAX_NAME: usize = 64;

/// A token to make.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for; shown in the audit.
    pub name: String,
    /// What it may at most.
    pub role: Role,
    /// What it may of that; everything when there is none.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// How long it is good; for ever unless told.
    #[serde(default, with = "humantime_serde")]
    pub lifetime: Option<Duration>,
}

/// A token as it is shown: not what its owner sends.
#[derive(Debug, Serialize, FromRow)]
pub struct Token {
    id: String,
    name: String,
    role: String,
    scopes: String,
    created_ms: i64,
    expires_ms: Option<i64>,
    revoked_ms: Option<i64>,
}

impl Token {
    /// Returns one line for people.
    pub fn line(&self) -> String {
        let state = if self.revoked_ms.is_some() { "revoked" } else { "good" };
        format!("{}  {:<8} {state:<8} {:<24} {}", self.id, self.role, self.name, self.scopes)
    }
}

impl NewToken {
    /// Returns what it may, or what is wrong with what was asked for.
    pub fn check(&self) -> Result<Vec<Scope>, String> {
        let count = self.name.chars().count();
        if !(1..=MAX_NAME).contains(&count) || self.name.chars().any(char::is_control) {
            return Err(format!("name: expected 1 to {MAX_NAME} characters"));
        }
        if let Some(scope) = self.scopes.iter().find(|scope| !self.role.scopes().contains(scope)) {
            return Err(format!("scopes: the role {} does not have {scope}", self.role.as_str()));
        }
        Ok(if self.scopes.is_empty() { self.role.scopes().to_vec() } else { self.scopes.clone() })
    }
}

/// Makes a token; what is returned is shown once and is nowhere else. `new` is checked.
pub async fn create(database: &Database, actor: &str, new: &NewToken, now_ms: i64) -> Result<TokenText, DbError> {
    let token = TokenText::new(rand::random(), rand::random());
    let scopes: Vec<&str> = new.check().unwrap_or_default().into_iter().map(Scope::as_str).collect();
    let lifetime = new.lifetime.map(|lifetime| i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX));
    let mut insert = Query::insert();
    insert
        .into_table("tokens")
        .columns(["id", "name", "role", "scopes", "hash", "created_ms", "expires_ms"])
        .values_panic([
            token.id.as_str().into(),
            new.name.as_str().into(),
            new.role.as_str().into(),
            scopes.join(" ").into(),
            token.hash().into(),
            now_ms.into(),
            lifetime.map(|lifetime| now_ms.saturating_add(lifetime)).into(),
        ]);
    let mut write = database.write().await?;
    write.execute(&insert).await?;
    let deed = Deed { actor, action: "token.make", target: &token.id };
    audit::write_down(&mut write, deed, &json!({ "name": new.name, "role": new.role, "scopes": scopes }), now_ms)
        .await?;
    write.commit().await?;
    Ok(token)
}

/// Lists tokens in the order of their names, from behind `after` on.
pub async fn list(database: &Database, after: Option<&str>, limit: u64) -> Result<Vec<Token>, DbError> {
    let mut select = Query::select();
    select
        .columns(["id", "name", "role", "scopes", "created_ms", "expires_ms", "revoked_ms"])
        .from("tokens")
        .order_by("id", Order::Asc)
        .limit(limit);
    if let Some(after) = after {
        select.and_where(Expr::col("id").gt(after));
    }
    database.rows(&select).await
}

/// Revokes a token; returns whether there was one.
pub async fn revoke(database: &Database, actor: &str, id: &str, now_ms: i64) -> Result<bool, DbError> {
    let mut update = Query::update();
    update
        .table("tokens")
        .value("revoked_ms", now_ms)
        .and_where(Expr::col("id").eq(id))
        .and_where(Expr::col("revoked_ms").is_null());
    let mut write = database.write().await?;
    let was_there = write.execute(&update).await? > 0;
    if was_there {
        audit::write_down(&mut write, Deed { actor, action: "token.revoke", target: id }, &json!({}), now_ms).await?;
    }
    write.commit().await?;
    Ok(was_there)
}

pub(super) async fn get_tokens(
    State(app): State<App>,
    _: Allowed<TokensWrite>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<Token>>, Problem> {
    let tokens = list(&app.database, paging.after.as_deref(), paging.rows()?).await?;
    Ok(paging.page(tokens, |token| token.id.clone()))
}

pub(super) async fn post_token(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<serde_json::Value>), Problem> {
    new.check().map_err(Problem::bad_request)?;
    let token = create(&app.database, &allowed.caller.actor(), &new, now_ms()).await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": token.id, "token": token.expose() }))))
}

pub(super) async fn delete_token(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if revoke(&app.database, &allowed.caller.actor(), &id, now_ms()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("token"))
    }
}

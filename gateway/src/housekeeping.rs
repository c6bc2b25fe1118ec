//! Chores: days of tables made ahead, old rows dropped, commands that nobody answered closed.
//!
//! One gateway at a time does them, whichever comes first; doing one twice is harmless.

use std::sync::Arc;
use std::time::Duration;

use protocol::CommandState;
use sea_query::{Expr, ExprTrait as _, LockType, Query};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::config::Retention;
use crate::db::partitions::Half;
use crate::db::{Database, DbError, Write};
use crate::fleet::store::{ChangeRow, note_changes};
use crate::health::{Health, Part, PartState};
use crate::ingest::wire::chain;

/// How often chores are done.
const EVERY: Duration = Duration::from_secs(20);
/// How long changes are kept for those who follow live.
pub const CHANGES_KEPT: Duration = Duration::from_hours(1);
/// Transactions of one kind in one round at most, so that a round ends.
const MAX_STEPS: usize = 50;
/// Commands closed by one transaction at most.
const MAX_EXPIRED: u64 = 500;

/// Does chores until `shutdown`.
///
/// # Cancellation safety
///
/// May be dropped half way; what was begun is rolled back.
pub async fn run(database: Database, retention: Retention, health: Arc<Health>, shutdown: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let state = match once(&database, &retention, now_ms()).await {
            Ok(()) => PartState::Ok,
            Err(error) => PartState::Degraded(chain(&error)),
        };
        health.set(Part::Database, state);
    }
}

/// Does every chore once.
pub async fn once(database: &Database, retention: &Retention, now_ms: i64) -> Result<(), DbError> {
    let mut write = database.write().await?;
    if !write.try_lead().await? {
        return Ok(());
    }
    write.make_days(now_ms).await?;
    write.commit().await?;
    close_unanswered(database, now_ms).await?;
    for (half, kept) in [(Half::Records, retention.records), (Half::Diagnostics, retention.diagnostics)] {
        for _ in 0..MAX_STEPS {
            let mut write = database.write().await?;
            let is_led = write.try_lead().await?;
            let more = is_led && write.drop_events(half, before(now_ms, kept)).await?;
            write.commit().await?;
            if !more {
                break;
            }
        }
    }
    let mut write = database.write().await?;
    for (table, column, kept) in [
        ("quarantine", "received_ms", retention.quarantine),
        ("changes", "at_ms", CHANGES_KEPT),
        ("audit", "at_ms", retention.audit),
    ] {
        let mut delete = Query::delete();
        delete.from_table(table).and_where(Expr::col(column).lt(before(now_ms, kept)));
        write.execute(&delete).await?;
    }
    let mut delete = Query::delete();
    delete
        .from_table("commands")
        .and_where(Expr::col("changed_ms").lt(before(now_ms, retention.commands)))
        .and_where(Expr::col("published").eq(true))
        .and_where(Expr::col("state").is_not_in(OPEN.map(CommandState::as_str)));
    write.execute(&delete).await?;
    write.commit().await
}

/// States of commands that are not over.
const OPEN: [CommandState; 3] = [CommandState::Requested, CommandState::Accepted, CommandState::Running];

/// Closes commands that no device took up in time. Their retained requests are cleared next.
async fn close_unanswered(database: &Database, now_ms: i64) -> Result<(), DbError> {
    let mut write = database.write().await?;
    let mut select = Query::select();
    select
        .columns(["device", "id"])
        .from("commands")
        .and_where(Expr::col("state").eq(CommandState::Requested.as_str()))
        .and_where(Expr::col("expires_ms").lt(now_ms))
        .order_by("device", sea_query::Order::Asc)
        .limit(MAX_EXPIRED)
        .lock(LockType::Update);
    let late: Vec<(String, String)> = write.rows(&select).await?;
    let mut changes = Vec::with_capacity(late.len());
    for (device, id) in late {
        close(&mut write, &device, &id, now_ms).await?;
        let data = serde_json::json!({ "id": id, "state": CommandState::Unanswered.as_str() }).to_string();
        changes.push(ChangeRow { kind: "command", device, data });
    }
    note_changes(&mut write, &changes, now_ms).await?;
    write.commit().await
}

async fn close(write: &mut Write, device: &str, id: &str, now_ms: i64) -> Result<(), DbError> {
    let mut update = Query::update();
    update
        .table("commands")
        .value("state", CommandState::Unanswered.as_str())
        .value("changed_ms", now_ms)
        .value("published", false)
        .and_where(Expr::col("device").eq(device))
        .and_where(Expr::col("id").eq(id));
    write.execute(&update).await.map(drop)
}

fn before(now_ms: i64, kept: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX))
}

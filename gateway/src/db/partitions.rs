//! Days of `events` on `PostgreSQL`, and retention on both engines.
//!
//! `PostgreSQL` drops whole days. `SQLite` deletes rows, a bounded number at a time, so that ingest is not held up.

use protocol::Stream;

use super::hot::LOCK_DAYS;
use super::{Database, DbError, Engine, Inner, Write};

/// Days made ahead of time: a gateway that cannot make them for this long still stores, into the default partition.
const DAYS_AHEAD: i64 = 3;
/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Rows deleted by one transaction on `SQLite`.
const DELETE_ROWS: i64 = 5_000;
/// Longest wait for a table, so that a long query of somebody else does not make ingest queue up behind us.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '3s'";

/// One half of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Calls, messages, leads, audit.
    Records,
    /// Metrics and logs.
    Diagnostics,
}

impl Half {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Records, Self::Diagnostics];

    /// Returns the table's name.
    const fn table(self) -> &'static str {
        match self {
            Self::Records => "events_records",
            Self::Diagnostics => "events_diagnostics",
        }
    }

    /// Returns the half that a stream is in.
    pub const fn of(stream: Stream) -> Self {
        if stream.may_drop() { Self::Diagnostics } else { Self::Records }
    }
}

impl Database {
    /// Runs statements as they are written, one after the other.
    pub async fn run(&self, sql: &'static str) -> Result<(), DbError> {
        match &self.engine {
            Engine::Sqlite { pool, .. } => sqlx::raw_sql(sql).execute(pool).await.map(drop)?,
            Engine::Postgres { pool } => sqlx::raw_sql(sql).execute(pool).await.map(drop)?,
        }
        Ok(())
    }
}

impl Write {
    /// Makes the days from `now_ms` on, as far ahead as they are made.
    pub async fn make_days(&mut self, now_ms: i64) -> Result<(), DbError> {
        let Inner::Postgres { transaction } = &mut self.inner else { return Ok(()) };
        // Two gateways that start at once would each hold a table of the other's way.
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK_DAYS).execute(&mut **transaction).await?;
        sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut **transaction).await?;
        for half in Half::ALL {
            for ahead in 0..=DAYS_AHEAD {
                let day = now_ms.div_euclid(DAY_MS) + ahead;
                let (table, name) = (half.table(), name(half, day));
                let exists: Option<String> = sqlx::query_scalar("SELECT to_regclass($1)::text")
                    .bind(&name)
                    .fetch_one(&mut **transaction)
                    .await?;
                if exists.is_some() {
                    continue;
                }
                let (from, to) = (day * DAY_MS, (day + 1) * DAY_MS);
                // Rows of this day that went into the default, for want of its table, stay there.
                let taken =
                    format!("SELECT EXISTS (SELECT FROM {table}_default WHERE received_ms >= $1 AND received_ms < $2)");
                let taken = sqlx::query_scalar::<_, bool>(sqlx::AssertSqlSafe(taken)).bind(from).bind(to);
                if taken.fetch_one(&mut **transaction).await? {
                    continue;
                }
                // Attached, not made as a partition: that needs no lock that would keep readers and writers out.
                let sql = format!(
                    "CREATE TABLE {name} (LIKE {table} INCLUDING ALL);
                     ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to});"
                );
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut **transaction).await?;
            }
        }
        Ok(())
    }

    /// Drops events of `half` that came before `before_ms`; returns whether there is more to drop, in another
    /// transaction.
    pub async fn drop_events(&mut self, half: Half, before_ms: i64) -> Result<bool, DbError> {
        match &mut self.inner {
            Inner::Postgres { transaction } => {
                sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut **transaction).await?;
                let names: Vec<String> = sqlx::query_scalar(
                    "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                     WHERE i.inhparent = $1::regclass ORDER BY c.relname",
                )
                .bind(half.table())
                .fetch_all(&mut **transaction)
                .await?;
                // A day goes when its last millisecond is old enough.
                let oldest = before_ms.div_euclid(DAY_MS);
                let gone = names.iter().find(|found| day_of(half, found).is_some_and(|day| day < oldest));
                if let Some(gone) = gone {
                    let sql = format!("DROP TABLE {gone}");
                    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut **transaction).await?;
                    return Ok(true);
                }
                let default = format!("DELETE FROM {}_default WHERE received_ms < $1", half.table());
                sqlx::query(sqlx::AssertSqlSafe(default)).bind(before_ms).execute(&mut **transaction).await?;
                Ok(false)
            }
            Inner::Sqlite { transaction, .. } => {
                let streams: Vec<&str> =
                    Stream::ALL.into_iter().filter(|stream| Half::of(*stream) == half).map(Stream::as_str).collect();
                let done = sqlx::query(
                    "DELETE FROM events WHERE rowid IN (SELECT rowid FROM events
                     WHERE received_ms < ?1 AND stream IN (SELECT value FROM json_each(?2)) LIMIT ?3)",
                )
                .bind(before_ms)
                .bind(serde_json::json!(streams).to_string())
                .bind(DELETE_ROWS)
                .execute(&mut **transaction)
                .await?;
                Ok(done.rows_affected() >= DELETE_ROWS.unsigned_abs())
            }
        }
    }
}

/// Returns the name of a day's table; `day` counts from 1970-01-01.
fn name(half: Half, day: i64) -> String {
    format!("{}_{day:06}", half.table())
}

/// Returns the day of a table, or nothing for the default.
fn day_of(half: Half, name: &str) -> Option<i64> {
    name.strip_prefix(half.table())?.strip_prefix('_')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use protocol::Stream;

    use super::{Half, day_of, name};

    #[test]
    fn a_day_is_known_by_its_name() {
        assert_eq!(name(Half::Records, 20_778), "events_records_020778");
        assert_eq!(day_of(Half::Records, "events_records_020778"), Some(20_778));
        assert_eq!(day_of(Half::Records, "events_records_default"), None);
        assert_eq!(day_of(Half::Records, "events_diagnostics_020778"), None);
    }

    #[test]
    fn what_a_device_may_drop_is_kept_for_less_time() {
        assert_eq!(Half::of(Stream::Calls), Half::Records);
        assert_eq!(Half::of(Stream::Logs), Half::Diagnostics);
    }
}

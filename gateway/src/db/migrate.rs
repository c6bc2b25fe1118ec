//! The schema, brought up to date at start, by one program at a time.

use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

use super::{DbError, hot};

/// One step of the schema. Never changed once released: the next step is another file.
struct Migration {
    version: i64,
    sqlite: &'static str,
    postgres: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sqlite: include_str!("../../migrations/sqlite/0001_initial.sql"),
    postgres: include_str!("../../migrations/postgres/0001_initial.sql"),
}];

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY, checksum BIGINT NOT NULL)";
const DONE: &str = "SELECT version, checksum FROM schema_migrations ORDER BY version";

/// Brings `SQLite` up to date; its write lock keeps others out.
pub(super) async fn sqlite(connection: &mut SqliteConnection) -> Result<(), DbError> {
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let outcome = sqlite_steps(connection).await;
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sqlx::raw_sql(end).execute(&mut *connection).await?;
    outcome
}

async fn sqlite_steps(connection: &mut SqliteConnection) -> Result<(), DbError> {
    sqlx::raw_sql(TABLE).execute(&mut *connection).await?;
    let done: Vec<(i64, i64)> = sqlx::query_as(DONE).fetch_all(&mut *connection).await?;
    for step in due(&done, |step| step.sqlite)? {
        sqlx::raw_sql(step.sqlite).execute(&mut *connection).await?;
        sqlx::query("INSERT INTO schema_migrations (version, checksum) VALUES (?1, ?2)")
            .bind(step.version)
            .bind(checksum(step.sqlite))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Brings `PostgreSQL` up to date under an advisory lock that lives as long as the transaction.
pub(super) async fn postgres(connection: &mut PgConnection) -> Result<(), DbError> {
    sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
    let outcome = postgres_steps(connection).await;
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sqlx::raw_sql(end).execute(&mut *connection).await?;
    outcome
}

async fn postgres_steps(connection: &mut PgConnection) -> Result<(), DbError> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(hot::LOCK_MIGRATE).execute(&mut *connection).await?;
    sqlx::raw_sql(TABLE).execute(&mut *connection).await?;
    let done: Vec<(i64, i64)> = sqlx::query_as(DONE).fetch_all(&mut *connection).await?;
    for step in due(&done, |step| step.postgres)? {
        sqlx::raw_sql(AssertSqlSafe(step.postgres)).execute(&mut *connection).await?;
        sqlx::query("INSERT INTO schema_migrations (version, checksum) VALUES ($1, $2)")
            .bind(step.version)
            .bind(checksum(step.postgres))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Returns what is still to run, or why this database is not for this program.
fn due(done: &[(i64, i64)], text: impl Fn(&Migration) -> &'static str) -> Result<Vec<&'static Migration>, DbError> {
    let known = MIGRATIONS.last().map_or(0, |step| step.version);
    if let Some((found, _)) = done.last().filter(|(version, _)| *version > known) {
        return Err(DbError::Newer { found: *found, known });
    }
    let mut due = Vec::new();
    for step in MIGRATIONS {
        match done.iter().find(|(version, _)| *version == step.version) {
            Some((_, sum)) if *sum == checksum(text(step)) => {}
            Some(_) => return Err(DbError::Changed { version: step.version }),
            None => due.push(step),
        }
    }
    Ok(due)
}

/// FNV-1a: tells an edited file, not an attacker.
fn checksum(text: &str) -> i64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::{DbError, MIGRATIONS, checksum, due};

    #[test]
    fn what_ran_is_not_run_again_and_another_build_is_refused() {
        let text = |step: &super::Migration| step.sqlite;
        let all: Vec<(i64, i64)> = MIGRATIONS.iter().map(|step| (step.version, checksum(step.sqlite))).collect();
        assert_eq!(due(&[], text).unwrap().len(), MIGRATIONS.len());
        assert!(due(&all, text).unwrap().is_empty());
        assert!(matches!(due(&[(1, 0)], text), Err(DbError::Changed { version: 1 })));
        assert!(matches!(due(&[(900, 0)], text), Err(DbError::Newer { found: 900, .. })));
    }
}

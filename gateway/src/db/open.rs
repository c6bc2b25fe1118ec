//! From a configuration to an open database with the schema this program knows.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, PgPool, SqlitePool};
use tokio::sync::Mutex;

use crate::config::{Database as Config, DatabaseUrl};

use super::{Database, DbError, Engine, migrate};

/// Longest wait for a connection out of the pool.
const ACQUIRE: Duration = Duration::from_secs(10);
/// Longest wait for `SQLite`'s lock, held by another process such as a backup.
const BUSY: Duration = Duration::from_secs(10);
/// Longest a statement may take on `PostgreSQL` before the server gives it up, so that no lock is held for ever.
const STATEMENT_TIMEOUT: &str = "30s";
/// How long the server waits for a client in the middle of a transaction: what a frozen worker locked is freed.
const IDLE_IN_TRANSACTION: &str = "60s";

impl Database {
    /// Opens the database, makes it if it is `SQLite` and not there, and brings its schema up to date.
    pub async fn open(config: &Config) -> Result<Self, DbError> {
        let engine = match &config.url {
            DatabaseUrl::Sqlite(path) => {
                if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                    std::fs::create_dir_all(folder)
                        .map_err(|source| DbError::Folder { path: folder.to_owned(), source })?;
                }
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    // NORMAL would lose the last commits at a power cut, and their watermarks were told already.
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(BUSY)
                    .disable_statement_logging();
                let pool: SqlitePool = PoolOptions::new()
                    .max_connections(config.connections.get())
                    .acquire_timeout(ACQUIRE)
                    .connect_with(options)
                    .await?;
                migrate::sqlite(&mut *pool.acquire().await?).await?;
                Engine::Sqlite { pool, writer: Arc::new(Mutex::new(())) }
            }
            DatabaseUrl::Postgres(url) => {
                let mut options = PgConnectOptions::from_str(url.expose())?
                    .application_name("kolbox-gateway")
                    .options([
                        ("synchronous_commit", "on"),
                        ("statement_timeout", STATEMENT_TIMEOUT),
                        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
                    ])
                    .disable_statement_logging();
                if let Some(password) = &config.password {
                    options = options.password(password.expose());
                }
                let pool: PgPool = PoolOptions::new()
                    .max_connections(config.connections.get())
                    .acquire_timeout(ACQUIRE)
                    .connect_with(options)
                    .await?;
                migrate::postgres(&mut *pool.acquire().await?).await?;
                Engine::Postgres { pool }
            }
        };
        Ok(Self { engine })
    }
}

//! The database: `SQLite` beside the program, or `PostgreSQL`, behind one layer of statements.
//!
//! Statements are built with sea-query once and rendered for the engine in use; the few where throughput decides are
//! written by hand for each engine, in [`hot`]. Nothing outside this module names an engine.
//!
//! **Invariant:** what [`Write::commit`] answered with success is on disk: `SQLite` runs with `synchronous = FULL`,
//! `PostgreSQL` with `synchronous_commit` on, whatever the server's default.

mod error;
pub mod hot;
mod migrate;
mod open;
pub mod partitions;

use sea_query::{PostgresQueryBuilder, SqliteQueryBuilder};
use sea_query_sqlx::{SqlxBinder, SqlxValues};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use std::sync::Arc;

pub use self::error::DbError;

/// A row type that both engines can fill.
pub trait Row: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}

impl<T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin> Row for T {}

/// The open database. Cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub struct Database {
    engine: Engine,
}

#[derive(Clone, Debug)]
enum Engine {
    /// One file has one writer at a time: the mutex queues them fairly, where the engine's own lock would let them race.
    Sqlite {
        pool: SqlitePool,
        writer: Arc<Mutex<()>>,
    },
    Postgres {
        pool: PgPool,
    },
}

/// A transaction that writes. Dropped without [`Write::commit`], it is rolled back.
#[derive(Debug)]
pub struct Write {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Sqlite { transaction: Transaction<'static, Sqlite>, _writer: OwnedMutexGuard<()> },
    Postgres { transaction: Transaction<'static, Postgres> },
}

impl Database {
    /// Begins a transaction that writes.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, nothing is begun.
    pub async fn write(&self) -> Result<Write, DbError> {
        let inner = match &self.engine {
            Engine::Sqlite { pool, writer } => {
                let guard = Arc::clone(writer).lock_owned().await;
                // Taken at once: a lock that is upgraded later can fail half way.
                let transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
                Inner::Sqlite { transaction, _writer: guard }
            }
            Engine::Postgres { pool } => Inner::Postgres { transaction: pool.begin().await? },
        };
        Ok(Write { inner })
    }

    /// Returns the rows of a query, outside any transaction.
    pub async fn rows<T: Row>(&self, query: &(impl SqlxBinder + Sync)) -> Result<Vec<T>, DbError> {
        match &self.engine {
            Engine::Sqlite { pool, .. } => {
                let (sql, values) = query.build_sqlx(SqliteQueryBuilder);
                Ok(sqlx::query_as_with::<Sqlite, T, SqlxValues>(AssertSqlSafe(sql), values).fetch_all(pool).await?)
            }
            Engine::Postgres { pool } => {
                let (sql, values) = query.build_sqlx(PostgresQueryBuilder);
                Ok(sqlx::query_as_with::<Postgres, T, SqlxValues>(AssertSqlSafe(sql), values).fetch_all(pool).await?)
            }
        }
    }

    /// Returns the row of a query that has at most one.
    pub async fn row<T: Row>(&self, query: &(impl SqlxBinder + Sync)) -> Result<Option<T>, DbError> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), DbError> {
        match &self.engine {
            Engine::Sqlite { pool, .. } => sqlx::query("SELECT 1").execute(pool).await.map(drop)?,
            Engine::Postgres { pool } => sqlx::query("SELECT 1").execute(pool).await.map(drop)?,
        }
        Ok(())
    }

    /// Returns whether several gateways may share this database.
    pub fn is_shared(&self) -> bool {
        matches!(self.engine, Engine::Postgres { .. })
    }

    /// Closes every connection; `SQLite` folds its log into the file.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite { pool, .. } => pool.close().await,
            Engine::Postgres { pool } => pool.close().await,
        }
    }
}

impl Write {
    /// Runs a statement and returns how many rows it touched.
    pub async fn execute(&mut self, statement: &(impl SqlxBinder + Sync)) -> Result<u64, DbError> {
        match &mut self.inner {
            Inner::Sqlite { transaction, .. } => {
                let (sql, values) = statement.build_sqlx(SqliteQueryBuilder);
                let done = sqlx::query_with(AssertSqlSafe(sql), values).execute(&mut **transaction).await?;
                Ok(done.rows_affected())
            }
            Inner::Postgres { transaction } => {
                let (sql, values) = statement.build_sqlx(PostgresQueryBuilder);
                let done = sqlx::query_with(AssertSqlSafe(sql), values).execute(&mut **transaction).await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// Returns the rows of a query.
    pub async fn rows<T: Row>(&mut self, query: &(impl SqlxBinder + Sync)) -> Result<Vec<T>, DbError> {
        match &mut self.inner {
            Inner::Sqlite { transaction, .. } => {
                let (sql, values) = query.build_sqlx(SqliteQueryBuilder);
                let query = sqlx::query_as_with::<Sqlite, T, SqlxValues>(AssertSqlSafe(sql), values);
                Ok(query.fetch_all(&mut **transaction).await?)
            }
            Inner::Postgres { transaction } => {
                let (sql, values) = query.build_sqlx(PostgresQueryBuilder);
                let query = sqlx::query_as_with::<Postgres, T, SqlxValues>(AssertSqlSafe(sql), values);
                Ok(query.fetch_all(&mut **transaction).await?)
            }
        }
    }

    /// Returns the row of a query that has at most one.
    pub async fn row<T: Row>(&mut self, query: &(impl SqlxBinder + Sync)) -> Result<Option<T>, DbError> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// Makes it so, on disk.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, it is unknown whether the transaction took place; every writer of ours may simply write again.
    pub async fn commit(self) -> Result<(), DbError> {
        match self.inner {
            Inner::Sqlite { transaction, .. } => transaction.commit().await?,
            Inner::Postgres { transaction } => transaction.commit().await?,
        }
        Ok(())
    }
}

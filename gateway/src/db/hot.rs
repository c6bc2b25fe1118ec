//! The statements where throughput decides, written for each engine: whole batches go in and come out in one statement
//! each, with a text that never changes, so that it is prepared once for each connection.
//!
//! `PostgreSQL` takes columns as arrays (`UNNEST`); `SQLite` takes small rows as one JSON text (`json_each`) and events
//! as rows of parameters in blocks of fixed size, because their data would have to be escaped twice.

use sqlx::types::Uuid;
use sqlx::{FromRow, QueryBuilder, Sqlite};

use super::{DbError, Inner, Write};

/// Advisory lock of the migrations. The numbers are arbitrary; they spell `kolb` and a counter.
pub const LOCK_MIGRATE: i64 = 0x6b6f_6c62_0001;
/// Advisory lock under which rows of `changes` get their numbers, so that they appear in the order of these.
pub const LOCK_CHANGES: i64 = 0x6b6f_6c62_0002;
/// Advisory lock of the worker that keeps house.
pub const LOCK_LEADER: i64 = 0x6b6f_6c62_0003;
/// Advisory lock of whoever makes tables for the next days.
pub const LOCK_DAYS: i64 = 0x6b6f_6c62_0004;

/// Events in one statement on `PostgreSQL`.
const POSTGRES_BLOCK: usize = 4_096;
/// Events in one statement on `SQLite`; a rest is written one by one. 12 parameters each, 32,766 allowed.
const SQLITE_BLOCK: usize = 64;

/// Names a row of `streams`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    /// The device.
    pub device: &'a str,
    /// The stream's wire name.
    pub stream: &'a str,
    /// The outbox's epoch.
    pub epoch: i64,
}

/// A row of `streams`, locked.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct StreamRow {
    /// Place of its key among those asked for.
    pub place: i64,
    /// Everything up to here is present.
    pub watermark: i64,
    /// What is present above, as text of [`crate::ingest::sequences::Sequences`].
    pub ahead: String,
}

/// How a row of `streams` is after a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamUpdate<'a> {
    /// Which.
    pub key: Key<'a>,
    /// Everything up to here is present.
    pub watermark: i64,
    /// Greatest number seen.
    pub max_seq: i64,
    /// What is present above the watermark.
    pub ahead: String,
    /// Events stored by this batch.
    pub stored: i64,
    /// Events of this batch that were there before.
    pub duplicates: i64,
}

/// A row of `events`.
#[derive(Clone, Copy, Debug)]
pub struct EventRow<'a> {
    /// The stream it belongs to.
    pub key: Key<'a>,
    /// Its number there.
    pub seq: i64,
    /// Its identity.
    pub id: Uuid,
    /// What it is.
    pub kind: &'a str,
    /// The device's boot it happened in.
    pub boot: i64,
    /// Milliseconds since that boot.
    pub mono_ms: i64,
    /// Milliseconds since 1970 by the device's clock.
    pub wall_ms: i64,
    /// Whether that clock was set.
    pub time_synced: bool,
    /// The event's own JSON, as it came.
    pub data: &'a str,
}

impl Write {
    /// Locks the rows of `keys`, which are sorted and distinct, in this order; makes those that are missing.
    pub async fn lock_streams(&mut self, keys: &[Key<'_>], now_ms: i64) -> Result<Vec<StreamRow>, DbError> {
        let rows = self.select_streams(keys).await?;
        if rows.len() == keys.len() {
            return Ok(rows);
        }
        self.make_streams(keys, now_ms).await?;
        self.select_streams(keys).await
    }

    async fn select_streams(&mut self, keys: &[Key<'_>]) -> Result<Vec<StreamRow>, DbError> {
        match &mut self.inner {
            Inner::Postgres { transaction } => {
                // Locks are taken above the sort: in the order of the keys, whoever asks.
                const SELECT: &str = "SELECT k.place, s.watermark, s.ahead
                    FROM UNNEST($1::text[], $2::text[], $3::int8[]) WITH ORDINALITY AS k (device, stream, epoch, place)
                    JOIN streams s ON s.device = k.device AND s.stream = k.stream AND s.epoch = k.epoch
                    ORDER BY k.place FOR UPDATE OF s";
                let [devices, streams] = names(keys);
                let mut rows: Vec<StreamRow> = sqlx::query_as(SELECT)
                    .bind(devices)
                    .bind(streams)
                    .bind(epochs(keys))
                    .fetch_all(&mut **transaction)
                    .await?;
                // PostgreSQL counts from 1.
                for row in &mut rows {
                    row.place -= 1;
                }
                Ok(rows)
            }
            Inner::Sqlite { transaction, .. } => {
                const SELECT: &str = "SELECT k.key AS place, s.watermark, s.ahead FROM json_each(?1) k
                    CROSS JOIN streams s ON s.device = k.value ->> 0 AND s.stream = k.value ->> 1
                    AND s.epoch = k.value ->> 2 ORDER BY k.key";
                Ok(sqlx::query_as(SELECT).bind(as_json(keys)).fetch_all(&mut **transaction).await?)
            }
        }
    }

    async fn make_streams(&mut self, keys: &[Key<'_>], now_ms: i64) -> Result<(), DbError> {
        match &mut self.inner {
            Inner::Postgres { transaction } => {
                const DEVICES: &str = "INSERT INTO devices (id, first_seen_ms)
                    SELECT DISTINCT device, $2 FROM UNNEST($1::text[]) AS k (device) ORDER BY device
                    ON CONFLICT DO NOTHING";
                const STREAMS: &str = "INSERT INTO streams (device, stream, epoch, updated_ms)
                    SELECT k.device, k.stream, k.epoch, $4
                    FROM UNNEST($1::text[], $2::text[], $3::int8[]) AS k (device, stream, epoch)
                    ORDER BY k.device, k.stream, k.epoch ON CONFLICT DO NOTHING";
                let [devices, streams] = names(keys);
                sqlx::query(DEVICES).bind(&devices).bind(now_ms).execute(&mut **transaction).await?;
                sqlx::query(STREAMS)
                    .bind(devices)
                    .bind(streams)
                    .bind(epochs(keys))
                    .bind(now_ms)
                    .execute(&mut **transaction)
                    .await?;
            }
            Inner::Sqlite { transaction, .. } => {
                const DEVICES: &str = "INSERT INTO devices (id, first_seen_ms)
                    SELECT DISTINCT value ->> 0, ?2 FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING";
                const STREAMS: &str = "INSERT INTO streams (device, stream, epoch, updated_ms)
                    SELECT value ->> 0, value ->> 1, value ->> 2, ?2 FROM json_each(?1) WHERE true
                    ON CONFLICT DO NOTHING";
                for statement in [DEVICES, STREAMS] {
                    let query = sqlx::query(statement).bind(as_json(keys)).bind(now_ms);
                    query.execute(&mut **transaction).await?;
                }
            }
        }
        Ok(())
    }

    /// Stores new events; returns how many rows were made. The stream's rows are locked and say that none is there yet.
    pub async fn insert_events(&mut self, events: &[EventRow<'_>], received_ms: i64) -> Result<u64, DbError> {
        let mut made = 0;
        match &mut self.inner {
            Inner::Postgres { transaction } => {
                const INSERT: &str = "INSERT INTO events
                    (device, stream, epoch, seq, received_ms, id, kind, boot, mono_ms, wall_ms, time_synced, data)
                    SELECT k.device, k.stream, k.epoch, k.seq, $12, k.id, k.kind, k.boot, k.mono_ms, k.wall_ms,
                           k.time_synced, k.data
                    FROM UNNEST($1::text[], $2::text[], $3::int8[], $4::int8[], $5::uuid[], $6::text[], $7::int8[],
                                $8::int8[], $9::int8[], $10::bool[], $11::text[])
                    AS k (device, stream, epoch, seq, id, kind, boot, mono_ms, wall_ms, time_synced, data)
                    ON CONFLICT DO NOTHING";
                for block in events.chunks(POSTGRES_BLOCK) {
                    let done = sqlx::query(INSERT)
                        .bind(block.iter().map(|event| event.key.device).collect::<Vec<_>>())
                        .bind(block.iter().map(|event| event.key.stream).collect::<Vec<_>>())
                        .bind(block.iter().map(|event| event.key.epoch).collect::<Vec<_>>())
                        .bind(block.iter().map(|event| event.seq).collect::<Vec<_>>())
                        .bind(block.iter().map(|event| event.id).collect::<Vec<_>>())
                        .bind(block.iter().map(|event| event.kind).collect::<Vec<_>>())
                        .bind(block.iter().map(|event| event.boot).collect::<Vec<_>>())
                        .bind(block.iter().map(|event| event.mono_ms).collect::<Vec<_>>())
                        .bind(block.iter().map(|event| event.wall_ms).collect::<Vec<_>>())
                        .bind(block.iter().map(|event| event.time_synced).collect::<Vec<_>>())
                        .bind(block.iter().map(|event| event.data).collect::<Vec<_>>())
                        .bind(received_ms)
                        .execute(&mut **transaction)
                        .await?;
                    made += done.rows_affected();
                }
            }
            Inner::Sqlite { transaction, .. } => {
                for block in events.chunks(SQLITE_BLOCK) {
                    let step = if block.len() == SQLITE_BLOCK { SQLITE_BLOCK } else { 1 };
                    for rows in block.chunks(step) {
                        let mut insert = sqlite_insert(rows, received_ms);
                        made += insert.build().execute(&mut **transaction).await?.rows_affected();
                    }
                }
            }
        }
        Ok(made)
    }

    /// Writes how the locked rows are now.
    pub async fn update_streams(&mut self, rows: &[StreamUpdate<'_>], now_ms: i64) -> Result<(), DbError> {
        match &mut self.inner {
            Inner::Postgres { transaction } => {
                const UPDATE: &str = "UPDATE streams s SET watermark = k.watermark,
                    max_seq = GREATEST(s.max_seq, k.max_seq), ahead = k.ahead, stored = s.stored + k.stored,
                    duplicates = s.duplicates + k.duplicates, updated_ms = $9
                    FROM UNNEST($1::text[], $2::text[], $3::int8[], $4::int8[], $5::int8[], $6::text[], $7::int8[],
                                $8::int8[])
                    AS k (device, stream, epoch, watermark, max_seq, ahead, stored, duplicates)
                    WHERE s.device = k.device AND s.stream = k.stream AND s.epoch = k.epoch";
                sqlx::query(UPDATE)
                    .bind(rows.iter().map(|row| row.key.device).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.key.stream).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.key.epoch).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.watermark).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.max_seq).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.ahead.as_str()).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.stored).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.duplicates).collect::<Vec<_>>())
                    .bind(now_ms)
                    .execute(&mut **transaction)
                    .await?;
            }
            Inner::Sqlite { transaction, .. } => {
                const UPDATE: &str = "UPDATE streams SET watermark = k.value ->> 3,
                    max_seq = max(max_seq, k.value ->> 4), ahead = k.value ->> 5, stored = stored + (k.value ->> 6),
                    duplicates = duplicates + (k.value ->> 7), updated_ms = ?2
                    FROM json_each(?1) k
                    WHERE device = k.value ->> 0 AND stream = k.value ->> 1 AND epoch = k.value ->> 2";
                let rows: Vec<_> = rows
                    .iter()
                    .map(|row| {
                        let Key { device, stream, epoch } = row.key;
                        let StreamUpdate { watermark, max_seq, ahead, stored, duplicates, .. } = row;
                        serde_json::json!([device, stream, epoch, watermark, max_seq, ahead, stored, duplicates])
                    })
                    .collect();
                let rows = serde_json::Value::Array(rows).to_string();
                sqlx::query(UPDATE).bind(rows).bind(now_ms).execute(&mut **transaction).await?;
            }
        }
        Ok(())
    }

    /// Returns the identities of those of `events` that are stored, with their place in the list.
    ///
    /// What is gone by retention, or was never stored but announced as skipped, is not among them.
    pub async fn event_ids(&mut self, events: &[(Key<'_>, i64)]) -> Result<Vec<(i64, Uuid)>, DbError> {
        match &mut self.inner {
            Inner::Postgres { transaction } => {
                const SELECT: &str = "SELECT k.place - 1, e.id
                    FROM UNNEST($1::text[], $2::text[], $3::int8[], $4::int8[]) WITH ORDINALITY
                    AS k (device, stream, epoch, seq, place)
                    JOIN events e ON e.device = k.device AND e.stream = k.stream AND e.epoch = k.epoch AND e.seq = k.seq";
                let found = sqlx::query_as(SELECT)
                    .bind(events.iter().map(|(key, _)| key.device).collect::<Vec<_>>())
                    .bind(events.iter().map(|(key, _)| key.stream).collect::<Vec<_>>())
                    .bind(events.iter().map(|(key, _)| key.epoch).collect::<Vec<_>>())
                    .bind(events.iter().map(|(_, seq)| *seq).collect::<Vec<_>>());
                Ok(found.fetch_all(&mut **transaction).await?)
            }
            Inner::Sqlite { transaction, .. } => {
                const SELECT: &str = "SELECT k.key, e.id FROM json_each(?1) k CROSS JOIN events e
                    ON e.device = k.value ->> 0 AND e.stream = k.value ->> 1 AND e.epoch = k.value ->> 2
                    AND e.seq = k.value ->> 3";
                let keys: Vec<_> = events
                    .iter()
                    .map(|(key, seq)| serde_json::json!([key.device, key.stream, key.epoch, seq]))
                    .collect();
                let keys = serde_json::Value::Array(keys).to_string();
                Ok(sqlx::query_as(SELECT).bind(keys).fetch_all(&mut **transaction).await?)
            }
        }
    }

    /// Queues behind every other writer of `changes`, until the end of the transaction.
    pub async fn lock_changes(&mut self) -> Result<(), DbError> {
        if let Inner::Postgres { transaction } = &mut self.inner {
            let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK_CHANGES);
            lock.execute(&mut **transaction).await?;
        }
        Ok(())
    }

    /// Returns whether this transaction, and no other of any gateway, keeps house until it ends.
    pub async fn try_lead(&mut self) -> Result<bool, DbError> {
        match &mut self.inner {
            Inner::Postgres { transaction } => {
                let lock = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(LOCK_LEADER);
                Ok(lock.fetch_one(&mut **transaction).await?)
            }
            Inner::Sqlite { .. } => Ok(true),
        }
    }

    /// Marks a place to return to with [`Write::undo`].
    pub async fn savepoint(&mut self) -> Result<(), DbError> {
        self.raw("SAVEPOINT part").await
    }

    /// Undoes everything since [`Write::savepoint`]; the transaction can be used again.
    pub async fn undo(&mut self) -> Result<(), DbError> {
        self.raw("ROLLBACK TO SAVEPOINT part").await
    }

    pub(super) async fn raw(&mut self, sql: &'static str) -> Result<(), DbError> {
        match &mut self.inner {
            Inner::Sqlite { transaction, .. } => sqlx::raw_sql(sql).execute(&mut **transaction).await.map(drop)?,
            Inner::Postgres { transaction } => sqlx::raw_sql(sql).execute(&mut **transaction).await.map(drop)?,
        }
        Ok(())
    }
}

fn sqlite_insert(rows: &[EventRow<'_>], received_ms: i64) -> QueryBuilder<Sqlite> {
    let mut insert = QueryBuilder::new(
        "INSERT INTO events (device, stream, epoch, seq, received_ms, id, kind, boot, mono_ms, wall_ms, time_synced, data) ",
    );
    insert.push_values(rows, |mut row, event| {
        row.push_bind(event.key.device.to_owned())
            .push_bind(event.key.stream.to_owned())
            .push_bind(event.key.epoch)
            .push_bind(event.seq)
            .push_bind(received_ms)
            .push_bind(event.id)
            .push_bind(event.kind.to_owned())
            .push_bind(event.boot)
            .push_bind(event.mono_ms)
            .push_bind(event.wall_ms)
            .push_bind(event.time_synced)
            .push_bind(event.data.to_owned());
    });
    insert.push(" ON CONFLICT DO NOTHING");
    insert
}

fn names<'a>(keys: &[Key<'a>]) -> [Vec<&'a str>; 2] {
    [keys.iter().map(|key| key.device).collect(), keys.iter().map(|key| key.stream).collect()]
}

fn epochs(keys: &[Key<'_>]) -> Vec<i64> {
    keys.iter().map(|key| key.epoch).collect()
}

fn as_json(keys: &[Key<'_>]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| serde_json::json!([key.device, key.stream, key.epoch])).collect();
    serde_json::Value::Array(keys).to_string()
}

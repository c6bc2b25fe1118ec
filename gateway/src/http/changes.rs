//! Live changes, as server-sent events.
//!
//! What changes is a row with a number; one task reads new rows for everybody who follows. Each follower has a place of
//! its own in the row of numbers, so that one who reads slowly falls behind without anything being kept for it, goes on
//! where it was after a lost connection (`Last-Event-ID`), and is cut off when it does not read at all.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::unfold;
use sea_query::{Expr, ExprTrait as _, Order, Query};
use serde::Deserialize;
use sqlx::FromRow;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::auth::{Allowed, FleetRead};
use super::page::Asked;
use super::{App, Problem};
use crate::db::{Database, DbError};
use crate::ingest::wire::chain;
use crate::metrics::Metrics;

/// How often new rows are looked for.
const LOOK: Duration = Duration::from_millis(250);
/// Rows read at once.
const PAGE: u64 = 256;
/// Changes that wait for one follower.
const WAITING: usize = 256;
/// How long a follower may take none of what waits for it.
const STUCK: Duration = Duration::from_secs(10);
/// Followers that wait to be taken in.
const ARRIVING: usize = 16;

/// A change.
#[derive(Clone, Debug, FromRow)]
pub struct Row {
    id: i64,
    at_ms: i64,
    kind: String,
    device: String,
    data: String,
}

/// Someone who follows.
#[derive(Debug)]
struct Follower {
    /// The last change handed over.
    after: i64,
    rows: mpsc::Sender<Row>,
    /// Since when nothing could be handed over.
    stuck: Option<Instant>,
    _place: OwnedSemaphorePermit,
}

/// Where followers come in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Door {
    arriving: mpsc::Sender<Follower>,
    places: Arc<Semaphore>,
}

/// Serves those who follow.
#[derive(Debug)]
pub struct Hub {
    database: Database,
    metrics: Arc<Metrics>,
    arriving: mpsc::Receiver<Follower>,
    followers: Vec<Follower>,
}

impl Hub {
    /// Makes a hub for at most `places` followers, and its door.
    pub fn new(database: Database, metrics: Arc<Metrics>, places: NonZeroUsize) -> (Self, Door) {
        let (sender, arriving) = mpsc::channel(ARRIVING);
        let door = Door { arriving: sender, places: Arc::new(Semaphore::new(places.get())) };
        (Self { database, metrics, arriving, followers: Vec::new() }, door)
    }

    /// Serves until `shutdown`; then every stream ends.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; every stream ends.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(follower) = self.arriving.recv() => self.followers.push(follower),
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.serve().await {
                tracing::debug!(error = chain(&error), "changes cannot be read");
            }
            self.metrics.followers.set(i64::try_from(self.followers.len()).unwrap_or(i64::MAX));
        }
    }

    async fn serve(&mut self) -> Result<(), DbError> {
        self.followers.retain(|follower| !follower.rows.is_closed());
        // Those far behind are served a page each time, from where the last of them is.
        let Some(after) = self.followers.iter().map(|follower| follower.after).min() else { return Ok(()) };
        let rows = rows_after(&self.database, after).await?;
        let now = Instant::now();
        let metrics = &self.metrics;
        self.followers.retain_mut(|follower| {
            let stays = follower.give(&rows, now);
            if !stays {
                metrics.followers_cut.inc();
            }
            stays
        });
        Ok(())
    }
}

impl Follower {
    /// Hands over what it has not had; returns whether it stays.
    fn give(&mut self, rows: &[Row], now: Instant) -> bool {
        for row in rows {
            if row.id <= self.after {
                continue;
            }
            if self.rows.try_send(row.clone()).is_err() {
                let since = *self.stuck.get_or_insert(now);
                return now.duration_since(since) < STUCK;
            }
            self.after = row.id;
            self.stuck = None;
        }
        true
    }
}

async fn rows_after(database: &Database, after: i64) -> Result<Vec<Row>, DbError> {
    let mut select = Query::select();
    select
        .columns(["id", "at_ms", "kind", "device", "data"])
        .from("changes")
        .and_where(Expr::col("id").gt(after))
        .order_by("id", Order::Asc)
        .limit(PAGE);
    database.rows(&select).await
}

/// From where on.
#[derive(Debug, Deserialize)]
pub(super) struct From {
    after: Option<i64>,
}

pub(super) async fn get_changes(
    State(app): State<App>,
    _: Allowed<FleetRead>,
    headers: HeaderMap,
    Asked(from): Asked<From>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let busy = |detail: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many followers", detail);
    let place = Arc::clone(&app.hub.places).try_acquire_owned();
    let place = place.map_err(|_none_left| busy("every place is taken; try again later"))?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let after = match last.or(from.after) {
        Some(after) => after,
        None => newest(&app.database).await?,
    };
    let (rows, receiver) = mpsc::channel(WAITING);
    let follower = Follower { after, rows, stuck: None, _place: place };
    app.hub.arriving.try_send(follower).map_err(|_full| busy("too many come at once; try again"))?;
    let stream = unfold(receiver, async |mut receiver| {
        let row: Row = receiver.recv().await?;
        let data = format!(r#"{{"at_ms":{},"device":"{}","data":{}}}"#, row.at_ms, row.device, row.data);
        Some((Ok(Event::default().id(row.id.to_string()).event(row.kind).data(data)), receiver))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

async fn newest(database: &Database) -> Result<i64, DbError> {
    let mut select = Query::select();
    select.column("id").from("changes").order_by("id", Order::Desc).limit(1);
    Ok(database.row::<(i64,)>(&select).await?.map_or(0, |(id,)| id))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use tokio::sync::{Semaphore, mpsc};

    use super::{Follower, Row, STUCK, WAITING};

    fn row(id: i64) -> Row {
        Row { id, at_ms: 0, kind: "presence".to_owned(), device: "box-1".to_owned(), data: "{}".to_owned() }
    }

    #[test]
    fn a_follower_gets_each_change_once_falls_behind_without_loss_and_is_cut_when_it_never_reads() {
        let (rows, mut receiver) = mpsc::channel(WAITING);
        let room = i64::try_from(WAITING).unwrap();
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let mut follower = Follower { after: 2, rows, stuck: None, _place: place };
        let all: Vec<Row> = (1..=room + 10).map(row).collect();
        let now = Instant::now();
        assert!(follower.give(&all, now));
        assert_eq!(follower.after, room + 2);
        assert_eq!(receiver.try_recv().unwrap().id, 3);
        assert!(follower.give(&all, now + STUCK / 2), "one was taken, so one more is given");
        assert_eq!(follower.after, room + 3);
        assert!(follower.give(&all, now + STUCK));
        assert!(!follower.give(&all, now + STUCK * 2));
    }
}

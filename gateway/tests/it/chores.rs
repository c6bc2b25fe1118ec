//! Chores on both databases: days of tables, retention, commands that nobody answers.

use std::time::Duration;

use gateway::config::Retention;
use gateway::db::Database;
use gateway::housekeeping;
use gateway::ingest::commit::store;
use protocol::{EventBatch, Stream, Topic, encode};
use sea_query::{Expr, Query};

use crate::devices::{batch, id, received_on};
use crate::servers::{Postgres, on_both, open};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const NOW: i64 = 20_777 * DAY_MS + 1_000;

async fn keep(database: &Database, stream: Stream, from: u64, now_ms: i64) {
    let batch = EventBatch { stream, ..batch("box-1", from, from + 4) };
    let topic = Topic::Up { device: id("box-1"), stream }.to_string();
    let message = received_on(&topic, encode(&batch).unwrap());
    assert_eq!(store(database, &[message], now_ms).await.unwrap().counts.stored, 5);
}

async fn events(database: &Database, stream: Stream) -> i64 {
    let mut select = Query::select();
    select.expr(Expr::cust("count(*)")).from("events").and_where(Expr::cust(format!("stream = '{stream}'")));
    database.row::<(i64,)>(&select).await.unwrap().unwrap().0
}

#[tokio::test]
async fn old_events_go_by_their_half_and_a_number_that_is_gone_is_not_stored_again() {
    on_both("chores", |db| async move {
        let retention = Retention {
            records: Duration::from_hours(100 * 24),
            diagnostics: Duration::from_hours(48),
            ..Retention::default()
        };
        housekeeping::once(&db, &retention, NOW).await.unwrap();
        for (ahead, from) in [(0, 1), (1, 6), (2, 11)] {
            keep(&db, Stream::Calls, from, NOW + ahead * DAY_MS).await;
            keep(&db, Stream::Logs, from, NOW + ahead * DAY_MS).await;
        }
        let count = async || (events(&db, Stream::Calls).await, events(&db, Stream::Logs).await);
        housekeeping::once(&db, &retention, NOW + DAY_MS).await.unwrap();
        assert_eq!(count().await, (15, 15));
        housekeeping::once(&db, &retention, NOW + 4 * DAY_MS).await.unwrap();
        let (calls, logs) = count().await;
        assert!(calls == 15 && (5..=10).contains(&logs), "{calls} calls, {logs} logs");
        housekeeping::once(&db, &retention, NOW + 102 * DAY_MS).await.unwrap();
        let (calls, logs) = count().await;
        assert!(calls <= 10 && logs == 0, "{calls} calls, {logs} logs");
        // The stream's row knows what was stored, whichever day it was in.
        let topic = Topic::Up { device: id("box-1"), stream: Stream::Calls }.to_string();
        let again = received_on(&topic, encode(&batch("box-1", 1, 15)).unwrap());
        let done = store(&db, &[again], NOW + 102 * DAY_MS).await.unwrap();
        assert_eq!((done.counts.stored, done.counts.duplicates, done.counts.quarantined), (0, 15, 0));
    })
    .await;
}

#[tokio::test]
async fn an_event_of_a_day_without_a_table_is_stored_all_the_same() {
    on_both("no_table", |db| async move {
        keep(&db, Stream::Calls, 1, NOW + 5_000 * DAY_MS).await;
        keep(&db, Stream::Calls, 6, NOW + 5_000 * DAY_MS).await;
        assert_eq!(events(&db, Stream::Calls).await, 10);
        // A day that has rows in the default cannot be made any more, and nothing stops because of it.
        housekeeping::once(&db, &Retention::default(), NOW + 5_000 * DAY_MS).await.unwrap();
        keep(&db, Stream::Calls, 11, NOW + 5_000 * DAY_MS).await;
    })
    .await;
}

#[tokio::test]
async fn a_command_nobody_took_up_is_closed_and_is_to_be_cleared() {
    on_both("unanswered", |db| async move {
        keep(&db, Stream::Calls, 1, NOW).await;
        db.run(
            "INSERT INTO commands (device, id, kind, args, state, issued_ms, issued_by, expires_ms, changed_ms, published)
             VALUES ('box-1', 'c-1', 'restart', '{}', 'requested', 0, 'test', 1000, 0, true),
                    ('box-1', 'c-2', 'restart', '{}', 'running', 0, 'test', 1000, 0, true)",
        )
        .await
        .unwrap();
        housekeeping::once(&db, &Retention::default(), NOW).await.unwrap();
        let mut select = Query::select();
        select.columns(["state", "published"]).from("commands").order_by("id", sea_query::Order::Asc);
        let states: Vec<(String, bool)> = db.rows(&select).await.unwrap();
        assert_eq!(states, [("unanswered".to_owned(), false), ("running".to_owned(), true)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_start_at_once_make_the_days_once() {
    let postgres = Postgres::start();
    let url = postgres.database("days");
    let make = async |database: Database, round: i64| {
        let mut write = database.write().await.unwrap();
        write.make_days(NOW + round * 10 * DAY_MS).await.unwrap();
        write.commit().await.unwrap();
    };
    let (one, two) = tokio::join!(open(&url), open(&url));
    for round in 0..10 {
        tokio::join!(make(one.clone(), round), make(two.clone(), round));
    }
    let mut select = Query::select();
    select.expr(Expr::cust("count(*)")).from("pg_inherits");
    // Four days of two halves each, the two halves, and what each has for other days.
    let expected = 10 * 4 * 2;
    let tables = one.row::<(i64,)>(&select).await.unwrap().unwrap().0;
    assert!(tables >= expected, "{tables}");
}

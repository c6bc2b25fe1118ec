//! What a transaction makes of messages, on both databases.

use std::collections::{BTreeMap, BTreeSet};

use gateway::db::Database;
use gateway::fleet::control;
use gateway::fleet::store::all_gone;
use gateway::ingest::commit::{Counts, Outcome, Received, store};
use protocol::{CommandId, EventBatch, Presence, Reported, SeqRange, Skipped, Topic, Watermark, decode, encode};
use sea_query::{Expr, ExprTrait as _, Query};

use crate::devices::{batch, event, id, received, received_on};
use crate::servers::on_both;

const NOW: i64 = 1_790_000_000_000;

async fn keep(database: &Database, messages: Vec<Received>) -> Outcome {
    store(database, &messages, NOW).await.unwrap()
}

fn payload(batch: &EventBatch) -> Vec<u8> {
    encode(batch).unwrap()
}

async fn stored(database: &Database) -> Vec<i64> {
    let mut select = Query::select();
    select.column("seq").from("events").order_by("seq", sea_query::Order::Asc);
    database.rows::<(i64,)>(&select).await.unwrap().into_iter().map(|(seq,)| seq).collect()
}

async fn count(database: &Database, table: &'static str) -> i64 {
    let mut select = Query::select();
    select.expr(Expr::cust("count(*)")).from(table);
    database.row::<(i64,)>(&select).await.unwrap().unwrap().0
}

fn watermark(outcome: &Outcome) -> u64 {
    outcome.watermarks.iter().map(|watermark| watermark.through).next().unwrap()
}

#[tokio::test]
async fn batches_are_stored_once_in_any_order_and_the_watermark_waits_for_the_hole() {
    on_both("in_any_order", |db| async move {
        let done = keep(&db, vec![received("box-1", payload(&batch("box-1", 4, 6)))]).await;
        assert_eq!((watermark(&done), done.counts.stored), (0, 3));
        let done = keep(&db, vec![received("box-1", payload(&batch("box-1", 1, 3)))]).await;
        assert_eq!((watermark(&done), done.counts.stored), (6, 3));
        let done = keep(&db, vec![received("box-1", payload(&batch("box-1", 1, 7)))]).await;
        assert_eq!((watermark(&done), done.counts), (7, Counts { stored: 1, duplicates: 6, ..Counts::default() }));
        assert_eq!(stored(&db).await, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(count(&db, "quarantine").await, 0);
    })
    .await;
}

#[tokio::test]
async fn every_watermark_stands_for_a_broker_without_memory_however_many_there_are() {
    on_both("standing", |db| async move {
        let names: BTreeSet<String> = (0..600).map(|n| format!("box-{n}")).collect();
        keep(&db, names.iter().map(|name| received(name, payload(&batch(name, 1, 2)))).collect()).await;
        // A later outbox of one device takes the place of the one before.
        let later = EventBatch { epoch: 8, ..batch("box-7", 1, 1) };
        keep(&db, vec![received("box-7", payload(&later))]).await;
        let mut standing = BTreeMap::new();
        for (topic, payload) in control::documents(&db, NOW).await.unwrap() {
            let topic: Topic = topic.parse().unwrap();
            let mark: Watermark = decode(&topic, &payload).unwrap();
            standing.insert(topic.device().to_string(), (mark.epoch, mark.through));
        }
        assert_eq!(standing.remove("box-7"), Some((8, 1)));
        assert_eq!((standing.len(), standing.values().all(|mark| *mark == (7, 2))), (599, true));
    })
    .await;
}

#[tokio::test]
async fn many_devices_go_into_one_transaction_and_none_holds_up_another() {
    on_both("many_devices", |db| async move {
        let mut messages = Vec::new();
        for n in 0..40 {
            let name = format!("box-{n}");
            messages.push(received(&name, payload(&batch(&name, 1, 70))));
        }
        messages.insert(7, received("box-bad", b"{\"v\":1,".to_vec()));
        messages.insert(9, received("box-bad", payload(&batch("box-1", 1, 1))));
        messages.insert(11, received("box-bad", b"{\"v\":2,\"events\":[]}".to_vec()));
        messages.insert(13, received("box-bad", vec![b'{'; 1024 * 1024]));
        messages.insert(15, received_on("kolbox/v1/BOX/up/calls", b"x".to_vec()));
        let done = keep(&db, messages).await;
        assert_eq!((done.counts.stored, done.counts.quarantined), (2_800, 5));
        assert_eq!(done.watermarks.len(), 40);
        assert!(done.watermarks.iter().all(|watermark| watermark.through == 70));
        assert_eq!((count(&db, "quarantine").await, count(&db, "streams").await), (5, 40));
    })
    .await;
}

#[tokio::test]
async fn a_number_used_for_another_event_is_set_aside_and_the_first_stays() {
    on_both("another_event", |db| async move {
        keep(&db, vec![received("box-1", payload(&batch("box-1", 1, 3)))]).await;
        let mut other = batch("box-1", 2, 4);
        other.events[0] = event(2, 9);
        let done = keep(&db, vec![received("box-1", payload(&other))]).await;
        assert_eq!((watermark(&done), done.counts.quarantined, done.counts.duplicates), (4, 1, 1));
        let mut select = Query::select();
        select.column("id").from("events").and_where(Expr::col("seq").eq(2));
        let (kept,): (uuid::Uuid,) = db.row(&select).await.unwrap().unwrap();
        assert_eq!(kept.as_bytes(), event(2, 0).id.as_bytes());
    })
    .await;
}

#[tokio::test]
async fn poison_is_set_aside_and_an_announced_gap_is_a_loss() {
    on_both("poison", |db| async move {
        let mut json = serde_json::to_value(batch("box-1", 1, 5)).unwrap();
        json["events"][2]["kind"] = "NOT A WORD".into();
        let done = keep(&db, vec![received("box-1", serde_json::to_vec(&json).unwrap())]).await;
        assert_eq!((watermark(&done), done.counts.stored, done.counts.quarantined, done.counts.lost), (5, 4, 1, 1));
        let again = keep(&db, vec![received("box-1", serde_json::to_vec(&json).unwrap())]).await;
        assert_eq!((again.counts.quarantined, again.counts.lost, again.counts.duplicates), (0, 0, 5));
        let mut gap = batch("box-1", 11, 11);
        gap.skipped.push(Skipped::new(SeqRange { from: 6, to: 10 }, Skipped::CAP));
        let done = keep(&db, vec![received("box-1", payload(&gap))]).await;
        assert_eq!((watermark(&done), done.counts.lost), (11, 5));
        assert_eq!((count(&db, "losses").await, count(&db, "quarantine").await), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn a_new_outbox_starts_at_one_again() {
    on_both("new_outbox", |db| async move {
        keep(&db, vec![received("box-1", payload(&batch("box-1", 1, 3)))]).await;
        let mut fresh = batch("box-1", 1, 2);
        fresh.epoch = 8;
        let done = keep(&db, vec![received("box-1", payload(&fresh))]).await;
        assert_eq!((watermark(&done), done.watermarks[0].epoch, done.counts.stored), (2, 8, 2));
        assert_eq!(count(&db, "streams").await, 2);
    })
    .await;
}

#[tokio::test]
async fn what_the_database_refuses_is_set_aside_alone_and_its_numbers_are_passed_over() {
    on_both("refused", |db| async move {
        // Nothing a device sends gets this far; a trigger stands for what nobody has thought of.
        db.run(if db.is_shared() {
            "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN
               IF NEW.seq = 13 THEN RAISE EXCEPTION USING ERRCODE = '22000'; END IF; RETURN NEW; END $$ LANGUAGE plpgsql;
             CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()"
        } else {
            "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.seq = 13
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        })
        .await
        .unwrap();
        let mut messages = Vec::new();
        for from in (1..=29).step_by(4) {
            messages.push(received("box-1", payload(&batch("box-1", from, from + 3))));
        }
        let done = keep(&db, messages).await;
        assert_eq!(done.counts.stored, 28);
        assert_eq!((done.counts.quarantined, done.counts.lost), (1, 4));
        assert_eq!(done.watermarks.iter().map(|watermark| watermark.through).max(), Some(32));
        assert!(!stored(&db).await.contains(&13));
    })
    .await;
}

#[tokio::test]
async fn devices_come_and_go_and_stale_wills_are_ignored() {
    on_both("come_and_go", |db| async move {
        let say = |presence: &Presence| {
            received_on(&Topic::Presence { device: presence.device.clone() }.to_string(), encode(presence).unwrap())
        };
        let birth = |connected| Presence::birth(id("box-1"), 5, connected);
        let done = keep(&db, vec![say(&birth(1)), say(&birth(2)), say(&birth(1).will())]).await;
        assert_eq!(done.counts.changes, 2);
        let mut reported = Reported::new(5, 1);
        reported.board = Some("Raspberry Pi 5".to_owned());
        let topic = Topic::Reported { device: id("box-1") }.to_string();
        let done = keep(&db, vec![received_on(&topic, encode(&reported).unwrap())]).await;
        assert_eq!(done.counts.changes, 1);
        let mut select = Query::select();
        select.columns(["online", "reported"]).from("devices");
        let (online, report): (bool, String) = db.row(&select).await.unwrap().unwrap();
        assert!(online && report.contains("Raspberry Pi 5"));
        assert_eq!(count(&db, "changes").await, 3);
        keep(&db, vec![say(&birth(2).will())]).await;
        let (online, _): (bool, String) = db.row(&select).await.unwrap().unwrap();
        assert!(!online);
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_took_the_wills_along_leaves_nobody_connected_until_the_next_birth() {
    on_both("all_gone", |db| async move {
        let say = |presence: &Presence| {
            received_on(&Topic::Presence { device: presence.device.clone() }.to_string(), encode(presence).unwrap())
        };
        let birth = |name: &str, connected| Presence::birth(id(name), 5, connected);
        keep(&db, vec![say(&birth("box-1", 1)), say(&birth("box-2", 1)), say(&birth("box-2", 1).will())]).await;
        let mut write = db.write().await.unwrap();
        assert_eq!(all_gone(&mut write, NOW).await.unwrap(), 1);
        assert_eq!(all_gone(&mut write, NOW).await.unwrap(), 0);
        write.commit().await.unwrap();
        let mut select = Query::select();
        select.columns(["id", "online"]).from("devices").order_by("id", sea_query::Order::Asc);
        let of = |name: &str, online| (name.to_owned(), online);
        assert_eq!(db.rows::<(String, bool)>(&select).await.unwrap(), [of("box-1", false), of("box-2", false)]);
        assert_eq!(count(&db, "changes").await, 4);
        keep(&db, vec![say(&birth("box-1", 2))]).await;
        assert_eq!(db.rows::<(String, bool)>(&select).await.unwrap(), [of("box-1", true), of("box-2", false)]);
    })
    .await;
}

#[tokio::test]
async fn a_status_of_a_command_nobody_gave_is_ignored() {
    on_both("nobody_gave", |db| async move {
        let command: CommandId = "c-1".parse().unwrap();
        let status = protocol::CommandStatus::new(command.clone(), protocol::CommandState::Accepted);
        let topic = Topic::CommandStatus { device: id("box-1"), command }.to_string();
        let done = keep(&db, vec![received_on(&topic, encode(&status).unwrap())]).await;
        assert_eq!(done.counts, Counts::default());
    })
    .await;
}

#[tokio::test]
async fn transactions_at_once_on_the_same_streams_all_get_through() {
    on_both("at_once", |db| async move {
        let mut tasks = tokio::task::JoinSet::new();
        for worker in 0..6_u64 {
            let db = db.clone();
            tasks.spawn(async move {
                for round in 0..10_u64 {
                    let messages = (0..5)
                        .map(|n| {
                            // Each worker has its own part of the numbers, and devices in an order of its own.
                            let name = format!("box-{}", (n + worker) % 5);
                            let from = 1 + round * 60 + worker * 10;
                            received(&name, payload(&batch(&name, from, from + 9)))
                        })
                        .collect();
                    keep_retrying(&db, messages).await;
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let mut select = Query::select();
        select.column("watermark").from("streams");
        let watermarks: Vec<(i64,)> = db.rows(&select).await.unwrap();
        assert_eq!(watermarks, [(600,); 5]);
        assert_eq!(count(&db, "events").await, 3_000);
    })
    .await;
}

async fn keep_retrying(database: &Database, messages: Vec<Received>) {
    // A deadlock between first appearances of streams is broken by the database and tried again.
    for _ in 0..20 {
        match store(database, &messages, NOW).await {
            Ok(_) => return,
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
    }
    panic!("never got through");
}

//! A few dozen devices of each behaviour: everything is stored once, and what cannot be is set aside.

use std::sync::Arc;
use std::time::Duration;

use protocol::Stream;
use sea_query::{Expr, ExprTrait as _, Query};
use sim::behaviour::{Behaviour, Clock, Group, Script};
use sim::fleet::{Fleet, FleetConfig, outbox_config};
use sim::tally::Figures;
use sim::tls::{DeviceTls, TlsFiles, TrialAuthority};
use sim::wire::{Order, Wiring};

use crate::gateway::{SOON, Servers};

/// Starts devices of one behaviour.
fn fleet(servers: &Servers, name: &str, devices: u32, behaviour: Behaviour) -> Fleet {
    fleet_at(&servers.mosquitto.url(), None, name, devices, behaviour)
}

/// Starts devices of one behaviour at a certain door of the broker.
fn fleet_at(broker: &str, tls: Option<Arc<DeviceTls>>, name: &str, devices: u32, behaviour: Behaviour) -> Fleet {
    let script = Script { group: vec![Group { name: name.parse().unwrap(), devices, behaviour }] };
    script.check().unwrap();
    let mut outbox = outbox_config();
    // What a gateway or a broker has lost is sent again within the test.
    outbox.resend_after = Duration::from_secs(2);
    let wiring = Wiring {
        broker: broker.parse().unwrap(),
        credentials: None,
        keep_alive: Duration::from_secs(30),
        session_expiry: Duration::from_mins(1),
        will_delay: Duration::ZERO,
        max_unanswered: outbox.max_unanswered,
    };
    let config =
        FleetConfig { script, wiring, tls, seed: 5, wall_ms: 1_790_000_000_000, connects_per_second: 500.0, outbox };
    Fleet::start(&config).unwrap()
}

/// Lets a fleet live until `is_enough`, then waits until all of it is stored and checks that it is, once.
async fn lived(servers: &Servers, fleet: &Fleet, is_enough: impl Fn(&Figures) -> bool) -> Figures {
    let came = fleet.wait_until(SOON, is_enough).await;
    assert!(came, "{:?}", fleet.figures());
    fleet.tell(Order::Rest);
    let settled = fleet.wait_until(SOON, |figures| figures.waiting() == 0).await;
    let figures = fleet.figures();
    assert!(settled, "{figures:?}");
    assert_eq!(figures.made, figures.stored + figures.passed);
    assert_eq!(figures.unreadable, 0);
    let lost = Query::select().expr(Expr::cust("coalesce(sum(to_seq - from_seq + 1), 0)")).from("losses").take();
    assert_eq!(servers.count("events").await + servers.number(&lost).await, figures.made);
    figures
}

/// The numbers of each stream are there without a gap, from 1 on.
async fn assert_no_gaps(servers: &Servers) {
    let rows = Query::select()
        .expr(Expr::cust("count(*)"))
        .from("streams")
        .and_where(Expr::cust("watermark <> max_seq OR ahead <> ''"))
        .take();
    assert_eq!(servers.number(&rows).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steady_devices_are_online_reported_and_stored() {
    let servers = Servers::start().await;
    let behaviour = Behaviour { rate: 5.0, burst: 2, streams: Stream::ALL.to_vec(), ..Behaviour::default() };
    let fleet = fleet(&servers, "steady", 40, behaviour);
    let figures = lived(&servers, &fleet, |figures| figures.stored >= 400).await;
    assert_eq!((figures.connected, figures.sent_again, figures.passed), (40, 0, 0));
    let online =
        Query::select().expr(Expr::cust("count(*)")).from("devices").and_where(Expr::col("online").eq(true)).take();
    servers.wait_for(&online, |online| online == 40).await;
    assert_no_gaps(&servers).await;
    assert_eq!(fleet.close().await, 0);
    servers.wait_for(&online, |online| online == 0).await;
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flapping_devices_resume_and_lose_nothing() {
    let servers = Servers::start().await;
    let behaviour = Behaviour {
        rate: 20.0,
        flap_up: Some(Duration::from_millis(300)),
        flap_down: Duration::from_millis(50),
        ..Behaviour::default()
    };
    let fleet = fleet(&servers, "flapping", 30, behaviour);
    let figures = lived(&servers, &fleet, |figures| figures.connects >= 60 && figures.stored >= 300).await;
    assert!(figures.connects > figures.connected, "{figures:?}");
    assert_no_gaps(&servers).await;
    fleet.close().await;
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_without_the_time_are_stored_as_such() {
    let servers = Servers::start().await;
    let behaviour = Behaviour { rate: 10.0, clock: Clock::Past, ..Behaviour::default() };
    let fleet = fleet(&servers, "past", 30, behaviour);
    let figures = lived(&servers, &fleet, |figures| figures.stored >= 200).await;
    let unsynced = Query::select()
        .expr(Expr::cust("count(*)"))
        .from("events")
        .and_where(Expr::cust("NOT time_synced AND wall_ms < 1790000000000"))
        .take();
    assert_eq!(servers.number(&unsynced).await, figures.made);
    fleet.close().await;
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_twice_is_stored_once() {
    let servers = Servers::start().await;
    let behaviour = Behaviour { rate: 10.0, burst: 2, repeat: 0.5, ..Behaviour::default() };
    let fleet = fleet(&servers, "twice", 30, behaviour);
    let figures = lived(&servers, &fleet, |figures| figures.repeated >= 100).await;
    let duplicates = Query::select().expr(Expr::cust("coalesce(sum(duplicates), 0)")).from("streams").take();
    // A repetition that the broker took just before the end may be under way still.
    servers.wait_for(&duplicates, |duplicates| duplicates >= figures.repeated).await;
    assert_eq!(servers.count("events").await, figures.made);
    fleet.close().await;
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_are_stored_or_announced() {
    let servers = Servers::start().await;
    let behaviour = Behaviour {
        rate: 1.0,
        streams: vec![Stream::Calls, Stream::Logs],
        flood_every: Some(Duration::from_millis(700)),
        flood_events: 250,
        outbox: 100,
        ..Behaviour::default()
    };
    let fleet = fleet(&servers, "flood", 24, behaviour);
    let enough = |figures: &Figures| figures.dropped > 500 && figures.stalled > 500;
    let figures = lived(&servers, &fleet, enough).await;
    assert!(figures.passed > 0, "{figures:?}");
    assert_no_gaps(&servers).await;
    fleet.close().await;
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_payloads_are_set_aside_and_hold_up_nobody() {
    let servers = Servers::start().await;
    let behaviour = Behaviour { rate: 5.0, bad_every: Some(Duration::from_millis(500)), ..Behaviour::default() };
    let fleet = fleet(&servers, "bad", 30, behaviour);
    let enough = |figures: &Figures| figures.spoilt.iter().all(|count| *count >= 3) && figures.stored >= 100;
    lived(&servers, &fleet, enough).await;
    let quarantined = Query::select().expr(Expr::cust("count(*)")).from("quarantine").take();
    servers.wait_for(&quarantined, |quarantined| quarantined >= fleet.figures().all_spoilt()).await;
    assert_eq!(servers.count("quarantine").await, fleet.figures().all_spoilt());
    assert_eq!(fleet.figures().connects, 30, "nobody was thrown out");
    fleet.close().await;
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_forgets_everything_gets_it_again() {
    let mut servers = Servers::start().await;
    let fleet = fleet(&servers, "again", 30, Behaviour { rate: 10.0, ..Behaviour::default() });
    assert!(fleet.wait_until(SOON, |figures| figures.stored >= 100).await);
    servers.mosquitto.kill().unwrap();
    assert!(fleet.wait_until(SOON, |figures| figures.connected == 0).await);
    servers.mosquitto.start_again().unwrap();
    let figures = lived(&servers, &fleet, |figures| figures.connected == 30).await;
    assert!(figures.connects >= 60, "{figures:?}");
    assert_no_gaps(&servers).await;
    fleet.close().await;
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_with_certificates_come_through_tls_under_their_own_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let authority = TrialAuthority::new().unwrap();
    let server = authority.server("127.0.0.1").unwrap();
    std::fs::write(at("authority.pem"), authority.certificate()).unwrap();
    std::fs::write(at("authority.key"), authority.key()).unwrap();
    std::fs::write(at("server.pem"), server.certificate).unwrap();
    std::fs::write(at("server.key"), server.key).unwrap();
    let port = rig::free_port().unwrap();
    let shown = |name: &str| at(name).display().to_string();
    let door = format!(
        "listener {port} 127.0.0.1\ncertfile {}\nkeyfile {}\ncafile {}\nrequire_certificate true\n\
         use_identity_as_username true\nuse_username_as_clientid true\n",
        shown("server.pem"),
        shown("server.key"),
        shown("authority.pem")
    );
    let servers = Servers::start_with(&door).await;
    let files =
        TlsFiles { brokers: at("authority.pem"), devices: at("authority.pem"), devices_key: at("authority.key") };
    let tls = Arc::new(DeviceTls::new(&files).unwrap());
    let broker = format!("mqtts://127.0.0.1:{port}");
    let fleet = fleet_at(&broker, Some(tls), "tls", 20, Behaviour { rate: 10.0, ..Behaviour::default() });
    let figures = lived(&servers, &fleet, |figures| figures.stored >= 100).await;
    assert_eq!((figures.connected, figures.connects), (20, 20));
    fleet.close().await;
    servers.stop().await;
}

//! The whole box, a real broker and the gateway's program: what happens in the office is in the gateway's database once,
//! and what is wished there happens in the office.

use appliance::logging::Tap;
use e2e::{BoxOptions, Cloud, PhraseBook, TestBox, wait_until};
use http::Method;
use protocol::Stream;
use rig::Mosquitto;
use serde_json::Value;
use store::{CallOutcome, Store, StoreConfig};
use testcall::{CallReport, CallScript, Step};
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt as _;
use units::Language;

const NAME: &str = "dana levy";
const REASON: &str = "about a flat for rent";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_leaves_arrives_in_order_and_leaves_the_outbox() {
    let mosquitto = Mosquitto::start().unwrap();
    let cloud = Cloud::on(&mosquitto).unwrap();
    let target = start(&cloud).await;
    let report = target.call(&conversation()).await.unwrap();
    wait_until_over(&target, &report).await;
    wait_until_told(&target, &cloud).await;
    check_call(&cloud).await;
    check_outbox_is_empty(target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_away_during_a_call_has_all_of_it_once_when_it_is_back() {
    let mosquitto = Mosquitto::start().unwrap();
    let mut cloud = Cloud::on(&mosquitto).unwrap();
    let target = start(&cloud).await;
    cloud.wait("", |device| device["online"] == true).await.unwrap();
    cloud.gateway.kill().unwrap();
    let report = target.call(&conversation()).await.unwrap();
    wait_until_over(&target, &report).await;
    let calls = target.store().unwrap().outbox_heads().into_iter().find(|head| head.stream == Stream::Calls).unwrap();
    assert!(calls.through == 0 && calls.next > 4, "{calls:?} waits");
    cloud.start_again().unwrap();
    wait_until_told(&target, &cloud).await;
    check_call(&cloud).await;
    check_outbox_is_empty(target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wished_log_level_is_in_force_and_reported_as_applied() {
    let mosquitto = Mosquitto::start().unwrap();
    let cloud = Cloud::on(&mosquitto).unwrap();
    let (tap, lines) = Tap::new();
    let log = Dispatch::new(tracing_subscriber::registry().with(tap));
    let options = BoxOptions::default().configured(cloud.connected()).logged(lines);
    let target = TestBox::start(options).await.unwrap();
    cloud.wait("", |device| device["online"] == true).await.unwrap();
    let say = |what: &str| {
        tracing::dispatcher::with_default(&log, || tracing::debug!(target: "appliance::test", "{what}"));
    };
    say("before the wish");
    cloud.wish(0, "debug").await.unwrap();
    let device = cloud.wait("", |device| device["desired_version_applied"] == 1).await.unwrap();
    assert_eq!(device["reported"]["desired_version_applied"], 1);
    say("after the wish");
    let told = |events: Value| -> Vec<String> {
        let items = events["items"].as_array().cloned().unwrap_or_default();
        items.iter().filter_map(|event| Some(event["data"]["message"].as_str()?.to_owned())).collect()
    };
    let path = "/events?stream=logs";
    let logs = cloud.wait(path, |events| told(events.clone()).contains(&"after the wish".to_owned())).await.unwrap();
    assert!(!told(logs).contains(&"before the wish".to_owned()));
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_carried_out_once_and_say_what_came_of_them() {
    let mosquitto = Mosquitto::start().unwrap();
    let cloud = Cloud::on(&mosquitto).unwrap();
    let (tap, lines) = Tap::new();
    let log = Dispatch::new(tracing_subscriber::registry().with(tap));
    let target = TestBox::start(options(&cloud).logged(lines)).await.unwrap();
    cloud.wait("", |device| device["online"] == true).await.unwrap();

    cloud.command("doctor-1", "doctor", "1h").await.unwrap();
    let found = cloud.outcome("doctor-1", "succeeded").await.unwrap();
    assert!(found.starts_with("go: ") || found.starts_with("no go: "), "{found}");
    assert!(found.contains("ok    strangers are refused"), "{found}");

    tracing::dispatcher::with_default(&log, || tracing::info!(target: "appliance::test", "a line to be fetched"));
    cloud.command("logs-1", "fetch_logs", "1h").await.unwrap();
    let lines = cloud.outcome("logs-1", "succeeded").await.unwrap();
    assert!(lines.ends_with(" lines") && lines != "0 lines", "{lines}");
    let fetched = |events: &Value| events.to_string().contains("a line to be fetched");
    cloud.wait("/events?stream=logs", fetched).await.unwrap();

    cloud.command("call-1", "place_test_call", "1h").await.unwrap();
    let heard = cloud.outcome("call-1", "succeeded").await.unwrap();
    let call = heard.strip_prefix("call ").and_then(|rest| rest.split(':').next()).unwrap();
    let ended = |events: &Value| {
        let items = events["items"].as_array().cloned().unwrap_or_default();
        items.iter().any(|event| event["kind"] == "call.ended" && event["data"]["call"] == call)
    };
    cloud.wait("/events?stream=calls", ended).await.unwrap();

    cloud.command("key-1", "rotate_key", "1h").await.unwrap();
    let reason = cloud.outcome("key-1", "rejected").await.unwrap();
    assert!(reason.contains("sync.key"), "{reason}");

    cloud.command("restart-1", "restart", "1h").await.unwrap();
    cloud.outcome("restart-1", "running").await.unwrap();
    let folder = target.stop().await.unwrap();
    let target = TestBox::start(options(&cloud).on(folder)).await.unwrap();
    assert_eq!(cloud.outcome("restart-1", "succeeded").await.unwrap(), "started again");
    // It is not begun again by the run that it began.
    cloud.command("logs-2", "fetch_logs", "1h").await.unwrap();
    cloud.outcome("logs-2", "succeeded").await.unwrap();
    assert!(!target.parts.shutdown.is_cancelled());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_came_too_late_is_not_carried_out() {
    let mosquitto = Mosquitto::start().unwrap();
    let cloud = Cloud::on(&mosquitto).unwrap();
    let target = start(&cloud).await;
    cloud.wait("", |device| device["online"] == true).await.unwrap();
    let folder = target.stop().await.unwrap();
    cloud.command("late", "fetch_logs", "5s").await.unwrap();
    cloud.outcome("late", "unanswered").await.unwrap();
    let target = TestBox::start(options(&cloud).on(folder)).await.unwrap();
    cloud.command("in-time", "fetch_logs", "1h").await.unwrap();
    cloud.outcome("in-time", "succeeded").await.unwrap();
    let (_, late) = cloud.ask(Method::GET, "/commands/late", None).await.unwrap();
    assert!(["unanswered", "expired"].iter().any(|state| late["state"] == *state), "{late}");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_its_own_broker_knows_after_a_restart_what_stood_there_before() {
    let mut cloud = Cloud::embedded().unwrap();
    let target = start(&cloud).await;
    let report = target.call(&conversation()).await.unwrap();
    wait_until_over(&target, &report).await;
    wait_until_told(&target, &cloud).await;
    let folder = target.stop().await.unwrap();
    cloud.wish(0, "info").await.unwrap();
    cloud.command("doctor-1", "doctor", "1h").await.unwrap();
    // The broker kept all of it in memory.
    cloud.gateway.stop().unwrap();
    cloud.start_again().unwrap();
    let target = TestBox::start(options(&cloud).on(folder)).await.unwrap();
    cloud.wait("", |device| device["desired_version_applied"] == 1).await.unwrap();
    cloud.outcome("doctor-1", "succeeded").await.unwrap();
    let report = target.call(&CallScript::of([Step::wait_for_agent()])).await.unwrap();
    wait_until_over(&target, &report).await;
    wait_until_told(&target, &cloud).await;
    let (_, streams) = cloud.ask(Method::GET, "/streams", None).await.unwrap();
    let calls = streams.as_array().unwrap().iter().find(|row| row["stream"] == "calls").unwrap();
    assert_eq!(calls["duplicates"], 0, "what was acknowledged before was not sent again: {calls}");
    check_outbox_is_empty(target).await;
}

fn options(cloud: &Cloud) -> BoxOptions {
    BoxOptions::understanding(&PhraseBook::new(&[NAME, REASON])).configured(cloud.connected())
}

async fn start(cloud: &Cloud) -> TestBox {
    TestBox::start(options(cloud)).await.unwrap()
}

fn conversation() -> CallScript {
    CallScript::of([
        Step::wait_for_agent(),
        Step::say(NAME, Language::English),
        Step::wait_for_agent(),
        Step::say(REASON, Language::English),
        Step::wait_end(),
    ])
}

/// Waits until what a call leaves is in the box's store: all of it is committed before the call counts as over.
async fn wait_until_over(target: &TestBox, report: &CallReport) {
    let call = report.call_sid.parse().unwrap();
    wait_until("the end of the call", async || {
        let record = target.record(&call).ok()??;
        (record.outcome != CallOutcome::InProgress && target.parts.tasks.is_empty()).then_some(())
    })
    .await
    .unwrap();
}

/// Waits until the gateway says that it has everything of the streams that never drop anything.
async fn wait_until_told(target: &TestBox, cloud: &Cloud) {
    for head in target.store().unwrap().outbox_heads().into_iter().filter(|head| !head.stream.may_drop()) {
        let is_told = |streams: &Value| {
            let mut rows = streams.as_array().into_iter().flatten();
            rows.any(|row| row["stream"] == head.stream.as_str() && row["watermark"] == head.next - 1)
        };
        cloud.wait("/streams", is_told).await.unwrap();
    }
}

/// Checks that the gateway has one whole conversation.
async fn check_call(cloud: &Cloud) {
    let calls = cloud.events("calls").await.unwrap();
    let seqs: Vec<u64> = calls.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=u64::try_from(calls.len()).unwrap()).collect::<Vec<_>>());
    let kinds: Vec<&str> = calls.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"call.started"), Some(&"call.ended")));
    assert!(kinds.iter().filter(|kind| **kind == "call.turn").count() >= 3, "{kinds:?}");
    let said: Vec<&str> = calls.iter().filter_map(|event| event["data"]["caller"].as_str()).collect();
    assert!(said.contains(&NAME) && said.contains(&REASON), "{said:?}");
    let leads = cloud.events("leads").await.unwrap();
    assert_eq!(leads.iter().map(|event| event["kind"].as_str().unwrap()).collect::<Vec<_>>(), ["form.record"]);
    let (_, streams) = cloud.ask(Method::GET, "/streams", None).await.unwrap();
    let row = streams.as_array().unwrap().iter().find(|row| row["stream"] == "calls").unwrap();
    assert_eq!((row["watermark"].as_u64(), row["stored"].as_u64()), (seqs.last().copied(), seqs.last().copied()));
}

/// Stops a box and checks that nothing that was promised is left in its store.
async fn check_outbox_is_empty(target: TestBox) {
    let folder = target.stop().await.unwrap();
    let store = Store::open(&StoreConfig::new(folder.path().join("store"))).unwrap();
    for head in store.outbox_heads().into_iter().filter(|head| !head.stream.may_drop()) {
        assert_eq!(head.through + 1, head.next, "{} is not empty", head.stream);
    }
}

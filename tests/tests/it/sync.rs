use std::collections::BTreeMap;
use std::time::Duration;

use appliance::retention;
use e2e::{BoxOptions, PhraseBook, TestBox, wait_until};
use store::{CallOutcome, Store, StoreConfig};
use telephony::Params;
use testcall::{CallScript, Faults, Pace, RestCall, RestFault, Step, new_call_id};
use units::Language;

const MESSAGE: &str = "please call me back about the flat";

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_without_a_gateway_in_reach_waits_for_it_over_a_restart() {
    let book = PhraseBook::new(&[MESSAGE]);
    let options = BoxOptions::understanding(&book).pace(Pace::Times(8)).configured(far_gateway);
    let target = TestBox::start(options).await.unwrap();
    let faults = Faults { refuse_stream: true, ..Faults::default() };
    let script = CallScript::default().with_voicemail([Step::say(MESSAGE, Language::English)]).with_faults(faults);
    target.call(&script).await.unwrap();
    wait_until("the transcript of the message", async || {
        target.messages().ok()?.into_iter().find(|message| message.transcript.is_some())
    })
    .await
    .unwrap();
    let readiness = target.readiness().await.unwrap();
    assert_eq!(readiness["parts"]["sync"]["state"], "degraded", "{readiness}");
    assert_eq!(target.figure("kolbox_sync_up").await.unwrap(), 0.0);
    // A call that goes on when the box stops.
    target.ring(&new_call_id()).await.unwrap();
    let folder = target.stop().await.unwrap();
    let target = TestBox::start(BoxOptions::default().configured(far_gateway).on(folder)).await.unwrap();
    assert!(target.is_well().await.unwrap());
    let folder = target.stop().await.unwrap();
    let told = told(&Store::open(&StoreConfig::new(folder.path().join("store"))).unwrap());
    assert_eq!(told["messages"], ["voicemail.saved", "voicemail.transcribed"]);
    let outcomes = ["call.started", "call.ended voicemail", "call.started", "call.ended interrupted"];
    assert_eq!(told["calls"][..4], outcomes.map(str::to_owned));
    assert_eq!(told["metrics"], ["metrics.sample", "metrics.sample"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_carrier_calls_over_while_its_line_is_freed_ends_once() {
    let book = PhraseBook::new(&["dana levy", "about a flat for rent"]);
    let target = TestBox::start(BoxOptions::understanding(&book).configured(far_gateway)).await.unwrap();
    target.carrier.fail_next(RestCall::UpdateCall, RestFault::Silent, 10);
    let over = async {
        let freeing = async || target.carrier.asked().first().map(|asked| asked.path.clone());
        let path = wait_until("the line to be freed", freeing).await.unwrap();
        let call = path.rsplit('/').next().unwrap().trim_end_matches(".json");
        let status = Params::new()
            .with("CallSid", call)
            .with("AccountSid", e2e::ACCOUNT)
            .with("CallStatus", "completed")
            .with("SequenceNumber", "9");
        assert_eq!(target.post("/webhook/call_status", &status).await.unwrap().status, 200);
    };
    let script = whole_call();
    let (report, ()) = tokio::join!(target.call(&script), over);
    let call = report.unwrap().call_sid.parse().unwrap();
    assert_eq!(target.record(&call).unwrap().unwrap().outcome, CallOutcome::Completed);
    let folder = target.stop().await.unwrap();
    let told = told(&Store::open(&StoreConfig::new(folder.path().join("store"))).unwrap());
    let ends: Vec<&String> = told["calls"].iter().filter(|kind| kind.starts_with("call.ended")).collect();
    assert_eq!(ends, ["call.ended completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_whose_end_the_carrier_never_tells_is_ended_while_the_box_runs() {
    let target = TestBox::start(BoxOptions::default().configured(far_gateway)).await.unwrap();
    let (lost, talking) = (new_call_id(), new_call_id());
    target.ring(&lost).await.unwrap();
    let token = target.ring(&talking).await.unwrap().token().unwrap();
    let (parts, hour) = (&target.parts, Duration::from_hours(1));
    parts.switchboard.connect(parts.clock.now(), &talking, &token).unwrap();
    let outcome = |call| target.record(call).unwrap().unwrap().outcome;
    retention::end_lost_calls(parts, hour).await;
    assert_eq!(outcome(&lost), CallOutcome::InProgress, "it may go on");
    retention::end_lost_calls(parts, Duration::ZERO).await;
    retention::end_lost_calls(parts, Duration::ZERO).await;
    assert_eq!((outcome(&lost), outcome(&talking)), (CallOutcome::Interrupted, CallOutcome::InProgress));
    let folder = target.stop().await.unwrap();
    let told = told(&Store::open(&StoreConfig::new(folder.path().join("store"))).unwrap());
    assert_eq!(told["calls"], ["call.started", "call.started", "call.ended interrupted"]);
}

/// Says a name and a reason.
fn whole_call() -> CallScript {
    CallScript::of([
        Step::wait_for_agent(),
        Step::say("dana levy", Language::English),
        Step::wait_for_agent(),
        Step::say("about a flat for rent", Language::English),
        Step::wait_end(),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_call_is_told_turn_by_turn_with_its_form() {
    let book = PhraseBook::new(&["dana levy", "about a flat for rent"]);
    let target = TestBox::start(BoxOptions::understanding(&book).configured(far_gateway)).await.unwrap();
    target.call(&whole_call()).await.unwrap();
    let folder = target.stop().await.unwrap();
    let told = told(&Store::open(&StoreConfig::new(folder.path().join("store"))).unwrap());
    let calls = &told["calls"];
    assert_eq!(calls.first().map(String::as_str), Some("call.started"));
    assert!(calls.iter().filter(|kind| *kind == "call.turn").count() >= 3, "{calls:?}");
    assert_eq!(calls.last().map(String::as_str), Some("call.ended completed"));
    assert_eq!(told["leads"], ["form.record"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_without_a_gateway_keeps_nothing_for_one() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    target.ring(&new_call_id()).await.unwrap();
    assert_eq!(target.readiness().await.unwrap()["parts"]["sync"]["state"], "disabled");
    assert!(target.store().unwrap().outbox_heads().is_empty());
    target.stop().await.unwrap();
}

/// Names a broker at a port where nobody listens.
pub(super) fn far_gateway(config: &mut appliance::config::Config) {
    config.sync.brokers = vec!["mqtt://127.0.0.1:1".parse().unwrap()];
    config.sync.device = Some("box-1".parse().unwrap());
}

/// Returns the kinds of events that wait, by stream, calls with how they ended.
pub(super) fn told(store: &Store) -> BTreeMap<&'static str, Vec<String>> {
    let mut told = BTreeMap::<_, Vec<String>>::new();
    for head in store.outbox_heads() {
        let mut after = 0;
        while let slice = store.outbox_slice(head.stream, head.epoch, after, 64, 1 << 15).unwrap()
            && slice.last() > 0
        {
            after = slice.last();
            assert!(slice.skipped.is_empty());
            let kinds = told.entry(head.stream.as_str()).or_default();
            kinds.extend(slice.events.iter().map(|event| match event.data.reveal()["outcome"].as_str() {
                Some(outcome) => format!("{} {outcome}", event.kind),
                None => event.kind.to_string(),
            }));
        }
    }
    told
}

//! Which way calls go: goodbye, a person, voicemail, nowhere. Each course is a log in `tests/calls`.

use std::time::Duration;

use appliance::api::Scope;
use e2e::{ApiClient, BoxOptions, PhraseBook, TestBox, wait_until};
use futures_util::future::join_all;
use http::Method;
use replay::{Reader, Record, course};
use routing::{Event, Way};
use serde_json::{Value, json};
use store::{Batch, CallBackRow, CallBacks, CallOutcome, NoticeRow, Outgoing, Query};
use testcall::{
    CallReport, CallScript, Callee, DialAnswer, DialStatus, Ended, Happened, Pace, Person, RestCall, RestFault, Step,
    new_call_id,
};
use units::{CallId, Language, Pii};

use crate::calls::golden_folder;

pub(super) const NAME: &str = "dana levy";
pub(super) const REASON: &str = "about a flat for rent";
pub(super) const PERSON: &str = "i want to speak to a person";
const COLLEAGUE: &str = "+972541234567";
pub(super) const OWNER: &str = "+972521111111";

pub(super) fn office() -> BoxOptions {
    BoxOptions::understanding(&PhraseBook::new(&[NAME, REASON, PERSON]))
        .configured(|config| config.office.transfer_number = Some(Pii::new(COLLEAGUE.to_owned())))
}

/// The same, whose owner is told of calls by SMS.
pub(super) fn telling() -> BoxOptions {
    office().configured(|config| {
        config.messages.owner = vec![Pii::new(OWNER.to_owned())];
        config.messages.sms_number = Some(Pii::new("+972700000000".to_owned()));
    })
}

/// What the owner was sent.
pub(super) fn told(target: &TestBox) -> Vec<String> {
    let messages = target.carrier.messages();
    let to_owner = messages.iter().filter(|message| message.form.reveal().first("To") == Some(OWNER));
    to_owner.map(|message| message.form.reveal().first("Body").unwrap_or_default().to_owned()).collect()
}

/// Waits until the owner was sent something, and nothing more is to be sent.
pub(super) async fn told_all(target: &TestBox) -> Vec<String> {
    wait_until("a message to the owner", async || {
        let told = told(target);
        (!told.is_empty() && notices(target).is_empty()).then_some(told)
    })
    .await
    .unwrap()
}

/// Who called, as it is on record.
fn caller_of(target: &TestBox, call: &CallId) -> String {
    target.record(call).unwrap().unwrap().from.reveal().clone()
}

/// What the owner is to be told yet.
pub(super) fn notices(target: &TestBox) -> Vec<NoticeRow> {
    let rows = target.store().unwrap().query(&Query::<Outgoing>::notices()).unwrap();
    rows.into_iter().filter_map(|(_, row)| row.notice).collect()
}

/// Says the name, and then wants a person.
fn wants_a_person() -> CallScript {
    CallScript::of([
        Step::wait_for_agent(),
        Step::say(NAME, Language::English),
        Step::wait_for_agent(),
        Step::say(PERSON, Language::English),
        Step::wait_end(),
    ])
}

/// Answers the last question when nobody took the call.
fn goes_on() -> [Step; 3] {
    [Step::wait_for_agent(), Step::say(REASON, Language::English), Step::wait_end()]
}

#[tokio::test(flavor = "multi_thread")]
async fn goodbye_frees_the_line_over_the_rest_interface() {
    let target = TestBox::start(office()).await.unwrap();
    let script = CallScript::of([
        Step::wait_for_agent(),
        Step::say(NAME, Language::English),
        Step::wait_for_agent(),
        Step::say(REASON, Language::English),
        Step::wait_end(),
    ]);
    let report = target.call(&script).await.unwrap();
    assert_eq!(report.ended, Ended::ByRest, "{report:?}");
    let asked = target.carrier.asked();
    let form = asked[0].form.reveal();
    assert_eq!((form.first("Status"), asked[0].status, asked.len()), (Some("completed"), Some(200), 1));
    check_course(&target, &report, "goodbye").await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_whose_rest_interface_fails_is_told_to_hang_up_when_it_asks() {
    let target = TestBox::start(office().pace(Pace::Times(4))).await.unwrap();
    target.carrier.fail_next(RestCall::UpdateCall, RestFault::Silent, 10);
    let script = CallScript::of([
        Step::wait_for_agent(),
        Step::say(NAME, Language::English),
        Step::wait_for_agent(),
        Step::say(REASON, Language::English),
        Step::wait_end(),
    ]);
    let report = target.call(&script).await.unwrap();
    assert_eq!(report.ended, Ended::ByMarkup, "{report:?}");
    assert_eq!(report.requests_to("/stream_ended").count(), 1);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_hears_who_calls_takes_the_call_and_talks() {
    let target = TestBox::start(telling()).await.unwrap();
    let person = Person::pressing("1", Duration::from_secs(2));
    let report = target.call(&wants_a_person().with_dial(DialAnswer::Person(person))).await.unwrap();
    assert_eq!(report.count(|what| *what == Happened::Bridged), 1, "{:?}", report.events);
    let heard = report
        .events
        .iter()
        .find_map(|event| if let Happened::WhisperHeard(millis) = event.what { Some(millis) } else { None });
    assert!(heard.is_some_and(|millis| millis > 500), "the announcement was heard for {heard:?} ms");
    let call = check_course(&target, &report, "transfer-accepted").await;
    let record = target.record(&call).unwrap().unwrap();
    assert_eq!((record.outcome, record.turns), (CallOutcome::Transferred, 2));
    assert!(record.duration_ms.is_some());
    assert!(notices(&target).is_empty() && told(&target).is_empty(), "the call was answered");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_a_telephone_number_are_put_through_too() {
    let own = || Some(Pii::new("+972700000000".to_owned()));
    let target = TestBox::start(office().configured(move |config| config.call_backs.from = own())).await.unwrap();
    let calls = [
        ("whatsapp:+972529999999", "whatsapp:+972770000000"),
        ("client:dana", "+972700000000"),
        ("anonymous", "+972700000000"),
    ];
    let placed = calls.map(async |(from, to)| {
        let script = CallScript::of([Step::wait_for_agent(), Step::keys("0"), Step::wait_end()]);
        let script = CallScript { from: Pii::new(from.to_owned()), to: Pii::new(to.to_owned()), ..script };
        let person = Person::pressing("1", Duration::from_secs(1));
        let report = target.call(&script.with_dial(DialAnswer::Person(person))).await.unwrap();
        assert_eq!(report.count(|what| *what == Happened::Bridged), 1, "{from}: {:?}", report.warnings);
    });
    join_all(placed).await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whom_a_person_declines_goes_on_with_the_receptionist() {
    let person = Person { keys: Pii::new("2".to_owned()), declined_as: DialStatus::Completed, ..Person::default() };
    check_return(DialAnswer::Person(person), "transfer-declined").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_for_whom_no_key_is_pressed_goes_on_with_the_receptionist() {
    let person = Person { declined_as: DialStatus::NoAnswer, ..Person::default() };
    check_return(DialAnswer::Person(person), "transfer-no-key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whom_nobody_answers_goes_on_with_the_receptionist() {
    check_return(DialAnswer::NoAnswer, "transfer-no-answer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_finds_the_person_busy_goes_on_with_the_receptionist() {
    check_return(DialAnswer::Busy, "transfer-busy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_person_cannot_be_rung_goes_on_with_the_receptionist() {
    check_return(DialAnswer::Failed, "transfer-failed").await;
}

/// Places a call whose person does not take it, and checks that it goes on where it stopped and is kept as one.
async fn check_return(dial: DialAnswer, name: &str) {
    let quick = telling().configured(|config| config.transfer.ring = Duration::from_secs(1));
    let target = TestBox::start(quick).await.unwrap();
    let script = wants_a_person().with_dial(dial).with_later_stream(goes_on());
    let report = target.call(&script).await.unwrap();
    assert_eq!(report.count(|what| *what == Happened::Bridged), 0);
    assert_eq!(report.count(|what| *what == Happened::StreamOpened), 2, "{:?}", report.events);
    let call = check_course(&target, &report, name).await;
    let record = target.record(&call).unwrap().unwrap();
    assert_eq!((record.outcome, record.turns), (CallOutcome::Completed, 3));
    let form = target.forms(&call).unwrap().remove(0);
    let filled = form.record.reveal().to_string().to_lowercase();
    assert!(form.complete && filled.contains(NAME) && filled.contains(REASON), "{filled}");
    let said: Vec<String> = target.turns(&call).unwrap().iter().map(|turn| turn.caller.reveal().clone()).collect();
    for words in [NAME, PERSON, REASON] {
        assert!(said.iter().any(|text| text == words), "{said:?}");
    }
    assert_eq!(told_all(&target).await, [format!("Missed call: {}", caller_of(&target, &call))], "{name}");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whom_nobody_takes_leaves_a_message_where_the_office_wants_that() {
    let options = telling().configured(|config| config.transfer.otherwise = routing::Otherwise::Voicemail);
    let target = TestBox::start(options).await.unwrap();
    // Nought asks for a person without a word.
    let script = CallScript::of([Step::wait_for_agent(), Step::keys("0"), Step::wait_end()])
        .with_dial(DialAnswer::Busy)
        .with_voicemail([Step::say(REASON, Language::English)]);
    let report = target.call(&script).await.unwrap();
    assert_eq!(report.count(|what| *what == Happened::RecordStarted), 1, "{:?}", report.events);
    let call = check_course(&target, &report, "transfer-busy-voicemail").await;
    assert_eq!(target.record(&call).unwrap().unwrap().outcome, CallOutcome::Voicemail);
    assert_eq!(target.messages().unwrap().len(), 1);
    let message = format!("New voicemail: {}: {REASON}", caller_of(&target, &call));
    assert_eq!(told_all(&target).await, [message], "of a message the owner is told, and not of the missed call too");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whom_nobody_takes_and_who_leaves_no_message_is_told_of_when_none_can_come_any_more() {
    let options = telling().configured(|config| config.transfer.otherwise = routing::Otherwise::Voicemail);
    let target = TestBox::start(options).await.unwrap();
    let mut script = CallScript::of([Step::wait_for_agent(), Step::keys("0"), Step::wait_end()])
        .with_dial(DialAnswer::Busy)
        .with_voicemail([]);
    script.hang_up_after = Some(Duration::from_secs(8));
    let report = target.call(&script).await.unwrap();
    assert!(target.messages().unwrap().is_empty(), "{:?}", report.events);
    let put = &target.store().unwrap().query(&Query::<Outgoing>::notices()).unwrap()[0].1;
    let notice = put.notice.as_ref().unwrap();
    assert_eq!((notice.kind.as_str(), notice.not_before_ms - put.put_ms), ("missed_call", 6 * 60_000));
    assert!(told(&target).is_empty());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_while_it_rings_is_on_record_as_gone() {
    let target = TestBox::start(telling()).await.unwrap();
    let mut script = CallScript::of([Step::wait_for_agent(), Step::keys("0"), Step::wait_end()]);
    script.dial = DialAnswer::Person(Person { rings: Duration::from_secs(15), ..Person::default() });
    script.hang_up_after = Some(Duration::from_secs(9));
    let report = target.call(&script).await.unwrap();
    assert_eq!(report.ended, Ended::ByCaller, "{report:?}");
    assert_eq!(report.count(|what| *what == Happened::DialRinging), 1, "{:?}", report.events);
    let call: CallId = report.call_sid.parse().unwrap();
    let record = wait_until("the end of the call", async || {
        target.record(&call).ok().flatten().filter(|record| record.outcome != CallOutcome::InProgress)
    });
    assert_eq!(record.await.unwrap().outcome, CallOutcome::CallerHungUp);
    assert_eq!(told_all(&target).await, [format!("Missed call: {}", caller_of(&target, &call))]);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_never_starts_is_sent_to_voicemail() {
    let options = office().configured(|config| config.carrier.stream_start = Duration::from_millis(200));
    let target = TestBox::start(options).await.unwrap();
    let call = new_call_id();
    target.ring(&call).await.unwrap();
    let asked = wait_until("the redirect", async || target.carrier.asked().into_iter().next()).await.unwrap();
    assert!(asked.form.reveal().first("Twiml").unwrap().contains("<Record"), "{asked:?}");
    let ways = wait_until("the course", async || ways(&target, &call).filter(|ways| ways.len() == 2)).await.unwrap();
    assert!(matches!(ways[1], (Event::StreamOverdue, Way::Voicemail { .. })), "{ways:?}");
    keep_golden(&target, &call, "watchdog");
    target.stop().await.unwrap();
}

pub(super) const HOURS: &str = r#"
[hours]
sunday = ["09:00-17:00"]
[routing]
rules = [{ when = "sabbath", then = "voicemail" }, { when = "closed", then = "voicemail" }, { hours = ["09:00-10:00"], then = "human" }]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_hours_and_the_sabbath_decide_who_takes_a_call() {
    for (moment, name, verb) in [
        ("2026-11-22T20:00:00+02:00", "out-of-hours", "Record"),
        ("2026-11-21T12:00:00+02:00", "sabbath", "Record"),
        ("2026-11-22T09:30:00+02:00", "hours-of-a-person", "Dial"),
        ("2026-11-22T12:00:00+02:00", "in-hours", "Connect"),
    ] {
        let calendar = toml::from_str(HOURS).unwrap();
        let options = office().configured(|config| config.calendar = Some(calendar)).at(moment).pace(Pace::Times(4));
        let target = TestBox::start(options).await.unwrap();
        let script = CallScript::of([Step::wait_for_agent(), Step::Hangup {}])
            .with_voicemail([Step::say(REASON, Language::English)])
            .with_dial(DialAnswer::Person(Person::pressing("1", Duration::from_secs(1))));
        let report = target.call(&script).await.unwrap();
        let verbs: Vec<&str> = report.events.iter().filter_map(|event| verb_of(&event.what)).collect();
        assert!(verbs.contains(&verb), "{name}: {verbs:?}");
        assert_eq!(verbs.contains(&"Connect"), verb == "Connect", "{name}: {verbs:?}");
        check_course(&target, &report, name).await;
        target.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_on_the_block_list_and_one_that_calls_too_often_find_the_line_busy() {
    let options = office().configured(|config| config.callers.calls = 2.try_into().unwrap()).pace(Pace::Times(8));
    let target = TestBox::start(options).await.unwrap();
    let script = CallScript::of([Step::wait_for_agent(), Step::Hangup {}]);
    let blocked = CallScript { from: Pii::new("+97239999999".to_owned()), ..script.clone() };
    let office = ApiClient::new(&target, &[Scope::SettingsRead, Scope::SettingsWrite]).unwrap();
    let path = "/api/blocked-numbers/+97239999999";
    let put = office.send(Method::PUT, path, &[], &json!({ "note": "sells toner" })).await.unwrap();
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(office.get("/api/blocked-numbers").await.unwrap().json()["items"][0]["number"], "+97239999999");
    let refused = target.call(&blocked).await.unwrap();
    assert_eq!(refused.count(|what| verb_of(what) == Some("Reject")), 1, "{:?}", refused.events);
    let call = check_course(&target, &refused, "blocked").await;
    assert_eq!(target.record(&call).unwrap().unwrap().outcome, CallOutcome::Refused);
    let off = office.send(Method::DELETE, path, &[], &Value::Null).await.unwrap();
    assert_eq!(
        (off.status, office.get("/api/blocked-numbers").await.unwrap().json()["items"].clone()),
        (204, json!([]))
    );
    for refuses in [0, 0, 1] {
        let report = target.call(&script).await.unwrap();
        assert_eq!(report.count(|what| verb_of(what) == Some("Reject")), refuses);
    }
    assert!(target.is_well().await.is_ok());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_while_it_rings_loses_no_caller() {
    let target = TestBox::start(office()).await.unwrap();
    let call = new_call_id();
    let over = |status: &str| {
        telephony::Params::new()
            .with("CallSid", call.as_str())
            .with("AccountSid", e2e::ACCOUNT)
            .with("DialCallStatus", status)
    };
    let asked = target.post(&format!("/webhook/person/{call}"), &over("in-progress")).await.unwrap();
    assert!(asked.status == 200 && asked.text().contains("person_key"), "{}", asked.text());
    assert!(target.post("/webhook/transfer_ended", &over("busy")).await.unwrap().is_voicemail());
    target.stop().await.unwrap();
}

const CUSTOMER: &str = "+972529999999";

/// Asks for a call-back and waits until the box has placed the call and it is over.
async fn called_back(callee: Callee, moment: &str) -> (TestBox, String, CallReport) {
    let calendar = toml::from_str(HOURS).unwrap();
    let options = office().at(moment).configured(|config| {
        config.calendar = Some(calendar);
        config.call_backs.from = Some(Pii::new("+972700000000".to_owned()));
    });
    let target = TestBox::start(options).await.unwrap();
    target.carrier.answers_at(CUSTOMER, callee);
    let id = ask_call_back(&target).await;
    let report = tokio::time::timeout(Duration::from_secs(90), target.carrier.outbound(0)).await.unwrap();
    (target, id, report)
}

/// Asks the API for a call-back twice with the same key, and returns its id.
async fn ask_call_back(target: &TestBox) -> String {
    let office = ApiClient::new(target, &[Scope::CallsWrite]).unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let key = [("idempotency-key", "the-same")];
        let asked = office.send(Method::POST, "/api/call-backs", &key, &json!({ "number": CUSTOMER })).await.unwrap();
        assert_eq!(asked.status, 201, "{}", asked.text());
        ids.push(asked.json()["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids[0], ids[1], "the same key asks for the same call-back");
    ids.remove(0)
}

async fn call_back_is(target: &TestBox, id: &str, state: &'static str) -> Value {
    let office = ApiClient::new(target, &[Scope::CallsRead]).unwrap();
    let path = format!("/api/call-backs/{id}");
    wait_until(state, async || {
        let body = office.get(&path).await.ok()?.json();
        (body["state"] == state).then_some(body)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_is_called_back_talks_to_the_receptionist() {
    let talks = CallScript::of([
        Step::wait_for_agent(),
        Step::say(NAME, Language::English),
        Step::wait_for_agent(),
        Step::say(REASON, Language::English),
        Step::wait_end(),
    ]);
    let (target, id, report) = called_back(Callee::human(talks), IN_HOURS).await;
    let state = call_back_is(&target, &id, "reached").await;
    assert_eq!(state["tries"], 1);
    let call = check_course(&target, &report, "call-back-human").await;
    assert_eq!(state["call"], call.as_str());
    let record = target.record(&call).unwrap().unwrap();
    assert_eq!((record.outcome, record.from.reveal().as_str()), (CallOutcome::Completed, CUSTOMER));
    assert!(target.forms(&call).unwrap().remove(0).complete);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answering_machine_is_left_word_after_its_greeting() {
    let machine = Callee::Machine { greeting: Duration::from_secs(4), beep: true };
    let (target, id, report) = called_back(machine, IN_HOURS).await;
    call_back_is(&target, &id, "word_left").await;
    assert_eq!(report.count(|what| *what == Happened::StreamOpened), 0);
    assert_eq!(report.count(|what| verb_of(what) == Some("Play")), 1, "{:?}", report.events);
    check_course(&target, &report, "call-back-machine").await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_is_not_there_is_tried_again_later() {
    let (target, id, report) = called_back(Callee::Busy, IN_HOURS).await;
    assert_eq!(report.ended, Ended::Unanswered);
    let state = call_back_is(&target, &id, "waiting").await;
    let next = state["not_before_wall_ms"].as_u64().unwrap();
    let asked = state["asked_wall_ms"].as_u64().unwrap();
    assert!((29 * 60_000..32 * 60_000).contains(&(next - asked)), "after {} ms", next - asked);
    let office = ApiClient::new(&target, &[Scope::CallsWrite]).unwrap();
    let canceled = office.post(&format!("/api/call-backs/{id}/cancel"), &Value::Null).await.unwrap();
    assert_eq!(canceled.status, 200, "{}", canceled.text());
    call_back_is(&target, &id, "canceled").await;
    target.stop().await.unwrap();
}

/// Waits until a call-back rings for the `nth` time, from 1, and returns the call and where word of its end goes.
async fn rings(target: &TestBox, id: &str, nth: usize) -> (CallId, String) {
    let (office, path) = (ApiClient::new(target, &[Scope::CallsRead]).unwrap(), format!("/api/call-backs/{id}"));
    let body = wait_until("the telephone to ring", async || {
        let body = office.get(&path).await.ok()?.json();
        (body["state"] == "calling" && body["tries"] == nth && body["call"].is_string()).then_some(body)
    });
    let call = body.await.unwrap()["call"].as_str().unwrap().parse().unwrap();
    let asked = target.carrier.asked();
    let urls: Vec<_> = asked.iter().filter_map(|asked| asked.form.reveal().first("StatusCallback")).collect();
    let path = urls[nth - 1].split_once("/webhook/").unwrap().1;
    (call, format!("/webhook/{path}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_before_being_spoken_to_is_tried_again_and_late_word_is_not_of_the_next_try() {
    // In hours, without a calendar.
    let options = office().at(IN_HOURS).configured(|config| {
        config.call_backs.from = Some(Pii::new("+972700000000".to_owned()));
        config.call_backs.wait = Duration::ZERO;
    });
    let target = TestBox::start(options).await.unwrap();
    target.carrier.answers_at(CUSTOMER, Callee::NoAnswer);
    let id = ask_call_back(&target).await;
    let (first, told) = rings(&target, &id, 1).await;
    let over = telephony::Params::new()
        .with("CallSid", first.as_str())
        .with("AccountSid", e2e::ACCOUNT)
        .with("From", "+972700000000")
        .with("To", CUSTOMER)
        .with("CallStatus", "completed");
    assert_eq!(target.post(&told, &over).await.unwrap().status, 200);
    let (second, _) = rings(&target, &id, 2).await;
    assert_ne!(first, second);
    assert_eq!(target.post(&told, &over).await.unwrap().status, 200);
    let office = ApiClient::new(&target, &[Scope::CallsRead]).unwrap();
    let body = office.get(&format!("/api/call-backs/{id}")).await.unwrap().json();
    assert_eq!((body["state"].as_str(), body["tries"].as_u64()), (Some("calling"), Some(2)), "{body}");
    assert_eq!(body["call"], second.as_str());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_on_a_day_of_rest_nor_twice_when_the_carrier_says_nothing() {
    // The Sabbath, and Yom Kippur at a box without a calendar.
    let calendar = toml::from_str(HOURS).unwrap();
    for (moment, calendar) in [("2026-11-21T12:00:00+02:00", Some(calendar)), ("2026-09-21T12:00:00+03:00", None)] {
        let resting = office().at(moment).configured(|config| {
            config.calendar = calendar;
            config.call_backs.from = Some(Pii::new("+972700000000".to_owned()));
        });
        let target = TestBox::start(resting).await.unwrap();
        let id = ask_call_back(&target).await;
        call_back_is(&target, &id, "waiting").await;
        assert!(target.carrier.placed().is_empty(), "at {moment}");
        target.stop().await.unwrap();
    }

    let options = office().at(IN_HOURS).configured(|config| {
        config.call_backs.from = Some(Pii::new("+972700000000".to_owned()));
    });
    let target = TestBox::start(options).await.unwrap();
    target.carrier.fail_next(RestCall::CreateCall, RestFault::Fails { status: 500, done: false }, 1);
    let id = ask_call_back(&target).await;
    let state = call_back_is(&target, &id, "uncertain").await;
    assert_eq!(state["tries"], 1);
    assert!(target.carrier.placed().is_empty(), "nothing is repeated blindly");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_called_however_many_were_called_before_and_after_a_restart() {
    let resting = || {
        office().at("2026-11-21T12:00:00+02:00").configured(|config| {
            config.calendar = Some(toml::from_str(HOURS).unwrap());
            config.call_backs.from = Some(Pii::new("+972700000000".to_owned()));
        })
    };
    let target = TestBox::start(resting()).await.unwrap();
    let mut batch = Batch::new();
    for number in 0..1_100 {
        let row = CallBackRow {
            number: Pii::new(CUSTOMER.to_owned()),
            language: Language::English,
            reason: Pii::default(),
            asked_wall_ms: number,
            progress: json!({ "state": "reached", "tries": 1 }),
            call: None,
        };
        batch.put::<CallBacks>(&format!("{number:013}-00000000"), &row).unwrap();
    }
    target.parts.archive.commit(batch).await.unwrap();
    let id = ask_call_back(&target).await;
    let folder = target.stop().await.unwrap();
    let in_hours = resting().at(IN_HOURS).on(folder);
    let target = TestBox::start(in_hours).await.unwrap();
    target.carrier.answers_at(CUSTOMER, Callee::Busy);
    wait_until("the call", async || {
        let asked = target.carrier.asked().into_iter();
        let mut urls = asked.filter_map(|asked| Some(asked.form.reveal().first("Url")?.to_owned()));
        urls.any(|url| url.contains(&id)).then_some(())
    })
    .await
    .unwrap();
    target.stop().await.unwrap();
}

const IN_HOURS: &str = "2026-11-22T12:00:00+02:00";

pub(super) fn verb_of(what: &Happened) -> Option<&str> {
    if let Happened::Verb(name) = what { Some(name) } else { None }
}

/// Returns what happened on a call and which way it went, as far as it is logged whole.
fn ways(target: &TestBox, call: &CallId) -> Option<Vec<(Event, Way)>> {
    let bytes = std::fs::read(log_of(target, call)).ok()?;
    let mut told = Vec::new();
    let mut ways = Vec::new();
    for record in Reader::new(&bytes) {
        let record = record.ok()?;
        if let Record::Told { event, .. } = record {
            told.push(event);
        } else if let Record::Went { way, .. } = record {
            ways.push((told.pop()?, way));
        }
    }
    Some(ways)
}

fn log_of(target: &TestBox, call: &CallId) -> std::path::PathBuf {
    target.folder().join("store/calls").join(format!("{call}.course.log"))
}

/// Waits until the course of a call is over and logged, and replays it. With `KOLBOX_GOLDEN=1` it becomes the sample
/// `name` of `tests/calls`.
pub(super) async fn check_course(target: &TestBox, report: &CallReport, name: &str) -> CallId {
    let call: CallId = report.call_sid.parse().unwrap();
    wait_until("the end of the course", async || {
        let ways = ways(target, &call)?;
        matches!(ways.last(), Some((Event::Over, _))).then_some(())
    })
    .await
    .unwrap();
    let replayed = course::replay(&std::fs::read(log_of(target, &call)).unwrap()).unwrap();
    assert!(replayed.is_over && replayed.torn.is_none() && replayed.unknown == 0, "{name}: {replayed}");
    keep_golden(target, &call, name);
    call
}

fn keep_golden(target: &TestBox, call: &CallId, name: &str) {
    if option_env!("KOLBOX_GOLDEN").is_some() {
        std::fs::copy(log_of(target, call), golden_folder().join(format!("{name}.log"))).unwrap();
    }
}

//! How calls end that no conversation ended: who wanted somebody and got nobody, and what is on record when the carrier tells
//! of the end in any order.

use std::time::Duration;

use appliance::config::TransferWhen;
use conversation::GreetingMode;
use e2e::{BoxOptions, TestBox, wait_until};
use routing::Consent;
use store::{CallOutcome, Outgoing, Query, Store, StoreConfig};
use telephony::Params;
use testcall::{CallScript, DialAnswer, Happened, Person, Step, new_call_id};
use units::{CallId, Language};

use crate::routes::{HOURS, NAME, PERSON, REASON, check_course, notices, office, telling, told_all, verb_of};
use crate::sync::{far_gateway, told};

/// Hours in which the calendar of [`HOURS`] gives calls to a person, to the receptionist, and to voicemail.
const HUMAN: &str = "2026-11-22T09:30:00+02:00";
const OPEN: &str = "2026-11-22T12:00:00+02:00";
const CLOSED: &str = "2026-11-22T20:00:00+02:00";

/// The box at a moment, with the hours of the office.
fn at(moment: &str, options: BoxOptions) -> BoxOptions {
    options.at(moment).configured(|config| {
        config.calendar = Some(toml::from_str(HOURS).unwrap());
        config.transfer.ring = Duration::from_secs(1);
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_hours_sent_to_a_person_is_greeted_and_told_of_the_recording_when_nobody_answers() {
    let options = at(HUMAN, telling()).configured(|config| {
        config.recording.calls = true;
        config.greeting.mode = GreetingMode::Play;
    });
    let target = TestBox::start(options).await.unwrap();
    let script = CallScript::of([
        Step::wait_for_agent(),
        Step::say(NAME, Language::English),
        Step::wait_for_agent(),
        Step::say(REASON, Language::English),
        Step::wait_end(),
    ]);
    let report = target.call(&script.with_dial(DialAnswer::NoAnswer)).await.unwrap();
    let verbs: Vec<&str> = report.events.iter().filter_map(|event| verb_of(&event.what)).collect();
    assert_eq!(verbs[..4], ["Dial", "Play", "Play", "Connect"], "{verbs:?}");
    let document = report.markup[1].reveal();
    let place = |clip: &str| document.find(clip).unwrap_or_else(|| panic!("no {clip} in {document}"));
    assert!(place("recorded_en.wav") < place("greeting_en.wav"), "{document}");
    let call = check_course(&target, &report, "hours-of-a-person-no-answer").await;
    let record = target.record(&call).unwrap().unwrap();
    assert_eq!((record.outcome, record.recording.is_some()), (CallOutcome::Completed, true));
    assert_eq!(told_all(&target).await.len(), 1, "nobody took the call");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_hours_sent_to_a_person_is_asked_for_the_key_before_anything_is_recorded() {
    let options = at(HUMAN, office()).configured(|config| {
        config.recording.calls = true;
        config.recording.consent = Consent::Key;
    });
    let target = TestBox::start(options).await.unwrap();
    let script = CallScript::of([Step::wait_for_agent(), Step::Hangup {}]).with_dial(DialAnswer::Busy);
    let report = target.call(&script).await.unwrap();
    let verbs: Vec<&str> = report.events.iter().filter_map(|event| verb_of(&event.what)).collect();
    assert_eq!(verbs[..2], ["Dial", "Gather"], "{verbs:?}");
    let call = check_course(&target, &report, "hours-of-a-person-consent").await;
    assert_eq!(target.record(&call).unwrap().unwrap().recording, None, "no key was pressed");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_rung_in_the_hours_of_the_office_unless_at_any_hour() {
    for (moment, when, rings) in
        [(OPEN, TransferWhen::Open, true), (CLOSED, TransferWhen::Open, false), (CLOSED, TransferWhen::Always, true)]
    {
        for wish in [Step::say(PERSON, Language::English), Step::keys("0")] {
            let options = at(moment, office()).configured(move |config| {
                // The receptionist takes every call.
                config.calendar = Some(toml::from_str(HOURS.split("[routing]").next().unwrap()).unwrap());
                config.transfer.when = when;
            });
            let target = TestBox::start(options).await.unwrap();
            let script = CallScript::of([Step::wait_for_agent(), wish, Step::wait_end()])
                .with_dial(DialAnswer::Person(Person::pressing("1", Duration::from_secs(1))))
                .with_voicemail([Step::say(REASON, Language::English)]);
            let report = target.call(&script).await.unwrap();
            let rung = report.count(|what| *what == Happened::DialRinging) == 1;
            assert_eq!(rung, rings, "{moment}: {:?}", report.events);
            let call: CallId = report.call_sid.parse().unwrap();
            let outcome = if rings { CallOutcome::Transferred } else { CallOutcome::Voicemail };
            ended_as(&target, &call, outcome).await;
            target.stop().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_told_of_who_hangs_up_at_the_tone_when_no_message_came_of_it() {
    let target = TestBox::start(at(CLOSED, telling())).await.unwrap();
    let mut script = CallScript::default().with_voicemail([]);
    script.hang_up_after = Some(Duration::from_millis(300));
    let report = target.call(&script).await.unwrap();
    check_course(&target, &report, "out-of-hours-no-message").await;
    let put = wait_until("the notice", async || {
        target.store().unwrap().query(&Query::<Outgoing>::notices()).unwrap().into_iter().next()
    });
    let row = put.await.unwrap().1;
    let notice = row.notice.unwrap();
    assert_eq!((notice.kind.as_str(), notice.not_before_ms - row.put_ms), ("missed_call", 3 * 60_000));
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_a_person_took_is_on_record_as_such_whatever_the_carrier_tells_first() {
    for announces in [true, false] {
        for order in ["status then dial", "dial then status"] {
            let options = at(HUMAN, telling()).configured(move |config| {
                far_gateway(config);
                config.transfer.announce = announces;
            });
            let target = TestBox::start(options).await.unwrap();
            let call = new_call_id();
            assert!(target.ring(&call).await.unwrap().text().contains("<Dial"));
            if announces {
                post(&target, &format!("/webhook/person/{call}"), of(&call)).await;
                post(&target, &format!("/webhook/person_key/{call}"), of(&call).with("Digits", "1")).await;
            }
            let status = of(&call).with("CallStatus", "completed");
            let dial = of(&call).with("DialCallStatus", "completed").with("DialBridged", "true");
            let mut hooks = [("/webhook/call_status", status), ("/webhook/transfer_ended", dial)];
            if order == "dial then status" {
                hooks.reverse();
            }
            for (path, params) in hooks {
                post(&target, path, params).await;
            }
            assert_eq!(target.record(&call).unwrap().unwrap().outcome, CallOutcome::Transferred, "{order}");
            assert!(notices(&target).is_empty(), "{order}");
            let ends = ends_told(target).await;
            assert_eq!(ends.last().map(String::as_str), Some("call.ended transferred"), "{order}");
            let once = announces || order == "dial then status";
            assert_eq!(ends.len(), if once { 1 } else { 2 }, "{order}: {ends:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_what_is_on_record_of_a_call_whatever_the_carrier_tells_first() {
    for order in ["status then message", "message then status", "both at once"] {
        let target = TestBox::start(at(CLOSED, telling()).configured(far_gateway)).await.unwrap();
        for number in 0..8 {
            let call = new_call_id();
            assert!(target.ring(&call).await.unwrap().is_voicemail());
            let status = of(&call).with("CallStatus", "completed");
            let message = of(&call)
                .with("RecordingSid", format!("RE{number:032}"))
                .with("RecordingUrl", "https://api.twilio.com/RE1")
                .with("RecordingDuration", "2")
                .with("Digits", "hangup");
            let status = post(&target, "/webhook/call_status", status);
            let message = post(&target, "/webhook/handle_recording", message);
            match order {
                "status then message" => {
                    status.await;
                    message.await;
                }
                "message then status" => {
                    message.await;
                    status.await;
                }
                _ => {
                    tokio::join!(status, message);
                }
            }
            assert_eq!(target.record(&call).unwrap().unwrap().outcome, CallOutcome::Voicemail, "{order}");
        }
        let ends = ends_told(target).await;
        let messages = ends.iter().filter(|end| *end == "call.ended voicemail").count();
        assert_eq!((messages, ends.last().map(String::as_str)), (8, Some("call.ended voicemail")), "{order}: {ends:?}");
    }
}

/// What every webhook of a call has.
fn of(call: &CallId) -> Params {
    Params::new()
        .with("CallSid", call.as_str())
        .with("AccountSid", e2e::ACCOUNT)
        .with("From", "+972501234567")
        .with("To", "+972700000000")
}

async fn post(target: &TestBox, path: &str, params: Params) {
    let answer = target.post(path, &params).await.unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
}

async fn ended_as(target: &TestBox, call: &CallId, outcome: CallOutcome) {
    let ended = async || target.record(call).ok().flatten().filter(|record| record.outcome == outcome);
    assert!(wait_until("the end of the call", ended).await.is_ok(), "{:?}", target.record(call));
}

/// Stops the box and returns what the gateway would be told of the ends of calls.
async fn ends_told(target: TestBox) -> Vec<String> {
    let folder = target.stop().await.unwrap();
    let mut told = told(&Store::open(&StoreConfig::new(folder.path().join("store"))).unwrap());
    let calls = told.remove("calls").unwrap_or_default();
    calls.into_iter().filter(|kind| kind.starts_with("call.ended")).collect()
}

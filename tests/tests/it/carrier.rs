//! The box asks its carrier over REST, and the carrier is slow, busy, broken or does not know the key.

use std::time::Duration;

use e2e::{BoxOptions, PhraseBook, TestBox, wait_until};
use store::CallOutcome;
use testcall::{CallReport, CallScript, Ended, Faults, Happened, Pace, RestCall, RestFault, Step};
use units::{CallId, Language};

const MESSAGE: &str = "please call me back";

/// A box that waits for a stream only a moment, and a line twenty times as fast as a real one.
fn impatient() -> BoxOptions {
    BoxOptions::understanding(&PhraseBook::new(&[MESSAGE])).pace(Pace::Times(20)).configured(|config| {
        config.carrier.stream_start = Duration::from_millis(200);
    })
}

/// A caller whose stream comes after a minute, and who then leaves a message.
fn stranded() -> CallScript {
    let faults = Faults { late_stream: Some(Duration::from_mins(1)), ..Faults::default() };
    let message = [Step::say(MESSAGE, Language::English), Step::Hangup {}];
    CallScript::default().with_voicemail(message).with_faults(faults)
}

fn was_recorded(report: &CallReport) -> bool {
    report.count(|what| *what == Happened::RecordStarted) == 1 && report.recordings.len() == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_stream_reaches_voicemail_in_spite_of_each_fault_of_the_carrier() {
    let target = TestBox::start(impatient()).await.unwrap();
    let faults = [
        None,
        Some(RestFault::Fails { status: 503, done: false }),
        Some(RestFault::Fails { status: 500, done: false }),
        Some(RestFault::TooManyRequests { retry_after_s: None }),
        Some(RestFault::CutBefore),
        Some(RestFault::Html),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        if let Some(fault) = fault {
            target.carrier.fail_next(RestCall::UpdateCall, fault, 2);
        }
        let report = target.call(&stranded()).await.unwrap();
        assert!(was_recorded(&report), "{fault:?}: {report:?}");
        assert_eq!(report.ended, Ended::ByCaller, "{fault:?}");
        assert_eq!(report.count(|what| *what == Happened::RestUpdate), 1, "{fault:?}");
        assert_eq!(report.count(|what| *what == Happened::StreamOpened), 0, "{fault:?}");
        wait_until("the message", async || {
            let messages = target.messages().ok()?;
            (messages.iter().filter(|message| message.transcript.is_some()).count() == number + 1).then_some(())
        })
        .await
        .unwrap();
        let call: CallId = report.call_sid.parse().unwrap();
        assert_eq!(target.record(&call).unwrap().unwrap().outcome, CallOutcome::Voicemail, "{fault:?}");
    }
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_told_and_the_call_still_answered() {
    let options = impatient().configured(|config| {
        config.carrier.api_key_sid = Some("SK0123456789abcdef0123456789abcdef".to_owned());
        config.carrier.api_key_secret = Some(appliance::config::Secret::new("taken back"));
    });
    let target = TestBox::start(options).await.unwrap();
    assert_eq!(target.readiness().await.unwrap()["parts"]["carrier_rest"]["state"], "ok");
    let script = CallScript { hang_up_after: Some(Duration::from_secs(30)), ..stranded() };
    let report = target.call(&script).await.unwrap();
    assert_eq!(report.ended, Ended::ByCaller, "nobody could send the caller anywhere");
    wait_until("the refusal in the readiness", async || {
        let readiness = target.readiness().await.ok()?;
        let part = &readiness["parts"]["carrier_rest"];
        let why = part["why"].as_str().unwrap_or_default();
        (part["state"] == "degraded" && why.contains("carrier.api_key_sid")).then_some(())
    })
    .await
    .unwrap();
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_late_at_a_carrier_with_faults_is_fetched_in_the_end() {
    let target = TestBox::start(BoxOptions::understanding(&PhraseBook::new(&[MESSAGE]))).await.unwrap();
    // The fetch that is cut counts too.
    target.carrier.recordings_late_by(2);
    target.carrier.fail_next(RestCall::FetchRecording, RestFault::Fails { status: 503, done: false }, 1);
    target.carrier.fail_next(RestCall::FetchRecording, RestFault::CutAfter, 1);
    let faults = Faults { refuse_stream: true, ..Faults::default() };
    let message = [Step::say(MESSAGE, Language::English), Step::Hangup {}];
    let report = target.call(&CallScript::default().with_voicemail(message).with_faults(faults)).await.unwrap();
    assert!(was_recorded(&report), "{report:?}");
    let row = wait_until("the message", async || {
        target.messages().ok()?.into_iter().find(|message| message.transcript.is_some())
    })
    .await
    .unwrap();
    assert!(row.recording.is_some());
    let asked = target.carrier.asked();
    let statuses: Vec<_> = asked.iter().filter(|asked| asked.method == "GET").map(|asked| asked.status).collect();
    assert_eq!(
        statuses,
        [Some(503), None, Some(404), Some(200)],
        "asked again at once after a fault, later after a 404"
    );
    target.stop().await.unwrap();
}

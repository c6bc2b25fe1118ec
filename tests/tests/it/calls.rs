use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::{BoxOptions, PhraseBook, Socket, TestBox, wait_until};
use replay::course;
use replay::player::{WakeUps, replay};
use store::CallOutcome;
use testcall::{CallScript, Ended, Happened, Pace, Step, new_call_id};
use units::{CallId, Language, Pii};

/// Delays of wake-ups that are tried with each log.
const SEEDS: u64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_asked_heard_and_thanked_and_everything_is_kept() {
    let book = PhraseBook::new(&["dana levy", "about a flat for rent"]);
    let target = TestBox::start(BoxOptions::understanding(&book)).await.unwrap();
    let script = CallScript::of([
        Step::wait_for_agent(),
        Step::say("dana levy", Language::English),
        Step::wait_for_agent(),
        Step::say("about a flat for rent", Language::English),
        Step::wait_end(),
    ]);
    let report = target.call(&script).await.unwrap();
    assert_eq!(report.ended, Ended::ByRest, "{report:?}");
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let call: CallId = report.call_sid.parse().unwrap();
    let record = target.record(&call).unwrap().unwrap();
    assert_eq!((record.outcome, record.language), (CallOutcome::Completed, Language::English));
    assert!(record.duration_ms.is_some_and(|ms| ms > 2_000));
    let said: Vec<String> = target.turns(&call).unwrap().iter().map(|turn| turn.caller.reveal().clone()).collect();
    assert!(said.iter().any(|text| text == "dana levy"), "{said:?}");
    assert!(said.iter().any(|text| text == "about a flat for rent"), "{said:?}");
    let form = target.forms(&call).unwrap().remove(0);
    assert!(form.complete);
    let filled = form.record.reveal().to_string().to_lowercase();
    assert!(filled.contains("dana levy") && filled.contains("about a flat"), "{filled}");
    let turns = target.figure(r#"kolbox_turn_seconds_count{stage="first_audio"}"#).await.unwrap();
    assert!(turns >= 2.0, "{turns} turns were measured");
    check_log(&target, &call, "two-answers").await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_interrupts_is_listened_to_at_once() {
    let book = PhraseBook::new(&["dana levy", "about a flat for rent", "wait a moment please now"]);
    let target = TestBox::start(BoxOptions::understanding(&book)).await.unwrap();
    let script = CallScript::of([
        Step::Interrupt {
            text: Pii::new("dana levy".to_owned()),
            language: Language::English,
            after: Duration::from_millis(300),
        },
        Step::wait_for_agent(),
        Step::say("about a flat for rent", Language::English),
        Step::wait_end(),
    ]);
    let report = target.call(&script).await.unwrap();
    let stream = report.stream.as_ref().unwrap();
    assert!(stream.clears >= 1 && stream.samples_cleared > 0, "{report:?}");
    let call: CallId = report.call_sid.parse().unwrap();
    assert!(target.turns(&call).unwrap().iter().any(|turn| turn.interrupted));
    check_log(&target, &call, "interruption").await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_says_nothing_is_asked_again_and_then_let_go() {
    let options = BoxOptions::default().configured(|config| {
        config.conversation.silence.no_input = Duration::from_millis(1_500);
        config.conversation.silence.prompts = 1;
    });
    let target = TestBox::start(options).await.unwrap();
    let report = target.call(&CallScript::of([Step::wait_end()])).await.unwrap();
    assert!(!matches!(report.ended, Ended::ByCaller | Ended::ByError), "{report:?}");
    let call: CallId = report.call_sid.parse().unwrap();
    let record = target.record(&call).unwrap().unwrap();
    assert!(matches!(record.outcome, CallOutcome::Silent | CallOutcome::Voicemail), "{:?}", record.outcome);
    check_log(&target, &call, "silence").await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_half_way_leaves_what_was_said() {
    let book = PhraseBook::new(&["dana levy"]);
    let target = TestBox::start(BoxOptions::understanding(&book)).await.unwrap();
    let script = CallScript::of([
        Step::wait_for_agent(),
        Step::say("dana levy", Language::English),
        Step::wait_for_agent(),
        Step::Hangup {},
    ]);
    let report = target.call(&script).await.unwrap();
    assert_eq!(report.ended, Ended::ByCaller);
    let call: CallId = report.call_sid.parse().unwrap();
    let record = ended(&target, &call).await;
    assert_eq!(record.outcome, CallOutcome::CallerHungUp);
    let form = target.forms(&call).unwrap().remove(0);
    assert!(!form.complete && form.record.reveal().to_string().to_lowercase().contains("dana levy"));
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_told_to_stop_keeps_the_call_in_progress_and_asks_the_caller_for_a_message() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let call = new_call_id();
    let token = target.ring(&call).await.unwrap().token().unwrap();
    let mut socket = Socket::plain(&target).await.unwrap();
    socket.start(&call, Some(&token)).await.unwrap();
    socket.spoken_to().await.unwrap();
    let parts = std::sync::Arc::clone(&target.parts);
    parts.shutdown.cancel();
    socket.closed().await.unwrap();
    let way = parts.switchboard.tell(parts.clock.now(), &call, routing::Event::StreamAsked);
    assert_eq!(way, routing::Way::Voicemail { cause: routing::VoicemailCause::Conversation });
    drop(parts);
    let folder = target.stop().await.unwrap();
    let target = TestBox::start(BoxOptions::default().on(folder)).await.unwrap();
    let record = target.record(&call).unwrap().unwrap();
    assert_eq!(record.outcome, CallOutcome::Voicemail);
    assert!(record.duration_ms.is_some());
    assert_eq!(target.readiness().await.unwrap()["parts"]["store"]["state"], "ok");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_told_to_stop_still_answers_what_the_carrier_asks_at_the_end_of_the_stream() {
    let target = TestBox::start(BoxOptions::default().pace(Pace::Times(4))).await.unwrap();
    let script = CallScript::of([Step::wait_end()]);
    let parts = std::sync::Arc::clone(&target.parts);
    let stopping = async {
        wait_until("a call on the line", async || (parts.switchboard.on_line() == 1).then_some(())).await.unwrap();
        parts.shutdown.cancel();
    };
    let (report, ()) = tokio::join!(target.call(&script), stopping);
    let report = report.unwrap();
    let asked: Vec<Option<u16>> = report.requests_to("/stream_ended").map(|request| request.status).collect();
    assert_eq!(asked, [Some(200)], "{report:?}");
    assert_eq!(report.count(|what| *what == Happened::RecordStarted), 1, "{:?}", report.events);
    drop(parts);
    target.stop().await.unwrap();
}

#[test]
fn every_golden_call_is_decided_as_it_was() {
    let folder = golden_folder();
    let logs: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    assert!(logs.len() >= 3, "{} logs in {}", logs.len(), folder.display());
    for path in logs {
        let log = std::fs::read(&path).unwrap();
        if course::is_course(&log) {
            course::replay(&log).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        } else {
            check_replays(&path, SEEDS);
        }
    }
}

/// Waits until a call is on record as over.
async fn ended(target: &TestBox, call: &CallId) -> store::CallRecord {
    wait_until("the end of the call in the store", async || {
        target.record(call).ok().flatten().filter(|record| record.duration_ms.is_some())
    })
    .await
    .unwrap()
}

/// Replays the log the box wrote of a call. With `KOLBOX_GOLDEN=1` it becomes the sample `name` of `tests/calls`.
pub(super) async fn check_log(target: &TestBox, call: &CallId, name: &str) {
    ended(target, call).await;
    let path = target.folder().join("store/calls").join(format!("{call}.log"));
    wait_until("the end of the log", async || {
        let bytes = std::fs::read(&path).ok()?;
        replay(&bytes, WakeUps::OnTime).ok()?.ended.then_some(())
    })
    .await
    .unwrap();
    check_replays(&path, SEEDS);
    if option_env!("KOLBOX_GOLDEN").is_some() {
        std::fs::copy(&path, golden_folder().join(format!("{name}.log"))).unwrap();
    }
}

fn check_replays(path: &Path, seeds: u64) {
    let bytes = std::fs::read(path).unwrap();
    let waking = [WakeUps::OnTime, WakeUps::Never].into_iter();
    for wake_ups in waking.chain((0..seeds).map(|seed| WakeUps::Random { seed })) {
        let replayed = replay(&bytes, wake_ups);
        assert!(replayed.is_ok(), "{} {wake_ups:?}: {replayed:?}", path.display());
        let report = replayed.unwrap();
        assert!(report.ended && report.torn.is_none() && report.unknown == 0, "{} {report}", path.display());
        assert!(report.decisions >= 5, "{} has {} decisions", path.display(), report.decisions);
    }
}

pub(super) fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("calls")
}

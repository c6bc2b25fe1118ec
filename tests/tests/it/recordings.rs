//! Recordings of whole calls.

use std::fs;

use appliance::config::Config;
use e2e::{BoxOptions, PhraseBook, TestBox, wait_until};
use media::wav::Wav;
use routing::Consent;
use store::CallRecord;
use testcall::{CallReport, CallScript, Step};
use units::{CallId, Language};

const NAME: &str = "dana levy";

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_recorded_with_the_caller_left_and_the_box_right_and_the_caller_is_told() {
    let target = recording(|_| {}).await;
    let report = target.call(&short_call()).await.unwrap();
    let record = ended(&target, &report).await;
    let name = record.recording.unwrap();
    assert_eq!(name.to_string(), format!("call-{}", record.call));
    let file = fs::read(target.parts.archive.recordings().unwrap().path(&name)).unwrap();
    let sound = Wav::parse(&file).unwrap();
    assert_eq!((sound.spec().channels, sound.spec().rate.hz()), (2, 8_000));
    let samples: Vec<i16> = file[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let loud = |channel: usize| -> Vec<usize> {
        let side = samples.iter().skip(channel).step_by(2).enumerate();
        side.filter(|(_, sample)| sample.unsigned_abs() > 2_000).map(|(at, _)| at).collect()
    };
    let (caller, agent) = (loud(0), loud(1));
    assert!(caller.len() > 1_000 && agent.len() > 1_000, "{} and {} loud samples", caller.len(), agent.len());
    assert!(agent[0] < caller[0], "the box greets, the caller answers");
    assert!(agent.last() > caller.last(), "and the box replies");
    // The caller waited for the greeting to end, so that neither is heard in the other's channel.
    let answer = caller[0]..=*caller.last().unwrap();
    assert!(agent.iter().all(|at| !answer.contains(at)), "both are heard at once");
    let told = target.ring(&testcall::new_call_id()).await.unwrap().text();
    assert!(told.contains("recorded_en.wav"), "{told}");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_recorded_that_is_not_to_be_and_without_the_key_none_where_one_is_asked_for() {
    let off: fn(&mut Config) = |config| config.recording.calls = false;
    let asked: fn(&mut Config) = |config| config.recording.consent = Consent::Key;
    for configure in [off, asked] {
        let target = recording(configure).await;
        let report = target.call(&short_call()).await.unwrap();
        assert_eq!(ended(&target, &report).await.recording, None);
        assert_eq!(fs::read_dir(target.folder().join("store/recordings")).unwrap().count(), 0);
        target.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_on_where_it_cannot_be_recorded() {
    let target = recording(|_| {}).await;
    let recordings = target.folder().join("store/recordings");
    fs::remove_dir_all(&recordings).unwrap();
    fs::write(&recordings, "in the way").unwrap();
    let report = target.call(&short_call()).await.unwrap();
    assert!(!report.agent_speech.is_empty());
    assert_eq!(ended(&target, &report).await.recording, None);
    target.stop().await.unwrap();
}

async fn recording(configure: impl FnOnce(&mut Config) + Send + 'static) -> TestBox {
    let options = BoxOptions::understanding(&PhraseBook::new(&[NAME])).configured(|config| {
        config.recording.calls = true;
        configure(config);
    });
    TestBox::start(options).await.unwrap()
}

fn short_call() -> CallScript {
    CallScript::of([
        Step::wait_for_agent(),
        Step::say(NAME, Language::English),
        Step::wait_for_agent(),
        Step::Hangup {},
    ])
}

async fn ended(target: &TestBox, report: &CallReport) -> CallRecord {
    let call: CallId = report.call_sid.parse().unwrap();
    wait_until("the end of the call in the store", async || {
        target.record(&call).ok().flatten().filter(|record| record.duration_ms.is_some())
    })
    .await
    .unwrap()
}

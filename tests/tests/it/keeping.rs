use std::fs;
use std::path::{Path, PathBuf};

use e2e::{BoxOptions, TestBox};
use store::{Store, StoreConfig};
use testcall::{CallScript, Step, new_call_id};
use units::CallId;

use crate::rest::Rest;

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_is_told_and_calls_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    fs::write(&file, "not a folder").unwrap();
    let options = BoxOptions::default().configured(move |config| config.store.path = file.join("store"));
    let target = TestBox::start(options).await.unwrap();
    check_answers_without_store(&target, "nothing is kept").await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_another_program_holds_is_told_and_calls_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let held = Store::open(&StoreConfig::new(folder.path().join("store"))).unwrap();
    let target = TestBox::start(BoxOptions::default().on(folder)).await.unwrap();
    check_answers_without_store(&target, "in use").await;
    drop(held);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_not_acknowledged_when_it_cannot_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let held = Store::open(&StoreConfig::new(folder.path().join("store"))).unwrap();
    let target = TestBox::start(BoxOptions::default().on(folder)).await.unwrap();
    let account = format!("{}/2010-04-01/Accounts/{}", target.carrier.api_url(), e2e::ACCOUNT);
    let params = message_at(format!("{account}/Recordings/RE01"));
    assert_eq!(target.post("/webhook/handle_recording", &params).await.unwrap().status, 503, "the carrier asks again");
    drop(held);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_garbage_is_set_aside_told_and_replaced() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let call = new_call_id();
    target.ring(&call).await.unwrap();
    let folder = target.stop().await.unwrap();
    for file in database_files(folder.path()) {
        let length = fs::metadata(&file).unwrap().len();
        fs::write(&file, "garbage ".repeat(usize::try_from(length / 8 + 1).unwrap())).unwrap();
    }
    let target = TestBox::start(BoxOptions::default().on(folder)).await.unwrap();
    let readiness = target.readiness().await.unwrap();
    assert_eq!(readiness["parts"]["store"]["state"], "degraded", "{readiness}");
    assert!(target.folder().join("store/quarantine").is_dir(), "it is moved aside, not deleted");
    assert!(target.is_well().await.unwrap());
    let new = new_call_id();
    target.ring(&new).await.unwrap();
    assert!(target.record(&new).unwrap().is_some(), "new calls are kept again");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bytes_in_the_database_lose_no_more_than_the_box_tells() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let calls: Vec<CallId> = (0..20).map(|_| new_call_id()).collect();
    for call in &calls {
        target.ring(call).await.unwrap();
        target.parts.switchboard.forget(call);
    }
    let folder = target.stop().await.unwrap();
    for file in database_files(folder.path()) {
        let mut bytes = fs::read(&file).unwrap();
        let len = bytes.len();
        for at in [len / 3, len / 2, len - len / 4] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 0xff;
            }
        }
        fs::write(&file, bytes).unwrap();
    }
    let target = TestBox::start(BoxOptions::default().on(folder)).await.unwrap();
    let kept = calls.iter().filter(|call| target.record(call).ok().flatten().is_some()).count();
    let readiness = target.readiness().await.unwrap();
    let tells = readiness["parts"]["store"]["state"] == "degraded";
    assert!(kept == calls.len() || tells, "{kept} of {} calls are left and {readiness}", calls.len());
    assert!(kept + 2 >= calls.len(), "three bytes cost {} calls", calls.len() - kept);
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_finds_no_room_is_fetched_when_there_is_again() {
    let rest = Rest::start([], vec![0; 800]).await;
    let url = rest.url.clone();
    let target =
        TestBox::start(BoxOptions::default().configured(move |config| config.carrier.api_url = url)).await.unwrap();
    // A file in the place of the folder: every write fails, as on a full disk.
    let recordings = target.folder().join("store/recordings");
    fs::remove_dir_all(&recordings).unwrap();
    fs::write(&recordings, "in the way").unwrap();
    let params = message_at(rest.recording_url("RE01"));
    assert_eq!(target.post("/webhook/handle_recording", &params).await.unwrap().status, 200);
    let why = e2e::wait_until("a word about it", async || {
        let readiness = target.readiness().await.ok()?;
        readiness["parts"]["recordings"]["why"].as_str().map(str::to_owned)
    });
    assert!(why.await.unwrap().contains("could not be written"));
    assert!(target.is_well().await.unwrap());
    let readiness = target.readiness().await.unwrap();
    assert_eq!(
        readiness["status"], "degraded",
        "records that are written since say nothing of recordings: {readiness}"
    );
    let folder = target.stop().await.unwrap();

    fs::remove_file(&recordings).unwrap();
    let url = rest.url.clone();
    let options = BoxOptions::default().on(folder).configured(move |config| config.carrier.api_url = url);
    let target = TestBox::start(options).await.unwrap();
    let message = e2e::wait_until("the message", async || {
        target.messages().ok()?.into_iter().find(|message| message.recording.is_some())
    });
    assert_eq!(message.await.unwrap().duration_ms, 100);
    assert_eq!(target.readiness().await.unwrap()["status"], "ready");
    target.stop().await.unwrap();
}

fn message_at(address: String) -> telephony::Params {
    telephony::Params::new()
        .with("CallSid", new_call_id().as_str())
        .with("AccountSid", e2e::ACCOUNT)
        .with("RecordingSid", "RE01")
        .with("RecordingUrl", address)
}

async fn check_answers_without_store(target: &TestBox, why: &str) {
    let readiness = target.readiness().await.unwrap();
    assert_eq!(readiness["status"], "degraded");
    let told = readiness["parts"]["store"]["why"].as_str().unwrap();
    assert!(told.contains(why), "{told}");
    assert!(target.is_well().await.unwrap());
    let report = target.call(&CallScript::of([Step::wait_for_agent(), Step::Hangup {}])).await.unwrap();
    assert!(!report.agent_speech.is_empty(), "the caller is spoken to: {report:?}");
}

fn database_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder.join("store")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with('v') {
            collect(&entry.path(), &mut files);
        }
    }
    assert!(!files.is_empty());
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

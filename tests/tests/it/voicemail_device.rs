//! Messages that the box records itself, over the stream that the conversation was on.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use appliance::config::Config;
use e2e::{BoxOptions, PhraseBook, TestBox, engines, wait_until};
use leads::SourceKind;
use speech::{Recognition, RecognizeError, RecognizeRequest, Recognizer};
use store::{CallOutcome, Leads, Query, VoicemailPath, VoicemailRecord};
use testcall::{CallReport, CallScript, Ended, Happened, Step};
use units::{CallId, Language, Pii};

use crate::calls::check_log;
use crate::routes::{OWNER, notices, told, told_all};

const MESSAGE: &str = "please call me back about the flat";
/// Long enough to be noticed as something that was not understood.
const MUMBLE: &str = "mumble mumble mumble mumble mumble mumble";

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_is_not_understood_leaves_a_message_that_the_box_records_itself() {
    let target = TestBox::start(hard_of_hearing(|_| {})).await.unwrap();
    let report = target.call(&asked(&[Step::say(MESSAGE, Language::English), Step::wait_end()])).await.unwrap();
    assert_eq!(report.ended, Ended::ByRest, "{report:?}");
    check_recorded_here(&report);
    let message = written_down(&target, &report).await;
    assert_eq!(message.path, Some(VoicemailPath::Device));
    assert_eq!(message.transcript.as_ref().unwrap().reveal(), MESSAGE);
    assert_eq!(message.summary.as_ref().unwrap().reveal(), MESSAGE);
    assert_eq!((message.language, message.caller.reveal().as_str()), (Some(Language::English), "+972500000001"));
    assert!((1_750..8_000).contains(&message.duration_ms), "{} ms", message.duration_ms);
    let file = fs::read(recording(&target, &message)).unwrap();
    assert_eq!(file.len() as u64, 44 + message.duration_ms * 16, "{} ms", message.duration_ms);
    assert_eq!(target.figure("kolbox_voicemails_total").await.unwrap(), 1.0);
    let call = call_of(&report);
    check_log(&target, &call, "voicemail-device").await;
    assert_eq!(target.record(&call).unwrap().unwrap().outcome, CallOutcome::Voicemail);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_message_that_the_box_recorded_itself_is_told_before_its_words_are_known() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let hears = engines(move || Ok(Box::new(HearsLate(PhraseBook::new(&["", MESSAGE]).recognizer(), wait.clone()))));
    let options = BoxOptions::with_engines(hears).speaking(PhraseBook::new(&[MUMBLE, MESSAGE])).configured(|config| {
        config.voicemail.silence_seconds = 3;
        config.messages.owner = vec![Pii::new(OWNER.to_owned())];
        config.messages.sms_number = Some(Pii::new("+972700000000".to_owned()));
    });
    let target = TestBox::start(options).await.unwrap();
    let report = target.call(&asked(&[Step::say(MESSAGE, Language::English), Step::wait_end()])).await.unwrap();
    check_recorded_here(&report);
    assert_eq!(notices(&target).len(), 1);
    assert!(told(&target).is_empty());
    let leads = async || {
        let leads = target.store().ok()?.query(&Query::<Leads>::all()).ok()?;
        leads.into_iter().map(|(_, lead)| lead).find(|lead| lead.sources.contains_key(&SourceKind::Voicemail))
    };
    let first = wait_until("the lead", leads).await.unwrap();
    assert!(target.messages().unwrap()[0].transcript.is_none());
    drop(go);
    assert_eq!(told_all(&target).await, [format!("New voicemail: +972500000001: {MESSAGE}")]);
    let lead =
        wait_until("the lead with the words", async || leads().await.filter(|lead| lead.version > first.version));
    assert_eq!(lead.await.unwrap().sources, first.sources);
    target.stop().await.unwrap();
}

/// Understands the message when something is sent or the sender is gone.
struct HearsLate(Box<dyn Recognizer>, Arc<Mutex<mpsc::Receiver<()>>>);

impl Recognizer for HearsLate {
    fn recognize(
        &mut self,
        request: &RecognizeRequest,
        interim: &mut dyn FnMut(&str),
    ) -> Result<Recognition, RecognizeError> {
        let heard = self.0.recognize(request, interim)?;
        if heard.text.reveal() == MESSAGE {
            self.1.lock().unwrap_or_else(PoisonError::into_inner).recv().unwrap_or_default();
        }
        Ok(heard)
    }

    fn model(&self) -> &'static str {
        "hears late"
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_the_message_and_a_caller_who_hangs_up_has_left_one() {
    let target = TestBox::start(hard_of_hearing(|config| config.voicemail.silence_seconds = 60)).await.unwrap();
    let keyed = asked(&[Step::say(MESSAGE, Language::English), dtmf("#"), Step::wait_end()]);
    let report = target.call(&keyed).await.unwrap();
    assert_eq!(report.ended, Ended::ByRest, "{report:?}");
    assert_eq!(written_down(&target, &report).await.transcript.unwrap().reveal(), MESSAGE);

    let report = target.call(&asked(&[Step::say(MESSAGE, Language::English), Step::Hangup {}])).await.unwrap();
    assert_eq!(report.ended, Ended::ByCaller, "{report:?}");
    assert_eq!(written_down(&target, &report).await.transcript.unwrap().reveal(), MESSAGE);
    assert_eq!(target.messages().unwrap().len(), 2);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_says_nothing_leaves_no_message_and_no_file() {
    let target = TestBox::start(hard_of_hearing(|config| config.voicemail.silence_seconds = 1)).await.unwrap();
    let report = target.call(&asked(&[Step::wait_end()])).await.unwrap();
    assert_eq!(report.ended, Ended::ByRest, "{report:?}");
    check_recorded_here(&report);
    assert!(target.messages().unwrap().is_empty());
    assert_eq!(fs::read_dir(target.folder().join("store/recordings")).unwrap().count(), 0);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_cannot_write_leaves_the_message_to_the_carrier() {
    let target = TestBox::start(hard_of_hearing(|_| {})).await.unwrap();
    // A file in the place of the folder: every write fails, as on a full disk.
    let recordings = target.folder().join("store/recordings");
    fs::remove_dir_all(&recordings).unwrap();
    fs::write(&recordings, "in the way").unwrap();
    let script = asked(&[Step::wait_end()]).with_voicemail([Step::say(MESSAGE, Language::English)]);
    let report = target.call(&script).await.unwrap();
    check_recorded_by_the_carrier(&report);
    let message = target.messages().unwrap().remove(0);
    assert_ne!(message.path, Some(VoicemailPath::Device), "the caller is asked by the carrier: {report:?}");
    let readiness = target.readiness().await.unwrap();
    assert_eq!(readiness["parts"]["recordings"]["state"], "degraded", "{readiness}");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_may_leave_all_messages_to_the_carrier() {
    let target = TestBox::start(hard_of_hearing(|config| config.voicemail.on_device = false)).await.unwrap();
    let script = asked(&[Step::wait_end()]).with_voicemail([Step::say(MESSAGE, Language::English)]);
    let report = target.call(&script).await.unwrap();
    check_recorded_by_the_carrier(&report);
    let message = written_down(&target, &report).await;
    // Action and callback come at about the same time; whichever is first makes the record.
    let by_carrier = [VoicemailPath::CarrierAction, VoicemailPath::CarrierCallback].map(Some);
    assert!(by_carrier.contains(&message.path), "{:?}", message.path);
    assert_eq!(message.transcript.unwrap().reveal(), MESSAGE);
    check_log(&target, &call_of(&report), "voicemail-carrier").await;
    assert_eq!(target.messages().unwrap().len(), 1, "the callback tells of the same recording");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_on_the_carrier_is_told_of_by_the_callback_alone() {
    let target = TestBox::start(hard_of_hearing(|config| config.voicemail.on_device = false)).await.unwrap();
    let script = asked(&[Step::wait_end()]).with_voicemail([Step::Hangup {}]);
    let report = target.call(&script).await.unwrap();
    let call = call_of(&report);
    assert!(target.messages().unwrap().is_empty());
    let told = telephony::Params::new()
        .with("AccountSid", e2e::ACCOUNT)
        .with("CallSid", call.as_str())
        .with("RecordingSid", "RE0123456789abcdef0123456789abcdef")
        .with("RecordingStatus", "completed")
        .with("RecordingDuration", "4");
    assert_eq!(target.post("/webhook/recording_status", &told).await.unwrap().status, 200);
    let message = target.messages().unwrap().remove(0);
    assert_eq!(message.path, Some(VoicemailPath::CarrierCallback));
    assert_eq!((message.caller.reveal().as_str(), message.duration_ms), ("+972500000001", 4_000));
    check_log(&target, &call, "voicemail-callback").await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_survives_the_death_of_the_box_as_far_as_it_was_written() {
    let target = TestBox::start(hard_of_hearing(|config| config.voicemail.silence_seconds = 60)).await.unwrap();
    let left_by_the_dead = tempfile::tempdir().unwrap();
    let script = asked(&[Step::say(MESSAGE, Language::English), Step::Silence { lasting: Duration::from_secs(4) }]);
    let dying = wait_until("two seconds of a message on the disk", async || {
        let mut files = fs::read_dir(target.folder().join("store/recordings")).ok()?.flatten();
        let part = files.find(|file| file.file_name().to_string_lossy().ends_with(".part"))?;
        // What is on the disk at this moment is what a killed program leaves.
        (part.metadata().ok()?.len() > 32_000).then(|| copy(target.folder(), left_by_the_dead.path()))
    });
    let (report, copied) = tokio::join!(target.call(&script), dying);
    copied.unwrap();
    let report = report.unwrap();
    target.stop().await.unwrap();

    let target = TestBox::start(hard_of_hearing(|_| {}).on(left_by_the_dead)).await.unwrap();
    let message = written_down(&target, &report).await;
    assert_eq!(message.path, Some(VoicemailPath::Device));
    assert_eq!((message.key.call.clone(), message.caller.reveal().as_str()), (call_of(&report), "+972500000001"));
    assert!(message.duration_ms >= 1_900, "{} ms", message.duration_ms);
    assert_eq!(message.transcript.as_ref().unwrap().reveal(), MESSAGE);
    assert_eq!(target.record(&call_of(&report)).unwrap().unwrap().outcome, CallOutcome::Interrupted);
    let folder = target.stop().await.unwrap();
    let target = TestBox::start(hard_of_hearing(|_| {}).on(folder)).await.unwrap();
    assert_eq!(target.messages().unwrap().len(), 1, "it is found once");
    target.stop().await.unwrap();
}

/// A box that understands nothing but the message, so that it asks for one, and is done after three seconds of silence.
fn hard_of_hearing(configure: impl FnOnce(&mut Config) + Send + 'static) -> BoxOptions {
    let heard = PhraseBook::new(&["", MESSAGE]);
    let hears = engines(move || Ok(heard.recognizer()));
    BoxOptions::with_engines(hears).speaking(PhraseBook::new(&[MUMBLE, MESSAGE])).configured(|config| {
        config.voicemail.silence_seconds = 3;
        configure(config);
    })
}

/// A caller who is asked for a message, and what comes behind the beep.
fn asked(behind: &[Step]) -> CallScript {
    let mumble = || [Step::wait_for_agent(), Step::say(MUMBLE, Language::English)];
    let beep = Step::WaitForAgentToFinish { quiet: Duration::from_millis(700), limit: Duration::from_secs(30) };
    let steps = [&mumble()[..], &mumble()[..], &[beep], behind].concat();
    CallScript::of(steps)
}

fn dtmf(digits: &str) -> Step {
    Step::Dtmf { digits: Pii::new(digits.to_owned()) }
}

fn check_recorded_here(report: &CallReport) {
    assert_eq!(report.count(|what| *what == Happened::RecordStarted), 0, "{:?}", report.events);
}

fn check_recorded_by_the_carrier(report: &CallReport) {
    assert_eq!(report.count(|what| *what == Happened::RecordStarted), 1, "{:?}", report.events);
}

/// Waits until the call's message is written down.
async fn written_down(target: &TestBox, report: &CallReport) -> VoicemailRecord {
    let call = call_of(report);
    wait_until("the transcript of the message", async || {
        let messages = target.messages().ok()?;
        messages.into_iter().find(|message| message.key.call == call && message.transcript.is_some())
    })
    .await
    .unwrap()
}

fn recording(target: &TestBox, message: &VoicemailRecord) -> std::path::PathBuf {
    target.parts.archive.recordings().unwrap().path(message.recording.as_ref().unwrap())
}

fn call_of(report: &CallReport) -> CallId {
    report.call_sid.parse().unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if let Err(error) = fs::copy(entry.path(), &target) {
            // Files come and go while the box lives.
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
        }
    }
}

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use appliance::config::Config;
use appliance::voice::Engines;
use e2e::{BoxOptions, TestBox, engines};
use speech::fakes::{FakeVad, Hears, ScriptedRecognizer};
use speech::{Flow, SynthesizeError, SynthesizeRequest, Synthesizer};
use store::CallOutcome;
use testcall::{CallReport, CallScript, Ended, Happened, Step, new_call_id};
use units::{CallId, Language};

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_model_is_told_and_the_caller_is_asked_for_a_message() {
    let options = BoxOptions::with_engines(engines(|| Err("there is no such model".into())));
    let target = TestBox::start(options).await.unwrap();
    check_takes_messages(&target, "recognizer", "no such model").await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_or_corrupt_model_folder_is_told_and_the_caller_is_asked_for_a_message() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = tempfile::tempdir().unwrap();
    let (empty, truncated) = (folder.path().join("empty"), folder.path().join("truncated"));
    fs::create_dir_all(&empty).unwrap();
    copy_truncated(&root.join("models/receptionist-mini"), &truncated);
    for model in [empty, truncated, folder.path().join("missing")] {
        let onnxruntime = root.join(".setup/onnxruntime/libonnxruntime.so");
        let mut config =
            Config::parse(Path::new("x"), "[http]\npublic_url = 'http://127.0.0.1:1'\n[carrier]\n").unwrap();
        config.recognizer.model = model.clone();
        config.recognizer.onnxruntime = onnxruntime;
        let mut device = Engines::of_device(&config);
        let options = BoxOptions::with_engines(engines(move || (device.recognizer)()));
        let target = TestBox::start(options).await.unwrap();
        let readiness = target.readiness().await.unwrap();
        assert_eq!(readiness["parts"]["recognizer"]["state"], "degraded", "{}: {readiness}", model.display());
        assert!(target.ring(&new_call_id()).await.unwrap().is_voicemail(), "{}", model.display());
        target.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_finds_every_recognizer_busy_falls_to_voicemail_and_the_next_does_not() {
    let (go, wait) = mpsc::channel();
    let mut script = Some(vec![Hears::Waits(wait, "late")]);
    let hears = engines(move || Ok(Box::new(ScriptedRecognizer::new(script.take().unwrap_or_default()))));
    let options = BoxOptions::with_engines(hears).configured(|config| {
        config.recognizer.queue = NonZeroUsize::MIN;
        config.voicemail.on_device = false;
    });
    let target = TestBox::start(options).await.unwrap();
    let mut jobs = Vec::new();
    // One is being recognized for ever, then the queue is filled up.
    loop {
        let request = target.parts.recognize_request(vec![0.0; 1_600]);
        match target.parts.voice.recognize(request, |_heard| {}) {
            Ok(job) => jobs.push(job),
            Err(_busy) if jobs.len() >= 2 => break,
            Err(_busy) => tokio::task::yield_now().await,
        }
    }
    let report = target.call(&one_answer()).await.unwrap();
    check_recorded(&report);
    assert!(target.figure(r#"kolbox_speech_busy_total{reason="recognizer"}"#).await.unwrap() >= 1.0);
    go.send(()).unwrap();
    e2e::wait_until("a recognizer that is free", async || {
        let request = target.parts.recognize_request(vec![0.0; 1_600]);
        target.parts.voice.recognize(request, |_heard| {}).ok()
    })
    .await
    .unwrap();
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recognizer_that_panics_ends_no_other_call() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let hears = engines(move || {
        let script = match count.fetch_add(1, Ordering::Relaxed) {
            0 => vec![Hears::Panics],
            _ => (0..20).map(|_| Hears::Text("dana levy")).collect(),
        };
        Ok(Box::new(ScriptedRecognizer::new(script)))
    });
    let target = TestBox::start(BoxOptions::with_engines(hears)).await.unwrap();
    let first = target.call(&one_answer()).await.unwrap();
    let second = target.call(&one_answer()).await.unwrap();
    assert!(made.load(Ordering::Relaxed) >= 2, "the worker was made again");
    for report in [&first, &second] {
        let call: CallId = report.call_sid.parse().unwrap();
        assert!(target.record(&call).unwrap().unwrap().duration_ms.is_some());
    }
    let heard = target.turns(&second.call_sid.parse().unwrap()).unwrap();
    assert!(heard.iter().any(|turn| turn.caller.reveal().contains("dana levy")), "the second call is understood");
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recognizer_that_fails_again_and_again_leads_to_voicemail() {
    let hears = engines(|| Ok(Box::new(ScriptedRecognizer::new((0..50).map(|_| Hears::Fails)))));
    let options = BoxOptions::with_engines(hears).configured(|config| config.voicemail.silence_seconds = 1);
    let target = TestBox::start(options).await.unwrap();
    let steps = [Step::wait_for_agent(), Step::say("hello", Language::English)];
    let script = CallScript::of([&steps[..], &steps[..], &steps[..], &[Step::wait_end()]].concat());
    let report = target.call(&script).await.unwrap();
    // Who cannot hear can still play and record.
    assert_eq!(report.ended, Ended::ByRest, "{report:?}");
    let call: CallId = report.call_sid.parse().unwrap();
    assert_eq!(target.record(&call).unwrap().unwrap().outcome, CallOutcome::Voicemail);
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_speech_program_is_told_and_the_caller_is_asked_for_a_message() {
    let options = BoxOptions::with_engines(speaking_by(Path::new("/no/such/program")));
    let target = TestBox::start(options).await.unwrap();
    check_takes_messages(&target, "synthesizer_english", "espeak-ng").await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speech_program_that_hangs_is_told_and_the_caller_is_asked_for_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("hangs");
    // Reads for ever what nobody writes, and says nothing.
    fs::write(&program, "#!/bin/sh\nexec tail -f /dev/null\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let target = TestBox::start(BoxOptions::with_engines(speaking_by(&program))).await.unwrap();
    check_takes_messages(&target, "synthesizer_english", "no audio").await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_fails_in_the_middle_of_a_call_leads_to_voicemail() {
    let mut voiced = engines(|| Ok(Box::new(ScriptedRecognizer::new([]))));
    voiced.synthesizer = Box::new(|| Ok(Box::new(FailsAfterStart { left: 3 })));
    let options = BoxOptions::with_engines(voiced).configured(|config| {
        config.synthesizer.workers = NonZeroUsize::MIN;
        config.greeting.recordings = None;
    });
    let target = TestBox::start(options).await.unwrap();
    let report = target.call(&CallScript::of([Step::wait_end()])).await.unwrap();
    check_recorded(&report);
    assert_eq!(target.get("/healthz").await.unwrap().status, 200);
    target.stop().await.unwrap();
}

/// Speaks a few sentences and then no more.
struct FailsAfterStart {
    left: usize,
}

impl Synthesizer for FailsAfterStart {
    fn synthesize(
        &mut self,
        _request: &SynthesizeRequest,
        audio: &mut dyn FnMut(&[i16]) -> Flow,
    ) -> Result<(), SynthesizeError> {
        if self.left == 0 {
            return Err(SynthesizeError::Failed { reason: "the script says so".to_owned() });
        }
        self.left -= 1;
        audio(&[4_000; 1_600]);
        Ok(())
    }

    fn voice(&self) -> &'static str {
        "fails soon"
    }
}

/// Engines with the real voice, by this program.
fn speaking_by(program: &Path) -> Engines {
    let mut config = Config::parse(Path::new("x"), "[http]\npublic_url = 'http://127.0.0.1:1'\n[carrier]\n").unwrap();
    config.synthesizer.program = PathBuf::from(program);
    config.synthesizer.first_audio = Duration::from_millis(300);
    config.store.path = PathBuf::from("/no/such/folder");
    let device = Engines::of_device(&config);
    let mut mixed = engines(|| Ok(Box::new(ScriptedRecognizer::new([]))));
    mixed.synthesizer = device.synthesizer;
    mixed.vad = Box::new(|| Box::new(FakeVad));
    mixed
}

/// The part is said to be degraded, and a call is answered by voicemail, which works to the end.
async fn check_takes_messages(target: &TestBox, part: &str, why: &str) {
    let readiness = target.readiness().await.unwrap();
    assert_eq!(readiness["status"], "degraded");
    assert_eq!(readiness["parts"][part]["state"], "degraded", "{readiness}");
    let told = readiness["parts"][part]["why"].as_str().unwrap();
    assert!(told.contains(why), "{told}");
    let answer = target.ring(&new_call_id()).await.unwrap();
    assert!(answer.is_voicemail(), "{}", answer.text());
    let script = CallScript::default().with_voicemail([Step::say("call me", Language::English)]);
    let report = target.call(&script).await.unwrap();
    check_recorded(&report);
    let call: CallId = report.call_sid.parse().unwrap();
    assert!(target.messages().unwrap().iter().any(|message| message.key.call == call), "the message is kept");
    assert_eq!(target.get("/healthz").await.unwrap().status, 200);
}

fn check_recorded(report: &CallReport) {
    assert_eq!(report.count(|what| *what == Happened::RecordStarted), 1, "{:?}", report.events);
}

fn one_answer() -> CallScript {
    CallScript::of([
        Step::wait_for_agent(),
        Step::say("hello there", Language::English),
        Step::wait_for_agent(),
        Step::Hangup {},
    ])
}

/// Copies what is there of a model, each file cut in half.
fn copy_truncated(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let Ok(files) = fs::read_dir(from) else { return };
    for entry in files {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            fs::write(to.join(entry.file_name()), &bytes[..bytes.len() / 2]).unwrap();
        }
    }
}

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use e2e::{BoxOptions, PhraseBook, TestBox};
use fakes::{Behaviour, Cloud, CloudConfig, Credentials, Fault, Service};
use testcall::{CallScript, Faults, Step};
use tracing_subscriber::fmt::MakeWriter;
use units::{Language, Pii};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_number_and_no_word_of_a_caller_is_ever_logged() {
    let log = Log::default();
    // Everything of ours at the finest level; libraries log what a box is never told to log.
    let filter = "warn,appliance=trace,cloud=trace,fakes=trace,hyper=trace,hyper_util=trace,reqwest=trace,rustls=trace,weather=trace,conversation=trace,receptionist=trace,speech=trace,store=trace,telephony=trace";
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(log.clone());
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();

    let book = PhraseBook::new(&["zebulon quimby", "about a vermilion villa", "zucchini message"]);
    let target = TestBox::start(BoxOptions::understanding(&book)).await.unwrap();
    let numbers = |mut script: CallScript| {
        script.from = Pii::new("+972541239876".to_owned());
        script.to = Pii::new("+97235559182".to_owned());
        script
    };
    let script = numbers(CallScript::of([
        Step::wait_for_agent(),
        Step::say("zebulon quimby", Language::English),
        Step::wait_for_agent(),
        Step::keys("7351"),
        Step::wait_for_agent(),
        Step::say("about a vermilion villa", Language::English),
        Step::wait_end(),
    ]));
    let report = target.call(&script).await.unwrap();
    assert!(!target.turns(&report.call_sid.parse().unwrap()).unwrap().is_empty());
    let refused = Faults { refuse_stream: true, ..Faults::default() };
    let voicemail = CallScript::default().with_voicemail([Step::say("zucchini message", Language::English)]);
    target.call(&numbers(voicemail.with_faults(refused))).await.unwrap();
    e2e::wait_until("the transcript", async || {
        target.messages().ok()?.into_iter().find(|message| message.transcript.is_some())
    })
    .await
    .unwrap();
    let unsigned = numbers(CallScript::default())
        .with_faults(Faults { signature: testcall::Signing::WrongKey, ..Faults::default() });
    target.call(&unsigned).await.unwrap();
    target.stop().await.unwrap();

    let short = numbers(CallScript::of([
        Step::wait_for_agent(),
        Step::say("zebulon quimby", Language::English),
        Step::wait_for_agent(),
        Step::Hangup {},
    ]));
    let secrets = call_under_clouds(&book, &short).await;

    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).to_lowercase();
    assert!(text.contains("call ended") && text.contains("message written down"), "the log is the real one: {text}");
    let service_account: serde_json::Value = serde_json::from_str(&secrets.google_service_account).unwrap();
    let private_key = service_account["private_key"].as_str().unwrap().lines().nth(1).unwrap().to_lowercase();
    assert!(!text.contains(&private_key), "the service account's key was logged");
    for secret in [
        "541239876",
        "0541239876",
        "35559182",
        "zebulon",
        "quimby",
        "vermilion",
        "villa",
        "zucchini",
        "7351",
        e2e::KEY,
        &secrets.openai_key,
        "private key-----",
        "bearer ",
    ] {
        let line = text.lines().find(|line| without_time(line).contains(secret));
        assert_eq!(line, None, "'{secret}' was logged");
    }
}

/// Returns a line of the log without the time it begins with, whose digits are nobody's.
fn without_time(line: &str) -> &str {
    match line.split_once(' ') {
        Some((time, rest)) if time.starts_with("20") && time.ends_with('z') => rest,
        _ => line,
    }
}

/// Places the call at boxes whose cloud works, refuses the key, and answers nonsense; returns the keys.
async fn call_under_clouds(book: &PhraseBook, script: &CallScript) -> Credentials {
    let cloud = Cloud::start(CloudConfig::default()).await.unwrap();
    for fault in [None, Some(Fault::Unauthorized), Some(Fault::TruncatedJson)] {
        for service in Service::ALL {
            cloud.set(service, Behaviour { fault, ..Behaviour::default() });
        }
        let target = TestBox::start(BoxOptions::understanding(book).under(&cloud)).await.unwrap();
        target.call(script).await.unwrap();
        target.stop().await.unwrap();
    }
    assert!(cloud.requests(Service::Transcribe) > 0 && cloud.requests(Service::Chat) > 0);
    cloud.credentials()
}

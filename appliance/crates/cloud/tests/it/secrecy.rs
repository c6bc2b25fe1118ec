//! No log has a key, a text or a sound in it, however much is logged.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use fakes::{Behaviour, ChatRule, Cloud, CloudConfig, Fault};
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{SAID, USED, ask, config};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut captured = self.0.lock().map_err(|_poisoned| io::Error::from(io::ErrorKind::Other))?;
        captured.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Takes what libraries log without `tracing`.
struct Bridge(Captured);

impl log::Log for Bridge {
    fn enabled(&self, _metadata: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        use io::Write as _;
        writeln!(self.0.clone(), "{} {}", record.target(), record.args()).unwrap();
    }

    fn flush(&self) {}
}

/// Captures everything this process logs from now on.
fn capture() -> Captured {
    static BRIDGE: OnceLock<Bridge> = OnceLock::new();
    let captured = Captured::default();
    let bridge = BRIDGE.get_or_init(|| Bridge(captured.clone()));
    log::set_logger(bridge).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(captured.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    captured
}

#[tokio::test]
async fn nothing_of_a_request_is_logged() {
    let captured = capture();
    let rule = ChatRule { say: vec!["Daphne is out.".to_owned()], ..ChatRule::default() };
    let cloud = Cloud::start(CloudConfig { chat: vec![rule], ..config() }).await.unwrap();
    let faults = [None, Some(Fault::Unauthorized), Some(Fault::TruncatedJson), Some(Fault::CutMidStream)];
    let mut errors = String::new();
    for fault in faults {
        for service in USED {
            cloud.set(service, Behaviour { fault, after_items: 2, ..Behaviour::default() });
            let (_, result) = ask(&cloud, service).await;
            if let Err(error) = result {
                writeln!(errors, "{error} {error:?} {:?}", error.failure()).unwrap();
            }
        }
    }
    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("hyper") || log.contains("reqwest"), "nothing was captured");
    assert!(errors.lines().count() >= 3 * USED.len());
    let account: Value = serde_json::from_str(&cloud.credentials().google_service_account).unwrap();
    let email = account["client_email"].as_str().unwrap();
    let secrets = [
        &cloud.credentials().openai_key,
        "eyJ",
        email,
        SAID,
        "הודעה",
        "Daphne",
        "hello",
        "Hello",
        "שלום",
        "languageCode",
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "logged: {secret}");
        assert!(!errors.contains(secret), "in an error: {secret}\n{errors}");
    }
}

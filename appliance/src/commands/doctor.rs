//! `kolbox doctor`: would this box answer the phone? A line each, with what to do where it would not.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::{Client, StatusCode};
use serde::Serialize;
use telephony::markup::{self, Verb};
use telephony::signature::SIGNATURE_HEADER;
use telephony::{AuthKey, Params, Signer};
use testcall::{CallReport, CallScript, Carrier, Faults, Happened, Step, ToneVoice, new_call_id};
use units::CallId;

use super::output;
use super::target::TargetBox;
use crate::carrier::http_client;
use crate::cli::DoctorArgs;
use crate::config::Config;

/// Longest wait for one answer; the carrier itself gives up after 15 s.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15);
/// Where the carrier tells how a call stands.
const CALL_STATUS: &str = "/webhook/call_status";
/// Longest wait for the watchdog: the greeting, six seconds, and some.
const WATCHDOG_PATIENCE: Duration = Duration::from_secs(45);
/// Time between two looks at the box.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long the test caller stays on the line.
const TEST_CALL: Duration = Duration::from_secs(6);

/// One line of the list.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    passed: bool,
    found: String,
    /// What to do where it did not pass.
    remedy: &'static str,
}

/// Goes through the list and prints it. Exit code 0 when everything passed.
pub fn run(arguments: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let target = TargetBox::find(&arguments.target)?;
    let checks = runtime.block_on(examine(&target, !arguments.no_call))?;
    let all_passed = checks.iter().all(|check| check.passed);
    if arguments.json {
        output::json(&checks)?;
    } else {
        lines(&checks).iter().for_each(output::line);
        output::line(verdict(&checks));
    }
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Goes through the list for the box that runs in this process, without a call, and returns it for people, the verdict
/// first.
///
/// # Errors
///
/// When nothing can be asked at all.
///
/// # Cancellation safety
///
/// May be dropped half way.
pub async fn of_this_box(config: &Config) -> anyhow::Result<String> {
    let target = TargetBox::of_config(config)?;
    let checks = examine(&target, false).await?;
    let mut text = vec![verdict(&checks).to_owned()];
    text.extend(lines(&checks));
    Ok(text.join("\n"))
}

fn lines(checks: &[Check]) -> Vec<String> {
    let mut lines = Vec::new();
    for check in checks {
        let word = if check.passed { "ok  " } else { "FAIL" };
        lines.push(format!("{word}  {:<28} {}", check.name, check.found));
        if !check.passed {
            lines.push(format!("      -> {}", check.remedy));
        }
    }
    lines
}

fn verdict(checks: &[Check]) -> &'static str {
    if checks.iter().all(|check| check.passed) {
        "go: this box answers the phone"
    } else {
        "no go: see the lines marked FAIL"
    }
}

async fn examine(target: &TargetBox, with_calls: bool) -> anyhow::Result<Vec<Check>> {
    let client = http_client().timeout(ANSWER_PATIENCE).build().context("cannot set up the HTTP client")?;
    let doctor = Doctor { target, client, key: AuthKey::new(target.key.expose())?, call: new_call_id() };
    let mut checks = vec![doctor.health().await, doctor.ready().await, doctor.version().await];
    checks.extend(doctor.greetings().await);
    checks.push(doctor.unsigned_is_refused().await);
    checks.push(doctor.answer().await);
    checks.push(doctor.stream_status().await);
    checks.push(doctor.addresses().await);
    if with_calls {
        checks.extend(calls(target).await?);
        checks.push(doctor.watchdog().await);
    }
    Ok(checks)
}

struct Doctor<'a> {
    target: &'a TargetBox,
    client: Client,
    key: AuthKey,
    /// The call that is answered. A new one each time: the box sends one it knows to voicemail.
    call: CallId,
}

impl Doctor<'_> {
    async fn health(&self) -> Check {
        let (passed, found) = self.get("/healthz", |text| text.trim() == "ok").await;
        let remedy = "is the box running and http.public_url right? try: systemctl status kolbox";
        Check { name: "health", passed, found, remedy }
    }

    async fn ready(&self) -> Check {
        let (passed, found) = self.get("/readyz", |text| text.contains("\"status\":\"ready\"")).await;
        let remedy = "open /readyz: each degraded part says why and what to do";
        Check { name: "every part is well", passed, found, remedy }
    }

    async fn version(&self) -> Check {
        let (passed, found) = self.get("/version", |text| text.contains("\"app\":\"kolbox\"")).await;
        Check {
            name: "version",
            passed,
            found,
            remedy: "another program answers at this address; check http.public_url",
        }
    }

    async fn greetings(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        for (name, path) in [
            ("greeting, Hebrew", "/static/tts/greeting_he.wav"),
            ("request for a message, Hebrew", "/static/tts/fallback_he.wav"),
        ] {
            let (passed, found) = self.get_bytes(path).await;
            let remedy = "the voice could not render it; is espeak-ng installed? see /readyz";
            checks.push(Check { name, passed, found, remedy });
        }
        checks
    }

    async fn unsigned_is_refused(&self) -> Check {
        let url = self.target.url.webhook("/webhook/incoming_call");
        let status = self.client.post(url).form(&[("CallSid", "CA0")]).send().await.map(|response| response.status());
        let (passed, found) = match status {
            Ok(status) => (status == StatusCode::FORBIDDEN, format!("answered {status}")),
            Err(error) => (false, short(&error)),
        };
        Check {
            name: "strangers are refused",
            passed,
            found,
            remedy: "something before the box answers for it; expected 403",
        }
    }

    async fn answer(&self) -> Check {
        let remedy = "is the key the carrier's auth token, and http.public_url what the carrier calls?";
        let (passed, found) = match self.post("/webhook/incoming_call", &self.form(&self.call, "ringing")).await {
            Ok((StatusCode::OK, text)) => match markup::read(&text) {
                Ok(document) => {
                    let connects = document.verbs.iter().any(|verb| matches!(verb, Verb::Connect(_)));
                    let records = document.verbs.iter().any(|verb| matches!(verb, Verb::Record(_)));
                    let word = if connects { "greets, connects, has voicemail behind" } else { "takes messages only" };
                    (connects && records, word.to_owned())
                }
                Err(error) => (false, format!("not call markup: {error}")),
            },
            Ok((status, text)) => (false, format!("answered {status}: {}", text.trim())),
            Err(error) => (false, short(&error)),
        };
        Check { name: "answers an incoming call", passed, found, remedy }
    }

    async fn stream_status(&self) -> Check {
        let form = Params::new().with("CallSid", self.call.as_str()).with("StreamEvent", "stream-stopped");
        let (passed, found) = match self.post("/webhook/stream_status", &form).await {
            Ok((status, _)) => (status == StatusCode::NO_CONTENT, format!("answered {status}")),
            Err(error) => (false, short(&error)),
        };
        Check { name: "stream status is 204", passed, found, remedy: "something before the box changes the answer" }
    }

    /// Says what to enter at the carrier's number, and ends the call that was answered at the other of these addresses.
    async fn addresses(&self) -> Check {
        let [voice, status] = ["/webhook/incoming_call", CALL_STATUS].map(|path| self.target.url.webhook(path));
        let (passed, answered) = match self.over(&self.call).await {
            Ok((code, _)) => (code == StatusCode::OK, format!("answered {code}")),
            Err(error) => (false, short(&error)),
        };
        let found = format!(
            "a call comes in: {voice}, primary handler fails: {voice}, call status changes: {status} ({answered})"
        );
        let remedy = "something before the box answers for the last; without it calls stay in progress for a day";
        Check { name: "to enter at the number", passed, found, remedy }
    }

    /// Answers a call whose stream never comes, and waits until the box notices.
    async fn watchdog(&self) -> Check {
        let before = self.redirects().await;
        let call = new_call_id();
        let answered = self.post("/webhook/incoming_call", &self.form(&call, "ringing")).await.is_ok();
        let began = Instant::now();
        let mut passed = false;
        while answered && !passed && began.elapsed() < WATCHDOG_PATIENCE {
            tokio::time::sleep(LOOK_EVERY).await;
            passed = self.redirects().await > before;
        }
        // Whether it is believed was asked before.
        drop(self.over(&call).await);
        let found = if passed {
            format!("noticed after {} s", began.elapsed().as_secs())
        } else {
            format!("not noticed in {} s", WATCHDOG_PATIENCE.as_secs())
        };
        let remedy = "a call whose stream never starts stays silent; is carrier.stream_start very long?";
        Check { name: "watchdog sends to voicemail", passed, found, remedy }
    }

    /// Returns how often the box's watchdog acted so far.
    async fn redirects(&self) -> u64 {
        let url = self.target.url.webhook("/metrics");
        let Ok(response) = self.client.get(url).send().await else { return 0 };
        let text = response.text().await.unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix("kolbox_watchdog_redirects_total "));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
    }

    /// Tells that a call of ours is over.
    async fn over(&self, call: &CallId) -> Result<(StatusCode, String), reqwest::Error> {
        self.post(CALL_STATUS, &self.form(call, "completed")).await
    }

    fn form(&self, call: &CallId, status: &str) -> Params {
        let account =
            self.target.account_sid.clone().unwrap_or_else(|| "AC00000000000000000000000000000000".to_owned());
        Params::new()
            .with("CallSid", call.as_str())
            .with("AccountSid", account)
            // Nobody who calls too often, however often the box is examined.
            .with("From", "anonymous")
            .with("To", "+972700000000")
            .with("Direction", "inbound")
            .with("CallStatus", status)
    }

    async fn post(&self, path: &str, form: &Params) -> Result<(StatusCode, String), reqwest::Error> {
        let url = self.target.url.webhook(path);
        let signature = Signer::new(self.key.clone()).sign(&url, form);
        let request = self.client.post(url).header(SIGNATURE_HEADER, signature);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.encode());
        let response = request.send().await?;
        Ok((response.status(), response.text().await?))
    }

    async fn get(&self, path: &str, is_right: impl Fn(&str) -> bool) -> (bool, String) {
        let response = match self.client.get(self.target.url.webhook(path)).send().await {
            Ok(response) => response,
            Err(error) => return (false, short(&error)),
        };
        let status = response.status();
        let text = response.text().await.unwrap_or_default();
        let shown: String = text.trim().chars().take(300).collect();
        (status.is_success() && is_right(&text), format!("{} {shown}", status.as_u16()))
    }

    async fn get_bytes(&self, path: &str) -> (bool, String) {
        match self.client.get(self.target.url.webhook(path)).send().await {
            Ok(response) => {
                let status = response.status();
                let bytes = response.bytes().await.map_or(0, |bytes| bytes.len());
                (status.is_success() && bytes > 1_000, format!("{} with {bytes} bytes", status.as_u16()))
            }
            Err(error) => (false, short(&error)),
        }
    }
}

/// Places two calls: one that streams, and one whose stream is refused, which has to reach voicemail.
async fn calls(target: &TargetBox) -> anyhow::Result<Vec<Check>> {
    let carrier = Carrier::start(target.carrier()?, Arc::new(ToneVoice)).await?;
    let streamed = carrier.place(&CallScript::of([Step::silence(TEST_CALL)])).await?;
    let refused = CallScript::of([]).with_faults(Faults { refuse_stream: true, ..Faults::default() });
    let refused = carrier.place(&refused).await?;
    carrier.stop().await?;
    Ok(vec![stream_opens(&streamed), agent_speaks(&streamed), voicemail_answers(&refused)])
}

fn stream_opens(report: &CallReport) -> Check {
    let passed = report.count(|what| *what == Happened::StreamOpened) == 1;
    let found = if passed { "101, stream open".to_owned() } else { format!("{:?}", report.stream) };
    let remedy = "does the way to the box (proxy, tunnel) carry WebSockets at /ws/twilio-media?";
    Check { name: "media stream", passed, found, remedy }
}

fn agent_speaks(report: &CallReport) -> Check {
    let passed = !report.agent_speech.is_empty();
    let found = format!("agent heard {} times", report.agent_speech.len());
    Check { name: "test call", passed, found, remedy: "the stream opens but nothing is said; see /readyz and the log" }
}

fn voicemail_answers(report: &CallReport) -> Check {
    let passed = report.count(|what| *what == Happened::RecordStarted) == 1;
    let found = if passed { "reached" } else { "not reached" }.to_owned();
    Check { name: "voicemail without stream", passed, found, remedy: "the markup has no <Record> behind <Connect>" }
}

fn short(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

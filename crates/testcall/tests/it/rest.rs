//! The REST interface: what is refused, what goes wrong on purpose, calls and messages of the box.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use testcall::{CallScript, Callee, Carrier, Ended, Happened, MessagePlan, RestCall, RestFault, SignedIn, Step};
use units::Language;

use crate::tiny_box::{OnStream, Setting, TOKEN};

const TO: &str = "+972500000003";

/// Asks the REST interface as a box does.
pub(crate) struct RestClient {
    http: reqwest::Client,
    base: String,
    user: String,
    password: String,
}

impl RestClient {
    pub(crate) fn new(carrier: &Carrier) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let base = format!("{}/2010-04-01/Accounts/{}", carrier.api_url(), carrier.account_sid());
        Self { http, base, user: carrier.account_sid().to_string(), password: TOKEN.to_owned() }
    }

    /// Posts a form and returns status and body; status 0 when there was no answer.
    pub(crate) async fn post(&self, path: &str, form: &str) -> (u16, Value) {
        let request = self
            .http
            .post(format!("{}/{path}", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        self.send(request).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let sent = request.basic_auth(&self.user, Some(&self.password)).send().await;
        let Ok(response) = sent else { return (0, Value::Null) };
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap_or_default()).unwrap_or_default())
    }
}

async fn setting(pages: &[(&'static str, &str)]) -> (Setting, RestClient) {
    let setting = Setting::new(pages, OnStream::Listen).await;
    let rest = RestClient::new(&setting.carrier);
    (setting, rest)
}

fn call_form(more: &str) -> String {
    format!("To=%2B972500000003&From=%2B972700000000&{more}")
}

#[tokio::test]
async fn a_call_of_the_box_is_placed_told_about_and_follows_the_markup() {
    let pages = [("/say", "<Connect><Stream url=\"{stream}\"/></Connect>")];
    let (setting, rest) = setting(&pages).await;
    let script = CallScript::of([Step::say("who is it", Language::English), Step::Hangup {}]);
    setting.carrier.answers_at(TO, Callee::human(script));
    let form = call_form(
        "Url=https%3A%2F%2Fbox.example%2Fsay&StatusCallback=https%3A%2F%2Fbox.example%2Ftold\
         &StatusCallbackEvent=initiated&StatusCallbackEvent=ringing&StatusCallbackEvent=answered\
         &StatusCallbackEvent=completed&MachineDetection=Enable",
    );
    let (status, answer) = rest.post("Calls.json", &form).await;
    assert_eq!((status, answer["status"].as_str()), (201, Some("queued")));
    let report = setting.carrier.outbound(0).await;
    let placed = setting.carrier.placed();
    let (seen, frames) = setting.end().await;
    assert_eq!(Some(placed[0].as_str()), answer["sid"].as_str());
    assert_eq!((report.ended, report.answered_by.as_deref()), (Ended::ByCaller, Some("human")));
    let told: Vec<(&str, &str)> = seen
        .iter()
        .filter(|seen| seen.path == "/told")
        .map(|seen| (seen.params["SequenceNumber"].as_str(), seen.params["CallStatus"].as_str()))
        .collect();
    assert_eq!(told, [("0", "initiated"), ("1", "ringing"), ("2", "in-progress"), ("3", "completed")]);
    let asked = &seen.iter().find(|seen| seen.path == "/say").unwrap().params;
    let about = ["AnsweredBy", "Direction", "CallStatus", "From", "To"].map(|name| asked[name].as_str());
    assert_eq!(about, ["human", "outbound-api", "in-progress", "+972700000000", TO]);
    assert!(frames.iter().any(|frame| frame.contains("\"start\"")) && !report.caller_speech.is_empty());
}

#[tokio::test]
async fn who_answers_is_judged_by_what_the_box_asked_for() {
    let machine = |greeting, beep| Callee::Machine { greeting: Duration::from_secs(greeting), beep };
    for (callee, detection, word, found_after) in [
        (machine(8, true), "Enable", "machine_start", 2_400),
        (machine(8, true), "DetectMessageEnd", "machine_end_beep", 8_400),
        (machine(8, false), "DetectMessageEnd", "machine_end_silence", 8_400),
        (machine(2, true), "Enable", "human", 1_500),
        (machine(40, true), "DetectMessageEnd", "unknown", 30_000),
        (Callee::Fax, "Enable", "fax", 1_500),
        (Callee::Silent, "Enable&MachineDetectionTimeout=5", "unknown", 5_000),
    ] {
        let (setting, rest) = setting(&[("/say", "<Say>Please call us back</Say>")]).await;
        setting.carrier.answers_at(TO, callee.clone());
        let form = call_form(&format!("Url=https%3A%2F%2Fbox.example%2Fsay&MachineDetection={detection}"));
        assert_eq!(rest.post("Calls.json", &form).await.0, 201);
        let report = setting.carrier.outbound(0).await;
        let (seen, _) = setting.end().await;
        assert_eq!(report.answered_by.as_deref(), Some(word), "{callee:?}");
        let asked = &seen.iter().find(|seen| seen.path == "/say").unwrap().params;
        assert_eq!(asked["AnsweredBy"], word);
        assert_eq!(asked["MachineDetectionDuration"], found_after.to_string());
        let at = report.first(|what| matches!(what, Happened::AnsweredBy(_))).unwrap().at;
        assert!(at.since_answer().as_millis().abs_diff(found_after) <= 20, "{at:?}");
    }
}

#[tokio::test]
async fn calls_that_nobody_answers_end_in_the_carriers_words() {
    for (callee, word) in [(Callee::Busy, "busy"), (Callee::Failed, "failed"), (Callee::NoAnswer, "no-answer")] {
        let (setting, rest) = setting(&[]).await;
        setting.carrier.answers_at(TO, callee);
        let form = call_form("Twiml=%3CResponse%2F%3E&StatusCallback=https%3A%2F%2Fbox.example%2Ftold&Timeout=10");
        rest.post("Calls.json", &form).await;
        let report = setting.carrier.outbound(0).await;
        let (seen, _) = setting.end().await;
        assert_eq!((report.ended, report.lasted), (Ended::Unanswered, Duration::ZERO));
        let told: Vec<_> = seen.iter().map(|seen| seen.params["CallStatus"].as_str()).collect();
        assert_eq!(told, [word], "without a list only the end is told");
    }
}

#[tokio::test]
async fn what_the_real_interface_refuses_is_refused_with_its_code() {
    let (setting, rest) = setting(&[]).await;
    let long = format!("Twiml={}", "x".repeat(4_001));
    let unknown = "Calls/CA00000000000000000000000000000000.json";
    let refused = async |path: &str, form: &str| {
        let (status, body) = rest.post(path, form).await;
        (status, body["code"].as_u64().unwrap_or_default())
    };
    for (path, form, expected) in [
        (unknown, "Status=completed", (404, 20_404)),
        (unknown, long.as_str(), (400, 32_018)),
        (unknown, "Url=https%3A%2F%2Fa.example%2F&Twiml=%3CResponse%2F%3E", (400, 20_001)),
        (unknown, "Status=gone", (400, 20_001)),
        ("Calls.json", "From=%2B972700000000&Url=https%3A%2F%2Fa.example", (400, 21_201)),
        ("Calls.json", "To=%2B972700000000&From=%2B972700000000", (400, 21_205)),
        ("Calls.json", "To=123&From=%2B972700000000&Url=https%3A%2F%2Fa.example", (400, 21_211)),
        ("Messages.json", "From=%2B972700000000&Body=a", (400, 21_604)),
        ("Messages.json", "To=%2B972500000003&Body=a", (400, 21_603)),
        ("Messages.json", "To=whatsapp%3A%2B972500000003&From=%2B972700000000&Body=a", (400, 21_910)),
        ("Messages.json", "To=%2B972500000003&From=%2B972700000000", (400, 21_619)),
        ("Messages.json", "To=%2B972500000003&From=%2B972700000000&ContentSid=HX1&ContentVariables=no", (400, 21_656)),
    ] {
        assert_eq!(refused(path, form).await, expected, "{path} {form}");
    }
    let long = format!("To=%2B972500000003&From=%2B972700000000&Body={}", "x".repeat(1_601));
    assert_eq!(refused("Messages.json", &long).await, (400, 21_617));

    let report = setting.carrier.place(&CallScript::default()).await.unwrap();
    let over = format!("Calls/{}.json", report.call_sid);
    assert_eq!(refused(&over, "Status=completed").await, (400, 21_220));
    setting.end().await;
}

#[tokio::test]
async fn keys_and_tokens_sign_in_and_all_is_written_down() {
    let setting = Setting::with(&[], OnStream::Listen, |config| {
        config.api_keys = vec![("SK1".to_owned(), "secret".to_owned())];
    })
    .await;
    let mut rest = RestClient::new(&setting.carrier);
    (rest.user, rest.password) = ("SK1".to_owned(), "secret".to_owned());
    assert_eq!(rest.post("Calls/CA1.json", "Status=completed").await.0, 404);
    rest.password = "wrong".to_owned();
    let (status, body) = rest.post("Calls/CA1.json", "Status=completed").await;
    assert_eq!((status, body["code"].as_u64()), (401, Some(20_003)));
    let asked = setting.carrier.asked();
    let found: Vec<_> = asked.iter().map(|asked| (asked.signed_in, asked.status)).collect();
    assert_eq!(found, [(SignedIn::ApiKey, Some(404)), (SignedIn::Wrong, Some(401))]);
    assert_eq!(asked[0].form.reveal().first("Status"), Some("completed"));
    setting.end().await;
}

#[tokio::test]
async fn requests_go_wrong_as_planned() {
    let (setting, rest) = setting(&[]).await;
    let plans = [
        (RestFault::TooManyRequests { retry_after_s: Some(2) }, 429, 0),
        (RestFault::Fails { status: 500, done: false }, 500, 0),
        (RestFault::Fails { status: 503, done: true }, 503, 1),
        (RestFault::Html, 200, 1),
        (RestFault::CutBefore, 0, 1),
        (RestFault::CutAfter, 0, 2),
    ];
    for (fault, status, sent) in plans {
        setting.carrier.fail_next(RestCall::SendMessage, fault, 1);
        let answer = rest.post("Messages.json", "To=%2B972500000003&From=%2B972700000000&Body=a").await;
        assert_eq!((answer.0, setting.carrier.messages().len()), (status, sent), "{fault:?}");
    }
    assert_eq!(setting.carrier.asked().len(), plans.len());
    setting.carrier.fail_next(RestCall::SendMessage, RestFault::Silent, 1);
    let silent = rest.post("Messages.json", "To=%2B972500000003&From=%2B972700000000&Body=a");
    let (answer, _) = tokio::join!(silent, async {
        while setting.carrier.asked().len() == plans.len() {
            tokio::task::yield_now().await;
        }
        setting.end().await
    });
    assert_eq!(answer.0, 0, "only the end of the carrier ends the wait");
}

#[tokio::test]
async fn messages_are_told_about_as_planned_and_free_text_needs_a_window() {
    let (setting, rest) = setting(&[]).await;
    let mut plan = MessagePlan::of(["delivered", "sent", "read"]);
    plan.statuses[2].times = 2;
    setting.carrier.plan_message(plan);
    setting.carrier.close_window("whatsapp:+972500000004");
    let callback = "StatusCallback=https%3A%2F%2Fbox.example%2Fmessage_status";
    let first = format!("To=%2B972500000003&From=%2B972700000000&Body=a&{callback}");
    let late = format!("To=whatsapp%3A%2B972500000004&From=whatsapp%3A%2B972700000000&Body=a&{callback}");
    let template = format!("{}&ContentSid=HX1", late.replace("&Body=a", ""));
    for form in [&first, &late, &template] {
        assert_eq!(rest.post("Messages.json", form).await.0, 201);
    }
    let told = [0, 1, 2].map(|nth| setting.carrier.message(nth));
    let told = futures_util::future::join_all(told).await;
    assert_eq!(told[0].told, ["delivered", "sent", "read", "read"]);
    assert_eq!(
        (told[1].told.as_slice(), told[2].told.as_slice()),
        (&["failed".to_owned()][..], &["sent".to_owned(), "delivered".to_owned()][..])
    );
    let (seen, _) = setting.end().await;
    let failed = seen.iter().find(|seen| seen.params["MessageStatus"] == "failed").unwrap();
    assert!(failed.believed && failed.params["ErrorCode"] == "63016");
}

#[tokio::test]
async fn recordings_are_late_fetched_and_deleted_and_files_are_elsewhere() {
    let (setting, rest) = setting(&[]).await;
    setting.carrier.recordings_late_by(2);
    let url = setting.carrier.add_recording(b"RIFF".to_vec());
    let ask = async |method: &str, url: &str| {
        let request = rest.http.request(method.parse().unwrap(), url);
        request.basic_auth(&rest.user, Some(&rest.password)).send().await.unwrap()
    };
    let mut statuses = Vec::new();
    for (method, kind) in
        [("GET", "wav"), ("GET", "json"), ("GET", "wav"), ("GET", "wav"), ("DELETE", "json"), ("GET", "wav")]
    {
        statuses.push(ask(method, &format!("{url}.{kind}")).await.status().as_u16());
    }
    assert_eq!(statuses, [404, 200, 404, 200, 204, 404]);

    let file = setting.carrier.add_media("audio/ogg", b"OggS".to_vec());
    let away = ask("GET", &file).await;
    assert_eq!(away.status(), StatusCode::TEMPORARY_REDIRECT);
    let there = away.headers()["location"].to_str().unwrap().to_owned();
    assert_ne!(there.split('/').nth(2), file.split('/').nth(2), "another host");
    assert_eq!(ask("GET", &there).await.status(), StatusCode::BAD_REQUEST, "no credentials there");
    let fetched = rest.http.get(&there).send().await.unwrap();
    assert_eq!(fetched.bytes().await.unwrap(), "OggS");
    assert_eq!(ask("DELETE", &file).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(ask("GET", &file).await.status(), StatusCode::NOT_FOUND);
    setting.end().await;
}

#[tokio::test]
async fn a_recording_is_told_about_at_each_stage_that_was_asked_for() {
    let record = "<Record timeout=\"1\" recordingStatusCallback=\"{base}/recording\" \
        recordingStatusCallbackEvent=\"in-progress completed absent\"/>";
    for (steps, ends) in [(vec![Step::say("call me back", Language::English)], "completed"), (Vec::new(), "absent")] {
        let (setting, _) = setting(&[("/webhook/incoming_call", record)]).await;
        setting
            .carrier
            .place(&CallScript {
                voicemail: steps,
                hang_up_after: Some(Duration::from_secs(4)),
                ..CallScript::default()
            })
            .await
            .unwrap();
        let (seen, _) = setting.end().await;
        let mut told: Vec<_> = seen
            .iter()
            .filter(|seen| seen.path == "/recording")
            .map(|seen| seen.params["RecordingStatus"].clone())
            .collect();
        told.dedup();
        assert!(told.starts_with(&["in-progress".to_owned()]) && told.contains(&ends.to_owned()), "{told:?}");
    }
}

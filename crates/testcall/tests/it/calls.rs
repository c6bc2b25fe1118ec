//! Whole calls.

use std::time::Duration;

use testcall::{
    CallReport, CallScript, DialAnswer, Ended, Faults, Happened, Injected, Injection, MarkEcho, ParameterFault,
    Progress, RecordEnd, Signing, Step, StreamEnd,
};
use units::{Language, SampleRate};

use crate::rest::RestClient;
use crate::tiny_box::{OnStream, Seen, Setting};

const INCOMING: &str = "/webhook/incoming_call";
const CONNECT: &str = "<Connect action=\"/ended\"><Stream url=\"{stream}\" statusCallback=\"{base}/stream_status\">\
    <Parameter name=\"token\" value=\"t-1\"/></Stream></Connect>";
const VOICEMAIL: &str = "<Say>Leave a message</Say><Record action=\"/recorded\" finishOnKey=\"#\" timeout=\"2\" \
    recordingStatusCallback=\"{base}/recording\"/><Say>Bye</Say>";

#[tokio::test]
async fn a_call_is_answered_greeted_connected_and_ended_in_the_carriers_order() {
    let incoming = format!("<Play>/sound.wav</Play>{CONNECT}");
    let setting = Setting::new(&[(INCOMING, &incoming), ("/ended", "<Hangup/>")], OnStream::SpeakAndClose).await;
    let report = setting.carrier.place(&CallScript::of([Step::wait_end()])).await.unwrap();
    let (seen, frames) = setting.end().await;

    assert_eq!(report.ended, Ended::ByMarkup);
    assert_eq!(verbs(&report), ["Play", "Connect", "Hangup"]);
    let in_order: Vec<&Seen> = seen.iter().filter(|seen| !seen.path.contains("stream_status")).collect();
    let statuses: Vec<(&str, &str)> =
        in_order.iter().map(|seen| (seen.path.as_str(), seen.params["CallStatus"].as_str())).collect();
    assert_eq!(
        statuses,
        [
            ("/webhook/call_status", "initiated"),
            ("/webhook/call_status", "ringing"),
            (INCOMING, "ringing"),
            ("/webhook/call_status", "in-progress"),
            ("/ended", "in-progress"),
            ("/webhook/call_status", "completed"),
        ]
    );
    let numbers: Vec<&str> =
        seen.iter().filter_map(|seen| seen.params.get("SequenceNumber").map(String::as_str)).collect();
    assert_eq!(numbers, ["0", "1", "2", "3"]);
    assert!(seen.iter().all(|seen| seen.believed), "every request is signed over the public URL");

    let mut events: Vec<&str> =
        seen.iter().filter_map(|seen| seen.params.get("StreamEvent").map(String::as_str)).collect();
    events.sort_unstable();
    assert_eq!(events, ["stream-started", "stream-stopped"]);

    // The greeting of one second at 16 kHz is one second long on the line, and 400 ms of the stream were heard.
    let heard: Vec<u64> =
        report.agent_speech.iter().map(|s| u64::try_from(s.until.since(s.from).as_millis()).unwrap()).collect();
    assert_eq!(heard.iter().sum::<u64>() / 20, (1_000 + 400) / 20, "{heard:?}");

    assert!(frames[0].contains("\"connected\"") && !frames[0].contains("streamSid"));
    assert!(frames[1].contains("\"start\"") && frames[1].contains("\"token\":\"t-1\""), "{}", frames[1]);
    assert!(frames[2].contains("\"chunk\":\"1\"") && frames[2].contains("\"timestamp\":\"0\""), "{}", frames[2]);
    assert!(frames[3].contains("\"chunk\":\"2\"") && frames[3].contains("\"timestamp\":\"20\""), "{}", frames[3]);
    let stream = report.stream.as_ref().unwrap();
    assert_eq!((stream.samples_received, stream.marks, stream.clears, stream.malformed), (3_200, 1, 0, 0));
    assert_eq!(report.warnings, []);
}

#[tokio::test]
async fn an_interruption_is_cleared_and_measured() {
    let setting = Setting::new(&[(INCOMING, CONNECT)], OnStream::BeInterrupted).await;
    let script = CallScript::of([Step::interrupt("excuse me please", Language::English), Step::wait_end()]);
    let report = setting.carrier.place(&script).await.unwrap();
    let (_, frames) = setting.end().await;

    let stream = report.stream.unwrap();
    assert_eq!(stream.clears, 1);
    assert!(stream.samples_cleared > 0);
    assert_eq!(report.turns.len(), 1);
    assert!(report.turns[0].over_agent);
    assert!(report.turns[0].to_clear.is_some(), "{:?}", report.turns);
    let marks: Vec<bool> = ["long", "sorry"]
        .iter()
        .map(|name| frames.iter().any(|f| f.contains("\"mark\"") && f.contains(name)))
        .collect();
    assert_eq!(marks, [true, true], "the mark of what was cleared comes back too");
}

#[tokio::test]
async fn a_refused_stream_falls_into_voicemail_and_the_box_can_fetch_the_message() {
    let incoming = format!("{CONNECT}{VOICEMAIL}");
    let pages = [(INCOMING, incoming.as_str()), ("/ended", VOICEMAIL), ("/recorded", "<Hangup/>")];
    let setting = Setting::new(&pages, OnStream::Listen).await;
    let script = CallScript::default()
        .with_voicemail([Step::say("call me back", Language::English), Step::keys("5#")])
        .with_faults(Faults { refuse_stream: true, ..Faults::default() });
    let report = setting.carrier.place(&script).await.unwrap();
    let message = &report.recordings[0];
    assert_eq!((message.ended, message.lasted.as_millis() / 100), (RecordEnd::Key, 7), "12 characters, trimmed");
    let url = format!(
        "{}/2010-04-01/Accounts/{}/Recordings/{}.wav",
        setting.carrier.api_url(),
        setting.carrier.account_sid(),
        message.recording_sid
    );
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let unknown = http.get(&url).send().await.unwrap();
    assert_eq!(unknown.status(), 401);
    let wav = http.get(&url).basic_auth(setting.carrier.account_sid(), Some(crate::tiny_box::TOKEN)).send().await;
    assert!(wav.unwrap().bytes().await.unwrap().starts_with(b"RIFF"));
    let (seen, _) = setting.end().await;

    let recorded = seen.iter().find(|seen| seen.path == "/recorded").unwrap();
    assert_eq!(recorded.params["Digits"], "#");
    assert_eq!(recorded.params["RecordingDuration"], "1");
    let told = seen.iter().find(|seen| seen.path == "/recording").unwrap();
    assert_eq!(told.params["RecordingStatus"], "completed");
    let error = seen.iter().find(|seen| seen.params.contains_key("StreamEvent")).unwrap();
    assert_eq!(error.params["StreamEvent"], "stream-error");
}

#[tokio::test]
async fn an_empty_recording_asks_nobody_and_falls_to_the_next_verb() {
    let setting = Setting::new(&[(INCOMING, VOICEMAIL)], OnStream::Listen).await;
    let report = setting.carrier.place(&CallScript::default()).await.unwrap();
    let (seen, _) = setting.end().await;
    assert_eq!(verbs(&report), ["Say", "Record", "Say"]);
    assert!(report.recordings.is_empty());
    assert!(!seen.iter().any(|seen| seen.path == "/recorded"));
}

#[tokio::test]
async fn hanging_up_in_the_message_counts_as_a_message() {
    let setting = Setting::new(&[(INCOMING, VOICEMAIL)], OnStream::Listen).await;
    let script = CallScript::default().with_voicemail([Step::say("call me back", Language::English), Step::Hangup {}]);
    let report = setting.carrier.place(&script).await.unwrap();
    let (seen, _) = setting.end().await;
    assert_eq!(report.ended, Ended::ByCaller);
    let recorded = seen.iter().find(|seen| seen.path == "/recorded").unwrap();
    assert_eq!((recorded.params["Digits"].as_str(), recorded.params["CallStatus"].as_str()), ("hangup", "completed"));
}

#[tokio::test]
async fn a_box_ends_or_changes_a_call_over_rest() {
    let setting = Setting::new(&[(INCOMING, CONNECT)], OnStream::Listen).await;
    let script = CallScript::of([Step::wait_end()]);
    let call_id = testcall::new_call_id();
    let change = async {
        let rest = RestClient::new(&setting.carrier);
        let path = format!("Calls/{call_id}.json");
        let markup = "Twiml=%3CResponse%3E%3CPause+length%3D%22600%22%2F%3E%3C%2FResponse%3E";
        // A call that still rings cannot be changed like this.
        let mut twiml = rest.post(&path, markup).await.0;
        while twiml != 200 {
            tokio::task::yield_now().await;
            twiml = rest.post(&path, markup).await.0;
        }
        (twiml, rest.post(&path, "Status=completed").await.0)
    };
    let (report, statuses) = tokio::join!(setting.carrier.place_as(call_id.clone(), &script), change);
    setting.end().await;
    let report = report.unwrap();
    assert_eq!(statuses, (200, 200));
    assert_eq!(report.ended, Ended::ByRest);
    assert_eq!(report.count(|what| *what == Happened::RestUpdate), 2);
}

#[tokio::test]
async fn a_handshake_answered_with_403_goes_on_behind_connect() {
    let setting = Setting::new(&[(INCOMING, CONNECT), ("/ended", "<Pause/>")], OnStream::Refuse).await;
    let report = setting.carrier.place(&CallScript::of([Step::wait_end()])).await.unwrap();
    setting.end().await;
    assert_eq!(report.count(|what| *what == Happened::StreamRefused(Some(403))), 1);
    assert!(report.has_warning(31_920));
    assert_eq!(verbs(&report), ["Connect", "Pause"]);
}

#[tokio::test]
async fn unsigned_and_wrongly_signed_calls_can_be_placed() {
    for signature in [Signing::Missing, Signing::WrongKey] {
        let setting = Setting::new(&[(INCOMING, CONNECT)], OnStream::Listen).await;
        let script = CallScript::default().with_faults(Faults { signature, ..Faults::default() });
        let report = setting.carrier.place(&script).await.unwrap();
        let (seen, _) = setting.end().await;
        assert_eq!(report.ended, Ended::ByError);
        assert!(report.requests.iter().all(|request| request.status == Some(403)));
        assert!(!seen.is_empty() && seen.iter().all(|seen| !seen.believed));
    }
}

#[tokio::test]
async fn a_box_that_talks_nonsense_is_warned_about_once_per_kind() {
    let setting = Setting::new(&[(INCOMING, CONNECT)], OnStream::TalkNonsense).await;
    let report = setting.carrier.place(&CallScript::of([Step::wait_end()])).await.unwrap();
    setting.end().await;
    assert_eq!(report.stream.as_ref().unwrap().malformed, 4);
    let codes: Vec<u32> = report.warnings.iter().map(|w| w.code).filter(|code| *code / 10 == 3_195).collect();
    assert_eq!(codes, [31_951, 31_950]);
}

#[tokio::test]
async fn frames_that_do_not_belong_there_are_sent_as_asked() {
    let setting = Setting::new(&[(INCOMING, CONNECT)], OnStream::Listen).await;
    let injections = vec![
        Injection { after: Duration::ZERO, times: 2, frame: Injected::Text("{\"no\":\"event\"}".to_owned()) },
        Injection { after: Duration::from_millis(40), times: 500, frame: Injected::Media },
        Injection { after: Duration::ZERO, times: 1, frame: Injected::Binary(64) },
    ];
    let faults = Faults {
        injections,
        media_before_start: true,
        wrong_stream_sid: true,
        parameters: ParameterFault::Changed,
        ..Faults::default()
    };
    let script = CallScript::of([Step::silence(Duration::from_millis(100)), Step::keys("1")]).with_faults(faults);
    let report = setting.carrier.place(&script).await.unwrap();
    let (_, frames) = setting.end().await;
    assert_eq!(report.ended, Ended::ByCaller);
    assert!(frames[1].contains("\"media\"") && frames[2].contains("\"start\""));
    assert!(frames[2].contains("\"token\":\"1-t\""));
    assert_eq!(frames.iter().filter(|frame| frame.contains("\"no\"")).count(), 2);
    assert!(frames.iter().filter(|frame| frame.contains("\"media\"")).count() > 500);
    assert_eq!(frames.iter().filter(|frame| frame.contains("\"dtmf\"")).count(), 1);
    assert!(frames.last().unwrap().contains("\"stop\""));
}

#[tokio::test]
async fn a_dropped_socket_is_noted_and_the_call_goes_on_behind_connect() {
    let setting = Setting::new(&[(INCOMING, CONNECT)], OnStream::Listen).await;
    let faults = Faults { drop_socket_after: Some(Duration::from_millis(200)), ..Faults::default() };
    let report = setting.carrier.place(&CallScript::of([Step::wait_end()]).with_faults(faults)).await.unwrap();
    let (seen, frames) = setting.end().await;
    assert_eq!(report.count(|what| *what == Happened::StreamClosed(StreamEnd::DroppedByScript)), 1);
    assert!(!frames.iter().any(|frame| frame.contains("\"stop\"")));
    assert!(seen.iter().any(|seen| seen.path == "/ended"));
}

#[tokio::test]
async fn webhooks_are_sent_twice_with_one_token_when_asked() {
    let setting = Setting::new(&[(INCOMING, "<Hangup/>")], OnStream::Listen).await;
    let script = CallScript::default().with_faults(Faults { duplicate_webhooks: true, ..Faults::default() });
    let report = setting.carrier.place(&script).await.unwrap();
    let (seen, _) = setting.end().await;
    assert_eq!(seen.iter().filter(|seen| seen.path == INCOMING).count(), 2);
    assert_eq!(report.requests_to("incoming_call").filter(|request| request.retry).count(), 1);
}

#[tokio::test]
async fn marks_stay_away_when_asked_and_the_caller_gives_up() {
    let setting = Setting::new(&[(INCOMING, CONNECT)], OnStream::SpeakAndClose).await;
    let script = CallScript::of([Step::WaitEnd { limit: Duration::from_secs(2) }])
        .with_faults(Faults { mark_echo: MarkEcho::Never, ..Faults::default() });
    let report = setting.carrier.place(&script).await.unwrap();
    setting.end().await;
    assert_eq!(report.ended, Ended::ByCaller);
    assert_eq!(report.count(|what| matches!(what, Happened::StepTimedOut(0))), 1);
    assert_eq!(report.count(|what| matches!(what, Happened::MarkEchoed(_))), 0);
}

#[tokio::test]
async fn a_second_socket_is_opened_and_watched() {
    let setting = Setting::new(&[(INCOMING, CONNECT)], OnStream::Listen).await;
    let script = CallScript::of([Step::silence(Duration::from_secs(3))])
        .with_faults(Faults { second_socket: true, ..Faults::default() });
    let report = setting.carrier.place(&script).await.unwrap();
    setting.end().await;
    assert_eq!(report.stream.unwrap().second_socket_kept, Some(true), "this box keeps it");
}

#[tokio::test]
async fn redirects_dials_and_gathers_are_followed() {
    let pages = [
        (INCOMING, "<Redirect>menu</Redirect>"),
        ("/webhook/menu", "<Gather action=\"/chosen\" numDigits=\"2\"><Say>Press</Say></Gather>"),
        ("/chosen", "<Dial action=\"/dialled\"><Number>+972500000002</Number></Dial>"),
        ("/dialled", "<Reject/>"),
    ];
    let setting = Setting::new(&pages, OnStream::Listen).await;
    let mut script = CallScript::default().with_voicemail([Step::keys("42")]);
    script.dial = DialAnswer::Answered(Duration::from_secs(3));
    let report = setting.carrier.place(&script).await.unwrap();
    let (seen, _) = setting.end().await;
    assert_eq!(verbs(&report), ["Redirect", "Gather", "Dial", "Reject"]);
    let of = |path: &str, name: &str| seen.iter().find(|seen| seen.path == path).unwrap().params[name].clone();
    assert_eq!(of("/chosen", "Digits"), "42");
    assert_eq!(
        (of("/dialled", "DialCallStatus"), of("/dialled", "DialCallDuration")),
        ("completed".into(), "3".into())
    );
}

#[tokio::test]
async fn a_fallback_is_asked_with_the_error_when_the_box_is_not_understood() {
    let pages = [(INCOMING, "<Dance/>"), ("/fallback", "<Pause/>")];
    let setting = Setting::with(&pages, OnStream::Listen, |config| {
        config.fallback_url = Some("https://box.example/fallback".to_owned());
        config.status_events = vec![Progress::Completed];
    })
    .await;
    let report = setting.carrier.place(&CallScript::default()).await.unwrap();
    let (seen, _) = setting.end().await;
    assert_eq!(verbs(&report), ["Pause"]);
    let asked = seen.iter().find(|seen| seen.path == "/fallback").unwrap();
    assert_eq!(asked.params["ErrorCode"], "12100");
}

#[tokio::test]
async fn a_caller_may_hang_up_in_the_greeting() {
    let incoming = format!("<Play>/sound.wav</Play>{CONNECT}");
    let setting = Setting::new(&[(INCOMING, &incoming)], OnStream::Listen).await;
    let script = CallScript { hang_up_after: Some(Duration::from_millis(300)), ..CallScript::default() };
    let report = setting.carrier.place(&script).await.unwrap();
    setting.end().await;
    assert_eq!((report.ended, report.lasted), (Ended::ByCaller, Duration::from_millis(300)));
    assert_eq!(verbs(&report), ["Play"]);
}

#[tokio::test]
async fn both_sides_of_a_call_are_recorded_in_stereo() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let setting = Setting::with(&[(INCOMING, CONNECT)], OnStream::SpeakAndClose, |config| {
        config.audio_folder = Some(path);
    })
    .await;
    let report = setting.carrier.place(&CallScript::of([Step::wait_end()])).await.unwrap();
    setting.end().await;
    let file = std::fs::read(report.audio.unwrap()).unwrap();
    let wav = media::wav::Wav::parse(&file).unwrap();
    assert_eq!((wav.spec().channels, wav.spec().rate), (2, SampleRate::HZ_8000));
    assert_eq!(wav.frames().duration(SampleRate::HZ_8000), report.lasted);
}

fn verbs(report: &CallReport) -> Vec<&str> {
    report.events.iter().filter_map(|event| verb(&event.what)).collect()
}

fn verb(what: &Happened) -> Option<&str> {
    if let Happened::Verb(name) = what { Some(name) } else { None }
}

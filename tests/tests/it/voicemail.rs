use std::time::Duration;

use axum::http::{Method, StatusCode};
use e2e::{BoxOptions, PhraseBook, TestBox, wait_until};
use store::{CallOutcome, CarrierCopy, VoicemailPath, VoicemailRecord};
use telephony::Params;
use telephony::webhook::IDEMPOTENCY_HEADER;
use testcall::{CallScript, CallerVoice as _, Faults, Happened, Pace, Step, new_call_id};
use tokio::io::AsyncWriteExt as _;
use units::{CallId, Language};

use crate::rest::Rest;

const MESSAGE: &str = "please call me back about the flat";

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_stream_leads_to_a_message_that_is_fetched_kept_and_written_down() {
    let book = PhraseBook::new(&[MESSAGE]);
    let target = TestBox::start(BoxOptions::understanding(&book).pace(Pace::Times(8))).await.unwrap();
    let faults = Faults { refuse_stream: true, ..Faults::default() };
    let script = CallScript::default().with_voicemail([Step::say(MESSAGE, Language::English)]).with_faults(faults);
    let report = target.call(&script).await.unwrap();
    assert_eq!(report.count(|what| *what == Happened::RecordStarted), 1, "{:?}", report.events);
    let call: CallId = report.call_sid.parse().unwrap();
    let message = wait_until("the transcript of the message", async || {
        target.messages().ok()?.into_iter().find(|message| message.transcript.is_some())
    })
    .await
    .unwrap();
    assert_eq!(message.key.call, call);
    assert_eq!(message.transcript.unwrap().reveal(), MESSAGE);
    assert!(message.duration_ms >= 1_500, "{} ms", message.duration_ms);
    let file = target.parts.archive.recordings().unwrap().path(&message.recording.unwrap());
    assert!(std::fs::read(file).unwrap().starts_with(b"RIFF"));
    assert_eq!(target.record(&call).unwrap().unwrap().outcome, CallOutcome::Voicemail);
    assert_eq!(target.figure("kolbox_voicemails_total").await.unwrap(), 1.0);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_thanked_for_without_a_recording_and_kept_only_with_one() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let call = new_call_id();
    target.ring(&call).await.unwrap();
    let answer = target.post("/webhook/handle_recording", &result_of(&call)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("thanks_en.wav") && answer.text().contains("Hangup"), "{}", answer.text());
    assert!(target.messages().unwrap().is_empty());
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_told_twice_is_kept_once_even_by_another_request_and_after_a_restart() {
    let rest = Rest::start([], vec![0; 8_000]).await;
    let url = rest.url.clone();
    let options = BoxOptions::default().configured(move |config| config.carrier.api_url = url);
    let target = TestBox::start(options).await.unwrap();
    let call = new_call_id();
    let result = result_of(&call)
        .with("RecordingSid", "RE01")
        .with("RecordingUrl", rest.recording_url("RE01"))
        .with("RecordingDuration", "1");
    for _ in 0..2 {
        assert_eq!(target.post("/webhook/handle_recording", &result).await.unwrap().status, 200);
    }
    let folder = target.stop().await.unwrap();
    let target = TestBox::start(BoxOptions::default().on(folder)).await.unwrap();
    assert_eq!(target.post("/webhook/handle_recording", &result).await.unwrap().status, 200);
    assert_eq!(target.messages().unwrap().len(), 1);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_messages_of_one_call_stay_two_recordings() {
    let (first, second) = (Rest::start([], vec![0; 8_000]).await, Rest::start([], vec![0; 16_000]).await);
    let call = new_call_id();
    let mut folder = None;
    // Each message lies behind its own interface, so that their lengths tell them apart.
    for (rest, sid, count) in [(&first, "RE01", 1), (&second, "RE02", 2)] {
        let url = rest.url.clone();
        let options = BoxOptions::default().configured(move |config| config.carrier.api_url = url);
        let options = match folder.take() {
            Some(folder) => options.on(folder),
            None => options,
        };
        let target = TestBox::start(options).await.unwrap();
        let result = result_of(&call).with("RecordingSid", sid).with("RecordingUrl", rest.recording_url(sid));
        assert_eq!(target.post("/webhook/handle_recording", &result).await.unwrap().status, 200);
        wait_until("the message", async || {
            let messages = target.messages().ok()?;
            (messages.len() == count && messages.iter().all(|message| message.transcript.is_some())).then_some(())
        })
        .await
        .unwrap();
        folder = Some(target.stop().await.unwrap());
    }
    let target = TestBox::start(BoxOptions::default().on(folder.unwrap())).await.unwrap();
    let messages = target.messages().unwrap();
    let recordings = target.parts.archive.recordings().unwrap();
    let known: Vec<u64> = messages.iter().map(|message| message.duration_ms).collect();
    assert_eq!(known, [1_000, 2_000]);
    for (message, samples) in messages.iter().zip([8_000, 16_000]) {
        let name = message.recording.as_ref().unwrap();
        let file = std::fs::read(recordings.path(name)).unwrap();
        assert_eq!(file.len(), 44 + 2 * samples, "{name}");
        assert_eq!(message.key.call, call);
    }
    assert_ne!(messages[0].digest, messages[1].digest);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_recording_is_kept_with_an_empty_transcript() {
    let rest = Rest::start([], Vec::new()).await;
    let target = with_message(&rest).await;
    let message = wait_until("the empty message", async || {
        target.messages().ok()?.into_iter().find(|message| message.transcript.is_some())
    })
    .await
    .unwrap();
    assert_eq!((message.transcript.unwrap().reveal().as_str(), message.duration_ms), ("", 0));
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_is_not_there_yet_is_asked_for_again_until_it_is() {
    let book = PhraseBook::new(&[MESSAGE]);
    let samples = book.speak(MESSAGE, Language::English).unwrap();
    let rest = Rest::start([StatusCode::NOT_FOUND, StatusCode::NOT_FOUND], samples).await;
    let target = with_message(&rest).await;
    wait_until("the message", async || target.messages().ok()?.into_iter().find(|message| message.recording.is_some()))
        .await
        .unwrap();
    assert_eq!(rest.seen().iter().filter(|(method, ..)| *method == Method::GET).count(), 3);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_at_a_foreign_address_is_never_asked_for() {
    let rest = Rest::start([], vec![0; 800]).await;
    let stranger = Rest::start([], vec![0; 800]).await;
    let url = rest.url.clone();
    let options = BoxOptions::default().configured(move |config| config.carrier.api_url = url);
    let target = TestBox::start(options).await.unwrap();
    for (sid, address) in [("RE01", stranger.recording_url("RE01")), ("RE02", rest.recording_url("RE02"))] {
        let result = result_of(&new_call_id()).with("RecordingSid", sid).with("RecordingUrl", address);
        assert_eq!(target.post("/webhook/handle_recording", &result).await.unwrap().status, 200);
    }
    wait_until("the message at the right address", async || {
        target.messages().ok()?.into_iter().find(|message| message.recording.is_some())
    })
    .await
    .unwrap();
    assert_eq!((stranger.seen().len(), rest.seen().len()), (0, 1));
    assert_eq!(target.messages().unwrap().len(), 2, "what was acknowledged stays on record");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_never_starts_is_sent_to_voicemail_over_the_rest_interface() {
    let rest = Rest::start([], Vec::new()).await;
    let url = rest.url.clone();
    let options = BoxOptions::default().configured(move |config| {
        config.carrier.api_url = url;
        config.carrier.stream_start = Duration::from_millis(200);
    });
    let target = TestBox::start(options).await.unwrap();
    let call = new_call_id();
    let answer = target.ring(&call).await.unwrap();
    let token = answer.token().unwrap();
    let (method, path, body) = wait_until("the redirect", async || rest.seen().first().cloned()).await.unwrap();
    assert_eq!((method, path), (Method::POST, format!("/2010-04-01/Accounts/{}/Calls/{call}.json", e2e::ACCOUNT)));
    let form = Params::parse(body.as_bytes()).unwrap();
    assert!(form.first("Twiml").unwrap().contains("<Record"), "{form:?}");
    assert_eq!(target.figure("kolbox_watchdog_redirects_total").await.unwrap(), 1.0);
    let mut late = e2e::Socket::plain(&target).await.unwrap();
    late.start(&call, Some(&token)).await.unwrap();
    assert_eq!(late.closed().await.unwrap(), Some(1_008), "a stream that comes later is not let in");
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_gives_up_waiting_finds_its_message_taken_when_it_asks_again() {
    let rest = Rest::start([], vec![0; 800]).await;
    let url = rest.url.clone();
    let target =
        TestBox::start(BoxOptions::default().configured(move |config| config.carrier.api_url = url)).await.unwrap();
    for number in 0..20 {
        let sid = format!("RE{number:02}");
        let result =
            result_of(&new_call_id()).with("RecordingSid", sid.as_str()).with("RecordingUrl", rest.recording_url(&sid));
        let request = || {
            let signed = target.webhook("/webhook/handle_recording", &result, e2e::KEY).unwrap();
            signed.header(IDEMPOTENCY_HEADER, sid.as_str())
        };
        // The connection is closed as soon as the request is out, at the latest a moment later.
        hang_up_after_sending(&target, request().build().unwrap()).await;
        wait_until("an answer to the repetition", async || {
            let answer = target.send(request()).await.ok()?;
            assert!([200, 503].contains(&answer.status), "{}", answer.status);
            (answer.status == 200).then_some(())
        })
        .await
        .unwrap();
    }
    wait_until("all messages", async || {
        let fetched = target.messages().ok()?.iter().filter(|message| message.recording.is_some()).count();
        (fetched == 20).then_some(())
    })
    .await
    .unwrap();
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_on_voicemail_is_on_record_as_having_hung_up() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let faults = Faults { refuse_stream: true, ..Faults::default() };
    let mut script = CallScript::default().with_faults(faults);
    script.hang_up_after = Some(Duration::from_millis(300));
    let report = target.call(&script).await.unwrap();
    let call: CallId = report.call_sid.parse().unwrap();
    let record = target.record(&call).unwrap().unwrap();
    assert_eq!(record.outcome, CallOutcome::CallerHungUp);
    assert!(record.duration_ms.is_some());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_action_never_came_is_kept_by_the_callback_alone() {
    let book = PhraseBook::new(&[MESSAGE]);
    let rest = Rest::start([StatusCode::NOT_FOUND], book.speak(MESSAGE, Language::English).unwrap()).await;
    let target = TestBox::start(at(&rest, BoxOptions::understanding(&book))).await.unwrap();
    let call = new_call_id();
    target.ring(&call).await.unwrap();
    let answer = target.post("/webhook/recording_status", &status_of(&call, "RE01", "completed")).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let message = written_down(&target, &call).await;
    assert_eq!(message.path, Some(VoicemailPath::CarrierCallback));
    assert_eq!(message.caller.reveal(), "+972500000001", "the callback does not say who called, the call does");
    assert_eq!(message.transcript.unwrap().reveal(), MESSAGE);
    assert_eq!(message.summary.unwrap().reveal(), MESSAGE);
    assert_eq!(message.language, Some(Language::English));
    assert_eq!(target.record(&call).unwrap().unwrap().outcome, CallOutcome::Voicemail);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn action_and_callback_in_any_order_repeated_and_over_a_restart_are_one_message() {
    for order in ["ac", "ca", "aacc", "ccaa", "a|c", "c|a", "ac|ac", "c|c|a"] {
        let rest = Rest::start([], vec![0; 8_000]).await;
        let mut target = TestBox::start(at(&rest, BoxOptions::default())).await.unwrap();
        let call = new_call_id();
        for what in order.chars() {
            let (path, params) = match what {
                'a' => ("/webhook/handle_recording", action_of(&call, "RE01", &rest)),
                'c' => ("/webhook/recording_status", status_of(&call, "RE01", "completed")),
                _ => {
                    let folder = target.stop().await.unwrap();
                    target = TestBox::start(at(&rest, BoxOptions::default().on(folder))).await.unwrap();
                    continue;
                }
            };
            assert_eq!(target.post(path, &params).await.unwrap().status, 200, "{order}");
        }
        let message = written_down(&target, &call).await;
        let first = if order.starts_with('a') { VoicemailPath::CarrierAction } else { VoicemailPath::CarrierCallback };
        assert_eq!(message.path, Some(first), "{order}");
        assert_eq!(target.messages().unwrap().len(), 1, "{order}");
        target.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_webhooks_of_one_recording_at_once_are_one_message() {
    let rest = Rest::start([], vec![0; 8_000]).await;
    let target = TestBox::start(at(&rest, BoxOptions::default())).await.unwrap();
    let call = new_call_id();
    let (action, status) = (action_of(&call, "RE01", &rest), status_of(&call, "RE01", "completed"));
    let posts = (0..100).map(|number| {
        let (target, action, status) = (&target, &action, &status);
        async move {
            match number % 2 {
                0 => target.post("/webhook/handle_recording", action).await,
                _ => target.post("/webhook/recording_status", status).await,
            }
        }
    });
    for answer in futures_util::future::join_all(posts).await {
        assert_eq!(answer.unwrap().status, 200);
    }
    written_down(&target, &call).await;
    assert_eq!(target.messages().unwrap().len(), 1);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_the_carrier_does_not_have_is_no_longer_asked_for() {
    for word in ["absent", "failed"] {
        // Never there, as far as the carrier's interface is concerned.
        let rest = Rest::start([StatusCode::NOT_FOUND; 50], Vec::new()).await;
        let target = TestBox::start(at(&rest, BoxOptions::default())).await.unwrap();
        let call = new_call_id();
        let early = target.post("/webhook/recording_status", &status_of(&call, "RE01", word)).await.unwrap();
        assert_eq!((early.status, target.messages().unwrap().len()), (200, 0), "nothing was recorded, nothing is kept");
        target.post("/webhook/handle_recording", &action_of(&call, "RE01", &rest)).await.unwrap();
        let closing = status_of(&call, "RE01", word).with("ErrorCode", "13610");
        assert_eq!(target.post("/webhook/recording_status", &closing).await.unwrap().status, 200);
        let message = target.messages().unwrap().remove(0);
        assert_eq!((message.source, message.recording), (None, None));
        assert_eq!(message.caller.reveal(), "+972500000001", "who wanted to leave a message is still known");
        assert!(target.is_well().await.unwrap());
        target.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_recording_by_another_account_or_half_is_refused() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let call = new_call_id();
    let whole = status_of(&call, "RE01", "completed");
    let of = |account: &str, status: Option<&str>| {
        let params =
            Params::new().with("CallSid", call.as_str()).with("AccountSid", account).with("RecordingSid", "RE01");
        status.into_iter().fold(params, |params, status| params.with("RecordingStatus", status))
    };
    let stranger = of("AC99999999999999999999999999999999", Some("completed"));
    for (params, status) in
        [(&stranger, 403), (&of(e2e::ACCOUNT, None), 400), (&of(e2e::ACCOUNT, Some("dancing")), 200)]
    {
        assert_eq!(target.post("/webhook/recording_status", params).await.unwrap().status, status);
    }
    let unsigned = target.form("/webhook/recording_status", whole.encode());
    assert_eq!(target.send(unsigned).await.unwrap().status, 403);
    assert!(target.messages().unwrap().is_empty());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_on_the_recording_is_not_thanked_and_the_message_is_kept() {
    let rest = Rest::start([], vec![0; 8_000]).await;
    let target = TestBox::start(at(&rest, BoxOptions::default())).await.unwrap();
    let call = new_call_id();
    let hung_up = action_of(&call, "RE01", &rest).with("Digits", "hangup");
    let answer = target.post("/webhook/handle_recording", &hung_up).await.unwrap();
    assert!(answer.status == 200 && !answer.text().contains("thanks"), "{}", answer.text());
    let keyed = action_of(&call, "RE02", &rest).with("Digits", "#");
    assert!(target.post("/webhook/handle_recording", &keyed).await.unwrap().text().contains("thanks"));
    let odd = action_of(&call, "RE03", &rest).with("Digits", "seven");
    assert_eq!(target.post("/webhook/handle_recording", &odd).await.unwrap().status, 400);
    assert_eq!(target.messages().unwrap().len(), 2);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_an_address_is_fetched_by_its_name() {
    let rest = Rest::start([], vec![0; 8_000]).await;
    let target = TestBox::start(at(&rest, BoxOptions::default())).await.unwrap();
    let call = new_call_id();
    let nameless = result_of(&call).with("RecordingSid", "RE01");
    assert_eq!(target.post("/webhook/handle_recording", &nameless).await.unwrap().status, 200);
    assert_eq!(written_down(&target, &call).await.duration_ms, 1_000);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_deleted_at_the_carrier_once_it_is_safe_here_and_only_where_that_is_wanted() {
    for is_wanted in [true, false] {
        let rest = Rest::start([], vec![0; 8_000]).await;
        rest.delete_with([StatusCode::SERVICE_UNAVAILABLE]);
        let options = at(&rest, BoxOptions::default());
        let options = options.configured(move |config| config.voicemail.delete_at_carrier = is_wanted);
        let target = TestBox::start(options).await.unwrap();
        let call = new_call_id();
        target.post("/webhook/handle_recording", &action_of(&call, "RE01", &rest)).await.unwrap();
        let message = written_down(&target, &call).await;
        let deletions = || rest.seen().into_iter().filter(|(method, ..)| *method == Method::DELETE).collect::<Vec<_>>();
        if is_wanted {
            wait_until("the deletion", async || {
                let copy = target.messages().ok()?.first()?.carrier_copy;
                (copy == CarrierCopy::Deleted).then_some(())
            })
            .await
            .unwrap();
            let path = format!("/2010-04-01/Accounts/{}/Recordings/RE01.json", e2e::ACCOUNT);
            assert_eq!(deletions().iter().map(|(_, at, _)| at.clone()).collect::<Vec<_>>(), [path.clone(), path]);
        } else {
            assert_eq!((message.carrier_copy, deletions().len()), (CarrierCopy::Kept, 0));
        }
        let file = target.parts.archive.recordings().unwrap().path(&message.recording.unwrap());
        assert!(std::fs::read(file).unwrap().starts_with(b"RIFF"));
        target.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_to_be_deleted_when_the_box_stopped_is_deleted_after_the_start_and_gone_already_is_as_good() {
    let rest = Rest::start([], vec![0; 8_000]).await;
    // Refused for good in the first run, as with a key that is no longer one.
    rest.delete_with([StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND]);
    let wanted =
        |options: BoxOptions| at(&rest, options).configured(|config| config.voicemail.delete_at_carrier = true);
    let target = TestBox::start(wanted(BoxOptions::default())).await.unwrap();
    let call = new_call_id();
    target.post("/webhook/handle_recording", &action_of(&call, "RE01", &rest)).await.unwrap();
    assert_eq!(written_down(&target, &call).await.carrier_copy, CarrierCopy::ToDelete);
    let folder = target.stop().await.unwrap();
    let target = TestBox::start(wanted(BoxOptions::default().on(folder))).await.unwrap();
    wait_until("the deletion", async || {
        (target.messages().ok()?.first()?.carrier_copy == CarrierCopy::Deleted).then_some(())
    })
    .await
    .unwrap();
    target.stop().await.unwrap();
}

/// Lets a box use this interface of the carrier.
fn at(rest: &Rest, options: BoxOptions) -> BoxOptions {
    let url = rest.url.clone();
    options.configured(move |config| config.carrier.api_url = url)
}

/// Waits until a message of this call is written down.
async fn written_down(target: &TestBox, call: &CallId) -> VoicemailRecord {
    wait_until("the transcript of the message", async || {
        let messages = target.messages().ok()?;
        messages.into_iter().find(|message| message.key.call == *call && message.transcript.is_some())
    })
    .await
    .unwrap()
}

fn action_of(call: &CallId, sid: &str, rest: &Rest) -> Params {
    result_of(call)
        .with("RecordingSid", sid)
        .with("RecordingUrl", rest.recording_url(sid))
        .with("RecordingDuration", "1")
}

/// The carrier's word on a recording; it does not say who called.
fn status_of(call: &CallId, sid: &str, status: &str) -> Params {
    Params::new()
        .with("AccountSid", e2e::ACCOUNT)
        .with("CallSid", call.as_str())
        .with("RecordingSid", sid)
        .with("RecordingStatus", status)
        .with("RecordingDuration", "1")
        .with("RecordingChannels", "1")
        .with("RecordingSource", "RecordVerb")
}

/// Writes a request by hand and closes the connection without reading the answer.
async fn hang_up_after_sending(target: &TestBox, request: reqwest::Request) {
    let body = request.body().unwrap().as_bytes().unwrap();
    let headers = request.headers().iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
    let (path, headers, len) = (request.url().path(), headers.collect::<String>(), body.len());
    let text = format!("POST {path} HTTP/1.1\r\nhost: box\r\n{headers}content-length: {len}\r\n\r\n");
    let mut socket = tokio::net::TcpStream::connect(target.address).await.unwrap();
    socket.write_all(&[text.as_bytes(), body].concat()).await.unwrap();
    socket.shutdown().await.unwrap();
}

/// Starts a box that was told of a message at `rest`.
async fn with_message(rest: &Rest) -> TestBox {
    let url = rest.url.clone();
    let options = BoxOptions::default().configured(move |config| config.carrier.api_url = url);
    let target = TestBox::start(options).await.unwrap();
    let call = new_call_id();
    target.ring(&call).await.unwrap();
    let result = result_of(&call).with("RecordingSid", "RE01").with("RecordingUrl", rest.recording_url("RE01"));
    assert_eq!(target.post("/webhook/handle_recording", &result).await.unwrap().status, 200);
    target
}

fn result_of(call: &CallId) -> Params {
    Params::new().with("CallSid", call.as_str()).with("AccountSid", e2e::ACCOUNT).with("From", "+972500000001")
}

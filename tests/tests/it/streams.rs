use std::time::Duration;

use appliance::config::StreamSignature;
use e2e::{BoxOptions, Came, KEY, PhraseBook, Socket, TestBox, wait_until};
use telephony::{AuthKey, Signer};
use testcall::new_call_id;
use testcall::{CallReport, CallScript, Faults, Happened, Injected, Injection, ParameterFault, Step, StreamEnd};
use units::{CallId, Language};

/// The close code for who is not let in (RFC 6455 section 7.4.1).
const POLICY_VIOLATION: Option<u16> = Some(1_008);

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_its_token_is_not_let_in() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let (first, second) = (new_call_id(), new_call_id());
    let token = target.ring(&first).await.unwrap().token().unwrap();
    let other = target.ring(&second).await.unwrap().token().unwrap();
    for (what, shown) in [("no token", None), ("an invented one", Some("invented")), ("another call's", Some(&*other))]
    {
        let mut socket = Socket::plain(&target).await.unwrap();
        socket.start(&first, shown).await.unwrap();
        assert_eq!(socket.closed().await.unwrap(), POLICY_VIOLATION, "{what}");
    }
    let mut socket = connected(&target, &first, &token).await;
    let mut again = Socket::plain(&target).await.unwrap();
    again.start(&first, Some(&token)).await.unwrap();
    assert_eq!(again.closed().await.unwrap(), POLICY_VIOLATION, "a used token");
    socket.silence().await.unwrap();
    socket.spoken_to().await.unwrap();
    let refused = target.figure(r#"kolbox_streams_refused_total{reason="token"}"#).await.unwrap();
    let without = target.figure(r#"kolbox_streams_refused_total{reason="no_token"}"#).await.unwrap();
    assert_eq!((refused, without), (3.0, 1.0));
    drop(socket);
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_call_that_was_tried_still_lets_in_its_own() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let (victim, thief) = (new_call_id(), new_call_id());
    let token = target.ring(&victim).await.unwrap().token().unwrap();
    target.ring(&thief).await.unwrap();
    let mut stolen = Socket::plain(&target).await.unwrap();
    stolen.start(&thief, Some(&token)).await.unwrap();
    assert_eq!(stolen.closed().await.unwrap(), POLICY_VIOLATION);
    drop(connected(&target, &victim, &token).await);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_as_the_last_segment_of_the_path() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let call = new_call_id();
    let token = target.ring(&call).await.unwrap().token().unwrap();
    let opened = Socket::open(&target, &format!("/ws/twilio-media/{token}"), None).await.unwrap();
    let mut socket = opened.unwrap();
    socket.start(&call, None).await.unwrap();
    socket.spoken_to().await.unwrap();
    drop(socket);
    assert!(Socket::open(&target, "/ws/twilio-media/", None).await.unwrap().is_ok(), "a slash alone is the plain path");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_with_a_wrong_signature_is_refused_and_with_a_right_one_is_not() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let path = "/ws/twilio-media";
    let url = target.parts.config.http.public_url.stream(path);
    let right = Signer::new(AuthKey::new(KEY).unwrap()).sign_stream(&url);
    let wrong = Signer::new(AuthKey::new("another key").unwrap()).sign_stream(&url);
    assert_eq!(Socket::open(&target, path, Some(&wrong)).await.unwrap().unwrap_err(), 403);
    assert!(Socket::open(&target, path, Some(&right)).await.unwrap().is_ok());
    assert!(Socket::open(&target, path, None).await.unwrap().is_ok());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_signed_handshake_is_required_an_unsigned_one_is_refused() {
    let options = BoxOptions::default();
    let options = options.configured(|config| config.carrier.stream_signature = StreamSignature::Required);
    let target = TestBox::start(options).await.unwrap();
    assert_eq!(Socket::open(&target, "/ws/twilio-media", None).await.unwrap().unwrap_err(), 403);
    let refused = target.figure(r#"kolbox_streams_refused_total{reason="signature"}"#).await.unwrap();
    assert_eq!(refused, 1.0);
    let report = target.call(&CallScript::of([Step::wait_for_agent(), Step::Hangup {}])).await.unwrap();
    assert_eq!(closed(&report), Some(StreamEnd::CallerHungUp), "the carrier signs, and its call is served");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_do_not_belong_there_are_counted_and_the_call_goes_on() {
    let book = PhraseBook::new(&["dana levy", "about a flat for rent"]);
    let target = TestBox::start(BoxOptions::understanding(&book)).await.unwrap();
    let call = new_call_id();
    let token = target.ring(&call).await.unwrap().token().unwrap();
    let mut socket = Socket::plain(&target).await.unwrap();
    let stream = socket.stream().to_owned();
    socket.media(&stream, "////").await.unwrap();
    socket.start(&call, Some(&token)).await.unwrap();
    socket.spoken_to().await.unwrap();
    socket.send_binary(vec![0; 320]).await.unwrap();
    for text in
        ["", "null", "[1,2]", "{}", r#"{"event":7}"#, r#"{"event":"media"}"#, r#"{"sequenceNumber":"1"}"#, "\u{0}"]
    {
        socket.send(text).await.unwrap();
    }
    socket.media(&stream, "this is not base64!").await.unwrap();
    socket.media("MZ99999999999999999999999999999999", "////").await.unwrap();
    socket
        .send(format!(r#"{{"event":"mark","sequenceNumber":"900","streamSid":"{stream}","mark":{{"name":"x"}}}}"#))
        .await
        .unwrap();
    for _ in 0..10 {
        socket.silence().await.unwrap();
    }
    wait_until("frames of another stream", async || {
        let other = target.figure(r#"kolbox_frames_ignored_total{reason="other_stream"}"#).await.ok()?;
        let malformed = target.figure(r#"kolbox_frames_ignored_total{reason="malformed"}"#).await.ok()?;
        (other == 1.0 && malformed >= 9.0).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(target.parts.switchboard.on_line(), 1, "the call goes on");
    drop(socket);
    // The same within a whole call: the conversation comes to its end.
    let injected =
        |after_ms: u64, frame: Injected| Injection { after: Duration::from_millis(after_ms), times: 3, frame };
    let faults = Faults {
        media_before_start: true,
        injections: vec![
            injected(300, Injected::Binary(320)),
            injected(400, Injected::Text("{}".to_owned())),
            injected(500, Injected::Text("not JSON".to_owned())),
        ],
        ..Faults::default()
    };
    let report = target.call(&conversation().with_faults(faults)).await.unwrap();
    let call: CallId = report.call_sid.parse().unwrap();
    assert!(target.forms(&call).unwrap()[0].complete, "{report:?}");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_ten_megabytes_ends_the_stream_and_the_caller_is_asked_for_a_message() {
    check_falls_to_voicemail(vec![Injection {
        after: Duration::from_millis(500),
        times: 1,
        frame: Injected::LongText(10 * 1024 * 1024),
    }])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_frames_ends_the_stream_and_the_caller_is_asked_for_a_message() {
    check_falls_to_voicemail(vec![Injection {
        after: Duration::from_millis(500),
        times: 10_000,
        frame: Injected::Media,
    }])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_dropped_mid_word_keeps_what_was_said_and_asks_for_a_message() {
    let book = PhraseBook::new(&["dana levy", "about a flat for rent"]);
    let target = TestBox::start(BoxOptions::understanding(&book)).await.unwrap();
    let script = CallScript::of([
        Step::wait_for_agent(),
        Step::say("dana levy", Language::English),
        Step::wait_for_agent(),
        Step::say("about a flat for rent", Language::English),
        Step::wait_end(),
    ]);
    // The second answer lasts 1.25 s and begins after about 6 s.
    let drop_at = second_answer_begins(&target, &script).await + Duration::from_millis(500);
    let faults = Faults { drop_socket_after: Some(drop_at), ..Faults::default() };
    let report = target.call(&script.with_faults(faults)).await.unwrap();
    assert_eq!(closed(&report), Some(StreamEnd::DroppedByScript));
    let call: CallId = report.call_sid.parse().unwrap();
    let record = wait_until("the end of the call in the store", async || {
        target.record(&call).ok().flatten().filter(|record| record.duration_ms.is_some())
    })
    .await
    .unwrap();
    assert_eq!(record.call, call);
    let turns = target.turns(&call).unwrap();
    assert!(turns.iter().any(|turn| turn.caller.reveal().contains("dana levy")), "what was said before is kept");
    assert!(!target.forms(&call).unwrap()[0].complete);
    check_asked_for_message(&report);
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_socket_for_a_call_is_refused_and_the_first_goes_on() {
    let book = PhraseBook::new(&["dana levy", "about a flat for rent"]);
    let target = TestBox::start(BoxOptions::understanding(&book)).await.unwrap();
    let faults = Faults { second_socket: true, ..Faults::default() };
    let report = target.call(&conversation().with_faults(faults)).await.unwrap();
    assert_eq!(report.stream.as_ref().unwrap().second_socket_kept, Some(false));
    let call: CallId = report.call_sid.parse().unwrap();
    assert!(target.forms(&call).unwrap()[0].complete, "{report:?}");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_parameters_were_lost_or_changed_is_let_in_by_the_token_in_its_path() {
    let book = PhraseBook::new(&["dana levy", "about a flat for rent"]);
    let target = TestBox::start(BoxOptions::understanding(&book)).await.unwrap();
    for parameters in [ParameterFault::Missing, ParameterFault::Changed] {
        let faults = Faults { parameters, ..Faults::default() };
        let report = target.call(&conversation().with_faults(faults)).await.unwrap();
        let call: CallId = report.call_sid.parse().unwrap();
        assert!(target.forms(&call).unwrap()[0].complete, "{parameters:?}: {report:?}");
    }
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_ends_without_a_word_costs_nothing() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    for _ in 0..20 {
        drop(Socket::plain(&target).await.unwrap());
    }
    wait_until("free places", async || {
        let gone = target.figure(r#"kolbox_streams_refused_total{reason="gone"}"#).await.ok()?;
        (gone == 20.0).then_some(())
    })
    .await
    .unwrap();
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

/// A call whose stream the box has to end, at its hardest.
async fn check_falls_to_voicemail(injections: Vec<Injection>) {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let script = CallScript::of([Step::wait_end()]);
    let report = target.call(&script.with_faults(Faults { injections, ..Faults::default() })).await.unwrap();
    assert!(matches!(closed(&report), Some(StreamEnd::ClosedByBox(_) | StreamEnd::Broken)), "{report:?}");
    check_asked_for_message(&report);
    let call: CallId = report.call_sid.parse().unwrap();
    assert!(target.record(&call).unwrap().is_some());
    assert_eq!(target.parts.switchboard.on_line(), 0);
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

fn check_asked_for_message(report: &CallReport) {
    assert_eq!(report.count(|what| *what == Happened::RecordStarted), 1, "{:?}", report.events);
}

fn closed(report: &CallReport) -> Option<StreamEnd> {
    report.events.iter().find_map(|event| if let Happened::StreamClosed(end) = &event.what { Some(*end) } else { None })
}

/// Two answers, to the end.
fn conversation() -> CallScript {
    CallScript::of([
        Step::wait_for_agent(),
        Step::say("dana levy", Language::English),
        Step::wait_for_agent(),
        Step::say("about a flat for rent", Language::English),
        Step::wait_end(),
    ])
}

/// Places a call and tells at what stream time the caller's second answer began.
async fn second_answer_begins(target: &TestBox, script: &CallScript) -> Duration {
    let report = target.call(script).await.unwrap();
    let opened = report.first(|what| *what == Happened::StreamOpened).unwrap().at.since_answer();
    let step = report.first(|what| *what == Happened::Step(3)).unwrap().at.since_answer();
    step.saturating_sub(opened)
}

/// Opens the stream of a call and waits for the box's first word.
async fn connected(target: &TestBox, call: &CallId, token: &str) -> Socket {
    let mut socket = Socket::plain(target).await.unwrap();
    socket.start(call, Some(token)).await.unwrap();
    assert!(matches!(socket.next().await.unwrap(), Came::Text(_)));
    socket
}

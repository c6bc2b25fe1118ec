//! Transfers: who is dialled, the whisper document, and what the box is told.

use std::time::Duration;

use testcall::{CallReport, CallScript, DialAnswer, DialStatus, Happened, Person, Step};
use units::Pii;

use crate::tiny_box::{OnStream, Seen, Setting};

const INCOMING: &str = "/webhook/incoming_call";
const DIAL: &str = "<Dial action=\"/dialled\" timeout=\"20\" callerId=\"+972700000000\">\
    <Number url=\"/whisper\" statusCallback=\"/leg\">+972500000002</Number></Dial>";
const WHISPER: &str = "<Gather action=\"/chosen\" numDigits=\"1\" timeout=\"4\"><Say>Somebody calls about a flat</Say></Gather>\
    <Hangup/>";

async fn transfer(dial: DialAnswer, chosen: &str) -> (CallReport, Vec<Seen>) {
    let pages = [(INCOMING, DIAL), ("/whisper", WHISPER), ("/chosen", chosen), ("/dialled", "<Hangup/>")];
    let setting = Setting::new(&pages, OnStream::Listen).await;
    let report = setting.carrier.place(&CallScript::default().with_dial(dial)).await.unwrap();
    (report, setting.end().await.0)
}

fn told(seen: &[Seen]) -> [String; 3] {
    let params = &seen.iter().find(|seen| seen.path == "/dialled").unwrap().params;
    ["DialCallStatus", "DialBridged", "DialCallDuration"].map(|name| params[name].clone())
}

#[tokio::test]
async fn a_person_who_presses_the_key_is_connected() {
    let person = Person { rings: Duration::from_secs(6), ..Person::pressing("1", Duration::from_secs(30)) };
    let (report, seen) = transfer(DialAnswer::Person(person), "").await;
    let leg = &report.dialled[0];
    assert_eq!((leg.status, leg.bridged, leg.talked.as_secs()), (DialStatus::Completed, true, 30));
    assert_eq!(leg.rang, Duration::from_secs(6));
    assert_eq!(told(&seen), ["completed", "true", "31"], "27 characters are heard before the two are connected");

    let order: Vec<_> = report.events.iter().map(|event| &event.what).collect();
    let at = |what: &Happened| order.iter().position(|found| *found == what);
    let story = [Happened::DialRinging, Happened::DialAnswered, Happened::WhisperFetched, Happened::DialKey];
    let places: Vec<_> = story.iter().chain([&Happened::WhisperHeard(1_800), &Happened::Bridged]).map(at).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {order:?}");

    let whisper = &seen.iter().find(|seen| seen.path == "/whisper").unwrap();
    let (child, parent) = (&whisper.params["CallSid"], &whisper.params["ParentCallSid"]);
    assert!(whisper.believed && *child == leg.call_sid && *parent == report.call_sid);
    let rest = ["Direction", "CallStatus", "From", "To"].map(|name| whisper.params[name].as_str());
    assert_eq!(rest, ["outbound-dial", "in-progress", "+972700000000", "+972500000002"]);
    let chosen = seen.iter().find(|seen| seen.path == "/chosen").unwrap();
    assert_eq!((chosen.params["Digits"].as_str(), &chosen.params["CallSid"]), ("1", child));
    let leg_told = seen.iter().find(|seen| seen.path == "/leg").unwrap();
    assert_eq!(leg_told.params["CallStatus"], "completed");
    assert_eq!(report.agent_speech, [], "the caller hears nothing of it");
}

#[tokio::test]
async fn a_person_who_presses_nothing_is_not_connected() {
    for (declined_as, word) in [(DialStatus::Completed, "completed"), (DialStatus::NoAnswer, "no-answer")] {
        let person = Person { declined_as, ..Person::default() };
        let (report, seen) = transfer(DialAnswer::Person(person), "").await;
        assert_eq!(told(&seen)[..2], [word, "false"]);
        assert_eq!(report.count(|what| *what == Happened::NotBridged), 1);
        assert!(!seen.iter().any(|seen| seen.path == "/chosen"));
    }
}

#[tokio::test]
async fn a_wrong_key_can_be_corrected_and_a_refusal_ends_the_leg() {
    let person = DialAnswer::Person(Person::pressing("21", Duration::from_secs(1)));
    let (report, seen) = transfer(person.clone(), "<Redirect>/whisper</Redirect>").await;
    // Both keys lead back to the question, and then the person has no more.
    assert_eq!(seen.iter().filter(|seen| seen.path == "/chosen").count(), 2);
    assert_eq!(report.count(|what| *what == Happened::DialKey), 2);
    let (report, seen) = transfer(person, "<Say>Goodbye</Say><Hangup/>").await;
    assert_eq!(told(&seen)[..2], ["completed", "false"]);
    assert!(!report.dialled[0].bridged);
}

#[tokio::test]
async fn nobody_answering_a_busy_line_and_a_dead_one_are_told_apart() {
    let late = Person { rings: Duration::from_secs(20), ..Person::default() };
    for (dial, word, rang) in [
        (DialAnswer::NoAnswer, "no-answer", 20),
        (DialAnswer::Person(late), "no-answer", 20),
        (DialAnswer::Busy, "busy", 0),
        (DialAnswer::Failed, "failed", 0),
    ] {
        let (report, seen) = transfer(dial, "").await;
        assert_eq!(told(&seen), [word, "false", "0"]);
        assert_eq!(report.dialled[0].rang.as_secs(), rang);
        assert!(!seen.iter().any(|seen| seen.path == "/whisper"));
    }
}

#[tokio::test]
async fn without_a_usable_whisper_document_nobody_is_connected() {
    let pages = [(INCOMING, DIAL), ("/whisper", "<Dance/>"), ("/dialled", "<Hangup/>")];
    let setting = Setting::new(&pages, OnStream::Listen).await;
    let dial = DialAnswer::Person(Person::pressing("1", Duration::from_secs(1)));
    let report = setting.carrier.place(&CallScript::default().with_dial(dial)).await.unwrap();
    let (seen, _) = setting.end().await;
    assert_eq!(told(&seen)[1], "false");
    assert!(report.has_warning(12_100));
}

#[tokio::test]
async fn a_dial_that_shows_no_number_of_the_call_or_the_account_fails() {
    let own = |id: &str| DIAL.replace("+972700000000", id);
    let inherits = DIAL.replace(" callerId=\"+972700000000\"", "");
    let number = "+972500000001";
    for (from, document, is_rung) in [
        (number, inherits.clone(), true),
        (number, own(number), true),
        (number, own("+972500000003"), false),
        ("whatsapp:+972500000001", inherits.clone(), false),
        ("whatsapp:+972500000001", own(number), false),
        ("whatsapp:+972500000001", DIAL.to_owned(), true),
        ("client:dana", inherits.clone(), false),
        ("+266696687", inherits, false),
    ] {
        let pages = [(INCOMING, document.as_str()), ("/whisper", WHISPER), ("/dialled", "<Hangup/>")];
        let setting = Setting::new(&pages, OnStream::Listen).await;
        let script = CallScript { from: Pii::new(from.to_owned()), ..CallScript::default() };
        let report = setting.carrier.place(&script.with_dial(DialAnswer::Busy)).await.unwrap();
        let (seen, _) = setting.end().await;
        assert_eq!(told(&seen)[0], if is_rung { "busy" } else { "failed" }, "{from}: {document}");
        assert_eq!(report.has_warning(13_214), !is_rung, "{from}: {document}");
    }
}

#[tokio::test]
async fn a_caller_who_gives_up_while_it_rings_ends_both_legs() {
    let script =
        CallScript { hang_up_after: Some(Duration::from_secs(3)), dial: DialAnswer::NoAnswer, ..CallScript::default() };
    let setting = Setting::new(&[(INCOMING, DIAL)], OnStream::Listen).await;
    let report = setting.carrier.place(&script).await.unwrap();
    let (seen, _) = setting.end().await;
    assert_eq!(report.dialled[0].status, DialStatus::Canceled);
    assert!(!seen.iter().any(|seen| seen.path == "/dialled"));
    assert_eq!(seen.iter().find(|seen| seen.path == "/leg").unwrap().params["CallStatus"], "canceled");
}

#[tokio::test]
async fn the_script_goes_on_with_the_next_stream_after_a_transfer_that_failed() {
    let stream = "<Connect action=\"/ended\"><Stream url=\"{stream}\"/></Connect>";
    let dialled = format!("{stream}<Hangup/>");
    let pages = [(INCOMING, stream), ("/ended", DIAL), ("/dialled", dialled.as_str())];
    let setting = Setting::new(&pages, OnStream::SpeakAndClose).await;
    let script = CallScript::of([Step::wait_end()])
        .with_dial(DialAnswer::Busy)
        .with_later_stream([Step::keys("7"), Step::Hangup {}]);
    let report = setting.carrier.place(&script).await.unwrap();
    let (_, frames) = setting.end().await;
    assert_eq!(report.earlier_streams.len(), 1);
    assert!(report.stream.is_some_and(|stream| stream.stream_sid != report.earlier_streams[0].stream_sid));
    assert_eq!(frames.iter().filter(|frame| frame.contains("\"start\"")).count(), 2);
    assert_eq!(frames.iter().filter(|frame| frame.contains("\"dtmf\"")).count(), 1);
}

#[test]
fn whom_a_box_dials_can_be_written_in_toml() {
    let script: CallScript = toml::from_str(
        "dial = { person = { rings = '4s', keys = '1', talks = '20s', declined_as = 'no-answer' } }\n\
         later_streams = [[{ dtmf = { digits = '1' } }, { hangup = {} }]]\n\
         [[steps]]\nwait_end = {}\n",
    )
    .unwrap();
    let DialAnswer::Person(person) = &script.dial else { panic!("{:?}", script.dial) };
    assert_eq!((person.rings.as_secs(), person.declined_as), (4, DialStatus::NoAnswer));
    assert_eq!(script.later_streams[0].len(), 2);
    assert_eq!(toml::from_str::<CallScript>("dial = 'failed'").unwrap().dial, DialAnswer::Failed);
    assert_eq!(
        toml::from_str::<CallScript>("dial = { answered = '3s' }").unwrap().dial,
        DialAnswer::Answered(Duration::from_secs(3))
    );
}

//! What the owner and the leads hear of a message whose words come late or never.

use std::sync::mpsc;

use appliance::messages::{KeptFiles, trim};
use e2e::{BoxOptions, PhraseBook, TestBox, engines, wait_until};
use leads::{Lead, SourceKind};
use media::wav;
use speech::fakes::{Hears, ScriptedRecognizer};
use store::{LeadHistory, Leads, Outgoing, Query};
use telephony::Params;
use testcall::{CallerVoice as _, RestCall, RestFault, new_call_id};
use units::{CallId, Language, Pii, SampleRate};

use crate::routes::{OWNER, notices, told, told_all};

/// Longer than a receiver put down.
const MESSAGE: &str = "please call me back about the flat with the garden near the old harbour";
const CALLER: &str = "+972500000001";
/// When the message is left, when nobody waits for its words any more, and when nobody knows that it was told.
const LEFT: &str = "2026-11-22T12:00:00+02:00";
const LATER: &str = "2026-11-22T12:06:00+02:00";
const MUCH_LATER: &str = "2026-11-30T12:00:00+02:00";

#[tokio::test(flavor = "multi_thread")]
async fn of_a_message_that_a_deaf_box_takes_the_owner_is_told_once_and_the_lead_is_there_and_hears_the_words_later() {
    let target = TestBox::start(deaf().at(LEFT)).await.unwrap();
    leave(&target, CALLER).await;
    check_waits(&target);
    let first = lead(&target).await;
    assert_eq!(first.phone.as_ref().unwrap().reveal(), CALLER);
    assert_eq!(texts(&target, &first), [None]);
    let fetched = async || target.messages().ok()?.pop()?.recording;
    wait_until("the recording", fetched).await.unwrap();

    // Told after the wait, and not again, however often it starts.
    let target = TestBox::start(deaf().at(LATER).on(target.stop().await.unwrap())).await.unwrap();
    assert_eq!(told_all(&target).await, [format!("New voicemail: {CALLER}: no words could be made out")]);
    let target = TestBox::start(deaf().at(MUCH_LATER).on(target.stop().await.unwrap())).await.unwrap();
    trim(&target.parts, KeptFiles::default()).await;

    let target = TestBox::start(hearing().at(MUCH_LATER).on(target.stop().await.unwrap())).await.unwrap();
    let lead = wait_until("the words in the lead", async || {
        let lead = lead(&target).await;
        (texts(&target, &lead) == [Some(MESSAGE.to_owned())]).then_some(lead)
    })
    .await
    .unwrap();
    assert_eq!((lead.id, &lead.sources), (first.id, &[(SourceKind::Voicemail, 1)].into()), "one message of one person");
    check_nothing_more_is_told(&target).await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_come_in_time_are_told_in_place_of_none() {
    let (go, wait) = mpsc::channel();
    let mut script = Some(vec![Hears::Waits(wait, MESSAGE)]);
    let slow = engines(move || Ok(Box::new(ScriptedRecognizer::new(script.take().unwrap_or_default()))));
    let target = TestBox::start(telling(BoxOptions::with_engines(slow))).await.unwrap();
    leave(&target, CALLER).await;
    check_waits(&target);
    let first = lead(&target).await;
    assert_eq!(texts(&target, &first), [None]);
    go.send(()).unwrap();
    assert_eq!(told_all(&target).await, [format!("New voicemail: {CALLER}: {MESSAGE}")]);
    let lead = wait_until("the words in the lead", async || {
        let lead = lead(&target).await;
        (texts(&target, &lead) == [Some(MESSAGE.to_owned())]).then_some(lead)
    })
    .await
    .unwrap();
    assert_eq!((lead.id, &lead.sources), (first.id, &[(SourceKind::Voicemail, 1)].into()));
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_message_that_cannot_be_fetched_the_owner_is_told_who_left_it() {
    let target = TestBox::start(hearing().at(LEFT)).await.unwrap();
    target.carrier.fail_next(RestCall::FetchRecording, RestFault::Fails { status: 503, done: false }, 64);
    leave(&target, CALLER).await;
    check_waits(&target);
    assert_eq!(texts(&target, &lead(&target).await), [None]);
    // The carrier is another one then, and the box does not go where it does not know its way.
    let target = TestBox::start(hearing().at(LATER).on(target.stop().await.unwrap())).await.unwrap();
    assert_eq!(told_all(&target).await, [format!("New voicemail: {CALLER}: no words could be made out")]);
    assert!(target.messages().unwrap()[0].recording.is_none());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_withholds_the_number_is_told_of_and_is_one_lead_when_there_are_words() {
    let (go, wait) = mpsc::channel();
    let mut script = Some(vec![Hears::Waits(wait, MESSAGE)]);
    let slow = engines(move || Ok(Box::new(ScriptedRecognizer::new(script.take().unwrap_or_default()))));
    let target = TestBox::start(telling(BoxOptions::with_engines(slow))).await.unwrap();
    leave(&target, "anonymous").await;
    check_waits(&target);
    go.send(()).unwrap();
    assert_eq!(told_all(&target).await, [format!("New voicemail: –: {MESSAGE}")]);
    assert_eq!(texts(&target, &lead(&target).await), [Some(MESSAGE.to_owned())]);
    target.stop().await.unwrap();
}

/// The same, whose owner is told by SMS.
fn telling(options: BoxOptions) -> BoxOptions {
    options.configured(|config| {
        config.messages.owner = vec![Pii::new(OWNER.to_owned())];
        config.messages.sms_number = Some(Pii::new("+972700000000".to_owned()));
    })
}

fn deaf() -> BoxOptions {
    telling(BoxOptions::with_engines(engines(|| Err("there is no such model".into()))))
}

fn hearing() -> BoxOptions {
    telling(BoxOptions::understanding(&PhraseBook::new(&[MESSAGE])))
}

/// Somebody leaves a message with the carrier.
async fn leave(target: &TestBox, from: &str) -> CallId {
    let samples = PhraseBook::new(&[MESSAGE]).speak(MESSAGE, Language::English).unwrap();
    let url = target.carrier.add_recording(wav::encode_pcm16(&samples, 1, SampleRate::HZ_8000).unwrap());
    let call = new_call_id();
    let result = Params::new()
        .with("CallSid", call.as_str())
        .with("AccountSid", e2e::ACCOUNT)
        .with("From", from)
        .with("RecordingSid", url.rsplit('/').next().unwrap())
        .with("RecordingUrl", url.clone())
        .with("RecordingDuration", "4");
    assert_eq!(target.post("/webhook/handle_recording", &result).await.unwrap().status, 200);
    call
}

/// The message is known, and the owner is told of it in five minutes.
fn check_waits(target: &TestBox) {
    let rows = target.store().unwrap().query(&Query::<Outgoing>::notices()).unwrap();
    assert_eq!(rows.len(), 1);
    let put = &rows[0].1;
    let notice = put.notice.as_ref().unwrap();
    assert_eq!((notice.kind.as_str(), notice.not_before_ms - put.put_ms), ("voicemail", 5 * 60_000));
    assert!(told(target).is_empty());
}

/// Nothing waits, and nothing was sent.
async fn check_nothing_more_is_told(target: &TestBox) {
    wait_until("no notice", async || notices(target).is_empty().then_some(())).await.unwrap();
    assert_eq!((told(target), target.parts.messages.waiting()), (Vec::new(), (0, 0)));
}

/// The one lead.
async fn lead(target: &TestBox) -> Lead {
    let leads = wait_until("the lead", async || {
        let leads = target.store().ok()?.query(&Query::<Leads>::all()).ok()?;
        (!leads.is_empty()).then_some(leads)
    });
    let mut leads = leads.await.unwrap();
    assert_eq!(leads.len(), 1);
    leads.remove(0).1
}

/// What the entries of its history say.
fn texts(target: &TestBox, lead: &Lead) -> Vec<Option<String>> {
    let history = target.store().unwrap().query(&Query::<LeadHistory>::of_lead(lead.id)).unwrap();
    let entries = history.into_iter().map(|(_, entry)| leads::EntryView::of(&entry));
    entries.map(|entry| entry.text.map(|text| text.reveal().clone())).collect()
}

//! What the client does with each answer of the carrier, and with none.

use std::sync::Arc;
use std::time::Duration;

use carrier::{
    CarrierError, Change, Client, CreateCall, Credential, Instructions, KeyState, MachineDetection, Settings, WaitFor,
};
use media::wav;
use messaging::Answer;
use telephony::Params;
use telephony::markup::{HttpMethod, Pause, Response as Document};
use telephony::wire::Address;
use testcall::{CallScript, Callee, Carrier, CarrierConfig, Ended, Pace, RestCall, RestFault, SignedIn, ToneVoice};
use tokio::net::TcpListener;
use units::{CallId, SampleRate};

const TOKEN: &str = "a token that only tests know";
const TO: &str = "+972500000003";
const NOBODY: &str = "CA00000000000000000000000000000000";

const FAULTS_THAT_PASS: [RestFault; 7] = [
    RestFault::TooManyRequests { retry_after_s: None },
    RestFault::TooManyRequests { retry_after_s: Some(1) },
    RestFault::Fails { status: 500, done: false },
    RestFault::Fails { status: 503, done: true },
    RestFault::CutAfter,
    RestFault::CutBefore,
    RestFault::Html,
];

async fn carrier() -> (Carrier, Client) {
    let mut config = CarrierConfig::for_box("http://127.0.0.1:9".parse().unwrap(), TOKEN);
    config.pace = Pace::Times(20);
    config.api_keys = vec![("SK1".to_owned(), "the secret of a key".to_owned())];
    let carrier = Carrier::start(config, Arc::new(ToneVoice)).await.unwrap();
    let client = client_with(&carrier, Credential::of_account(carrier.account_sid(), TOKEN));
    (carrier, client)
}

fn client_with(carrier: &Carrier, credential: Credential) -> Client {
    let account = carrier.account_sid().clone();
    Client::new(Settings { api_url: carrier.api_url().to_owned(), account, credential }).unwrap()
}

fn nobody() -> CallId {
    NOBODY.parse().unwrap()
}

/// A call that goes on until it is ended.
fn long_call() -> CreateCall {
    let document = Document::new().then(Pause { length_s: Some(3_600) });
    CreateCall::new(Address::of(TO), Address::of("+972700000000"), Instructions::Document(document))
}

fn message() -> Params {
    Params::new().with("To", TO).with("From", "+972700000000").with("Body", "hello")
}

fn asked(carrier: &Carrier, method: &str) -> usize {
    carrier.asked().iter().filter(|asked| asked.method == method).count()
}

#[tokio::test]
async fn a_call_is_placed_redirected_and_ended_and_then_gone() {
    let (carrier, client) = carrier().await;
    carrier.answers_at(TO, Callee::human(CallScript::default()));
    let call = client.create_call(&long_call()).await.unwrap();
    assert_eq!(carrier.placed(), std::slice::from_ref(&call));
    let document = Document::new().then(Pause { length_s: Some(1_800) });
    let mut change = client.redirect(&call, &document).await.unwrap();
    // Until it is answered there is nothing to redirect.
    while change == Change::Gone {
        tokio::task::yield_now().await;
        change = client.redirect(&call, &document).await.unwrap();
    }
    assert_eq!(client.complete(&call).await.unwrap(), Change::Made);
    assert_eq!(carrier.outbound(0).await.ended, Ended::ByRest);
    assert_eq!(client.complete(&call).await.unwrap(), Change::Gone, "21220");
    assert_eq!(client.complete(&nobody()).await.unwrap(), Change::Gone, "20404");
    let url = "https://box.example/next";
    assert_eq!(client.redirect_to(&nobody(), url, HttpMethod::Post).await.unwrap(), Change::Gone);
    carrier.stop().await.unwrap();
}

#[tokio::test]
async fn who_answered_is_judged_before_the_instructions() {
    let (carrier, client) = carrier().await;
    carrier.answers_at(TO, Callee::Machine { greeting: Duration::from_secs(6), beep: true });
    let document = Document::new().then(Pause { length_s: Some(1) });
    let mut call = CreateCall { instructions: Instructions::Document(document), ..long_call() };
    call.machine_detection = Some(MachineDetection::new(WaitFor::MessageEnd));
    client.create_call(&call).await.unwrap();
    let report = carrier.outbound(0).await;
    assert_eq!((report.answered_by.as_deref(), report.ended), (Some("machine_end_beep"), Ended::ByMarkup));
    carrier.stop().await.unwrap();
}

#[tokio::test]
async fn what_may_be_repeated_is_done_in_spite_of_each_fault() {
    let (carrier, client) = carrier().await;
    for fault in FAULTS_THAT_PASS {
        let before = carrier.asked().len();
        carrier.fail_next(RestCall::UpdateCall, fault, 2);
        assert_eq!(client.complete(&nobody()).await.unwrap(), Change::Gone, "{fault:?}");
        assert_eq!(carrier.asked().len() - before, 3, "{fault:?}");
    }
    carrier.stop().await.unwrap();
}

#[tokio::test]
async fn it_is_given_up_after_five_tries_or_at_once_when_the_carrier_asks_for_too_long() {
    let (carrier, client) = carrier().await;
    carrier.fail_next(RestCall::UpdateCall, RestFault::Fails { status: 503, done: false }, 5);
    let error = client.complete(&nobody()).await.unwrap_err();
    assert!(matches!(error, CarrierError::Failing { status: 503, after: None }) && error.is_transient(), "{error}");
    assert_eq!(carrier.asked().len(), 5);
    carrier.fail_next(RestCall::CreateCall, RestFault::TooManyRequests { retry_after_s: Some(3_600) }, 1);
    let error = client.create_call(&long_call()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_hours(1)));
    assert_eq!((carrier.asked().len(), carrier.placed().len()), (6, 0));
    carrier.stop().await.unwrap();
}

#[tokio::test]
async fn what_must_not_be_done_twice_is_asked_again_only_when_nothing_was_done() {
    let (carrier, client) = carrier().await;
    let too_many = RestFault::TooManyRequests { retry_after_s: None };
    carrier.fail_next(RestCall::CreateCall, too_many, 2);
    client.create_call(&long_call()).await.unwrap();
    carrier.fail_next(RestCall::SendMessage, too_many, 2);
    assert_eq!(client.send_message(&message()).await.unwrap().status, 201);
    assert_eq!((carrier.asked().len(), carrier.placed().len(), carrier.messages().len()), (6, 1, 1));

    let unknown = [
        (RestFault::Fails { status: 500, done: true }, 1),
        (RestFault::Fails { status: 503, done: false }, 0),
        (RestFault::CutAfter, 1),
        (RestFault::CutBefore, 0),
        (RestFault::Html, 0),
    ];
    let (mut asked, mut done) = (6, 1);
    for (fault, does) in unknown {
        carrier.fail_next(RestCall::CreateCall, fault, 1);
        let error = client.create_call(&long_call()).await.unwrap_err();
        assert!(matches!(error, CarrierError::Uncertain) && !error.is_transient(), "{fault:?}: {error}");
        carrier.fail_next(RestCall::SendMessage, fault, 1);
        let error = client.send_message(&message()).await.unwrap_err();
        assert!(matches!(error, CarrierError::Uncertain), "{fault:?}: {error}");
        (asked, done) = (asked + 2, done + does);
        let found = (carrier.asked().len(), carrier.placed().len(), carrier.messages().len());
        assert_eq!(found, (asked, done, done), "{fault:?}: asked once each");
    }
    carrier.stop().await.unwrap();
}

#[tokio::test]
async fn a_carrier_that_is_not_there_is_told_apart_from_one_that_may_have_acted() {
    // A port that nobody listens on: bound, and let go.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let account: telephony::AccountId = "AC1".parse().unwrap();
    let credential = Credential::of_account(&account, TOKEN);
    let client = Client::new(Settings { api_url, account, credential }).unwrap();
    let error = client.create_call(&long_call()).await.unwrap_err();
    assert!(matches!(error, CarrierError::Unreachable(_)) && error.is_transient(), "{error}");
    assert_eq!(*client.key_state().borrow(), KeyState::Untried);
}

#[tokio::test]
async fn refusals_are_told_with_their_code_and_not_repeated() {
    let (carrier, client) = carrier().await;
    let call = CreateCall::new(Address::of("+1234"), Address::of("+972700000000"), long_call().instructions);
    let error = client.create_call(&call).await.unwrap_err();
    assert!(matches!(error, CarrierError::Refused { status: 400, code: Some(21_211) }), "{error}");
    assert_eq!(error.to_string(), "the carrier refused with status 400 (21211)");
    let answer = client.send_message(&Params::new().with("To", TO).with("Body", "x")).await.unwrap();
    assert_eq!(answer.status, 400);
    let judged = messaging::twilio::read_answer(answer.status, &answer.body);
    assert!(matches!(judged, Answer::Refused { code: Some(21_603), .. }), "{judged:?}");
    assert_eq!(carrier.asked().len(), 2);
    carrier.stop().await.unwrap();
}

#[tokio::test]
async fn tokens_and_keys_sign_in_and_a_refused_one_is_known() {
    let (carrier, by_token) = carrier().await;
    let by_key = client_with(&carrier, Credential::of_api_key("SK1", "the secret of a key"));
    let wrong = client_with(&carrier, Credential::of_api_key("SK1", "taken back"));
    by_token.complete(&nobody()).await.unwrap();
    by_key.send_message(&message()).await.unwrap();
    let error = wrong.complete(&nobody()).await.unwrap_err();
    assert!(matches!(error, CarrierError::Refused { status: 401, code: Some(20_003) }));
    let states = [&by_token, &by_key, &wrong].map(|client| *client.key_state().borrow());
    assert_eq!(states, [KeyState::Untried, KeyState::Good, KeyState::Refused]);
    let signed_in: Vec<_> = carrier.asked().iter().map(|asked| asked.signed_in).collect();
    assert_eq!(signed_in, [SignedIn::AuthToken, SignedIn::ApiKey, SignedIn::Wrong]);
    let shown = format!("{by_key:?} {wrong:?}");
    assert!(!shown.contains("secret of") && !shown.contains("taken back"), "{shown}");
    carrier.stop().await.unwrap();
}

#[tokio::test]
async fn a_recording_is_not_there_until_it_is_and_can_be_deleted_twice() {
    let (carrier, client) = carrier().await;
    carrier.recordings_late_by(1);
    let file = wav::encode_pcm16(&[1_000; 800], 1, SampleRate::HZ_8000).unwrap();
    let address = carrier.add_recording(file.clone());
    let error = client.recording(&address).await.unwrap_err();
    assert!(matches!(error, CarrierError::NotThere) && error.is_transient());
    carrier.fail_next(RestCall::FetchRecording, RestFault::Html, 1);
    assert_eq!(client.recording(&address).await.unwrap(), file, "a page in its place is asked for again");
    assert_eq!(client.recording(&format!("{address}.mp3")).await.unwrap(), file, "always as WAV");
    carrier.fail_next(RestCall::DeleteRecording, RestFault::CutAfter, 1);
    assert_eq!(client.delete_recording(&address).await.unwrap(), Change::Gone, "the first try did it");
    let name = address.rsplit('/').next().unwrap();
    assert_eq!(client.delete_recording(name).await.unwrap(), Change::Gone, "by name as well");
    assert!(matches!(client.recording(&address).await, Err(CarrierError::NotThere)));
    let before = carrier.asked().len();
    for foreign in ["http://192.168.1.1/2010-04-01/Accounts/AC1/Recordings/RE1", "/etc/passwd", ""] {
        assert!(matches!(client.recording(foreign).await, Err(CarrierError::ForeignAddress)), "{foreign}");
    }
    assert_eq!(carrier.asked().len(), before, "nobody was asked");
    carrier.stop().await.unwrap();
}

#[tokio::test]
async fn a_file_is_fetched_elsewhere_without_the_credential_and_within_its_limit() {
    let (carrier, client) = carrier().await;
    let url = carrier.add_media("audio/ogg", vec![7; 10_000]);
    let mut parts = url.rsplit('/');
    let (media, message) = (parts.next().unwrap(), parts.nth(1).unwrap());
    let account = carrier.account_sid().clone();
    // The other host refuses whoever sends a credential.
    let file = client.media(&account, message, media, 10_000).await.unwrap();
    assert_eq!((file.content_type.as_deref(), file.bytes.len()), (Some("audio/ogg"), 10_000));
    let error = client.media(&account, message, media, 9_999).await.unwrap_err();
    assert!(matches!(error, CarrierError::TooLarge { limit: 9_999 }), "{error}");
    let other = "AC2".parse().unwrap();
    assert!(matches!(client.media(&other, message, media, 1).await, Err(CarrierError::ForeignAddress)));
    assert!(matches!(client.media(&account, "..", media, 1).await, Err(CarrierError::ForeignAddress)));
    assert_eq!(client.delete_media(&account, message, media).await.unwrap(), Change::Made);
    assert!(matches!(client.media(&account, message, media, 10_000).await, Err(CarrierError::NotThere)));
    assert_eq!(asked(&carrier, "DELETE"), 1);
    carrier.stop().await.unwrap();
}

#[tokio::test]
async fn nothing_is_asked_over_plain_http_of_another_machine() {
    let account: telephony::AccountId = "AC1".parse().unwrap();
    for api_url in ["http://api.twilio.com", "nowhere", "", "ftp://127.0.0.1"] {
        let credential = Credential::of_account(&account, TOKEN);
        let made = Client::new(Settings { api_url: api_url.to_owned(), account: account.clone(), credential });
        assert!(matches!(made, Err(CarrierError::Address)), "{api_url}");
    }
}

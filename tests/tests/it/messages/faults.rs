//! Providers that err, boxes that stop half way, and requests that are nobody's.

use e2e::{BoxOptions, wait_until};
use fakes::{Graph, GraphFault};
use http::Method;
use messaging::meta::SIGNATURE_HEADER;
use serde_json::json;
use store::{Batch, Delivery, Outgoing, OutgoingKey, OutgoingRow, Query};
use testcall::{RestCall, RestFault};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::office::{CONTACT, MessageOffice, Provider};

/// Places in a conversation that no message of the test takes by itself, in milliseconds.
const LATER: u64 = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_taken_is_sent_again_and_arrives_once() {
    for provider in Provider::BOTH {
        let office = MessageOffice::start(provider).await;
        let too_many = RestFault::TooManyRequests { retry_after_s: None };
        office.running.carrier.fail_next(RestCall::SendMessage, too_many, 2);
        office.graph.fail_next(GraphFault::TooFast);
        office.graph.fail_next(GraphFault::TooFast);
        office.says("id-1", "hello").await;
        assert!(office.sent_text(0).await.contains("Your name"));
        wait_for(&office, Delivery::Accepted).await;
        assert_eq!(office.sent().len(), 1, "{provider:?}");
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_sent_is_shown_as_uncertain_and_not_sent_again() {
    for provider in Provider::BOTH {
        for (rest, graph) in [
            (RestFault::Fails { status: 500, done: true }, GraphFault::FailsAfter),
            (RestFault::CutAfter, GraphFault::CutAfter),
        ] {
            let office = MessageOffice::start(provider).await;
            office.running.carrier.fail_next(RestCall::SendMessage, rest, 1);
            office.graph.fail_next(graph);
            office.says("id-1", "hello").await;
            wait_for(&office, Delivery::Uncertain).await;
            office.says("id-2", "Dana Levy").await;
            let next = wait_until("the next answer", async || {
                office.sent().iter().any(|(_, sent)| sent.to_string().contains("What is it about")).then_some(())
            });
            next.await.unwrap();
            assert_eq!(office.sent().len(), 2, "{provider:?} {rest:?}");
            let api = office.api();
            let id = office.messages()[1].0.to_string();
            let view = api.get(&format!("/api/whatsapp/messages/{id}")).await.unwrap().json();
            assert_eq!(view["state"], "uncertain");
            office.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_provider_is_kept_with_its_meaning() {
    let office = MessageOffice::start(Provider::Meta).await;
    office.graph.fail_next(GraphFault::Refuses(131_026));
    office.says("id-1", "hello").await;
    let refusal = Delivery::Refused { refusal: messaging::Refusal::Undeliverable, code: Some(131_026) };
    wait_for(&office, refusal).await;
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_stopped_half_way_answers_after_it_starts_and_knows_what_it_may_have_sent() {
    for provider in Provider::BOTH {
        let office = MessageOffice::start(provider).await;
        office.says("id-1", "hello").await;
        office.sent_name(0).await;
        let (key, row) = office.messages().remove(0);
        let graph_sent = office.sent().len();
        // As a power cut leaves it: one message of ours was being handed over, one waits, and one of theirs is unanswered.
        let mut batch = Batch::new();
        for (later, sending) in [(LATER + 10, true), (LATER + 20, false)] {
            let key = store::MessageKey { at_ms: key.at_ms + later, ..key };
            let text = messaging::OutboundContent::Text(units::Pii::new(format!("left behind {later}")));
            let row = store::MessageRow {
                delivery: if sending { Delivery::Sending } else { Delivery::Queued },
                ..store::MessageRow::new(store::Said::Outbound(text), store::Author::Person, key.at_ms)
            };
            batch.put::<store::Messages>(&key, &row).unwrap();
            batch.put::<Outgoing>(&OutgoingKey::Send(key), &OutgoingRow { sending, ..OutgoingRow::default() }).unwrap();
        }
        let unanswered = store::MessageKey { at_ms: key.at_ms + LATER + 5, ..key };
        let said = messaging::Content::Text(units::Pii::new("Dana Levy".to_owned()));
        let row = store::MessageRow { said: store::Said::Inbound(said), provider_id: None, answered_ms: None, ..row };
        batch.put::<store::Messages>(&unanswered, &row).unwrap();
        let work = OutgoingRow { reply: true, ..OutgoingRow::default() };
        batch.put::<Outgoing>(&OutgoingKey::Answer(unanswered), &work).unwrap();
        office.running.store().unwrap().commit(batch).unwrap();
        let MessageOffice { running, graph, .. } = office;
        let folder = running.stop().await.unwrap();

        let options = BoxOptions::default().on(folder);
        let office = MessageOffice::start_on(provider, options, graph).await;
        // Twilio's test server is a new one, Meta's the same.
        let before = if provider == Provider::Twilio { 0 } else { graph_sent };
        let mut texts = vec![office.sent_text(before).await, office.sent_text(before + 1).await];
        texts.sort();
        assert!(texts[0].contains("What is it about?"), "the dialogue goes on: {texts:?}");
        assert_eq!(texts[1], format!("left behind {}", LATER + 20));
        let sending = store::MessageKey { at_ms: key.at_ms + LATER + 10, ..key };
        let row = office.running.store().unwrap().get::<store::Messages>(&sending).unwrap().unwrap();
        assert_eq!(row.delivery, Delivery::Uncertain, "{provider:?}");
        let idle = wait_until("an empty queue", async || {
            let left = office.running.store().unwrap().query(&Query::<Outgoing>::to_send()).unwrap();
            left.is_empty().then_some(())
        });
        idle.await.unwrap();
        assert_eq!(office.sent().len(), before + 2);
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_answered_and_a_wrong_one_refused() {
    let office = MessageOffice::start(Provider::Meta).await;
    let path = |token: &str| {
        let token = token.replace(' ', "%20");
        format!("/webhook/whatsapp/incoming?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444")
    };
    let answer = office.running.get(&path(Graph::VERIFY_TOKEN)).await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "1158201444"));
    assert_eq!(office.running.get(&path("guess")).await.unwrap().status, 403);
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_provider_signed_is_taken_and_nothing_it_signed_is_refused() {
    let office = MessageOffice::start(Provider::Meta).await;
    let path = "/webhook/whatsapp/incoming";
    let (body, signature) = Graph::webhook(&json!({ "messages": [] }));
    let send = |body: Vec<u8>, signature: Option<String>| {
        let mut request = office.running.request(Method::POST, path).header("content-type", "application/json");
        if let Some(signature) = signature {
            request = request.header(SIGNATURE_HEADER, signature);
        }
        office.running.send(request.body(body))
    };
    assert_eq!(send(body.clone(), None).await.unwrap().status, 403);
    assert_eq!(send(body.clone(), Some(format!("sha256={}", "0".repeat(64)))).await.unwrap().status, 403);
    let mut changed = body.clone();
    changed.push(b' ');
    assert_eq!(send(changed, Some(signature.clone())).await.unwrap().status, 403);
    assert_eq!(send(body, Some(signature)).await.unwrap().status, 200);
    let secret = messaging::meta::Secret::new(Graph::APP_SECRET).unwrap();
    let signer = messaging::meta::Signer::new(secret);
    for odd in [b"not json".to_vec(), b"{\"object\":\"page\"}".to_vec(), Vec::new()] {
        let signature = signer.sign(&odd);
        assert_eq!(send(odd, Some(signature)).await.unwrap().status, 200, "it would come again for ever");
    }
    assert_eq!(status_by_length(&office, path, 3_200_000).await, "HTTP/1.1 413 Payload Too Large");
    let unsigned = office.running.form("/webhook/whatsapp/incoming", "MessageSid=SM1&From=whatsapp%3A%2B97250");
    assert_eq!(office.running.send(unsigned).await.unwrap().status, 403);
    assert!(office.messages().is_empty());
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_a_broken_message_loses_only_that_one() {
    let office = MessageOffice::start(Provider::Meta).await;
    let now = (office.running.parts.clock.wall_ms() / 1_000).to_string();
    let text = |id: &str, from: &str| json!({ "id": id, "from": from, "timestamp": now, "type": "text", "text": { "body": "hello" } });
    let messages =
        json!([text("a", "972501234567"), { "id": "b" }, text("c", "972501111111"), text("a", "972501234567")]);
    let statuses = json!([{ "id": "nobody's", "status": "sent", "timestamp": now }]);
    let answer = office.meta(&json!({ "messages": messages, "statuses": statuses })).await;
    assert_eq!(answer.status, 200);
    office.nth_sent(1).await;
    let inbound = office.messages().into_iter().filter(|(_, row)| matches!(row.said, store::Said::Inbound(_))).count();
    assert_eq!(inbound, 2);
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_to_another_number_of_the_same_app_are_not_answered_from_ours() {
    let office = MessageOffice::start(Provider::Meta).await;
    office.says("id-1", "hello").await;
    let name = office.sent_name(0).await;
    let now = (office.running.parts.clock.wall_ms() / 1_000).to_string();
    let webhook = |id: &str, status: &str, number: &str| {
        json!({
            "metadata": { "display_phone_number": "972 70-000-0001", "phone_number_id": number },
            "messages": [{ "id": id, "from": "972501111111", "timestamp": now, "type": "text", "text": { "body": "hello" } }],
            "statuses": [{ "id": name, "status": status, "timestamp": now }],
        })
    };
    assert_eq!(office.meta(&webhook("id-2", "read", "106540352242923")).await.status, 200);
    assert_eq!((office.messages().len(), office.state_of(&name)), (2, None));
    let ignored = r#"kolbox_text_messages_total{reason="other_number"}"#;
    assert_eq!(office.running.figure(ignored).await.unwrap(), 2.0);
    assert_eq!(office.meta(&webhook("id-2", "delivered", Graph::PHONE_NUMBER_ID)).await.status, 200);
    office.nth_sent(1).await;
    assert_eq!(office.state_of(&name), Some(messaging::State::Delivered));
    assert_eq!(office.sent().len(), 2);
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_accounts_webhook_is_refused() {
    let office = MessageOffice::start(Provider::Twilio).await;
    let params = telephony::Params::new()
        .with("MessageSid", "SM1")
        .with("AccountSid", "ACffffffffffffffffffffffffffffffff")
        .with("From", CONTACT)
        .with("To", "whatsapp:+972700000000")
        .with("Body", "hello");
    assert_eq!(office.running.post("/webhook/whatsapp/incoming", &params).await.unwrap().status, 403);
    assert!(office.messages().is_empty());
    office.stop().await;
}

/// Says how long a body will be, sends none of it, and returns the status line of the answer.
async fn status_by_length(office: &MessageOffice, path: &str, length: usize) -> String {
    let names = "host: box\r\ncontent-type: application/json";
    let head = format!("POST {path} HTTP/1.1\r\n{names}\r\ncontent-length: {length}\r\n\r\n");
    let mut socket = TcpStream::connect(office.running.address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    BufReader::new(socket).lines().next_line().await.unwrap().unwrap()
}

/// Waits until some message of ours has come to this.
async fn wait_for(office: &MessageOffice, delivery: Delivery) {
    let what = format!("{delivery:?} with {:?}", office.provider);
    wait_until(&what, async || {
        let is_ours = |row: &store::MessageRow| matches!(row.said, store::Said::Outbound(_));
        office.messages().iter().any(|(_, row)| is_ours(row) && row.delivery == delivery).then_some(())
    })
    .await
    .unwrap();
}

//! Text messages over real HTTP, each scenario with both providers.

mod desk;
mod faults;
mod office;
mod voice;

use appliance::api::Scope;
use e2e::{ApiClient, wait_until};
use leads::SourceKind;
use serde_json::{Value, json};

use self::office::{CONTACT, MessageOffice, Provider};

const BOTH: [Scope; 2] = [Scope::MessagesRead, Scope::MessagesWrite];

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_answered_by_the_receptionist_and_the_form_becomes_a_lead() {
    for provider in Provider::BOTH {
        let office = MessageOffice::start(provider).await;
        office.says("id-1", "hello").await;
        let first = office.sent_text(0).await;
        let lead = wait_until("the lead", async || office.leads().pop()).await.unwrap();
        assert_eq!(lead.name.unwrap().value.reveal(), "Dana");
        assert!(first.contains("Hello, this is the office.") && first.contains("Your name please?"), "{first}");
        office.says("id-2", "Dana Levy").await;
        let second = office.sent_text(1).await;
        assert!(second.contains("What is it about?"), "{second}");
        office.says("id-3", "I want to rent a flat").await;
        let third = office.sent_text(2).await;
        assert!(third.contains("get back to you"), "{third}");
        // The first message made it, by the name that the telephone says; the form says more.
        let told_twice = async || office.leads().pop().filter(|lead| lead.sources[&SourceKind::Message] == 2);
        let lead = wait_until("the lead with what the form says", told_twice).await.unwrap();
        assert_eq!(lead.name.unwrap().value.reveal(), "Dana Levy");
        assert_eq!(lead.phone.unwrap().reveal(), "+972501234567", "{provider:?}");
        assert_eq!(lead.fields["reason"].value.reveal(), "I want to rent a flat");
        let api = ApiClient::new(&office.running, &BOTH).unwrap();
        let listed = api.get("/api/whatsapp/conversations").await.unwrap().json();
        assert_eq!((&listed["items"][0]["contact"], &listed["items"][0]["answers"]), (&json!(CONTACT), &json!("box")));
        let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
        let page = api.get(&format!("/api/whatsapp/conversations/{id}/messages?limit=4")).await.unwrap().json();
        let directions: Vec<&Value> =
            page["items"].as_array().unwrap().iter().map(|message| &message["direction"]).collect();
        assert_eq!(directions, ["out", "in", "out", "in"]);
        let after = page["next"].as_str().unwrap();
        let rest = format!("/api/whatsapp/conversations/{id}/messages?after={after}");
        let rest = api.get(&rest).await.unwrap().json();
        assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));
        let readiness = office.running.readiness().await.unwrap();
        assert_eq!(readiness["parts"]["messages"]["state"], "ok", "{readiness}");
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_repetitions_do_no_more_than_the_first() {
    for provider in Provider::BOTH {
        let office = MessageOffice::start(provider).await;
        let repeated = (0..100).map(|_| office.says("id-1", "hello"));
        futures_util::future::join_all(repeated).await;
        office.says("id-2", "Dana Levy").await;
        assert!(office.sent_text(1).await.contains("What is it about?"));
        assert_eq!(office.sent().len(), 2, "{provider:?}");
        assert_eq!(office.messages().len(), 4);
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_in_every_order_end_in_the_furthest() {
    let told = ["sent", "delivered", "read"];
    for provider in Provider::BOTH {
        let office = MessageOffice::start(provider).await;
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        for (number, order) in orders.into_iter().enumerate() {
            office.says(&format!("id-{number}"), "hello").await;
            let name = office.sent_name(number).await;
            for index in order.into_iter().chain(order) {
                office.status(&name, told[index], None).await;
            }
            let state = wait_until("the state 'read'", async || {
                office.state_of(&name).filter(|state| *state == messaging::State::Read)
            });
            state.await.unwrap();
            office.status(&name, "failed", Some(63_016)).await;
            assert_eq!(office.state_of(&name), Some(messaging::State::Read), "{provider:?} {order:?}");
        }
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_comes_before_the_answer_is_not_lost() {
    for provider in Provider::BOTH {
        let office = MessageOffice::start(provider).await;
        // The names that Meta's test server gives are known before it gives them; Twilio's are not.
        if provider == Provider::Meta {
            office.status("wamid.0000000000000000", "delivered", None).await;
            office.says("id-1", "hello").await;
            let name = office.sent_name(0).await;
            let state = wait_until("the early status", async || office.state_of(&name)).await.unwrap();
            assert_eq!(state, messaging::State::Delivered);
        } else {
            office.says("id-1", "hello").await;
            let settled = office.running.carrier.message(0).await;
            assert_eq!(settled.told, ["sent", "delivered"]);
            let state = wait_until("its state", async || {
                office.state_of(&settled.sid).filter(|state| *state == messaging::State::Delivered)
            });
            state.await.unwrap();
        }
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opts_out_gets_one_confirmation_and_nothing_more_until_opting_in() {
    for provider in Provider::BOTH {
        let office = MessageOffice::start(provider).await;
        office.says("id-1", "stop").await;
        assert!(office.sent_text(0).await.contains("no more messages"));
        office.says("id-2", "hello?").await;
        let api = ApiClient::new(&office.running, &BOTH).unwrap();
        let body = json!({ "to": CONTACT, "text": "a special offer" });
        let answer = office.post(&api, "key-1", &body).await;
        assert_eq!((answer.status, &answer.json()["type"]), (422, &json!("urn:kolbox:problem:opted-out")));
        office.says("id-3", "start").await;
        assert!(office.sent_text(1).await.contains("answer you here again"));
        office.says("id-4", "hello").await;
        assert!(office.sent_text(2).await.contains("Your name"));
        assert_eq!(office.sent().len(), 3, "{provider:?}");
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_the_window_only_a_template_goes_out() {
    for provider in Provider::BOTH {
        let office = MessageOffice::start(provider).await;
        let api = ApiClient::new(&office.running, &BOTH).unwrap();
        let text = json!({ "to": CONTACT, "text": "your flat is ready" });
        let answer = office.post(&api, "key-1", &text).await;
        let problem = answer.json();
        assert_eq!((answer.status, &problem["type"]), (422, &json!("urn:kolbox:problem:window-closed")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("template"), "{problem}");
        let template = json!({ "to": CONTACT, "template": { "name": "ready", "variables": ["Dana", "Sunday"] } });
        let answer = office.post(&api, "key-2", &template).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let sent = office.nth_sent(0).await;
        match provider {
            Provider::Twilio => {
                assert_eq!(sent["ContentSid"], "HX00000000000000000000000000000001");
                assert_eq!(sent["ContentVariables"], r#"{"1":"Dana","2":"Sunday"}"#);
                assert!(sent.get("Body").is_none(), "{sent}");
            }
            Provider::Meta => {
                assert_eq!(sent["template"]["name"], "flat_ready");
                assert_eq!(sent["template"]["components"][0]["parameters"][1]["text"], "Sunday");
            }
        }
        let wrong = json!({ "to": CONTACT, "template": { "name": "ready", "variables": ["Dana"] } });
        let answer = office.post(&api, "key-3", &wrong).await;
        assert_eq!((answer.status, &answer.json()["type"]), (422, &json!("urn:kolbox:problem:variable-count")));
        office.says("id-1", "hello").await;
        office.sent_text(1).await;
        let answer = office.post(&api, "key-4", &text).await;
        assert_eq!(answer.status, 202, "now the window is open: {}", answer.text());
        assert_eq!(office.sent_text(2).await, "your flat is ready");
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_repeated_under_its_name_sends_one_message() {
    let office = MessageOffice::start(Provider::Meta).await;
    office.says("id-1", "hello").await;
    office.sent_text(0).await;
    let api = ApiClient::new(&office.running, &BOTH).unwrap();
    let body = json!({ "to": CONTACT, "text": "once" });
    let first = office.post(&api, "key-1", &body).await;
    let again = office.post(&api, "key-1", &body).await;
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.json()["id"], again.json()["id"]);
    let other = office.post(&api, "key-1", &json!({ "to": CONTACT, "text": "twice" })).await;
    assert_eq!((other.status, &other.json()["type"]), (422, &json!("urn:kolbox:problem:key-reused")));
    let none = api.post("/api/whatsapp/messages", &body).await.unwrap();
    assert_eq!(none.status, 400);
    assert_eq!(office.sent_text(1).await, "once");
    let id = first.json()["id"].as_str().unwrap().to_owned();
    let name = office.sent_name(1).await;
    office.status(&name, "read", None).await;
    let state = api.get(&format!("/api/whatsapp/messages/{id}")).await.unwrap().json();
    assert_eq!((&state["state"], &state["author"]), (&json!("read"), &json!("person")));
    assert_eq!(office.sent().len(), 2);
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_takes_over_and_hands_back() {
    for provider in Provider::BOTH {
        let office = MessageOffice::start(provider).await;
        office.says("id-1", "hello").await;
        office.sent_text(0).await;
        let api = ApiClient::new(&office.running, &BOTH).unwrap();
        let id = api.get("/api/whatsapp/conversations").await.unwrap().json()["items"][0]["id"].clone();
        let path = |what: &str| format!("/api/whatsapp/conversations/{}/{what}", id.as_str().unwrap());
        let view = api.post(&path("take-over"), &Value::Null).await.unwrap().json();
        assert_eq!(view["answers"], "person");
        office.says("id-2", "Dana Levy").await;
        office.says("id-3", "are you there?").await;
        assert_eq!(office.post(&api, "key-1", &json!({ "to": CONTACT, "text": "I am here" })).await.status, 202);
        assert_eq!(office.sent_text(1).await, "I am here");
        let view = api.post(&path("hand-back"), &Value::Null).await.unwrap().json();
        assert_eq!(view["answers"], "box");
        office.says("id-4", "Dana Levy").await;
        assert!(office.sent_text(2).await.contains("What is it about?"), "{provider:?}");
        assert_eq!(office.sent().len(), 3);
        office.stop().await;
    }
}

//! Who answers: the language model while it can be reached, and the owner when a person is wanted.

use std::time::Duration;

use appliance::config::NoticeKind;
use appliance::messages::Notice;
use e2e::{BoxOptions, PhraseBook, wait_until};
use fakes::{Behaviour, ChatRule, Cloud, CloudConfig, Fault, Service};
use leads::SourceKind;
use serde_json::json;
use store::{Author, Batch, CallOutcome};
use testcall::{CallScript, Step};
use units::{Language, Pii};

use super::office::{CONTACT, MessageOffice, OFFICE, Provider};

const OWNER: &str = "+972521111111";

#[tokio::test(flavor = "multi_thread")]
async fn the_model_answers_while_it_can_and_the_receptionist_goes_on_from_there_after_a_restart() {
    for provider in Provider::BOTH {
        let rule = ChatRule {
            when: "dana".to_owned(),
            say: vec!["Nice to meet you, Dana. What is it about?".to_owned()],
            calls: vec![("fill_form".to_owned(), json!({ "name": "Dana Levy" }))],
            once: false,
        };
        let cloud = Cloud::start(CloudConfig { chat: vec![rule], ..CloudConfig::default() }).await.unwrap();
        let office = MessageOffice::start_with(provider, BoxOptions::default().under(&cloud)).await;
        office.says("id-1", "hello, this is dana levy").await;
        let first = office.sent_text(0).await;
        assert_eq!(first, "Nice to meet you, Dana. What is it about?", "{provider:?}");
        office.sent_name(0).await;
        let (_, row) = office.messages().remove(1);
        assert_eq!(row.author, Author::Model);
        cloud.set(Service::Chat, Behaviour::faulty(Fault::Internal));
        let before = office.sent().len();
        let MessageOffice { running, graph, .. } = office;
        let folder = running.stop().await.unwrap();
        let options = BoxOptions::default().under(&cloud).on(folder);
        let office = MessageOffice::start_on(provider, options, graph).await;
        office.says("id-2", "I want to rent a flat").await;
        let next = if provider == Provider::Twilio { 0 } else { before };
        let second = office.sent_text(next).await;
        assert!(second.contains("get back to you"), "the name is known, so the form is whole: {second}");
        let lead = async || office.leads().pop()?.name.filter(|name| name.value.reveal() == "Dana Levy");
        wait_until("the lead by name", lead).await.unwrap();
        office.stop().await;
        cloud.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_a_person_gets_one_and_the_owner_is_told_by_sms() {
    for provider in Provider::BOTH {
        let options = BoxOptions::default().configured(|config| {
            config.messages.owner = vec![Pii::new(OWNER.to_owned())];
            config.messages.sms_number = Some(Pii::new("+972700000000".to_owned()));
        });
        let office = MessageOffice::start_with(provider, options).await;
        office.says("id-1", "I want to speak to a person").await;
        let answer = wait_until("the answer", async || {
            office.sent().iter().any(|(_, sent)| sent.to_string().contains("a person of the office will")).then_some(())
        });
        answer.await.unwrap();
        let told = sms(&office, 1).await;
        assert!(told[0].contains("asks for a person") && told[0].contains("Dana"), "{told:?}");
        office.says("id-2", "are you there?").await;
        wait_until("the second message", async || (office.messages().len() >= 3).then_some(())).await.unwrap();
        let view = office.api().get("/api/whatsapp/conversations").await.unwrap().json();
        let answers: Vec<_> = view["items"].as_array().unwrap().iter().map(|item| item["answers"].clone()).collect();
        assert!(answers.contains(&json!("person")), "{view}");
        office.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_told_once_however_often_its_fact_is() {
    let options = BoxOptions::default().configured(|config| config.messages.owner = vec![Pii::new(OWNER.to_owned())]);
    let office = MessageOffice::start_with(Provider::Meta, options).await;
    let parts = &office.running.parts;
    for _ in 0..3 {
        let mut batch = Batch::new();
        let values = vec![Pii::new("+972500000001".to_owned())];
        let (kind, name, wait) = (NoticeKind::MissedCall, "CA1".to_owned(), Duration::ZERO);
        parts.messages.put_notice(&mut batch, &parts.config, Notice { kind, name, values, wait }, 1).unwrap();
        parts.archive.commit(batch).await.unwrap();
        parts.messages.wake();
    }
    let told = sms(&office, 1).await;
    assert_eq!(told, ["Missed call: +972500000001"]);
    wait_until("no notice left", async || {
        let left = office.running.store().unwrap().query(&store::Query::<store::Outgoing>::notices()).unwrap();
        left.is_empty().then_some(())
    })
    .await
    .unwrap();
    assert_eq!(office.running.carrier.messages().len(), 1);
    office.stop().await;
}

/// Waits for this many SMS and returns their words.
async fn sms(office: &MessageOffice, count: usize) -> Vec<String> {
    wait_until("an SMS to the owner", async || {
        let messages = office.running.carrier.messages();
        let to_owner = messages.iter().filter(|message| message.form.reveal().first("To") == Some(OWNER));
        let texts: Vec<String> =
            to_owner.map(|message| message.form.reveal().first("Body").unwrap_or_default().to_owned()).collect();
        (texts.len() >= count).then_some(texts)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_call_over_whatsapp_takes_the_path_of_calls_and_is_of_who_writes() {
    let book = PhraseBook::new(&["dana levy", "about a flat for rent"]);
    let office = MessageOffice::start_with(Provider::Twilio, BoxOptions::understanding(&book)).await;
    let script = CallScript {
        from: Pii::new(CONTACT.to_owned()),
        to: Pii::new(format!("whatsapp:{OFFICE}")),
        ..CallScript::of([
            Step::wait_for_agent(),
            Step::say("dana levy", Language::English),
            Step::wait_for_agent(),
            Step::say("about a flat for rent", Language::English),
            Step::wait_end(),
        ])
    };
    let report = office.running.call(&script).await.unwrap();
    let call = report.call_sid.parse().unwrap();
    assert_eq!(office.running.record(&call).unwrap().unwrap().outcome, CallOutcome::Completed);
    let called = wait_until("the lead of the call", async || office.leads().pop()).await.unwrap();
    assert_eq!(called.phone.as_ref().map(|phone| phone.reveal().as_str()), Some("+972501234567"));
    office.says("id-1", "hello").await;
    let both = async || {
        let leads = office.leads();
        assert_eq!(leads.len(), 1);
        leads.into_iter().find(|lead| lead.sources.contains_key(&SourceKind::Message))
    };
    let lead = wait_until("the same lead to have been told of the message", both).await.unwrap();
    assert_eq!(lead.id, called.id);
    office.stop().await;
}

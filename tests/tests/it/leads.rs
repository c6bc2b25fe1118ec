//! From what somebody told to the office's CRM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use appliance::api::Scope;
use appliance::config::{Config, Credential, Secret};
use appliance::leads::put_fact;
use e2e::{Answer, ApiClient, BoxOptions, PhraseBook, TestBox, wait_until};
use fakes::crm::{Arrival, Crm, Reaction};
use http::Method;
use leads::{Fact, Source, SourceKind};
use serde_json::{Value, json};
use store::{Batch, LeadFacts, Query};
use testcall::{CallScript, Step};
use units::{Language, Pii};

const SECRET: &str = "a secret that only tests know";

fn telling(options: BoxOptions, crm: &Crm) -> BoxOptions {
    let url = crm.url();
    let text = format!("[http]\npublic_url = 'http://127.0.0.1'\n[carrier]\n[crm]\nurl = '{url}'\ntimeout = '2s'\n");
    let crm = Config::parse("test.toml".as_ref(), &text).unwrap().crm;
    options.configured(move |config| {
        config.crm = crm;
        config.crm.secret = Credential::Given(Secret::new(SECRET));
    })
}

fn client(running: &TestBox) -> ApiClient<'_> {
    ApiClient::new(running, &[Scope::LeadsRead, Scope::LeadsWrite, Scope::CallsRead]).unwrap()
}

/// Waits until the receiver has taken so many, and returns all that came in.
async fn taken(crm: &Crm, count: usize) -> Vec<Arrival> {
    let taken = async || {
        let arrivals = crm.arrivals();
        let taken = arrivals.iter().filter(|arrival| arrival.reaction.takes()).count();
        (taken >= count).then_some(arrivals)
    };
    wait_until("the receiver to have it", taken).await.unwrap()
}

fn sequences(arrivals: &[Arrival]) -> Vec<u64> {
    arrivals.iter().map(|arrival| arrival.delivery.as_ref().unwrap().sequence).collect()
}

async fn patch(client: &ApiClient<'_>, lead: &Answer, change: Value) -> Answer {
    let path = format!("/api/leads/{}", lead.json()["id"].as_str().unwrap());
    client.send(Method::PATCH, &path, &[("if-match", lead.header("etag"))], &change).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_says_becomes_a_lead_and_reaches_the_crm() {
    let crm = Crm::start(SECRET).await.unwrap();
    let book = PhraseBook::new(&["dana levy", "about a flat for rent"]);
    let running = TestBox::start(telling(BoxOptions::understanding(&book), &crm)).await.unwrap();
    let script = CallScript::of([
        Step::wait_for_agent(),
        Step::say("dana levy", Language::English),
        Step::wait_for_agent(),
        Step::say("about a flat for rent", Language::English),
        Step::wait_end(),
    ]);
    let report = running.call(&script).await.unwrap();
    let arrivals = taken(&crm, 1).await;
    let delivery = arrivals[0].delivery.clone().unwrap();
    assert_eq!((delivery.change.as_str(), delivery.entry.source.as_str()), ("created", "call"));
    assert_eq!(delivery.entry.source_id, report.call_sid);
    assert_eq!(delivery.lead.name.unwrap().reveal().to_lowercase(), "dana levy");
    let client = client(&running);
    let leads = client.get("/api/leads?q=dana").await.unwrap().json();
    assert_eq!(leads["items"][0]["id"], delivery.lead.id);
    let call = client.get(&format!("/api/calls/{}", report.call_sid)).await.unwrap();
    assert_eq!(call.json()["forms"][0]["is_complete"], true);
    assert!(call.json()["turns"].as_array().unwrap().len() >= 2);
    let calls = client.get("/api/calls?limit=1").await.unwrap().json();
    assert_eq!((calls["items"][0]["id"].clone(), calls["next"].clone()), (json!(report.call_sid), Value::Null));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_number_is_one_lead_and_a_request_repeated_is_done_once() {
    let running = TestBox::start(BoxOptions::default()).await.unwrap();
    let client = client(&running);
    let body = json!({ "phone": "054-123-4567", "name": "דנה", "fields": { "area": "חיפה" }, "source": "web" });
    let once = [("idempotency-key", "form-17")];
    let first = client.send(Method::POST, "/api/leads", &once, &body).await.unwrap();
    assert_eq!(first.status, 201);
    let again = client.send(Method::POST, "/api/leads", &once, &body).await.unwrap();
    assert_eq!((again.status, &again.body, again.header("etag")), (201, &first.body, first.header("etag")));
    let other = client.send(Method::POST, "/api/leads", &once, &json!({ "name": "משה" })).await.unwrap();
    assert_eq!((other.status, other.json()["type"].clone()), (422, json!("urn:kolbox:problem:key-reused")));

    let same = json!({ "phone": "+972541234567", "fields": { "area": "עכו" } });
    let merged = client.post("/api/leads", &same).await.unwrap();
    assert_eq!((merged.status, merged.json()["id"].clone()), (200, first.json()["id"].clone()));
    assert_eq!((merged.json()["fields"]["area"].clone(), merged.json()["name"].clone()), (json!("עכו"), json!("דנה")));
    let nameless = client.post("/api/leads", &json!({ "name": "בלי מספר" })).await.unwrap();
    assert_eq!((nameless.status, nameless.json()["phone"].clone()), (201, Value::Null));

    let page = client.get(&format!("{}/history?limit=1", first.header("location"))).await.unwrap();
    assert_eq!(page.json()["items"][0]["source"], "manual");
    let next = page.header("link").split(['<', '>']).nth(1).unwrap().to_owned();
    let page = client.get(&next).await.unwrap().json();
    assert_eq!((page["items"][0]["source"].clone(), page["next"].clone()), (json!("web"), Value::Null));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_needs_the_version_that_was_seen() {
    let running = TestBox::start(BoxOptions::default()).await.unwrap();
    let client = client(&running);
    let lead = client.post("/api/leads", &json!({ "phone": "0541234567" })).await.unwrap();
    let path = lead.header("location").to_owned();
    let change = json!({ "state": "contacted", "note": "חוזרים ביום ראשון" });
    let without = client.send(Method::PATCH, &path, &[], &change).await.unwrap();
    assert_eq!((without.status, without.json()["field"].clone()), (428, json!("If-Match")));
    let changed = patch(&client, &lead, change.clone()).await;
    assert_eq!((changed.status, changed.json()["state"].clone()), (200, json!("contacted")));
    assert_eq!(patch(&client, &lead, change.clone()).await.status, 412);
    let nothing_new = patch(&client, &changed, change).await;
    assert_eq!((nothing_new.status, nothing_new.header("etag")), (200, changed.header("etag")));
    let seen = [("if-none-match", changed.header("etag"))];
    let same = client.send(Method::GET, &path, &seen, &Value::Null).await.unwrap();
    assert_eq!((same.status, same.body.len()), (304, 0));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_names_the_field_at_fault() {
    let running = TestBox::start(BoxOptions::default()).await.unwrap();
    let client = client(&running);
    let lead = client.post("/api/leads", &json!({ "phone": "0541234567" })).await.unwrap();
    for (body, field) in [
        (json!({ "state": "sold" }), Some("state")),
        (json!({ "color": "red" }), Some("color")),
        (json!({ "note": 7 }), Some("note")),
        (json!(7), None),
    ] {
        let answer = patch(&client, &lead, body.clone()).await;
        assert_eq!((answer.status, answer.json()["field"].as_str()), (400, field), "{body}: {}", answer.text());
    }
    for (method, path, body, status) in [
        (Method::GET, "/api/leads/nobody", Value::Null, 404),
        (Method::GET, "/api/leads/00000000000100000002/history", Value::Null, 404),
        (Method::POST, "/api/leads", json!({ "phone": "*1234" }), 400),
        (Method::POST, "/api/leads", json!({}), 400),
        (Method::GET, "/api/leads?limit=0", Value::Null, 400),
        (Method::GET, "/api/leads?after=x", Value::Null, 400),
        (Method::GET, "/api/leads?color=red", Value::Null, 400),
        (Method::POST, "/api/leads", json!({ "name": "x".repeat(65_600) }), 413),
        (Method::POST, "/api/deliveries/x/retry", Value::Null, 404),
    ] {
        let answer = client.send(method, path, &[], &body).await.unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/problem+json"), "{path}");
    }
    let request = running.request(Method::POST, "/api/leads").bearer_auth(client.token()).body("name=x");
    assert_eq!(running.send(request).await.unwrap().status, 415);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_are_listed_found_and_exported() {
    let running = TestBox::start(BoxOptions::default()).await.unwrap();
    let client = client(&running);
    for number in 0..7 {
        let name = if number % 2 == 0 { "דנה לוין" } else { "=1+1" };
        let body = json!({ "phone": format!("05412345{number:02}"), "name": name, "fields": { "reason": "דירה" } });
        assert_eq!(client.post("/api/leads", &body).await.unwrap().status, 201);
    }
    let (mut path, mut seen) = ("/api/leads?limit=3".to_owned(), Vec::new());
    loop {
        let page = client.get(&path).await.unwrap();
        let items = page.json()["items"].as_array().unwrap().clone();
        seen.extend(items.iter().map(|lead| lead["phone"].as_str().unwrap().to_owned()));
        let Some(next) = page.header("link").split(['<', '>']).nth(1) else { break };
        path = next.to_owned();
    }
    let expected = [6, 5, 4, 3, 2, 1, 0].map(|number| format!("+9725412345{number:02}"));
    seen.sort_by(|one, other| other.cmp(one));
    assert_eq!(seen, expected, "each once");
    let name = "q=%D7%93%D7%A0%D7%94";
    for (query, count) in [(name, 4), ("q=0541234503", 1), ("q=nobody", 0), ("state=done", 0), ("state=new", 7)] {
        let found = client.get(&format!("/api/leads?{query}")).await.unwrap().json();
        assert_eq!(found["items"].as_array().unwrap().len(), count, "{query}");
    }
    let table = client.get("/api/leads.csv?language=he&bom=true").await.unwrap();
    assert_eq!((table.status, table.header("content-type")), (200, "text/csv; charset=utf-8; header=present"));
    let text = table.text();
    assert!(text.starts_with("\u{feff}מזהה,טלפון,"), "{text}");
    assert_eq!(text.lines().count(), 8);
    assert!(text.contains(",'=1+1,") && text.contains(",'+972541234500,"), "{text}");
    let english = client.get("/api/leads.csv?q=0541234503").await.unwrap().text();
    assert!(english.starts_with("Id,Phone,") && english.lines().next().unwrap().ends_with(",Name,Reason"), "{english}");
    assert_eq!(english.lines().count(), 2);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_gets_the_same_bytes_again_and_nothing_overtakes() {
    let crm = Crm::start(SECRET).await.unwrap();
    let tries = AtomicU32::new(0);
    crm.decide(move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => Reaction::Refuse(500),
        1 => Reaction::TakeAndCut,
        _ => Reaction::Take,
    });
    let running = TestBox::start(telling(BoxOptions::default(), &crm)).await.unwrap();
    let client = client(&running);
    let lead = client.post("/api/leads", &json!({ "phone": "0541234567", "name": "דנה" })).await.unwrap();
    let lead = patch(&client, &lead, json!({ "state": "contacted" })).await;
    patch(&client, &lead, json!({ "state": "done" })).await;
    let arrivals = taken(&crm, 4).await;
    assert_eq!(sequences(&arrivals), [1, 1, 1, 2, 3]);
    assert!(arrivals.iter().all(|arrival| arrival.proof.is_ok()));
    assert!(arrivals[..3].iter().all(|one| one.key == arrivals[0].key && one.body == arrivals[0].body));
    assert_ne!(arrivals[2].key, arrivals[3].key);
    assert_eq!(arrivals[4].delivery.as_ref().unwrap().lead.state, "done");
    let none = async || (running.figure("kolbox_crm_waiting").await.ok()? == 0.0).then_some(());
    wait_until("nothing to wait", none).await.unwrap();
    assert_eq!(running.readiness().await.unwrap()["parts"]["crm"]["state"], "ok");
    assert_eq!(client.get("/api/deliveries").await.unwrap().json()["items"], json!([]));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_receiver_is_shown_and_tried_at_once_when_the_owner_says_so() {
    let crm = Crm::start(SECRET).await.unwrap();
    let is_dead = Arc::new(AtomicBool::new(true));
    let dead = Arc::clone(&is_dead);
    crm.decide(move |_| if dead.load(Ordering::Relaxed) { Reaction::RefuseFor(3_000) } else { Reaction::Take });
    let running = TestBox::start(telling(BoxOptions::default(), &crm)).await.unwrap();
    let client = client(&running);
    let lead = client.post("/api/leads", &json!({ "phone": "0541234567" })).await.unwrap();
    patch(&client, &lead, json!({ "note": "x" })).await;
    let refused = async || {
        let list = client.get("/api/deliveries?state=refused").await.ok()?.json();
        list["items"].as_array().filter(|items| !items.is_empty()).cloned()
    };
    let refused = wait_until("a refusal", refused).await.unwrap();
    assert_eq!((refused[0]["last_status"].clone(), refused[0]["attempts"].clone()), (json!(503), json!(1)));
    assert_eq!(client.get("/api/deliveries?state=waiting").await.unwrap().json()["items"][0]["sequence"], 2);
    assert_eq!(running.readiness().await.unwrap()["parts"]["crm"]["state"], "degraded");
    assert!(running.is_well().await.unwrap(), "calls are answered all the same");
    is_dead.store(false, Ordering::Relaxed);
    let path = format!("/api/deliveries/{}/retry", refused[0]["id"].as_str().unwrap());
    // The try before may just be coming back; then the wait begins after it.
    let hurried = async || {
        client.send(Method::POST, &path, &[], &Value::Null).await.ok()?;
        crm.arrivals().iter().any(|arrival| arrival.reaction.takes()).then_some(())
    };
    wait_until("the receiver to be asked again", hurried).await.unwrap();
    assert_eq!(sequences(&taken(&crm, 2).await), [1, 1, 2]);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_merged_beyond_a_limit_and_survives_a_restart() {
    let crm = Crm::start(SECRET).await.unwrap();
    crm.decide(|_| Reaction::RefuseFor(3_000));
    let running = TestBox::start(telling(BoxOptions::default(), &crm)).await.unwrap();
    {
        let client = client(&running);
        let mut lead = client.post("/api/leads", &json!({ "phone": "0541234567" })).await.unwrap();
        for number in 0..40 {
            lead = patch(&client, &lead, json!({ "note": format!("note {number}") })).await;
        }
        assert_eq!(lead.json()["version"], 41);
        let waiting = client.get("/api/deliveries?limit=200").await.unwrap().json();
        let waiting = waiting["items"].as_array().unwrap();
        assert_eq!(waiting.len(), 32);
        assert_eq!((waiting[31]["from_sequence"].clone(), waiting[31]["sequence"].clone()), (json!(32), json!(41)));
    }
    let folder = running.stop().await.unwrap();
    crm.decide(|_| Reaction::Take);
    let running = TestBox::start(telling(BoxOptions::default(), &crm).on(folder)).await.unwrap();
    let mut arrivals = taken(&crm, 32).await;
    arrivals.retain(|arrival| arrival.reaction.takes());
    assert_eq!(sequences(&arrivals), (1..=31).chain([41]).collect::<Vec<_>>());
    assert_eq!(arrivals[31].delivery.as_ref().unwrap().lead.note.reveal(), "note 39");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_a_refusal_for_good_is_tried_again() {
    let crm = Crm::start(SECRET).await.unwrap();
    let mut reactions = vec![Reaction::Take, Reaction::Refuse(410), Reaction::Redirect];
    crm.decide(move |_| reactions.pop().unwrap_or(Reaction::Take));
    let running = TestBox::start(telling(BoxOptions::default(), &crm)).await.unwrap();
    client(&running).post("/api/leads", &json!({ "phone": "0541234567" })).await.unwrap();
    assert_eq!(sequences(&taken(&crm, 1).await), [1, 1, 1]);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_told_twice_is_folded_once_also_after_a_restart() {
    let running = TestBox::start(BoxOptions::default()).await.unwrap();
    let source = Source { kind: SourceKind::Message, id: "SM1".to_owned() };
    let mut fact = Fact::new(source, 1_000, Pii::new("whatsapp:+972541234567".to_owned()));
    fact.name = Some(Pii::new("דנה".to_owned()));
    for _ in 0..3 {
        let mut batch = Batch::new();
        put_fact(&mut batch, &fact).unwrap();
        running.parts.archive.commit(batch).await.unwrap();
        running.parts.leads.notify();
        let folded = async || running.store().ok()?.query(&Query::<LeadFacts>::all()).ok()?.is_empty().then_some(());
        wait_until("the fact to be folded", folded).await.unwrap();
    }
    // Told, and the box ends before anybody looks.
    let mut batch = Batch::new();
    fact.source.id = "SM2".to_owned();
    put_fact(&mut batch, &fact).unwrap();
    running.parts.archive.commit(batch).await.unwrap();
    let running = TestBox::start(BoxOptions::default().on(running.stop().await.unwrap())).await.unwrap();
    {
        let client = client(&running);
        let both = async || {
            let leads = client.get("/api/leads").await.ok()?.json();
            (leads["items"][0]["sources"]["message"] == 2).then_some(leads)
        };
        let leads = wait_until("both facts to be folded", both).await.unwrap();
        assert_eq!((leads["items"].as_array().unwrap().len(), leads["items"][0]["version"].clone()), (1, json!(2)));
    }
    running.stop().await.unwrap();
}

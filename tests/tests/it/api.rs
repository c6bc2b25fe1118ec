//! The API's own rules: who may ask, how errors look, what is described.

use appliance::api::Scope;
use appliance::api::token::TokenFile;
use appliance::voicemail::Alone;
use e2e::{ApiClient, BoxOptions, TestBox};
use http::Method;
use media::wav;
use serde_json::{Value, json};
use store::{Batch, RecordingName, VoicemailKey, VoicemailPath, VoicemailRecord, Voicemails};
use units::{Pii, SampleRate};

#[tokio::test(flavor = "multi_thread")]
async fn every_described_operation_is_a_route_that_needs_a_token() {
    let running = TestBox::start(BoxOptions::default()).await.unwrap();
    let answer = running.get("/api/openapi.json").await.unwrap();
    assert_eq!(answer.status, 200);
    let description = answer.json();
    assert_eq!(description["openapi"], "3.1.0");
    let mut names = Vec::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            names.push(operation["operationId"].as_str().unwrap().to_owned());
            let method: Method = method.to_ascii_uppercase().parse().unwrap();
            let path = path.replace(['{', '}'], "");
            let answer = running.send(running.request(method.clone(), &path)).await.unwrap();
            let is_open = operation["security"].as_array().unwrap().is_empty();
            // Whoever asks without a token too often is told so.
            let expected: &[u16] = if is_open { &[200] } else { &[401, 429] };
            assert!(expected.contains(&answer.status), "{method} {path}: {}", answer.status);
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "a name is given twice: {names:?}");
    let text = description.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(description.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_key_of_idempotency_is_needed_or_taken_is_described() {
    let running = TestBox::start(BoxOptions::default()).await.unwrap();
    let description = running.get("/api/openapi.json").await.unwrap().json();
    let mut described = Vec::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for operation in operations.as_object().unwrap().values() {
            let mut parameters = operation["parameters"].as_array().unwrap().iter();
            let Some(key) = parameters.find(|parameter| parameter["name"] == "Idempotency-Key") else { continue };
            let hours = key["description"].as_str().unwrap().split(' ').skip_while(|word| *word != "For").nth(1);
            described.push((path.as_str(), key["required"].as_bool().unwrap(), hours.unwrap()));
        }
    }
    described.sort_unstable();
    let expected =
        [("/api/call-backs", false, "24"), ("/api/leads", false, "24"), ("/api/whatsapp/messages", true, "168")];
    assert_eq!(described, expected);
    let client = ApiClient::new(&running, &[Scope::LeadsWrite, Scope::MessagesWrite]).unwrap();
    let refused = client.post("/api/whatsapp/messages", &json!({ "to": "+972541234567", "text": "x" })).await.unwrap();
    assert_eq!(
        (refused.status, refused.json()["field"].clone()),
        (400, json!("Idempotency-Key")),
        "{}",
        refused.text()
    );
    let made = client.post("/api/leads", &json!({ "name": "Dana", "phone": "+972541234567" })).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.text());
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_what_its_scopes_say_until_it_is_revoked() {
    let running = TestBox::start(BoxOptions::default()).await.unwrap();
    let client = ApiClient::new(&running, &[Scope::SettingsRead]).unwrap();
    let status = client.get("/api/status").await.unwrap();
    assert_eq!((status.status, status.json()["parts"]["store"]["state"].as_str().unwrap()), (200, "ok"));
    assert_eq!(status.header("cache-control"), "no-store");

    let other = ApiClient::new(&running, &[Scope::CallsRead]).unwrap();
    let refused = other.get("/api/status").await.unwrap();
    assert_eq!((refused.status, refused.header("content-type")), (403, "application/problem+json"));
    assert!(refused.json()["detail"].as_str().unwrap().contains("settings:read"));
    assert!(refused.header("www-authenticate").contains("scope=\"settings:read\""));

    let file = TokenFile::new(&running.parts.config.store.path);
    file.revoke(client.token().split('_').nth(1).unwrap()).unwrap();
    let refused = client.get("/api/status").await.unwrap();
    assert_eq!((refused.status, refused.json()["type"].as_str().unwrap()), (401, "urn:kolbox:problem:no-token"));
    assert!(refused.header("www-authenticate").starts_with("Bearer"));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_tries_tokens_is_slowed_down_and_the_office_is_not() {
    let running = TestBox::start(BoxOptions::default()).await.unwrap();
    let client = ApiClient::new(&running, &[Scope::SettingsRead]).unwrap();
    let mut statuses = Vec::new();
    for number in 0..30 {
        let request = running.request(Method::GET, "/api/status").bearer_auth(format!("kbx_{number}_guess"));
        statuses.push(running.send(request).await.unwrap().status);
    }
    assert!(statuses.contains(&401) && statuses.contains(&429), "{statuses:?}");
    assert_eq!(client.get("/api/status").await.unwrap().status, 200);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_a_problem_too() {
    let running = TestBox::start(BoxOptions::default()).await.unwrap();
    let missing = running.get("/api/nothing").await.unwrap();
    assert_eq!((missing.status, missing.header("content-type")), (404, "application/problem+json"));
    assert_eq!(missing.json()["status"], 404);
    let client = ApiClient::new(&running, &[Scope::SettingsRead]).unwrap();
    let request = running.request(Method::DELETE, "/api/status").bearer_auth(client.token());
    let wrong = running.send(request).await.unwrap();
    assert_eq!((wrong.status, wrong.header("content-type")), (405, "application/problem+json"));
    assert!(wrong.header("allow").contains("GET"), "{}", wrong.header("allow"));
    assert_eq!(wrong.json()["type"], "urn:kolbox:problem:bad-method");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_listed_heard_and_marked() {
    let running = TestBox::start(BoxOptions::default()).await.unwrap();
    let client = ApiClient::new(&running, &[Scope::VoicemailRead, Scope::VoicemailWrite]).unwrap();
    let sound = wav::encode_pcm16(&[7; 8_000], 1, SampleRate::HZ_8000).unwrap();
    let paths = [VoicemailPath::Device, VoicemailPath::CarrierAction, VoicemailPath::CarrierCallback];
    for (number, path) in (1..).zip(paths) {
        let key = VoicemailKey { received_wall_ms: number, call: format!("CA{number}").parse().unwrap() };
        let name = RecordingName::of_message(&key);
        running.parts.archive.import(name.clone(), sound.clone().into()).await.unwrap().unwrap();
        let caller = Pii::new("+972541234567".to_owned());
        let received = VoicemailRecord::received(key.clone(), caller, path);
        let (transcript, summary) = (Some(Pii::default()), Some(Pii::new(format!("the {number}th flat"))));
        let record = VoicemailRecord { recording: Some(name), transcript, summary, ..received };
        let mut batch = Batch::new();
        batch.put::<Voicemails>(&key, &record).unwrap();
        running.parts.archive.commit(batch).await.unwrap();
    }
    let page = client.get("/api/voicemails?limit=2").await.unwrap().json();
    let ids: Vec<_> = page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["3-CA3", "2-CA2"]);
    let told: Vec<_> = page["items"].as_array().unwrap().iter().map(|one| [&one["path"], &one["summary"]]).collect();
    assert_eq!(json!(told), json!([["callback", "the 3th flat"], ["record", "the 2th flat"]]));
    let rest = client.get(&format!("/api/voicemails?after={}", page["next"].as_str().unwrap())).await.unwrap().json();
    assert_eq!((rest["items"][0]["id"].clone(), rest["next"].clone()), (json!("1-CA1"), Value::Null));
    assert_eq!(rest["items"][0]["path"], "device");

    let seen = client.get("/api/voicemails/2-CA2").await.unwrap();
    assert_eq!((seen.json()["state"].clone(), seen.json()["has_audio"].clone()), (json!("new"), json!(true)));
    let (path, heard) = ("/api/voicemails/2-CA2", json!({ "state": "heard" }));
    let if_match = [("if-match", seen.header("etag"))];
    let marked = client.send(Method::PATCH, path, &if_match, &heard).await.unwrap();
    assert_eq!((marked.status, marked.json()["state"].clone()), (200, json!("heard")));
    assert_eq!(client.send(Method::PATCH, path, &if_match, &heard).await.unwrap().status, 412);
    assert_eq!(client.send(Method::PATCH, path, &[], &heard).await.unwrap().status, 428);

    let audio = client.get("/api/voicemails/2-CA2/audio").await.unwrap();
    assert_eq!((audio.status, audio.header("content-type"), &audio.body), (200, "audio/wav", &sound));
    let range = [("range", "bytes=0-3")];
    let part = client.send(Method::GET, "/api/voicemails/2-CA2/audio", &range, &Value::Null).await.unwrap();
    assert_eq!((part.status, part.body.as_slice()), (206, b"RIFF".as_slice()));
    assert_eq!(client.get("/api/voicemails/9-CA9/audio").await.unwrap().status, 404);

    // What retention does.
    let recordings = running.parts.archive.recordings().unwrap();
    recordings.remove(&RecordingName::of_message(&"2-CA2".parse().unwrap())).unwrap().unwrap();
    assert_eq!(client.get("/api/voicemails/2-CA2/audio").await.unwrap().status, 410);
    let items = client.get("/api/voicemails").await.unwrap().json()["items"].take();
    let has_audio: Vec<_> = items.as_array().unwrap().iter().map(|one| &one["has_audio"]).collect();
    assert_eq!(json!(has_audio), json!([true, false, true]));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_marked_while_it_is_written_down_keeps_both() {
    let running = TestBox::start(BoxOptions::default()).await.unwrap();
    let client = ApiClient::new(&running, &[Scope::VoicemailRead, Scope::VoicemailWrite]).unwrap();
    let key = VoicemailKey { received_wall_ms: 1, call: "CA1".parse().unwrap() };
    let mut record = VoicemailRecord::received(key, Pii::default(), VoicemailPath::Device);
    let mailbox = &running.parts.voicemail;
    let put = async |record: &VoicemailRecord, alone: Alone| {
        let mut batch = Batch::new();
        alone.put(&mut batch, record).unwrap();
        alone.commit(&running.parts.archive, batch).await.unwrap();
    };
    put(&record, mailbox.alone().await).await;
    // The worker has read the row, and has the words.
    let alone = mailbox.alone().await;
    record.transcript = Some(Pii::new("about the flat".to_owned()));
    let heard = json!({ "state": "heard" });
    let marking = client.send(Method::PATCH, "/api/voicemails/1-CA1", &[("if-match", "*")], &heard);
    let working = async {
        // More than enough time for a request that waits for nobody.
        for _ in 0..20 {
            assert_eq!(client.get("/api/voicemails/1-CA1").await.unwrap().json()["state"], "new");
        }
        put(&record, alone).await;
    };
    let (marked, ()) = tokio::join!(marking, working);
    let marked = marked.unwrap();
    assert_eq!((marked.status, marked.json()["state"].clone()), (200, json!("heard")), "{}", marked.text());
    assert_eq!(marked.json()["transcript"], "about the flat");
    assert_eq!(client.get("/api/voicemails/1-CA1").await.unwrap().json(), marked.json());
    running.stop().await.unwrap();
}

#[test]
fn the_validator_of_these_tests_finds_what_is_wrong() {
    let description = json!({ "components": { "schemas": { "A": {
        "type": "object", "required": ["a"], "properties": {
            "a": { "type": "integer", "minimum": 0 },
            "b": { "anyOf": [{ "type": "null" }, { "type": "array", "items": { "enum": ["x"] } }] } } } } } });
    let schema = json!({ "$ref": "#/components/schemas/A" });
    let fits = |value: Value| e2e::schema::validate(&description, &schema, &value).is_ok();
    assert!(fits(json!({ "a": 1 })) && fits(json!({ "a": 0, "b": ["x"] })) && fits(json!({ "a": 0, "b": null })));
    for wrong in
        [json!({}), json!({ "a": -1 }), json!({ "a": "1" }), json!({ "a": 1, "b": ["y"] }), json!({ "a": 1, "c": 1 })]
    {
        assert!(!fits(wrong.clone()), "{wrong}");
    }
}

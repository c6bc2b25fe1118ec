//! `OpenAI`, when all is well, and when the client is wrong.

use fakes::{ChatRule, Cloud, CloudConfig, Service};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{SAID, ask, chat, client, config, events, json_of, post_json, upload};

/// Returns the text, the calls and the last reason of a streamed reply.
async fn reply(cloud: &Cloud, body: &Value) -> (String, Vec<(String, String)>, String) {
    let request = client().post(format!("{}/chat/completions", cloud.openai_url()));
    let response = post_json(request.bearer_auth(cloud.credentials().openai_key), body).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.text().await.unwrap();
    let (mut text, mut calls, mut finish) = (String::new(), Vec::<(String, String)>::new(), String::new());
    for event in events(&body).iter().filter(|event| **event != "[DONE]") {
        let event: Value = serde_json::from_str(event).unwrap();
        let part = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        text.extend(part("/choices/0/delta/content"));
        calls.extend(part("/choices/0/delta/tool_calls/0/function/name").map(|name| (name, String::new())));
        if let Some(piece) = part("/choices/0/delta/tool_calls/0/function/arguments") {
            calls.last_mut().unwrap().1 += &piece;
        }
        finish = part("/choices/0/finish_reason").unwrap_or(finish);
    }
    (text, calls, finish)
}

async fn transcription(cloud: &Cloud, form: reqwest::multipart::Form) -> reqwest::Response {
    let request = client().post(format!("{}/audio/transcriptions", cloud.openai_url()));
    request.bearer_auth(cloud.credentials().openai_key).multipart(form).send().await.unwrap()
}

#[tokio::test]
async fn it_hears_word_by_word() {
    let cloud = Cloud::start(config()).await.unwrap();
    let body = ask(&cloud, Service::Transcribe).await.unwrap().text().await.unwrap();
    let events: Vec<Value> = events(&body).iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let deltas: String = events.iter().filter_map(|event| event.get("delta")).filter_map(Value::as_str).collect();
    assert_eq!(deltas, SAID);
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["text"]), (&json!("transcript.text.done"), &json!(SAID)));
    assert_eq!(last["usage"]["type"], "tokens");
}

#[tokio::test]
async fn whisper_says_how_sure_it_is_and_does_not_stream() {
    let cloud = Cloud::start(config()).await.unwrap();
    let form = upload("whisper-1").text("response_format", "verbose_json").text("stream", "true");
    let answer = json_of(transcription(&cloud, form).await).await;
    assert_eq!((&answer["text"], &answer["language"]), (&json!(SAID), &json!("english")));
    assert!(answer.pointer("/segments/0/no_speech_prob").unwrap().is_f64());
}

#[tokio::test]
async fn the_first_rule_that_fits_replies_and_calls_its_tools() {
    let call = ("take_message".to_owned(), json!({"name": "דנה", "urgent": true}));
    let rule = |when: &str, say: &[&str], calls: &[(String, Value)], once| ChatRule {
        when: when.to_owned(),
        say: say.iter().map(|text| (*text).to_owned()).collect(),
        calls: calls.to_vec(),
        once,
    };
    let rules = vec![
        rule("message", &["Of course.", "One moment."], std::slice::from_ref(&call), false),
        rule("message", &["It is taken."], &[], false),
        rule("hello", &["Hello!"], &[], true),
        rule("", &["Again?"], &[], false),
    ];
    let cloud = Cloud::start(CloudConfig { chat: rules, ..config() }).await.unwrap();
    let (text, calls, finish) = reply(&cloud, &chat("a message please")).await;
    assert_eq!((text.as_str(), finish.as_str()), ("Of course. One moment.", "tool_calls"));
    assert_eq!(serde_json::from_str::<Value>(&calls[0].1).unwrap(), call.1);

    let mut after = chat("a message please");
    let function = json!({"name": "take_message", "arguments": "{}"});
    let called =
        json!({"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": function}]});
    let messages = after["messages"].as_array_mut().unwrap();
    messages.push(called);
    messages.push(json!({"role": "tool", "tool_call_id": "call_1", "content": "done"}));
    assert_eq!(reply(&cloud, &after).await.0, "It is taken.");

    assert_eq!(reply(&cloud, &chat("hello")).await.0, "Hello!");
    assert_eq!(reply(&cloud, &chat("hello")).await, ("Again?".to_owned(), Vec::new(), "stop".to_owned()));
}

#[tokio::test]
async fn a_stream_ends_with_usage_and_done() {
    let cloud = Cloud::start(config()).await.unwrap();
    let body = ask(&cloud, Service::Chat).await.unwrap().text().await.unwrap();
    let events = events(&body);
    let [.., usage, done] = events.as_slice() else { panic!("too few events") };
    let usage: Value = serde_json::from_str(usage).unwrap();
    assert_eq!((&usage["choices"], *done), (&json!([]), "[DONE]"));
    assert!(usage["usage"]["completion_tokens"].as_u64().unwrap() > 0);
    assert!(usage["obfuscation"].is_string());
}

#[tokio::test]
async fn it_speaks_raw_samples() {
    let cloud = Cloud::start(config()).await.unwrap();
    let response = ask(&cloud, Service::Speech).await.unwrap();
    assert_eq!(response.headers()["content-type"], "audio/pcm");
    let bytes = response.bytes().await.unwrap();
    assert_eq!(bytes.len(), "Hello.".len() * 520 * 3 * 2, "six letters at three times the rate, two bytes a sample");
}

#[tokio::test]
async fn a_wrong_key_is_refused_everywhere() {
    let cloud = Cloud::start(config()).await.unwrap();
    let other = Cloud::start(config()).await.unwrap();
    assert_ne!(cloud.credentials().openai_key, other.credentials().openai_key);
    for path in ["audio/transcriptions", "chat/completions", "audio/speech"] {
        let request = client().post(format!("{}/{path}", cloud.openai_url()));
        let response = request.bearer_auth(other.credentials().openai_key).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(json_of(response).await.pointer("/error/code").unwrap(), "invalid_api_key");
    }
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let cloud = Cloud::start(config()).await.unwrap();
    let forms = [
        upload("whisper-2"),
        upload("gpt-4o-transcribe").text("response_format", "verbose_json"),
        upload("whisper-1").text("language", "hebrew"),
        upload("whisper-1").text("langauge", "he"),
    ];
    for form in forms {
        assert_eq!(transcription(&cloud, form).await.status(), StatusCode::BAD_REQUEST);
    }
    let mut unknown = chat("hello");
    unknown.as_object_mut().unwrap().insert("max_token".to_owned(), json!(5));
    let mut answered = chat("hello");
    let result = json!({"role": "tool", "tool_call_id": "call_1", "content": "done"});
    answered["messages"].as_array_mut().unwrap().push(result);
    let mut no_model = chat("hello");
    no_model["model"] = json!("llama");
    for body in [unknown, answered, no_model, json!([])] {
        let request = client().post(format!("{}/chat/completions", cloud.openai_url()));
        let response = post_json(request.bearer_auth(cloud.credentials().openai_key), &body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    }
}

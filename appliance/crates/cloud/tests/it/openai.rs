//! `OpenAI`, when all is well.

use cloud::openai::{Chat, ChatEvent, ChatRequest, Finish, Message, Settings, Tool, ToolCall, probe};
use cloud::{ApiKey, CloudError};
use fakes::{Behaviour, ChatRule, Cloud, CloudConfig, Fault, Service};
use serde_json::{Value, json};
use units::Language;
use weather::FailureKind;

use crate::support::{SAID, chat, client, config, question, settings, speech, start, transcriber, turn};

#[tokio::test]
async fn a_streaming_model_hears_word_by_word() {
    let cloud = start().await;
    let mut interims = Vec::new();
    let client = transcriber(&cloud, "gpt-4o-mini-transcribe");
    let heard = client.transcribe(&turn(SAID, None), &mut |text| interims.push(text.to_owned())).await.unwrap();
    assert_eq!(heard.recognition.text.reveal(), SAID);
    assert_eq!(heard.recognition.language, Language::Hebrew);
    assert_eq!(interims.len(), SAID.split(' ').count());
    assert!(interims.is_sorted_by_key(String::len));
    assert_eq!(interims.last().unwrap(), SAID);
    assert_eq!(heard.cost.audio_ms, 50 * u64::try_from(SAID.chars().count()).unwrap());
    assert!(heard.cost.input_tokens > 0 && heard.cost.output_tokens > 0);
    assert!((heard.recognition.mean_log_probability + 0.125).abs() < 0.001);
    assert!(!format!("{heard:?}").contains("הודעה"));
}

#[tokio::test]
async fn whisper_says_how_sure_it_is() {
    let cloud = start().await;
    let client = transcriber(&cloud, "whisper-1");
    let mut interims = 0;
    let heard = client.transcribe(&turn(SAID, Some(Language::Hebrew)), &mut |_| interims += 1).await.unwrap();
    assert_eq!((heard.recognition.text.reveal().as_str(), interims), (SAID, 0));
    assert!((heard.recognition.mean_log_probability + 0.21).abs() < 0.001);
    assert!((heard.recognition.no_speech_probability - 0.02).abs() < 0.001);

    let mut silence = turn(SAID, Some(Language::English));
    silence.audio.fill(0.0);
    let heard = client.transcribe(&silence, &mut |_| {}).await.unwrap();
    assert_eq!((heard.recognition.text.reveal().as_str(), heard.recognition.language), ("", Language::English));
    assert!(heard.recognition.no_speech_probability > 0.9);
}

#[tokio::test]
async fn less_than_a_word_is_not_sent() {
    let cloud = start().await;
    let mut click = turn(SAID, None);
    click.audio.truncate(1_500);
    let heard = transcriber(&cloud, "whisper-1").transcribe(&click, &mut |_| {}).await.unwrap();
    assert_eq!((heard.recognition.text.reveal().as_str(), cloud.requests(Service::Transcribe)), ("", 0));
    assert_eq!(heard.cost, cloud::Usage::default());
}

#[tokio::test]
async fn a_reply_comes_in_pieces_and_calls_come_whole() {
    let calls = vec![
        ("take_message".to_owned(), json!({"name": "דנה כהן", "urgent": true})),
        ("hang_up".to_owned(), json!({})),
    ];
    let rules = vec![
        ChatRule { when: "message".to_owned(), say: vec!["Of course.".to_owned()], calls: calls.clone(), once: false },
        ChatRule { when: "message".to_owned(), say: vec!["It is taken.".to_owned()], ..ChatRule::default() },
    ];
    let cloud = Cloud::start(CloudConfig { chat: rules, ..config() }).await.unwrap();
    let parameters = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    let tool = Tool { name: "take_message".to_owned(), description: "Takes a message.".to_owned(), parameters };
    let mut request = ChatRequest { tools: vec![tool], ..question("a message please") };
    let mut events = Vec::new();
    let end = chat(&cloud).reply(&request, &mut |event| events.push(event)).await.unwrap();
    assert_eq!(end.finish, Finish::ToolCalls);
    assert!(end.usage.input_tokens > 0 && end.usage.output_tokens > 0);
    let [ChatEvent::Text(first), ChatEvent::Text(second), ChatEvent::Call(message), ChatEvent::Call(hang_up)] =
        events.as_slice()
    else {
        panic!("other events: {events:?}")
    };
    assert_eq!((first.as_str(), second.as_str()), ("Of ", "course."));
    assert_eq!(serde_json::from_str::<Value>(&message.arguments).unwrap(), calls[0].1);
    assert_eq!((hang_up.name.as_str(), hang_up.arguments.as_str()), ("hang_up", "{}"));
    assert!(!format!("{events:?} {request:?}").contains("message please"));
    assert!(!format!("{events:?}").contains("דנה"));

    let result = |call: &ToolCall| Message::ToolResult { id: call.id.clone(), content: "{}".to_owned() };
    let agent = Message::Agent { text: String::new(), calls: vec![message.clone(), hang_up.clone()] };
    request.messages.extend([agent, result(message), result(hang_up)]);
    let mut said = String::new();
    let mut on = |event| {
        if let ChatEvent::Text(text) = event {
            said.push_str(&text);
        }
    };
    let end = chat(&cloud).reply(&request, &mut on).await.unwrap();
    assert_eq!((end.finish, said.as_str()), (Finish::Stop, "It is taken."));
}

#[tokio::test]
async fn what_is_said_is_handed_over_before_more_comes() {
    let cloud = start().await;
    cloud.set(Service::Chat, Behaviour { after_items: 2, ..Behaviour::faulty(Fault::StallMidStream) });
    let (sender, mut said) = tokio::sync::mpsc::unbounded_channel();
    let (client, request) = (chat(&cloud), question("hello"));
    let mut on = |event| sender.send(event).unwrap();
    let first = tokio::select! {
        end = client.reply(&request, &mut on) => panic!("it ended: {end:?}"),
        event = said.recv() => event,
    };
    assert!(first == Some(ChatEvent::Text("I ".to_owned())));
}

#[tokio::test]
async fn it_speaks_at_the_telephones_rate() {
    let cloud = start().await;
    let audio = speech(&cloud).synthesize("Hello.", Language::English).await.unwrap();
    assert_eq!(audio.mulaw.len(), 6 * 520, "six letters of 65 ms");
    assert_eq!((audio.usage.characters, audio.usage.audio_ms), (6, 390));
    assert!(audio.mulaw.iter().any(|byte| *byte != 0xff));
}

#[tokio::test]
async fn a_long_text_is_spoken_in_pieces() {
    let cloud = start().await;
    let text = "The office is open. ".repeat(75);
    let audio = speech(&cloud).synthesize(&text, Language::English).await.unwrap();
    assert_eq!(cloud.requests(Service::Speech), 2);
    assert_eq!(audio.usage.characters, 1_500);
    assert!(audio.mulaw.len().abs_diff(1_500 * 520) < 520 * 4);
}

#[tokio::test]
async fn a_wrong_key_and_a_wrong_model_are_told_apart() {
    let cloud = start().await;
    let wrong = Settings { key: Some(ApiKey::new("sk-other").unwrap()), ..settings(&cloud) };
    let error = probe(&client(), &wrong).await.unwrap_err();
    assert_eq!(error.to_string(), "the credential is refused (invalid_api_key)");
    let no_key = Settings { key: None, ..settings(&cloud) };
    assert_eq!(probe(&client(), &no_key).await.unwrap_err().failure().kind, FailureKind::Unauthorized);
    let chat = Chat::new(client(), settings(&cloud), "llama".to_owned());
    let error = chat.reply(&question("hello"), &mut |_| {}).await.unwrap_err();
    assert!(matches!(&error, CloudError::Invalid { code, .. } if code.as_str() == "model_not_found"), "{error}");
}

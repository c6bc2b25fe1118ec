//! Chat.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::request::Parts;
use serde_json::{Map, Value, json};

use super::{authorize, no_model, object, text, tokens};
use crate::answer::Answer;
use crate::behaviour::{Fault, Service};
use crate::cloud::{Shared, locked};

const SERVICE: Service = Service::Chat;
const FIELDS: [&str; 24] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "n",
    "stop",
    "seed",
    "store",
    "user",
    "metadata",
    "response_format",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "verbosity",
    "prompt_cache_key",
    "safety_identifier",
];
/// Letters of a tool call's arguments in one event.
const ARGUMENT_PIECE: usize = 7;
/// What is said where no rule fits.
const OTHERWISE: &str = "I see.";

/// What the chat model says to something.
#[derive(Clone, Debug, Default)]
pub struct ChatRule {
    /// What the last thing the user said contains; empty: anything.
    pub when: String,
    /// What is said, streamed word by word, with a space between each of these.
    pub say: Vec<String>,
    /// Tools called after that, with their arguments. A rule with calls that is not `once` is passed over where the
    /// conversation ends with a tool's result, or it would go on for ever.
    pub calls: Vec<(String, Value)>,
    /// Whether it is used up by being used.
    pub once: bool,
}

/// Replies.
pub(crate) fn chat(shared: &Shared, parts: &Parts, body: &Bytes, fault: Option<Fault>) -> Result<Answer, Answer> {
    authorize(shared, parts, SERVICE)?;
    let request = object(SERVICE, body, &FIELDS)?;
    let model = text(SERVICE, &request, "model")?;
    if !model.starts_with("gpt-") {
        return Err(no_model(SERVICE));
    }
    let none = Vec::new();
    let messages = request.get("messages").and_then(Value::as_array).unwrap_or(&none);
    check_messages(messages)?;
    check_tools(&request)?;
    let rule = choose(shared, messages);
    let reply = Reply::new(shared, model, rule, fault == Some(Fault::Filtered), tokens(&json!(messages).to_string()));
    if request.get("stream") == Some(&Value::Bool(true)) {
        let options = request.get("stream_options");
        let option = |name: &str| options.and_then(|options| options.get(name)).and_then(Value::as_bool);
        let obfuscated = option("include_obfuscation").unwrap_or(true);
        return Ok(Answer::events(reply.events(option("include_usage").unwrap_or(false), obfuscated)));
    }
    Ok(Answer::json(&reply.whole()))
}

fn bad(message: &str) -> Answer {
    Answer::bad_request(SERVICE, message)
}

/// Checks that roles are known and that tool results answer calls, each call exactly once.
fn check_messages(messages: &[Value]) -> Result<(), Answer> {
    if messages.is_empty() {
        return Err(bad("Invalid 'messages': empty array."));
    }
    let mut open = BTreeSet::new();
    for message in messages {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if role == "tool" {
            let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
            if !open.remove(id) {
                return Err(bad("'tool' must be a response to a preceding message with 'tool_calls'."));
            }
            continue;
        }
        if !open.is_empty() {
            return Err(bad("'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."));
        }
        let calls = message.get("tool_calls").and_then(Value::as_array);
        open.extend(calls.into_iter().flatten().filter_map(|call| call.get("id")).filter_map(Value::as_str));
        let has_content = message.get("content").is_some_and(Value::is_string);
        let fits = match role {
            "system" | "developer" | "user" => has_content,
            "assistant" => has_content || !open.is_empty(),
            _ => false,
        };
        if !fits {
            return Err(bad("Invalid message: unknown role or no content."));
        }
    }
    if open.is_empty() { Ok(()) } else { Err(bad("'tool_calls' must be followed by tool messages.")) }
}

fn check_tools(request: &Map<String, Value>) -> Result<(), Answer> {
    let tools = request.get("tools").and_then(Value::as_array);
    let is_tool = |tool: &Value| {
        tool.get("type").and_then(Value::as_str) == Some("function")
            && tool.pointer("/function/name").is_some_and(Value::is_string)
            && tool.pointer("/function/parameters").is_none_or(Value::is_object)
    };
    if request.contains_key("tools") && !tools.is_some_and(|tools| !tools.is_empty() && tools.iter().all(is_tool)) {
        return Err(bad("Invalid 'tools': expected functions."));
    }
    Ok(())
}

/// Returns the rule for this conversation, and uses it up if it is for once.
fn choose(shared: &Shared, messages: &[Value]) -> ChatRule {
    let role = |message: &Value, role: &str| message.get("role").and_then(Value::as_str) == Some(role);
    let said = messages.iter().rev().find(|message| role(message, "user"));
    let said = said.and_then(|message| message.get("content")).and_then(Value::as_str).unwrap_or_default();
    let after_tool = messages.last().is_some_and(|message| role(message, "tool"));
    let mut rules = locked(&shared.rules);
    let fits = |rule: &ChatRule| said.contains(&rule.when) && (rule.once || rule.calls.is_empty() || !after_tool);
    let Some(at) = rules.iter().position(fits) else {
        return ChatRule { say: vec![OTHERWISE.to_owned()], ..ChatRule::default() };
    };
    if rules.get(at).is_some_and(|rule| rule.once) {
        rules.remove(at)
    } else {
        rules.get(at).cloned().unwrap_or_default()
    }
}

/// One reply.
struct Reply {
    id: u64,
    model: String,
    text: String,
    /// Identity, name and arguments.
    calls: Vec<(String, String, String)>,
    finish: &'static str,
    input_tokens: u64,
}

impl Reply {
    fn new(shared: &Shared, model: &str, rule: ChatRule, filtered: bool, input_tokens: u64) -> Self {
        let calls: Vec<_> = rule.calls.into_iter().collect();
        let finish = match (filtered, calls.is_empty()) {
            (true, _) => "content_filter",
            (false, true) => "stop",
            (false, false) => "tool_calls",
        };
        let calls = if filtered { Vec::new() } else { calls };
        let call = |(name, arguments): (String, Value)| {
            (format!("call_fake{}", shared.next_id()), name, arguments.to_string())
        };
        Self {
            id: shared.next_id(),
            model: model.to_owned(),
            text: rule.say.join(" "),
            calls: calls.into_iter().map(call).collect(),
            finish,
            input_tokens,
        }
    }

    fn events(&self, with_usage: bool, obfuscated: bool) -> Vec<String> {
        let mut choices = vec![json!({"role": "assistant", "content": "", "refusal": null})];
        choices.extend(self.text.split_inclusive(' ').map(|word| json!({"content": word})));
        for (index, (id, name, arguments)) in self.calls.iter().enumerate() {
            let function = json!({"name": name, "arguments": ""});
            choices.push(json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]}));
            let letters: Vec<char> = arguments.chars().collect();
            choices.extend(letters.chunks(ARGUMENT_PIECE).map(|piece| {
                let function = json!({"arguments": piece.iter().collect::<String>()});
                json!({"tool_calls": [{"index": index, "function": function}]})
            }));
        }
        let choice =
            |delta, finish: Value| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        let mut chunks: Vec<Value> =
            choices.into_iter().map(|delta| self.chunk(&choice(delta, Value::Null), obfuscated)).collect();
        chunks.push(self.chunk(&choice(json!({}), self.finish.into()), obfuscated));
        if with_usage {
            let mut chunk = self.chunk(&json!([]), obfuscated);
            if let Some(chunk) = chunk.as_object_mut() {
                chunk.insert("usage".to_owned(), self.usage());
            }
            chunks.push(chunk);
        }
        let mut events: Vec<String> = chunks.iter().map(Value::to_string).collect();
        events.push("[DONE]".to_owned());
        events
    }

    fn chunk(&self, choices: &Value, obfuscated: bool) -> Value {
        let mut chunk = json!({
            "id": format!("chatcmpl-fake{}", self.id),
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": null,
            "choices": choices,
        });
        if obfuscated && let Some(chunk) = chunk.as_object_mut() {
            chunk.insert("obfuscation".to_owned(), "qVx9aR".into());
        }
        chunk
    }

    fn whole(&self) -> Value {
        let call = |(id, name, arguments): &(String, String, String)| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
        let mut message = json!({"role": "assistant", "content": self.text, "refusal": null});
        if !self.calls.is_empty()
            && let Some(message) = message.as_object_mut()
        {
            message.insert("tool_calls".to_owned(), self.calls.iter().map(call).collect());
        }
        json!({
            "id": format!("chatcmpl-fake{}", self.id),
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish}],
            "usage": self.usage(),
        })
    }

    fn usage(&self) -> Value {
        let arguments: u64 = self.calls.iter().map(|(_, _, arguments)| tokens(arguments)).sum();
        let output = tokens(&self.text).saturating_add(arguments);
        json!({
            "prompt_tokens": self.input_tokens,
            "completion_tokens": output,
            "total_tokens": self.input_tokens.saturating_add(output),
        })
    }
}

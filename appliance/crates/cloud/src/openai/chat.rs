//! Chat, streamed.

mod stream;

use std::fmt;

use serde_json::{Map, Value, json};

use self::stream::Reader;
use super::Settings;
use crate::audio::Usage;
use crate::error::CloudError;
use crate::http::{self, Http};
use crate::sse::Events;

/// Replies to what was said.
#[derive(Clone, Debug)]
pub struct Chat {
    http: Http,
    settings: Settings,
    model: String,
}

/// What the model is to reply to.
#[derive(Clone, Debug)]
pub struct ChatRequest {
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Most tokens of the reply.
    pub max_tokens: u32,
    /// How freely it chooses its words, from 0 to 2.
    pub temperature: f32,
}

/// Something that was said or done. `Debug` shows who, not what.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Instructions.
    System(String),
    /// What the caller said.
    User(String),
    /// What the agent said and called.
    Agent {
        /// What it said; may be empty.
        text: String,
        /// What it called; each of these must be answered by a [`Message::ToolResult`].
        calls: Vec<ToolCall>,
    },
    /// What came of a call.
    ToolResult {
        /// The call's identity.
        id: String,
        /// What came of it.
        content: String,
    },
}

/// Something the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does and when to call it.
    pub description: String,
    /// Its arguments, as JSON schema.
    pub parameters: Value,
}

/// A call of a tool. `Debug` shows no arguments.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// Its identity, which the result names.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments: a whole JSON text.
    pub arguments: String,
}

/// What comes of a reply while it is made. `Debug` shows no text.
#[derive(Clone, PartialEq, Eq)]
pub enum ChatEvent {
    /// The next piece of what is said.
    Text(String),
    /// A call, now that its arguments are whole.
    Call(ToolCall),
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// All is said.
    Stop,
    /// The most tokens are used up; a call that was not whole by then was dropped.
    Length,
    /// Tools were called, and the model waits for what comes of it.
    ToolCalls,
}

/// The end of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatEnd {
    /// Why it ended.
    pub finish: Finish,
    /// What it took. Where the provider did not say, tokens are guessed from the length of the texts.
    pub usage: Usage,
}

impl Chat {
    /// Returns a client of a model: `gpt-4o-mini`.
    pub const fn new(http: Http, settings: Settings, model: String) -> Self {
        Self { http, settings, model }
    }

    /// Replies, calling `on` with each piece as it comes.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; the provider may charge for it.
    pub async fn reply(
        &self,
        request: &ChatRequest,
        on: &mut (dyn FnMut(ChatEvent) + Send),
    ) -> Result<ChatEnd, CloudError> {
        let body = self.body(request).to_string();
        let mut reader = Reader::new(body.len());
        let address = self.settings.url("chat/completions");
        let post = self.settings.authorize(self.http.post(&address));
        let response = http::send(post.header("content-type", "application/json").body(body)).await?;
        if http::media_type(&response) != "text/event-stream" {
            return Err(CloudError::ContentType { expected: "an event stream" });
        }
        reader.read(Events::new(response), on).await
    }

    fn body(&self, request: &ChatRequest) -> Value {
        let mut options = Map::new();
        options.insert("include_usage".to_owned(), true.into());
        let mut body = Map::new();
        body.insert("model".to_owned(), self.model.as_str().into());
        body.insert("messages".to_owned(), request.messages.iter().map(Message::json).collect());
        body.insert("stream".to_owned(), true.into());
        body.insert("temperature".to_owned(), f64::from(request.temperature).into());
        // Servers of one's own know the old name of the limit, and no obfuscation.
        if self.settings.key.is_some() {
            body.insert("max_completion_tokens".to_owned(), request.max_tokens.into());
            options.insert("include_obfuscation".to_owned(), false.into());
        } else {
            body.insert("max_tokens".to_owned(), request.max_tokens.into());
        }
        body.insert("stream_options".to_owned(), options.into());
        if !request.tools.is_empty() {
            body.insert("tools".to_owned(), request.tools.iter().map(Tool::json).collect());
        }
        body.into()
    }
}

impl Message {
    const fn role(&self) -> &'static str {
        match self {
            Self::System(_) => "system",
            Self::User(_) => "user",
            Self::Agent { .. } => "assistant",
            Self::ToolResult { .. } => "tool",
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::System(text) | Self::User(text) => json!({"role": self.role(), "content": text}),
            Self::Agent { text, calls } if calls.is_empty() => json!({"role": self.role(), "content": text}),
            Self::Agent { text, calls } => {
                let content = if text.is_empty() { Value::Null } else { text.as_str().into() };
                let calls: Vec<Value> = calls.iter().map(ToolCall::json).collect();
                json!({"role": self.role(), "content": content, "tool_calls": calls})
            }
            Self::ToolResult { id, content } => json!({"role": self.role(), "tool_call_id": id, "content": content}),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Message").field(&self.role()).finish()
    }
}

impl Tool {
    fn json(&self) -> Value {
        let function = json!({"name": self.name, "description": self.description, "parameters": self.parameters});
        json!({"type": "function", "function": function})
    }
}

impl ToolCall {
    fn json(&self) -> Value {
        let function = json!({"name": self.name, "arguments": self.arguments});
        json!({"id": self.id, "type": "function", "function": function})
    }
}

impl fmt::Debug for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCall").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for ChatEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_struct("Text").field("bytes", &text.len()).finish_non_exhaustive(),
            Self::Call(call) => f.debug_tuple("Call").field(call).finish(),
        }
    }
}

//! A reply out of its events.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{ChatEnd, ChatEvent, Finish, ToolCall};
use crate::audio::Usage;
use crate::error::CloudError;
use crate::openai::event;
use crate::sse::Events;

/// Most that is said or called in one reply, in bytes.
const MAX_REPLY_BYTES: usize = 64 * 1_024;
/// Most calls in one reply.
const MAX_CALLS: usize = 16;
/// Wait for the usage behind the end of a reply; the caller has heard everything by then.
const USAGE_WAIT: Duration = Duration::from_millis(500);
/// Bytes of text that are about a token, when the provider does not say.
const BYTES_PER_TOKEN: usize = 4;

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<CallPiece>>,
}

#[derive(Deserialize)]
struct CallPiece {
    #[serde(default)]
    index: usize,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<FunctionPiece>,
}

#[derive(Deserialize)]
struct FunctionPiece {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

/// Puts a reply together.
pub(super) struct Reader {
    request_bytes: usize,
    reply_bytes: usize,
    calls: usize,
    /// The call whose arguments are coming, and its index.
    call: Option<(usize, ToolCall)>,
    finish: Option<Finish>,
    tokens: Option<Tokens>,
}

impl Reader {
    /// `request_bytes` is the length of what was asked.
    pub(super) const fn new(request_bytes: usize) -> Self {
        Self { request_bytes, reply_bytes: 0, calls: 0, call: None, finish: None, tokens: None }
    }

    /// Reads to the end of the reply.
    pub(super) async fn read(
        &mut self,
        mut events: Events,
        on: &mut (dyn FnMut(ChatEvent) + Send),
    ) -> Result<ChatEnd, CloudError> {
        while self.finish.is_none() {
            match events.next().await?.as_deref() {
                None | Some("[DONE]") => return Err(CloudError::Cut(None)),
                Some(data) => self.take(event(data)?, on)?,
            }
        }
        // What is behind the end only says what it cost: it may be missing, late or broken.
        let wait = tokio::time::timeout(USAGE_WAIT, async {
            while self.tokens.is_none() {
                match events.next().await {
                    Ok(Some(data)) => self.tokens = event(&data).ok().and_then(|chunk: Chunk| chunk.usage),
                    Ok(None) | Err(_) => break,
                }
            }
        });
        if wait.await.is_err() {
            tracing::debug!("No usage came behind a reply");
        }
        Ok(ChatEnd { finish: self.finish.unwrap_or(Finish::Stop), usage: self.usage() })
    }

    fn take(&mut self, chunk: Chunk, on: &mut (dyn FnMut(ChatEvent) + Send)) -> Result<(), CloudError> {
        self.tokens = chunk.usage.or(self.tokens);
        let Some(choice) = chunk.choices.into_iter().next() else { return Ok(()) };
        if let Some(delta) = choice.delta {
            let text = delta.content.or(delta.refusal).filter(|text| !text.is_empty());
            if let Some(text) = text {
                self.grow(text.len())?;
                on(ChatEvent::Text(text));
            }
            for piece in delta.tool_calls.into_iter().flatten() {
                self.take_call(piece, on)?;
            }
        }
        self.finish = match choice.finish_reason.as_deref() {
            None => return Ok(()),
            Some("content_filter") => return Err(CloudError::Filtered),
            Some("length") => Some(Finish::Length),
            Some("tool_calls" | "function_call") => Some(Finish::ToolCalls),
            Some(_) => Some(Finish::Stop),
        };
        self.end_call(on)
    }

    fn take_call(&mut self, piece: CallPiece, on: &mut (dyn FnMut(ChatEvent) + Send)) -> Result<(), CloudError> {
        if self.call.as_ref().is_some_and(|(index, _)| *index != piece.index) {
            self.end_call(on)?;
        }
        let function = piece.function.unwrap_or(FunctionPiece { name: None, arguments: None });
        let texts = [piece.id.as_ref(), function.name.as_ref(), function.arguments.as_ref()];
        self.grow(texts.into_iter().flatten().map(String::len).sum())?;
        if self.call.is_none() {
            self.calls += 1;
            if self.calls > MAX_CALLS {
                return Err(CloudError::Malformed { reason: "too many tool calls" });
            }
        }
        let empty = || ToolCall { id: String::new(), name: String::new(), arguments: String::new() };
        let (_, call) = self.call.get_or_insert_with(|| (piece.index, empty()));
        call.id.push_str(&piece.id.unwrap_or_default());
        call.name.push_str(&function.name.unwrap_or_default());
        call.arguments.push_str(&function.arguments.unwrap_or_default());
        Ok(())
    }

    /// Hands over the call that is being put together, if there is one.
    fn end_call(&mut self, on: &mut (dyn FnMut(ChatEvent) + Send)) -> Result<(), CloudError> {
        let Some((_, mut call)) = self.call.take() else { return Ok(()) };
        if call.arguments.is_empty() {
            call.arguments.push_str("{}");
        }
        if serde_json::from_str::<IgnoredAny>(&call.arguments).is_err() || call.name.is_empty() {
            return match self.finish {
                Some(Finish::Length) => Ok(()),
                _ => Err(CloudError::Malformed { reason: "a tool call is not whole" }),
            };
        }
        on(ChatEvent::Call(call));
        Ok(())
    }

    fn grow(&mut self, bytes: usize) -> Result<(), CloudError> {
        self.reply_bytes = self.reply_bytes.saturating_add(bytes);
        if self.reply_bytes > MAX_REPLY_BYTES {
            return Err(CloudError::TooLong { limit: MAX_REPLY_BYTES });
        }
        Ok(())
    }

    fn usage(&self) -> Usage {
        let guess = |bytes: usize| u64::try_from(bytes.div_ceil(BYTES_PER_TOKEN)).unwrap_or(u64::MAX);
        let guessed =
            || Tokens { prompt_tokens: guess(self.request_bytes), completion_tokens: guess(self.reply_bytes) };
        let tokens = self.tokens.unwrap_or_else(guessed);
        Usage { input_tokens: tokens.prompt_tokens, output_tokens: tokens.completion_tokens, ..Usage::default() }
    }
}

//! `OpenAI`, and any server with the same interface.
//!
//! Shapes: <https://github.com/openai/openai-openapi>.

mod chat;
mod speech;
mod transcribe;

use reqwest::RequestBuilder;
use serde::de::IgnoredAny;

pub use self::chat::{Chat, ChatEnd, ChatEvent, ChatRequest, Finish, Message, Tool, ToolCall};
pub use self::speech::Speech;
pub use self::transcribe::Transcriber;
use crate::error::{CloudError, ProviderCode};
use crate::http::{self, Http};
use crate::key::ApiKey;

/// Where a server is, and how it lets us in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where its interface begins: `https://api.openai.com/v1`. A slash at the end is dropped.
    pub base_url: String,
    /// The key, or `None` for a server of one's own that wants none. Such a server is asked only for what every
    /// implementation knows.
    pub key: Option<ApiKey>,
}

impl Settings {
    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base_url.trim_end_matches('/'))
    }

    fn authorize(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        }
    }
}

/// Asks the server for its models, which costs nothing, and drops the list: the connection, the key and the server are
/// good then.
///
/// # Cancellation safety
///
/// May be dropped half way.
pub async fn probe(http: &Http, settings: &Settings) -> Result<(), CloudError> {
    let response = http::send(settings.authorize(http.get(&settings.url("models")))).await?;
    let _models: IgnoredAny = http::json(response, http::MAX_JSON_BYTES).await?;
    Ok(())
}

/// Returns what an error in the middle of an answer means.
fn error_in_stream(error: &serde_json::Value) -> CloudError {
    let code = http::code_of(error);
    match code.as_str() {
        "content_filter" | "content_policy_violation" => CloudError::Filtered,
        word if word.contains("rate_limit") || word == "insufficient_quota" => {
            CloudError::RateLimited { code, retry_after: None }
        }
        _ => CloudError::Server { status: 200, code },
    }
}

/// Reads an event, or tells what the provider says instead of one.
fn event<T: serde::de::DeserializeOwned>(data: &str) -> Result<T, CloudError> {
    let malformed = |_error| CloudError::Malformed { reason: "an event is not the expected JSON" };
    let value: serde_json::Value = serde_json::from_str(data).map_err(malformed)?;
    if let Some(error) = value.get("error").filter(|error| !error.is_null()) {
        return Err(error_in_stream(error));
    }
    if value.get("type").and_then(serde_json::Value::as_str) == Some("error") {
        return Err(CloudError::Server { status: 200, code: ProviderCode::default() });
    }
    serde_json::from_value(value).map_err(malformed)
}

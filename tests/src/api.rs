//! A program of the office that uses the box's API.

use appliance::api::Scope;
use appliance::api::token::TokenFile;
use http::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::Value;

use crate::running::{Answer, TestBox};
use crate::schema::check_answer;

/// A client of the API with a token. Each answer is checked against the box's own description.
pub struct ApiClient<'a> {
    running: &'a TestBox,
    token: String,
}

impl<'a> ApiClient<'a> {
    /// Makes a token with these scopes and a client that sends it.
    pub fn new(running: &'a TestBox, scopes: &[Scope]) -> anyhow::Result<Self> {
        let file = TokenFile::new(&running.parts.config.store.path);
        let (_, token) = file.add("test", scopes.iter().copied(), 0)?;
        Ok(Self { running, token })
    }

    /// Returns what the client sends as its token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Sends a request to a path that begins with `/api`, with these headers, and a body unless it is null.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> anyhow::Result<Answer> {
        let mut request = self.running.request(method.clone(), path);
        request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = self.running.send(request).await?;
        let description = self.running.parts.api.description();
        let media_type = answer.header("content-type");
        check_answer(description, method.as_str(), path, answer.status, media_type, &answer.body)?;
        Ok(answer)
    }

    /// Reads a path.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, &[], &Value::Null).await
    }

    /// Posts a body to a path.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(Method::POST, path, &[], body).await
    }
}

impl Answer {
    /// Returns the body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

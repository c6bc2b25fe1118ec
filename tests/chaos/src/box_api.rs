//! A box as others see it: over HTTP, and often away.

use std::time::{Duration, Instant};

use anyhow::bail;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::victim::pause;

/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Time between two tries, while the box is away.
const AGAIN: Duration = Duration::from_millis(15);
/// Longest time the box may be away.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a box answers: status, headers, and the body where it is JSON.
pub(crate) type Answer = (StatusCode, HeaderMap, Value);

/// Asks a box that is killed meanwhile.
#[derive(Clone)]
pub(crate) struct BoxApi {
    client: Client,
    url: String,
    token: String,
}

impl BoxApi {
    /// Makes a client of the box at `url` whose programs show `token`.
    pub(crate) fn new(url: &str, token: &str) -> anyhow::Result<Self> {
        let client = appliance::carrier::http_client().no_proxy().timeout(ANSWER).build()?;
        Ok(Self { client, url: url.to_owned(), token: token.to_owned() })
    }

    /// Returns the address of a path of the box.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Asks until the box answers, however often it is killed meanwhile.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> anyhow::Result<Answer> {
        self.insist(path, || self.request(method.clone(), path, headers, body)).await
    }

    /// Asks once; `None` when the box is away or overloaded.
    pub(crate) async fn try_once(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Option<Answer> {
        answer(self.request(method, path, headers, body)).await
    }

    /// Posts something that shows no token until the box answers.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> anyhow::Result<Answer> {
        let request = || {
            let request = self.client.post(self.url(path)).body(body.to_vec());
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
        };
        self.insist(path, request).await
    }

    /// Returns all items of a list.
    pub(crate) async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let (mut items, mut page) = (Vec::new(), format!("{path}?limit=200"));
        loop {
            let (_, _, answer) = self.ask(Method::GET, &page, &[], &Value::Null).await?;
            items.extend(answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
            let Some(next) = answer.get("next").and_then(Value::as_str) else { return Ok(items) };
            page = format!("{path}?limit=200&after={next}");
        }
    }

    fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> RequestBuilder {
        let request = self.client.request(method, self.url(path)).bearer_auth(&self.token);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        if body.is_null() { request } else { request.header("content-type", "application/json").body(body.to_string()) }
    }

    async fn insist(&self, path: &str, request: impl Fn() -> RequestBuilder) -> anyhow::Result<Answer> {
        let began = Instant::now();
        loop {
            match answer(request()).await {
                Some(answer) => return Ok(answer),
                None if began.elapsed() > PATIENCE => bail!("the box does not answer {path}"),
                None => pause(AGAIN).await,
            }
        }
    }
}

async fn answer(request: RequestBuilder) -> Option<Answer> {
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.ok()?;
    let is_later = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    (!is_later).then(|| (status, headers, serde_json::from_slice(&bytes).unwrap_or_default()))
}

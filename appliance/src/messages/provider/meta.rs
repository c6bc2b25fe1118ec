//! Meta's Cloud API: `WhatsApp`.

use anyhow::Context as _;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use messaging::message::MediaSource;
use messaging::meta::{read_answer, write};
use messaging::{Answer, Outbound, Refused};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde_json::Value;
use telephony::wire::Address;
use units::Pii;

use super::{FetchError, Provider, fetch, is_same_origin, post};
use crate::carrier::http_client;
use crate::config::{self, Secret};

/// Largest description of a file, in bytes.
const MAX_DESCRIPTION_BYTES: u64 = 64 * 1_024;

/// Meta's own names: its files lie under another one than its interface, and want the same token.
const OF_META: [&str; 3] = [".facebook.com", ".fbcdn.net", ".fbsbx.com"];

/// A client of the Cloud API.
pub(crate) struct Meta {
    client: Client,
    graph: Url,
    version: String,
    number: String,
    token: Secret,
}

impl Meta {
    /// Makes a client of the number `number`.
    pub(crate) fn new(config: &config::Meta, number: &str, token: &Secret) -> anyhow::Result<Self> {
        Ok(Self {
            client: http_client().build().context("cannot set up the HTTP client")?,
            graph: Url::parse(&config.graph_url).context("messages.meta.graph_url is not a URL")?,
            version: config.graph_version.clone(),
            number: number.to_owned(),
            token: token.clone(),
        })
    }

    fn url(&self, path: &str) -> Option<Url> {
        self.graph.join(&format!("/{}/{path}", self.version)).ok()
    }

    fn is_trusted(&self, url: &Url) -> bool {
        let is_of_meta = url.host_str().is_some_and(|host| OF_META.iter().any(|name| host.ends_with(name)));
        is_same_origin(&self.graph, url) || (is_of_meta && url.scheme() == "https" && url.port().is_none())
    }

    async fn get(&self, url: Url, limit: u64) -> Result<Vec<u8>, FetchError> {
        let is_trusted = |url: &Url| self.is_trusted(url);
        fetch(&self.client, &self.graph, url, limit, is_trusted, |request| request.bearer_auth(self.token.expose()))
            .await
    }
}

impl Provider for Meta {
    fn name(&self) -> messaging::Provider {
        messaging::Provider::Meta
    }

    fn check(&self, message: &Outbound, _from: &Pii<Address>) -> Result<(), Refused> {
        write(message).map(drop)
    }

    fn send<'a>(&'a self, message: &'a Outbound, _from: &'a Pii<Address>) -> BoxFuture<'a, Answer> {
        async move {
            let json = match write(message) {
                Ok(json) => json,
                Err(refused) => return Answer::Refused { refusal: refused.refusal, code: refused.code(self.name()) },
            };
            let Some(url) = self.url(&format!("{}/messages", self.number)) else { return Answer::Uncertain };
            let request = self
                .client
                .post(url)
                .bearer_auth(self.token.expose())
                .header(CONTENT_TYPE, "application/json")
                .body(json);
            match post(request).await {
                Ok((status, body)) => read_answer(status, &body),
                Err(answer) => answer,
            }
        }
        .boxed()
    }

    fn fetch<'a>(&'a self, source: &'a MediaSource, limit: u64) -> BoxFuture<'a, Result<Vec<u8>, FetchError>> {
        async move {
            let MediaSource::Meta { media } = source else { return Err(FetchError::Address) };
            let url = self.url(media).ok_or(FetchError::Address)?;
            let described: Value = serde_json::from_slice(&self.get(url, MAX_DESCRIPTION_BYTES).await?)
                .map_err(|_not_json| FetchError::Answer)?;
            if described.get("file_size").and_then(Value::as_u64).is_some_and(|size| size > limit) {
                return Err(FetchError::TooLarge { limit });
            }
            let url = described.get("url").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
            self.get(url.ok_or(FetchError::Answer)?, limit).await
        }
        .boxed()
    }
}

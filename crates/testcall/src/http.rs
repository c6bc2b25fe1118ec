//! Requests to the box, signed the way the carrier signs them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HOST};
use reqwest::redirect::Policy;
use telephony::signature::SIGNATURE_HEADER;
use telephony::webhook::IDEMPOTENCY_HEADER;
use telephony::{AuthKey, Params, PublicUrl, Signer};

use crate::script::Signing;

/// The longest a whole exchange may take (Twilio, error 11205).
pub const EXCHANGE_DEADLINE: Duration = Duration::from_secs(15);

/// The longest connecting may take (Twilio, error 11205).
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// The longest markup the carrier reads (Twilio, error 11750), in bytes.
pub const LONGEST_MARKUP: usize = 64 * 1_024;

/// The longest audio the carrier plays, in bytes.
const LONGEST_AUDIO: usize = 32 * 1_024 * 1_024;

/// How the box is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

/// An answer of the box.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The client cannot be made.
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
    /// The request failed.
    #[error("the box did not answer")]
    Exchange(#[source] reqwest::Error),
    /// The answer is longer than the carrier reads.
    #[error("the answer is longer than {max} bytes")]
    TooLong {
        /// The most that is read.
        max: usize,
    },
}

/// Asks the box.
#[derive(Clone, Debug)]
pub(crate) struct BoxClient {
    http: reqwest::Client,
    signer: Signer,
    wrong_signer: Signer,
    base: PublicUrl,
    connect_to: Option<SocketAddr>,
}

impl BoxClient {
    pub(crate) fn new(
        key: AuthKey,
        wrong_key: AuthKey,
        base: PublicUrl,
        connect_to: Option<SocketAddr>,
    ) -> Result<Self, HttpError> {
        provide_cryptography();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_DEADLINE)
            .timeout(EXCHANGE_DEADLINE)
            .redirect(Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .build()
            .map_err(HttpError::Client)?;
        Ok(Self { http, signer: Signer::new(key), wrong_signer: Signer::new(wrong_key), base, connect_to })
    }

    /// Sends a webhook. `token` is the same on each retry of one request.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; the box may or may not have got the request.
    pub(crate) async fn webhook(
        &self,
        method: Method,
        url: &str,
        params: &Params,
        signing: Signing,
        token: &str,
    ) -> Result<Answer, HttpError> {
        let url = url.split('#').next().unwrap_or_default();
        let (url, body) = match method {
            Method::Get => (with_query(url, &params.encode()), None),
            Method::Post => (url.to_owned(), Some(params.encode())),
        };
        let signed = if body.is_some() { params.clone() } else { Params::new() };
        let mut request = match body {
            None => self.request(reqwest::Method::GET, &url),
            Some(body) => self
                .request(reqwest::Method::POST, &url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8")
                .body(body),
        };
        request = request.header(IDEMPOTENCY_HEADER, token);
        if let Some(signature) = self.signature(&url, &signed, signing) {
            request = request.header(SIGNATURE_HEADER, signature);
        }
        read(request, LONGEST_MARKUP).await
    }

    /// Fetches what `<Play>` names.
    pub(crate) async fn fetch(&self, url: &str) -> Result<Answer, HttpError> {
        read(self.request(reqwest::Method::GET, url), LONGEST_AUDIO).await
    }

    /// Returns the signature for the handshake of a stream.
    pub(crate) fn stream_signature(&self, url: &str, signing: Signing) -> Option<String> {
        self.signature(url, &Params::new(), signing)
    }

    /// Returns where to connect for `url`, if that is not where the URL says.
    pub(crate) fn address_of(&self, url: &str) -> Option<SocketAddr> {
        let (_, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        self.connect_to.filter(|_| authority == self.base.host())
    }

    fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        match self.address_of(url) {
            None => self.http.request(method, url),
            Some(address) => {
                let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
                let url = format!("http://{address}{}", path.unwrap_or("/"));
                self.http.request(method, url).header(HOST, self.base.host())
            }
        }
    }

    fn signature(&self, url: &str, params: &Params, signing: Signing) -> Option<String> {
        match signing {
            Signing::Right => Some(self.signer.sign(url, params)),
            Signing::WrongKey => Some(self.wrong_signer.sign(url, params)),
            Signing::Missing => None,
        }
    }
}

/// Chooses the implementation behind TLS for this process, unless the program has chosen one.
fn provide_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none()
        && rustls::crypto::ring::default_provider().install_default().is_err()
    {
        tracing::trace!("somebody else was faster to choose the cryptography");
    }
}

/// Times an exchange, in microseconds.
pub(crate) async fn timed<T>(exchange: impl Future<Output = T>) -> (T, u64) {
    let started = Instant::now();
    let outcome = exchange.await;
    (outcome, u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX))
}

fn with_query(url: &str, query: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{query}")
}

async fn read(request: reqwest::RequestBuilder, max: usize) -> Result<Answer, HttpError> {
    let mut response = request.send().await.map_err(HttpError::Exchange)?;
    let status = response.status().as_u16();
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(HttpError::Exchange)? {
        if body.len().saturating_add(part.len()) > max {
            return Err(HttpError::TooLong { max });
        }
        body.extend_from_slice(&part);
    }
    Ok(Answer { status, content_type, body })
}

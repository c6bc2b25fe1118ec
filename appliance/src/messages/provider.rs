//! Who carries messages: one trait, two providers.

mod meta;
mod twilio;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use messaging::message::MediaSource;
use messaging::{Answer, Outbound, Refusal, Refused};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use telephony::wire::Address;
use units::Pii;

pub(crate) use self::meta::Meta;
pub(crate) use self::twilio::Twilio;

/// Longest wait for a provider to answer a request to send.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest time a file may take.
const FETCH_TIMEOUT: Duration = Duration::from_mins(2);
/// Largest answer read of a request to send, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1_024;
/// Most redirections followed to a file.
const MAX_REDIRECTS: usize = 3;

/// A provider that may be switched for another by configuration.
pub(crate) trait Provider: Send + Sync {
    /// Returns which it is.
    fn name(&self) -> messaging::Provider;

    /// Checks a message without sending it: what the provider would refuse anyway.
    fn check(&self, message: &Outbound, from: &Pii<Address>) -> Result<(), Refused>;

    /// Sends a message from one of the office's addresses. What was certainly not sent is refused as transient; what may
    /// have been is uncertain.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, it may have been sent.
    fn send<'a>(&'a self, message: &'a Outbound, from: &'a Pii<Address>) -> BoxFuture<'a, Answer>;

    /// Fetches a file of at most `limit` bytes.
    fn fetch<'a>(&'a self, source: &'a MediaSource, limit: u64) -> BoxFuture<'a, Result<Vec<u8>, FetchError>>;
}

/// Either provider.
pub(crate) type AnyProvider = Arc<dyn Provider>;

/// Why a file is not here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// No answer, or a broken one.
    #[error("the provider did not answer")]
    Unreachable(#[source] reqwest::Error),
    /// The carrier did not give it.
    #[error("the carrier did not give the file")]
    Carrier(#[source] carrier::CarrierError),
    /// The provider refused.
    #[error("the provider answered {status}")]
    Refused {
        /// The status.
        status: StatusCode,
    },
    /// The file has more bytes than are taken.
    #[error("the file has more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The file is said to lie where nothing is fetched from.
    #[error("the file is said to lie at an address that is not fetched from")]
    Address,
    /// The provider's answer does not say where the file is.
    #[error("the provider does not say where the file is")]
    Answer,
}

impl FetchError {
    /// Returns whether the same request may succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Carrier(error) => error.is_transient(),
            // A file that came in with a message a moment ago may not have reached every place of the provider's.
            Self::Refused { status } => {
                status.is_server_error() || [StatusCode::TOO_MANY_REQUESTS, StatusCode::NOT_FOUND].contains(status)
            }
            Self::TooLarge { .. } | Self::Address | Self::Answer => false,
        }
    }
}

/// Sends a request and returns the status and the beginning of the answer, or what the failure means.
async fn post(request: RequestBuilder) -> Result<(u16, Vec<u8>), Answer> {
    let response = match request.timeout(SEND_TIMEOUT).send().await {
        Ok(response) => response,
        Err(error) => {
            // Without a connection nothing was handed over; after that nobody knows.
            let certainly_not = error.is_connect() || error.is_builder();
            let error = error.without_url();
            tracing::info!(certainly_not, error = &error as &dyn std::error::Error, "message not taken");
            return Err(if certainly_not {
                Answer::Refused { refusal: Refusal::ProviderDown, code: None }
            } else {
                Answer::Uncertain
            });
        }
    };
    let status = response.status().as_u16();
    // An answer that breaks off says no name: with 2xx that is uncertain.
    let body = read_within(response, u64::try_from(MAX_ANSWER_BYTES).unwrap_or(u64::MAX)).await.unwrap_or_default();
    Ok((status, body))
}

/// Reads a body of at most `limit` bytes.
async fn read_within(response: Response, limit: u64) -> Result<Vec<u8>, FetchError> {
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(FetchError::TooLarge { limit });
    }
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| FetchError::Unreachable(error.without_url()))?;
        let len = bytes.len().saturating_add(piece.len());
        if u64::try_from(len).unwrap_or(u64::MAX) > limit {
            return Err(FetchError::TooLarge { limit });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Fetches `url`, which is or was named by the provider `base` belongs to, following redirections. `authorize` puts the
/// credential on a request, and is asked only where `is_trusted` says so.
async fn fetch(
    client: &reqwest::Client,
    base: &Url,
    url: Url,
    limit: u64,
    is_trusted: impl Fn(&Url) -> bool,
    authorize: impl Fn(RequestBuilder) -> RequestBuilder,
) -> Result<Vec<u8>, FetchError> {
    let mut url = url;
    for _ in 0..=MAX_REDIRECTS {
        if !may_fetch(base, &url) {
            return Err(FetchError::Address);
        }
        let request = client.get(url.clone()).timeout(FETCH_TIMEOUT);
        let request = if is_trusted(&url) { authorize(request) } else { request };
        let response = request.send().await.map_err(|error| FetchError::Unreachable(error.without_url()))?;
        let status = response.status();
        if status.is_success() {
            return read_within(response, limit).await;
        }
        if !status.is_redirection() {
            return Err(FetchError::Refused { status });
        }
        let location = response.headers().get(reqwest::header::LOCATION).and_then(|value| value.to_str().ok());
        url = location.and_then(|location| url.join(location).ok()).ok_or(FetchError::Answer)?;
    }
    Err(FetchError::Address)
}

/// Returns whether two addresses are the same host, port and scheme.
fn is_same_origin(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// Returns whether a file may be fetched from an address: as well protected as the provider itself, and by name, so that a
/// box does not fetch what the office's network keeps to itself. A provider that is an address itself is one of a test.
fn may_fetch(base: &Url, url: &Url) -> bool {
    let is_address =
        |url: &Url| url.host_str().is_none_or(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok());
    let is_protected = url.scheme() == "https" || url.scheme() == base.scheme();
    let is_public = !is_address(url) && url.host_str() != Some("localhost");
    is_protected && ["http", "https"].contains(&url.scheme()) && (is_public || is_address(base))
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::may_fetch;

    #[test]
    fn files_are_fetched_from_names_over_tls_only() {
        let base = Url::parse("https://api.example.org").unwrap();
        for (url, may) in [
            ("https://storage.example.net/file", true),
            ("http://storage.example.net/file", false),
            ("https://192.168.1.1/admin", false),
            ("https://[::1]/", false),
            ("https://localhost/", false),
            ("ftp://api.example.org/", false),
        ] {
            assert_eq!(may_fetch(&base, &Url::parse(url).unwrap()), may, "{url}");
        }
        let test = Url::parse("http://127.0.0.1:9").unwrap();
        assert!(may_fetch(&test, &Url::parse("http://127.0.0.1:10/file").unwrap()));
    }
}

//! One request and its answer, within bounds.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{CloudError, ProviderCode};

/// Longest wait for a connection; a provider that takes longer is no help to a caller.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection is kept for the next turn.
const POOL_IDLE: Duration = Duration::from_mins(1);
/// Longest JSON answer, in bytes.
pub(crate) const MAX_JSON_BYTES: usize = 256 * 1_024;
/// Longest audio answer, in bytes.
pub(crate) const MAX_AUDIO_BYTES: usize = 4 * 1_024 * 1_024;
/// Longest answer to a refused request that is looked at, in bytes.
const MAX_ERROR_BYTES: usize = 16 * 1_024;
/// Longest wait for what stands in such an answer; the status alone says enough.
const ERROR_BODY: Duration = Duration::from_millis(250);
/// Longest time a provider can ask us to stay away.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// The HTTP client that all clients of this crate share, with its pool of connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http(Client);

/// Makes the HTTP client: TLS by ring with the certificates of this device, HTTP/1.1, no redirects, no proxy.
///
/// # Errors
///
/// When there is no certificate that this device trusts.
pub fn http() -> Result<Http, CloudError> {
    builder().build().map(Http).map_err(CloudError::Setup)
}

/// Makes an HTTP client like [`http()`] that trusts these certificates (DER) and no others, for a server of one's own.
///
/// # Errors
///
/// When one of them is no certificate.
pub fn http_trusting(certificates: &[&[u8]]) -> Result<Http, CloudError> {
    let certificates: Result<Vec<Certificate>, _> = certificates.iter().map(|der| Certificate::from_der(der)).collect();
    let certificates = certificates.map_err(CloudError::Setup)?;
    builder().tls_certs_only(certificates).build().map(Http).map_err(CloudError::Setup)
}

fn builder() -> ClientBuilder {
    // An error means that a provider was chosen before, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true)
        .http1_only()
}

impl Http {
    pub(crate) fn post(&self, url: &str) -> RequestBuilder {
        self.0.post(url)
    }

    pub(crate) fn get(&self, url: &str) -> RequestBuilder {
        self.0.get(url)
    }
}

/// Adds a JSON body.
pub(crate) fn with_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request.header(CONTENT_TYPE, "application/json").body(body.to_string())
}

/// Sends a request and returns its answer, if that is one of success.
pub(crate) async fn send(request: RequestBuilder) -> Result<Response, CloudError> {
    check(request.send().await.map_err(CloudError::of_request)?).await
}

/// Returns an answer if it is one of success.
pub(crate) async fn check(response: Response) -> Result<Response, CloudError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    // 511 is what portals answer by the book (RFC 6585, section 6).
    if status.is_redirection() || status == StatusCode::NETWORK_AUTHENTICATION_REQUIRED {
        return Err(CloudError::Redirected { status: status.as_u16() });
    }
    let retry_after = retry_after(response.headers());
    let code = tokio::time::timeout(ERROR_BODY, error_code(response)).await.unwrap_or_default();
    Err(match status {
        StatusCode::UNAUTHORIZED => CloudError::Unauthorized { code },
        StatusCode::FORBIDDEN => CloudError::Forbidden { code },
        StatusCode::TOO_MANY_REQUESTS => CloudError::RateLimited { code, retry_after },
        _ if status.is_server_error() => CloudError::Server { status: status.as_u16(), code },
        _ if matches!(code.as_str(), "content_policy_violation" | "content_filter") => CloudError::Filtered,
        _ => CloudError::Invalid { status: status.as_u16(), code },
    })
}

/// Returns the media type of an answer, without parameters, in small letters.
pub(crate) fn media_type(response: &Response) -> String {
    let header = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads a JSON answer of at most `limit` bytes.
pub(crate) async fn json<T: DeserializeOwned>(response: Response, limit: usize) -> Result<T, CloudError> {
    if media_type(&response) != "application/json" {
        return Err(CloudError::ContentType { expected: "JSON" });
    }
    let body = body(response, limit).await?;
    // The parser's own words may quote the answer.
    serde_json::from_slice(&body).map_err(|_error| CloudError::Malformed { reason: "not the expected JSON" })
}

/// Reads an answer of at most `limit` bytes.
pub(crate) async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, CloudError> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(CloudError::of_body)? {
        if bytes.len().saturating_add(piece.len()) > limit {
            return Err(CloudError::TooLong { limit });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Returns when an answer was made, by the clock of who made it.
pub(crate) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    headers.get(DATE).and_then(|value| value.to_str().ok()).and_then(|text| httpdate::parse_http_date(text).ok())
}

/// Returns how long to stay away: `OpenAI`'s milliseconds first, then seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let wait = |text: &str, unit_s: f64| Duration::try_from_secs_f64(text.trim().parse::<f64>().ok()? * unit_s).ok();
    let until = |text: &str| {
        let then = httpdate::parse_http_date(text).ok()?;
        Some(then.duration_since(date(headers)?).unwrap_or_default())
    };
    let seconds = || text(RETRY_AFTER.as_str()).and_then(|text| wait(text, 1.0).or_else(|| until(text)));
    let found = text("retry-after-ms").and_then(|text| wait(text, 0.001)).or_else(seconds)?;
    Some(found.min(MAX_RETRY_AFTER))
}

/// Returns what the provider calls the error: `OpenAI`'s `code` or `type`, Google's `status`.
async fn error_code(response: Response) -> ProviderCode {
    let Ok(body) = body(response, MAX_ERROR_BYTES).await else { return ProviderCode::default() };
    let Ok(answer) = serde_json::from_slice::<Value>(&body) else { return ProviderCode::default() };
    answer.get("error").map(code_of).unwrap_or_default()
}

/// Returns the code in an error object.
pub(crate) fn code_of(error: &Value) -> ProviderCode {
    let word = |name: &str| error.get(name).and_then(Value::as_str);
    ["code", "status", "type"].into_iter().find_map(word).map(ProviderCode::new).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn retry_after_is_read_in_each_of_its_forms() {
        let cases = [
            (headers(&[("retry-after-ms", "250.5"), ("retry-after", "9")]), Some(Duration::from_micros(250_500))),
            (headers(&[("retry-after", "9")]), Some(Duration::from_secs(9))),
            (
                headers(&[("retry-after", "Sun, 06 Nov 1994 08:49:39 GMT"), ("date", "Sun, 06 Nov 1994 08:49:37 GMT")]),
                Some(Duration::from_secs(2)),
            ),
            (headers(&[("retry-after", "1e30")]), None),
            (headers(&[("retry-after", "99999999")]), Some(MAX_RETRY_AFTER)),
            (headers(&[("retry-after", "-1")]), None),
            (headers(&[("retry-after", "soon")]), None),
            (headers(&[]), None),
        ];
        for (headers, expected) in cases {
            assert_eq!(retry_after(&headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn codes_that_are_no_words_are_dropped() {
        assert_eq!(code_of(&serde_json::json!({"code": null, "type": "server_error"})).to_string(), " (server_error)");
        assert_eq!(
            code_of(&serde_json::json!({"code": 400, "status": "INVALID_ARGUMENT"})).as_str(),
            "INVALID_ARGUMENT"
        );
        assert_eq!(code_of(&serde_json::json!({"code": "you said: 050 1234567"})).to_string(), "");
    }
}

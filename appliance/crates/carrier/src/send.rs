//! One request over the network, within bounds.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{ClientBuilder, RequestBuilder, Response, Url, redirect};

use crate::answer::{Answer, Reply};
use crate::client::Credential;
use crate::place;
use crate::request::{Kind, Method, Request};

/// Longest wait for a connection to the carrier.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next request. Short: a request that goes out on a connection which the
/// carrier is just closing is lost, and whether a message was sent is then unknown.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(10);
/// Longest redirects followed for one file.
const MAX_REDIRECTS: usize = 3;
/// Longest wait a carrier can ask for; more is taken for this.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Begins to make an HTTP client of this program: TLS by ring, no redirects, so that nothing is sent to another host
/// than the one named.
pub fn http_client() -> ClientBuilder {
    // An error means that a provider was chosen before, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().redirect(redirect::Policy::none())
}

/// How much may be taken, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) timeout: Duration,
}

/// What one exchange came to.
#[derive(Debug)]
pub(crate) enum Sent {
    Answered(Whole),
    NotConnected(reqwest::Error),
    Lost(reqwest::Error),
    TooLarge,
    /// A redirect that must not be followed.
    LedAway,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) status: u16,
    /// Whether the carrier itself answered, and not a host it led to.
    pub(crate) is_carrier: bool,
    pub(crate) content_type: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

impl Whole {
    pub(crate) fn as_reply(&self) -> Reply<'_> {
        Reply::Answered(Answer {
            status: self.status,
            content_type: self.content_type.as_deref(),
            retry_after: self.retry_after,
            body: &self.body,
        })
    }
}

/// Where and as whom requests are made.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) http: reqwest::Client,
    pub(crate) base: Url,
    pub(crate) credential: Credential,
}

impl Line {
    /// Makes one exchange; for a file, follows where it leads.
    pub(crate) async fn send(&self, request: &Request, bounds: Bounds) -> Sent {
        let Ok(mut url) = self.base.join(request.path()) else { return Sent::LedAway };
        let mut is_carrier = true;
        for _ in 0..=MAX_REDIRECTS {
            let mut asked = self.begin(request, url.clone()).timeout(bounds.timeout);
            if is_carrier {
                asked = asked.basic_auth(&self.credential.user, Some(self.credential.secret()));
            }
            let response = match asked.send().await {
                Ok(response) => response,
                Err(error) => return failed(error),
            };
            let Some(location) = leads_on(request.kind(), &response) else {
                return whole(response, is_carrier, bounds.bytes).await;
            };
            let Some(hop) = place::follow(&self.base, &url, &location) else { return Sent::LedAway };
            (url, is_carrier) = (hop.url, hop.is_carrier);
        }
        Sent::LedAway
    }

    fn begin(&self, request: &Request, url: Url) -> RequestBuilder {
        match request.method() {
            Method::Get => self.http.get(url),
            Method::Delete => self.http.delete(url),
            Method::Post => self
                .http
                .post(url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8")
                .body(request.form().encode()),
        }
    }
}

/// Returns where an answer leads, if it does and may: files of messages are kept elsewhere, nothing else is.
fn leads_on(kind: Kind, response: &Response) -> Option<String> {
    let leads = kind == Kind::FetchMedia && [301, 302, 303, 307, 308].contains(&response.status().as_u16());
    let location = response.headers().get(LOCATION).filter(|_| leads)?;
    location.to_str().ok().map(str::to_owned)
}

fn failed(error: reqwest::Error) -> Sent {
    let error = error.without_url();
    if error.is_connect() || error.is_builder() { Sent::NotConnected(error) } else { Sent::Lost(error) }
}

/// Reads an answer of at most `limit` bytes.
async fn whole(mut response: Response, is_carrier: bool, limit: usize) -> Sent {
    let headers = response.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let announced = text(CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Sent::TooLarge;
    }
    let mut answer = Whole {
        status: response.status().as_u16(),
        is_carrier,
        content_type: text(CONTENT_TYPE).map(str::to_owned),
        retry_after: retry_after(headers),
        body: Vec::new(),
    };
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if answer.body.len().saturating_add(piece.len()) > limit => return Sent::TooLarge,
            Ok(Some(piece)) => answer.body.extend_from_slice(&piece),
            Ok(None) => return Sent::Answered(answer),
            Err(error) => return Sent::Lost(error.without_url()),
        }
    }
}

/// Returns how long to stay away: seconds or a date, by the clock of who answered (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let asked = text(RETRY_AFTER)?.trim();
    let wait = if let Ok(seconds) = asked.parse() {
        Duration::from_secs(seconds)
    } else {
        let answered: SystemTime = text(DATE).and_then(date)?;
        date(asked)?.duration_since(answered).unwrap_or_default()
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let read = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(read(&[("retry-after", "9")]), Some(9));
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(read(&[("retry-after", "Sun, 06 Nov 1994 08:49:39 GMT"), date]), Some(2));
        assert_eq!(read(&[("retry-after", "Sun, 06 Nov 1994 08:49:30 GMT"), date]), Some(0));
        assert_eq!(read(&[("retry-after", "999999999")]), Some(MAX_RETRY_AFTER.as_secs()));
        for nothing in ["-1", "soon", "1e30", ""] {
            assert_eq!(read(&[("retry-after", nothing)]), None);
        }
        assert_eq!(read(&[]), None);
    }
}

//! Why a cloud did not serve.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use rustls::CertificateError;
use weather::{Failure, FailureKind};

/// Why a request came to nothing. Neither texts nor keys nor addresses are in it.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The client could not be made: no trusted certificates on this device, or no cryptography.
    #[error("cannot set up the HTTP client")]
    Setup(#[source] reqwest::Error),
    /// No connection could be made.
    #[error("no connection: the provider {why}")]
    Connection {
        /// What stood in the way.
        why: FailureKind,
        /// What the network said.
        #[source]
        source: reqwest::Error,
    },
    /// The connection broke after it was made.
    #[error("the connection broke")]
    Cut(#[source] Option<reqwest::Error>),
    /// Somebody sends us elsewhere; providers do not.
    #[error("status {status} sends the request elsewhere")]
    Redirected {
        /// The status.
        status: u16,
    },
    /// Something else than what was asked for, as a captive portal answers.
    #[error("the answer is not {expected}")]
    ContentType {
        /// The type it should have.
        expected: &'static str,
    },
    /// The credential is not valid.
    #[error("the credential is refused{code}")]
    Unauthorized {
        /// The provider's word for it.
        code: ProviderCode,
    },
    /// The credential is refused, and the clocks of device and provider differ, which alone explains it.
    #[error("the credential is refused; the device's clock is {ahead_s} s ahead of the provider's")]
    Clock {
        /// Seconds; negative if the device's clock is behind.
        ahead_s: i64,
    },
    /// The credential does not allow this.
    #[error("the credential does not allow this{code}")]
    Forbidden {
        /// The provider's word for it.
        code: ProviderCode,
    },
    /// Too many requests, or nothing left of the quota.
    #[error("too many requests{code}")]
    RateLimited {
        /// The provider's word for it.
        code: ProviderCode,
        /// How long the provider wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The provider failed.
    #[error("the provider failed with status {status}{code}")]
    Server {
        /// The status; 200 where it failed in the middle of an answer.
        status: u16,
        /// The provider's word for it.
        code: ProviderCode,
    },
    /// The provider does not like the request.
    #[error("the provider refused the request with status {status}{code}")]
    Invalid {
        /// The status.
        status: u16,
        /// The provider's word for it.
        code: ProviderCode,
    },
    /// The request cannot be made of what was given.
    #[error("cannot make the request: {reason}")]
    Unusable {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The answer is not what the provider's documents say.
    #[error("the answer is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The answer is longer than any that makes sense.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The longest that is read, in bytes.
        limit: usize,
    },
    /// A content filter refused the request, or what was to be answered.
    #[error("the provider's content filter refused")]
    Filtered,
}

impl CloudError {
    /// Returns what this means for the choice of engines.
    pub fn failure(&self) -> Failure {
        let kind = match self {
            Self::Setup(_) => FailureKind::Tls,
            Self::Connection { why, .. } => *why,
            Self::Cut(_) => FailureKind::Cut,
            Self::Redirected { .. } | Self::ContentType { .. } => FailureKind::Intercepted,
            Self::Unauthorized { .. } => FailureKind::Unauthorized,
            Self::Clock { .. } => FailureKind::Clock,
            Self::Forbidden { .. } => FailureKind::Forbidden,
            Self::RateLimited { .. } => FailureKind::RateLimited,
            Self::Server { .. } => FailureKind::Server,
            Self::Invalid { .. } | Self::Unusable { .. } => FailureKind::Invalid,
            Self::Malformed { .. } | Self::TooLong { .. } => FailureKind::Malformed,
            Self::Filtered => FailureKind::Filtered,
        };
        let retry_after = if let Self::RateLimited { retry_after, .. } = self { *retry_after } else { None };
        Failure { kind, retry_after }
    }

    /// Tells why no answer began.
    pub(crate) fn of_request(error: reqwest::Error) -> Self {
        let source = error.without_url();
        match why(&source) {
            Some(FailureKind::Cut) => Self::Cut(Some(source)),
            Some(why) => Self::Connection { why, source },
            None if source.is_builder() => Self::Unusable { reason: "the address or a header is not valid" },
            None if source.is_connect() => Self::Connection { why: FailureKind::Unroutable, source },
            None => Self::Cut(Some(source)),
        }
    }

    /// Tells why an answer did not go on.
    pub(crate) fn of_body(error: reqwest::Error) -> Self {
        Self::Cut(Some(error.without_url()))
    }
}

/// A provider's machine-readable word for what is wrong, such as `model_not_found`. Displayed behind a status, in
/// brackets; empty if there was none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderCode(Option<String>);

impl ProviderCode {
    /// Longest code kept, in bytes.
    const MAX_LEN: usize = 64;

    /// Keeps a word; anything that is no single word, and so might quote the request, is dropped.
    pub(crate) fn new(word: &str) -> Self {
        let is_word = (1..=Self::MAX_LEN).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        Self(is_word.then(|| word.to_owned()))
    }

    /// Returns the word, or an empty text.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for ProviderCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(word) => write!(f, " ({word})"),
            None => Ok(()),
        }
    }
}

/// Looks through the causes of an error for one that says what happened.
fn why(error: &reqwest::Error) -> Option<FailureKind> {
    if error.is_timeout() {
        return Some(FailureKind::TimedOut);
    }
    if error.is_dns() {
        return Some(FailureKind::Resolve);
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(found) = cause {
        if let Some(kind) = found.downcast_ref::<io::Error>().and_then(of_io) {
            return Some(kind);
        }
        if let Some(tls) = found.downcast_ref::<rustls::Error>() {
            return Some(of_tls(tls));
        }
        cause = found.source();
    }
    None
}

fn of_io(error: &io::Error) -> Option<FailureKind> {
    // What an error of this kind wraps is not among its sources.
    if let Some(inner) = error.get_ref() {
        let inside = inner.downcast_ref::<io::Error>().and_then(of_io);
        let kind = inner.downcast_ref::<rustls::Error>().map(of_tls).or(inside);
        if kind.is_some() {
            return kind;
        }
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "the system has many words for few things")]
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(FailureKind::Refused),
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => Some(FailureKind::Unroutable),
        io::ErrorKind::TimedOut => Some(FailureKind::TimedOut),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(FailureKind::Cut),
        _ => None,
    }
}

/// A certificate out of its time says that our clock is wrong: providers renew theirs, and a Pi starts in the past.
fn of_tls(error: &rustls::Error) -> FailureKind {
    let is_out_of_time = matches!(
        error,
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        )
    );
    if is_out_of_time { FailureKind::Clock } else { FailureKind::Tls }
}

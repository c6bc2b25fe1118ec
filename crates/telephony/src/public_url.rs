//! The address under which the carrier knows this box.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The public base URL of the box: `https://host[:port][/prefix]`, kept as it was configured.
///
/// Signatures are made over the URL the carrier was given, character for character, so nothing here is normalised
/// and no header of a proxy is believed. `http` is for a loopback box without TLS; a real carrier wants `https`.
/// `Debug` and `Display` leave out user name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// Verbatim, without trailing slashes.
    text: String,
    secure: bool,
}

impl PublicUrl {
    /// The longest base URL accepted, in bytes. The carrier takes 4000 for a whole URL.
    pub const MAX_LEN: usize = 1_024;

    /// Returns the URL as configured, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the carrier reaches the box over TLS.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the URL of a webhook: the base followed by `path_and_query`, which starts with `/`.
    #[must_use]
    pub fn webhook(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.text)
    }

    /// Returns the URL of a WebSocket at `path`, which starts with `/`: `wss`, or `ws` where the base is `http`.
    ///
    /// The carrier drops a query string before it dials, so `path` should have none.
    #[must_use]
    pub fn stream(&self, path: &str) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}{}{path}", self.after_scheme())
    }

    /// Returns host and port as configured, without user name and password.
    pub fn host(&self) -> &str {
        let rest = self.after_scheme().trim_start_matches("://");
        let authority = rest.split('/').next().unwrap_or_default();
        authority.rsplit('@').next().unwrap_or_default()
    }

    /// Returns the text from `://` on.
    fn after_scheme(&self) -> &str {
        self.text.find("://").and_then(|at| self.text.get(at..)).unwrap_or_default()
    }
}

impl FromStr for PublicUrl {
    type Err = ParsePublicUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use ParsePublicUrlError as E;
        if text.len() > Self::MAX_LEN {
            return Err(E::TooLong { max: Self::MAX_LEN });
        }
        let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(E::Scheme),
        };
        if let Some(at) = text.find(|c: char| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`'))
        {
            return Err(E::Character { at });
        }
        if rest.contains(['?', '#']) {
            return Err(E::QueryOrFragment);
        }
        let authority = rest.split('/').next().unwrap_or_default();
        let host_and_port = authority.rsplit('@').next().unwrap_or_default();
        check_host_and_port(host_and_port)?;
        Ok(Self { text: text.trim_end_matches('/').to_owned(), secure })
    }
}

/// Checks `host`, `host:port`, `[v6]` or `[v6]:port`.
fn check_host_and_port(text: &str) -> Result<(), ParsePublicUrlError> {
    let (host, port) = split_port(text);
    if host.is_empty() {
        return Err(ParsePublicUrlError::NoHost);
    }
    if !is_host(host) {
        return Err(ParsePublicUrlError::HostName);
    }
    match port {
        None => Ok(()),
        Some(port) => match port.parse::<u16>() {
            Ok(1..) => Ok(()),
            Ok(0) | Err(_) => Err(ParsePublicUrlError::Port),
        },
    }
}

/// Returns whether this is a name or an address of a host; what ends in a number is an address.
fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_name = !last.bytes().all(|byte| byte.is_ascii_digit());
    let is_written = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    is_written && (is_name || text.parse::<Ipv4Addr>().is_ok())
}

/// Splits `host:port`; the colons of an address in brackets do not count.
pub(crate) fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (text, None),
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.after_scheme().trim_start_matches("://");
        let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default();
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{path}", self.host())
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicUrl({self})")
    }
}

/// A text that is not a public base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePublicUrlError {
    /// It does not start with a scheme we serve.
    #[error("expected 'https://host[:port][/prefix]'")]
    Scheme,
    /// There is nothing between the scheme and the path.
    #[error("no host, expected 'https://host[:port][/prefix]'")]
    NoHost,
    /// It is not the name or the address of a host. One with `_` the carrier does not ask
    /// (<https://www.twilio.com/docs/api/errors/21609>).
    #[error("expected a host name of letters, digits, '.' and '-', or an address")]
    HostName,
    /// The port is not a number the network has.
    #[error("port is not a number from 1 to 65535")]
    Port,
    /// It has a `?` or a `#`, which a base to append paths to cannot have.
    #[error("base URL has a query or a fragment, expected none")]
    QueryOrFragment,
    /// It has white space, a character outside ASCII, or one that is not allowed in a URL.
    #[error("character at byte {at} is not allowed in a URL")]
    Character {
        /// Offset in bytes from the start of the text.
        at: usize,
    },
    /// It is longer than any carrier accepts.
    #[error("longer than {max} bytes")]
    TooLong {
        /// The longest text accepted, in bytes.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_built_on_the_base_as_it_was_configured() {
        let cases = [
            ("https://Box.Example.org", "https://Box.Example.org/w?a=1", "wss://Box.Example.org/ws", "Box.Example.org"),
            (
                "https://h.example:443/kol//",
                "https://h.example:443/kol/w?a=1",
                "wss://h.example:443/kol/ws",
                "h.example:443",
            ),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/w?a=1", "ws://127.0.0.1:8080/ws", "127.0.0.1:8080"),
            ("https://a_b:c_d@h/e_f", "https://a_b:c_d@h/e_f/w?a=1", "wss://a_b:c_d@h/e_f/ws", "h"),
            ("https://u:p@[::1]:8443", "https://u:p@[::1]:8443/w?a=1", "wss://u:p@[::1]:8443/ws", "[::1]:8443"),
        ];
        for (base, webhook, stream, host) in cases {
            let url: PublicUrl = base.parse().unwrap();
            assert_eq!(
                (url.webhook("/w?a=1"), url.stream("/ws"), url.host()),
                (webhook.to_owned(), stream.to_owned(), host)
            );
            assert_eq!(url.is_secure(), base.starts_with("https"));
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused_with_its_reason() {
        use ParsePublicUrlError as E;
        let cases = [
            ("box.example.org", E::Scheme),
            ("wss://box.example.org", E::Scheme),
            ("https://", E::NoHost),
            ("https:///path", E::NoHost),
            ("https://:443", E::NoHost),
            ("https://my_box.example", E::HostName),
            ("http://|", E::HostName),
            ("https://[::x]", E::HostName),
            ("https://10.0.0.300", E::HostName),
            ("https://.", E::HostName),
            ("https://u:p@my_box:8443/x", E::HostName),
            ("https://h:0", E::Port),
            ("https://h:99999", E::Port),
            ("https://h:x/y", E::Port),
            ("https://h/?a=b", E::QueryOrFragment),
            ("https://h/#rc=2", E::QueryOrFragment),
            ("https://h/a b", E::Character { at: 11 }),
            ("https://משרד.example", E::Character { at: 8 }),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<PublicUrl>(), Err(error), "{text}");
        }
        let long = format!("https://h/{}", "a".repeat(2_000));
        assert_eq!(long.parse::<PublicUrl>(), Err(E::TooLong { max: 1_024 }));
    }

    #[test]
    fn the_password_does_not_show() {
        let url: PublicUrl = "https://user:hunter2@h.example/kol".parse().unwrap();
        assert_eq!(url.to_string(), "https://h.example/kol");
        assert!(!format!("{url:?}").contains("hunter2"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,40}", prefix in "(https?://)?") {
            if let Ok(url) = format!("{prefix}{text}").parse::<PublicUrl>() {
                proptest::prop_assert!(!url.host().is_empty());
                proptest::prop_assert!(url.stream("/ws").starts_with("ws"));
            }
        }
    }
}

//! Where the carrier's REST interface is, and whether an address is there.

use reqwest::Url;
use telephony::AccountId;

use crate::request::Name;

/// The carrier's own domain.
const DOMAIN: &str = "twilio.com";
/// Longest name of a region or an edge, in bytes (a label of a host name, RFC 1035).
const MAX_LABEL_LEN: usize = 63;
/// The region that an edge alone belongs to (<https://www.twilio.com/docs/global-infrastructure/understanding-edge-locations>).
const DEFAULT_REGION: &str = "us1";

/// Returns the REST interface's URL for a region (`ie1`) and an edge (`dublin`), either of which may be left out, or
/// `None` where one of them is no part of a host name.
pub fn api_url(region: Option<&str>, edge: Option<&str>) -> Option<String> {
    if ![region, edge].into_iter().flatten().all(is_label) {
        return None;
    }
    Some(match (edge, region) {
        (None, None) => format!("https://api.{DOMAIN}"),
        (None, Some(region)) => format!("https://api.{region}.{DOMAIN}"),
        (Some(edge), region) => format!("https://api.{edge}.{}.{DOMAIN}", region.unwrap_or(DEFAULT_REGION)),
    })
}

fn is_label(text: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_LABEL_LEN).contains(&text.len()) && text.bytes().all(is_inside) && !text.starts_with('-')
}

/// Returns the recording that an address of a callback names, without or with extension, or `None` if it is not this
/// account's at the carrier. The address itself is never fetched: a box that fetched any address it was told would
/// fetch what the office network keeps to itself.
pub fn recording(base: &Url, account: &AccountId, address: &str) -> Option<Name> {
    let address = Url::parse(address).ok()?;
    if !is_carrier(base, &address) {
        return None;
    }
    let mut path = address.path_segments()?;
    let is_ours = path.next()? == "2010-04-01"
        && path.next()? == "Accounts"
        && path.next()? == account.as_str()
        && path.next()? == "Recordings";
    let file = path.next().filter(|_| is_ours)?;
    let (name, extension) = file.split_once('.').unwrap_or((file, ""));
    let is_known = ["", "wav", "mp3", "json"].contains(&extension) && path.next().is_none();
    Name::new(name).filter(|_| is_known)
}

/// Returns whether an address is at the configured host. All hosts of the carrier's own are one: a callback may name
/// another edge than the one that is asked.
fn is_carrier(base: &Url, address: &Url) -> bool {
    let is_own = |url: &Url| {
        let host = url.host_str().unwrap_or_default();
        url.scheme() == "https" && host.starts_with("api.") && host.ends_with(&format!(".{DOMAIN}"))
    };
    base.origin() == address.origin() || is_own(base) && is_own(address)
}

/// Where a redirect leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// There.
    pub url: Url,
    /// Whether the credential may be sent: only to the configured host.
    pub is_carrier: bool,
}

/// Returns where a redirect from `current` leads, or `None` where it must not be followed: to anything but HTTPS, or
/// into this machine. A carrier that is itself on this machine, in a test, may lead to plain HTTP here.
pub fn follow(base: &Url, current: &Url, location: &str) -> Option<Hop> {
    let mut url = current.join(location).ok()?;
    let is_allowed = match (is_loopback(base), is_loopback(&url)) {
        (true, true) => ["http", "https"].contains(&url.scheme()),
        (_, false) => url.scheme() == "https",
        (false, true) => false,
    };
    // What stands before an `@` would be sent as a credential.
    let is_bare = url.set_username("").is_ok() && url.set_password(None).is_ok();
    url.set_fragment(None);
    let is_carrier = url.origin() == base.origin();
    (is_allowed && is_bare).then_some(Hop { url, is_carrier })
}

/// Returns whether a URL leads into this machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_address = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_address || host == "localhost" || host.ends_with(".localhost")
}

/// Returns whether a REST interface may be at this URL: HTTPS, or HTTP on this machine.
pub fn is_usable(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| is_allowed(&url))
}

/// Returns whether a REST interface may be at this URL.
pub(crate) fn is_allowed(base: &Url) -> bool {
    let is_bare = base.username().is_empty() && base.password().is_none() && base.query().is_none();
    is_bare && (base.scheme() == "https" || base.scheme() == "http" && is_loopback(base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_and_edge_make_the_host() {
        let url = |region, edge| api_url(region, edge);
        assert_eq!(url(None, None).as_deref(), Some("https://api.twilio.com"));
        assert_eq!(url(Some("ie1"), Some("dublin")).as_deref(), Some("https://api.dublin.ie1.twilio.com"));
        assert_eq!(url(Some("ie1"), None).as_deref(), Some("https://api.ie1.twilio.com"));
        assert_eq!(url(None, Some("frankfurt")).as_deref(), Some("https://api.frankfurt.us1.twilio.com"));
        for wrong in ["", "ie1.evil.example/", "IE1", "-a", "a b"] {
            assert_eq!(url(Some(wrong), None), None, "{wrong}");
            assert_eq!(url(None, Some(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn only_recordings_of_this_account_at_the_carrier_are_fetched() {
        let account: AccountId = "AC1".parse().unwrap();
        let name = |base: &str, address: &str| {
            recording(&Url::parse(base).unwrap(), &account, address).map(|name| name.as_str().to_owned())
        };
        let own = "https://api.dublin.ie1.twilio.com";
        for (address, expected) in [
            ("https://api.dublin.ie1.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1", Some("RE1")),
            ("https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1.wav", Some("RE1")),
            ("https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1.mp3?x=1", Some("RE1")),
            ("http://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1", None),
            ("https://api.twilio.com.evil.example/2010-04-01/Accounts/AC1/Recordings/RE1", None),
            ("https://eviltwilio.com/2010-04-01/Accounts/AC1/Recordings/RE1", None),
            ("https://api.twilio.com/2010-04-01/Accounts/AC2/Recordings/RE1", None),
            ("https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1/x", None),
            ("https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1.exe", None),
            ("https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/../Recordings/RE1", Some("RE1")),
            ("https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/..%2fRE1", None),
            ("http://192.168.1.1/2010-04-01/Accounts/AC1/Recordings/RE1", None),
            ("", None),
        ] {
            assert_eq!(name(own, address).as_deref(), expected, "{address}");
        }
        let here = "http://127.0.0.1:9";
        assert_eq!(name(here, "http://127.0.0.1:9/2010-04-01/Accounts/AC1/Recordings/RE1").as_deref(), Some("RE1"));
        assert_eq!(name(here, "http://127.0.0.1:8/2010-04-01/Accounts/AC1/Recordings/RE1"), None);
    }

    #[test]
    fn redirects_lead_to_https_elsewhere_without_the_credential() {
        let hop = |base: &str, location: &str| {
            let base = Url::parse(base).unwrap();
            follow(&base, &base.join("/a/b").unwrap(), location).map(|hop| (hop.url.to_string(), hop.is_carrier))
        };
        let real = "https://api.twilio.com";
        let away = |url: &str| Some((url.to_owned(), false));
        assert_eq!(hop(real, "https://storage.example/x?s=1"), away("https://storage.example/x?s=1"));
        assert_eq!(hop(real, "https://me:key@storage.example/x#y"), away("https://storage.example/x"));
        assert_eq!(hop(real, "/c"), Some(("https://api.twilio.com/c".to_owned(), true)));
        assert_eq!(hop(real, "https://api.twilio.com:444/c"), away("https://api.twilio.com:444/c"));
        for wrong in ["http://storage.example/x", "https://127.0.0.1/x", "http://localhost/x", "file:///etc/passwd", ""]
        {
            let found = hop(real, wrong);
            assert!(found.is_none() || wrong.is_empty(), "{wrong} {found:?}");
        }
        assert_eq!(hop("http://127.0.0.1:1", "http://127.0.0.1:2/x"), away("http://127.0.0.1:2/x"));
        assert_eq!(hop("http://127.0.0.1:1", "http://storage.example/x"), None);
    }

    #[test]
    fn the_interface_is_reached_by_https_or_on_this_machine() {
        let allowed = is_usable;
        assert!(allowed("https://api.twilio.com") && allowed("http://127.0.0.1:9") && allowed("http://[::1]:9"));
        assert!(!allowed("http://api.twilio.com") && !allowed("https://a:b@api.twilio.com") && !allowed("ftp://x"));
    }
}

//! The office's CRM, which is told of each change of a lead.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Deserializer};

use super::cloud::{Credential, find};
use super::load::Environment;

/// Fewer bytes than this sign nothing worth the name.
const MIN_SECRET_LEN: usize = 16;

/// Where deliveries go. Shown without path and query, which may hold a secret of the receiver's.
#[derive(Clone, PartialEq, Eq)]
pub struct Receiver(Url);

impl Receiver {
    /// Returns the URL.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

/// The office's CRM. Off until a URL is named.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Crm {
    /// Where changes of leads are posted, for example `https://crm.example.org/hooks/kolbox`. `http://` is for receivers on
    /// the same machine or, by their address, on the office's own network. Default none: leads are kept and delivered to
    /// nobody.
    #[serde(deserialize_with = "receiver")]
    pub url: Option<Receiver>,
    /// A file with the secret that signs deliveries, 16 bytes or more. Default: the systemd credential
    /// `crm_webhook_secret`, else the variable `KOLBOX_CRM_SECRET`.
    pub secret_file: Option<PathBuf>,
    /// Time for the receiver to answer. Above zero. Default 10 s.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// The secret; not a field of the file.
    #[serde(skip)]
    pub secret: Credential,
}

impl Default for Crm {
    fn default() -> Self {
        Self { url: None, secret_file: None, timeout: Duration::from_secs(10), secret: Credential::default() }
    }
}

impl Crm {
    pub(super) fn apply(&mut self, environment: &Environment) {
        let default = environment.crm_secret.clone();
        self.secret = find(self.secret_file.as_deref(), environment, "crm_webhook_secret", None, default);
    }

    /// Returns the field that is wrong and what was expected.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.timeout.is_zero() {
            return Err(("crm.timeout", "expected more than 0s".to_owned()));
        }
        match &self.secret {
            Credential::Given(secret) if self.url.is_some() && secret.expose().len() < MIN_SECRET_LEN => {
                Err(("crm.secret_file", format!("expected a secret of {MIN_SECRET_LEN} bytes or more")))
            }
            Credential::Given(_) | Credential::Missing | Credential::Unreadable(_) => Ok(()),
        }
    }
}

fn receiver<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Receiver>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    // The URL may hold a secret of the receiver's, so it is not repeated.
    let wrong = |expected: &str| serde::de::Error::custom(format!("expected {expected}"));
    let url: Url = text.parse().map_err(|_not_a_url| wrong("a URL such as 'https://crm.example.org/hooks/kolbox'"))?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(wrong("a URL without user, password and fragment; deliveries are signed"));
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_near = match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => host == "localhost",
    };
    match url.scheme() {
        "https" => Ok(Some(Receiver(url))),
        "http" if is_near => Ok(Some(Receiver(url))),
        _ => Err(wrong("https://, or http:// with an address of this machine or of a private network")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    fn parsed(url: &str) -> Result<Config, crate::config::ConfigError> {
        let text = format!("[http]\npublic_url = 'https://office.example.org'\n[carrier]\n[crm]\nurl = '{url}'\n");
        Config::parse(Path::new("kolbox.toml"), &text)
    }

    #[test]
    fn only_receivers_that_nobody_listens_in_on_are_taken() {
        for good in ["https://crm.example.org/a?b=c", "http://127.0.0.1:9/x", "http://[::1]/", "http://192.168.1.7/x"] {
            assert!(parsed(good).is_ok(), "{good}");
        }
        for bad in [
            "http://crm.example.org/",
            "ftp://crm.example.org/",
            "https://me:hunter2@crm.example.org/",
            "crm",
            "https://a/#b",
        ] {
            let error = parsed(bad).unwrap_err().to_string();
            assert!(error.contains("crm.url") && error.contains("expected") && !error.contains("hunter2"), "{error}");
        }
    }
}

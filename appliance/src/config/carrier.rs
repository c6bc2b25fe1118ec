//! The carrier: which account, which key, where.

use ::carrier::place;

use super::cloud::{Credential, find};
use super::load::{Environment, read_auth_tokens};
use super::{Carrier, Secret};

/// Longest name of an API key, in bytes; the carrier's have 34.
const MAX_KEY_NAME_LEN: usize = 64;

impl Carrier {
    /// Fills in keys from files and the environment, and checks the rest. An error is a field and what was expected.
    pub(super) fn apply(&mut self, environment: &Environment) -> Result<(), (&'static str, String)> {
        self.auth_tokens = read_auth_tokens(&self.auth_token_files, environment)
            .map_err(|expected| ("carrier.auth_token_files", expected))?;
        if self.account_sid.as_deref().is_some_and(|sid| !is_sid("AC", sid)) {
            return Err(("carrier.account_sid", "expected 'AC' and 32 hexadecimal digits".to_owned()));
        }
        self.api_key_secret = self.find_api_key(environment)?;
        self.check_place()
    }

    /// Returns where the REST interface is.
    pub fn rest_url(&self) -> String {
        let by_region = || place::api_url(self.region.as_deref(), self.edge.as_deref()).unwrap_or_default();
        if self.api_url.is_empty() { by_region() } else { self.api_url.clone() }
    }

    fn find_api_key(&self, environment: &Environment) -> Result<Option<Secret>, (&'static str, String)> {
        let Some(sid) = &self.api_key_sid else {
            return if self.api_key_secret_file.is_none() {
                Ok(None)
            } else {
                Err(("carrier.api_key_sid", "expected the name of the key whose secret is given".to_owned()))
            };
        };
        let is_name = (3..=MAX_KEY_NAME_LEN).contains(&sid.len()) && sid.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_name || !sid.starts_with("SK") {
            return Err(("carrier.api_key_sid", "expected 'SK' and letters and digits".to_owned()));
        }
        let default = environment.twilio_api_key_secret.clone();
        let file = self.api_key_secret_file.as_deref();
        match find(file, environment, "twilio_api_key_secret", None, default) {
            Credential::Given(secret) => Ok(Some(secret)),
            Credential::Unreadable(why) => Err(("carrier.api_key_secret_file", why)),
            Credential::Missing => {
                let expected = "no secret for carrier.api_key_sid; name a file that holds it, or set \
                                KOLBOX_TWILIO_API_KEY_SECRET";
                Err(("carrier.api_key_secret_file", expected.to_owned()))
            }
        }
    }

    fn check_place(&self) -> Result<(), (&'static str, String)> {
        if place::api_url(self.region.as_deref(), self.edge.as_deref()).is_none() {
            let expected = "expected small letters, digits and '-', such as 'ie1' and 'dublin'";
            return Err((if self.region.is_some() { "carrier.region" } else { "carrier.edge" }, expected.to_owned()));
        }
        if !self.api_url.is_empty() && (self.region.is_some() || self.edge.is_some()) {
            return Err(("carrier.api_url", "expected either this or carrier.region and carrier.edge".to_owned()));
        }
        if !place::is_usable(&self.rest_url()) {
            return Err(("carrier.api_url", "expected an https URL, or an http URL on this machine".to_owned()));
        }
        Ok(())
    }
}

/// Returns whether this is one of the carrier's names of that kind: two letters and 32 hexadecimal digits.
pub(super) fn is_sid(kind: &str, sid: &str) -> bool {
    sid.strip_prefix(kind).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

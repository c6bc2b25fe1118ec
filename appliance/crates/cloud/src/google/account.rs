//! The service account and its tokens.
//!
//! <https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth>

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::{RequestBuilder, Response};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::error::CloudError;
use crate::http;

/// Life of a token; Google takes none that lives longer.
const LIFE: Duration = Duration::from_hours(1);
/// A token is made anew so long before it ends.
const RENEW_BEFORE_END: Duration = Duration::from_mins(5);
/// Clocks that differ by more explain why a token is refused.
const MAX_SKEW: Duration = Duration::from_mins(5);

/// Tells the time of day.
pub type WallClock = Box<dyn Fn() -> SystemTime + Send + Sync>;

/// A Google service account. `Debug` shows nothing of it.
pub struct ServiceAccount {
    email: String,
    key_id: String,
    project: String,
    key: RsaKeyPair,
    clock: WallClock,
    /// By audience.
    tokens: Mutex<BTreeMap<String, Token>>,
}

struct Token {
    text: String,
    made_at: SystemTime,
}

/// Why a text is not a service account that can be used. The text is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// It is no JSON object.
    #[error("not JSON, expected the key file of a Google service account")]
    NotJson,
    /// It is some other credential.
    #[error("field 'type' is not 'service_account', expected the key file of a Google service account")]
    OtherType,
    /// A field is missing or empty.
    #[error("field '{field}' is missing, expected {expected}")]
    Missing {
        /// The field.
        field: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
    /// The private key cannot be read.
    #[error("field 'private_key' cannot be used, expected an RSA key of 2048 to 4096 bits as PKCS#8 PEM")]
    Key,
}

impl ServiceAccount {
    /// Reads a key file, as Google's console hands it out.
    pub fn from_json(text: &str) -> Result<Self, CredentialError> {
        let file: Value = serde_json::from_str(text).map_err(|_error| CredentialError::NotJson)?;
        if !file.is_object() {
            return Err(CredentialError::NotJson);
        }
        let field = |field: &'static str, expected: &'static str| {
            let found = file.get(field).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
            found.ok_or(CredentialError::Missing { field, expected })
        };
        if field("type", "'service_account'")? != "service_account" {
            return Err(CredentialError::OtherType);
        }
        let pem = field("private_key", "a private key as PEM text")?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_error| CredentialError::Key)?;
        Ok(Self {
            email: field("client_email", "the account's address")?.to_owned(),
            key_id: field("private_key_id", "the name of the private key")?.to_owned(),
            project: field("project_id", "the name of the account's project")?.to_owned(),
            key: RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_error| CredentialError::Key)?,
            clock: Box::new(SystemTime::now),
            tokens: Mutex::default(),
        })
    }

    /// Takes another clock than the system's.
    #[must_use]
    pub fn with_clock(self, clock: WallClock) -> Self {
        Self { clock, ..self }
    }

    pub(super) fn project(&self) -> &str {
        &self.project
    }

    /// Sends a request with a token for the service at `base_url`.
    pub(super) async fn send(&self, request: RequestBuilder, base_url: &str) -> Result<Response, CloudError> {
        let audience = format!("{base_url}/");
        let token = self.token(&audience)?;
        let response = request.bearer_auth(token).send().await.map_err(CloudError::of_request)?;
        let date = http::date(response.headers());
        let result = http::check(response).await;
        if let Err(CloudError::Unauthorized { .. }) = &result {
            // A token made by a wrong clock would be refused as long as it is kept.
            self.lock().remove(&audience);
            if let Some(ahead_s) = date.and_then(|date| self.ahead_s(date)) {
                return Err(CloudError::Clock { ahead_s });
            }
        }
        result
    }

    /// Returns how many seconds the device's clock is ahead of the provider's, if that is too many.
    fn ahead_s(&self, date: SystemTime) -> Option<i64> {
        let now = (self.clock)();
        let (skew, sign) = match now.duration_since(date) {
            Ok(ahead) => (ahead, 1),
            Err(behind) => (behind.duration(), -1),
        };
        (skew > MAX_SKEW).then(|| i64::try_from(skew.as_secs()).unwrap_or(i64::MAX).saturating_mul(sign))
    }

    /// Returns a token that is good for some minutes at least.
    fn token(&self, audience: &str) -> Result<String, CloudError> {
        let now = (self.clock)();
        let mut tokens = self.lock();
        // One that was made in what is now the future was made by a clock that was wrong.
        let is_fresh = |token: &&Token| {
            now.duration_since(token.made_at).is_ok_and(|age| age.saturating_add(RENEW_BEFORE_END) < LIFE)
        };
        if let Some(token) = tokens.get(audience).filter(is_fresh) {
            return Ok(token.text.clone());
        }
        let text = self.sign(audience, now)?;
        tokens.insert(audience.to_owned(), Token { text: text.clone(), made_at: now });
        Ok(text)
    }

    fn sign(&self, audience: &str, now: SystemTime) -> Result<String, CloudError> {
        let issued = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let expires = issued.saturating_add(LIFE);
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({
            "iss": self.email,
            "sub": self.email,
            "aud": audience,
            "iat": issued.as_secs(),
            "exp": expires.as_secs(),
        });
        let encoded = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encoded(&header), encoded(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_error| CloudError::Unusable { reason: "the token cannot be signed" })?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Token>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceAccount")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_token_is_kept_until_five_minutes_before_its_end() {
        let cloud = fakes::Cloud::start(fakes::CloudConfig::default()).await.unwrap();
        let minutes = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&minutes);
        let start = SystemTime::now();
        let account = ServiceAccount::from_json(&cloud.credentials().google_service_account).unwrap();
        let account = account.with_clock(Box::new(move || {
            let minutes = clock.load(Ordering::Relaxed);
            let shift = Duration::from_mins(minutes.unsigned_abs());
            if minutes < 0 { start - shift } else { start + shift }
        }));
        let token_at = |now: i64, audience: &str| {
            minutes.store(now, Ordering::Relaxed);
            account.token(audience).unwrap()
        };
        let first = token_at(0, "https://a/");
        assert_eq!(token_at(54, "https://a/"), first);
        let second = token_at(55, "https://a/");
        assert_ne!(second, first);
        assert_eq!(token_at(60, "https://a/"), second);
        assert_ne!(token_at(60, "https://b/"), second, "for another service");
        assert_ne!(token_at(-1, "https://a/"), second, "the clock was wrong and was put right");
    }
}

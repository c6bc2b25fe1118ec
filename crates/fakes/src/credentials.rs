//! What the providers accept.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::json;

/// The key of the made-up service account. It opens nothing; everybody may know it.
const WORTHLESS_KEY: &str = include_str!("../data/worthless-test-key.pem");
/// Name of that key.
const KEY_ID: &str = "worthless-test-key";
/// Whose key that is.
pub(crate) const CLIENT_EMAIL: &str = "box@fake-project.iam.gserviceaccount.example";
/// The project it belongs to.
const PROJECT: &str = "fake-project";

/// What a box is given to be let in.
#[derive(Clone)]
pub struct Credentials {
    /// `OpenAI`'s key.
    pub openai_key: String,
    /// Google's service account, as the JSON file that the console hands out.
    pub google_service_account: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

/// What the providers check with.
pub(crate) struct Keys {
    openai_key: String,
    access_token: String,
    google_public_key: Vec<u8>,
}

impl Keys {
    pub(crate) fn new() -> io::Result<Self> {
        /// Counts instances, so that the key of one does not open another.
        static MADE: AtomicU64 = AtomicU64::new(0);
        let unusable = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        let base64: String = WORTHLESS_KEY.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = BASE64_STANDARD.decode(base64).map_err(|error| unusable(error.to_string()))?;
        let pair = RsaKeyPair::from_pkcs8(&der).map_err(|error| unusable(error.to_string()))?;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        Ok(Self {
            openai_key: format!("sk-fake-{process}-{number}-opens-nothing"),
            access_token: format!("ya29.fake-{process}-{number}"),
            google_public_key: pair.public_key().as_ref().to_vec(),
        })
    }

    pub(crate) fn openai_key(&self) -> &str {
        &self.openai_key
    }

    pub(crate) fn access_token(&self) -> &str {
        &self.access_token
    }

    /// Returns whether the service account signed this.
    pub(crate) fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.google_public_key).verify(message, signature).is_ok()
    }

    pub(crate) fn credentials(&self, token_url: &str) -> Credentials {
        let account = json!({
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": KEY_ID,
            "private_key": WORTHLESS_KEY,
            "client_email": CLIENT_EMAIL,
            "client_id": "100000000000000000000",
            "token_uri": token_url,
            "universe_domain": "googleapis.com",
        });
        Credentials { openai_key: self.openai_key.clone(), google_service_account: account.to_string() }
    }
}

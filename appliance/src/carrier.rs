//! The carrier's REST interface: its client, made of the configuration, and whether its key is taken.

use std::sync::Arc;

use ::carrier::{CarrierError, Client, Credential, KeyState, Settings};

pub use ::carrier::http_client;

use crate::app::Parts;
use crate::config::Carrier;
use crate::health::{Part, PartState};

/// Makes a client, or `None` when no account is configured.
pub fn connect(config: &Carrier) -> Result<Option<Client>, CarrierError> {
    let (Some(account), Some(auth_token)) = (&config.account_sid, config.auth_tokens.first()) else {
        return Ok(None);
    };
    let account = account.parse().map_err(|_not_an_account| CarrierError::Address)?;
    let credential = match (&config.api_key_sid, &config.api_key_secret) {
        (Some(sid), Some(secret)) => Credential::of_api_key(sid, secret.expose()),
        (None, _) | (_, None) => Credential::of_account(&account, auth_token.expose()),
    };
    Client::new(Settings { api_url: config.rest_url(), account, credential }).map(Some)
}

/// Tells [`crate::health`] whether the carrier takes the key, until the program stops.
///
/// # Cancellation safety
///
/// May be dropped half way.
pub async fn watch(parts: Arc<Parts>) {
    let Some(client) = &parts.carrier else { return };
    let mut key = client.key_state();
    loop {
        let state = *key.borrow_and_update();
        match state {
            KeyState::Untried => {}
            KeyState::Good => parts.health.set(Part::CarrierRest, PartState::Ok),
            KeyState::Refused => parts.health.set(Part::CarrierRest, refused(&parts.config.carrier)),
        }
        tokio::select! {
            () = parts.shutdown.cancelled() => return,
            changed = key.changed() => if changed.is_err() { return },
        }
    }
}

fn refused(config: &Carrier) -> PartState {
    let key = if config.api_key_sid.is_some() { "carrier.api_key_sid and its secret" } else { "the auth token" };
    PartState::degraded(format!("the carrier refuses the key; check carrier.account_sid and {key}"))
}

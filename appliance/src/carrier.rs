//! The carrier's REST interface, as far as answering a call needs it: sending a call elsewhere, fetching a recording.
//!
//! Only the configured carrier is ever asked: a recording's address comes from outside, and a box that fetched any
//! address it was told would fetch what the office network keeps to itself.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Client, ClientBuilder, StatusCode, redirect};
use telephony::markup::{Response as Document, WriteError};
use units::CallId;

use crate::config::{Carrier, Secret};

/// Longest wait for a connection to the carrier.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time a whole recording may take: an hour of audio over a slow line.
const FETCH_TIMEOUT: Duration = Duration::from_mins(10);
/// Longest wait for the carrier to answer a REST request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest recording fetched, in bytes: an hour of 16-bit audio at 8 kHz and some header.
const MAX_RECORDING_BYTES: usize = 60 * 60 * 16_000 + 4_096;
/// Code of the carrier for a call that is no longer there.
const GONE: [StatusCode; 1] = [StatusCode::NOT_FOUND];

/// Begins to make an HTTP client of this program: TLS by ring, no redirects, so that nothing is sent to another host
/// than the one named.
pub fn http_client() -> ClientBuilder {
    // An error means that a provider was chosen before, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().redirect(redirect::Policy::none())
}

/// A client of the carrier's REST interface.
#[derive(Clone, Debug)]
pub struct CarrierRest {
    client: Client,
    api_url: String,
    account_sid: String,
    auth_token: Secret,
}

/// Why the carrier did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum CarrierError {
    /// The client could not be made.
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// No answer, or a broken one.
    #[error("the carrier did not answer")]
    Unreachable(#[source] reqwest::Error),
    /// The carrier refused.
    #[error("the carrier answered {status}")]
    Refused {
        /// The status.
        status: StatusCode,
    },
    /// The document cannot be written.
    #[error("cannot write the call markup")]
    Document(#[source] WriteError),
    /// A recording's address is not the carrier's.
    #[error("the recording's address is not at the carrier's REST interface")]
    ForeignAddress,
    /// A recording is larger than any the box asked for.
    #[error("the recording is larger than {MAX_RECORDING_BYTES} bytes")]
    TooLarge,
}

impl CarrierError {
    /// Returns whether the carrier does not know what was asked for.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status } if *status == StatusCode::NOT_FOUND)
    }

    /// Returns whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status } => {
                // A recording is answered 404 until the carrier has finished it.
                status.is_server_error() || [StatusCode::TOO_MANY_REQUESTS, StatusCode::NOT_FOUND].contains(status)
            }
            Self::Client(_) | Self::Document(_) | Self::ForeignAddress | Self::TooLarge => false,
        }
    }
}

impl CarrierRest {
    /// Makes a client, or `None` when no account is configured.
    pub fn new(config: &Carrier) -> Result<Option<Self>, CarrierError> {
        let (Some(account_sid), Some(auth_token)) = (&config.account_sid, config.auth_tokens.first()) else {
            return Ok(None);
        };
        let client = http_client()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(CarrierError::Client)?;
        Ok(Some(Self {
            client,
            api_url: config.api_url.trim_end_matches('/').to_owned(),
            account_sid: account_sid.clone(),
            auth_token: auth_token.clone(),
        }))
    }

    /// Sends a call to `document`, whatever it does now. A call that is gone already counts as done.
    pub async fn redirect(&self, call: &CallId, document: &Document) -> Result<(), CarrierError> {
        let markup = document.write().map_err(CarrierError::Document)?;
        self.update(call, &[("Twiml", markup.as_str())]).await
    }

    /// Ends a call, so that the line is free. A call that is gone already counts as done.
    pub async fn complete(&self, call: &CallId) -> Result<(), CarrierError> {
        self.update(call, &[("Status", "completed")]).await
    }

    /// Fetches a recording as WAV. `address` is what the carrier's callback said, without extension.
    pub async fn recording(&self, address: &str) -> Result<Vec<u8>, CarrierError> {
        let path = address.strip_prefix(&self.api_url).ok_or(CarrierError::ForeignAddress)?;
        let account = format!("/2010-04-01/Accounts/{}/Recordings/", self.account_sid);
        let name = path.strip_prefix(&account).ok_or(CarrierError::ForeignAddress)?;
        let name = name.trim_end_matches(".wav").trim_end_matches(".mp3");
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(CarrierError::ForeignAddress);
        }
        let request = self.client.get(format!("{}{account}{name}.wav", self.api_url)).timeout(FETCH_TIMEOUT);
        let response = self.send(request).await?;
        let mut bytes = Vec::new();
        let mut body = response.bytes_stream();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| CarrierError::Unreachable(error.without_url()))?;
            if bytes.len().saturating_add(piece.len()) > MAX_RECORDING_BYTES {
                return Err(CarrierError::TooLarge);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// Deletes a recording by the carrier's name for it. One that is gone already counts as done.
    pub async fn delete_recording(&self, id: &str) -> Result<(), CarrierError> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(CarrierError::ForeignAddress);
        }
        let url = format!("{}/2010-04-01/Accounts/{}/Recordings/{id}.json", self.api_url, self.account_sid);
        match self.send(self.client.delete(url).timeout(REQUEST_TIMEOUT)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_missing() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn update(&self, call: &CallId, form: &[(&str, &str)]) -> Result<(), CarrierError> {
        let url = format!("{}/2010-04-01/Accounts/{}/Calls/{call}.json", self.api_url, self.account_sid);
        match self.send(self.client.post(url).timeout(REQUEST_TIMEOUT).form(form)).await {
            Ok(_) => Ok(()),
            Err(CarrierError::Refused { status }) if GONE.contains(&status) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, CarrierError> {
        let request = request.basic_auth(&self.account_sid, Some(self.auth_token.expose()));
        let response = request.send().await.map_err(|error| CarrierError::Unreachable(error.without_url()))?;
        let status = response.status();
        if status.is_success() { Ok(response) } else { Err(CarrierError::Refused { status }) }
    }
}

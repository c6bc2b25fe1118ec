//! The client: makes requests, tries again, tells what came of it.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use telephony::markup::{HttpMethod, Response as Document};
use telephony::{AccountId, Params};
use tokio::sync::watch;
use tokio::time::sleep;
use units::CallId;

use crate::answer::{self, Outcome, Reply};
use crate::calls::{CreateCall, Instructions, UpdateCall};
use crate::error::CarrierError;
use crate::place;
use crate::request::{Name, Request};
use crate::retry;
use crate::send::{Bounds, CONNECT_TIMEOUT, Line, POOL_IDLE, Sent, Whole, http_client};

/// A request whose answer is a few lines of JSON.
const SMALL: Bounds = Bounds { bytes: 256 * 1_024, timeout: Duration::from_secs(10) };
/// A recording: an hour of 16-bit audio at 8 kHz and some header, over a slow line.
const RECORDING: Bounds = Bounds { bytes: 60 * 60 * 16_000 + 4_096, timeout: Duration::from_mins(10) };
/// Longest time a file of a message may take.
const MEDIA_TIMEOUT: Duration = Duration::from_mins(2);

/// As whom the client signs in. `Debug` shows no secret.
#[derive(Clone)]
pub struct Credential {
    pub(crate) user: String,
    secret: String,
}

impl Credential {
    /// Returns the credential of the account itself.
    pub fn of_account(account: &AccountId, auth_token: &str) -> Self {
        Self { user: account.as_str().to_owned(), secret: auth_token.to_owned() }
    }

    /// Returns an API key (`SK…`) with its secret: it can be taken back without touching what signs webhooks.
    pub fn of_api_key(sid: &str, secret: &str) -> Self {
        Self { user: sid.to_owned(), secret: secret.to_owned() }
    }

    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a client is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the REST interface is ([`place::api_url`]); HTTPS, or HTTP on this machine.
    pub api_url: String,
    /// The account.
    pub account: AccountId,
    /// As whom to sign in.
    pub credential: Credential,
}

/// What is known of the credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyState {
    /// Nothing was asked yet.
    #[default]
    Untried,
    /// It was taken.
    Good,
    /// It was refused (401).
    Refused,
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was made.
    Made,
    /// There was nothing to change any more: the call is over, the recording deleted.
    Gone,
}

/// An answer to be judged by who wrote the form.
#[derive(Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body, JSON as a rule.
    pub body: Vec<u8>,
}

impl fmt::Debug for RawAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// A file of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Its media type, as its host names it.
    pub content_type: Option<String>,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaFile").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// A client of the carrier's REST interface. Clones share connections and what is known of the credential.
#[derive(Clone, Debug)]
pub struct Client {
    line: Line,
    account: AccountId,
    key: watch::Sender<KeyState>,
}

impl Client {
    /// Makes a client. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// When the address is none, or this device trusts no certificate.
    pub fn new(settings: Settings) -> Result<Self, CarrierError> {
        let base = Url::parse(&settings.api_url).ok().filter(place::is_allowed).ok_or(CarrierError::Address)?;
        let http = http_client()
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE)
            .tcp_nodelay(true)
            .build()
            .map_err(CarrierError::Client)?;
        let line = Line { http, base, credential: settings.credential };
        Ok(Self { line, account: settings.account, key: watch::Sender::new(KeyState::Untried) })
    }

    /// Returns the account.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns what tells when more is known of the credential.
    pub fn key_state(&self) -> watch::Receiver<KeyState> {
        self.key.subscribe()
    }

    /// Ends a call, so that the line is free.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; the call may or may not end.
    pub async fn complete(&self, call: &CallId) -> Result<Change, CarrierError> {
        self.update(call, &UpdateCall::Complete).await
    }

    /// Ends a call that nobody has answered yet. One that was answered goes on.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; the call may or may not end.
    pub async fn cancel(&self, call: &CallId) -> Result<Change, CarrierError> {
        self.update(call, &UpdateCall::Cancel).await
    }

    /// Sends a call to `document`, whatever it does now.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; the call may or may not be redirected.
    pub async fn redirect(&self, call: &CallId, document: &Document) -> Result<Change, CarrierError> {
        self.update(call, &UpdateCall::Redirect(Instructions::Document(document.clone()))).await
    }

    /// Sends a call to the document at a URL of ours.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; the call may or may not be redirected.
    pub async fn redirect_to(&self, call: &CallId, url: &str, method: HttpMethod) -> Result<Change, CarrierError> {
        self.update(call, &UpdateCall::Redirect(Instructions::Url { url: url.to_owned(), method })).await
    }

    /// Places a call and returns its name.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Uncertain`] when it may have been placed: it must not be placed again blindly.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, nobody knows whether the call is placed.
    pub async fn create_call(&self, call: &CreateCall) -> Result<CallId, CarrierError> {
        let request = Request::create_call(&self.account, call)?;
        let (answer, _) = self.perform(&request, SMALL).await?;
        // A call whose name cannot be read was placed all the same.
        answer::sid(&answer.body).and_then(|sid| sid.parse().ok()).ok_or(CarrierError::Uncertain)
    }

    /// Sends the form of a message and returns the carrier's answer, refusals included.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Uncertain`] when it may have been sent: it must not be sent again blindly.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, nobody knows whether the message is sent.
    pub async fn send_message(&self, form: &Params) -> Result<RawAnswer, CarrierError> {
        let request = Request::send_message(&self.account, form.clone());
        match self.exchange(&request, SMALL).await? {
            (_, Outcome::Uncertain) => Err(CarrierError::Uncertain),
            (answer, _) => Ok(RawAnswer { status: answer.status, body: answer.body }),
        }
    }

    /// Fetches a recording as WAV. `address` is what a callback said, with or without extension; it is asked for at the
    /// configured host, whatever its own.
    ///
    /// # Errors
    ///
    /// [`CarrierError::NotThere`] until the carrier has finished it, and after it was deleted.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way.
    pub async fn recording(&self, address: &str) -> Result<Vec<u8>, CarrierError> {
        let request = Request::recording(&self.account, &self.name_of(address)?);
        self.fetch(&request, RECORDING).await.map(|answer| answer.body)
    }

    /// Deletes a recording, given by its name (`RE…`) or by an address of a callback. One that is not there counts as
    /// [`Change::Gone`].
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; it may or may not be deleted.
    pub async fn delete_recording(&self, recording: &str) -> Result<Change, CarrierError> {
        let name = Name::new(recording).map_or_else(|| self.name_of(recording), Ok)?;
        self.change(&Request::delete_recording(&self.account, &name)).await
    }

    /// Fetches a file of a message, of at most `limit` bytes, wherever the carrier keeps it.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way.
    pub async fn media(
        &self,
        account: &AccountId,
        message: &str,
        media: &str,
        limit: usize,
    ) -> Result<MediaFile, CarrierError> {
        let (message, media) = self.file(account, message, media)?;
        let request = Request::media(account, &message, &media);
        let answer = self.fetch(&request, Bounds { bytes: limit, timeout: MEDIA_TIMEOUT }).await?;
        Ok(MediaFile { content_type: answer.content_type, bytes: answer.body })
    }

    /// Deletes a file of a message. One that is not there counts as [`Change::Gone`].
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; it may or may not be deleted.
    pub async fn delete_media(&self, account: &AccountId, message: &str, media: &str) -> Result<Change, CarrierError> {
        let (message, media) = self.file(account, message, media)?;
        self.change(&Request::delete_media(account, &message, &media)).await
    }

    fn name_of(&self, address: &str) -> Result<Name, CarrierError> {
        place::recording(&self.line.base, &self.account, address).ok_or(CarrierError::ForeignAddress)
    }

    /// Reads the names of a file; another account's are none of ours.
    fn file(&self, account: &AccountId, message: &str, media: &str) -> Result<(Name, Name), CarrierError> {
        let names = Name::new(message).zip(Name::new(media)).filter(|_| *account == self.account);
        names.ok_or(CarrierError::ForeignAddress)
    }

    async fn update(&self, call: &CallId, update: &UpdateCall) -> Result<Change, CarrierError> {
        self.change(&Request::update_call(&self.account, call, update)?).await
    }

    async fn change(&self, request: &Request) -> Result<Change, CarrierError> {
        let (_, outcome) = self.perform(request, SMALL).await?;
        Ok(if outcome == Outcome::Gone { Change::Gone } else { Change::Made })
    }

    async fn fetch(&self, request: &Request, bounds: Bounds) -> Result<Whole, CarrierError> {
        match self.perform(request, bounds).await? {
            (_, Outcome::Gone) => Err(CarrierError::NotThere),
            (answer, _) => Ok(answer),
        }
    }

    /// Makes a request until it is done or gone; any other end is an error.
    async fn perform(&self, request: &Request, bounds: Bounds) -> Result<(Whole, Outcome), CarrierError> {
        let (answer, outcome) = self.exchange(request, bounds).await?;
        match outcome {
            Outcome::Done | Outcome::Gone => Ok((answer, outcome)),
            Outcome::Refused { status, code } => Err(CarrierError::Refused { status, code }),
            Outcome::TryAgain { after } => Err(CarrierError::Failing { status: answer.status, after }),
            Outcome::Uncertain => Err(CarrierError::Uncertain),
        }
    }

    /// Makes a request, again where that is right, and returns the last answer and what it means.
    async fn exchange(&self, request: &Request, bounds: Bounds) -> Result<(Whole, Outcome), CarrierError> {
        let kind = request.kind();
        let mut failures = 0;
        loop {
            let sent = self.line.send(request, bounds).await;
            self.note_key(&sent);
            let outcome = match &sent {
                Sent::Answered(answer) => answer::judge(kind, answer.as_reply()),
                Sent::NotConnected(_) => answer::judge(kind, Reply::NotConnected),
                Sent::Lost(_) => answer::judge(kind, Reply::Lost),
                Sent::TooLarge if kind.is_repeatable() => return Err(CarrierError::TooLarge { limit: bounds.bytes }),
                Sent::TooLarge => return Err(CarrierError::Uncertain),
                Sent::LedAway => return Err(CarrierError::ForeignAddress),
            };
            failures += 1;
            if let Outcome::TryAgain { after } = outcome
                && let Some(wait) = retry::pause(failures, after, rand::random())
            {
                tracing::debug!(?kind, failures, wait_ms = wait.as_millis(), "carrier asked again");
                sleep(wait).await;
                continue;
            }
            return match sent {
                Sent::Answered(answer) => Ok((answer, outcome)),
                Sent::NotConnected(error) => Err(CarrierError::Unreachable(error)),
                Sent::Lost(_) if outcome == Outcome::Uncertain => Err(CarrierError::Uncertain),
                Sent::Lost(error) => Err(CarrierError::Unreachable(error)),
                Sent::TooLarge | Sent::LedAway => Err(CarrierError::Uncertain),
            };
        }
    }

    /// Notes whether the credential was taken. What another host says of it does not count.
    fn note_key(&self, sent: &Sent) {
        let Sent::Answered(answer) = sent else { return };
        if !answer.is_carrier {
            return;
        }
        let found = match answer.status {
            401 => KeyState::Refused,
            200..=299 => KeyState::Good,
            _ => return,
        };
        self.key.send_if_modified(|known| std::mem::replace(known, found) != found);
    }
}

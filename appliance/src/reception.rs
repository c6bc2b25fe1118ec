//! What each webhook of the carrier means for the box: answer a call, take a message, let go of a call.

use std::time::Duration;

use conversation::StreamWatchdog;
use rand::RngExt as _;
use store::{Batch, CallOutcome, CallRecord, Calls, CommitError, EncodeError};
use telephony::markup::Response;
use telephony::wire::StreamStatus;
use telephony::wire::{Address, CallStatusUpdate, DialResult, IncomingCall, StreamEnded, StreamEvent};
use telephony::{FieldError, VerifiedWebhook};
use units::{CallId, Language, Pii};

use crate::app::Parts;
use crate::documents;
use crate::switchboard::{Caller, Ending};

/// Longest wait for a call's record to reach the disk before the call is answered all the same: the telephone has
/// to be answered, and the record is written again when the call ends.
const RECORD_PATIENCE: Duration = Duration::from_millis(500);

/// Why a webhook was not acted on.
#[derive(Debug, thiserror::Error)]
pub enum ReceptionError {
    /// A parameter is missing or wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// It is signed with our key, for another account.
    #[error("the webhook is for another account than carrier.account_sid")]
    OtherAccount,
    /// What came in could not be kept, so it is not acknowledged.
    #[error("the message could not be kept")]
    NotKept(#[source] CommitError),
}

impl From<EncodeError> for ReceptionError {
    fn from(error: EncodeError) -> Self {
        Self::NotKept(CommitError::from(error))
    }
}

/// Answers an incoming call: greeting, media stream and voicemail; voicemail alone when the box cannot listen.
pub async fn incoming_call(parts: &Parts, webhook: &VerifiedWebhook) -> Result<Response, ReceptionError> {
    let incoming = IncomingCall::read(webhook)?;
    let config = &parts.config;
    if config.carrier.account_sid.as_deref().is_some_and(|account| account != incoming.account.as_str()) {
        return Err(ReceptionError::OtherAccount);
    }
    let documents = parts.documents();
    let language = parts.language;
    let call = &incoming.call_id;
    if parts.switchboard.is_on_line(call) || parts.switchboard.ending(call).is_some() {
        // The same call again, under another name for the request: it changes nothing that was decided.
        return Ok(documents.voicemail(language));
    }
    let caller = Caller {
        call: incoming.call_id.clone(),
        from: incoming.from,
        to: incoming.to,
        language,
        started_wall_ms: parts.clock.wall_ms(),
        started: parts.clock.now(),
    };
    keep_call(parts, &caller).await;
    if !parts.switchboard.has_room() || !parts.can_converse() {
        tracing::warn!(call_id = %caller.call, "call sent to voicemail at once");
        parts.switchboard.end(&caller.call, Ending::Voicemail, language);
        return Ok(documents.voicemail(language));
    }
    let now = parts.clock.now();
    // The carrier opens the stream when it has played the greeting.
    let greeting = parts.greetings.duration(language, config.greeting.mode);
    let watchdog = StreamWatchdog::armed(now, greeting, config.carrier.stream_start);
    match parts.switchboard.expect(now, caller, watchdog, rand::rng().random()) {
        Ok(token) => {
            parts.watchdog.notify_one();
            Ok(documents.answer(config.greeting.mode, &incoming.call_id, &token, language))
        }
        Err(error) => {
            tracing::warn!(call_id = %incoming.call_id, error = &error as &dyn std::error::Error, "no token left");
            Ok(documents.voicemail(language))
        }
    }
}

/// Says how a call goes on when its media stream is over, or never was.
pub fn stream_ended(parts: &Parts, webhook: &VerifiedWebhook) -> Result<Response, ReceptionError> {
    let ended = StreamEnded::read(webhook)?;
    if let Some(reason) = &ended.error {
        tracing::warn!(call_id = %ended.call_id, reason, "the carrier could not stream");
    }
    parts.switchboard.forget(&ended.call_id);
    let documents = parts.documents();
    Ok(match parts.switchboard.ending(&ended.call_id) {
        Some((Ending::HangUp, _)) => documents::hang_up(),
        Some((Ending::Transfer, language)) => match &parts.config.office.transfer_number {
            Some(number) => documents.transfer(number, language),
            None => documents.voicemail(language),
        },
        Some((Ending::Voicemail, language)) => documents.voicemail(language),
        None => documents.voicemail(parts.language),
    })
}

/// Says how a call goes on after a transfer: nobody answered means voicemail.
pub fn transfer_ended(parts: &Parts, webhook: &VerifiedWebhook) -> Result<Response, ReceptionError> {
    let dial = DialResult::read(webhook)?;
    if dial.was_answered() {
        return Ok(documents::hang_up());
    }
    let language = language_of(parts, &dial.call_id);
    Ok(parts.documents().voicemail(language))
}

/// Notes how a call stands for the carrier; a call that is over is no longer waited for.
pub async fn call_status(parts: &Parts, webhook: &VerifiedWebhook) -> Result<(), ReceptionError> {
    let update = CallStatusUpdate::read(webhook)?;
    tracing::debug!(call_id = %update.call_id, status = ?update.status, "call status");
    if update.status.is_final() {
        parts.switchboard.forget(&update.call_id);
        if !parts.switchboard.is_on_line(&update.call_id) {
            close_record(parts, &update.call_id).await?;
        }
    }
    Ok(())
}

/// Notes that a call is over that had no stream and left no message. A call on the line notes that itself.
async fn close_record(parts: &Parts, call: &CallId) -> Result<(), ReceptionError> {
    let id = call.clone();
    let known = parts.archive.blocking(move |archive| archive.store()?.get::<Calls>(&id).ok().flatten()).await;
    let Some(mut record) = known.flatten().filter(|record| record.outcome == CallOutcome::InProgress) else {
        return Ok(());
    };
    record.outcome = CallOutcome::CallerHungUp;
    record.duration_ms = Some(parts.clock.wall_ms().saturating_sub(record.started_wall_ms));
    let mut batch = Batch::new();
    batch.put_call(&record)?;
    parts.events.call_ended(&mut batch, &record);
    parts.archive.commit(batch).await.map_err(ReceptionError::NotKept)
}

/// Notes how a media stream stands for the carrier. A stream that failed is the only place its reason is seen.
pub fn stream_status(parts: &Parts, webhook: &VerifiedWebhook) -> Result<(), ReceptionError> {
    let status = StreamStatus::read(webhook)?;
    match &status.event {
        StreamEvent::Failed { reason } => {
            tracing::warn!(call_id = %status.call_id, reason, "media stream failed");
            parts.switchboard.forget(&status.call_id);
        }
        StreamEvent::Started | StreamEvent::Stopped | StreamEvent::Other => {
            tracing::debug!(call_id = %status.call_id, event = ?status.event, "stream status");
        }
    }
    Ok(())
}

/// Returns the record of a call that comes in.
pub fn call_record(caller: &Caller) -> CallRecord {
    let mut record = CallRecord::started(
        caller.call.clone(),
        address_text(&caller.from),
        address_text(&caller.to),
        caller.started_wall_ms,
    );
    record.started_monotonic_ms = u64::try_from(caller.started.as_millis()).unwrap_or(u64::MAX);
    record.language = caller.language;
    record
}

async fn keep_call(parts: &Parts, caller: &Caller) {
    let mut batch = Batch::new();
    let record = call_record(caller);
    parts.events.call_started(&mut batch, &record);
    let kept = match batch.put_call(&record) {
        Ok(()) => tokio::time::timeout(RECORD_PATIENCE, parts.archive.commit(batch)).await,
        Err(error) => Ok(Err(error.into())),
    };
    match kept {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(call_id = %caller.call, error = &error as &dyn std::error::Error, "call not yet recorded");
        }
        Err(_elapsed) => tracing::warn!(call_id = %caller.call, "the disk is slow, call not yet recorded"),
    }
}

/// Returns the language a call is in, as far as the box remembers it.
pub(crate) fn language_of(parts: &Parts, call: &CallId) -> Language {
    parts.switchboard.ending(call).map_or(parts.language, |(_, language)| language)
}

/// Returns an address as records show it; empty when withheld.
pub(crate) fn address_text(address: &Pii<Address>) -> Pii<String> {
    let text = match address.reveal() {
        Address::Phone(number) => number.clone(),
        Address::WhatsApp(number) => format!("whatsapp:{number}"),
        Address::Client(name) => format!("client:{name}"),
        Address::Sip(address) => format!("sip:{address}"),
        Address::Withheld => String::new(),
        Address::Other(text) => text.clone(),
    };
    Pii::new(text)
}

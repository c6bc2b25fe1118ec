//! What the carrier tells of a message it recorded: that the call goes on behind it, and that it can be fetched.
//!
//! Both name the recording; whichever comes first makes the record, and the other, like every repetition, finds it made.
//! So a message is kept also when the box was away as the caller hung up, and only once.

use std::time::Duration;

use routing::Event;
use store::{
    Batch, CallRecord, CommitError, VoicemailKey, VoicemailPath, VoicemailRecord, Voicemails, WebhookKeys, WebhookRow,
};
use telephony::markup::Response;
use telephony::wire::{RecordEnd, RecordingRef, RecordingResult, RecordingState, RecordingStatus};
use telephony::{AccountId, VerifiedWebhook};
use units::{CallId, Pii};

use super::{Fetch, put_news};
use crate::app::Parts;
use crate::documents;
use crate::reception::{ReceptionError, address_text, ending, language_of};

/// A recording the box is told of.
struct Told {
    call: CallId,
    account: AccountId,
    recording: RecordingRef,
    /// Who left it, where the carrier says so.
    from: Option<Pii<String>>,
    path: VoicemailPath,
    route: &'static str,
}

/// Keeps a message and thanks for it. Acknowledged only when the record is on the disk.
pub async fn handle_recording(parts: &Parts, webhook: &VerifiedWebhook) -> Result<Response, ReceptionError> {
    let result = RecordingResult::read(webhook)?;
    check_account(parts, &result.account)?;
    let language = language_of(parts, &result.call_id);
    let (call, ended_by) = (result.call_id, result.ended_by);
    if let Some(recording) = result.recording {
        let told = Told {
            call: call.clone(),
            account: result.account,
            recording,
            from: Some(address_text(&result.from)),
            path: VoicemailPath::CarrierAction,
            route: "handle_recording",
        };
        keep(parts, told).await?;
    }
    parts.switchboard.tell(parts.clock.now(), &call, Event::MessageTaken);
    Ok(match ended_by {
        // Nobody is left to be thanked.
        RecordEnd::HungUp => documents::hang_up(),
        RecordEnd::Key(_) | RecordEnd::Timeout => parts.documents().thanks(language),
    })
}

/// Takes what the carrier says of a recording: one that can be fetched makes the record if nothing else did, one that
/// does not exist is no longer asked for. Acknowledged only when that is on the disk.
pub async fn recording_status(parts: &Parts, webhook: &VerifiedWebhook) -> Result<(), ReceptionError> {
    let status = RecordingStatus::read(webhook)?;
    check_account(parts, &status.account)?;
    let RecordingStatus { call_id: call, account, recording, state, .. } = status;
    match state {
        RecordingState::Completed => {
            let (path, route) = (VoicemailPath::CarrierCallback, "recording_status");
            keep(parts, Told { call, account, recording, from: None, path, route }).await
        }
        RecordingState::Absent | RecordingState::Failed => {
            tracing::warn!(call_id = %call, ?state, error = status.error, "the carrier has no recording of a message");
            close(parts, &call, &recording).await
        }
        RecordingState::InProgress | RecordingState::Other => Ok(()),
    }
}

/// Returns an error for a webhook of another account than the box's.
fn check_account(parts: &Parts, account: &AccountId) -> Result<(), ReceptionError> {
    match parts.config.carrier.account_sid.as_deref() {
        Some(own) if own != account.as_str() => Err(ReceptionError::OtherAccount),
        Some(_) | None => Ok(()),
    }
}

/// Makes the record of a message, once for each recording.
async fn keep(parts: &Parts, told: Told) -> Result<(), ReceptionError> {
    let received_wall_ms = parts.clock.wall_ms();
    let key = VoicemailKey { received_wall_ms, call: told.call.clone() };
    let end = parts.end_lock.alone().await;
    let mut known = ending::known(parts, &told.call).await;
    let token = token_of(&told.recording);
    let row = WebhookRow { first_seen_wall_ms: received_wall_ms, route: told.route.to_owned() };
    let mut batch = Batch::new();
    batch.require_absent::<WebhookKeys>(&token)?;
    batch.put::<WebhookKeys>(&token, &row)?;
    let record = record_of(parts, key.clone(), &told, known.as_ref());
    if let Some(call) = &mut known {
        ending::put_message(parts, &mut batch, call)?;
    }
    let alone = parts.voicemail.alone().await;
    alone.put(&mut batch, &record)?;
    put_news(&mut batch, &parts.config, &record, received_wall_ms)?;
    let committed = alone.commit_holding(&parts.archive, batch, end).await;
    // Also when it was known: whoever told first may have been cut off behind the commit.
    parts.messages.wake();
    parts.leads.notify();
    match committed {
        Ok(()) => {
            parts.metrics.voicemails.inc();
            tracing::info!(call_id = %told.call, path = ?told.path, "message taken");
            parts.voicemail.request(Fetch { key });
        }
        Err(CommitError::Conflict) => {
            tracing::debug!(call_id = %told.call, "message was known already");
            // That it is told again may mean that it can be fetched now.
            if let Some(key) = key_of(parts, &told.call, &told.recording).await {
                parts.voicemail.request(Fetch { key });
            }
        }
        Err(error) => return Err(ReceptionError::NotKept(error)),
    }
    Ok(())
}

fn record_of(parts: &Parts, key: VoicemailKey, told: &Told, call: Option<&CallRecord>) -> VoicemailRecord {
    let caller = told.from.clone().or_else(|| call.map(|call| call.from.clone())).unwrap_or_default();
    let id = told.recording.id.to_string();
    let api_url = parts.config.carrier.rest_url();
    let api_url = api_url.trim_end_matches('/');
    let address = || format!("{api_url}/2010-04-01/Accounts/{}/Recordings/{id}", told.account);
    let language = parts.switchboard.language(&told.call);
    VoicemailRecord {
        source: Some(told.recording.url.clone().unwrap_or_else(address)),
        duration_ms: told.recording.duration.map_or(0, millis),
        language: language.or(call.map(|call| call.language)).or(Some(parts.language)),
        carrier_recording: Some(id),
        ..VoicemailRecord::received(key, caller, told.path)
    }
}

/// Stops asking for a recording that the carrier does not have. What is here already stays, and the owner is told: by the
/// carrier's own word there was a message.
async fn close(parts: &Parts, call: &CallId, recording: &RecordingRef) -> Result<(), ReceptionError> {
    let Some(key) = key_of(parts, call, recording).await else { return Ok(()) };
    let alone = parts.voicemail.alone().await;
    let row = parts.archive.blocking(move |archive| archive.store()?.get::<Voicemails>(&key).ok().flatten()).await;
    let Some(mut record) = row.flatten().filter(|row| row.recording.is_none() && row.source.is_some()) else {
        return Ok(());
    };
    record.source = None;
    let mut batch = Batch::new();
    alone.put(&mut batch, &record)?;
    alone.commit(&parts.archive, batch).await.map_err(ReceptionError::NotKept)
}

/// Returns the key of the message that a recording became.
async fn key_of(parts: &Parts, call: &CallId, recording: &RecordingRef) -> Option<VoicemailKey> {
    let token = token_of(recording);
    let row = parts.archive.blocking(move |archive| archive.store()?.get::<WebhookKeys>(&token).ok().flatten()).await;
    let received_wall_ms = row.flatten()?.first_seen_wall_ms;
    Some(VoicemailKey { received_wall_ms, call: call.clone() })
}

/// The carrier's name of the recording makes a repetition known after a restart too.
fn token_of(recording: &RecordingRef) -> String {
    format!("recording-{}", recording.id)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

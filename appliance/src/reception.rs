//! What each webhook of the carrier means for the box: answer a call, take a message, let go of a call.

pub mod ending;
pub(crate) mod missed;

use std::sync::Arc;
use std::time::Duration;

use conversation::{GreetingMode, StreamWatchdog};
use rand::RngExt as _;
use receptionist::announcement;
use routing::{Answerer, Arrival, DialEnd, Event, Means, Route, Way};
use store::{Batch, Blocked, CallOutcome, CallRecord, CommitError, EncodeError};
use telephony::markup::Response;
use telephony::wire::{Address, AnsweredBy, CallStatus, CallStatusUpdate, DialResult, GatherResult, IncomingCall};
use telephony::wire::{StreamEnded, StreamEvent, StreamStatus};
use telephony::{FieldError, VerifiedWebhook};
use units::{CallId, Language, Pii};

use self::missed::Then;
use crate::announcements;
use crate::app::Parts;
use crate::call_backs;
use crate::config::Recording;
use crate::documents::{self, Announced};
use crate::metrics::ReasonLabel;
use crate::switchboard::Caller;

/// Longest wait for a call's record to reach the disk before the call is answered all the same: the telephone has
/// to be answered, and the record is written again when the call ends.
const RECORD_PATIENCE: Duration = Duration::from_millis(500);
/// The key that agrees to a recording.
const CONSENT_KEY: char = '1';

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

/// Answers an incoming call, and one of ours that was picked up, by its course.
pub async fn incoming_call(parts: &Arc<Parts>, webhook: &VerifiedWebhook) -> Result<Response, ReceptionError> {
    let incoming = IncomingCall::read(webhook)?;
    if parts.config.carrier.account_sid.as_deref().is_some_and(|account| account != incoming.account.as_str()) {
        return Err(ReceptionError::OtherAccount);
    }
    let caller = Caller {
        call: incoming.call_id.clone(),
        from: incoming.from,
        to: incoming.to,
        language: parts.language,
        started_wall_ms: parts.clock.wall_ms(),
        started: parts.clock.now(),
        may_record: false,
        called_back: false,
        before: None,
    };
    answer(parts, caller, None).await
}

/// Answers a call that comes in from `caller`, or that was picked up by `called_back`.
pub(crate) async fn answer(
    parts: &Arc<Parts>,
    mut caller: Caller,
    called_back: Option<Answerer>,
) -> Result<Response, ReceptionError> {
    if parts.switchboard.is_waiting_for(&caller.call) {
        // The same call again, under another name for the request, before its stream began.
        return Ok(converse(parts, caller, false));
    }
    let is_news = !parts.switchboard.is_known(&caller.call);
    if is_news {
        keep_call(parts, &caller).await;
    }
    let arrival = Arrival {
        route: route(parts),
        is_blocked: is_blocked(parts, &caller).await,
        is_hurried: is_news && is_hurried(parts, &caller),
        called_back,
        means: means(parts),
    };
    let way = parts.switchboard.arrive(parts.clock.now(), &caller, Event::Arrived(arrival));
    if is_news {
        note_refusal(parts, &caller.call, way).await?;
    }
    if let Way::Converse { may_record, .. } = way {
        caller.may_record = may_record;
    }
    Ok(document(parts, caller, way))
}

/// Answers a call of ours that was picked up. `id` is the name of the call-back.
pub async fn call_back(parts: &Arc<Parts>, id: &str, webhook: &VerifiedWebhook) -> Result<Response, ReceptionError> {
    let incoming = IncomingCall::read(webhook)?;
    let answerer = match incoming.answered_by {
        Some(AnsweredBy::Human) => Answerer::Human,
        Some(AnsweredBy::Machine) => Answerer::Machine,
        Some(AnsweredBy::Fax) => Answerer::Fax,
        Some(AnsweredBy::Unknown) | None => Answerer::Unknown,
    };
    let wanted = call_backs::picked_up(parts, id, &incoming.call_id, answerer).await;
    let Some(row) = wanted.map_err(ReceptionError::NotKept)? else {
        tracing::warn!(call_id = %incoming.call_id, "a call of ours that nobody asked for");
        return Ok(documents::hang_up());
    };
    let caller = Caller {
        call: incoming.call_id,
        // Whom the office calls is who talks to it.
        from: incoming.to,
        to: incoming.from,
        language: row.language,
        started_wall_ms: parts.clock.wall_ms(),
        started: parts.clock.now(),
        may_record: false,
        called_back: true,
        before: None,
    };
    answer(parts, caller, Some(answerer)).await
}

/// Notes that a call of ours is over. `id` is the name of the call-back.
pub async fn call_back_status(parts: &Parts, id: &str, webhook: &VerifiedWebhook) -> Result<(), ReceptionError> {
    let update = CallStatusUpdate::read(webhook)?;
    if update.status.is_final() {
        let was_answered = update.status == CallStatus::Completed;
        call_backs::over(parts, id, &update.call_id, was_answered).await.map_err(ReceptionError::NotKept)?;
    }
    call_status(parts, webhook).await
}

/// Says how a call goes on whose caller was asked whether it may be recorded.
pub fn consent(parts: &Parts, webhook: &VerifiedWebhook) -> Result<Response, ReceptionError> {
    let result = GatherResult::read(webhook)?;
    let agreed = result.digits.reveal().first().is_some_and(|digit| digit.label() == CONSENT_KEY);
    Ok(go_on(parts, &result.call_id, Event::ConsentAnswered { agreed, means: means(parts) }))
}

/// Says how a call goes on when its media stream is over, or never was.
pub fn stream_ended(parts: &Parts, webhook: &VerifiedWebhook) -> Result<Response, ReceptionError> {
    let ended = StreamEnded::read(webhook)?;
    if let Some(reason) = &ended.error {
        tracing::warn!(call_id = %ended.call_id, reason, "the carrier could not stream");
    }
    parts.switchboard.forget(&ended.call_id);
    Ok(go_on(parts, &ended.call_id, Event::StreamAsked))
}

/// Tells the person who picked up who calls and why. `call` is the caller's.
pub async fn person(parts: &Arc<Parts>, call: &CallId) -> Result<Response, ReceptionError> {
    let way = parts.switchboard.tell(parts.clock.now(), call, Event::PersonAnswered);
    if way != Way::Announce {
        return Ok(documents::go_on());
    }
    let before = parts.switchboard.caller(call).and_then(|caller| caller.before);
    let record = before.as_ref().map(|before| &before.form);
    // The person is of the office, whatever the caller speaks.
    let language = parts.language;
    let text = announcement(&parts.form, record, language, parts.config.transfer.key);
    let announced = match announcements::speak(parts, text.clone(), language).await {
        Some(name) => Announced::Clip(format!("/static/announcement/{name}")),
        None => Announced::Words(text),
    };
    Ok(parts.documents().announce(call, announced, language))
}

/// Connects a person who pressed the key, and lets go of one who pressed another. `call` is the caller's.
pub fn person_key(parts: &Parts, call: &CallId, webhook: &VerifiedWebhook) -> Result<Response, ReceptionError> {
    let result = GatherResult::read(webhook)?;
    let accepts = result.digits.reveal().first().is_some_and(|digit| digit.label() == parts.config.transfer.key);
    Ok(match parts.switchboard.tell(parts.clock.now(), call, Event::PersonKeyed { accepts }) {
        Way::PutThrough => documents::go_on(),
        Way::LetGo
        | Way::Announce
        | Way::Refuse
        | Way::AskConsent
        | Way::Converse { .. }
        | Way::Dial
        | Way::Voicemail { .. }
        | Way::LeaveWord
        | Way::Thank
        | Way::HangUp
        | Way::Complete
        | Way::Nothing => documents::hang_up(),
    })
}

/// Says how a call goes on after a transfer: whom nobody took goes back to the receptionist, or to voicemail.
pub async fn transfer_ended(parts: &Parts, webhook: &VerifiedWebhook) -> Result<Response, ReceptionError> {
    let dial = DialResult::read(webhook)?;
    let result = match dial.status {
        CallStatus::Completed | CallStatus::InProgress => DialEnd::Answered,
        CallStatus::Busy => DialEnd::Busy,
        CallStatus::NoAnswer => DialEnd::NoAnswer,
        CallStatus::Canceled => DialEnd::Canceled,
        CallStatus::Failed | CallStatus::Queued | CallStatus::Initiated | CallStatus::Ringing | CallStatus::Other => {
            DialEnd::Failed
        }
    };
    let event = Event::DialEnded { result, bridged: dial.bridged, means: means(parts) };
    let way = parts.switchboard.tell(parts.clock.now(), &dial.call_id, event);
    let is_missed = parts.switchboard.is_missed(&dial.call_id);
    if way == Way::HangUp {
        ending::close(parts, &dial.call_id, outcome(parts, &dial.call_id)).await?;
    }
    match (is_missed, way) {
        (false, _) => {}
        (true, Way::HangUp) => missed::tell(parts, &dial.call_id, Then::Over).await.map_err(ReceptionError::NotKept)?,
        (true, _) => tell_meanwhile(parts, &dial.call_id).await,
    }
    tracing::info!(call_id = %dial.call_id, ?result, bridged = ?dial.bridged, %way, "transfer over");
    Ok(document_of(parts, &dial.call_id, way))
}

/// Has the owner told of a caller whom no person took. The caller waits to be spoken to, and does not wait for the disk.
async fn tell_meanwhile(parts: &Parts, call: &CallId) {
    let told = tokio::time::timeout(RECORD_PATIENCE, missed::tell(parts, call, Then::GoesOn)).await;
    match told {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(call_id = %call, error = &error as &dyn std::error::Error, "missed call not noted");
        }
        Err(_elapsed) => tracing::warn!(call_id = %call, "the disk is slow, missed call not yet noted"),
    }
}

/// Tells the course of a call what happened, and returns the document of the way it goes.
fn go_on(parts: &Parts, call: &CallId, event: Event) -> Response {
    let way = parts.switchboard.tell(parts.clock.now(), call, event);
    document_of(parts, call, way)
}

/// Returns the document of a way, for a call that came in before.
fn document_of(parts: &Parts, call: &CallId, way: Way) -> Response {
    let language = language_of(parts, call);
    let Some(mut caller) = parts.switchboard.caller(call) else {
        let is_finished = matches!(way, Way::HangUp | Way::Complete | Way::Thank | Way::Nothing);
        return if is_finished { documents::hang_up() } else { parts.documents().voicemail(language) };
    };
    caller.language = language;
    if let Way::Converse { may_record, .. } = way {
        caller.may_record = may_record;
    }
    document(parts, caller, way)
}

/// Returns the document of a way.
fn document(parts: &Parts, caller: Caller, way: Way) -> Response {
    let documents = parts.documents();
    let language = caller.language;
    match way {
        Way::Converse { returned, .. } => converse(parts, caller, returned),
        Way::Voicemail { cause } => {
            tracing::info!(call_id = %caller.call, ?cause, "call sent to voicemail");
            documents.voicemail(language)
        }
        Way::Dial => match &parts.config.office.transfer_number {
            Some(number) => documents.transfer(&caller, number),
            None => documents.voicemail(language),
        },
        Way::Refuse => documents::busy(),
        Way::AskConsent => documents.ask_consent(language),
        Way::LeaveWord => documents.leave_word(language),
        Way::Thank => documents.thanks(language),
        Way::HangUp | Way::Complete => documents::hang_up(),
        Way::Announce | Way::PutThrough | Way::LetGo | Way::Nothing => documents::go_on(),
    }
}

/// Opens a media stream for a caller.
fn converse(parts: &Parts, caller: Caller, returned: bool) -> Response {
    let mut documents = parts.documents();
    let (call, language, now) = (caller.call.clone(), caller.language, parts.clock.now());
    // Who comes back was greeted before, and told.
    if returned {
        documents.recording = Recording::default();
    }
    // Who is called is greeted otherwise.
    let mode = if returned || caller.called_back { GreetingMode::Stream } else { parts.config.greeting.mode };
    // The carrier opens the stream when it has played the greeting.
    let greeting =
        parts.greetings.duration(language, mode).saturating_add(documents.announcement(&parts.greetings, language));
    let watchdog = StreamWatchdog::armed(now, greeting, parts.config.carrier.stream_start);
    match parts.switchboard.expect(now, caller, watchdog, rand::rng().random()) {
        Ok(token) => {
            parts.watchdog.notify_one();
            documents.answer(mode, &call, &token, language)
        }
        Err(error) => {
            tracing::warn!(call_id = %call, error = &error as &dyn std::error::Error, "no token left");
            documents.voicemail(language)
        }
    }
}

/// Returns what there is right now to hold a conversation with.
fn means(parts: &Parts) -> Means {
    Means { has_room: parts.switchboard.has_room(), can_converse: parts.can_converse() }
}

/// Returns who takes calls at this hour. A box whose clock was never set does not know the hour: the receptionist does.
fn route(parts: &Parts) -> Route {
    match parts.hours().map(|status| status.route) {
        Some(calendar::Route::Human) => Route::Human,
        Some(calendar::Route::Voicemail) => Route::Voicemail,
        Some(calendar::Route::Receptionist) | None => Route::Receptionist,
    }
}

/// Returns whether the caller is on the block list.
async fn is_blocked(parts: &Parts, caller: &Caller) -> bool {
    let Some(number) = caller.from.reveal().phone_number().map(str::to_owned) else { return false };
    let found = parts.archive.blocking(move |archive| archive.store()?.get::<Blocked>(&number).ok().flatten()).await;
    found.flatten().is_some()
}

/// Returns whether the caller calls too often. Callers without a number are not counted.
fn is_hurried(parts: &Parts, caller: &Caller) -> bool {
    let number = caller.from.reveal().phone_number();
    number.is_some_and(|number| parts.switchboard.is_hurried(parts.clock.now(), number))
}

/// Notes that a call was not answered on purpose.
async fn note_refusal(parts: &Parts, call: &CallId, way: Way) -> Result<(), ReceptionError> {
    if way != Way::Refuse {
        return Ok(());
    }
    parts.metrics.calls.get_or_create(&ReasonLabel { reason: "refused" }).inc();
    tracing::info!(call_id = %call, "call refused");
    ending::close(parts, call, CallOutcome::Refused).await
}

/// Notes how a call stands for the carrier; a call that is over is no longer waited for.
pub async fn call_status(parts: &Parts, webhook: &VerifiedWebhook) -> Result<(), ReceptionError> {
    let update = CallStatusUpdate::read(webhook)?;
    tracing::debug!(call_id = %update.call_id, status = ?update.status, "call status");
    if update.status.is_final() {
        parts.switchboard.forget(&update.call_id);
        if !parts.switchboard.is_on_line(&update.call_id) {
            let was_missed = parts.switchboard.is_missed(&update.call_id);
            let is_asked = parts.switchboard.is_asked_for_message(&update.call_id);
            let then = if is_asked { Then::MayHaveSpoken } else { Then::Over };
            parts.switchboard.tell(parts.clock.now(), &update.call_id, Event::Over);
            if parts.switchboard.is_missed(&update.call_id) && !was_missed {
                missed::tell(parts, &update.call_id, then).await.map_err(ReceptionError::NotKept)?;
            }
            // The status may be here while the line still waits for the answer to its request to end the call.
            if !parts.switchboard.is_in_hand(&update.call_id) {
                ending::close(parts, &update.call_id, outcome(parts, &update.call_id)).await?;
            }
        }
    }
    Ok(())
}

/// Returns how a call ended that no line ended, as far as is known.
fn outcome(parts: &Parts, call: &CallId) -> CallOutcome {
    if parts.switchboard.is_taken(call) { CallOutcome::Transferred } else { CallOutcome::CallerHungUp }
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
    parts.switchboard.language(call).unwrap_or(parts.language)
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

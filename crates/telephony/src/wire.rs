//! Webhook parameters to domain values, and nothing else.
//!
//! Each value is read from a [`VerifiedWebhook`]. What the carrier documents as always present is required; what it
//! sends only sometimes is an `Option`; words it may add to later (states, events) have an `Other`, because a call has
//! to be answered even if the carrier learned a new word since.

mod address;

use std::time::Duration;

use units::{CallId, Pii};

pub use self::address::Address;
use crate::form::{FieldError, Params};
use crate::id::{AccountId, Digit, RecordingId, StreamId};
use crate::webhook::VerifiedWebhook;

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Somebody called the office.
    Inbound,
    /// The box placed the call over REST.
    OutboundApi,
    /// The leg dialled by a `<Dial>` of ours.
    OutboundDial,
    /// A word added after this was written.
    Other,
}

impl Direction {
    fn of(word: &str) -> Self {
        match word {
            "inbound" => Self::Inbound,
            "outbound-api" => Self::OutboundApi,
            "outbound-dial" => Self::OutboundDial,
            _ => Self::Other,
        }
    }
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStatus {
    /// Waiting to be placed.
    Queued,
    /// Being placed (the name of an event only).
    Initiated,
    /// Ringing; what an incoming call says.
    Ringing,
    /// Answered and going on.
    InProgress,
    /// Over, after having been answered.
    Completed,
    /// The other side was busy.
    Busy,
    /// It could not be placed.
    Failed,
    /// Nobody answered.
    NoAnswer,
    /// Taken back before it was answered.
    Canceled,
    /// A word added after this was written.
    Other,
}

impl CallStatus {
    /// Returns whether nothing more will happen on the call.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Busy | Self::Failed | Self::NoAnswer | Self::Canceled)
    }

    fn of(word: &str) -> Self {
        match word {
            "queued" => Self::Queued,
            "initiated" => Self::Initiated,
            "ringing" => Self::Ringing,
            "in-progress" | "answered" => Self::InProgress,
            "completed" => Self::Completed,
            "busy" => Self::Busy,
            "failed" => Self::Failed,
            "no-answer" => Self::NoAnswer,
            "canceled" => Self::Canceled,
            _ => Self::Other,
        }
    }
}

/// Who picked up, as far as the carrier can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// A person.
    Human,
    /// An answering machine: its greeting has begun, or is over, as asked for.
    Machine,
    /// A fax.
    Fax,
    /// The carrier could not tell, or a word added after this was written.
    Unknown,
}

impl AnsweredBy {
    fn of(word: &str) -> Self {
        match word {
            "human" => Self::Human,
            "fax" => Self::Fax,
            word if word.starts_with("machine") => Self::Machine,
            _ => Self::Unknown,
        }
    }
}

/// A call that wants to be answered, or one that asks for its next markup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingCall {
    /// The call (`CallSid`).
    pub call_id: CallId,
    /// The account (`AccountSid`).
    pub account: AccountId,
    /// Who calls.
    pub from: Pii<Address>,
    /// Which number or name was called.
    pub to: Pii<Address>,
    /// Which way the call goes.
    pub direction: Direction,
    /// Where it stands.
    pub status: CallStatus,
    /// The caller's name, where look-up is switched on.
    pub caller_name: Option<Pii<String>>,
    /// Who forwarded the call to us.
    pub forwarded_from: Option<Pii<Address>>,
    /// Who picked up, on a call of ours placed with machine detection (`AnsweredBy`).
    pub answered_by: Option<AnsweredBy>,
    /// Why the carrier asks here: the error of the primary webhook, when this is its fallback (`ErrorCode`).
    pub primary_error: Option<u32>,
}

impl IncomingCall {
    /// Reads an incoming call. Only the call and the account have to be there: a caller without a number is answered.
    pub fn read(webhook: &VerifiedWebhook) -> Result<Self, FieldError> {
        let params = webhook.params();
        Ok(Self {
            call_id: call_id(params, "CallSid")?,
            account: account(params)?,
            from: Address::of(params.optional("From")?.unwrap_or_default()).into(),
            to: Address::of(params.optional("To")?.unwrap_or_default()).into(),
            direction: Direction::of(params.optional("Direction")?.unwrap_or("inbound")),
            status: CallStatus::of(params.optional("CallStatus")?.unwrap_or_default()),
            caller_name: params.optional("CallerName")?.map(|name| Pii::new(name.to_owned())),
            forwarded_from: params.optional("ForwardedFrom")?.map(|text| Address::of(text).into()),
            answered_by: params.optional("AnsweredBy")?.map(AnsweredBy::of),
            primary_error: number(params, "ErrorCode")?,
        })
    }
}

/// Progress of a call (`StatusCallback`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallStatusUpdate {
    /// The call.
    pub call_id: CallId,
    /// Where it stands.
    pub status: CallStatus,
    /// Position among the updates of this call, from 0; they may come in any order.
    pub sequence: Option<u64>,
    /// How long the call lasted, when it is over (`CallDuration`, whole seconds).
    pub duration: Option<Duration>,
    /// The SIP answer that ended a call that failed.
    pub sip_response: Option<u16>,
}

impl CallStatusUpdate {
    /// Reads a call-progress callback.
    pub fn read(webhook: &VerifiedWebhook) -> Result<Self, FieldError> {
        let params = webhook.params();
        Ok(Self {
            call_id: call_id(params, "CallSid")?,
            status: CallStatus::of(params.required("CallStatus")?),
            sequence: number(params, "SequenceNumber")?,
            duration: seconds(params, "CallDuration")?,
            sip_response: number(params, "SipResponseCode")?,
        })
    }
}

/// What happened to a media stream (`<Stream statusCallback>`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStatus {
    /// The call.
    pub call_id: CallId,
    /// The stream.
    pub stream_id: Option<StreamId>,
    /// What happened.
    pub event: StreamEvent,
}

/// What happened to a media stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// The WebSocket is open.
    Started,
    /// The stream ended.
    Stopped,
    /// The stream failed; the only place where the reason of a refused handshake can be seen.
    Failed {
        /// The carrier's words, cut to 300 characters, control characters removed.
        reason: String,
    },
    /// A word added after this was written.
    Other,
}

impl StreamStatus {
    /// Reads a stream status callback.
    pub fn read(webhook: &VerifiedWebhook) -> Result<Self, FieldError> {
        let params = webhook.params();
        let event = match params.required("StreamEvent")? {
            "stream-started" => StreamEvent::Started,
            "stream-stopped" => StreamEvent::Stopped,
            "stream-error" => {
                let text = params.optional("StreamError")?.unwrap_or("no reason given");
                StreamEvent::Failed { reason: text.chars().filter(|c| !c.is_control()).take(300).collect() }
            }
            _ => StreamEvent::Other,
        };
        Ok(Self { call_id: call_id(params, "CallSid")?, stream_id: stream_id(params)?, event })
    }
}

/// A recording at the carrier.
///
/// Fetch it by account and id from the carrier's own host: the URL in the request is shown, not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingRef {
    /// The recording.
    pub id: RecordingId,
    /// Where the carrier says it is, without extension.
    pub url: Option<String>,
    /// How long it is (`RecordingDuration`, whole seconds).
    pub duration: Option<Duration>,
}

/// What ended a `<Record>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordEnd {
    /// The caller hung up: no markup will be heard any more.
    HungUp,
    /// The caller pressed a key.
    Key(Digit),
    /// Silence, or the longest length.
    Timeout,
}

/// A voicemail was recorded (`<Record action>`). An empty recording sends none of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingResult {
    /// The call.
    pub call_id: CallId,
    /// The account, needed to fetch the recording.
    pub account: AccountId,
    /// Who left it.
    pub from: Pii<Address>,
    /// The recording; `None` when the caller hung up before it held anything.
    pub recording: Option<RecordingRef>,
    /// What ended it.
    pub ended_by: RecordEnd,
}

impl RecordingResult {
    /// Reads the request that follows a `<Record>`.
    pub fn read(webhook: &VerifiedWebhook) -> Result<Self, FieldError> {
        let params = webhook.params();
        let ended_by = match params.optional("Digits")? {
            None => RecordEnd::Timeout,
            Some("hangup") => RecordEnd::HungUp,
            Some(key) => RecordEnd::Key(key.parse().map_err(|_error| FieldError::Unexpected {
                field: "Digits",
                expected: "one key of a telephone, or 'hangup'",
            })?),
        };
        Ok(Self {
            call_id: call_id(params, "CallSid")?,
            account: account(params)?,
            from: Address::of(params.optional("From")?.unwrap_or_default()).into(),
            recording: recording(params)?,
            ended_by,
        })
    }
}

/// Where a recording stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingState {
    /// It is being made.
    InProgress,
    /// It can be fetched.
    Completed,
    /// There is none: nothing was recorded.
    Absent,
    /// It failed.
    Failed,
    /// A word added after this was written.
    Other,
}

/// Progress of a recording (`recordingStatusCallback`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingStatus {
    /// The call.
    pub call_id: CallId,
    /// The account, needed to fetch the recording.
    pub account: AccountId,
    /// The recording.
    pub recording: RecordingRef,
    /// Where it stands.
    pub state: RecordingState,
    /// 1 or 2.
    pub channels: Option<u8>,
    /// The carrier's error, when it failed.
    pub error: Option<u32>,
}

impl RecordingStatus {
    /// Reads a recording status callback.
    pub fn read(webhook: &VerifiedWebhook) -> Result<Self, FieldError> {
        let params = webhook.params();
        let state = match params.required("RecordingStatus")? {
            "in-progress" => RecordingState::InProgress,
            "completed" => RecordingState::Completed,
            "absent" => RecordingState::Absent,
            "failed" => RecordingState::Failed,
            _ => RecordingState::Other,
        };
        Ok(Self {
            call_id: call_id(params, "CallSid")?,
            account: account(params)?,
            recording: recording(params)?.ok_or(FieldError::Missing { field: "RecordingSid" })?,
            state,
            channels: number(params, "RecordingChannels")?,
            error: number(params, "ErrorCode")?.filter(|code| *code != 0),
        })
    }
}

/// The media stream is over and the call asks what is next (`<Connect action>`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEnded {
    /// The call.
    pub call_id: CallId,
    /// Where the call stands: still in progress unless the caller hung up.
    pub status: CallStatus,
    /// The stream, where the carrier names it.
    pub stream_id: Option<StreamId>,
    /// Why the stream failed, where the carrier says so; control characters removed, at most 300 characters.
    pub error: Option<String>,
}

impl StreamEnded {
    /// Reads the request that follows a `<Connect>`.
    pub fn read(webhook: &VerifiedWebhook) -> Result<Self, FieldError> {
        let params = webhook.params();
        let error = params.optional("StreamError")?;
        Ok(Self {
            call_id: call_id(params, "CallSid")?,
            status: CallStatus::of(params.optional("CallStatus")?.unwrap_or_default()),
            stream_id: stream_id(params)?,
            error: error.map(|text| text.chars().filter(|c| !c.is_control()).take(300).collect()),
        })
    }
}

/// How a transfer went (`<Dial action>`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialResult {
    /// The caller's call.
    pub call_id: CallId,
    /// How the dialled leg ended (`DialCallStatus`; `answered` and `completed` both mean that somebody spoke).
    pub status: CallStatus,
    /// The dialled leg.
    pub dialled_call_id: Option<CallId>,
    /// How long they spoke (`DialCallDuration`, whole seconds).
    pub duration: Option<Duration>,
    /// Whether the two were connected (`DialBridged`), where the carrier says so: somebody may pick up and not take the
    /// call.
    pub bridged: Option<bool>,
}

impl DialResult {
    /// Reads the request that follows a `<Dial>`.
    pub fn read(webhook: &VerifiedWebhook) -> Result<Self, FieldError> {
        let params = webhook.params();
        let dialled = params.optional("DialCallSid")?;
        Ok(Self {
            call_id: call_id(params, "CallSid")?,
            status: CallStatus::of(params.required("DialCallStatus")?),
            dialled_call_id: dialled.map(|_| call_id(params, "DialCallSid")).transpose()?,
            duration: seconds(params, "DialCallDuration")?,
            bridged: match params.optional("DialBridged")? {
                Some("true") => Some(true),
                Some("false") => Some(false),
                // A word added after this was written says nothing.
                Some(_) | None => None,
            },
        })
    }

    /// Returns whether somebody answered the transfer.
    pub const fn was_answered(&self) -> bool {
        matches!(self.status, CallStatus::Completed | CallStatus::InProgress)
    }
}

/// What was keyed in (`<Gather action>`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatherResult {
    /// The call.
    pub call_id: CallId,
    /// The keys pressed, maybe none.
    pub digits: Pii<Vec<Digit>>,
}

impl GatherResult {
    /// Reads the request that follows a `<Gather>`.
    pub fn read(webhook: &VerifiedWebhook) -> Result<Self, FieldError> {
        let params = webhook.params();
        let digits = params.optional("Digits")?.unwrap_or_default().chars().map(Digit::new).collect::<Option<Vec<_>>>();
        let digits = digits.ok_or(FieldError::Unexpected { field: "Digits", expected: "keys of a telephone" })?;
        Ok(Self { call_id: call_id(params, "CallSid")?, digits: digits.into() })
    }
}

/// What is expected of each kind of name.
const EXPECTED_ID: &str = "1 to 64 ASCII letters, digits, '-' or '_'";

/// Reads the name of a call.
fn call_id(params: &Params, field: &'static str) -> Result<CallId, FieldError> {
    let text = params.required(field)?;
    text.parse().map_err(|_error| FieldError::Unexpected { field, expected: EXPECTED_ID })
}

/// Reads the account.
fn account(params: &Params) -> Result<AccountId, FieldError> {
    let text = params.required("AccountSid")?;
    text.parse().map_err(|_error| FieldError::Unexpected { field: "AccountSid", expected: EXPECTED_ID })
}

/// Reads the stream, if it is named.
fn stream_id(params: &Params) -> Result<Option<StreamId>, FieldError> {
    let text = params.optional("StreamSid")?;
    text.map(str::parse)
        .transpose()
        .map_err(|_error| FieldError::Unexpected { field: "StreamSid", expected: EXPECTED_ID })
}

/// Reads the recording, if there is one.
fn recording(params: &Params) -> Result<Option<RecordingRef>, FieldError> {
    let Some(id) = params.optional("RecordingSid")? else { return Ok(None) };
    let id = id.parse().map_err(|_error| FieldError::Unexpected { field: "RecordingSid", expected: EXPECTED_ID })?;
    let url = params.optional("RecordingUrl")?.map(str::to_owned);
    Ok(Some(RecordingRef { id, url, duration: seconds(params, "RecordingDuration")? }))
}

/// Reads a number, if it is there. Numbers are decimal text.
fn number<N: std::str::FromStr>(params: &Params, field: &'static str) -> Result<Option<N>, FieldError> {
    let text = params.optional(field)?;
    text.map(str::parse)
        .transpose()
        .map_err(|_error| FieldError::Unexpected { field, expected: "a decimal number in range" })
}

/// Reads whole seconds, if they are there. `-1`, which the carrier writes for a length not known yet, is none.
fn seconds(params: &Params, field: &'static str) -> Result<Option<Duration>, FieldError> {
    if params.optional(field)? == Some("-1") {
        return Ok(None);
    }
    Ok(number(params, field)?.map(Duration::from_secs))
}

#[cfg(test)]
mod tests;

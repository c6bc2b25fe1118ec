//! Calls: what is changed, what is placed.

use std::ops::RangeInclusive;

use telephony::Params;
use telephony::markup::{HttpMethod, Response as Document};
use telephony::wire::Address;
use units::Pii;

use crate::request::{RequestError, is_web_address};

/// Longest markup within a request, in characters (<https://www.twilio.com/docs/api/errors/32018>).
pub const MAX_INLINE_MARKUP_CHARS: usize = 4_000;

/// How long the carrier lets a telephone ring, in seconds.
pub const RING_S: RangeInclusive<u32> = 1..=600;

/// A change of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateCall {
    /// Ends it, whatever it does.
    Complete,
    /// Ends it if nobody has answered yet.
    Cancel,
    /// Goes on with other instructions.
    Redirect(Instructions),
}

/// What a call is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instructions {
    /// This document, of at most [`MAX_INLINE_MARKUP_CHARS`] when written.
    Document(Document),
    /// The document at a URL of ours.
    Url {
        /// Where.
        url: String,
        /// How to ask there.
        method: HttpMethod,
    },
}

impl UpdateCall {
    pub(crate) fn form(&self) -> Result<Params, RequestError> {
        let mut form = Params::new();
        match self {
            Self::Complete => form.push("Status", "completed"),
            Self::Cancel => form.push("Status", "canceled"),
            Self::Redirect(instructions) => instructions.push(&mut form)?,
        }
        Ok(form)
    }
}

impl Instructions {
    fn push(&self, form: &mut Params) -> Result<(), RequestError> {
        match self {
            Self::Document(document) => {
                let markup = document.write().map_err(RequestError::Markup)?;
                if markup.chars().count() > MAX_INLINE_MARKUP_CHARS {
                    return Err(RequestError::at("Twiml", "at most 4000 characters; give it a URL"));
                }
                form.push("Twiml", markup);
            }
            Self::Url { url, method } => {
                push_url(form, "Url", url)?;
                form.push("Method", method.word());
            }
        }
        Ok(())
    }
}

/// A call to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateCall {
    /// Who is called: a telephone number, a client or a SIP address.
    pub to: Pii<Address>,
    /// The number shown there: one of the account's. A client, or somebody at a SIP address, can be shown a client.
    pub from: Pii<Address>,
    /// What the call does when somebody answers.
    pub instructions: Instructions,
    /// Where to ask when the instructions cannot be had.
    pub fallback_url: Option<String>,
    /// Who is told how the call goes.
    pub status: Option<StatusCallback>,
    /// How long it rings, in seconds, within [`RING_S`]. The carrier's default is 60.
    pub ring_for_s: Option<u32>,
    /// Longest call, in seconds, above zero. The carrier's default is 4 hours.
    pub time_limit_s: Option<u32>,
    /// Whether it is judged who answers, before the instructions are carried out.
    pub machine_detection: Option<MachineDetection>,
}

/// Who is told how a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusCallback {
    /// Where.
    pub url: String,
    /// Of what. The end is told in any case; empty is the end only.
    pub events: Vec<CallEvent>,
}

/// A step in the life of a call that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEvent {
    /// The carrier has begun.
    Initiated,
    /// It rings.
    Ringing,
    /// Somebody answered.
    Answered,
    /// It is over.
    Completed,
}

impl CallEvent {
    /// Every step.
    pub const ALL: [Self; 4] = [Self::Initiated, Self::Ringing, Self::Answered, Self::Completed];

    /// Returns the carrier's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Completed => "completed",
        }
    }
}

/// How the carrier judges who answers (<https://www.twilio.com/docs/voice/answering-machine-detection>). The call waits
/// for it; `AnsweredBy` is then told with the request for the instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineDetection {
    /// What is waited for.
    pub wait_for: WaitFor,
    /// Longest judging, 3 to 59 s. The carrier's default is 30 s.
    pub timeout_s: Option<u32>,
    /// Speech longer than this is a machine's, 1,000 to 6,000 ms. The carrier's default is 2,400 ms.
    pub speech_ms: Option<u32>,
    /// Silence that ends speech, 500 to 5,000 ms. The carrier's default is 1,200 ms.
    pub speech_end_ms: Option<u32>,
    /// Silence from the beginning after which nobody knows, 2,000 to 10,000 ms. The carrier's default is 5,000 ms.
    pub silence_ms: Option<u32>,
}

/// What machine detection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// Until it is known who answers.
    Answer,
    /// With a machine, until its greeting is over, so that a message can be left.
    MessageEnd,
}

impl MachineDetection {
    /// Returns the detection with the carrier's own times.
    pub const fn new(wait_for: WaitFor) -> Self {
        Self { wait_for, timeout_s: None, speech_ms: None, speech_end_ms: None, silence_ms: None }
    }

    fn push(&self, form: &mut Params) -> Result<(), RequestError> {
        let word = match self.wait_for {
            WaitFor::Answer => "Enable",
            WaitFor::MessageEnd => "DetectMessageEnd",
        };
        form.push("MachineDetection", word);
        push_number(form, "MachineDetectionTimeout", self.timeout_s, 3..=59, "3 to 59 seconds")?;
        let speech = "1000 to 6000 milliseconds";
        push_number(form, "MachineDetectionSpeechThreshold", self.speech_ms, 1_000..=6_000, speech)?;
        let end = "500 to 5000 milliseconds";
        push_number(form, "MachineDetectionSpeechEndThreshold", self.speech_end_ms, 500..=5_000, end)?;
        let silence = "2000 to 10000 milliseconds";
        push_number(form, "MachineDetectionSilenceTimeout", self.silence_ms, 2_000..=10_000, silence)
    }
}

impl CreateCall {
    /// Returns a call with nothing but the necessary.
    pub fn new(to: Address, from: Address, instructions: Instructions) -> Self {
        Self {
            to: Pii::new(to),
            from: Pii::new(from),
            instructions,
            fallback_url: None,
            status: None,
            ring_for_s: None,
            time_limit_s: None,
            machine_detection: None,
        }
    }

    pub(crate) fn form(&self) -> Result<Params, RequestError> {
        let to = self.to.reveal();
        let callee = written(to).ok_or(RequestError::at("To", "a telephone number, a client or a SIP address"))?;
        let caller = caller(self.from.reveal(), to)
            .ok_or(RequestError::at("From", "a telephone number; a client only to a client or a SIP address"))?;
        let mut form = Params::new().with("To", callee).with("From", caller);
        self.instructions.push(&mut form)?;
        if let Some(url) = &self.fallback_url {
            push_url(&mut form, "FallbackUrl", url)?;
        }
        if let Some(status) = &self.status {
            push_url(&mut form, "StatusCallback", &status.url)?;
            for event in &status.events {
                form.push("StatusCallbackEvent", event.as_str());
            }
        }
        push_number(&mut form, "Timeout", self.ring_for_s, RING_S, "1 to 600 seconds")?;
        push_number(&mut form, "TimeLimit", self.time_limit_s, 1..=u32::MAX, "more than 0 seconds")?;
        if let Some(detection) = &self.machine_detection {
            detection.push(&mut form)?;
        }
        Ok(form)
    }
}

/// Returns an address as the carrier writes it, or `None` if no call can be placed there.
fn written(address: &Address) -> Option<String> {
    match address {
        Address::Phone(number) => Some(number.clone()),
        Address::Client(name) => is_word(name).then(|| format!("client:{name}")),
        Address::Sip(name) => is_word(name).then(|| format!("sip:{name}")),
        // Calls over WhatsApp are begun by the other side, and dialled with markup.
        Address::WhatsApp(_) | Address::Withheld | Address::Other(_) => None,
    }
}

/// Returns who calls, as the carrier writes it, or `None` if nobody can be called in that name.
fn caller(from: &Address, to: &Address) -> Option<String> {
    let may_call = match from {
        Address::Phone(_) => true,
        Address::Client(_) => matches!(to, Address::Client(_) | Address::Sip(_)),
        Address::Sip(_) | Address::WhatsApp(_) | Address::Withheld | Address::Other(_) => false,
    };
    may_call.then(|| written(from)).flatten()
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn push_url(form: &mut Params, field: &'static str, url: &str) -> Result<(), RequestError> {
    if !is_web_address(url) {
        return Err(RequestError::at(field, "an absolute URL of at most 4000 characters, without '_' in its host"));
    }
    form.push(field, url);
    Ok(())
}

fn push_number(
    form: &mut Params,
    field: &'static str,
    value: Option<u32>,
    range: RangeInclusive<u32>,
    expected: &'static str,
) -> Result<(), RequestError> {
    let Some(value) = value else { return Ok(()) };
    if !range.contains(&value) {
        return Err(RequestError::at(field, expected));
    }
    form.push(field, value.to_string());
    Ok(())
}

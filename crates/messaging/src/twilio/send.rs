//! `POST …/Messages.json`: its form, and what the answer means.

use serde_json::{Map, Value};
use telephony::Params;
use telephony::wire::Address;
use units::Pii;

use crate::answer::Answer;
use crate::message::Provider;
use crate::outbound::{Outbound, OutboundContent};
use crate::refusal::{Refusal, Refused};

/// Longest text or caption, in characters (`Body`). Longer: 21617.
pub const MAX_TEXT_CHARS: usize = 1_600;

/// In whose name a message is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// One of the account's numbers, on the recipient's channel.
    Number(Pii<Address>),
    /// A messaging service (`MG` and 32 hexadecimal digits), which picks a number.
    Service(String),
}

/// Writes the form that sends a message, in the order `To`, sender, content, `StatusCallback`.
///
/// # Errors
///
/// What Twilio would refuse is refused here, by field and with its code.
pub fn write(message: &Outbound, sender: &Sender, status_callback: Option<&str>) -> Result<Params, Refused> {
    message.check(MAX_TEXT_CHARS)?;
    let to = message.to.reveal();
    let mut params = Params::new().with("To", written(to).ok_or(Refused::at("to", Refusal::RecipientInvalid))?);
    let (name, value) = sender.field(to).ok_or(Refused::at("sender", Refusal::SenderInvalid))?;
    params.push(name, value);
    push_content(&mut params, &message.content)?;
    if let Some(url) = status_callback {
        params.push("StatusCallback", url);
    }
    Ok(params)
}

impl Sender {
    /// Returns the field that names the sender, or `None` if it cannot send to this recipient.
    fn field(&self, to: &Address) -> Option<(&'static str, String)> {
        match self {
            Self::Number(number) => {
                let number = number.reveal();
                let same_channel = std::mem::discriminant(number) == std::mem::discriminant(to);
                Some(("From", written(number).filter(|_| same_channel)?))
            }
            Self::Service(service) => is_sid("MG", service).then(|| ("MessagingServiceSid", service.clone())),
        }
    }
}

/// Appends what a message says.
fn push_content(params: &mut Params, content: &OutboundContent) -> Result<(), Refused> {
    match content {
        OutboundContent::Text(text) => params.push("Body", text.reveal().as_str()),
        OutboundContent::Media(media) => {
            if let Some(caption) = &media.caption {
                params.push("Body", caption.reveal().as_str());
            }
            params.push("MediaUrl", media.url.reveal().as_str());
        }
        OutboundContent::Template(template) => {
            let sid = template.sid.as_deref().filter(|sid| is_sid("HX", sid));
            let sid = sid.ok_or(Refused::at("template.sid", Refusal::TemplateUnknown))?;
            params.push("ContentSid", sid);
            if !template.variables.is_empty() {
                params.push("ContentVariables", variables(&template.variables));
            }
        }
    }
    Ok(())
}

/// Returns whether this is one of Twilio's names of that kind: two letters and 32 hexadecimal digits.
fn is_sid(kind: &str, text: &str) -> bool {
    text.strip_prefix(kind).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Reads the answer to the form above.
pub fn read_answer(http_status: u16, body: &[u8]) -> Answer {
    let value = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let code = value.get("code").and_then(Value::as_u64).and_then(|code| u32::try_from(code).ok());
    Answer::of(Provider::Twilio, http_status, value.get("sid").and_then(Value::as_str), code)
}

/// Returns an address as Twilio writes it, or `None` if no message can be sent there.
fn written(address: &Address) -> Option<String> {
    match address {
        Address::Phone(number) => Some(number.clone()),
        Address::WhatsApp(number) => Some(format!("whatsapp:{number}")),
        Address::Client(_) | Address::Sip(_) | Address::Withheld | Address::Other(_) => None,
    }
}

/// Returns the values of a template as the JSON text of an object, by number from 1.
fn variables(values: &[Pii<String>]) -> String {
    let object: Map<String, Value> =
        (1_usize..).zip(values).map(|(number, value)| (number.to_string(), value.reveal().clone().into())).collect();
    Value::Object(object).to_string()
}

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
    /// A messaging service (`MG…`), which picks a number.
    Service(String),
}

/// Writes the form that sends a message, in the order `To`, sender, content, `StatusCallback`.
///
/// # Errors
///
/// What Twilio would refuse is refused here, by field and with its code.
pub fn write(message: &Outbound, sender: &Sender, status_callback: Option<&str>) -> Result<Params, Refused> {
    message.check(MAX_TEXT_CHARS)?;
    let mut params = Params::new().with("To", recipient(message.to.reveal())?);
    match sender {
        Sender::Number(number) => {
            let number = number.reveal();
            let same_channel = std::mem::discriminant(number) == std::mem::discriminant(message.to.reveal());
            let text = recipient(number).ok().filter(|_| same_channel);
            params.push("From", text.ok_or(Refused::at("sender", Refusal::SenderInvalid))?);
        }
        Sender::Service(service) => {
            let fits = (1..=64).contains(&service.len()) && service.bytes().all(|b| b.is_ascii_alphanumeric());
            if !fits {
                return Err(Refused::at("sender", Refusal::SenderInvalid));
            }
            params.push("MessagingServiceSid", service.as_str());
        }
    }
    match &message.content {
        OutboundContent::Text(text) => params.push("Body", text.reveal().as_str()),
        OutboundContent::Media(media) => {
            if let Some(caption) = &media.caption {
                params.push("Body", caption.reveal().as_str());
            }
            params.push("MediaUrl", media.url.reveal().as_str());
        }
        OutboundContent::Template(template) => {
            let sid = template.sid.as_deref().ok_or(Refused::at("template.sid", Refusal::TemplateUnknown))?;
            params.push("ContentSid", sid);
            if !template.variables.is_empty() {
                params.push("ContentVariables", variables(&template.variables));
            }
        }
    }
    if let Some(url) = status_callback {
        params.push("StatusCallback", url);
    }
    Ok(params)
}

/// Reads the answer to the form above.
pub fn read_answer(http_status: u16, body: &[u8]) -> Answer {
    let value = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let code = value.get("code").and_then(Value::as_u64).and_then(|code| u32::try_from(code).ok());
    Answer::of(Provider::Twilio, http_status, value.get("sid").and_then(Value::as_str), code)
}

/// Returns an address as Twilio writes it.
fn recipient(address: &Address) -> Result<String, Refused> {
    match address {
        Address::Phone(number) => Ok(number.clone()),
        Address::WhatsApp(number) => Ok(format!("whatsapp:{number}")),
        Address::Client(_) | Address::Sip(_) | Address::Withheld | Address::Other(_) => {
            Err(Refused::at("to", Refusal::RecipientInvalid))
        }
    }
}

/// Returns the values of a template as the JSON text of an object, by number from 1.
fn variables(values: &[Pii<String>]) -> String {
    let object: Map<String, Value> =
        (1_usize..).zip(values).map(|(number, value)| (number.to_string(), value.reveal().clone().into())).collect();
    Value::Object(object).to_string()
}

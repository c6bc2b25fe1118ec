//! Twilio's wire: forms in, forms out, for `WhatsApp` and SMS alike.
//!
//! Fields: <https://www.twilio.com/docs/messaging/guides/webhook-request> and
//! <https://www.twilio.com/docs/messaging/api/message-resource>.

mod inbound;
mod send;

pub use self::inbound::{read_inbound, read_status};
pub use self::send::{MAX_TEXT_CHARS, Sender, read_answer, write};

#[cfg(test)]
mod tests;

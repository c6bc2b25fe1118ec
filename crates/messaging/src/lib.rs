//! Text messages: WhatsApp over Twilio and over Meta.

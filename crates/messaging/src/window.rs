//! The 24 hours in which free text is allowed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use telephony::wire::Address;

use crate::outbound::{Outbound, OutboundContent};
use crate::refusal::{Refusal, Refused};
use crate::time::UnixTime;

/// How long free text is allowed after the other side wrote.
///
/// <https://www.twilio.com/docs/api/errors/63016>; Meta's code for the same is 131047.
pub const WINDOW: Duration = Duration::from_hours(24);

/// What may be sent on `WhatsApp` right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Text, media and templates, before this moment.
    FreeText {
        /// The first moment at which only a template is allowed.
        until: UnixTime,
    },
    /// Only a template.
    TemplateOnly,
}

/// The window of one conversation: opened, and kept open, by what the other side writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Window {
    last_inbound: Option<UnixTime>,
}

impl Window {
    /// Returns a window that was never opened.
    pub const fn new() -> Self {
        Self { last_inbound: None }
    }

    /// Notes that the other side wrote. An older message that comes late changes nothing.
    pub fn note_inbound(&mut self, at: UnixTime) {
        self.last_inbound = self.last_inbound.max(Some(at));
    }

    /// Returns when the other side last wrote.
    pub const fn last_inbound(&self) -> Option<UnixTime> {
        self.last_inbound
    }

    /// Returns what may be sent at `now`.
    pub fn allowed(&self, now: UnixTime) -> Allowed {
        let until = self.last_inbound.map(|at| at.saturating_add(WINDOW));
        match until {
            Some(until) if now < until => Allowed::FreeText { until },
            Some(_) | None => Allowed::TemplateOnly,
        }
    }

    /// Checks a message before it is sent. An SMS knows no window.
    ///
    /// # Errors
    ///
    /// [`Refusal::WindowClosed`] for free text on `WhatsApp` outside the window.
    pub fn check(&self, now: UnixTime, message: &Outbound) -> Result<(), Refused> {
        let is_free = match &message.content {
            OutboundContent::Text(_) | OutboundContent::Media(_) => true,
            OutboundContent::Template(_) => false,
        };
        let has_window = matches!(message.to.reveal(), Address::WhatsApp(_));
        if is_free && has_window && self.allowed(now) == Allowed::TemplateOnly {
            return Err(Refused::at("content", Refusal::WindowClosed));
        }
        Ok(())
    }
}

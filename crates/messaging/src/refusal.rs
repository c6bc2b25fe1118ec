//! Why a message is not taken, in one vocabulary for both providers.

use std::fmt;

use crate::message::Provider;

/// Why a message was, or would be, refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// There is nothing to read in it.
    TextEmpty,
    /// More characters than the provider takes.
    TextTooLong,
    /// Not an address this provider can send to.
    RecipientInvalid,
    /// The sender is not on the recipient's channel, or is not ours.
    SenderInvalid,
    /// Not a URL the provider could fetch.
    MediaUrlInvalid,
    /// The provider could not fetch the file.
    MediaNotFetched,
    /// More bytes than the provider takes.
    MediaTooLarge,
    /// A value of a template is empty, spans lines or has a wide gap.
    VariableInvalid,
    /// The template has another number of places.
    VariableCount,
    /// The template with its values is longer than the provider takes.
    TemplateTooLong,
    /// There is no such template in this language.
    TemplateUnknown,
    /// The template is rejected, paused or disabled.
    TemplateStopped,
    /// Free text more than 24 hours after the other side wrote: only a template gets through.
    WindowClosed,
    /// The other side does not want messages, or blocked the office.
    OptedOut,
    /// The other side cannot be reached on this channel.
    Undeliverable,
    /// The channel or the device does not take this kind of content.
    ContentRefused,
    /// Sent too fast; nothing was sent, so it can be sent again later.
    RateLimited,
    /// So much was sent that the provider sends no more for a while: today, or until people complain less.
    Throttled,
    /// The provider's own trouble.
    ProviderDown,
    /// The credential is wrong, expired or not allowed to send.
    Unauthorized,
    /// The account is locked, unpaid or restricted.
    AccountBlocked,
    /// A code that is in no table here.
    Other(u32),
}

/// A refusal and its codes at Twilio and at Meta, the one a local check names first.
///
/// Twilio's are at <https://www.twilio.com/docs/api/errors>, Meta's at
/// <https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes>.
pub(crate) const CODES: [(Refusal, &[u32], &[u32]); 21] = [
    (Refusal::TextEmpty, &[21_619, 21_602, 14_103], &[131_008]),
    (Refusal::TextTooLong, &[21_617], &[100]),
    (Refusal::RecipientInvalid, &[21_211, 21_614, 21_217], &[131_009, 131_021]),
    (Refusal::SenderInvalid, &[21_910, 21_212, 21_606, 63_007], &[33, 133_010]),
    (Refusal::MediaUrlInvalid, &[21_620], &[131_053]),
    (Refusal::MediaNotFetched, &[63_019], &[131_052]),
    (Refusal::MediaTooLarge, &[63_034, 11_751], &[]),
    (Refusal::VariableInvalid, &[63_013, 21_656], &[132_012, 132_018]),
    (Refusal::VariableCount, &[63_028], &[132_000]),
    (Refusal::TemplateTooLong, &[63_021], &[132_005]),
    (Refusal::TemplateUnknown, &[63_027], &[132_001]),
    (Refusal::TemplateStopped, &[63_041, 63_040, 63_042], &[132_015, 132_016, 132_007]),
    (Refusal::WindowClosed, &[63_016], &[131_047]),
    (Refusal::OptedOut, &[21_610, 63_014, 63_033], &[131_050]),
    (Refusal::Undeliverable, &[63_024, 63_003, 63_015, 30_003, 30_005, 30_006], &[131_026]),
    (Refusal::ContentRefused, &[63_005, 63_030, 12_300], &[131_051]),
    (Refusal::RateLimited, &[63_018, 20_429, 63_017, 21_611, 30_001], &[130_429, 131_056, 80_007, 4]),
    (Refusal::Throttled, &[63_038, 63_032, 63_049, 30_007], &[131_048, 131_049, 130_472]),
    (Refusal::ProviderDown, &[63_012, 20_500, 20_503], &[131_016, 131_000, 131_057, 133_004, 1, 2]),
    (Refusal::Unauthorized, &[20_003, 63_001], &[190, 0, 10, 131_005]),
    (Refusal::AccountBlocked, &[63_051, 63_020, 20_005, 30_002], &[131_031, 131_042, 368, 130_497]),
];

impl Refusal {
    /// Returns what a provider's code means.
    pub fn of(provider: Provider, code: u32) -> Self {
        let row = CODES.iter().find(|(_, twilio, meta)| match provider {
            Provider::Twilio => twilio.contains(&code),
            Provider::Meta => meta.contains(&code),
        });
        row.map_or(Self::Other(code), |(refusal, _, _)| *refusal)
    }

    /// Returns the code the provider would have answered with; `None` where it has none of its own.
    pub fn code(self, provider: Provider) -> Option<u32> {
        if let Self::Other(code) = self {
            return Some(code);
        }
        let (_, twilio, meta) = CODES.iter().find(|(refusal, _, _)| *refusal == self)?;
        match provider {
            Provider::Twilio => twilio.first().copied(),
            Provider::Meta => meta.first().copied(),
        }
    }

    /// Returns its name, as it is stored and shown to programs; `other` for a code that is in no table here.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TextEmpty => "text_empty",
            Self::TextTooLong => "text_too_long",
            Self::RecipientInvalid => "recipient_invalid",
            Self::SenderInvalid => "sender_invalid",
            Self::MediaUrlInvalid => "media_url_invalid",
            Self::MediaNotFetched => "media_not_fetched",
            Self::MediaTooLarge => "media_too_large",
            Self::VariableInvalid => "variable_invalid",
            Self::VariableCount => "variable_count",
            Self::TemplateTooLong => "template_too_long",
            Self::TemplateUnknown => "template_unknown",
            Self::TemplateStopped => "template_stopped",
            Self::WindowClosed => "window_closed",
            Self::OptedOut => "opted_out",
            Self::Undeliverable => "undeliverable",
            Self::ContentRefused => "content_refused",
            Self::RateLimited => "rate_limited",
            Self::Throttled => "throttled",
            Self::ProviderDown => "provider_down",
            Self::Unauthorized => "unauthorized",
            Self::AccountBlocked => "account_blocked",
            Self::Other(_) => "other",
        }
    }

    /// Names the field at fault.
    pub const fn into_refused(self, field: &'static str) -> Refused {
        Refused::at(field, self)
    }

    /// Returns whether the same message may get through a little later, unchanged.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::RateLimited | Self::ProviderDown)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TextEmpty => "there is no text",
            Self::TextTooLong => "the text is too long",
            Self::RecipientInvalid => "the provider cannot send to this address",
            Self::SenderInvalid => "the sender is not on the recipient's channel",
            Self::MediaUrlInvalid => "the file has no https URL",
            Self::MediaNotFetched => "the provider could not fetch the file",
            Self::MediaTooLarge => "the file is too large",
            Self::VariableInvalid => "a value of the template is empty, spans lines or has a wide gap",
            Self::VariableCount => "the template takes another number of values",
            Self::TemplateTooLong => "the template with its values is too long",
            Self::TemplateUnknown => "there is no such template",
            Self::TemplateStopped => "the template is rejected, paused or disabled",
            Self::WindowClosed => "only a template is allowed more than 24 hours after the last message",
            Self::OptedOut => "the recipient does not want messages",
            Self::Undeliverable => "the recipient cannot be reached on this channel",
            Self::ContentRefused => "the channel does not take this content",
            Self::RateLimited => "messages are sent too fast",
            Self::Throttled => "the provider sends no more for a while",
            Self::ProviderDown => "the provider has a fault",
            Self::Unauthorized => "the credential may not send",
            Self::AccountBlocked => "the account is blocked",
            Self::Other(code) => return write!(f, "the provider's code is {code}"),
        })
    }
}

/// A message that was not even sent: which field is at fault, and why. Never holds the field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is refused: {refusal}")]
pub struct Refused {
    /// Which field of the message.
    pub field: &'static str,
    /// Why.
    pub refusal: Refusal,
}

impl Refused {
    /// Returns a refusal of a field.
    pub(crate) const fn at(field: &'static str, refusal: Refusal) -> Self {
        Self { field, refusal }
    }

    /// Returns the code the provider would have answered with; `None` where it has none of its own.
    pub fn code(&self, provider: Provider) -> Option<u32> {
        self.refusal.code(provider)
    }
}

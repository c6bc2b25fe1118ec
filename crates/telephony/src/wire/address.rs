//! Who calls, and who is called.

/// One end of a call. Personal data: keep it inside [`units::Pii`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// A telephone number in E.164: `+` and 3 to 15 digits, not starting with 0.
    Phone(String),
    /// A user of `WhatsApp`, by telephone number in E.164.
    WhatsApp(String),
    /// A browser or app of the account, by its name.
    Client(String),
    /// A SIP address, without `sip:`.
    Sip(String),
    /// The caller keeps the number to themselves.
    Withheld,
    /// Anything else: a short code, a national number, a form of address added after this was written.
    Other(String),
}

/// What the carrier writes in place of a number it does not tell. The numbers are the words on a telephone's keys:
/// ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN, UNAVAILABLE, PRIVATE.
const WITHHELD: [&str; 14] = [
    "",
    "anonymous",
    "blocked",
    "private",
    "restricted",
    "unavailable",
    "unknown",
    "anonymous@anonymous.invalid",
    "266696687",
    "7378742833",
    "2562533",
    "8656696",
    "86282452253",
    "7748283",
];

impl Address {
    /// Reads an address; nothing is refused.
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        let bare = text.strip_prefix("sip:").unwrap_or(text);
        let bare = bare.strip_prefix('+').unwrap_or(bare);
        if WITHHELD.iter().any(|word| bare.eq_ignore_ascii_case(word)) {
            return Self::Withheld;
        }
        if let Some(name) = text.strip_prefix("client:") {
            return Self::Client(name.to_owned());
        }
        if let Some(address) = text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:")) {
            return Self::Sip(address.to_owned());
        }
        if let Some(number) = text.strip_prefix("whatsapp:")
            && is_e164(number)
        {
            return Self::WhatsApp(number.to_owned());
        }
        if is_e164(text) { Self::Phone(text.to_owned()) } else { Self::Other(text.to_owned()) }
    }

    /// Returns the address as the carrier writes it, so that [`Address::of`] reads it again; empty when withheld.
    pub fn text(&self) -> String {
        match self {
            Self::Phone(number) | Self::Other(number) => number.clone(),
            Self::WhatsApp(number) => format!("whatsapp:{number}"),
            Self::Client(name) => format!("client:{name}"),
            Self::Sip(address) => format!("sip:{address}"),
            Self::Withheld => String::new(),
        }
    }

    /// Returns the telephone number in E.164 under which this person can be called back, if there is one.
    pub fn phone_number(&self) -> Option<&str> {
        match self {
            Self::Phone(number) | Self::WhatsApp(number) => Some(number),
            Self::Client(_) | Self::Sip(_) | Self::Withheld | Self::Other(_) => None,
        }
    }
}

impl std::fmt::Debug for Address {
    /// Shows the kind only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Phone(_) => "Phone",
            Self::WhatsApp(_) => "WhatsApp",
            Self::Client(_) => "Client",
            Self::Sip(_) => "Sip",
            Self::Withheld => "Withheld",
            Self::Other(_) => "Other",
        })
    }
}

/// Returns whether the text is `+` and 3 to 15 digits, the first of them not 0 (ITU-T E.164 section 6).
fn is_e164(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
}

//! What people send the office.

use std::fmt;

use serde::{Deserialize, Serialize};
use telephony::AccountId;
use telephony::wire::Address;
use units::Pii;

use crate::id::MessageId;
use crate::time::UnixTime;

/// Who carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Twilio: `WhatsApp` and SMS.
    Twilio,
    /// Meta's Cloud API: `WhatsApp` only.
    Meta,
}

/// A message from somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Its name; the same on each repetition of the webhook.
    pub id: MessageId,
    /// Who brought it.
    pub provider: Provider,
    /// Who sent it. [`Address::WhatsApp`] or, for an SMS, mostly [`Address::Phone`].
    pub from: Pii<Address>,
    /// Which of the office's numbers it was sent to.
    pub to: Pii<Address>,
    /// What the sender calls themselves.
    pub profile_name: Option<Pii<String>>,
    /// When it was sent; where the provider does not say (Twilio), when it came in.
    pub at: UnixTime,
    /// What it says.
    pub content: Content,
    /// The message it is a reply to.
    pub reply_to: Option<MessageId>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Words.
    Text(Pii<String>),
    /// Pictures, films, documents or sound, with words or without.
    Media {
        /// The files, at least one. `WhatsApp` brings one at a time, an MMS up to ten.
        items: Vec<Media>,
        /// The words that came with them.
        caption: Option<Pii<String>>,
    },
    /// Something spoken into the telephone, to be transcribed.
    VoiceNote(Media),
    /// A button was pressed, or a line of a list chosen.
    Button {
        /// What the office called the button when it offered it.
        payload: Pii<String>,
        /// What the sender read on it.
        text: Pii<String>,
    },
    /// A place.
    Location(Pii<Location>),
    /// A sign under an earlier message.
    Reaction {
        /// The message reacted to.
        to: MessageId,
        /// The sign; `None` when it was taken back.
        emoji: Option<Pii<String>>,
    },
    /// Entries of an address book.
    Contacts(Pii<Vec<Contact>>),
    /// A kind this program does not know: it is kept and shown, not understood.
    Unknown {
        /// The provider's word for it: at most 32 ASCII letters, digits, `_` and `-`.
        kind: String,
    },
}

/// A file that waits at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Where it waits.
    pub source: MediaSource,
    /// What it is.
    pub kind: MediaKind,
    /// Its media type as the provider states it, without parameters and in lower case, such as `image/jpeg`.
    pub content_type: String,
    /// SHA-256 of its bytes, where the provider says so.
    pub sha256: Option<[u8; 32]>,
    /// What the sender called it.
    pub file_name: Option<Pii<String>>,
}

/// Where a file waits. The shell builds the URL on the provider's own host; no URL of a webhook is followed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaSource {
    /// At Twilio, `/2010-04-01/Accounts/{account}/Messages/{message}/Media/{media}`.
    Twilio {
        /// The account.
        account: AccountId,
        /// The message (`SM…` or `MM…`): letters and digits only.
        message: String,
        /// The file (`ME…`): letters and digits only.
        media: String,
    },
    /// At Meta: `GET /{media}` tells the URL.
    Meta {
        /// The file: letters, digits, `-` and `_` only.
        media: String,
    },
}

impl fmt::Debug for MediaSource {
    /// Shows the provider only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Twilio { .. } => "Twilio",
            Self::Meta { .. } => "Meta",
        })
    }
}

/// What a file is, by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// `image/…`.
    Image,
    /// `image/webp`, where the provider says that it is a sticker.
    Sticker,
    /// `audio/…`.
    Audio,
    /// `video/…`.
    Video,
    /// Anything else.
    Document,
}

impl MediaKind {
    /// Returns the kind of a media type.
    pub fn of(content_type: &str) -> Self {
        match content_type.split('/').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "image" => Self::Image,
            "audio" => Self::Audio,
            "video" => Self::Video,
            _ => Self::Document,
        }
    }
}

/// A place on Earth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Millionths of a degree, north positive, -90,000,000 to 90,000,000.
    pub latitude_micros: i32,
    /// Millionths of a degree, east positive, -180,000,000 to 180,000,000.
    pub longitude_micros: i32,
    /// What the place is called.
    pub name: Option<String>,
    /// Its postal address.
    pub address: Option<String>,
}

/// An entry of an address book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Who it is.
    pub name: Option<String>,
    /// The numbers, as they were written.
    pub phones: Vec<String>,
}

/// Returns millionths of a degree, or `None` beyond `limit` degrees either way.
pub(crate) fn micros_of_degrees(degrees: f64, limit: f64) -> Option<i32> {
    #[expect(clippy::cast_possible_truncation, reason = "at most 180 million, by the comparison before it")]
    (degrees.is_finite() && degrees.abs() <= limit).then(|| (degrees * 1e6).round() as i32)
}

/// Returns a media type without parameters, in lower case, or `None` if it is not `word/word`.
pub(crate) fn media_type(text: &str) -> Option<String> {
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/')?;
    let is_word = |word: &str| {
        (1..=127).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    (is_word(kind) && is_word(subtype)).then_some(essence)
}

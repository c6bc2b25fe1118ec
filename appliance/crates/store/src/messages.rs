//! Keys and rows of text messages.

use std::fmt;
use std::str::FromStr;

use messaging::{Content, MessageId, OutboundContent, Progress, Provider, Refusal};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use units::{Language, ParseIdError, Pii};

use crate::key::{TableKey, split_number};

/// Bytes of a [`ConversationId`].
const ID_LEN: usize = 16;

/// Names the conversation of one sender with one number of the office, whoever carries it. Written as 32 hexadecimal
/// digits: a digest, so that no number stands in an address or a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConversationId([u8; ID_LEN]);

impl ConversationId {
    /// Returns the conversation of two addresses: `theirs`, and the office's.
    pub fn of(theirs: &str, ours: &str) -> Self {
        let digest = Sha256::new().chain_update(theirs).chain_update([0]).chain_update(ours).finalize();
        let mut id = [0; ID_LEN];
        for (byte, from) in id.iter_mut().zip(digest) {
            *byte = from;
        }
        Self(id)
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConversationId({self})")
    }
}

impl FromStr for ConversationId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let clean = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if text.len() != ID_LEN * 2 || !clean {
            return Err(ParseIdError);
        }
        let mut id = [0; ID_LEN];
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_error| ParseIdError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_error| ParseIdError)?;
        }
        Ok(Self(id))
    }
}

impl TryFrom<String> for ConversationId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ConversationId> for String {
    fn from(id: ConversationId) -> Self {
        id.to_string()
    }
}

impl TableKey for ConversationId {
    fn encode(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// Names a message: its conversation and its place in it. Written `<conversation>-<milliseconds since 1970>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageKey {
    /// The conversation.
    pub conversation: ConversationId,
    /// When it came or was written, in milliseconds since 1970; later than every message of the conversation before it.
    pub at_ms: u64,
}

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.conversation, self.at_ms)
    }
}

impl FromStr for MessageKey {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (conversation, at) = text.split_once('-').ok_or(ParseIdError)?;
        let clean = !at.is_empty() && at.bytes().all(|byte| byte.is_ascii_digit());
        let at_ms = at.parse().ok().filter(|_| clean).ok_or(ParseIdError)?;
        Ok(Self { conversation: conversation.parse()?, at_ms })
    }
}

impl TryFrom<String> for MessageKey {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MessageKey> for String {
    fn from(key: MessageKey) -> Self {
        key.to_string()
    }
}

impl TableKey for MessageKey {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.conversation.encode();
        bytes.extend(self.at_ms.encode());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (conversation, rest) = bytes.split_at_checked(ID_LEN)?;
        let (at_ms, rest) = split_number(rest)?;
        let conversation = ConversationId::decode(conversation)?;
        rest.is_empty().then_some(Self { conversation, at_ms })
    }
}

/// Work on messages that is still to be done, and requests that were made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutgoingKey {
    /// A message of ours to be sent.
    Send(MessageKey),
    /// A message from somebody to be worked on: its files fetched, its sound heard, its answer written.
    Answer(MessageKey),
    /// Something the owner is to be told, by the name of what it tells of.
    Notice(String),
    /// A request to send, by the SHA-256 of the name its maker gave it.
    Request([u8; 32]),
}

impl OutgoingKey {
    pub(crate) const SEND: u8 = 1;
    pub(crate) const ANSWER: u8 = 2;
    pub(crate) const NOTICE: u8 = 3;
    pub(crate) const REQUEST: u8 = 4;

    /// Returns the key of a request named `name`.
    pub fn request(name: &str) -> Self {
        Self::Request(Sha256::digest(name.as_bytes()).into())
    }
}

impl TableKey for OutgoingKey {
    fn encode(&self) -> Vec<u8> {
        let (kind, rest) = match self {
            Self::Send(key) => (Self::SEND, key.encode()),
            Self::Answer(key) => (Self::ANSWER, key.encode()),
            Self::Notice(name) => (Self::NOTICE, name.encode()),
            Self::Request(digest) => (Self::REQUEST, digest.to_vec()),
        };
        [vec![kind], rest].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        match kind {
            Self::SEND => MessageKey::decode(rest).map(Self::Send),
            Self::ANSWER => MessageKey::decode(rest).map(Self::Answer),
            Self::NOTICE => String::decode(rest).map(Self::Notice),
            Self::REQUEST => rest.try_into().ok().map(Self::Request),
            _ => None,
        }
    }
}

/// One conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConversationRow {
    /// The sender's address, as `whatsapp:+972…` or `+972…`.
    pub theirs: Pii<String>,
    /// The office's.
    pub ours: Pii<String>,
    /// Who answers, the window, what came before.
    pub state: messaging::Conversation,
    /// What the sender calls themselves.
    pub name: Option<Pii<String>>,
    /// The language last written in.
    pub language: Option<Language>,
    /// The place of the newest message.
    pub last_ms: u64,
    /// The first message of the form that is being filled; `None` between two.
    pub form_since_ms: Option<u64>,
    /// Whether what comes next is taken as a free message, because the form came to nothing.
    pub takes_free_message: bool,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The sender, to the office.
    Contact,
    /// The language model, or whoever took over from it in the same answer.
    Model,
    /// The receptionist of this device.
    Receptionist,
    /// A person of the office.
    Person,
    /// This device: to the owner, or that a person will answer from here on.
    Notice,
    /// This device: that it has understood a wish to opt out or in.
    Confirmation,
    /// A word of a newer release.
    #[serde(other)]
    Unknown,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// Somebody to the office.
    Inbound(Content),
    /// The office to somebody.
    Outbound(OutboundContent),
}

/// How far a message of ours is on its way to the provider; from there on [`Progress`] tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Delivery {
    /// It waits.
    #[default]
    Queued,
    /// It is being handed to the provider.
    Sending,
    /// The provider took it.
    Accepted,
    /// It was not sent, and will not be.
    Refused {
        /// Why.
        refusal: Refusal,
        /// The provider's code, where it gave one.
        code: Option<u32>,
    },
    /// It may have been sent or not; it is not sent again.
    Uncertain,
    /// It was taken back before it was sent: a person took over, or it waited too long.
    Withdrawn,
}

/// What became of a file somebody sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// It is still at the provider.
    #[default]
    Waiting,
    /// It is here.
    Here,
    /// It has more bytes than are taken.
    TooLarge,
    /// Its digest is not the one announced.
    Damaged,
    /// The provider does not have it any more, or never gave it.
    Missing,
    /// It was here; retention took it.
    Dropped,
}

/// A file of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileRow {
    /// What became of it.
    pub state: FileState,
    /// Its name in the folder of files, while it is here.
    pub name: Option<String>,
    /// How many bytes it has.
    pub bytes: u64,
}

/// What a voice note says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    /// The words; empty when there were none.
    pub text: Pii<String>,
    /// Their language.
    pub language: Language,
}

/// A piece of what a language model made of a message, so that the dialogue can be led again to where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thought {
    /// It said this.
    Text(Pii<String>),
    /// It called a tool.
    Call {
        /// The call's name.
        id: String,
        /// The tool's.
        name: String,
        /// The arguments, as JSON text.
        arguments: Pii<String>,
    },
    /// It ended well.
    End,
    /// It broke off, and the receptionist went on.
    Alone,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    /// What it says.
    pub said: Said,
    /// Who wrote it.
    pub author: Author,
    /// When it was sent, as the provider or this device says, in milliseconds since 1970.
    pub wall_ms: u64,
    /// Who carries it; `None` for one of ours that was not handed over.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// The provider's name for it.
    #[serde(default)]
    pub provider_id: Option<MessageId>,
    /// The message it is a reply to, by the provider's name.
    #[serde(default)]
    pub reply_to: Option<MessageId>,
    /// The files in it, in the order of the content.
    #[serde(default)]
    pub files: Vec<FileRow>,
    /// What a voice note says, once it was heard.
    #[serde(default)]
    pub transcript: Option<Transcript>,
    /// What the model made of it, if it was asked.
    #[serde(default)]
    pub thoughts: Vec<Thought>,
    /// Whether the form heard it, with our answer's place; the dialogue is led again through those that were.
    #[serde(default)]
    pub answered_ms: Option<u64>,
    /// How far one of ours is on its way to the provider.
    #[serde(default)]
    pub delivery: Delivery,
    /// What the provider says became of one of ours.
    #[serde(default)]
    pub progress: Progress,
}

impl MessageRow {
    /// Makes a message that somebody or we wrote at `wall_ms`.
    pub fn new(said: Said, author: Author, wall_ms: u64) -> Self {
        Self {
            said,
            author,
            wall_ms,
            provider: None,
            provider_id: None,
            reply_to: None,
            files: Vec::new(),
            transcript: None,
            thoughts: Vec::new(),
            answered_ms: None,
            delivery: Delivery::default(),
            progress: Progress::default(),
        }
    }
}

/// Something the owner is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeRow {
    /// What kind of thing, as in the configuration.
    pub kind: String,
    /// The values of its template: who, and what was said.
    pub values: Vec<Pii<String>>,
    /// Not told before this moment, in milliseconds since 1970: something that says more may take its place.
    #[serde(default)]
    pub not_before_ms: u64,
}

/// A row of work, or of a request that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutgoingRow {
    /// When it was put here, in milliseconds since 1970.
    pub put_ms: u64,
    /// Whether it was being handed to the provider; whether it got there nobody knows.
    pub sending: bool,
    /// Whether the message is to be answered, beside being looked at.
    pub reply: bool,
    /// What the owner is to be told.
    pub notice: Option<NoticeRow>,
    /// The message that a request made.
    pub message: Option<MessageKey>,
    /// The SHA-256 of the request's body, in hexadecimal: the same name for another request is a mistake.
    pub digest: String,
}

/// What is known under a provider's name for a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageByIdRow {
    /// The message, unless only its status came in so far.
    pub message: Option<MessageKey>,
    /// What came in before the message was known.
    pub early: Progress,
    /// When it came in first, in milliseconds since 1970.
    pub first_ms: u64,
}

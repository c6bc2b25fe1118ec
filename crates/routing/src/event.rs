//! What a course is told, and what it says.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who takes calls at this hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// The receptionist of the box.
    #[default]
    Receptionist,
    /// A person of the office.
    Human,
    /// Voicemail.
    Voicemail,
}

/// What there is right now to hold a conversation with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Means {
    /// Whether one call more may have a media stream.
    pub has_room: bool,
    /// Whether a caller can be heard and spoken to.
    pub can_converse: bool,
}

/// A call as it comes in, or as somebody picks up whom the box called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Who takes calls at this hour.
    pub route: Route,
    /// Whether the number is on the block list.
    pub is_blocked: bool,
    /// Whether the number called too often lately.
    pub is_hurried: bool,
    /// Who picked up, on a call that the box placed; `None` on a call that came in.
    pub called_back: Option<Answerer>,
    /// What there is to hold a conversation with.
    pub means: Means,
}

/// Who picked up a call of ours, as far as the carrier can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answerer {
    /// A person.
    Human,
    /// An answering machine; its greeting is over.
    Machine,
    /// A fax.
    Fax,
    /// The carrier could not tell.
    Unknown,
}

/// How a media stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Everything was said.
    HangUp,
    /// The caller shall leave a message with the carrier.
    Voicemail,
    /// The caller wants a person.
    Transfer,
}

/// How a person's telephone was rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialEnd {
    /// Somebody, or something, picked up.
    Answered,
    /// The line was busy.
    Busy,
    /// Nobody picked up.
    NoAnswer,
    /// It could not be rung.
    Failed,
    /// The caller hung up meanwhile.
    Canceled,
}

/// What happened to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It came in, or was picked up.
    Arrived(Arrival),
    /// The caller was asked whether the call may be recorded.
    ConsentAnswered {
        /// Whether it may.
        agreed: bool,
        /// What there is to hold a conversation with.
        means: Means,
    },
    /// The media stream was expected and did not start.
    StreamOverdue,
    /// The media stream is over, and this was decided in it.
    StreamEnded {
        /// What.
        ending: Ending,
    },
    /// The carrier asks how the call goes on after its stream.
    StreamAsked,
    /// The person picked up, and the carrier asks what to say before the two are connected.
    PersonAnswered,
    /// The person pressed the key to take the call, or another one.
    PersonKeyed {
        /// Whether it was the key.
        accepts: bool,
    },
    /// The person's telephone rings no more.
    DialEnded {
        /// How it ended.
        result: DialEnd,
        /// Whether the carrier connected the two, where it says so.
        bridged: Option<bool>,
        /// What there is to hold a conversation with.
        means: Means,
    },
    /// The carrier recorded a message.
    MessageTaken,
    /// The call is over for the carrier.
    Over,
}

/// Why a caller is asked for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoicemailCause {
    /// The hours say so.
    Hours,
    /// The number is on the block list.
    Blocked,
    /// The number calls too often.
    Hurried,
    /// All lines are taken.
    NoRoom,
    /// The box cannot hear or speak.
    Unwell,
    /// The media stream did not start.
    NoStream,
    /// It was decided in the conversation, or the stream broke.
    Conversation,
    /// No person took the call.
    NobodyAnswered,
    /// The same call asks again, or nothing is known of it.
    Unknown,
}

/// What the carrier shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum Way {
    /// Not answer: the caller hears that the line is busy.
    Refuse,
    /// Ask whether the call may be recorded.
    AskConsent,
    /// Open a media stream to the receptionist.
    Converse {
        /// Whether the caller spoke to the receptionist before, and comes back because no person took the call.
        returned: bool,
        /// Whether the call may be recorded.
        may_record: bool,
    },
    /// Ring the person.
    Dial,
    /// Tell the person who calls and why, and ask for the key.
    Announce,
    /// Connect the two.
    PutThrough,
    /// Let go of the person, who does not take the call.
    LetGo,
    /// Ask for a message.
    Voicemail {
        /// Why.
        cause: VoicemailCause,
    },
    /// Say that the office called back, to an answering machine, and end the call.
    LeaveWord,
    /// Thank for the message and end the call.
    Thank,
    /// End the call.
    HangUp,
    /// Free the line at once, without waiting to be asked.
    Complete,
    /// Nothing.
    Nothing,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrived(arrival) => match arrival.called_back {
                Some(answerer) => write!(f, "picked up by {answerer:?}"),
                None => write!(f, "call came in, hours say {:?}", arrival.route),
            },
            Self::ConsentAnswered { agreed: true, .. } => f.write_str("caller agrees to a recording"),
            Self::ConsentAnswered { agreed: false, .. } => f.write_str("caller does not agree to a recording"),
            Self::StreamOverdue => f.write_str("media stream did not start"),
            Self::StreamEnded { ending } => write!(f, "media stream over: {ending:?}"),
            Self::StreamAsked => f.write_str("carrier asks what follows the stream"),
            Self::PersonAnswered => f.write_str("person picked up"),
            Self::PersonKeyed { accepts: true } => f.write_str("person takes the call"),
            Self::PersonKeyed { accepts: false } => f.write_str("person does not take the call"),
            Self::DialEnded { result, bridged, .. } => write!(f, "dialling ended: {result:?}, connected {bridged:?}"),
            Self::MessageTaken => f.write_str("message recorded"),
            Self::Over => f.write_str("call over"),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse => f.write_str("refuse as busy"),
            Self::AskConsent => f.write_str("ask for consent"),
            Self::Converse { returned: false, .. } => f.write_str("to the receptionist"),
            Self::Converse { returned: true, .. } => f.write_str("back to the receptionist"),
            Self::Dial => f.write_str("ring the person"),
            Self::Announce => f.write_str("announce the caller"),
            Self::PutThrough => f.write_str("put through"),
            Self::LetGo => f.write_str("let go of the person"),
            Self::Voicemail { cause } => write!(f, "voicemail ({cause:?})"),
            Self::LeaveWord => f.write_str("leave word"),
            Self::Thank => f.write_str("thank and end"),
            Self::HangUp => f.write_str("end"),
            Self::Complete => f.write_str("free the line"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

//! Call markup (TwiML): what the carrier shall do next, as typed verbs.
//!
//! A [`Response`] is written by [`Response::write`] and read back by [`read()`]. The writer escapes everything and leaves
//! out what XML cannot carry; the reader takes what the writer can say and refuses anything else by name, because a
//! misspelt attribute is silently ignored by a real carrier and then costs a caller.
//!
//! Elements and attributes: <https://www.twilio.com/docs/voice/twiml>.

mod read;
mod write;

use std::fmt;

pub use self::read::{ReadError, read};
pub use self::write::{MAX_DOCUMENT_BYTES, MAX_PARAMETER_CHARS, WriteError, is_legal_char};

/// A document: verbs in the order they are carried out. When the last is done, the call ends.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The verbs.
    pub verbs: Vec<Verb>,
}

impl Response {
    /// Returns an empty document, which ends a call and is the right answer to a status callback.
    pub const fn new() -> Self {
        Self { verbs: Vec::new() }
    }

    /// Returns the document with one verb more at its end.
    pub fn then(mut self, verb: impl Into<Verb>) -> Self {
        self.verbs.push(verb.into());
        self
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Play a sound.
    Play(Play),
    /// Speak a text with a voice of the carrier's.
    Say(Say),
    /// Wait.
    Pause(Pause),
    /// Connect the call's audio to a WebSocket until that closes.
    Connect(Connect),
    /// Record the caller.
    Record(Record),
    /// Collect keys.
    Gather(Gather),
    /// Call somebody else and connect the two.
    Dial(Dial),
    /// Go on with another document.
    Redirect(Redirect),
    /// Refuse a call without answering it.
    Reject(Reject),
    /// End the call.
    Hangup,
}

/// Makes each verb's struct a [`Verb`].
macro_rules! into_verb {
    ($($name:ident),*) => {
        $(impl From<$name> for Verb {
            fn from(verb: $name) -> Self {
                Self::$name(verb)
            }
        })*
    };
}

into_verb!(Play, Say, Pause, Connect, Record, Gather, Dial, Redirect, Reject);

/// An attribute whose value is one of a few words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the word in the markup.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
    };
}

words! {
    /// How the carrier asks for a URL. Default POST.
    HttpMethod {
        /// `GET`.
        Get = "GET",
        /// `POST`.
        Post = "POST",
    }
}
words! {
    /// Whether silence at both ends of a recording is cut. The carrier's default is to cut.
    Trim {
        /// Cut it.
        TrimSilence = "trim-silence",
        /// Keep it. Cutting was seen to halve a message.
        DoNotTrim = "do-not-trim",
    }
}
words! {
    /// Which audio a stream carries. Under `<Connect>` it is always the caller's.
    Track {
        /// What the caller says.
        Inbound = "inbound_track",
        /// What the caller hears.
        Outbound = "outbound_track",
        /// Both.
        Both = "both_tracks",
    }
}
words! {
    /// What the caller hears when a call is refused.
    RejectReason {
        /// Not in service.
        Rejected = "rejected",
        /// Busy.
        Busy = "busy",
    }
}
words! {
    /// What a `<Gather>` listens for.
    GatherInput {
        /// Keys.
        Dtmf = "dtmf",
        /// Speech, recognized by the carrier.
        Speech = "speech",
        /// Both.
        Both = "dtmf speech",
    }
}

/// `<Play>`: a sound by URL (WAV, MP3, µ-law), or keys to press.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Play {
    /// Where the sound is; empty when only keys are pressed.
    pub url: String,
    /// How many times; 0 is until the call ends. Default 1.
    pub repeat: Option<u32>,
    /// Keys to press instead; `w` waits half a second.
    pub digits: Option<String>,
}

impl Play {
    /// Returns the verb that plays the sound at `url` once.
    #[must_use]
    pub fn url(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }
}

/// `<Say>`: a text in a voice of the carrier's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Say {
    /// The text.
    pub text: String,
    /// Language tag, such as `he-IL`.
    pub language: Option<String>,
    /// Voice, such as `Google.he-IL-Wavenet-A`. Hebrew has no other family.
    pub voice: Option<String>,
    /// How many times; 0 is until the call ends. Default 1.
    pub repeat: Option<u32>,
}

/// `<Pause>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    /// How long, in whole seconds. Default 1.
    pub length_s: Option<u32>,
}

/// `<Connect>` with a `<Stream>`: the call's audio goes to a WebSocket and comes from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// Where to ask what is next, when the stream is over. Without it the next verb follows.
    pub action: Option<String>,
    /// How to ask there.
    pub method: Option<HttpMethod>,
    /// The stream.
    pub stream: Stream,
}

/// `<Stream>`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// `wss` URL without a query.
    pub url: String,
    /// The stream's name in status callbacks.
    pub name: Option<String>,
    /// Which audio.
    pub track: Option<Track>,
    /// Absolute URL told when the stream starts, stops or fails.
    pub status_callback: Option<String>,
    /// How to tell it.
    pub status_callback_method: Option<HttpMethod>,
    /// Names and values handed over in the stream's `start` message, in this order.
    pub parameters: Vec<(String, String)>,
}

impl fmt::Debug for Stream {
    /// Leaves out URL and values of parameters: there are one-time tokens among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.parameters.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Stream").field("parameters", &names).finish_non_exhaustive()
    }
}

/// `<Record>`: voicemail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Where to ask what is next. Without it the current document is asked for again, for ever.
    pub action: Option<String>,
    /// How to ask there.
    pub method: Option<HttpMethod>,
    /// Silence that ends the recording, in whole seconds. Default 5.
    pub timeout_s: Option<u32>,
    /// Keys that end it. Default all.
    pub finish_on_key: Option<String>,
    /// Longest recording, in whole seconds. Default 3600.
    pub max_length_s: Option<u32>,
    /// Whether a tone is played before. Default yes.
    pub play_beep: Option<bool>,
    /// Whether silence is cut.
    pub trim: Option<Trim>,
    /// Whether the carrier transcribes (not in Hebrew). Default no.
    pub transcribe: Option<bool>,
    /// Absolute URL told when the recording can be fetched.
    pub recording_status_callback: Option<String>,
    /// How to tell it.
    pub recording_status_callback_method: Option<HttpMethod>,
    /// Which events to tell, separated by spaces: `in-progress completed absent`. Default `completed`.
    pub recording_status_callback_event: Option<String>,
}

/// `<Gather>`: keys, while something is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gather {
    /// What to listen for. Default keys.
    pub input: Option<GatherInput>,
    /// Where the keys are sent.
    pub action: Option<String>,
    /// How to send them.
    pub method: Option<HttpMethod>,
    /// Longest wait for the next key, in whole seconds. Default 5.
    pub timeout_s: Option<u32>,
    /// The key that ends the input. Default `#`.
    pub finish_on_key: Option<String>,
    /// How many keys end the input.
    pub num_digits: Option<u32>,
    /// Language of speech, such as `he-IL`.
    pub language: Option<String>,
    /// Whether the action is asked even if no key was pressed. Default no.
    pub action_on_empty_result: Option<bool>,
    /// What is played meanwhile: `Say`, `Play` and `Pause` only.
    pub prompts: Vec<Verb>,
}

/// `<Dial>`: transfer to telephone numbers, the first to answer wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dial {
    /// Where to ask what is next, when the transfer is over. Without it the next verb follows.
    pub action: Option<String>,
    /// How to ask there.
    pub method: Option<HttpMethod>,
    /// How long to ring, in whole seconds. Default 30.
    pub timeout_s: Option<u32>,
    /// Longest conversation, in whole seconds. Default 4 hours.
    pub time_limit_s: Option<u32>,
    /// The number shown to whom is called.
    pub caller_id: Option<units::Pii<String>>,
    /// Whether the caller's call counts as answered only when the other side answers.
    pub answer_on_bridge: Option<bool>,
    /// Whom to call.
    pub numbers: Vec<Number>,
}

/// `<Number>`: one telephone to ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Number {
    /// The number in E.164.
    pub number: units::Pii<String>,
    /// Keys to press when it is answered; `w` waits half a second.
    pub send_digits: Option<String>,
    /// Markup played to whom answers, before the two are connected.
    pub url: Option<String>,
    /// How to ask for it.
    pub method: Option<HttpMethod>,
    /// URL told how this leg goes.
    pub status_callback: Option<String>,
}

/// `<Redirect>`: go on with the document at another URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirect {
    /// Where; absolute or relative to the current document.
    pub url: String,
    /// How to ask there.
    pub method: Option<HttpMethod>,
}

impl Redirect {
    /// Returns the verb that goes on at `url`.
    #[must_use]
    pub fn to(url: impl Into<String>) -> Self {
        Self { url: url.into(), method: None }
    }
}

/// `<Reject>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reject {
    /// What the caller hears. Default `rejected`.
    pub reason: Option<RejectReason>,
}

#[cfg(test)]
mod tests;

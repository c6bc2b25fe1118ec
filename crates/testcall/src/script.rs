//! What the caller does and what goes wrong: data, readable from TOML.
//!
//! ```toml
//! [[steps]]
//! wait_for_agent_to_finish = {}
//!
//! [[steps]]
//! say = { text = "I want to leave a message", language = "en" }
//!
//! [[steps]]
//! wait_end = { limit = "20s" }
//! ```

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use units::{Language, Pii};

use crate::playout::MarkEcho;

/// One call: who rings whom, what the caller does, and what goes wrong on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallScript {
    /// The caller's number. Default a number that belongs to nobody.
    pub from: Pii<String>,
    /// The number that is rung.
    pub to: Pii<String>,
    /// What the caller does while the media stream is open. After the last step the caller hangs up.
    pub steps: Vec<Step>,
    /// What the caller does on the second media stream of the same call, on the third, and so on: after a transfer that
    /// failed, for example. A stream without steps is hung up on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub later_streams: Vec<Vec<Step>>,
    /// What the caller does when asked to press keys or to leave a recording. After the last step the caller is silent.
    pub voicemail: Vec<Step>,
    /// The caller hangs up at this time after the call was answered, whatever is going on. Default never.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub hang_up_after: Option<Duration>,
    /// How a number that the box dials answers.
    pub dial: DialAnswer,
    /// What goes wrong.
    pub faults: Faults,
}

impl Default for CallScript {
    fn default() -> Self {
        Self {
            from: Pii::new("+972500000001".to_owned()),
            to: Pii::new("+972700000000".to_owned()),
            steps: Vec::new(),
            later_streams: Vec::new(),
            voicemail: Vec::new(),
            hang_up_after: None,
            dial: DialAnswer::default(),
            faults: Faults::default(),
        }
    }
}

impl CallScript {
    /// Returns a script of these steps, from and to the default numbers, where nothing goes wrong.
    pub fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), ..Self::default() }
    }

    /// Returns the script with what the caller says to voicemail.
    #[must_use]
    pub fn with_voicemail(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.voicemail = steps.into_iter().collect();
        self
    }

    /// Returns the script with what the caller does on the next media stream of the same call.
    #[must_use]
    pub fn with_later_stream(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.later_streams.push(steps.into_iter().collect());
        self
    }

    /// Returns the script with how a number that the box dials answers.
    #[must_use]
    pub fn with_dial(mut self, dial: DialAnswer) -> Self {
        self.dial = dial;
        self
    }

    /// Returns the script with what goes wrong.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }
}

/// One thing the caller does. The next begins when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Says a text.
    Say {
        /// What is said.
        text: Pii<String>,
        /// The language it is in. Default Hebrew.
        #[serde(default)]
        language: Language,
    },
    /// Plays a WAV file as the caller's voice.
    PlayWav {
        /// The file: 16 bit PCM or µ-law, mono, any rate.
        path: PathBuf,
    },
    /// Waits until the agent has said something since this step began (or was just saying it) and then is quiet.
    WaitForAgentToFinish {
        /// How long the agent has to be quiet. Default 900 ms, longer than a synthesizer's gap between sentences.
        #[serde(with = "humantime_serde", default = "default_quiet")]
        quiet: Duration,
        /// How long to wait at most, in stream time. Default 30 s. Then the script goes on, and the report says so.
        #[serde(with = "humantime_serde", default = "default_limit")]
        limit: Duration,
    },
    /// Waits until the agent has been heard for a while.
    WaitUntilAgentSpeaks {
        /// How much speech of the agent is waited for. Default 20 ms, the first frame.
        #[serde(rename = "for", with = "humantime_serde", default = "one_frame")]
        lasting: Duration,
        /// How long to wait at most, in stream time. Default 30 s.
        #[serde(with = "humantime_serde", default = "default_limit")]
        limit: Duration,
    },
    /// Waits until the agent has been heard for `after`, then speaks over it.
    Interrupt {
        /// What is said.
        text: Pii<String>,
        /// The language it is in. Default Hebrew.
        #[serde(default)]
        language: Language,
        /// How much of the agent is heard first. Default 1 s.
        #[serde(with = "humantime_serde", default = "default_interrupt_after")]
        after: Duration,
    },
    /// Is silent.
    Silence {
        /// For how long, in stream time.
        #[serde(rename = "for", with = "humantime_serde")]
        lasting: Duration,
    },
    /// Presses keys, one every 200 ms.
    Dtmf {
        /// `0` to `9`, `*`, `#`, `A` to `D`; anything else is skipped.
        digits: Pii<String>,
    },
    /// Hangs up.
    Hangup {},
    /// Is silent until the other side ends the call.
    WaitEnd {
        /// How long to wait at most, in stream time. Default 60 s. Then the caller hangs up, and the report says so.
        #[serde(with = "humantime_serde", default = "default_end_limit")]
        limit: Duration,
    },
}

impl Step {
    /// How long an interrupting caller waits for the agent to say something to interrupt.
    pub(crate) const INTERRUPT_LIMIT: Duration = default_limit();

    /// Returns a step that says `text`.
    pub fn say(text: impl Into<String>, language: Language) -> Self {
        Self::Say { text: Pii::new(text.into()), language }
    }

    /// Returns a step that waits for the agent to finish, with the default times.
    pub fn wait_for_agent() -> Self {
        Self::WaitForAgentToFinish { quiet: default_quiet(), limit: default_limit() }
    }

    /// Returns a step that interrupts the agent after the default time.
    pub fn interrupt(text: impl Into<String>, language: Language) -> Self {
        Self::Interrupt { text: Pii::new(text.into()), language, after: default_interrupt_after() }
    }

    /// Returns a step that is silent for `lasting`.
    pub fn silence(lasting: Duration) -> Self {
        Self::Silence { lasting }
    }

    /// Returns a step that waits for the other side to end the call, with the default limit.
    pub fn wait_end() -> Self {
        Self::WaitEnd { limit: default_end_limit() }
    }

    /// Returns a step that presses keys.
    pub fn keys(digits: impl Into<String>) -> Self {
        Self::Dtmf { digits: Pii::new(digits.into()) }
    }
}

/// How a number that the box dials answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialAnswer {
    /// Nobody answers within the time-out.
    #[default]
    NoAnswer,
    /// The line is busy.
    Busy,
    /// The number cannot be reached at all.
    Failed,
    /// Somebody answers, presses nothing, and hangs up this long after being connected.
    Answered(#[serde(with = "humantime_serde")] Duration),
    /// Somebody answers and does as told.
    Person(Person),
}

/// Somebody who is dialled and answers. Default: presses nothing and talks for 10 s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Person {
    /// How long it rings before. Not longer than the time-out of `<Dial>`: then nobody answered.
    #[serde(with = "humantime_serde")]
    pub rings: Duration,
    /// Keys pressed when the whisper document asks for them, in this order; each `<Gather>` takes as many as it wants.
    pub keys: Pii<String>,
    /// How long caller and person talk once they are connected; then the person hangs up.
    #[serde(with = "humantime_serde")]
    pub talks: Duration,
    /// What the action of `<Dial>` is told when the whisper document ends the leg before the two are connected. The
    /// carrier does not document it.
    pub declined_as: DialStatus,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            rings: Duration::ZERO,
            keys: Pii::new(String::new()),
            talks: Duration::from_secs(10),
            declined_as: DialStatus::Completed,
        }
    }
}

impl Person {
    /// Returns somebody who presses these keys and then talks this long.
    pub fn pressing(keys: impl Into<String>, talks: Duration) -> Self {
        Self { keys: Pii::new(keys.into()), talks, ..Self::default() }
    }
}

/// How a dialled leg ended, in the carrier's words (`DialCallStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialStatus {
    /// It was answered and is over.
    Completed,
    /// Nobody answered.
    NoAnswer,
    /// The line was busy.
    Busy,
    /// The number could not be reached.
    Failed,
    /// It was given up while it rang.
    Canceled,
}

impl DialStatus {
    /// Returns the carrier's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::NoAnswer => "no-answer",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

/// Who or what answers when the box places a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Callee {
    /// A person, who does on media streams and at prompts what a script says.
    Human(Box<CallScript>),
    /// An answering machine.
    Machine {
        /// How long its greeting is.
        #[serde(with = "humantime_serde")]
        greeting: Duration,
        /// Whether a beep follows the greeting.
        beep: bool,
    },
    /// A fax.
    Fax,
    /// Somebody who picks up and says nothing.
    Silent,
    /// Nobody, until the box gives up.
    NoAnswer,
    /// The line is busy.
    Busy,
    /// The number cannot be reached.
    Failed,
}

impl Callee {
    /// Returns a person who does what a script says.
    pub fn human(script: CallScript) -> Self {
        Self::Human(Box::new(script))
    }
}

/// What goes wrong. By default nothing does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// How requests and the stream's handshake are signed.
    pub signature: Signing,
    /// The carrier does not dial the stream; it reports `stream-error` and goes on behind `<Connect>`.
    pub refuse_stream: bool,
    /// The carrier dials the stream this long after it was told to; the caller hears nothing meanwhile.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub late_stream: Option<Duration>,
    /// What becomes of the stream's custom parameters.
    pub parameters: ParameterFault,
    /// The socket is dropped without a closing frame at this stream time.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub drop_socket_after: Option<Duration>,
    /// A second socket is opened for the same call, with the same parameters, 1 s into the stream.
    pub second_socket: bool,
    /// Caller audio is sent under the name of another stream.
    pub wrong_stream_sid: bool,
    /// A media frame is sent before `start`.
    pub media_before_start: bool,
    /// Each webhook is sent twice, the second time as a retry with the same idempotency token.
    pub duplicate_webhooks: bool,
    /// When marks come back.
    pub mark_echo: MarkEcho,
    /// Frames that do not belong there.
    pub injections: Vec<Injection>,
}

/// How requests are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// With the account's key.
    #[default]
    Right,
    /// Not at all.
    Missing,
    /// With another key.
    WrongKey,
}

/// What becomes of the stream's custom parameters, the one-time token among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterFault {
    /// They are passed on.
    #[default]
    None,
    /// They are left out.
    Missing,
    /// Each value is turned back to front.
    Changed,
}

/// A frame that does not belong there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    /// When, in stream time. Default at once.
    #[serde(with = "humantime_serde", default)]
    pub after: Duration,
    /// How many times, one behind the other without a pause. Default once.
    #[serde(default = "once")]
    pub times: u32,
    /// What is sent.
    pub frame: Injected,
}

/// What is sent instead of a proper frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Injected {
    /// A text frame with this content.
    Text(String),
    /// A text frame of this many bytes of nothing.
    LongText(usize),
    /// A binary frame of this many bytes.
    Binary(usize),
    /// A well-formed frame of silence: many of them are a flood.
    Media,
}

const fn default_quiet() -> Duration {
    Duration::from_millis(900)
}

const fn default_limit() -> Duration {
    Duration::from_secs(30)
}

const fn default_end_limit() -> Duration {
    Duration::from_mins(1)
}

const fn default_interrupt_after() -> Duration {
    Duration::from_secs(1)
}

const fn one_frame() -> Duration {
    crate::playout::FRAME
}

const fn once() -> u32 {
    1
}

#[cfg(test)]
mod tests;

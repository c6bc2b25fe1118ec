//! What can happen on a call.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use units::{Language, Pii, SampleCount, SampleRate, TurnId, UtteranceId};

/// The rate at which positions in the caller's and the agent's audio are counted: 8 kHz, the telephone's.
///
/// A detector or voice at another rate converts before it speaks to the core.
pub const MEDIA_RATE: SampleRate = SampleRate::HZ_8000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum Input {
    /// The media stream is open. The first input of every call; call time starts here.
    StreamStarted {
        /// Whether the caller has heard the greeting already.
        greeting: GreetingMode,
    },
    /// The media stream is gone: the caller hung up, or the carrier or the socket closed it.
    StreamStopped,
    /// The caller pressed a key.
    Dtmf {
        /// The key.
        digit: Digit,
    },
    /// The carrier says that the audio before this mark has left its buffer: played, or dropped by a clear.
    MarkReached {
        /// The mark, as it was sent.
        mark: Mark,
    },
    /// The voice activity detector found speech.
    SpeechStarted {
        /// The first sample of speech, from the start of the inbound track, at [`MEDIA_RATE`].
        at: SampleCount,
        /// The newest sample the detector had seen when it said so. Not before `at`.
        detected: SampleCount,
    },
    /// The voice activity detector found the end of speech.
    SpeechEnded {
        /// The sample after the last one of speech (the detector's hangover not counted), at [`MEDIA_RATE`].
        at: SampleCount,
        /// The newest sample the detector had seen when it said so. Not before `at`.
        detected: SampleCount,
    },
    /// The recognizer heard words, or that there are none.
    Transcript {
        /// The turn of the [`Output::Recognize`](crate::Output::Recognize) this answers.
        turn: TurnId,
        /// Its attempt.
        attempt: u32,
        /// Whether more may come for the same attempt.
        stage: Stage,
        /// The words; empty when there are none.
        text: Pii<String>,
        /// The language heard, if the recognizer tells.
        language: Option<Language>,
        /// How sure the recognizer is.
        confidence: Confidence,
    },
    /// The recognizer could not.
    RecognizeFailed {
        /// The turn of the request this answers.
        turn: TurnId,
        /// Its attempt.
        attempt: u32,
        /// Why.
        why: Failure,
    },
    /// The brain has one more whole sentence of its reply.
    ReplySentence {
        /// The turn it replies to.
        turn: TurnId,
        /// What to say.
        text: Pii<String>,
        /// In which language.
        language: Language,
    },
    /// The brain has said all of its reply.
    ReplyDone {
        /// The turn it replies to.
        turn: TurnId,
        /// What is to happen when the caller has heard it.
        next: Next,
    },
    /// The brain could not reply.
    ReplyFailed {
        /// The turn of the request this answers.
        turn: TurnId,
        /// Why.
        why: Failure,
    },
    /// Audio of an utterance exists.
    Synthesized {
        /// The utterance.
        utterance: UtteranceId,
        /// All of its audio so far, at [`MEDIA_RATE`].
        samples: SampleCount,
        /// Whether that is all of it.
        last: bool,
    },
    /// An utterance could not be synthesized, or not to its end.
    SynthesizeFailed {
        /// The utterance.
        utterance: UtteranceId,
        /// Why.
        why: Failure,
    },
    /// The machine cannot serve this call: a queue is full.
    Overload,
    /// The program is about to stop and has waited for the call as long as it could.
    Shutdown,
}

/// Who greets the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GreetingMode {
    /// The carrier has played the greeting before the stream started.
    #[default]
    Play,
    /// The agent speaks it over the stream, where it can be interrupted.
    Stream,
}

/// A key of the telephone: `0` to `9`, `*`, `#`, `A` to `D`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "char", into = "char")]
pub struct Digit(char);

impl Digit {
    /// Returns the key, or `None` if the telephone has no such key.
    pub const fn new(key: char) -> Option<Self> {
        match key {
            '0'..='9' | '*' | '#' | 'A'..='D' => Some(Self(key)),
            'a'..='d' => Some(Self(key.to_ascii_uppercase())),
            _ => None,
        }
    }

    /// Returns the key. What somebody types is personal data: not to be logged.
    pub const fn reveal(self) -> char {
        self.0
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[pii]")
    }
}

impl TryFrom<char> for Digit {
    type Error = NotAKeyError;

    fn try_from(key: char) -> Result<Self, Self::Error> {
        Self::new(key).ok_or(NotAKeyError)
    }
}

impl From<Digit> for char {
    fn from(digit: Digit) -> Self {
        digit.0
    }
}

/// A character that is on no telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAKeyError;

impl fmt::Display for NotAKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected one of 0 to 9, '*', '#', A to D")
    }
}

impl core::error::Error for NotAKeyError {}

/// Counts the times the agent's audio was cleared. Audio and marks of an older generation are void.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u32);

impl Generation {
    /// Returns the generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the shell sends behind each piece of audio and the carrier sends back.
///
/// Its name on the wire is its `Display` form, `g1.u2.1600`, read back by `FromStr`. Pieces of a fifth of a second are
/// a good size ([`Mark::EVERY`]): the end of the last piece of an utterance always gets one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The generation in which the audio was sent.
    pub generation: Generation,
    /// The utterance the audio belongs to.
    pub utterance: UtteranceId,
    /// How much of the utterance lies before this mark, at [`MEDIA_RATE`], counted from its very beginning.
    pub position: SampleCount,
}

impl Mark {
    /// The length of a piece of audio with a mark behind it: 200 ms.
    pub const EVERY: SampleCount = SampleCount(1_600);
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{}.u{}.{}", self.generation, self.utterance, self.position.0)
    }
}

impl FromStr for Mark {
    type Err = ParseMarkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '.');
        let mut number = |prefix: &str| -> Result<u64, ParseMarkError> {
            let digits = parts.next().and_then(|part| part.strip_prefix(prefix)).ok_or(ParseMarkError)?;
            let clean = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| clean).ok_or(ParseMarkError)
        };
        let (generation, utterance, position) = (number("g")?, number("u")?, number("")?);
        let narrow = |number: u64| u32::try_from(number).ok().ok_or(ParseMarkError);
        Ok(Self {
            generation: Generation(narrow(generation)?),
            utterance: UtteranceId(narrow(utterance)?),
            position: SampleCount(position),
        })
    }
}

/// A name that is not of one of our marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseMarkError;

impl fmt::Display for ParseMarkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a mark such as 'g1.u2.1600'")
    }
}

impl core::error::Error for ParseMarkError {}

/// Whether a transcript may still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// More will come for the same attempt.
    Interim,
    /// This is all.
    Final,
}

/// How sure a recognizer is, in thousandths: 0 not at all, 1000 entirely. A whole number, so that it is the same on
/// every processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confidence(pub u16);

impl Confidence {
    /// What a recognizer that cannot tell says.
    pub const FULL: Self = Self(1_000);
}

/// Why an engine did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Its queue is full.
    Busy,
    /// It took too long.
    TimedOut,
    /// It is missing, or went wrong.
    Broken,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "busy",
            Self::TimedOut => "timed out",
            Self::Broken => "broken",
        })
    }
}

/// What is to happen when the caller has heard the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "next", rename_all = "snake_case")]
pub enum Next {
    /// The caller's turn.
    Listen,
    /// The caller's turn, and a number is expected: keys are collected, and a dictated number is waited for.
    Digits {
        /// How many digits make the number complete; after so many nothing more is waited for.
        max: u8,
    },
    /// The call is over.
    Hangup,
    /// The caller is to leave a message.
    Voicemail,
    /// The caller is to be put through to a human.
    Transfer,
}

impl fmt::Display for Input {
    /// Writes one line without personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StreamStarted { greeting: GreetingMode::Play } => f.write_str("stream started, greeting played"),
            Self::StreamStarted { greeting: GreetingMode::Stream } => f.write_str("stream started"),
            Self::StreamStopped => f.write_str("stream stopped"),
            Self::Dtmf { .. } => f.write_str("dtmf"),
            Self::MarkReached { mark } => write!(f, "mark {mark}"),
            Self::SpeechStarted { at, .. } => write!(f, "speech started at {}", Seconds(*at)),
            Self::SpeechEnded { at, .. } => write!(f, "speech ended at {}", Seconds(*at)),
            Self::Transcript { turn, attempt, stage, text, .. } => {
                let stage = match stage {
                    Stage::Interim => "interim",
                    Stage::Final => "final",
                };
                let letters = text.reveal().chars().count();
                write!(f, "{stage} transcript of turn {turn} attempt {attempt}, {letters} letters")
            }
            Self::RecognizeFailed { turn, attempt, why } => {
                write!(f, "recognition of turn {turn} attempt {attempt} failed: {why}")
            }
            Self::ReplySentence { turn, .. } => write!(f, "sentence of the reply to turn {turn}"),
            Self::ReplyDone { turn, next } => write!(f, "reply to turn {turn} done, next {next:?}"),
            Self::ReplyFailed { turn, why } => write!(f, "reply to turn {turn} failed: {why}"),
            Self::Synthesized { utterance, samples, last } => {
                let end = if *last { ", all" } else { "" };
                write!(f, "utterance {utterance} synthesized to {}{end}", Seconds(*samples))
            }
            Self::SynthesizeFailed { utterance, why } => write!(f, "synthesis of utterance {utterance} failed: {why}"),
            Self::Overload => f.write_str("overload"),
            Self::Shutdown => f.write_str("shutdown"),
        }
    }
}

/// Shows a position in seconds with milliseconds.
pub(crate) struct Seconds(pub(crate) SampleCount);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.duration(MEDIA_RATE).as_millis();
        write!(f, "{}.{:03}", millis / 1_000, millis % 1_000)
    }
}

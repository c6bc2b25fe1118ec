//! What the core decides.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use units::{CallTime, Language, Pii, SampleCount, TurnId, UtteranceId};

use crate::input::{Generation, GreetingMode, Seconds};

/// One thing to do. The shell does each at once and in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "output", rename_all = "snake_case")]
pub enum Output {
    /// Recognize a stretch of the caller's audio, and answer with
    /// [`Input::Transcript`](crate::Input::Transcript) or [`Input::RecognizeFailed`](crate::Input::RecognizeFailed).
    Recognize {
        /// The turn, to be given back with the answer.
        turn: TurnId,
        /// Counts the requests of the turn from 1, to be given back with the answer.
        attempt: u32,
        /// First sample, at [`MEDIA_RATE`](crate::MEDIA_RATE). Samples before the stream's start are silence.
        from: SampleCount,
        /// Sample after the last. What has not arrived yet is not waited for.
        to: SampleCount,
        /// Whether the caller may go on speaking, which would cancel this. A full queue may refuse a speculative request.
        speculative: bool,
    },
    /// The answer to a request is not wanted any more.
    CancelRecognition {
        /// The turn of the request.
        turn: TurnId,
        /// Its attempt.
        attempt: u32,
    },
    /// Ask the brain for a reply; it answers with [`Input::ReplySentence`](crate::Input::ReplySentence) as each is whole,
    /// then [`Input::ReplyDone`](crate::Input::ReplyDone), or [`Input::ReplyFailed`](crate::Input::ReplyFailed).
    Reply {
        /// The turn, to be given back with the answer.
        turn: TurnId,
        /// What happened.
        request: Request,
        /// What the agent said since the last request, cut to what the caller heard, in order.
        heard: Vec<Heard>,
    },
    /// The rest of the reply is not wanted any more.
    CancelReply {
        /// The turn of the request.
        turn: TurnId,
        /// Whether the brain must forget the request altogether: the caller heard none of the reply, and the same words
        /// come again as part of the next request.
        undo: bool,
    },
    /// Make audio of a sentence, and report it with [`Input::Synthesized`](crate::Input::Synthesized). Utterances are
    /// asked for in the order in which they will be played.
    Synthesize {
        /// Its number.
        utterance: UtteranceId,
        /// The turn it belongs to.
        turn: TurnId,
        /// What to say.
        text: Pii<String>,
        /// In which language.
        language: Language,
    },
    /// The audio of an utterance is not wanted any more; stop making it.
    CancelSynthesis {
        /// The utterance.
        utterance: UtteranceId,
    },
    /// From now on send the audio of an utterance as it exists, with a [`Mark`](crate::Mark) behind each piece. What
    /// was let through before it is complete, so audio never has to be reordered.
    Play {
        /// The utterance.
        utterance: UtteranceId,
        /// The generation to put into its marks.
        generation: Generation,
        /// First sample to send. Above zero when the agent goes on after a false interruption.
        from: SampleCount,
    },
    /// The audio of an utterance will not be needed again and may be dropped.
    Release {
        /// The utterance.
        utterance: UtteranceId,
    },
    /// Send a clear, and stop sending what [`Output::Play`] let through.
    Clear {
        /// The generation that begins here.
        generation: Generation,
    },
    /// End the telephone call.
    Hangup {
        /// Why.
        reason: HangupReason,
    },
    /// Hand the call to voicemail.
    Voicemail {
        /// Why.
        reason: VoicemailReason,
    },
    /// Put the caller through to a human.
    Transfer {
        /// Why.
        reason: TransferReason,
    },
    /// The conversation is over: the last output of every call. Alone when the stream stopped by itself, behind
    /// [`Output::Hangup`], [`Output::Voicemail`] or [`Output::Transfer`] otherwise.
    Ended,
    /// How long the parts of a turn took, once, when the first audio of the reply may flow.
    Latency {
        /// The turn.
        turn: TurnId,
        /// The four latencies.
        latency: TurnLatency,
    },
    /// Something was said and heard: one line of the call's transcript.
    Said {
        /// The turn it belongs to.
        turn: TurnId,
        /// By whom.
        who: Speaker,
        /// The words; of the agent only those the caller heard.
        text: Pii<String>,
        /// In which language.
        language: Language,
        /// When it began.
        began: CallTime,
        /// Whether it was cut short.
        interrupted: bool,
    },
    /// An input made no difference.
    Ignored {
        /// Why.
        reason: IgnoredReason,
    },
}

/// What the brain is to reply to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// The call has begun; open it. Always turn 0.
    Greet {
        /// With [`GreetingMode::Play`] the caller has heard the greeting, and only the first question is missing.
        greeting: GreetingMode,
    },
    /// The caller said or typed something.
    CallerSaid {
        /// The words; empty when keys were pressed.
        text: Pii<String>,
        /// The language of the words, or the one the call is in.
        language: Language,
        /// The keys, without the closing `#`; empty when words were spoken.
        digits: Pii<String>,
        /// Whether these are words of goodbye; the call ends when the reply to them was heard.
        goodbye: bool,
    },
    /// The caller said nothing.
    CallerSilent {
        /// How often in a row, from 1.
        count: u32,
        /// Whether this was once too often: the call ends when the reply, a goodbye, was heard.
        last: bool,
    },
    /// The caller said something that nobody could make out.
    NotHeard {
        /// How often in a row, from 1.
        count: u32,
    },
    /// The call has reached its limit: the call ends when the reply, a goodbye, was heard.
    OutOfTime,
}

/// What became of one utterance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The utterance.
    pub utterance: UtteranceId,
    /// The turn it belongs to.
    pub turn: TurnId,
    /// The words the caller heard, cut at a word; empty when none.
    pub text: Pii<String>,
    /// Whether those are all of its words.
    pub complete: bool,
}

/// Who spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The caller.
    Caller,
    /// The agent.
    Agent,
}

/// The four latencies of a turn, each from the end of the caller's speech.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnLatency {
    /// To the decision that the caller is done.
    #[serde(with = "crate::output::micros")]
    pub end_of_turn: Duration,
    /// To the transcript that was used. Less than `end_of_turn` when recognition ran ahead.
    #[serde(with = "crate::output::micros")]
    pub transcript: Duration,
    /// To the first sentence of the reply.
    #[serde(with = "crate::output::micros")]
    pub reply: Duration,
    /// To the first audio of the reply.
    #[serde(with = "crate::output::micros")]
    pub first_audio: Duration,
}

/// Why the core ends the telephone call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupReason {
    /// The caller said goodbye.
    CallerGoodbye,
    /// The brain is done.
    AgentDone,
    /// The caller said nothing for too long.
    SilenceLimit,
    /// The call has lasted as long as it may.
    CallLimit,
}

/// Why the core hands the call to voicemail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoicemailReason {
    /// The brain asks for it.
    Asked,
    /// The recognizer's queue is full.
    RecognizerBusy,
    /// The recognizer fails.
    RecognizerFailed,
    /// The transcript did not come.
    TranscriptOverdue,
    /// The brain fails.
    ReplyFailed,
    /// The reply did not come.
    ReplyOverdue,
    /// The synthesizer fails.
    SynthesizerFailed,
    /// The audio did not come.
    SynthesisOverdue,
    /// The machine is full.
    Overload,
    /// The program stops.
    Shutdown,
}

/// Why the caller is put through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferReason {
    /// The caller pressed `0`.
    ZeroPressed,
    /// The brain asks for it.
    Asked,
}

/// Why an input made no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoredReason {
    /// The stream has not started.
    NotStarted,
    /// The stream has started before.
    AlreadyStarted,
    /// The conversation is over.
    AlreadyEnded,
    /// It answers a turn that is not the current one.
    StaleTurn,
    /// It answers an attempt that was cancelled or answered.
    StaleAttempt,
    /// It is of audio that was cleared.
    StaleGeneration,
    /// It is of an utterance that is over or never was.
    UnknownUtterance,
    /// It does not fit what came before: speech that ends without a start, audio that shrinks.
    OutOfOrder,
    /// It is more than there is room for.
    TooMuch,
    /// It is a sentence without a letter.
    NothingToSay,
    /// The agent may not be interrupted here.
    NotNow,
}

/// The outputs that were decided and not yet fetched, each with the time of its decision.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outputs {
    queue: VecDeque<(CallTime, Output)>,
    now: CallTime,
}

impl Outputs {
    /// Sets the time of the decisions that follow; it never goes back.
    pub(crate) fn set_now(&mut self, now: CallTime) {
        self.now = self.now.max(now);
    }

    /// Returns the time of the decisions being made.
    pub(crate) const fn now(&self) -> CallTime {
        self.now
    }

    /// Decides.
    pub(crate) fn push(&mut self, output: Output) {
        self.queue.push_back((self.now, output));
    }

    /// Decides, if there is anything to decide.
    pub(crate) fn push_all(&mut self, outputs: impl IntoIterator<Item = Output>) {
        self.queue.extend(outputs.into_iter().map(|output| (self.now, output)));
    }

    /// Returns the oldest decision not yet fetched.
    pub(crate) fn pop(&mut self) -> Option<(CallTime, Output)> {
        self.queue.pop_front()
    }

    /// Returns whether everything was fetched.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// Durations as whole microseconds.
pub(crate) mod micros {
    use core::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_micros)
    }
}

impl fmt::Display for Output {
    /// Writes one line without personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recognize { turn, attempt, from, to, speculative } => {
                let kind = if *speculative { " on speculation" } else { "" };
                write!(f, "recognize turn {turn} attempt {attempt} {}..{}{kind}", Seconds(*from), Seconds(*to))
            }
            Self::CancelRecognition { turn, attempt } => {
                write!(f, "cancel recognition of turn {turn} attempt {attempt}")
            }
            Self::Reply { turn, request, heard } => {
                write!(f, "reply to turn {turn}: {request}")?;
                if heard.is_empty() { Ok(()) } else { write!(f, ", {} heard", heard.len()) }
            }
            Self::CancelReply { turn, undo } => {
                write!(f, "cancel reply to turn {turn}{}", if *undo { " and undo it" } else { "" })
            }
            Self::Synthesize { utterance, turn, language, .. } => {
                write!(f, "synthesize utterance {utterance} of turn {turn} in {language}")
            }
            Self::CancelSynthesis { utterance } => write!(f, "cancel synthesis of utterance {utterance}"),
            Self::Play { utterance, generation, from } => {
                write!(f, "play utterance {utterance} generation {generation} from {}", Seconds(*from))
            }
            Self::Release { utterance } => write!(f, "release utterance {utterance}"),
            Self::Clear { generation } => write!(f, "clear, generation {generation}"),
            Self::Hangup { reason } => write!(f, "hang up: {reason:?}"),
            Self::Voicemail { reason } => write!(f, "voicemail: {reason:?}"),
            Self::Transfer { reason } => write!(f, "transfer: {reason:?}"),
            Self::Ended => f.write_str("ended"),
            Self::Latency { turn, latency } => write!(f, "latency of turn {turn}: {latency}"),
            Self::Said { turn, who, began, interrupted, .. } => {
                let cut = if *interrupted { ", interrupted" } else { "" };
                write!(f, "{who:?} said in turn {turn} at {began}{cut}")
            }
            Self::Ignored { reason } => write!(f, "ignored: {reason:?}"),
        }
    }
}

impl fmt::Display for Request {
    /// Writes a few words without personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Greet { greeting: GreetingMode::Play } => f.write_str("greeting was played"),
            Self::Greet { greeting: GreetingMode::Stream } => f.write_str("greet"),
            Self::CallerSaid { language, digits, goodbye, .. } => {
                let what = if digits.reveal().is_empty() { "words" } else { "keys" };
                write!(f, "{what} in {language}{}", if *goodbye { ", goodbye" } else { "" })
            }
            Self::CallerSilent { count, last } => write!(f, "silence {count}{}", if *last { ", the last" } else { "" }),
            Self::NotHeard { count } => write!(f, "not heard {count}"),
            Self::OutOfTime => f.write_str("out of time"),
        }
    }
}

impl fmt::Display for TurnLatency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "end of turn {} ms, transcript {} ms, reply {} ms, first audio {} ms",
            self.end_of_turn.as_millis(),
            self.transcript.as_millis(),
            self.reply.as_millis(),
            self.first_audio.as_millis()
        )
    }
}

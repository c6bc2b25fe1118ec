//! What an owner may tune.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use units::Language;

/// Everything tunable about one call. Every field has a default that suits a telephone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The language spoken until the caller speaks another one. Default Hebrew.
    pub language: Language,
    /// When the caller is taken to be done.
    pub endpointing: Endpointing,
    /// What happens when the caller speaks over the agent.
    pub interruption: Interruption,
    /// What happens when the caller says nothing.
    pub silence: Silence,
    /// Tones from the caller's keypad.
    pub dtmf: Dtmf,
    /// How long the engines may take.
    pub patience: Patience,
    /// How long things may become.
    pub limits: Limits,
    /// The few words the core says by itself, when the brain cannot.
    pub phrases: Phrases,
}

impl Config {
    /// Returns the configuration with what would make no sense made sensible, so that nothing later has to ask:
    /// delays in their order, parts of at least two seconds, at least one digit.
    #[must_use]
    pub(crate) fn made_sensible(mut self) -> Self {
        const SHORTEST_PART: Duration = Duration::from_secs(2);
        let pauses = &mut self.endpointing;
        pauses.max_delay = pauses.max_delay.max(pauses.min_delay);
        pauses.unsure_delay = pauses.unsure_delay.clamp(pauses.min_delay, pauses.max_delay);
        pauses.speculation_delay = pauses.speculation_delay.min(pauses.max_delay);
        pauses.part_length = pauses.part_length.max(SHORTEST_PART);
        pauses.max_part = pauses.max_part.max(pauses.part_length);
        self.dtmf.max_digits = self.dtmf.max_digits.clamp(1, 64);
        self
    }
}

/// When the caller is taken to be done.
///
/// All delays count from the last sample of speech.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Endpointing {
    /// Silence after which recognition starts on speculation. Default 220 ms: longer than the gaps within Hebrew
    /// and English words, short enough that the transcript is there when `min_delay` is over.
    #[serde(with = "crate::config::duration_text")]
    pub speculation_delay: Duration,
    /// Silence after a finished sentence or a complete number. Default 500 ms.
    #[serde(with = "crate::config::duration_text")]
    pub min_delay: Duration,
    /// Silence after words that may or may not be all. Default 800 ms.
    #[serde(with = "crate::config::duration_text")]
    pub unsure_delay: Duration,
    /// Silence after a dangling phrase, a half-dictated number or a hesitation, and the most ever waited. Default 2.5 s.
    #[serde(with = "crate::config::duration_text")]
    pub max_delay: Duration,
    /// Audio before the first sample of speech that is recognized with it. Default 300 ms: a soft first consonant lies
    /// below the detector's threshold.
    #[serde(with = "crate::config::duration_text")]
    pub pre_roll: Duration,
    /// Audio after the last sample of speech that is recognized with it, at most what has been silent. Default 200 ms.
    #[serde(with = "crate::config::duration_text")]
    pub post_roll: Duration,
    /// Length from which the audio of a turn is recognized in parts, cut at pauses. Default 12 s, so that a long turn
    /// is not recognized from its beginning at each pause.
    #[serde(with = "crate::config::duration_text")]
    pub part_length: Duration,
    /// The longest stretch of audio in one recognition, pause or not. Default 25 s, below the 30 s window of Whisper.
    #[serde(with = "crate::config::duration_text")]
    pub max_part: Duration,
}

impl Default for Endpointing {
    fn default() -> Self {
        Self {
            speculation_delay: Duration::from_millis(220),
            min_delay: Duration::from_millis(500),
            unsure_delay: Duration::from_millis(800),
            max_delay: Duration::from_millis(2_500),
            pre_roll: Duration::from_millis(300),
            post_roll: Duration::from_millis(200),
            part_length: Duration::from_secs(12),
            max_part: Duration::from_secs(25),
        }
    }
}

/// What happens when the caller speaks over the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Interruption {
    /// Whether speech interrupts the agent at all. Default true. Keys always do.
    pub enabled: bool,
    /// Speech after which the agent falls silent. Default 120 ms, so that the clear is sent within 150 ms of audio.
    #[serde(with = "crate::config::duration_text")]
    pub min_duration: Duration,
    /// Whether the agent goes on where it was after a backchannel or a noise. Default true; false drops the rest.
    pub resume: bool,
    /// Silence after short speech over the agent, without a transcript, after which it is taken for a noise.
    /// Default 1.5 s.
    #[serde(with = "crate::config::duration_text")]
    pub false_interruption: Duration,
    /// How much of what was already heard is repeated when the agent goes on. Default 300 ms, about a word.
    #[serde(with = "crate::config::duration_text")]
    pub rewind: Duration,
}

impl Default for Interruption {
    fn default() -> Self {
        Self {
            enabled: true,
            min_duration: Duration::from_millis(120),
            resume: true,
            false_interruption: Duration::from_millis(1_500),
            rewind: Duration::from_millis(300),
        }
    }
}

/// What happens when the caller says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Silence {
    /// Silence after which the caller is asked whether they are there. Default 7 s.
    #[serde(with = "crate::config::duration_text")]
    pub no_input: Duration,
    /// How often in a row before the call ends with a goodbye. Default 2.
    pub prompts: u32,
}

impl Default for Silence {
    fn default() -> Self {
        Self { no_input: Duration::from_secs(7), prompts: 2 }
    }
}

/// Tones from the caller's keypad.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dtmf {
    /// Silence of the keypad after which a number is taken to be complete. Default 3 s.
    #[serde(with = "crate::config::duration_text")]
    pub inter_digit: Duration,
    /// Digits after which a number is complete when the brain set no limit. Default 20, range 1 to 64.
    pub max_digits: u8,
    /// Whether `0` alone asks for a human. Default false, since somebody has to be there.
    pub zero_is_human: bool,
}

impl Default for Dtmf {
    fn default() -> Self {
        Self { inter_digit: Duration::from_secs(3), max_digits: 20, zero_is_human: false }
    }
}

/// How long the engines may take before the caller is helped in a smaller way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Patience {
    /// From end of turn to transcript; then voicemail. Default 6 s.
    #[serde(with = "crate::config::duration_text")]
    pub transcript: Duration,
    /// From the request to the first sentence of the reply; then "one moment". Default 2.5 s.
    #[serde(with = "crate::config::duration_text")]
    pub filler: Duration,
    /// From the request to the first sentence of the reply, and between sentences; then voicemail. Default 8 s.
    #[serde(with = "crate::config::duration_text")]
    pub reply: Duration,
    /// Without any new audio of the utterance that is due; then voicemail. Default 5 s.
    #[serde(with = "crate::config::duration_text")]
    pub synthesis: Duration,
    /// How long after its expected end a played utterance is waited for, when the carrier's mark does not come.
    /// Default 2 s.
    #[serde(with = "crate::config::duration_text")]
    pub mark: Duration,
    /// Failures in a row of recognition, other than a full queue, before voicemail. Default 2. A full queue is one
    /// answer too many: then voicemail at once.
    pub recognition_failures: u32,
    /// Transcripts of which the recognizer is less sure are taken as not made out; in thousandths, default 0 (none).
    pub min_confidence: u16,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            transcript: Duration::from_secs(6),
            filler: Duration::from_millis(2_500),
            reply: Duration::from_secs(8),
            synthesis: Duration::from_secs(5),
            mark: Duration::from_secs(2),
            recognition_failures: 2,
            min_confidence: 0,
        }
    }
}

/// How long things may become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// One turn of the caller. Default 90 s; then the agent answers what was said so far.
    #[serde(with = "crate::config::duration_text")]
    pub turn: Duration,
    /// The whole call. Default 10 min; then a goodbye and hang-up.
    #[serde(with = "crate::config::duration_text")]
    pub call: Duration,
    /// What the goodbye at the call's limit may take. Default 10 s.
    #[serde(with = "crate::config::duration_text")]
    pub goodbye: Duration,
    /// Audio of one utterance of the agent. Default 60 s; what comes beyond is not waited for.
    #[serde(with = "crate::config::duration_text")]
    pub utterance: Duration,
    /// Sentences of one reply. Default 24; more are dropped.
    pub sentences: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            turn: Duration::from_secs(90),
            call: Duration::from_mins(10),
            goodbye: Duration::from_secs(10),
            utterance: Duration::from_mins(1),
            sentences: 24,
        }
    }
}

/// The few words the core says by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Phrases {
    /// Said while the reply is late.
    pub one_moment: Phrase,
    /// Said when the call must end and the brain has not said goodbye.
    pub goodbye: Phrase,
}

impl Default for Phrases {
    fn default() -> Self {
        Self {
            one_moment: Phrase { he: "רק רגע, בבקשה.".to_owned(), en: "One moment, please.".to_owned() },
            goodbye: Phrase {
                he: "תודה שהתקשרתם, להתראות.".to_owned(),
                en: "Thank you for calling, goodbye.".to_owned(),
            },
        }
    }
}

/// The same words in each language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phrase {
    /// In Hebrew.
    pub he: String,
    /// In English.
    pub en: String,
}

impl Phrase {
    /// Returns the words in `language`.
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::Hebrew => &self.he,
            Language::English => &self.en,
        }
    }
}

/// Durations as a person writes them: `600ms`, `6s`, `10m`.
pub mod duration_text {
    use alloc::format;
    use alloc::string::String;
    use core::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    /// Writes whole milliseconds or, where nothing is lost, seconds.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = duration.as_millis();
        let text = if millis.is_multiple_of(1_000) { format!("{}s", millis / 1_000) } else { format!("{millis}ms") };
        serializer.serialize_str(&text)
    }

    /// Reads a whole number with its unit, `ms`, `s` or `m`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| {
            de::Error::invalid_value(de::Unexpected::Str(&text), &"a whole number and ms, s or m, such as \"600ms\"")
        })
    }

    fn parse(text: &str) -> Option<Duration> {
        let split = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at_checked(split)?;
        let number: u64 = number.parse().ok()?;
        match unit.trim() {
            "ms" => Some(Duration::from_millis(number)),
            "s" => Some(Duration::from_secs(number)),
            "m" => number.checked_mul(60).map(Duration::from_secs),
            _ => None,
        }
    }
}

//! What can be wrong with a provider, as a script.

use std::time::Duration;

/// One thing a provider does for a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// `POST {openai}/audio/transcriptions`.
    Transcribe,
    /// `POST {openai}/chat/completions`.
    Chat,
    /// `POST {openai}/audio/speech`.
    Speech,
    /// `GET {openai}/models`.
    Models,
    /// `POST {speak}/v1/text:synthesize`.
    GoogleSpeak,
    /// `GET {speak}/v1/voices`.
    GoogleVoices,
    /// `POST {hear}/v2/projects/{project}/locations/{location}/recognizers/_:recognize`.
    GoogleHear,
    /// `POST {token}`.
    GoogleToken,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 8] = [
        Self::Transcribe,
        Self::Chat,
        Self::Speech,
        Self::Models,
        Self::GoogleSpeak,
        Self::GoogleVoices,
        Self::GoogleHear,
        Self::GoogleToken,
    ];

    /// Returns whether Google offers it; `OpenAI` does otherwise.
    pub const fn is_google(self) -> bool {
        match self {
            Self::Transcribe | Self::Chat | Self::Speech | Self::Models => false,
            Self::GoogleSpeak | Self::GoogleVoices | Self::GoogleHear | Self::GoogleToken => true,
        }
    }
}

/// How a service behaves. By default it answers at once and rightly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Wait before the first byte of the answer.
    pub delay: Duration,
    /// What goes wrong.
    pub fault: Option<Fault>,
    /// For faults in a stream: after so many events, but before the last one at the latest. A body that is no event
    /// stream breaks in its middle.
    pub after_items: usize,
}

impl Behaviour {
    /// Returns the behaviour that answers rightly after `delay`.
    pub const fn slow(delay: Duration) -> Self {
        Self { delay, fault: None, after_items: 0 }
    }

    /// Returns the behaviour with `fault`, from the first event on.
    pub const fn faulty(fault: Fault) -> Self {
        Self { delay: Duration::ZERO, fault: Some(fault), after_items: 0 }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The first byte of the answer comes after [`SLOW_FIRST_BYTE`].
    SlowFirstByte,
    /// Status and headers come, the body never does.
    StallAfterHeaders,
    /// The body begins and then stands still; the connection stays open.
    StallMidStream,
    /// The body begins, then the connection breaks.
    CutMidStream,
    /// 401, in the provider's shape.
    Unauthorized,
    /// 403, in the provider's shape.
    Forbidden,
    /// 429, in the provider's shape.
    TooMany {
        /// What the provider says about when to come again: `Retry-After` in whole seconds, and in `OpenAI`'s case
        /// `retry-after-ms`.
        retry_after: Option<Duration>,
    },
    /// 500, in the provider's shape.
    Internal,
    /// 503, in the provider's shape.
    Unavailable,
    /// 200 and a page to log in at, as a captive portal answers.
    Html,
    /// 302 to such a page.
    Redirect,
    /// JSON that ends in its middle, in a complete answer. Audio is replaced by such JSON.
    TruncatedJson,
    /// The right body, called `text/plain`.
    WrongContentType,
    /// A chat reply that ends with `finish_reason: content_filter`; elsewhere 400 for the sake of the content.
    Filtered,
    /// An error object among the events; 500 where there are no events.
    ErrorInStream,
}

/// How long [`Fault::SlowFirstByte`] lets wait.
pub const SLOW_FIRST_BYTE: Duration = Duration::from_secs(30);

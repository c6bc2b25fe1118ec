//! What the carrier is told to do: the few documents the box answers with. Pure.

use conversation::GreetingMode;
use telephony::PublicUrl;
use telephony::markup::{Connect, Dial, HttpMethod, Number, Play, Record, Response, Say, Stream, Trim, Verb};
use telephony::one_time::StreamToken;
use units::{CallId, Language, Pii};

use crate::config::Voicemail;

/// How long a person's telephone rings, in seconds.
const TRANSFER_RING_S: u32 = 20;
/// Asks the carrier to try again when the box cannot be reached or has to refuse for the moment; by default it
/// would not, and the message would be known to the carrier alone
/// (<https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>).
const TRY_AGAIN: &str = "#rc=3&rp=ct,rt,5xx";

/// Name of the stream parameter with the one-time token.
pub const TOKEN_PARAMETER: &str = "token";
/// Name of the stream parameter with the language the call begins in.
pub const LANGUAGE_PARAMETER: &str = "language";

/// A recording that the carrier plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clip {
    /// The first thing a caller hears.
    Greeting,
    /// Asks for a message, when the receptionist cannot go on.
    Fallback,
    /// Thanks for the message.
    Thanks,
}

impl Clip {
    /// Every clip.
    pub const ALL: [Self; 3] = [Self::Greeting, Self::Fallback, Self::Thanks];

    /// Returns the clip's file name in `language`, with `extension`.
    pub fn file_name(self, language: Language, extension: &str) -> String {
        let name = match self {
            Self::Greeting => "greeting",
            Self::Fallback => "fallback",
            Self::Thanks => "thanks",
        };
        format!("{name}_{language}.{extension}")
    }

    /// Returns what the clip says where no form says otherwise.
    pub const fn text(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Greeting, Language::Hebrew) => "שלום.",
            (Self::Greeting, Language::English) => "Hello.",
            (Self::Fallback, Language::Hebrew) => "אי אפשר לענות כרגע. אפשר להשאיר הודעה אחרי הצליל, ונחזור אליכם.",
            (Self::Fallback, Language::English) => {
                "We cannot take your call right now. Please leave a message after the tone, and we will call you back."
            }
            (Self::Thanks, Language::Hebrew) => "תודה, ההודעה נשמרה. להתראות.",
            (Self::Thanks, Language::English) => "Thank you, your message was kept. Goodbye.",
        }
    }
}

/// Writes documents.
#[derive(Clone, Debug)]
pub struct Documents<'a> {
    /// Under which address the carrier knows the box.
    pub base: &'a PublicUrl,
    /// Clips that could not be rendered; the carrier speaks these in a voice of its own.
    pub missing: Vec<(Clip, Language)>,
    /// How messages are recorded.
    pub voicemail: &'a Voicemail,
}

impl Documents<'_> {
    /// Returns the answer to an incoming call: greeting, media stream, and behind them voicemail, into which a stream
    /// that fails falls by itself.
    pub fn answer(&self, mode: GreetingMode, call: &CallId, token: &StreamToken, language: Language) -> Response {
        let stream = Stream {
            url: self.base.stream(&format!("/ws/twilio-media/{}", token.as_str())),
            status_callback: Some(self.base.webhook("/webhook/stream_status")),
            parameters: vec![
                (TOKEN_PARAMETER.to_owned(), token.as_str().to_owned()),
                (LANGUAGE_PARAMETER.to_owned(), language.code().to_owned()),
                ("call".to_owned(), call.to_string()),
            ],
            ..Stream::default()
        };
        let connect = Connect {
            action: Some(self.base.webhook("/webhook/stream_ended")),
            method: Some(HttpMethod::Post),
            stream,
        };
        let mut document = Response::new();
        if mode == GreetingMode::Play {
            document = document.then(self.clip(Clip::Greeting, language));
        }
        self.append_voicemail(document.then(connect), language)
    }

    /// Returns the document that asks for a message.
    pub fn voicemail(&self, language: Language) -> Response {
        self.append_voicemail(Response::new(), language)
    }

    /// Returns the document that thanks for a message and ends the call.
    pub fn thanks(&self, language: Language) -> Response {
        Response::new().then(self.clip(Clip::Thanks, language)).then(Verb::Hangup)
    }

    /// Returns the document that puts the caller through to `number`, with voicemail behind it.
    pub fn transfer(&self, number: &Pii<String>, language: Language) -> Response {
        let dial = Dial {
            action: Some(self.base.webhook("/webhook/transfer_ended")),
            method: Some(HttpMethod::Post),
            timeout_s: Some(TRANSFER_RING_S),
            answer_on_bridge: Some(true),
            numbers: vec![Number { number: number.clone(), ..Number::default() }],
            ..Dial::default()
        };
        self.append_voicemail(Response::new().then(dial), language)
    }

    fn append_voicemail(&self, document: Response, language: Language) -> Response {
        let record = Record {
            action: Some(self.base.webhook(&format!("/webhook/handle_recording{TRY_AGAIN}"))),
            method: Some(HttpMethod::Post),
            timeout_s: Some(self.voicemail.silence_seconds),
            finish_on_key: Some("#".to_owned()),
            max_length_s: Some(self.voicemail.max_seconds),
            play_beep: Some(true),
            trim: Some(Trim::DoNotTrim),
            recording_status_callback: Some(self.base.webhook(&format!("/webhook/recording_status{TRY_AGAIN}"))),
            recording_status_callback_method: Some(HttpMethod::Post),
            recording_status_callback_event: Some("completed absent".to_owned()),
            ..Record::default()
        };
        document.then(self.clip(Clip::Fallback, language)).then(record).then(Verb::Hangup)
    }

    /// Returns the verb that lets the caller hear a clip.
    fn clip(&self, clip: Clip, language: Language) -> Verb {
        if !self.missing.contains(&(clip, language)) {
            return Play::url(self.base.webhook(&format!("/static/tts/{}", clip.file_name(language, "wav")))).into();
        }
        let (tag, voice) = match language {
            Language::Hebrew => ("he-IL", Some("Google.he-IL-Wavenet-A")),
            Language::English => ("en-US", None),
        };
        let text = clip.text(language).to_owned();
        Say { text, language: Some(tag.to_owned()), voice: voice.map(str::to_owned), repeat: None }.into()
    }
}

/// Returns the document that ends the call.
pub fn hang_up() -> Response {
    Response::new().then(Verb::Hangup)
}

#[cfg(test)]
mod tests {
    use conversation::GreetingMode;
    use telephony::markup::Verb;
    use telephony::one_time::{TOKEN_RANDOM_BYTES, TokenConfig, TokenTable};
    use units::Language;

    use super::{Clip, Documents};
    use crate::config::Voicemail;

    #[test]
    fn a_call_is_greeted_connected_and_falls_into_voicemail() {
        let base = "https://office.example.org/kol".parse().unwrap();
        let call: units::CallId = "CA1".parse().unwrap();
        let mut tokens = TokenTable::new(TokenConfig::default());
        let token = tokens.issue(std::time::Duration::ZERO, call.clone(), [7; TOKEN_RANDOM_BYTES]).unwrap();
        let documents = Documents { base: &base, missing: Vec::new(), voicemail: &Voicemail::default() };
        let document = documents.answer(GreetingMode::Play, &call, &token, Language::Hebrew);
        let [Verb::Play(greeting), Verb::Connect(connect), Verb::Play(fallback), Verb::Record(record), Verb::Hangup] =
            &document.verbs[..]
        else {
            panic!("unexpected verbs: {document:?}");
        };
        assert_eq!(greeting.url, "https://office.example.org/kol/static/tts/greeting_he.wav");
        assert_eq!(fallback.url, "https://office.example.org/kol/static/tts/fallback_he.wav");
        let url = format!("wss://office.example.org/kol/ws/twilio-media/{}", token.as_str());
        assert_eq!(connect.stream.url, url);
        assert_eq!(connect.action.as_deref(), Some("https://office.example.org/kol/webhook/stream_ended"));
        assert!(connect.stream.parameters.contains(&("token".to_owned(), token.as_str().to_owned())));
        assert!(record.action.as_deref().is_some_and(|action| action.contains("/webhook/handle_recording#rc=3")));
        let told = record.recording_status_callback.as_deref();
        assert!(told.is_some_and(|url| url.contains("/webhook/recording_status#rc=3")), "{told:?}");
        assert_eq!((record.timeout_s, record.max_length_s), (Some(5), Some(180)));
        assert!(document.write().unwrap().starts_with("<?xml"));

        let spoken = documents.answer(GreetingMode::Stream, &call, &token, Language::Hebrew);
        assert!(matches!(spoken.verbs[0], Verb::Connect(_)), "the stream speaks the greeting itself");
    }

    #[test]
    fn every_document_ends_the_call_by_itself() {
        let base = "https://office.example.org".parse().unwrap();
        let number = "+97231234567".to_owned().into();
        let documents = Documents { base: &base, missing: Vec::new(), voicemail: &Voicemail::default() };
        for document in [
            documents.voicemail(Language::English),
            documents.thanks(Language::English),
            documents.transfer(&number, Language::English),
        ] {
            assert_eq!(document.verbs.last(), Some(&Verb::Hangup));
        }
    }

    #[test]
    fn a_clip_that_could_not_be_rendered_is_spoken_by_the_carrier() {
        let base = "https://office.example.org".parse().unwrap();
        let missing = vec![(Clip::Fallback, Language::Hebrew)];
        let documents = Documents { base: &base, missing, voicemail: &Voicemail::default() };
        let hebrew = documents.voicemail(Language::Hebrew);
        assert!(matches!(&hebrew.verbs[0], Verb::Say(say) if say.language.as_deref() == Some("he-IL")), "{hebrew:?}");
        assert!(matches!(documents.voicemail(Language::English).verbs[0], Verb::Play(_)));
    }
}

//! What the carrier is told to do: the few documents the box answers with. Pure.

use std::time::Duration;

use conversation::GreetingMode;
use receptionist::Text;
use telephony::PublicUrl;
use telephony::markup::{
    Connect, Dial, Gather, GatherInput, HttpMethod, Number, Play, Record, Reject, RejectReason, Response, Say, Stream,
    Trim, Verb,
};
use telephony::one_time::StreamToken;
use telephony::wire::Address;
use units::{CallId, Language, Pii};

use crate::config::{Recording, Transfer, Voicemail};
use crate::greetings::Greetings;
use crate::switchboard::Caller;

/// How long a person has for the key that takes a call, in seconds.
const KEY_PATIENCE_S: u32 = 8;
/// How long a caller has for the key that agrees to a recording, in seconds.
const CONSENT_PATIENCE_S: u32 = 4;
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
    /// Asks a caller to speak who knows already that a message can be left.
    Tone,
    /// Thanks for the message.
    Thanks,
    /// Tells an answering machine that the office called back.
    CalledBack,
    /// Tells that the call is recorded, and asks for a key.
    Consent,
    /// Tells that the call is recorded.
    Recorded,
}

impl Clip {
    /// Every clip.
    pub const ALL: [Self; 7] =
        [Self::Greeting, Self::Fallback, Self::Tone, Self::Thanks, Self::CalledBack, Self::Consent, Self::Recorded];

    /// Returns the clip's file name in `language`, with `extension`.
    pub fn file_name(self, language: Language, extension: &str) -> String {
        let name = match self {
            Self::Greeting => "greeting",
            Self::Fallback => "fallback",
            Self::Tone => "tone",
            Self::Thanks => "thanks",
            Self::CalledBack => "called_back",
            Self::Consent => "consent",
            Self::Recorded => "recorded",
        };
        format!("{name}_{language}.{extension}")
    }

    /// Returns what the clip says where no form says otherwise; `office` is the office's name, empty where it has none.
    pub fn text(self, office: &str, language: Language) -> String {
        let text = match (self, language) {
            (Self::Greeting, Language::Hebrew) => "שלום.",
            (Self::Greeting, Language::English) => "Hello.",
            (Self::Fallback, Language::Hebrew) => "אי אפשר לענות כרגע. אפשר להשאיר הודעה אחרי הצליל, ונחזור אליכם.",
            (Self::Fallback, Language::English) => {
                "We cannot take your call right now. Please leave a message after the tone, and we will call you back."
            }
            (Self::Tone, Language::Hebrew) => "אפשר לדבר אחרי הצליל.",
            (Self::Tone, Language::English) => "Please speak after the tone.",
            (Self::Thanks, Language::Hebrew) => "תודה, ההודעה נשמרה. להתראות.",
            (Self::Thanks, Language::English) => "Thank you, your message was kept. Goodbye.",
            (Self::CalledBack, Language::Hebrew) if office.is_empty() => {
                "שלום, חזרנו אליכם. אפשר להתקשר אלינו בכל עת. להתראות."
            }
            (Self::CalledBack, Language::English) if office.is_empty() => {
                "Hello, we are returning your call. Please call us any time. Goodbye."
            }
            (Self::CalledBack, Language::Hebrew) => "שלום, חזרנו אליכם מ{office}. אפשר להתקשר אלינו בכל עת. להתראות.",
            (Self::CalledBack, Language::English) => {
                "Hello, this is {office}, returning your call. Please call us any time. Goodbye."
            }
            (Self::Consent, Language::Hebrew) => "אפשר להקליט את השיחה? להסכמה, הקישו 1. אחרת, המתינו על הקו.",
            (Self::Consent, Language::English) => {
                "May this call be recorded? If you agree, press 1. Otherwise, please hold the line."
            }
            (Self::Recorded, Language::Hebrew) => "השיחה מוקלטת.",
            (Self::Recorded, Language::English) => "This call is recorded.",
        };
        text.replace("{office}", office)
    }
}

/// What a person hears who picks up.
#[derive(Clone, Debug)]
pub enum Announced {
    /// A recording at this path of the box.
    Clip(String),
    /// These words, in the carrier's voice.
    Words(String),
}

/// Writes documents.
#[derive(Clone, Debug)]
pub struct Documents<'a> {
    /// Under which address the carrier knows the box.
    pub base: &'a PublicUrl,
    /// The office's name.
    pub office: &'a Text,
    /// How callers are put through.
    pub transfer: &'a Transfer,
    /// Clips that could not be rendered; the carrier speaks these in a voice of its own.
    pub missing: Vec<(Clip, Language)>,
    /// How messages are recorded.
    pub voicemail: &'a Voicemail,
    /// Whether calls are, and callers told.
    pub recording: Recording,
    /// A telephone number of the account, for calls that have none.
    pub number: Option<&'a Pii<String>>,
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
        if self.recording.is_announced() {
            document = document.then(self.clip(Clip::Recorded, language));
        }
        if mode == GreetingMode::Play {
            document = document.then(self.clip(Clip::Greeting, language));
        }
        self.append_voicemail(document.then(connect), language)
    }

    /// Returns how long the carrier tells of a recording before it goes on.
    pub fn announcement(&self, greetings: &Greetings, language: Language) -> Duration {
        if self.recording.is_announced() { greetings.length(Clip::Recorded, language) } else { Duration::ZERO }
    }

    /// Returns the document that asks for a message.
    pub fn voicemail(&self, language: Language) -> Response {
        self.append_voicemail(Response::new(), language)
    }

    /// Returns the document that thanks for a message and ends the call.
    pub fn thanks(&self, language: Language) -> Response {
        Response::new().then(self.clip(Clip::Thanks, language)).then(Verb::Hangup)
    }

    /// Returns the document that rings `number` for a caller, with voicemail behind it.
    pub fn transfer(&self, caller: &Caller, number: &Pii<String>) -> Response {
        let ask = self.transfer.announce.then(|| self.base.webhook(&format!("/webhook/person/{}", caller.call)));
        let number = Number {
            number: number.clone(),
            method: ask.is_some().then_some(HttpMethod::Post),
            url: ask,
            ..Number::default()
        };
        let dial = Dial {
            action: Some(self.base.webhook("/webhook/transfer_ended")),
            method: Some(HttpMethod::Post),
            timeout_s: Some(u32::try_from(self.transfer.ring.as_secs()).unwrap_or(u32::MAX)),
            answer_on_bridge: Some(true),
            caller_id: self.caller_id(caller),
            numbers: vec![number],
            ..Dial::default()
        };
        self.append_voicemail(Response::new().then(dial), caller.language)
    }

    /// Returns the number that a person sees in place of a caller's who has none. The carrier shows the caller's by itself,
    /// and refuses to dial where that is no telephone number (error 13214); it takes one of the account's.
    fn caller_id(&self, caller: &Caller) -> Option<Pii<String>> {
        if matches!(caller.from.reveal(), Address::Phone(_)) {
            return None;
        }
        let called = caller.to.reveal();
        // Where the office is called over WhatsApp, its number there need not be one of the account's telephone numbers.
        let configured = self.number.filter(|_| !matches!(called, Address::Phone(_)));
        configured.cloned().or_else(|| called.phone_number().map(|number| Pii::new(number.to_owned())))
    }

    /// Returns the document that tells a person who calls, and lets go of one who presses no key.
    pub fn announce(&self, call: &CallId, announced: Announced, language: Language) -> Response {
        let prompt = match announced {
            Announced::Clip(path) => Play::url(self.base.webhook(&path)).into(),
            Announced::Words(text) => carrier_says(text, language),
        };
        let gather = Gather {
            input: Some(GatherInput::Dtmf),
            action: Some(self.base.webhook(&format!("/webhook/person_key/{call}"))),
            method: Some(HttpMethod::Post),
            timeout_s: Some(KEY_PATIENCE_S),
            num_digits: Some(1),
            prompts: vec![prompt],
            ..Gather::default()
        };
        Response::new().then(gather).then(Verb::Hangup)
    }

    /// Returns the document that asks whether the call may be recorded.
    pub fn ask_consent(&self, language: Language) -> Response {
        let gather = Gather {
            input: Some(GatherInput::Dtmf),
            action: Some(self.base.webhook("/webhook/consent")),
            method: Some(HttpMethod::Post),
            timeout_s: Some(CONSENT_PATIENCE_S),
            num_digits: Some(1),
            // Who presses nothing goes on too, unrecorded.
            action_on_empty_result: Some(true),
            prompts: vec![self.clip(Clip::Consent, language)],
            ..Gather::default()
        };
        self.append_voicemail(Response::new().then(gather), language)
    }

    /// Returns the document that tells an answering machine that the office called back.
    pub fn leave_word(&self, language: Language) -> Response {
        Response::new().then(self.clip(Clip::CalledBack, language)).then(Verb::Hangup)
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
        carrier_says(clip.text(self.office.get(language), language), language)
    }
}

fn carrier_says(text: String, language: Language) -> Verb {
    let (tag, voice) = match language {
        Language::Hebrew => ("he-IL", Some("Google.he-IL-Wavenet-A")),
        Language::English => ("en-US", None),
    };
    Say { text, language: Some(tag.to_owned()), voice: voice.map(str::to_owned), repeat: None }.into()
}

/// Returns the document that lets the carrier go on as it was about to: with a call put through, say.
pub fn go_on() -> Response {
    Response::new()
}

/// Returns the document that lets the caller hear that the line is busy. The call is not answered.
pub fn busy() -> Response {
    Response::new().then(Reject { reason: Some(RejectReason::Busy) })
}

/// Returns the document that ends the call.
pub fn hang_up() -> Response {
    Response::new().then(Verb::Hangup)
}

#[cfg(test)]
mod tests {
    use conversation::GreetingMode;
    use receptionist::Text;
    use telephony::markup::Verb;
    use telephony::one_time::{TOKEN_RANDOM_BYTES, TokenConfig, TokenTable};
    use telephony::wire::Address;
    use units::Language;

    use super::{Announced, Clip, Documents};
    use crate::config::{Recording, Transfer, Voicemail};
    use crate::switchboard::Caller;

    #[test]
    fn a_call_is_greeted_connected_and_falls_into_voicemail() {
        let base = "https://office.example.org/kol".parse().unwrap();
        let call: units::CallId = "CA1".parse().unwrap();
        let mut tokens = TokenTable::new(TokenConfig::default());
        let token = tokens.issue(std::time::Duration::ZERO, call.clone(), [7; TOKEN_RANDOM_BYTES]).unwrap();
        let office = Text::default();
        let (transfer, voicemail, recording) = (Transfer::default(), Voicemail::default(), Recording::default());
        let (missing, number, office) = (Vec::new(), None, &office);
        let (base, transfer, voicemail) = (&base, &transfer, &voicemail);
        let documents = Documents { base, office, transfer, missing, voicemail, recording, number };
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

        let recording = Recording { calls: true, ..Recording::default() };
        let told =
            Documents { recording, ..documents.clone() }.answer(GreetingMode::Play, &call, &token, Language::Hebrew);
        assert!(
            matches!(&told.verbs[..2], [Verb::Play(first), Verb::Play(_)] if first.url.contains("recorded_he.wav"))
        );
        let spoken = documents.answer(GreetingMode::Stream, &call, &token, Language::Hebrew);
        assert!(matches!(spoken.verbs[0], Verb::Connect(_)), "the stream speaks the greeting itself");
    }

    #[test]
    fn every_document_ends_the_call_by_itself() {
        let base = "https://office.example.org".parse().unwrap();
        let person = "+97231234567".to_owned().into();
        let call: units::CallId = "CA1".parse().unwrap();
        let office = Text::default();
        let (transfer, voicemail, recording) = (Transfer::default(), Voicemail::default(), Recording::default());
        let (missing, number, office) = (Vec::new(), None, &office);
        let (base, transfer, voicemail) = (&base, &transfer, &voicemail);
        let documents = Documents { base, office, transfer, missing, voicemail, recording, number };
        for document in [
            documents.voicemail(Language::English),
            documents.thanks(Language::English),
            documents.transfer(&caller("", "+97231234567"), &person),
            documents.announce(&call, Announced::Words("A call.".to_owned()), Language::English),
            documents.ask_consent(Language::English),
            documents.leave_word(Language::Hebrew),
        ] {
            assert_eq!(document.verbs.last(), Some(&Verb::Hangup));
        }
    }

    #[test]
    fn a_person_sees_a_number_that_the_carrier_takes() {
        let base = "https://office.example.org".parse().unwrap();
        let own = "+97239999999".to_owned().into();
        let (transfer, voicemail, recording) = (Transfer::default(), Voicemail::default(), Recording::default());
        let (missing, number, office) = (Vec::new(), Some(&own), &Text::default());
        let (base, transfer, voicemail) = (&base, &transfer, &voicemail);
        let documents = Documents { base, office, transfer, missing, voicemail, recording, number };
        let without = Documents { number: None, ..documents.clone() };
        let (office, whatsapp) = ("+97231234567", "whatsapp:+97231234567");
        for (from, to, with_own, by_itself) in [
            ("+972541234567", office, None, None),
            ("+972541234567", whatsapp, None, None),
            ("whatsapp:+972541234567", whatsapp, Some("+97239999999"), Some(office)),
            ("whatsapp:+972541234567", office, Some(office), Some(office)),
            ("sip:dana@example.org", office, Some(office), Some(office)),
            ("client:dana", "client:office", Some("+97239999999"), None),
            ("+266696687", office, Some(office), Some(office)),
            ("anonymous", office, Some(office), Some(office)),
            ("1234", office, Some(office), Some(office)),
        ] {
            for (documents, expected) in [(&documents, with_own), (&without, by_itself)] {
                let document = documents.transfer(&caller(from, to), &"+972541111111".to_owned().into());
                let Verb::Dial(dial) = &document.verbs[0] else { panic!("{document:?}") };
                assert_eq!(dial.caller_id.as_ref().map(|id| id.reveal().as_str()), expected, "{from} calls {to}");
            }
        }
    }

    fn caller(from: &str, to: &str) -> Caller {
        Caller {
            call: "CA1".parse().unwrap(),
            from: Address::of(from).into(),
            to: Address::of(to).into(),
            language: Language::English,
            started_wall_ms: 0,
            started: std::time::Duration::ZERO,
            may_record: false,
            called_back: false,
            before: None,
        }
    }

    #[test]
    fn a_clip_that_could_not_be_rendered_is_spoken_by_the_carrier() {
        let base = "https://office.example.org".parse().unwrap();
        let missing = vec![(Clip::Fallback, Language::Hebrew)];
        let (office, number) = (&Text::default(), None);
        let (transfer, voicemail, recording) = (Transfer::default(), Voicemail::default(), Recording::default());
        let (base, transfer, voicemail) = (&base, &transfer, &voicemail);
        let documents = Documents { base, office, transfer, missing, voicemail, recording, number };
        let hebrew = documents.voicemail(Language::Hebrew);
        assert!(matches!(&hebrew.verbs[0], Verb::Say(say) if say.language.as_deref() == Some("he-IL")), "{hebrew:?}");
        assert!(matches!(documents.voicemail(Language::English).verbs[0], Verb::Play(_)));
    }

    #[test]
    fn an_answering_machine_hears_a_whole_sentence_whatever_the_office_is_called() {
        let base = "https://office.example.org".parse().unwrap();
        let missing = Language::ALL.map(|language| (Clip::CalledBack, language)).to_vec();
        let (transfer, voicemail, recording) = (Transfer::default(), Voicemail::default(), Recording::default());
        let named = Text { he: "משרד לוי".to_owned(), en: "Levy's office".to_owned() };
        for (office, hebrew, english) in [
            (&named, "שלום, חזרנו אליכם ממשרד לוי. ", "Hello, this is Levy's office, returning your call. "),
            (&Text::default(), "שלום, חזרנו אליכם. ", "Hello, we are returning your call. "),
        ] {
            let (missing, number) = (missing.clone(), None);
            let (base, transfer, voicemail) = (&base, &transfer, &voicemail);
            let documents = Documents { base, office, transfer, missing, voicemail, recording, number };
            for (language, start) in [(Language::Hebrew, hebrew), (Language::English, english)] {
                let word = documents.leave_word(language);
                assert!(matches!(&word.verbs[0], Verb::Say(say) if say.text.starts_with(start)), "{word:?}");
            }
        }
    }
}

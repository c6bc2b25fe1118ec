//! Four calls, written by hand as a shell would have lived them.

use conversation::{Call, Confidence, Config, Failure, GreetingMode, Input, Next, Stage};
use units::{CallTime, Language, SampleCount, TurnId, UtteranceId};

use crate::{Opened, Recorder, input_of};

/// What happened, and at which millisecond.
pub(super) type Scene = &'static [(u64, Event)];

/// One thing that happened.
#[derive(Clone, Copy)]
pub(super) enum Event {
    /// So many bytes of audio came.
    Audio(usize),
    /// The stream started.
    Start(GreetingMode),
    /// The caller began to speak so many milliseconds ago.
    Speech(u64),
    /// The caller fell silent so many milliseconds ago.
    Silence(u64),
    /// Turn and attempt were heard as these words.
    Heard(u32, u32, &'static str),
    /// Turn and attempt could not be heard.
    Deaf(u32, u32, Failure),
    /// The brain said this to a turn.
    Say(u32, &'static str),
    /// And that was all.
    Done(u32, Next),
    /// An utterance exists as a whole, of so many milliseconds.
    Voice(u32, u64),
    /// A mark came back: generation, utterance, milliseconds.
    Mark(u32, u32, u64),
    /// A key.
    Key(char),
    /// The stream stopped.
    Stop,
}

use Event::{Audio, Deaf, Done, Heard, Key, Mark, Say, Silence, Speech, Start, Stop, Voice};

/// The calls, each with the name of its sample.
pub(super) const SCENES: [(&str, Scene); 4] = [
    ("hebrew-message", HEBREW_MESSAGE),
    ("english-interruption", ENGLISH_INTERRUPTION),
    ("silent-caller", SILENT_CALLER),
    ("keys-then-voicemail", KEYS_THEN_VOICEMAIL),
];

/// A Hebrew caller leaves a reason and a number, is not cut off in the middle of it, and says goodbye.
const HEBREW_MESSAGE: Scene = &[
    (0, Start(GreetingMode::Play)),
    (5, Say(0, "במה אפשר לעזור?")),
    (6, Done(0, Next::Listen)),
    (20, Audio(160)),
    (90, Voice(1, 1_100)),
    (310, Mark(0, 1, 200)),
    (1_230, Mark(0, 1, 1_100)),
    (2_100, Speech(70)),
    (3_900, Silence(96)),
    (4_180, Heard(1, 1, "אני מחפש דירה בחיפה.")),
    (4_400, Say(1, "בשמחה.")),
    (4_410, Say(1, "מה המספר שלך?")),
    (4_411, Done(1, Next::Digits { max: 10 })),
    (4_500, Voice(2, 500)),
    (4_600, Voice(3, 900)),
    (5_050, Mark(0, 2, 500)),
    (5_980, Mark(0, 3, 900)),
    (6_800, Speech(60)),
    (8_100, Silence(100)),
    (8_420, Heard(2, 1, "אפס חמש ארבע אחת שתיים")),
    (9_600, Speech(64)),
    (11_300, Silence(100)),
    (11_610, Heard(2, 2, "אפס חמש ארבע אחת שתיים שלוש ארבע חמש שש שבע")),
    (11_800, Say(2, "תודה, נחזור אליך.")),
    (11_801, Done(2, Next::Listen)),
    (11_900, Voice(4, 1_200)),
    (13_150, Mark(0, 4, 1_200)),
    (13_900, Speech(60)),
    (14_600, Silence(90)),
    (14_850, Heard(3, 1, "תודה, להתראות.")),
    (15_100, Say(3, "להתראות ויום טוב.")),
    (15_101, Done(3, Next::Listen)),
    (15_200, Voice(5, 1_000)),
    (16_260, Mark(0, 5, 1_000)),
];

/// An English caller murmurs, then interrupts the agent in mid-sentence, then hangs up.
const ENGLISH_INTERRUPTION: Scene = &[
    (0, Start(GreetingMode::Stream)),
    (10, Say(0, "Hello, you have reached the office, we are open from nine to five.")),
    (11, Done(0, Next::Listen)),
    (120, Voice(1, 4_000)),
    (330, Mark(0, 1, 200)),
    (530, Mark(0, 1, 400)),
    (730, Mark(0, 1, 600)),
    (900, Speech(64)),
    (1_200, Silence(96)),
    (1_450, Heard(1, 1, "mhm")),
    (1_700, Mark(1, 1, 700)),
    (2_500, Mark(1, 1, 1_500)),
    (2_640, Speech(64)),
    (2_720, Mark(1, 1, 4_000)),
    (4_000, Silence(96)),
    (4_300, Heard(2, 1, "I want to speak to Dana, please.")),
    (4_700, Say(2, "Dana is not in today.")),
    (4_701, Done(2, Next::Listen)),
    (4_800, Voice(2, 1_300)),
    (5_100, Mark(2, 2, 200)),
    (5_300, Stop),
];

/// Nobody says anything.
const SILENT_CALLER: Scene = &[
    (0, Start(GreetingMode::Play)),
    (5, Done(0, Next::Listen)),
    (7_050, Say(1, "אתם על הקו?")),
    (7_051, Done(1, Next::Listen)),
    (7_150, Voice(1, 800)),
    (8_000, Mark(0, 1, 800)),
    (15_050, Say(2, "אפשר להשאיר הודעה.")),
    (15_051, Done(2, Next::Listen)),
    (15_150, Voice(2, 1_000)),
    (16_200, Mark(0, 2, 1_000)),
    (23_250, Say(3, "להתראות.")),
    (23_251, Done(3, Next::Listen)),
    (23_350, Voice(3, 700)),
    (24_100, Mark(0, 3, 700)),
];

/// Keys interrupt the agent; then the recognizer is full.
const KEYS_THEN_VOICEMAIL: Scene = &[
    (0, Start(GreetingMode::Stream)),
    (10, Say(0, "Please type your number.")),
    (11, Done(0, Next::Digits { max: 4 })),
    (100, Voice(1, 1_500)),
    (320, Mark(0, 1, 200)),
    (400, Key('1')),
    (600, Key('2')),
    (800, Key('3')),
    (1_000, Key('4')),
    (1_050, Say(1, "Thank you. What is it about?")),
    (1_051, Done(1, Next::Listen)),
    (1_150, Voice(2, 1_400)),
    (2_600, Mark(1, 2, 1_400)),
    (3_300, Speech(64)),
    (4_700, Silence(96)),
    (4_830, Deaf(2, 1, Failure::Busy)),
    (5_450, Deaf(2, 2, Failure::Busy)),
];

/// Lives a call through as a shell would, and returns its log.
pub(super) fn record(scene: Scene) -> Vec<u8> {
    let config = Config::default();
    let mut call = Call::new(config.clone());
    let mut log = Recorder::open(Vec::new(), Opened::new("kolbox 0.1.0", config)).unwrap();
    for (millis, event) in scene {
        let at = CallTime::from_millis(*millis);
        while let Some((deadline, _)) = call.poll_timeout().filter(|(deadline, _)| *deadline <= at) {
            call.handle_timeout(deadline);
            write_down(&mut call, &mut log);
        }
        if let Some(input) = perceive(*millis, *event, &mut log) {
            call.handle_input(at, input);
        }
        write_down(&mut call, &mut log);
    }
    assert!(call.is_ended(), "the scene has no end");
    log.into_inner()
}

fn write_down(call: &mut Call, log: &mut Recorder<Vec<u8>>) {
    while let Some((at, output)) = call.poll_decision() {
        log.decided(at, output).unwrap();
    }
}

fn perceive(millis: u64, event: Event, log: &mut Recorder<Vec<u8>>) -> Option<Input> {
    let at = CallTime::from_millis(millis);
    let sample = |millis: u64| SampleCount(millis * 8);
    let input = match event {
        Audio(bytes) => {
            log.audio(at, &vec![0xff; bytes]).unwrap();
            return None;
        }
        Mark(generation, utterance, heard) => {
            let name = format!("g{generation}.u{utterance}.{}", heard * 8);
            return carrier(at, "mark", &format!(r#"{{"name":"{name}"}}"#), log);
        }
        Key(key) => return carrier(at, "dtmf", &format!(r#"{{"track":"inbound_track","digit":"{key}"}}"#), log),
        Stop => return carrier(at, "stop", r#"{"callSid":"CA00000000000000000000000000000001"}"#, log),
        Start(greeting) => Input::StreamStarted { greeting },
        Speech(ago) => Input::SpeechStarted { at: sample(millis - ago), detected: sample(millis) },
        Silence(ago) => Input::SpeechEnded { at: sample(millis - ago), detected: sample(millis) },
        Heard(turn, attempt, text) => Input::Transcript {
            turn: TurnId(turn),
            attempt,
            stage: Stage::Final,
            text: text.to_owned().into(),
            language: Some(language_of(text)),
            confidence: Confidence::FULL,
        },
        Deaf(turn, attempt, why) => Input::RecognizeFailed { turn: TurnId(turn), attempt, why },
        Say(turn, text) => {
            let (turn, language) = (TurnId(turn), language_of(text));
            Input::ReplySentence { turn, text: text.to_owned().into(), language }
        }
        Done(turn, next) => Input::ReplyDone { turn: TurnId(turn), next },
        Voice(utterance, length) => {
            Input::Synthesized { utterance: UtteranceId(utterance), samples: sample(length), last: true }
        }
    };
    log.perceived(at, input.clone()).unwrap();
    Some(input)
}

fn carrier(at: CallTime, event: &str, body: &str, log: &mut Recorder<Vec<u8>>) -> Option<Input> {
    let stream = "MZ00000000000000000000000000000001";
    let message = format!(r#"{{"event":"{event}","sequenceNumber":"2","streamSid":"{stream}","{event}":{body}}}"#);
    log.message(at, &message).unwrap();
    let input = input_of(&message);
    assert!(input.is_some(), "{message} means nothing");
    input
}

fn language_of(text: &str) -> Language {
    if text.bytes().any(|byte| byte.is_ascii_alphabetic()) { Language::English } else { Language::Hebrew }
}

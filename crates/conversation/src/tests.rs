//! Timelines: what happens with times in, what is decided with times out.

mod failures;
mod formats;
mod interruptions;
mod keys;
mod limits;
mod playback;
mod properties;
mod turns;

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::time::Duration;

use units::{CallTime, Language, Pii, SampleCount, TurnId, UtteranceId};

use crate::{
    Call, Confidence, Config, Digit, Failure, Generation, GreetingMode, Input, MEDIA_RATE, Mark, Next, Output, Request,
    Stage,
};

/// Plays a script into a call with the default configuration and compares the timeline.
#[track_caller]
fn check(script: &str, expected: &str) {
    check_with(Config::default(), script, expected);
}

/// Plays a script into a call and compares the timeline, line by line.
///
/// A line of a script is a time in seconds and what happens:
/// `start play|stream`, `stop`, `speech FROM`, `silence FROM`, `heard TURN.ATTEMPT TEXT`, `interim TURN.ATTEMPT TEXT`,
/// `deaf TURN.ATTEMPT busy|late|broken`, `say TURN TEXT`, `done TURN listen|digits N|hangup|voicemail|transfer`,
/// `mute TURN`, `audio UTTERANCE SECONDS [all]`, `hoarse UTTERANCE`, `mark GENERATION UTTERANCE SECONDS`, `key K`,
/// `overload`, `shutdown`, and `wait` for nothing. The detector hears everything at once: what it says at 2.0 s is
/// detected at the sample of 2.0 s.
#[track_caller]
fn check_with(config: Config, script: &str, expected: &str) {
    let timeline = play(config, script);
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let actual: Vec<&str> = timeline.lines().collect();
    assert!(actual == expected, "the timeline is\n{timeline}but should be\n{}\n", expected.join("\n"));
}

/// Plays a script; returns the timeline.
fn play(config: Config, script: &str) -> String {
    let mut call = Call::new(config);
    let mut timeline = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (time, what) = line.split_once(' ').expect("a time and what happens");
        let now = CallTime::from_micros(seconds(time) * 125);
        while let Some((deadline, _)) = call.poll_timeout().filter(|(deadline, _)| *deadline <= now) {
            call.handle_timeout(deadline);
            drain(&mut call, &mut timeline);
        }
        if what != "wait" {
            call.handle_input(now, read(what, SampleCount(seconds(time))));
        }
        drain(&mut call, &mut timeline);
    }
    timeline
}

fn drain(call: &mut Call, timeline: &mut String) {
    while let Some((at, output)) = call.poll_decision() {
        writeln!(timeline, "{at} {}", revealed(&output)).expect("a string takes everything");
    }
}

/// Returns the line of an output with the words in it, which `Display` leaves out.
fn revealed(output: &Output) -> String {
    let words = match output {
        Output::Synthesize { text, .. } | Output::Said { text, .. } => text.reveal().clone(),
        Output::Reply { request: Request::CallerSaid { text, digits, .. }, heard, .. } => {
            let heard: Vec<&str> = heard.iter().map(|heard| heard.text.reveal().as_str()).collect();
            format!("{}{} | {}", text.reveal(), digits.reveal(), heard.join(" / "))
        }
        Output::Recognize { .. }
        | Output::CancelRecognition { .. }
        | Output::Reply { .. }
        | Output::CancelReply { .. }
        | Output::CancelSynthesis { .. }
        | Output::Play { .. }
        | Output::Release { .. }
        | Output::Clear { .. }
        | Output::Hangup { .. }
        | Output::Voicemail { .. }
        | Output::Transfer { .. }
        | Output::Ended
        | Output::Latency { .. }
        | Output::Ignored { .. } => return format!("{output}"),
    };
    format!("{output} «{words}»")
}

fn read(what: &str, detected: SampleCount) -> Input {
    let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
    let (first, more) = rest.split_once(' ').unwrap_or((rest, ""));
    let turn = || TurnId(first.parse().expect("a turn"));
    let utterance = || UtteranceId(first.parse().expect("an utterance"));
    match verb {
        "start" if rest == "stream" => Input::StreamStarted { greeting: GreetingMode::Stream },
        "start" => Input::StreamStarted { greeting: GreetingMode::Play },
        "stop" => Input::StreamStopped,
        "speech" => Input::SpeechStarted { at: SampleCount(seconds(rest)), detected },
        "silence" => Input::SpeechEnded { at: SampleCount(seconds(rest)), detected },
        "heard" => transcript(first, Stage::Final, more),
        "interim" => transcript(first, Stage::Interim, more),
        "deaf" => {
            let (turn, attempt) = attempt(first);
            let why = match more {
                "busy" => Failure::Busy,
                "late" => Failure::TimedOut,
                _ => Failure::Broken,
            };
            Input::RecognizeFailed { turn, attempt, why }
        }
        "say" => Input::ReplySentence { turn: turn(), text: more.to_owned().into(), language: language_of(more) },
        "done" => Input::ReplyDone { turn: turn(), next: next(more) },
        "mute" => Input::ReplyFailed { turn: turn(), why: Failure::Broken },
        "audio" => {
            let (samples, last) = more.split_once(' ').unwrap_or((more, ""));
            let samples = SampleCount(seconds(samples));
            Input::Synthesized { utterance: utterance(), samples, last: last == "all" }
        }
        "hoarse" => Input::SynthesizeFailed { utterance: utterance(), why: Failure::Broken },
        "mark" => {
            let (utterance, position) = more.split_once(' ').expect("an utterance and a position");
            let generation = Generation(first.parse().expect("a generation"));
            let utterance = UtteranceId(utterance.parse().expect("an utterance"));
            Input::MarkReached { mark: Mark { generation, utterance, position: SampleCount(seconds(position)) } }
        }
        "key" => Input::Dtmf { digit: rest.chars().next().and_then(Digit::new).expect("a key") },
        "overload" => Input::Overload,
        "shutdown" => Input::Shutdown,
        _ => panic!("{what} is not in the language of scripts"),
    }
}

fn transcript(which: &str, stage: Stage, text: &str) -> Input {
    let (turn, attempt) = attempt(which);
    let text = Pii::new(text.to_owned());
    let language = Some(language_of(text.reveal()));
    Input::Transcript { turn, attempt, stage, text, language, confidence: Confidence::FULL }
}

fn attempt(which: &str) -> (TurnId, u32) {
    let (turn, attempt) = which.split_once('.').expect("a turn and an attempt");
    (TurnId(turn.parse().expect("a turn")), attempt.parse().expect("an attempt"))
}

fn next(words: &str) -> Next {
    match words {
        "listen" => Next::Listen,
        "hangup" => Next::Hangup,
        "voicemail" => Next::Voicemail,
        "transfer" => Next::Transfer,
        digits => Next::Digits { max: digits.trim_start_matches("digits ").parse().expect("a number of digits") },
    }
}

fn language_of(text: &str) -> Language {
    if text.bytes().any(|byte| byte.is_ascii_alphabetic()) { Language::English } else { Language::Hebrew }
}

/// Reads seconds as samples, exactly: `1.25` is 10,000.
fn seconds(text: &str) -> u64 {
    let (whole, millis) = text.split_once('.').unwrap_or((text, "0"));
    let millis = format!("{millis:0<3}");
    let total = whole.parse::<u64>().expect("seconds") * 1_000 + millis.parse::<u64>().expect("milliseconds");
    SampleCount::from_duration(Duration::from_millis(total), MEDIA_RATE).0
}

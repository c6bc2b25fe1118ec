//! The calls of the demo: what the caller does in each, and what has to come of it.

use std::time::Duration;

use store::{CallOutcome, TurnRow};
use testcall::{CallReport, CallScript, Happened};
use units::Language;

use crate::commands::transcript::{Kept, plain};
use crate::commands::{callers, output};

/// What there is of a cloud during a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sky {
    /// No credentials.
    NoCloud,
    /// It works.
    Clear,
    /// It works, and is gone when it has replied once.
    Breaks,
}

/// One call of the demo: what the caller does, and what has to come of it.
pub(super) struct Scene {
    pub(super) title: &'static str,
    pub(super) sky: Sky,
    pub(super) script: CallScript,
    pub(super) check: fn(&CallReport, &Kept) -> Vec<Expectation>,
}

/// Something that has to be so.
#[derive(Debug, serde::Serialize)]
pub(super) struct Expectation {
    pub(super) what: &'static str,
    pub(super) met: bool,
}

impl Expectation {
    /// Prints whether it is so.
    pub(super) fn print(&self) {
        output::line(format_args!("  {} {}", if self.met { "ok  " } else { "FAIL" }, self.what));
    }
}

/// Returns the calls in the order in which they are placed.
pub(super) fn scenes() -> Vec<Scene> {
    vec![
        Scene {
            title: "a Hebrew caller leaves name, reason and number",
            sky: Sky::NoCloud,
            script: callers::hebrew(),
            check: check_hebrew,
        },
        Scene {
            title: "an English caller interrupts the agent",
            sky: Sky::NoCloud,
            script: callers::english_interrupting(),
            check: check_english,
        },
        Scene { title: "a caller says nothing", sky: Sky::NoCloud, script: callers::silent(), check: check_silent },
        Scene {
            title: "a Hebrew caller wants a person, who hears who it is and takes the call",
            sky: Sky::NoCloud,
            script: callers::hebrew_to_person(),
            check: check_person,
        },
        Scene {
            title: "the media stream is refused, voicemail answers",
            sky: Sky::NoCloud,
            script: callers::refused(),
            check: check_refused,
        },
        Scene {
            title: "the cloud hears, thinks and speaks",
            sky: Sky::Clear,
            script: callers::hebrew_to_cloud(),
            check: check_clear,
        },
        Scene {
            title: "the cloud dies between two turns",
            sky: Sky::Breaks,
            script: callers::hebrew(),
            check: check_break,
        },
    ]
}

fn check_hebrew(report: &CallReport, kept: &Kept) -> Vec<Expectation> {
    let mut expectations = common(report, kept);
    expectations.extend([
        expect("the name was understood", field(kept, "name").contains("דני כהן")),
        expect("the number was understood", field(kept, "phone") == callers::HEBREW_NUMBER),
        expect("the number was confirmed", is_confirmed(kept, "phone")),
        expect("the reason was understood", field(kept, "reason").contains("תור")),
        expect("the call was completed", outcome(kept) == Some(CallOutcome::Completed)),
    ]);
    expectations
}

fn check_english(report: &CallReport, kept: &Kept) -> Vec<Expectation> {
    let clears = report.stream.as_ref().map_or(0, |stream| stream.clears);
    let soon = report
        .turns
        .iter()
        .filter(|turn| turn.over_agent)
        .all(|turn| turn.to_clear.is_some_and(|waited| waited <= Duration::from_millis(400)));
    let mut expectations = common(report, kept);
    expectations.extend([
        expect("the agent fell silent when interrupted", clears >= 1),
        expect("it fell silent soon", soon),
        expect(
            "the box answered in English",
            kept.call.as_ref().is_some_and(|call| call.language == Language::English),
        ),
        expect("the name was understood", field(kept, "name").to_lowercase().contains("david")),
        expect("the number was understood", field(kept, "phone") == callers::ENGLISH_NUMBER),
    ]);
    expectations
}

fn check_silent(report: &CallReport, kept: &Kept) -> Vec<Expectation> {
    let mut expectations = common(report, kept);
    expectations.extend([
        expect("the agent asked again and said goodbye", report.agent_speech.len() >= 3),
        expect("the call ended for silence", outcome(kept) == Some(CallOutcome::Silent)),
    ]);
    expectations
}

fn check_person(report: &CallReport, kept: &Kept) -> Vec<Expectation> {
    let heard_who =
        report.events.iter().any(|event| matches!(event.what, Happened::WhisperHeard(millis) if millis > 500));
    vec![
        expect("the carrier saw nothing wrong", report.warnings.is_empty()),
        expect("the person heard who calls and why", heard_who),
        expect("caller and person talked", report.count(|what| *what == Happened::Bridged) == 1),
        expect("the name was understood", field(kept, "name").contains("דני כהן")),
        expect("the call was kept as put through", outcome(kept) == Some(CallOutcome::Transferred)),
    ]
}

fn check_refused(report: &CallReport, kept: &Kept) -> Vec<Expectation> {
    let voicemail = kept.voicemail.as_ref();
    let transcript = voicemail.and_then(|mail| mail.transcript.as_ref()).map_or("", |text| text.reveal());
    vec![
        expect("the caller was asked for a message", report.count(|what| *what == Happened::RecordStarted) == 1),
        expect("the message was kept", voicemail.is_some_and(|mail| mail.recording.is_some())),
        expect("the message was transcribed", transcript.contains("תחזרו")),
        expect("the carrier saw nothing wrong", report.warnings.iter().all(|warning| is_of_refusal(warning.code))),
    ]
}

fn check_clear(report: &CallReport, kept: &Kept) -> Vec<Expectation> {
    let mut expectations = common(report, kept);
    let clear = |turn: &TurnRow| served(turn) == ("openai", "openai", "google");
    expectations.extend([
        expect("OpenAI heard and replied, and Google spoke, in every turn", spoken_turns(kept).all(clear)),
        expect("the name was understood", field(kept, "name") == "דני כהן"),
        expect("the number was understood", field(kept, "phone") == callers::HEBREW_NUMBER),
        expect("the reason was understood", field(kept, "reason").contains("תור")),
        expect("the call was completed", outcome(kept) == Some(CallOutcome::Completed)),
        expect("what it cost was noted", kept.call.as_ref().is_some_and(|call| call.cost_micros > 0)),
    ]);
    expectations
}

fn check_break(report: &CallReport, kept: &Kept) -> Vec<Expectation> {
    let mut expectations = common(report, kept);
    let first = spoken_turns(kept).next();
    let is_local = |turn: &TurnRow| {
        let (hears, thinks, speaks) = served(turn);
        hears != "openai" && thinks == "receptionist" && speaks != "google"
    };
    expectations.extend([
        expect(
            "the cloud served the first turn",
            first.is_some_and(|turn| served(turn) == ("openai", "openai", "google")),
        ),
        expect(
            "this device served the others",
            spoken_turns(kept).count() > 2 && spoken_turns(kept).skip(1).all(is_local),
        ),
        expect("the name was understood", field(kept, "name").contains("דני כהן")),
        expect("the number was understood", field(kept, "phone") == callers::HEBREW_NUMBER),
        expect("the reason was understood", field(kept, "reason").contains("תור")),
        expect("the call was completed", outcome(kept) == Some(CallOutcome::Completed)),
    ]);
    expectations
}

/// Returns the turns in which the caller said something.
fn spoken_turns(kept: &Kept) -> impl Iterator<Item = &TurnRow> {
    kept.turns.iter().filter(|turn| !turn.caller.reveal().is_empty())
}

/// Returns who heard, replied and spoke.
fn served(turn: &TurnRow) -> (&str, &str, &str) {
    let weather = &turn.weather;
    (
        weather.recognize.as_deref().unwrap_or_default(),
        weather.reply.as_deref().unwrap_or_default(),
        weather.synthesize.as_deref().unwrap_or_default(),
    )
}

/// Returns whether a code of the carrier belongs to a stream that is refused on purpose (319xx: stream errors).
const fn is_of_refusal(code: u32) -> bool {
    matches!(code, 31_900..=31_999)
}

fn common(report: &CallReport, kept: &Kept) -> Vec<Expectation> {
    vec![
        expect("the carrier saw nothing wrong", report.warnings.is_empty()),
        expect("the agent was heard", !report.agent_speech.is_empty()),
        expect("the box ended the call", report.count(|what| *what == Happened::CallerHungUp) == 0),
        expect("the call was kept", kept.call.is_some()),
    ]
}

/// Returns what has to be so, and whether it is.
pub(super) const fn expect(what: &'static str, met: bool) -> Expectation {
    Expectation { what, met }
}

fn outcome(kept: &Kept) -> Option<CallOutcome> {
    kept.call.as_ref().map(|call| call.outcome)
}

fn field(kept: &Kept, name: &str) -> String {
    let value = kept.form.as_ref().and_then(|form| form.get("fields")?.get(name)?.get("value"));
    value.map(plain).unwrap_or_default()
}

fn is_confirmed(kept: &Kept, name: &str) -> bool {
    let confirmed = kept.form.as_ref().and_then(|form| form.get("fields")?.get(name)?.get("confirmed"));
    confirmed.and_then(serde_json::Value::as_bool) == Some(true)
}

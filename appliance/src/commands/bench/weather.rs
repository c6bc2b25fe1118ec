//! What callers notice of a cloud that fails, and what the box adds to one that works.
//!
//! Each row is a call to a box of its own whose cloud has one fault in one stage; the other stages are this device's. Beside
//! it stands the same call with no cloud at all.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use conversation::Output;
use fakes::{BadPlace, Behaviour, ChatRule, Fault, Nowhere, Service};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use replay::{Reader, Record};
use serde_json::json;
use store::{Store, StoreConfig};
use testcall::{CallReport, CallScript, Happened, Pace, Step};
use units::{CallTime, Language, TurnId};

use super::{Row, percentile_ms};
use crate::commands::boxed::{self, Models, RunningBox, Start};
use crate::commands::clouds::{Clouds, tables};
use crate::commands::output;
use crate::commands::transcript::Kept;
use crate::commands::voices::LocalVoice;
use crate::config::{Config, Synthesizer};
use crate::development::quoted;

/// Boxes at once: their callers speak and listen in real time, so that each is idle most of it.
const AT_ONCE: usize = 4;
/// Calls without a cloud that the others are compared with.
const BASES: usize = 3;
/// Conversations in clear weather.
const CLEAR: usize = 4;
/// What the services of the clear cloud take: hearing, the first sentence, speaking.
const DELAYS: [Duration; 3] = [Duration::from_millis(300), Duration::from_millis(400), Duration::from_millis(150)];
/// A short form, so that calls are short.
const FORM: &str = r#"version = 1
name = "short"
languages = ["he"]
office = { he = "המשרד" }
greeting = { he = "שלום." }
summary = false

[[fields]]
id = "name"
kind = "name"
label = { he = "השם" }
prompt = { he = "מה השם, בבקשה?" }

[[fields]]
id = "reason"
kind = "reason"
label = { he = "סיבה" }
prompt = { he = "מה סיבת הפנייה?" }
"#;

/// A stage of a turn, as the table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Recognize,
    Reply,
    Synthesize,
}

/// What is wrong with the cloud.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Service(Behaviour),
    Place(BadPlace),
}

/// What came of a call.
struct Heard {
    /// From the beginning of the stream, and from each of the caller's last words, to the agent; and the longest pause of
    /// the agent in the middle of a reply.
    waits: Vec<Duration>,
    pause: Duration,
    /// Who served the stage in each turn of the caller.
    served: Vec<String>,
    /// What the agent was heard to say in those turns.
    words: String,
    ended_well: bool,
}

/// Prints the table of faults, and returns what is to be said of it as a whole.
pub(super) async fn measure(folder: &Path, with_table: bool) -> anyhow::Result<Vec<Row>> {
    let folder = folder.join("weather");
    let config = crate::config::Weather::default();
    let mut bases: BTreeMap<usize, Heard> = BTreeMap::new();
    for number in 0..BASES {
        bases.insert(number, Box::pin(call(&folder.join(format!("base-{number}")), None)).await?);
    }
    let base = middle(bases.into_values().collect());
    if with_table {
        let waits: Vec<u128> = base.waits.iter().map(Duration::as_millis).collect();
        output::line(format_args!("without a cloud the caller waits {waits:?} ms (greeting, first turn, second turn)"));
        output::line(
            "stage       fault                     deadline    added   longest  served by       heard in the two turns",
        );
    }
    let cases: Vec<(usize, Stage, &'static str, Trouble)> = cases();
    let calls = cases.into_iter().map(|(number, stage, name, trouble)| {
        let folder = folder.join(format!("{number}"));
        async move { anyhow::Ok((number, stage, name, Box::pin(call(&folder, Some((stage, trouble)))).await?)) }
    });
    let mut calls: Vec<_> = stream::iter(calls).buffer_unordered(AT_ONCE).try_collect().await?;
    calls.sort_by_key(|(number, ..)| *number);
    let mut over: usize = 0;
    let mut dropped: usize = 0;
    let mut worst = Duration::ZERO;
    let total = calls.len();
    for (_, stage, name, heard) in calls {
        let deadline = match stage {
            Stage::Recognize => config.recognize.deadline,
            Stage::Reply => config.reply.deadline,
            Stage::Synthesize => config.synthesize.deadline,
        };
        let added = heard.added_to(&base);
        over += usize::from(added > deadline);
        dropped += usize::from(!heard.ended_well);
        worst = worst.max(added);
        if with_table {
            output::line(format_args!(
                "{:<11} {name:<25} {:>5} ms {:>5} ms  {:>5} ms  {:<16}{}{}  {}",
                format!("{stage:?}").to_lowercase(),
                deadline.as_millis(),
                added.as_millis(),
                heard.longest().as_millis(),
                heard.served.join(", "),
                if heard.ended_well { "" } else { "  DROPPED" },
                if added > deadline { "  OVER" } else { "" },
                heard.words,
            ));
        }
    }
    let mut rows = vec![
        Row::new("faults tried, each in each stage", count(total), "calls"),
        Row::new("of these the caller was dropped", count(dropped), "calls").at_most(0.0),
        Row::new("of these more was added than the stage's deadline", count(over), "calls").at_most(0.0),
        Row::new("longest silence added by any fault", worst.as_secs_f64() * 1e3, "ms"),
    ];
    rows.extend(Box::pin(clear(&folder)).await?);
    Ok(rows)
}

impl Heard {
    fn longest(&self) -> Duration {
        self.waits.iter().copied().chain([self.pause]).max().unwrap_or_default()
    }

    /// Returns how much longer the longest wait was than the same wait without a cloud.
    fn added_to(&self, base: &Self) -> Duration {
        let waits = self.waits.iter().zip(&base.waits).map(|(wait, base)| wait.saturating_sub(*base));
        waits.chain([self.pause.saturating_sub(base.pause)]).max().unwrap_or_default()
    }
}

/// Returns the one whose waits are in the middle.
fn middle(mut bases: Vec<Heard>) -> Heard {
    bases.sort_by_key(|heard| heard.waits.iter().sum::<Duration>());
    bases.swap_remove(bases.len() / 2)
}

fn cases() -> Vec<(usize, Stage, &'static str, Trouble)> {
    let soon = Some(Duration::from_millis(200));
    let late = Some(Duration::from_secs(30));
    let service = |fault| Trouble::Service(Behaviour { after_items: 3, ..Behaviour::faulty(fault) });
    let faults = [
        ("slow first byte", service(Fault::SlowFirstByte)),
        ("stall after headers", service(Fault::StallAfterHeaders)),
        ("stall mid-stream", service(Fault::StallMidStream)),
        ("cut mid-stream", service(Fault::CutMidStream)),
        ("401", service(Fault::Unauthorized)),
        ("403", service(Fault::Forbidden)),
        ("429, retry after 0.2 s", service(Fault::TooMany { retry_after: soon })),
        ("429, retry after 30 s", service(Fault::TooMany { retry_after: late })),
        ("429", service(Fault::TooMany { retry_after: None })),
        ("500", service(Fault::Internal)),
        ("503", service(Fault::Unavailable)),
        ("HTML instead of JSON", service(Fault::Html)),
        ("redirect to a portal", service(Fault::Redirect)),
        ("truncated JSON", service(Fault::TruncatedJson)),
        ("wrong content type", service(Fault::WrongContentType)),
        ("TLS failure", Trouble::Place(BadPlace::TlsFailure)),
        ("DNS failure", Trouble::Place(BadPlace::DnsFailure)),
        ("connection refused", Trouble::Place(BadPlace::Refused)),
        ("black hole", Trouble::Place(BadPlace::BlackHole)),
    ];
    let late_faults = [
        (
            "stall after a sentence",
            Trouble::Service(Behaviour { after_items: 9, ..Behaviour::faulty(Fault::StallMidStream) }),
        ),
        (
            "cut after a sentence",
            Trouble::Service(Behaviour { after_items: 9, ..Behaviour::faulty(Fault::CutMidStream) }),
        ),
    ];
    let stages = [Stage::Recognize, Stage::Reply, Stage::Synthesize];
    let all = stages.into_iter().flat_map(|stage| faults.map(|(name, trouble)| (stage, name, trouble)));
    let all = all.chain(late_faults.map(|(name, trouble)| (Stage::Reply, name, trouble)));
    all.enumerate().map(|(number, (stage, name, trouble))| (number, stage, name, trouble)).collect()
}

/// Places one call at a box of its own.
async fn call(folder: &Path, trouble: Option<(Stage, Trouble)>) -> anyhow::Result<Heard> {
    boxed::empty(folder)?;
    std::fs::create_dir_all(folder)?;
    let form = std::env::current_dir()?.join(folder).join("form.toml");
    std::fs::write(&form, FORM)?;
    let clouds = Clouds::saying(short_rules()).await?;
    let mut extra =
        format!("[greeting]\nmode = \"stream\"\n\n[office]\nform = {}\n\n", quoted(&form.display().to_string()));
    let mut nowhere = None;
    if let Some((stage, trouble)) = trouble {
        let (mut openai, mut google) = (clouds.cloud.openai_url(), clouds.cloud.google_speak_url());
        match trouble {
            Trouble::Service(behaviour) => {
                for service in stage.services() {
                    clouds.cloud.set(*service, behaviour);
                }
            }
            Trouble::Place(place) => {
                let place = Nowhere::start(place).await.context("no such place on this machine")?;
                (openai, google) = (place.url(), place.url());
                nowhere = Some(place);
            }
        }
        extra.push_str(&tables(folder, &clouds.cloud.credentials(), &openai, &google)?);
        extra.push_str(stage.engines());
    }
    let voice = clouds.hears(LocalVoice::of_callers(&Synthesizer::default())?);
    let start = Start {
        folder,
        extra: &extra,
        voice: Arc::new(voice),
        pace: Pace::RealTime,
        record: false,
        models: Models::Installed,
    };
    let mut running = RunningBox::start(start).await?;
    // What is rendered at the first start would be in the way of the call.
    running.wait_until_rendered().await?;
    let report = running.carrier.place(&script()).await?;
    let config = running.stop().await?;
    drop(nowhere);
    heard(&config, &report, trouble.map(|(stage, _)| stage))
}

impl Stage {
    const fn services(self) -> &'static [Service] {
        match self {
            Self::Recognize => &[Service::Transcribe],
            Self::Reply => &[Service::Chat],
            Self::Synthesize => &[Service::GoogleSpeak],
        }
    }

    /// Returns the table that leaves the other stages to this device.
    const fn engines(self) -> &'static str {
        match self {
            Self::Recognize => {
                "\n[weather.reply]\nengines = [\"local\"]\n[weather.synthesize]\nengines = [\"local\"]\n"
            }
            Self::Reply => {
                "\n[weather.recognize]\nengines = [\"local\"]\n[weather.synthesize]\nengines = [\"local\"]\n"
            }
            Self::Synthesize => {
                "\n[weather.recognize]\nengines = [\"local\"]\n[weather.reply]\nengines = [\"local\"]\n"
            }
        }
    }
}

/// A caller who gives a name and a reason.
fn script() -> CallScript {
    let he = Language::Hebrew;
    CallScript::of([
        Step::wait_for_agent(),
        Step::say("קוראים לי דני כהן", he),
        Step::wait_for_agent(),
        Step::say("אני רוצה לקבוע תור", he),
        Step::wait_for_agent(),
        Step::Hangup {},
    ])
}

fn short_rules() -> Vec<ChatRule> {
    let rule = |when: &str, say: &[&str], fields: serde_json::Value| ChatRule {
        when: when.to_owned(),
        say: say.iter().map(|text| (*text).to_owned()).collect(),
        calls: vec![("fill_form".to_owned(), fields)],
        once: false,
    };
    vec![
        rule("דני כהן", &["נעים מאוד, דני כהן.", "במה אפשר לעזור לך היום?"], json!({"name": "דני כהן"})),
        rule("תור", &["רשמתי שצריך לקבוע תור.", "נחזור אליך עוד היום."], json!({"reason": "לקבוע תור"})),
    ]
}

/// Reads from the carrier's report and the box's store what the caller heard, and who served `stage`.
fn heard(config: &Config, report: &CallReport, stage: Option<Stage>) -> anyhow::Result<Heard> {
    let store = Store::open(&StoreConfig::new(&config.store.path))?;
    let call = report.call_sid.parse().context("the carrier's name for a call")?;
    let kept = Kept::read(&store, &call)?;
    let turns = kept.turns.iter().filter(|turn| !turn.caller.reveal().is_empty());
    let words: Vec<&str> = turns.clone().map(|turn| turn.agent.reveal().as_str()).collect();
    let served = turns.filter_map(|turn| match stage? {
        Stage::Recognize => turn.weather.recognize.clone(),
        Stage::Reply => turn.weather.reply.clone(),
        Stage::Synthesize => turn.weather.synthesize.clone(),
    });
    let opened = report.first(|what| *what == Happened::StreamOpened).map(|event| event.at);
    let greeted = opened.zip(report.agent_speech.first()).map(|(opened, speech)| speech.from.since(opened));
    let waits = greeted.into_iter().chain(report.turns.iter().filter_map(|turn| turn.to_agent));
    let pauses = report.agent_speech.windows(2).filter_map(|pair| {
        let [before, after] = pair else { return None };
        let spoke = report.caller_speech.iter().any(|said| said.from < after.from && said.until > before.until);
        (!spoke).then(|| after.from.since(before.until))
    });
    Ok(Heard {
        waits: waits.collect(),
        pause: pauses.max().unwrap_or_default(),
        served: served.map(|name| short(&name)).collect(),
        words: words.join(" | "),
        // The caller hangs up when everything was said; a call that the box ended before was dropped.
        ended_well: report.warnings.is_empty()
            && report.count(|what| matches!(what, Happened::RecordStarted | Happened::StepTimedOut(_))) == 0
            && report.turns.iter().filter(|turn| turn.to_agent.is_some()).count() >= 2,
    })
}

/// Returns `local` for any engine of this device.
fn short(engine: &str) -> String {
    if ["openai", "google", "brain"].contains(&engine) { engine.to_owned() } else { "local".to_owned() }
}

/// Holds conversations in clear weather and tells what the box adds to what the cloud takes.
async fn clear(folder: &Path) -> anyhow::Result<Vec<Row>> {
    let folder = folder.join("clear");
    boxed::empty(&folder)?;
    let clouds = Clouds::saying(long_rules()).await?;
    clouds.delay(DELAYS);
    let extra = format!("[greeting]\nmode = \"stream\"\n\n{}", clouds.tables(&folder)?);
    let voice = clouds.hears(LocalVoice::of_callers(&Synthesizer::default())?);
    let start = Start {
        folder: &folder,
        extra: &extra,
        voice: Arc::new(voice),
        pace: Pace::RealTime,
        record: false,
        models: Models::Installed,
    };
    let mut running = RunningBox::start(start).await?;
    running.wait_until_rendered().await?;
    let mut reports = Vec::new();
    for _ in 0..CLEAR {
        reports.push(running.carrier.place(&crate::commands::callers::hebrew_to_cloud()).await?);
    }
    let config = running.stop().await?;
    let (mut waits, mut overheads) = (Vec::new(), Vec::new());
    for report in &reports {
        let log = std::fs::read(config.store.path.join("calls").join(format!("{}.log", report.call_sid)))?;
        for turn in turns(&log)?.values().filter_map(Turn::times) {
            waits.push(turn.0);
            overheads.push(turn.1);
        }
    }
    Ok(vec![
        Row::new("clear weather: turns measured", count(waits.len()), "turns").at_least(1.0),
        Row::new("clear weather: end of turn -> first audio, p50", percentile_ms(&mut waits, 0.5), "ms"),
        Row::new("clear weather: of that beyond what cannot overlap, p50", percentile_ms(&mut overheads, 0.5), "ms")
            .at_most(40.0),
        Row::new("clear weather: of that beyond what cannot overlap, p95", percentile_ms(&mut overheads, 0.95), "ms"),
    ])
}

/// What the language model says in clear weather: other words in each conversation, so that none is in the box's cache.
fn long_rules() -> Vec<ChatRule> {
    let numbers = ["אחת", "שתיים", "שלוש", "ארבע"];
    let mut rules = Vec::new();
    for number in numbers.into_iter().take(CLEAR) {
        let rule = |when: &str, say: String, calls: Vec<(String, serde_json::Value)>| ChatRule {
            when: when.to_owned(),
            say: vec![say],
            calls,
            once: true,
        };
        let fill = |fields| ("fill_form".to_owned(), fields);
        rules.extend([
            rule(
                "דני כהן",
                format!("נעים מאוד בשיחה {number}, לאיזה מספר לחזור?"),
                vec![fill(json!({"name": "דני כהן"}))],
            ),
            rule(
                "0528901234",
                format!("רשמתי בשיחה {number} את המספר, במה אפשר לעזור?"),
                vec![fill(json!({"phone": "0528901234"}))],
            ),
            rule(
                "תור",
                format!("תודה על שיחה {number}, נחזור אליך היום."),
                vec![fill(json!({"reason": "לקבוע תור"})), ("end_call".to_owned(), json!({}))],
            ),
        ]);
    }
    rules
}

/// When the parts of a turn happened.
#[derive(Default)]
struct Turn {
    asked: Option<CallTime>,
    ended: Option<CallTime>,
    heard: Option<CallTime>,
}

impl Turn {
    /// Returns how long it took from the end of the turn to the first audio, and how much of that the cloud's delays do not
    /// explain: the rest of the recognition, the first sentence, its audio.
    fn times(&self) -> Option<(Duration, Duration)> {
        let (asked, ended, heard) = (self.asked?, self.ended?, self.heard?);
        let [hearing, thinking, speaking] = DELAYS;
        let took = heard.saturating_since(ended);
        let rest = asked.saturating_add(hearing).saturating_since(ended);
        Some((took, took.saturating_sub(rest + thinking + speaking)))
    }
}

/// Reads from a call's log when the parts of each of the caller's turns happened.
fn turns(log: &[u8]) -> anyhow::Result<BTreeMap<TurnId, Turn>> {
    let mut turns: BTreeMap<TurnId, Turn> = BTreeMap::new();
    for record in Reader::new(log) {
        match record? {
            Record::Decided { at, output: Output::Recognize { turn, .. } } => {
                turns.entry(turn).or_default().asked = Some(at);
            }
            Record::Decided { at, output: Output::Latency { turn, latency } } => {
                let entry = turns.entry(turn).or_default();
                let behind = latency.first_audio.saturating_sub(latency.end_of_turn);
                entry.heard = Some(at);
                entry.ended = Some(CallTime::from_duration(at.since_start().saturating_sub(behind)));
            }
            Record::Opened(_)
            | Record::Frame { .. }
            | Record::Perceived { .. }
            | Record::Decided { .. }
            | Record::Chosen { .. }
            | Record::Began(_)
            | Record::Told { .. }
            | Record::Went { .. } => {}
        }
    }
    Ok(turns)
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn count(number: usize) -> f64 {
    number as f64
}

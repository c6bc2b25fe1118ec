//! `kolbox demo`: starts a box and a gateway on loopback, places seven calls at the box, five without a cloud and two with
//! one, has a customer write, and checks what came of each and what of it arrived at the gateway and at the office's CRM.

mod office;
mod scenes;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fakes::Service;
use protocol::Stream;
use store::{Store, StoreConfig};
use testcall::{CallReport, CallerVoice, Pace};
use tokio::time::{sleep, timeout};
use units::CallId;

use self::office::{Office, Told};
use self::scenes::{Expectation, Scene, Sky, scenes};
use super::arrived::Arrived;
use super::boxed::{self, Models, RunningBox, Start};
use super::clouds::Clouds;
use super::gateway::{self, RunningGateway};
use super::output;
use super::transcript::Kept;
use super::voices::LocalVoice;
use crate::cli::DemoArgs;
use crate::config::Synthesizer;

/// Longest wait for the message of the fifth call to be fetched and transcribed.
const MESSAGE_PATIENCE: Duration = Duration::from_mins(1);
/// Longest wait for the gateway to have what the box promised to tell it.
const TELL_PATIENCE: Duration = Duration::from_secs(20);
/// Time between two questions to the gateway, which answers 50 a second.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// The box's name at the gateway.
const DEVICE: &str = "demo-box";

/// How long the cloud of the demo takes to hear, to think of a sentence and to speak it: what the real ones take at best.
const CLOUD_DELAYS: [Duration; 3] =
    [Duration::from_millis(300), Duration::from_millis(400), Duration::from_millis(150)];

/// What came of one scene.
#[derive(Debug, serde::Serialize)]
struct Outcome {
    title: &'static str,
    report: CallReport,
    kept: Kept,
    expectations: Vec<Expectation>,
}

impl Outcome {
    fn is_met(&self) -> bool {
        self.expectations.iter().all(|expectation| expectation.met)
    }
}

/// What came of everything.
#[derive(Debug, serde::Serialize)]
struct Outcomes {
    calls: Vec<Outcome>,
    /// What was written, and what the office's CRM was told.
    office: Told,
    /// What arrived at the gateway, if there is one.
    gateway: Option<Arrived>,
}

/// Plays every scene and prints what came of it. Exit code 0 when all of it is as it should be.
pub fn run(arguments: &DemoArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let outcomes = runtime.block_on(play(arguments))?;
    let Outcomes { calls, office, gateway } = &outcomes;
    let met = calls.iter().filter(|outcome| outcome.is_met()).count();
    if arguments.json {
        output::json(&outcomes)?;
    } else {
        for (number, outcome) in calls.iter().enumerate() {
            print(number.saturating_add(1), outcome);
        }
        office.print();
        if let Some(arrived) = gateway {
            output::line(format_args!("\n=== what arrived at the gateway from {DEVICE}, read over the gateway's API"));
            arrived.print();
        }
        let folder = arguments.folder.display();
        output::line(format_args!("recordings, call logs, and the logs of box and gateway are in {folder}"));
    }
    if let Some(arrived) = gateway {
        let (kept, promised) = (arrived.kept(), arrived.promised());
        let how = if arrived.is_complete() { "each once and in order" } else { "NOT as promised" };
        output::line(format_args!("demo: {kept} of {promised} promised events arrived at the gateway, {how}"));
    }
    let how = if office.is_met() { "as they should" } else { "NOT as they should" };
    output::line(format_args!("demo: messages and leads went {how}"));
    output::line(format_args!("demo: {met} of {} calls went as they should", calls.len()));
    let is_told = gateway.as_ref().is_none_or(Arrived::is_complete);
    Ok(if met == calls.len() && office.is_met() && is_told { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The calls, and what came of those that were placed.
struct Play {
    scenes: Vec<Scene>,
    reports: Vec<CallReport>,
}

impl Play {
    /// Places the calls under one sky.
    async fn place(&mut self, running: &RunningBox, clouds: &Clouds, skies: &[Sky]) -> anyhow::Result<()> {
        let of = self.scenes.len();
        for (number, scene) in (1_usize..).zip(&self.scenes).filter(|(_, scene)| skies.contains(&scene.sky)) {
            output::line(format_args!("call {number} of {of}: {} ...", scene.title));
            let placing = running.carrier.place(&scene.script);
            let report = if scene.sky == Sky::Breaks {
                let asked = clouds.cloud.requests(Service::Chat);
                let dying = async {
                    clouds.until_replied(asked).await;
                    clouds.die();
                };
                tokio::join!(placing, dying).0?
            } else {
                placing.await?
            };
            self.reports.push(report);
        }
        Ok(())
    }

    /// Returns what came of each call; the box has stopped and left `store`.
    fn outcomes(self, store: &Store) -> anyhow::Result<Vec<Outcome>> {
        let outcome = |(scene, report): (Scene, CallReport)| {
            let call: CallId = report.call_sid.parse().context("the carrier's name for a call")?;
            let kept = Kept::read(store, &call)?;
            let expectations = (scene.check)(&report, &kept);
            Ok(Outcome { title: scene.title, report, kept, expectations })
        };
        self.scenes.into_iter().zip(self.reports).map(outcome).collect()
    }
}

async fn play(arguments: &DemoArgs) -> anyhow::Result<Outcomes> {
    let folder = arguments.folder.as_path();
    let voice = LocalVoice::of_callers(&Synthesizer::default())?;
    boxed::empty(folder)?;
    let (gateway, office) = (start_gateway(arguments).await?, Office::start(folder).await?);
    output::line("starting a box on loopback with generated credentials ...");
    let sync = gateway.as_ref().map(RunningGateway::sync_table).unwrap_or_default();
    let extra = format!("{}\n{sync}", office.tables());
    let (mut running, clouds) = (start(folder, &extra, Arc::new(voice)).await?, Clouds::start().await?);
    output::line(format_args!("the box answers at {}", running.config.http.public_url.as_str()));
    let mut play = Play { scenes: scenes(), reports: Vec::new() };
    play.place(&running, &clouds, &[Sky::NoCloud]).await?;
    output::line("a customer writes over WhatsApp ...");
    let conversation = office.write(&running).await?;
    let fetched = |metrics: &str| metrics.lines().any(|line| line == "kolbox_messages_fetched_total 1");
    if let Err(error) = running.wait_until("/metrics", MESSAGE_PATIENCE, fetched).await {
        output::line(format_args!("the message was not fetched: {error:#}"));
    }
    running.stop().await?;
    output::line("starting the box again, with credentials of a cloud on this machine ...");
    clouds.delay(CLOUD_DELAYS);
    let extra = format!("{}\n{extra}", clouds.tables(folder)?);
    let voice = clouds.hears(LocalVoice::of_callers(&Synthesizer::default())?);
    boxed::forget_config(folder)?;
    let mut running = start(folder, &extra, Arc::new(voice)).await?;
    play.place(&running, &clouds, &[Sky::Clear, Sky::Breaks]).await?;
    wait_until_told(gateway.as_ref(), &office, &mut running, &play.reports).await;
    let config = running.stop().await?;
    let store = Store::open(&StoreConfig::new(&config.store.path))?;
    let gateway = match gateway {
        Some(gateway) => Some(arrived(gateway, &store).await?),
        None => None,
    };
    Ok(Outcomes { calls: play.outcomes(&store)?, office: office.told(conversation, &store)?, gateway })
}

/// Waits until the gateway and the CRM were told of everything; says so when they were not.
async fn wait_until_told(
    gateway: Option<&RunningGateway>,
    office: &Office,
    running: &mut RunningBox,
    reports: &[CallReport],
) {
    if let Some(gateway) = gateway {
        let telling = async {
            wait_until_heard(gateway, reports).await?;
            running.wait_until("/metrics", TELL_PATIENCE, is_told).await
        };
        if let Err(error) = timeout(TELL_PATIENCE, telling).await.context("it took too long").flatten() {
            output::line(format_args!("the gateway was not told of everything: {error:#}"));
        }
    }
    if let Err(error) = office.wait_until_told(running).await {
        output::line(format_args!("the CRM was not told of everything: {error:#}"));
    }
}

/// Starts a box in `folder`; `extra` is more of its configuration.
async fn start(folder: &Path, extra: &str, voice: Arc<dyn CallerVoice>) -> anyhow::Result<RunningBox> {
    let extra = format!("{EXTRA}\n{extra}");
    let (pace, models) = (Pace::RealTime, Models::Installed);
    RunningBox::start(Start { folder, extra: &extra, voice, pace, record: true, models }).await
}

/// Starts the gateway, unless none is wanted.
async fn start_gateway(arguments: &DemoArgs) -> anyhow::Result<Option<RunningGateway>> {
    if arguments.without_gateway {
        return Ok(None);
    }
    let program = arguments.gateway.clone().map_or_else(gateway::beside_this_program, Ok)?;
    output::line("starting a gateway with certificates made for this run ...");
    let device = DEVICE.parse().context("the box's name")?;
    Ok(Some(RunningGateway::start(&program, &arguments.folder.join("gateway"), device).await?))
}

/// Waits until the gateway has heard of the end of each call, and of what the last one left as a message.
async fn wait_until_heard(gateway: &RunningGateway, reports: &[CallReport]) -> anyhow::Result<()> {
    loop {
        let (calls, messages) = (gateway.events(Stream::Calls).await?, gateway.events(Stream::Messages).await?);
        let ended = |report: &CallReport| calls.iter().any(|event| event.tells("call.ended", &report.call_sid));
        let transcribed =
            |report: &CallReport| messages.iter().any(|event| event.tells("voicemail.transcribed", &report.call_sid));
        if reports.iter().all(ended) && reports.iter().any(transcribed) {
            return Ok(());
        }
        sleep(ASK_EVERY).await;
    }
}

/// Returns whether figures of a box say that no call goes on and that the gateway has all of the streams that never drop
/// anything.
fn is_told(metrics: &str) -> bool {
    let figure = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    let waiting = |stream: Stream| figure(&format!("kolbox_outbox_events{{stream=\"{stream}\"}}"));
    let promised = Stream::ALL.into_iter().filter(|stream| !stream.may_drop());
    figure("kolbox_calls_active") == Some(0)
        && waiting(Stream::Calls).is_some()
        && promised.filter_map(waiting).all(|waiting| waiting == 0)
}

/// Asks the gateway what arrived, and stops it. The box has stopped; `store` is what it left.
async fn arrived(gateway: RunningGateway, store: &Store) -> anyhow::Result<Arrived> {
    let streams = gateway.streams().await?;
    let mut events = BTreeMap::new();
    for stream in Stream::ALL {
        events.insert(stream, gateway.events(stream).await?);
    }
    gateway.stop().await?;
    Ok(Arrived::compare(&store.outbox_heads(), &streams, events))
}

/// What differs from the defaults: the greeting comes over the stream, where it can be interrupted.
const EXTRA: &str = "[greeting]\nmode = \"stream\"\n";

fn print(number: usize, outcome: &Outcome) {
    output::line(format_args!("\n=== call {number}: {}", outcome.title));
    outcome.kept.print();
    for turn in &outcome.report.turns {
        if let Some(waited) = turn.to_agent {
            output::line(format_args!("  heard by the caller: {} ms until the agent spoke", waited.as_millis()));
        }
        if let Some(waited) = turn.to_clear {
            output::line(format_args!("  interruption: {} ms until the agent fell silent", waited.as_millis()));
        }
    }
    if let Some(audio) = &outcome.report.audio {
        output::line(format_args!("  recording   {}", audio.display()));
    }
    for warning in &outcome.report.warnings {
        output::line(format_args!("  carrier     {} {}", warning.code, warning.text));
    }
    for expectation in &outcome.expectations {
        expectation.print();
    }
}

#[cfg(test)]
mod tests {
    use super::is_told;

    #[test]
    fn the_gateway_has_everything_when_no_call_goes_on_and_nothing_promised_waits() {
        let figures = |active: u32, calls: u32, logs: u32| {
            format!(
                "# TYPE kolbox_calls_active gauge\nkolbox_calls_active {active}\n\
                 kolbox_outbox_events{{stream=\"logs\"}} {logs}\nkolbox_outbox_events{{stream=\"calls\"}} {calls}\n"
            )
        };
        assert!(is_told(&figures(0, 0, 7)));
        assert!(!is_told(&figures(1, 0, 0)));
        assert!(!is_told(&figures(0, 1, 0)));
        assert!(!is_told("kolbox_calls_active 0\n"), "nothing is known of the calls yet");
    }
}

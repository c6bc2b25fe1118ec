//! What calls cost, and how long callers wait.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::ensure;
use media::wav;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::{Query, Store, StoreConfig, Turns};
use testcall::{CallScript, Step};
use units::SampleRate;

use super::process::{self, Meter, Usage};
use super::{Row, percentile_ms};
use crate::commands::boxed::RunningBox;
use crate::commands::callers;
use crate::config::Config;

/// Conversations held one after the other.
const CONVERSATIONS: usize = 4;
/// How long what calls cost is measured.
const WINDOW: Duration = Duration::from_secs(20);
/// Time for a call to begin, before that.
const SETTLE: Duration = Duration::from_secs(1);
/// How long a measured call stays on the line: longer than both, shorter than the box's patience with a silent caller.
const ON_LINE: Duration = Duration::from_secs(30);
/// Longest wait for all calls to be on the line.
const SETTLE_PATIENCE: Duration = Duration::from_secs(8);
/// Time between two looks whether they are.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Largest sample of a quiet room's noise: -64 dBFS.
const ROOM: i16 = 20;

/// Holds conversations and tells how soon the agent falls silent when interrupted.
pub(super) async fn conversations(running: &RunningBox) -> anyhow::Result<Vec<Row>> {
    let before = Usage::of(running.pid())?;
    let mut to_clear = Vec::new();
    let mut to_agent = Vec::new();
    for _ in 0..CONVERSATIONS {
        let report = running.carrier.place(&callers::hebrew_interrupting()).await?;
        to_clear.extend(report.turns.iter().filter_map(|turn| turn.to_clear));
        to_agent.extend(report.turns.iter().filter_map(|turn| turn.to_agent));
    }
    process::quiet(running.pid()).await?;
    let processor = Usage::of(running.pid())?.processor.saturating_sub(before.processor);
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let each = processor.as_secs_f64() / CONVERSATIONS as f64;
    Ok(vec![
        Row::new("processor for a conversation, recognition and new sentences included", each, "s/call"),
        Row::new(
            "caller starts to speak -> clear, as the carrier sees it, p50",
            percentile_ms(&mut to_clear, 0.5),
            "ms",
        ),
        Row::new(
            "caller starts to speak -> clear, as the carrier sees it, max",
            percentile_ms(&mut to_clear, 1.0),
            "ms",
        )
        .at_most(150.0),
        Row::new(
            "caller's last word -> agent heard, endpointing included, p50",
            percentile_ms(&mut to_agent, 0.5),
            "ms",
        ),
        Row::new(
            "caller's last word -> agent heard, endpointing included, p95",
            percentile_ms(&mut to_agent, 0.95),
            "ms",
        ),
    ])
}

/// Keeps `count` callers on the line, who say nothing in a quiet room, and tells what each costs beyond `idle`, the
/// share of a core that the box takes without calls.
///
/// What the box says was rendered before, so that the window holds the media path alone: audio of the caller read,
/// decoded and looked at for speech, prompts and marks sent, timers. A whole call is told apart from it.
#[expect(clippy::cast_precision_loss, reason = "at most a few hundred calls")]
pub(super) async fn at_once(running: &RunningBox, room: &Path, idle: f64, count: usize) -> anyhow::Result<Vec<Row>> {
    process::quiet(running.pid()).await?;
    let before = Usage::of(running.pid())?;
    let began = Instant::now();
    let script = CallScript::of([Step::PlayWav { path: room.to_owned() }, Step::Hangup {}]);
    let calls = futures_util::future::join_all((0..count).map(|_| running.carrier.place(&script)));
    let (reports, meter) = tokio::join!(calls, while_on_line(running, count));
    let (reports, meter) = (reports.into_iter().collect::<Result<Vec<_>, _>>()?, meter?);
    process::quiet(running.pid()).await?;
    let (after, took) = (Usage::of(running.pid())?, began.elapsed().as_secs_f64());
    let calls = count as f64;
    let served = reports.iter().filter(|report| report.warnings.is_empty() && !report.agent_speech.is_empty()).count();
    let spoken = reports.iter().flat_map(|report| &report.agent_speech).map(|speech| speech.until.since(speech.from));
    let spoken: Duration = spoken.sum();
    let lasted: Duration = reports.iter().map(|report| report.lasted).sum();
    let window = meter.lasted().as_secs_f64();
    let share = (meter.share()? - idle) / calls * 100.0;
    let whole = after.processor.saturating_sub(before.processor).as_secs_f64() - idle * took;
    let memory = (meter.most_resident_mb() - before.resident_mb).max(0.0) / calls;
    let name = if count == 1 { "1 call".to_owned() } else { format!("{count} calls") };
    Ok(vec![
        Row::new(format!("{name}: served"), served as f64, "calls").at_least(calls),
        Row::new(format!("{name}: time in which the box was heard"), share_of(spoken, lasted), "%"),
        Row::new(format!("{name} for {window:.0} s: processor per call, media path"), share, "% core").at_most(0.2),
        Row::new(format!("{name}: processor for a whole call, greeting included"), whole / calls, "s/call"),
        Row::new(format!("{name}: memory per call"), memory, "MB").at_most(2.0),
        Row::new(format!("{name}: most memory since the start"), after.peak_mb, "MB"),
    ])
}

/// Measures while `count` calls are on the line.
async fn while_on_line(running: &RunningBox, count: usize) -> anyhow::Result<Meter> {
    let began = Instant::now();
    loop {
        let metrics =
            running.client.get(running.config.http.public_url.webhook("/metrics")).send().await?.text().await?;
        let active = metrics.lines().find_map(|line| line.strip_prefix("kolbox_calls_active ")?.parse::<usize>().ok());
        if active == Some(count) {
            break;
        }
        ensure!(began.elapsed() < SETTLE_PATIENCE, "{active:?} of {count} calls are on the line");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tokio::time::sleep(SETTLE).await;
    Meter::over(running.pid(), WINDOW).await
}

/// Writes what a telephone in a quiet room hears, long enough for a measured call.
pub(super) fn quiet_room(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut random = StdRng::seed_from_u64(0);
    let samples: Vec<i16> = (0..ON_LINE.as_secs() * 8_000).map(|_| random.random_range(-ROOM..=ROOM)).collect();
    let path = folder.join("quiet-room.wav");
    std::fs::write(&path, wav::encode_pcm16(&samples, 1, SampleRate::HZ_8000)?)?;
    Ok(path)
}

/// Tells what the box takes of the processor and the memory while nobody calls; the first is a share of one core.
pub(super) async fn idle(running: &RunningBox) -> anyhow::Result<(f64, Vec<Row>)> {
    process::quiet(running.pid()).await?;
    let meter = Meter::over(running.pid(), WINDOW).await?;
    let share = meter.share()?;
    let name = "idle with models";
    let rows = vec![
        Row::new(format!("{name} for {:.0} s: processor", meter.lasted().as_secs_f64()), share * 100.0, "% core"),
        Row::new(format!("{name}: memory"), meter.most_resident_mb(), "MB"),
    ];
    Ok((share, rows))
}

fn share_of(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() * 100.0 }
}

/// Tells how long the box took from the end of a turn to the first audio, from what it kept.
pub(super) fn latencies(config: &Config) -> anyhow::Result<Vec<Row>> {
    let store = Store::open(&StoreConfig::new(&config.store.path))?;
    let mut waits = Vec::new();
    for (_, turn) in store.query(&Query::<Turns>::all())? {
        let latencies = turn.latencies;
        if let (Some(decided), Some(heard)) = (latencies.end_of_turn_ms, latencies.first_audio_ms) {
            waits.push(Duration::from_millis(u64::from(heard.saturating_sub(decided))));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a few dozen turns")]
    let turns = waits.len() as f64;
    Ok(vec![
        Row::new("turns measured", turns, "turns"),
        Row::new("end of turn decided -> first audio, p50", percentile_ms(&mut waits, 0.5), "ms").at_most(400.0),
        Row::new("end of turn decided -> first audio, p95", percentile_ms(&mut waits, 0.95), "ms").at_most(800.0),
    ])
}

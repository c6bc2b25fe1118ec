//! What calls cost, and how long callers wait.

use std::time::{Duration, Instant};

use store::{Query, Store, StoreConfig, Turns};
use testcall::{CallScript, Step};
use units::Language;

use super::process::Usage;
use super::{Row, percentile_ms};
use crate::commands::boxed::RunningBox;
use crate::config::Config;

/// Conversations held one after the other.
const CONVERSATIONS: usize = 4;
/// How long silent calls stay on the line.
const ON_LINE: Duration = Duration::from_secs(12);

/// Holds conversations and tells how soon the agent falls silent when interrupted.
pub(super) async fn conversations(running: &RunningBox) -> anyhow::Result<Vec<Row>> {
    let mut to_clear = Vec::new();
    let mut to_agent = Vec::new();
    for _ in 0..CONVERSATIONS {
        let report = running.carrier.place(&conversation()).await?;
        to_clear.extend(report.turns.iter().filter_map(|turn| turn.to_clear));
        to_agent.extend(report.turns.iter().filter_map(|turn| turn.to_agent));
    }
    Ok(vec![
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

/// A caller who interrupts once and answers whatever is asked.
fn conversation() -> CallScript {
    let he = Language::Hebrew;
    CallScript::of([
        Step::interrupt("קוראים לי דני כהן", he),
        Step::wait_for_agent(),
        Step::say("המספר שלי הוא 0528901234", he),
        Step::wait_for_agent(),
        Step::say("כן נכון", he),
        Step::wait_for_agent(),
        Step::say("אני רוצה לקבוע תור", he),
        Step::wait_for_agent(),
        Step::interrupt("להתראות", he),
        Step::wait_end(),
    ])
}

/// Keeps `count` silent callers on the line and tells what each costs.
#[expect(clippy::cast_precision_loss, reason = "at most a few hundred calls")]
pub(super) async fn at_once(running: &RunningBox, count: usize) -> anyhow::Result<Vec<Row>> {
    let before = Usage::of(running.pid())?;
    let began = Instant::now();
    let script = CallScript::of([Step::silence(ON_LINE), Step::Hangup {}]);
    let calls = (0..count).map(|_| running.carrier.place(&script));
    let calls = futures_util::future::join_all(calls);
    let mut during = before;
    let mut calls = std::pin::pin!(calls);
    let reports = loop {
        tokio::select! {
            reports = &mut calls => break reports,
            () = tokio::time::sleep(Duration::from_millis(500)) => {
                let now = Usage::of(running.pid())?;
                if now.resident_mib > during.resident_mib {
                    during = now;
                }
            }
        }
    };
    let took = began.elapsed().as_secs_f64();
    let served = reports.iter().filter(|report| report.as_ref().is_ok_and(|r| !r.agent_speech.is_empty())).count();
    let after = Usage::of(running.pid())?;
    let processor = after.processor.saturating_sub(before.processor).as_secs_f64();
    let share = processor / took / count as f64 * 100.0;
    let memory = (during.resident_mib - before.resident_mib).max(0.0) / count as f64;
    Ok(vec![
        Row::new(format!("{count} calls at once: served"), served as f64, "calls").at_least(count as f64),
        Row::new(format!("{count} calls at once: processor per call, no recognition"), share, "% core").at_most(0.2),
        Row::new(format!("{count} calls at once: memory per call"), memory, "MiB").at_most(2.0),
        Row::new(format!("{count} calls at once: memory in all"), after.peak_mib, "MiB"),
    ])
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

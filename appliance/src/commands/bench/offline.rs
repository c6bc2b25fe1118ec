//! A day without the gateway, and what callers notice while the box tells it all.
//!
//! The day's events go through the real store at once instead of over a day: what counts is how many there are. The
//! gateway is a process that stands still meanwhile, so that the box finds somebody who takes the connection and says
//! nothing. Gateway, carrier and box share this machine's processors, which no box in an office has to.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use protocol::{EventId, Kind, NewEvent, Stamp, Stream};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use serde_json::{Value, json};
use store::{Batch, Store, StoreConfig};
use testcall::{CallReport, Pace};
use units::CallId;

use super::process::written_bytes;
use super::{EXTRA, Row, percentile_ms};
use crate::commands::arrived::ArrivedStream;
use crate::commands::boxed::{self, Models, RunningBox, Start};
use crate::commands::gateway::{self, RunningGateway};
use crate::commands::voices::LocalVoice;
use crate::commands::{callers, output};
use crate::config::Synthesizer;

/// Events a second while the gateway is away.
const EVENTS_PER_SECOND: u64 = 50;
/// Conversations before the gateway is back, to compare with.
const CONVERSATIONS_BEFORE: usize = 4;
/// How often the store's progress is told, in hours of the day.
const TELL_EVERY_HOURS: u64 = 4;
/// Longest time without an event less in the outbox, once the gateway is back.
const PATIENCE: Duration = Duration::from_mins(3);
/// The box's name at the gateway.
const DEVICE: &str = "offline-box";

/// Events of each stream in ten seconds. Logs and metrics stay within the 16 MiB that the store keeps of each.
const MIX: [(Stream, u64); 5] =
    [(Stream::Calls, 400), (Stream::Messages, 40), (Stream::Audit, 56), (Stream::Metrics, 2), (Stream::Logs, 2)];

/// What callers waited for.
#[derive(Debug, Default)]
struct Waits {
    calls: Vec<CallId>,
    webhook: Vec<Duration>,
    to_clear: Vec<Duration>,
    to_agent: Vec<Duration>,
    to_audio: Vec<Duration>,
}

/// Fills the outbox with a day, lets the gateway come back and tells what callers waited for meanwhile.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) async fn measure(folder: &Path, hours: u64, with_progress: bool) -> anyhow::Result<Vec<Row>> {
    let say = |what: String| {
        if with_progress {
            output::line(format_args!("... {what}"));
        }
    };
    boxed::empty(folder)?;
    let program = gateway::beside_this_program()?;
    let cloud = RunningGateway::start(&program, &folder.join("gateway"), DEVICE.parse()?).await?;
    cloud.signal(Signal::STOP)?;
    let (total, json_bytes, mut rows) = fill(&folder.join("store"), hours, &say)?;
    say("starting the box".to_owned());
    let began = Instant::now();
    let running = RunningBox::start(Start {
        folder,
        extra: &format!("{EXTRA}\n{}", cloud.sync_table()),
        voice: Arc::new(LocalVoice::of_callers(&Synthesizer::default())?),
        pace: Pace::RealTime,
        record: false,
        models: Models::Installed,
    })
    .await?;
    rows.push(Row::new("box started with that in its outbox: first answer after", began.elapsed().as_secs_f64(), "s"));
    let waiting = waiting(&running).await?;
    ensure!(waiting >= total, "of {total} events {waiting} are in the outbox");
    say(format!("{waiting} events wait; callers before the gateway is back"));
    let mut before = Waits::default();
    for _ in 0..CONVERSATIONS_BEFORE {
        before.add(&running.carrier.place(&callers::hebrew_interrupting()).await?)?;
    }
    say("the gateway is back".to_owned());
    cloud.signal(Signal::CONT)?;
    let before_replay = written_bytes(running.pid())?;
    let (mut during, told, took) = replay(&running, &say).await?;
    let to_remove = written_bytes(running.pid())?.saturating_sub(before_replay) as f64 / json_bytes as f64;
    rows.push(Row::new("disk bytes per byte of JSON to remove them, calls included", to_remove, "").at_most(10.0));
    rows.push(Row::new("events told after that", told as f64, "events").at_least(total as f64));
    rows.push(Row::new("events told a second, calls being served", told as f64 / took.as_secs_f64(), "events/s"));
    rows.push(Row::new("conversations meanwhile", during.calls.len() as f64, "calls"));
    let config = running.stop().await?;
    let store = Store::open(&StoreConfig::new(&config.store.path))?;
    before.read(&store)?;
    during.read(&store)?;
    rows.extend(compare(&mut before, &mut during));
    say("reading everything back over the gateway's API".to_owned());
    rows.extend(check(&cloud, &store).await?);
    cloud.stop().await?;
    Ok(rows)
}

/// Writes the day's events, a second of it in each commit; returns how many, their length as JSON, and what they cost.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn fill(folder: &Path, hours: u64, say: &impl Fn(String)) -> anyhow::Result<(u64, u64, Vec<Row>)> {
    let store = Store::open(&StoreConfig::new(folder))?;
    let before = written_bytes(std::process::id())?;
    let began = Instant::now();
    let mut random = StdRng::seed_from_u64(1);
    let (mut json_bytes, mut total) = (0_u64, 0_u64);
    let start_ms = 1_790_000_000_000;
    for second in 0..hours * 3_600 {
        let mut batch = Batch::new();
        for place in 0..EVENTS_PER_SECOND {
            let stream = pick((second % 10) * EVENTS_PER_SECOND + place);
            let (kind, data) = event(stream, &mut random);
            let mono_ms = second * 1_000 + place * 1_000 / EVENTS_PER_SECOND;
            let stamp = Stamp { boot: start_ms, mono_ms, wall_ms: start_ms + mono_ms, time_synced: true };
            let event = NewEvent::raw(stream, kind, EventId::from_random_bytes(random.random()), stamp, data)?;
            total += 1;
            json_bytes += u64::try_from(serde_json::to_string(&event.clone().numbered(total))?.len())?;
            batch.emit(event);
        }
        store.commit(batch)?;
        if (second + 1) % (TELL_EVERY_HOURS * 3_600) == 0 {
            say(format!("{} h of the day are stored: {total} events", (second + 1) / 3_600));
        }
    }
    let took = began.elapsed().as_secs_f64();
    let lost: usize = store.outbox_drops().len();
    ensure!(lost == 0, "the day is not within the caps: {:?}", store.outbox_drops());
    drop(store);
    let disk_bytes = written_bytes(std::process::id())?.saturating_sub(before);
    Ok((
        total,
        json_bytes,
        vec![
            Row::new(format!("{hours} h at {EVENTS_PER_SECOND} events/s"), total as f64, "events"),
            Row::new("the same as JSON", json_bytes as f64 / 1e6, "MB"),
            Row::new(
                "disk bytes per byte of JSON to store them, 50 events a commit",
                disk_bytes as f64 / json_bytes as f64,
                "",
            )
            .at_most(10.0),
            Row::new("stored at", total as f64 / took, "events/s"),
        ],
    ))
}

/// Returns the stream of the event at a place in ten seconds, spread evenly.
fn pick(place: u64) -> Stream {
    let all: u64 = MIX.iter().map(|(_, count)| count).sum();
    // 167 and 500 have no common divisor: each place is taken once.
    let mut at = place * 167 % all;
    for (stream, count) in MIX {
        if at < count {
            return stream;
        }
        at -= count;
    }
    Stream::Calls
}

/// Makes what an event of a stream says; names, numbers and texts differ.
fn event(stream: Stream, random: &mut StdRng) -> (Kind, Value) {
    let call = format!("CA{:032x}", random.random::<u128>());
    match stream {
        Stream::Calls | Stream::Leads => {
            let (lasted, turns) = (random.random_range(0..600_000), random.random_range(0..20));
            let data = json!({ "call": call, "outcome": "completed", "duration_ms": lasted, "turns": turns, "language": "he" });
            (Kind::CALL_ENDED, data)
        }
        Stream::Messages => {
            let text = format!("שלום, תחזרו אליי למספר {:09}", random.random_range(0..1_000_000_000_u32));
            (Kind::VOICEMAIL_TRANSCRIBED, json!({ "call": call, "text": text }))
        }
        Stream::Audit => (Kind::AUDIT_ENTRY, json!({ "actor": "owner", "action": "config.set", "detail": call })),
        Stream::Metrics => {
            (Kind::METRICS_SAMPLE, json!({ "values": { "cpu_temperature_c": random.random_range(40.0..70.0) } }))
        }
        Stream::Logs => {
            let message = "the caller's sound came late";
            (Kind::LOG_LINE, json!({ "level": "WARN", "target": "kolbox", "message": message, "call": call }))
        }
    }
}

/// Places calls until the outbox is empty; tells what they waited for, how much was told and how long it took.
async fn replay(running: &RunningBox, say: &impl Fn(String)) -> anyhow::Result<(Waits, u64, Duration)> {
    let began = Instant::now();
    let first = waiting(running).await?;
    let mut waits = Waits::default();
    let (mut least, mut progressed) = (first, Instant::now());
    let mut emptied = None;
    // At least one conversation, however fast it goes.
    while emptied.is_none() || waits.calls.is_empty() {
        let script = callers::hebrew_interrupting();
        let mut call = std::pin::pin!(running.carrier.place(&script));
        let report = loop {
            tokio::select! {
                report = &mut call => break report?,
                () = tokio::time::sleep(Duration::from_secs(1)) => {
                    let left = waiting(running).await?;
                    if left < least {
                        (least, progressed) = (left, Instant::now());
                    }
                    // What the calls themselves tell comes and goes.
                    if left < 100 {
                        emptied.get_or_insert_with(|| began.elapsed());
                    }
                }
            }
        };
        waits.add(&report)?;
        say(format!("{} of {first} events are still in the outbox", waiting(running).await?));
        if emptied.is_none() && progressed.elapsed() > PATIENCE {
            bail!("nothing leaves the outbox any more; {least} events are in it");
        }
    }
    Ok((waits, first.saturating_sub(least), emptied.unwrap_or_default()))
}

/// Returns how many events are in the outbox.
async fn waiting(running: &RunningBox) -> anyhow::Result<u64> {
    let text = running.client.get(running.config.http.public_url.webhook("/metrics")).send().await?.text().await?;
    let lines = text.lines().filter_map(|line| line.strip_prefix("kolbox_outbox_events{")?.rsplit(' ').next());
    Ok(lines.filter_map(|figure| figure.parse::<u64>().ok()).sum())
}

/// Reads every event over the gateway's API and counts what is missing, out of order or announced as lost.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
async fn check(cloud: &RunningGateway, store: &Store) -> anyhow::Result<Vec<Row>> {
    let streams = cloud.streams().await?;
    let (mut numbered, mut arrived, mut disorder) = (0_u64, 0_u64, 0_u64);
    for head in store.outbox_heads() {
        let stands = streams.iter().find(|stream| stream.is(head.stream, head.epoch));
        let watermark = stands.map_or(0, ArrivedStream::watermark);
        // What the box told after its last word came may be on its way; of it nothing is asked.
        numbered += head.through;
        ensure!(watermark >= head.through, "{}: removed up to {}, stored up to {watermark}", head.stream, head.through);
        let mut next = 1;
        cloud
            .each_event(head.stream, |event| {
                if event.seq() <= head.through {
                    arrived += 1;
                    disorder += u64::from(event.seq() != next || event.epoch() != head.epoch);
                    next = event.seq() + 1;
                }
            })
            .await?;
    }
    Ok(vec![
        Row::new("events at the gateway, read back", arrived as f64, "events").at_least(numbered as f64),
        Row::new("of these out of order, twice or behind a gap", disorder as f64, "events").at_most(0.0),
    ])
}

impl Waits {
    fn add(&mut self, report: &CallReport) -> anyhow::Result<()> {
        ensure!(report.warnings.is_empty(), "the carrier complains: {:?}", report.warnings);
        self.calls.push(report.call_sid.parse().context("the carrier's name for a call")?);
        let asked = report.requests.iter().filter(|request| request.path == "/webhook/incoming_call");
        self.webhook.extend(asked.map(|request| Duration::from_micros(request.micros)));
        self.to_clear.extend(report.turns.iter().filter_map(|turn| turn.to_clear));
        self.to_agent.extend(report.turns.iter().filter_map(|turn| turn.to_agent));
        Ok(())
    }

    /// Reads what the box itself measured.
    fn read(&mut self, store: &Store) -> anyhow::Result<()> {
        for call in &self.calls {
            for turn in store.turns(call)? {
                let latencies = turn.latencies;
                if let (Some(decided), Some(heard)) = (latencies.end_of_turn_ms, latencies.first_audio_ms) {
                    self.to_audio.push(Duration::from_millis(u64::from(heard.saturating_sub(decided))));
                }
            }
        }
        Ok(())
    }
}

fn compare(before: &mut Waits, during: &mut Waits) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut pair = |what: &str, before: &mut [Duration], during: &mut [Duration], target: Option<f64>| {
        for (when, values) in [("gateway away", before), ("while it is told", during)] {
            let p50 = Row::new(format!("{what}, {when}, p50"), percentile_ms(values, 0.5), "ms");
            let max = Row::new(format!("{what}, {when}, max"), percentile_ms(values, 1.0), "ms");
            rows.extend([p50, target.map_or(max.clone(), |target| max.at_most(target))]);
        }
    };
    pair("incoming-call webhook", &mut before.webhook, &mut during.webhook, None);
    pair("caller starts to speak -> clear", &mut before.to_clear, &mut during.to_clear, Some(150.0));
    pair("end of turn decided -> first audio", &mut before.to_audio, &mut during.to_audio, Some(800.0));
    pair("caller's last word -> agent heard", &mut before.to_agent, &mut during.to_agent, None);
    rows
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{EVENTS_PER_SECOND, MIX, pick};

    #[test]
    fn ten_seconds_hold_the_whole_mix() {
        let mut counts = BTreeMap::new();
        for place in 0..10 * EVENTS_PER_SECOND {
            *counts.entry(pick(place)).or_insert(0) += 1;
        }
        assert_eq!(counts, MIX.into_iter().collect());
    }
}
